"""The demo CSMS: what it says is as OCPP wants, and what it is told becomes the CALL of the charger's version."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from gateway.admin.commands import MODELS
from gateway.simulator.csms import DemoCsms, NoStation
from gateway.simulator.orders import BadOrder, obeyed
from tests.schemas import Version, actions, validate

VERSIONS: dict[str, Version] = {"ocpp1.5": "1.5", "ocpp1.6": "1.6", "ocpp2.0.1": "2.0.1"}
NOW = "2026-11-22T10:00:00Z"
FROM_CHARGER: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "ocpp1.6": [
        ("BootNotification", {"chargePointVendor": "Acme", "chargePointModel": "One"}),
        ("Authorize", {"idTag": "GOOD"}),
        ("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Preparing"}),
        ("StartTransaction", {"connectorId": 1, "idTag": "GOOD", "meterStart": 100, "timestamp": NOW}),
        ("MeterValues", {"connectorId": 1, "transactionId": 1001, "meterValue": [
            {"timestamp": NOW, "sampledValue": [{"value": "1.6", "unit": "kWh"}]}]}),
        ("DataTransfer", {"vendorId": "x"}), ("Heartbeat", {}),
    ],
    "ocpp2.0.1": [
        ("BootNotification", {"reason": "PowerUp", "chargingStation": {"vendorName": "Acme", "model": "Two"}}),
        ("Authorize", {"idToken": {"idToken": "good", "type": "ISO14443"}}),
        ("StatusNotification", {"timestamp": NOW, "connectorStatus": "Occupied", "evseId": 1, "connectorId": 1}),
        ("TransactionEvent", {"eventType": "Started", "timestamp": NOW, "triggerReason": "Authorized", "seqNo": 0,
            "transactionInfo": {"transactionId": "t1"}, "evse": {"id": 1}, "idToken": {"idToken": "BAD", "type": "ISO14443"},
            "meterValue": [{"timestamp": NOW, "sampledValue": [{"value": 100}]}]}),
        ("TransactionEvent", {"eventType": "Updated", "timestamp": NOW, "triggerReason": "MeterValuePeriodic", "seqNo": 1,
            "transactionInfo": {"transactionId": "t1"}, "meterValue": [{"timestamp": NOW, "sampledValue": [{"value": 1600}]}]}),
        ("NotifyReport", {"requestId": 1, "generatedAt": NOW, "seqNo": 0}), ("Heartbeat", {}),
    ],
}  # fmt: skip


async def plugged(csms: DemoCsms, version: str) -> ClientConnection:
    url = f"ws://127.0.0.1:{csms.port}/x/CP1"
    return await connect(url, subprotocols=[Subprotocol(version)], compression=None, proxy=None)


async def ask(socket: ClientConnection, action: str, payload: dict[str, Any]) -> dict[str, Any]:
    await socket.send(json.dumps([2, "1", action, payload]))
    kind, _, answer = json.loads(await socket.recv())
    assert kind == 3, answer
    found: dict[str, Any] = answer
    return found


@pytest.mark.parametrize("version", list(FROM_CHARGER))
async def test_it_answers_sensibly_and_is_told_what_to_do(version: str) -> None:
    csms = DemoCsms(list(VERSIONS), cards={"GOOD": "Accepted", "BAD": "Blocked"})
    await csms.start()
    try:
        async with await plugged(csms, version) as socket:
            answers = []
            for action, payload in FROM_CHARGER[version]:
                validate(VERSIONS[version], action, "request", payload)
                answers.append(await ask(socket, action, payload))
                validate(VERSIONS[version], action, "response", answers[-1])
            about = "idTokenInfo" if version == "ocpp2.0.1" else "idTagInfo"
            assert answers[0]["status"] == answers[1][about]["status"] == "Accepted"
            assert answers[3][about]["status"] == ("Blocked" if version == "ocpp2.0.1" else "Accepted")
            assert "1500 Wh" in await obeyed(csms, "list") and "CP1" in await obeyed(csms, "list")

            lines = ["start CP1 GOOD 1", "stop CP1", "reset cp1 hard", "unlock CP1 1", "trigger CP1 Heartbeat"]
            name = "OCPPCommCtrlr.HeartbeatInterval" if version == "ocpp2.0.1" else "HeartbeatInterval"
            lines += [
                f"get CP1 {name}",
                "get CP1",
                f"set CP1 {name} 60",
                "call CP1 ClearCache {}",
                "call CP1 ClearCache",
            ]
            for line in lines:
                obeying = asyncio.create_task(obeyed(csms, line))
                _, id, action, payload = json.loads(await asyncio.wait_for(socket.recv(), 5))
                validate(VERSIONS[version], action, "request", payload)
                await socket.send(json.dumps([3, id, {"status": "Accepted"}]))
                assert await obeying == f'{action}: {{"status": "Accepted"}}'
            assert await obeyed(csms, "card late Accepted") and csms.verdict("LATE") == "Accepted"
            assert "start" in await obeyed(csms, "help") and "late" in await obeyed(csms, "cards")
            for wrong in (
                "start CP1",
                "dance CP1",
                "nonsense",
                "set CP1 x",
                "call CP1 X []",
                "unlock CP1 first",
                'get "CP1',
            ):
                with pytest.raises(BadOrder):
                    await obeyed(csms, wrong)
            with pytest.raises(NoStation):
                await obeyed(csms, "reset CP9")
    finally:
        await csms.stop()


@pytest.mark.parametrize("version", list(VERSIONS))
def test_every_answer_of_its_version_is_as_its_schema_wants(version: str) -> None:
    """Also to what is not worth a rule: nothing that a charger may say stays without a valid answer."""
    from gateway.cli.plain_answers import plain_answer

    assert set(MODELS[version]) >= set(actions(VERSIONS[version]))
    for action in MODELS[version]:
        answer = plain_answer(version, action, {})
        assert answer is not None
        validate(VERSIONS[version], action, "response", answer)
