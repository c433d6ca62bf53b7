"""A session that the CSMS begins, on a charger that does not say whose it is: a 1.6 mirror hears it all the same."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from .conftest import StartGateway
from .csms import now
from .raw import RawCsms, raw_csms, until

__all__ = ["raw_csms"]

ROUTES = [{"match": "*", "primary": "main", "mirrors": ["copy"]}]
TOKEN = {"idToken": "04A1B2C3", "type": "ISO14443"}


async def say(socket: ClientConnection, action: str, payload: dict[str, Any], ids: list[int]) -> None:
    """A CALL and its answer; commands that come meanwhile are accepted."""
    ids[0] += 1
    await socket.send(json.dumps([2, f"c{ids[0]}", action, payload]))
    while True:
        frame = json.loads(await asyncio.wait_for(socket.recv(), 20))
        if frame[0] != 2:
            assert frame[0] == 3, frame
            return
        await socket.send(json.dumps([3, frame[1], {"status": "Accepted"}]))


def event(kind: str, seq: int, wh: int, **more: Any) -> dict[str, Any]:
    reading = {"value": wh, "measurand": "Energy.Active.Import.Register", "context": "Transaction.Begin"}
    return {
        "eventType": kind,
        "timestamp": now(),
        "seqNo": seq,
        "transactionInfo": {"transactionId": "T-1", "chargingState": "Charging", **more.pop("info", {})},
        "meterValue": [{"timestamp": now(), "sampledValue": [reading]}],
        **more,
    }


@pytest.mark.parametrize("primary", ["ocpp2.0.1", "ocpp1.6"])
async def test_it_hears_whose_session_it_is(
    primary: str, raw_csms: Callable[[str], Any], start_gateway: StartGateway
) -> None:
    main: RawCsms = await raw_csms(primary)
    copy: RawCsms = await raw_csms("ocpp1.6")
    gateway = await start_gateway(
        {
            "main": {"url": main.url, "version": primary},
            "copy": {"url": copy.url, "version": "ocpp1.6"},
        },
        routes=ROUTES,
    )
    ids = [0]
    async with connect(f"{gateway.url}/CP1", subprotocols=["ocpp2.0.1"], proxy=None) as socket:  # type: ignore[list-item]
        station = {"model": "M", "vendorName": "V"}
        await say(socket, "BootNotification", {"reason": "PowerUp", "chargingStation": station}, ids)
        status = {"timestamp": now(), "connectorStatus": "Occupied", "evseId": 1, "connectorId": 1}
        await say(socket, "StatusNotification", status, ids)
        await until("boot at the mirror", lambda: copy.said("BootNotification"))
        if primary == "ocpp2.0.1":
            command = {"idToken": TOKEN, "remoteStartId": 77, "evseId": 1}
            await main.send(2, "r1", "RequestStartTransaction", command)
        else:
            await main.send(2, "r1", "RemoteStartTransaction", {"idTag": TOKEN["idToken"], "connectorId": 1})
        while True:
            frame = json.loads(await asyncio.wait_for(socket.recv(), 20))
            await socket.send(json.dumps([3, frame[1], {"status": "Accepted"}]))
            if frame[2] == "RequestStartTransaction":
                break
        await until("answer", lambda: main.answers.get("r1"))
        begun = {"remoteStartId": frame[3]["remoteStartId"]}
        evse = {"id": 1, "connectorId": 1}
        await say(
            socket,
            "TransactionEvent",
            event("Started", 0, 100, triggerReason="RemoteStart", evse=evse, info=begun),
            ids,
        )
        await say(socket, "TransactionEvent", event("Updated", 1, 300, triggerReason="MeterValuePeriodic"), ids)
        ending = {"stoppedReason": "EVDisconnected"}
        await say(socket, "TransactionEvent", event("Ended", 2, 700, triggerReason="EVDeparted", info=ending), ids)
        await until("the end at the mirror", lambda: copy.said("StopTransaction"))
    [start] = copy.said("StartTransaction")
    [stop] = copy.said("StopTransaction")
    assert (start["idTag"], start["meterStart"], stop["meterStop"]) == (TOKEN["idToken"], 100, 700)
    if primary == "ocpp2.0.1":
        [first, *_] = main.said("TransactionEvent")
        assert "idToken" not in first, "one that speaks the charger's version hears what the charger said"
