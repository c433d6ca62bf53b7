"""The gateway between chargers, CSMSs and testers that others wrote (installed by tests/peers/install.sh)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from ocpp.exceptions import OCPPError
from ocpp.v201 import call as call201

from .charger import Charger16, Charger201
from .charges import charges_16, charges_201
from .conftest import Connect, StartCsms, StartGateway
from .csms import now
from .peer import NODE_MODULES, PEERS, SCRIPTS, Peer
from .process import free_port

pytestmark = [pytest.mark.full, pytest.mark.timeout(180)]

StartPeer = Callable[..., Awaitable[Peer]]
TAG = "DEADBEEF"
SECRET = "s3cret"


@pytest.fixture
async def start_peer(tmp_path: Path) -> AsyncIterator[StartPeer]:
    """`await start_peer("node", script, ...)`: a running peer; ended, with its children, at the end."""
    if not NODE_MODULES.is_dir():
        pytest.fail("the peers are missing: run tests/peers/install.sh")
    running: list[Peer] = []

    async def start(*command: str | Path, ready: bool = True, **environment: str) -> Peer:
        peer = Peer(*command, environment=environment, log=tmp_path / f"peer{len(running)}.log")
        running.append(peer)
        await peer.start(ready=ready, cwd=tmp_path)
        return peer

    yield start
    for peer in reversed(running):
        await peer.stop()


async def charge(charger: Charger16, wh: int) -> int:
    """Boots and charges; returns the transaction id."""
    assert (await charger.boot()).status == "Accepted"
    await charger.status(1, "Available")
    assert await charger.authorize(TAG) == "Accepted"
    transaction = await charger.start(1, TAG)
    await charger.status(1, "Charging")
    charger.meter += wh
    await charger.meter_values(1, transaction)
    await charger.stop(transaction, tag=TAG)
    await charger.status(1, "Available")
    return transaction


# --- em-ocpp-chargepoint-simulator: a 1.6 charger ---


async def run_em(start_peer: StartPeer, tmp_path: Path, url: str) -> Peer:
    # The simulator takes its script relative to its working directory.
    (tmp_path / "session.js").write_bytes((SCRIPTS / "em_session.js").read_bytes())
    main = NODE_MODULES / "em-ocpp-chargepoint-simulator" / "build" / "src" / "main.js"
    return await start_peer("node", main, "./session.js", ready=False, CSMS_URL=f"{url}/EM1")


async def test_em_simulator_without_gateway(start_csms: StartCsms, start_peer: StartPeer, tmp_path: Path) -> None:
    from ocpp.v16 import call as call16

    csms = await start_csms("ocpp1.6")
    station = csms.station("EM1")
    em = await run_em(start_peer, tmp_path, csms.url)
    await station.recorder.until("local charge", lambda: bool(station.recorder.calls("StopTransaction")))
    answer = await station.call(call16.RemoteStartTransaction(id_tag="REMOTE01", connector_id=1))
    assert answer.status == "Accepted"
    await station.recorder.until("remote reading", lambda: len(station.recorder.calls("MeterValues")) == 2)
    await station.call(call16.RemoteStopTransaction(transaction_id=42))
    assert await em.exited() == 0
    assert [charge.energy for charge in charges_16(station.recorder)] == [Decimal(1500), Decimal(250)]


async def test_em_simulator_charges_against_a_201_csms(
    start_csms: StartCsms, start_gateway: StartGateway, start_peer: StartPeer, tmp_path: Path
) -> None:
    csms = await start_csms("ocpp2.0.1")
    gateway = await start_gateway({"main": csms})
    station = csms.station("EM1")
    heard = station.recorder
    em = await run_em(start_peer, tmp_path, gateway.url)

    def energies() -> list[Decimal | None]:
        return [charge.energy for charge in charges_201(heard)]

    await heard.until("local charge", lambda: energies() == [Decimal(1500)])
    variable = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}}
    got = await station.call(call201.GetVariables(get_variable_data=[variable]))
    assert got.get_variable_result[0]["attribute_value"] == "60"
    put = await station.call(call201.SetVariables(set_variable_data=[{**variable, "attribute_value": "90"}]))
    assert put.set_variable_result[0]["attribute_status"] == "RebootRequired"
    token = {"id_token": "REMOTE01", "type": "Central"}
    answer = await station.call(call201.RequestStartTransaction(evse_id=1, remote_start_id=5, id_token=token))
    assert answer.status == "Accepted"
    await heard.until(
        "remote reading", lambda: len(charges_201(heard)) == 2 and "Updated" in charges_201(heard)[1].kinds
    )
    assert charges_201(heard)[1].events[0]["transactionInfo"]["remoteStartId"] == 5
    answer = await station.call(call201.RequestStopTransaction(transaction_id=charges_201(heard)[1].id))
    assert answer.status == "Accepted"
    await heard.until("remote charge", lambda: energies() == [Decimal(1500), Decimal(250)])
    assert await em.exited() == 0


async def test_em_simulator_never_answers_an_unknown_command(
    start_csms: StartCsms, start_gateway: StartGateway, start_peer: StartPeer, tmp_path: Path
) -> None:
    """The command times out towards the CSMS; neither side is stuck afterwards."""
    csms = await start_csms("ocpp2.0.1")
    gateway = await start_gateway({"main": csms})
    station = csms.station("EM1")
    await run_em(start_peer, tmp_path, gateway.url)
    await station.recorder.until(
        "local charge", lambda: [c.kinds[-1:] for c in charges_201(station.recorder)] == [["Ended"]]
    )
    assert station.peer is not None
    station.peer._response_timeout = 60
    try:
        answer = await station.call(call201.ClearCache(), 60)
        assert answer.status == "Rejected"
    except OCPPError:
        pass
    answer = await station.call(call201.DataTransfer(vendor_id="com.example"))
    assert answer.status == "Accepted"


# --- ocpp-ws-cli: a tester ---


@pytest.mark.parametrize("version", ["ocpp1.6", "ocpp2.0.1"])
async def test_ocpp_ws_cli_suite_is_a_report(
    version: str,
    start_csms: StartCsms,
    start_gateway: StartGateway,
    plug_in: Connect,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its checks are its opinion, so they are printed; what must hold is that the next charger charges."""
    csms = await start_csms(version)
    url = (await start_gateway({"main": csms})).url
    cli = NODE_MODULES / "ocpp-ws-cli" / "dist" / "index.js"
    report = tmp_path / "report"
    options = ["-e", url, "-i", "TESTER", "-p", version, "--suite", "all", "--report", "json", "--report-dir", report]
    process = await asyncio.create_subprocess_exec(
        "node",
        cli,
        "test",
        *options,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), 120)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    files = list(report.glob("**/*.json"))
    assert files, output.decode(errors="replace")
    with capsys.disabled():
        print(f"\nocpp-ws-cli against the gateway, {version}:")
        for check in json.loads(files[0].read_text())["testResults"]:
            verdict = "passed" if check["passed"] else f"failed ({check['severity']})"
            print(f"  {verdict:16} {check['name']}: {check.get('issue', '')}")
    csms.station("TESTER").recorder.faults.clear()
    if version == "ocpp1.6":
        charger = await plug_in(Charger16, url, "AFTER1")
        await charge(charger, 100)


