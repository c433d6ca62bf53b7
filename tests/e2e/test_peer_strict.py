"""ocpp-rpc in strict mode, with schemas of its own: the referee on both legs (installed by tests/peers/install.sh)."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import StartGateway, StartPeer
from .csms import now
from .peer import SCRIPTS, Peer
from .process import free_port

pytestmark = [pytest.mark.full, pytest.mark.timeout(180)]
TAG = "DEADBEEF"


async def strict_pair(
    start_peer: StartPeer, start_gateway: StartGateway, charger_version: str, csms_version: str, *, direct: bool = False
) -> tuple[Peer, Peer]:
    """A strict charger and a strict CSMS, connected."""
    port = free_port()
    script = SCRIPTS / "strict_peer.js"
    csms = await start_peer("node", script, "csms", str(port), csms_version)
    url = f"ws://127.0.0.1:{port}"
    if not direct:
        gateway = await start_gateway({"main": {"url": url, "version": csms_version}})
        url = gateway.url
    charger = await start_peer("node", script, "charger", url, "STRICT1", charger_version)
    return charger, csms


async def strict_charge_16(charger: Peer) -> int:
    """The charger's side of a charge of 1500 Wh by 1.6; returns the transaction id."""
    station = {"chargePointVendor": "ACME", "chargePointModel": "FastBox", "firmwareVersion": "1.0"}
    assert (await charger.do("BootNotification", station))["status"] == "Accepted"
    status = {"connectorId": 1, "errorCode": "NoError", "timestamp": now()}
    for value in ("Available", "Preparing"):
        await charger.do("StatusNotification", {**status, "status": value})
    await charger.do("Authorize", {"idTag": TAG})
    start = {"connectorId": 1, "idTag": TAG, "meterStart": 1000, "timestamp": now()}
    transaction: int = (await charger.do("StartTransaction", start))["transactionId"]
    await charger.do("StatusNotification", {**status, "status": "Charging"})
    sample = {
        "value": "1700.5",
        "measurand": "Energy.Active.Import.Register",
        "unit": "Wh",
        "context": "Sample.Periodic",
    }
    voltage = {"value": "230.1", "measurand": "Voltage", "phase": "L1-N", "unit": "V", "location": "Outlet"}
    values = [{"timestamp": now(), "sampledValue": [sample, voltage]}]
    await charger.do("MeterValues", {"connectorId": 1, "transactionId": transaction, "meterValue": values})
    stop = {"transactionId": transaction, "idTag": TAG, "meterStop": 2500, "timestamp": now(), "reason": "Local"}
    await charger.do("StopTransaction", stop)
    await charger.do("StatusNotification", {**status, "status": "Finishing"})
    await charger.do("Heartbeat")
    await charger.do("DataTransfer", {"vendorId": "com.example", "messageId": "m", "data": "x"})
    return transaction


def strict_event(number: int, kind: str, trigger: str, context: str, value: float, **more: Any) -> dict[str, Any]:
    stamp = now()
    sample = {"value": value, "context": context, "measurand": "Energy.Active.Import.Register"}
    return {
        "eventType": kind,
        "timestamp": stamp,
        "triggerReason": trigger,
        "seqNo": number,
        "transactionInfo": {"transactionId": "strict-1"},
        "meterValue": [{"timestamp": stamp, "sampledValue": [sample]}],
        **more,
    }


async def strict_charge_201(charger: Peer) -> None:
    """The charger's side of a charge of 1500 Wh by 2.0.1."""
    station = {"reason": "PowerUp", "chargingStation": {"vendorName": "ACME", "model": "FastBox"}}
    assert (await charger.do("BootNotification", station))["status"] == "Accepted"
    status = {"timestamp": now(), "connectorStatus": "Occupied", "evseId": 1, "connectorId": 1}
    await charger.do("StatusNotification", status)
    token = {"idToken": {"idToken": TAG, "type": "ISO14443"}}
    await charger.do("Authorize", token)
    evse = {"evse": {"id": 1, "connectorId": 1}}
    begin = strict_event(0, "Started", "Authorized", "Transaction.Begin", 1000, **token, **evse)
    await charger.do("TransactionEvent", begin)
    await charger.do("TransactionEvent", strict_event(1, "Updated", "MeterValuePeriodic", "Sample.Periodic", 1700.5))
    await charger.do("TransactionEvent", strict_event(2, "Ended", "StopAuthorized", "Transaction.End", 2500))
    await charger.do("Heartbeat")


