"""No canary is shown where versions differ, either: a 1.6 charger behind a 2.0.1 CSMS (reliability I-32, 2.9)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import aiohttp
from websockets.asyncio.client import connect

from tests.gateway.test_redact import CANARY

from .conftest import StartGateway
from .raw import RawCsms, polite, raw_csms, until
from .test_privacy import everything_shown
from .test_tracing import Collector, collector

__all__ = ["collector", "raw_csms"]

TAG, AT = CANARY + "TAG", "2026-01-02T03:04:05Z"
SAID: list[tuple[str, dict[str, Any]]] = [
    ("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"}),
    ("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Preparing"}),
    ("Authorize", {"idTag": TAG}),
    ("StartTransaction", {"connectorId": 1, "idTag": TAG, "meterStart": 0, "timestamp": AT}),
    ("DataTransfer", {"vendorId": "v", "data": CANARY + "data"}),
    ("StopTransaction", {"transactionId": 1, "idTag": TAG, "meterStop": 9, "timestamp": AT}),
    ("Authorize", {"idTag": TAG, "more": [{"password": CANARY + "extra"}]}),
    ("StartTransaction", {"connectorId": "x", "idTag": TAG, "meterStart": {}, "timestamp": AT}),
]
TOKEN = {"idToken": CANARY + "LONGER-THAN-20-LETTERS", "type": "Central"}
PASSWORD = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
ASKED: list[tuple[str, dict[str, Any]]] = [
    ("RequestStartTransaction", {"evseId": 1, "remoteStartId": 1, "idToken": TOKEN}),
    ("SetVariables", {"setVariableData": [{**PASSWORD, "attributeValue": CANARY + "password"}]}),
    ("GetVariables", {"getVariableData": [PASSWORD]}),
    ("SendLocalList", {"versionNumber": 1, "updateType": "Full", "localAuthorizationList": [
        {"idToken": {"idToken": TAG, "type": "Central"}, "idTokenInfo": {"status": "Accepted"}}
    ]}),
    ("CustomerInformation", {"requestId": 1, "report": True, "clear": False, "idToken": TOKEN}),
    ("DataTransfer", {"vendorId": "v", "data": CANARY + "down"}),
]  # fmt: skip


def reply(id: str, action: str, payload: dict[str, Any]) -> list[Any]:
    if action in ("Authorize", "TransactionEvent"):
        return [
            3,
            id,
            {"idTokenInfo": {"status": "Accepted", "personalMessage": {"format": "ASCII", "content": CANARY}}},
        ]
    return polite(id, action, payload)


async def test_no_canary_in_a_translation(
    raw_csms: Callable[[str], Any], start_gateway: StartGateway, collector: Collector
) -> None:
    csms: RawCsms = await raw_csms("ocpp2.0.1")
    csms.reply = reply
    gateway = await start_gateway(
        {"main": {"url": csms.url, "version": "ocpp2.0.1"}},
        log={"level": "debug", "format": "json"},
        tracing={"endpoint": collector.url, "ratio": 1},
    )
    answered: dict[str, Any] = {}

    async def listen(socket: Any) -> None:
        async for text in socket:
            frame = json.loads(text)
            if frame[0] == 2:
                await socket.send(json.dumps([4, frame[1], "InternalError", "no", {}]))
            else:
                answered[frame[1]] = frame

    async with (
        aiohttp.ClientSession(f"http://127.0.0.1:{gateway.admin_port}") as session,
        connect(f"{gateway.url}/CP1", subprotocols=["ocpp1.6"], proxy=None) as socket,  # type: ignore[list-item]
    ):
        async with session.put("/api/v1/wire-logs", json={"match": "*", "seconds": 60}) as response:
            assert response.status == 200
        listening = asyncio.create_task(listen(socket))
        for number, (action, payload) in enumerate(SAID):
            await socket.send(json.dumps([2, str(number), action, payload]))
            await until(f"answer to {action}", lambda: str(number) in answered)  # noqa: B023
        for action, payload in ASKED:
            await csms.send(2, action, action, payload)
            await until(f"answer to {action}", lambda: action in csms.answers)  # noqa: B023
        shown = await everything_shown(session, "2.0.1")
        listening.cancel()
    await gateway.stop()
    told = json.dumps(csms.heard)
    assert TAG in told and CANARY + "data" in told, "the CSMS hears it"
    log = gateway.tail(100_000)
    assert '"charger_connected"' in log and "TransactionEvent" in log, "it does log"
    for where, text in {**shown, "log": log, "traces": repr(collector.spans)}.items():
        assert CANARY not in text, (where, [line[:300] for line in text.splitlines() if CANARY in line])