# --- ocpp-rpc in strict mode: the referee on both legs ---


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


# --- ocpp-csms: a 1.6 CSMS ---


@pytest.mark.parametrize("direct", [True, False], ids=["direct", "gateway"])
async def test_ocpp_csms_as_upstream(
    direct: bool, start_peer: StartPeer, start_gateway: StartGateway, plug_in: Connect
) -> None:
    port = free_port()
    csms = await start_peer(PEERS / "ocpp-csms" / "bin" / "python", SCRIPTS / "ocpp_csms_peer.py", str(port))
    url = f"ws://127.0.0.1:{port}/ocpp"
    if not direct:
        gateway = await start_gateway({"main": {"url": url, "version": "ocpp1.6"}})
        url = gateway.url

    async def command(method: str, *args: Any) -> Any:
        return await csms.do(f"async_{method}", {"identity": "CP1", "args": args})

    charger = await plug_in(Charger16, url, "CP1")
    transaction = await charge(charger, 1500)
    assert transaction > 2**30, "its transaction ids are unix times"
    await csms.until("end of the charge", lambda: any(x.get("event") == "TransactionStoppedEvent" for x in csms.lines))
    assert await command("remote_start_transaction", TAG, 1) == "Accepted"
    await charger.recorder.until("remote start", lambda: bool(charger.transactions))
    [remote] = charger.transactions
    charger.meter += 250
    assert await command("remote_stop_transaction", remote) == "Accepted"
    await csms.until(
        "end of the remote charge",
        lambda: sum(line.get("event") == "TransactionStoppedEvent" for line in csms.lines) == 2,
    )
    assert await command("change_configuration", "HeartbeatInterval", "60") == "Accepted"
    assert await command("unlock_connector", 1) == "Unlocked"
    assert await command("data_transfer", "com.example", "m", "data") == ["Accepted", "data"]