async def strict_commands_201(csms: Peer) -> None:
    """Commands that the strict CSMS can only be satisfied with by schema-valid answers."""
    heartbeat = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}}
    got = await csms.do("GetVariables", {"getVariableData": [heartbeat]})
    assert got["getVariableResult"][0]["attributeValue"] == "300"
    await csms.do("SetVariables", {"setVariableData": [{**heartbeat, "attributeValue": "60"}]})
    assert (await csms.do("GetBaseReport", {"requestId": 1, "reportBase": "FullInventory"}))["status"] == "Accepted"
    assert (await csms.do("ClearCache"))["status"] == "Accepted"
    assert (await csms.do("UnlockConnector", {"evseId": 1, "connectorId": 1}))["status"] == "Unlocked"
    assert (await csms.do("ChangeAvailability", {"operationalStatus": "Operative"}))["status"] == "Accepted"
    assert (await csms.do("TriggerMessage", {"requestedMessage": "Heartbeat"}))["status"] == "Accepted"
    assert (await csms.do("DataTransfer", {"vendorId": "x", "data": "y"}))["status"] == "Accepted"
    start = {"evseId": 1, "remoteStartId": 3, "idToken": {"idToken": TAG, "type": "ISO14443"}}
    assert (await csms.do("RequestStartTransaction", start))["status"] == "Accepted"
    assert (await csms.do("Reset", {"type": "Immediate"}))["status"] == "Accepted"


async def test_strict_16_charger_against_strict_201_csms(start_peer: StartPeer, start_gateway: StartGateway) -> None:
    charger, csms = await strict_pair(start_peer, start_gateway, "ocpp1.6", "ocpp2.0.1")
    assert await strict_charge_16(charger) > 0
    await strict_commands_201(csms)
    await csms.until("report", lambda: any(not report.get("tbc") for report in csms.heard("NotifyReport")))
    events = csms.heard("TransactionEvent")
    assert [event["seqNo"] for event in events] == list(range(len(events)))
    assert [events[0]["eventType"], events[-1]["eventType"]] == ["Started", "Ended"]
    assert len({event["transactionInfo"]["transactionId"] for event in events}) == 1
    assert csms.violations() == []
    assert charger.violations() == []


@pytest.mark.parametrize("direct", [True, False], ids=["direct", "gateway"])
async def test_strict_16_pair(direct: bool, start_peer: StartPeer, start_gateway: StartGateway) -> None:
    charger, csms = await strict_pair(start_peer, start_gateway, "ocpp1.6", "ocpp1.6", direct=direct)
    assert await strict_charge_16(charger) == 71
    got = await csms.do("GetConfiguration", {"key": ["HeartbeatInterval", "Nonsense"]})
    assert got["unknownKey"] == ["Nonsense"]
    assert (await csms.do("RemoteStopTransaction", {"transactionId": 71}))["status"] == "Accepted"
    assert csms.violations() == charger.violations() == []


@pytest.mark.parametrize("direct", [True, False], ids=["direct", "gateway"])
async def test_strict_201_pair(direct: bool, start_peer: StartPeer, start_gateway: StartGateway) -> None:
    charger, csms = await strict_pair(start_peer, start_gateway, "ocpp2.0.1", "ocpp2.0.1", direct=direct)
    await strict_charge_201(charger)
    await strict_commands_201(csms)
    assert [event["seqNo"] for event in csms.heard("TransactionEvent")] == [0, 1, 2]
    assert csms.violations() == charger.violations() == []
