"""CSMSs of others as upstreams: ocpp-csms (1.6) and arthexis (2.0.1) (installed by tests/peers/install.sh)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .charger import Charger16, Charger201
from .conftest import Connect, StartGateway, StartPeer
from .peer import PEERS, SCRIPTS, Peer
from .process import free_port
from .test_peer_strict import strict_charge_201

pytestmark = [pytest.mark.full, pytest.mark.timeout(180)]
TAG = "DEADBEEF"
SECRET = "s3cret"


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


async def test_ocpp_csms_as_upstream_of_a_201_charger(start_peer: StartPeer, start_gateway: StartGateway) -> None:
    """A charger of ocpp-rpc, which checks every frame, behind ocpp-csms: a charge and ten commands."""
    port = free_port()
    csms = await start_peer(PEERS / "ocpp-csms" / "bin" / "python", SCRIPTS / "ocpp_csms_peer.py", str(port))
    gateway = await start_gateway({"main": {"url": f"ws://127.0.0.1:{port}/ocpp", "version": "ocpp1.6"}})
    charger = await start_peer("node", SCRIPTS / "strict_peer.js", "charger", gateway.url, "CS1", "ocpp2.0.1")
    await strict_charge_201(charger)

    def events(name: str) -> list[dict[str, Any]]:
        return [line["data"]["transaction"] for line in csms.lines if line.get("event") == name]

    await csms.until("end of the charge", lambda: bool(events("TransactionStoppedEvent")))
    [start], [stop] = events("TransactionStartedEvent"), events("TransactionStoppedEvent")
    assert (start["id_tag"], start["meter_start"], stop["meter_stop"]) == (TAG, 1000, 2500)

    async def command(method: str, *args: Any) -> Any:
        return await csms.do(f"async_{method}", {"identity": "CS1", "args": args})

    assert await command("remote_start_transaction", TAG, 1) == "Accepted"
    assert await command("remote_stop_transaction", start["transaction_id"]) == "Rejected", "it has ended"
    assert await command("change_configuration", "HeartbeatInterval", "60") == "Accepted"
    got = await command("get_configuration", ["HeartbeatInterval", "Nonsense"])
    assert got["unknown_keys"] == ["Nonsense"] and got["values"]["HeartbeatInterval"]["value"] == "300"
    assert await command("unlock_connector", 1) == "Unlocked"
    assert await command("change_availability", 1, "Inoperative") == "Accepted"
    assert await command("change_availability", 0, "Operative") == "Accepted"
    assert await command("trigger_message", "Heartbeat") == "Accepted"
    assert (await command("data_transfer", "com.example", "m", "data"))[0] == "Accepted"
    assert await command("reset", "Hard") == "Accepted"
    assert charger.violations() == []


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