# --- arthexis: a 2.0.1 CSMS ---


async def start_arthexis(start_peer: StartPeer, tmp_path: Path) -> tuple[Peer, int]:
    port = free_port()
    directory = tmp_path / "arthexis"
    directory.mkdir()
    python = PEERS / "arthexis" / "bin" / "python"
    return await start_peer(python, SCRIPTS / "arthexis_peer.py", str(port), str(directory), SECRET), port


def arthexis_upstream(port: int) -> dict[str, str]:
    return {"url": f"ws://127.0.0.1:{port}/ws/ocpp/{{id}}/", "version": "ocpp2.0.1", "password": SECRET}


async def arthexis_command(csms: Peer, action: str, payload: dict[str, Any]) -> Any:
    outcome = await csms.do(action, {"identity": "CP1", "payload": payload})
    assert outcome["error"] == "", outcome
    return outcome["payload"]


async def test_arthexis_as_upstream_of_a_16_charger(
    start_peer: StartPeer, start_gateway: StartGateway, plug_in: Connect, tmp_path: Path
) -> None:
    csms, port = await start_arthexis(start_peer, tmp_path)
    gateway = await start_gateway({"main": arthexis_upstream(port)})
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charge(charger, 1500)
    [stored] = await csms.do("transactions", {"identity": "CP1"})
    assert stored["id_tag"] == TAG
    assert stored["stopped_at"] is not None

    start = {"evseId": 1, "remoteStartId": 8, "idToken": {"idToken": TAG, "type": "ISO14443"}}
    assert (await arthexis_command(csms, "RequestStartTransaction", start))["status"] == "Accepted"
    await charger.recorder.until("remote start", lambda: bool(charger.transactions))
    remote = (await csms.do("transactions", {"identity": "CP1"}))[-1]
    stop = {"transactionId": remote["remote_id"]}
    assert (await arthexis_command(csms, "RequestStopTransaction", stop))["status"] == "Accepted"
    await charger.recorder.until("remote stop", lambda: not charger.transactions)
    heartbeat = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}}
    got = await arthexis_command(csms, "GetVariables", {"getVariableData": [heartbeat]})
    assert got["getVariableResult"][0]["attributeValue"] == "300"
    unlock = {"evseId": 1, "connectorId": 1}
    assert (await arthexis_command(csms, "UnlockConnector", unlock))["status"] == "Unlocked"
    assert (await arthexis_command(csms, "Reset", {"type": "Immediate"}))["status"] == "Accepted"


@pytest.mark.parametrize("direct", [True, False], ids=["direct", "gateway"])
async def test_arthexis_as_upstream_of_a_201_charger(
    direct: bool, start_peer: StartPeer, start_gateway: StartGateway, plug_in: Connect, tmp_path: Path
) -> None:
    csms, port = await start_arthexis(start_peer, tmp_path)
    if direct:
        url, options = f"ws://127.0.0.1:{port}/ws/ocpp", {"suffix": "/", "password": SECRET}
    else:
        gateway = await start_gateway({"main": arthexis_upstream(port)})
        url, options = gateway.url, {}
    charger = await plug_in(Charger201, url, "CP1", **options)
    assert (await charger.boot()).status == "Accepted"
    await charger.status(1, "Occupied")
    transaction = await charger.started(1, {"id_token": TAG, "type": "ISO14443"})
    charger.meter += 1500
    await charger.updated(transaction)
    await charger.ended(transaction)
    [stored] = await csms.do("transactions", {"identity": "CP1"})
    assert stored["remote_id"] == transaction
    assert stored["stopped_at"] is not None
    assert (await arthexis_command(csms, "Reset", {"type": "OnIdle"}))["status"] == "Accepted"
