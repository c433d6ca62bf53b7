"""The same conversation directly and through the gateway: the transcripts differ only in message ids and times."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ocpp.v16 import call as call16
from ocpp.v201 import call as call201

from .charger import Charger16, Charger201
from .conftest import Connect, StartCsms, StartGateway
from .csms import Csms, Station
from .plug import Charger
from .wire import Recorder

PutBetween = Callable[[Csms], Awaitable[str]]
TAG = "DEADBEEF"
CURRENT_TIME = re.compile(rb'"currentTime":\s*"[^"]*"')


class Clock:
    """One second later at every look."""

    def __init__(self) -> None:
        self.at = datetime(2025, 3, 1, 10, tzinfo=UTC)

    def __call__(self) -> str:
        self.at += timedelta(seconds=1)
        return self.at.strftime("%Y-%m-%dT%H:%M:%SZ")


async def talk_16(charger: Charger16, station: Station) -> None:
    await charger.boot()
    await charger.heartbeat()
    for connector, status in ((0, "Available"), (1, "Available"), (2, "Faulted"), (1, "Preparing")):
        await charger.status(connector, status, "GroundFailure" if status == "Faulted" else "NoError")
    await charger.authorize(TAG)
    transaction = await charger.start(1, TAG)
    await station.call(call16.GetConfiguration(key=["HeartbeatInterval"]))
    charger.meter += 400
    await charger.meter_values(1, transaction)
    await station.call(call16.ChangeConfiguration(key="Nonsense", value="1"))
    await charger.meter_values(1)
    await charger.stop(transaction, tag=TAG)
    await station.call(call16.UnlockConnector(connector_id=1))
    await charger.say("DataTransfer", '{"vendorId":"x","data":"1.10"}')
    await station.call(call16.DataTransfer(vendor_id="y", message_id="m", data="{}"))
    await charger.say("FirmwareStatusNotification", '{"status":"Idle"}')
    await station.call(call16.Reset(type="Hard"))
    await charger.close()
    await charger.connect()
    await station.connected()
    await charger.boot()
    await charger.status(1, "Available")


async def talk_201(charger: Charger201, station: Station) -> None:
    await charger.boot()
    await charger.heartbeat()
    await charger.status(1, "Occupied")
    await charger.authorize(TAG)
    transaction = await charger.started(1, {"id_token": TAG, "type": "ISO14443"})
    charger.meter += 400
    await charger.updated(transaction)
    await station.call(call201.ClearCache())
    await charger.ended(transaction)
    await station.call(call201.UnlockConnector(evse_id=1, connector_id=1))
    await charger.say("DataTransfer", '{"vendorId":"x","data":{"a":[1.10,null,1e2]}}')
    await charger.report(3)
    await station.call(call201.Reset(type="OnIdle"))


def essence(recorder: Recorder) -> list[tuple[bool, str, bytes, bytes | None, Any]]:
    """The conversation without message ids, frames in order of their CALLs, `currentTime` masked."""

    def mask(text: bytes | None) -> bytes | None:
        return text and CURRENT_TIME.sub(b'"currentTime":"*"', text)

    return [(x.mine, x.action, x.raw, mask(x.raw_answer), x.error) for x in recorder.exchanges]


async def transcripts(
    charger: Charger, station: Station, talk: Any
) -> tuple[list[tuple[bool, str, bytes, bytes | None, Any]], list[tuple[bool, str, bytes, bytes | None, Any]]]:
    await station.connected()
    await talk(charger, station)
    return essence(charger.recorder), essence(station.recorder)


@pytest.fixture(params=[(), ("ocpp1.6", "ocpp2.0.1")], ids=["alone", "mirrored"])
def put_between(request: pytest.FixtureRequest, start_csms: StartCsms, start_gateway: StartGateway) -> PutBetween:
    """`await put_between(csms)`: URL of a gateway before that CSMS, alone or with mirrors of either version beside it."""

    async def put(csms: Csms) -> str:
        upstreams = {"main": csms}
        for number, version in enumerate(request.param):
            upstreams[f"mirror{number}"] = await start_csms(version, first_transaction_id=900)
        mirrors = [name for name in upstreams if name != "main"]
        gateway = await start_gateway(upstreams, routes=[{"match": "*", "primary": "main", "mirrors": mirrors}])
        return gateway.url

    return put


async def test_16_conversation_is_the_same_with_and_without_gateway(
    start_csms: StartCsms, put_between: PutBetween, plug_in: Connect
) -> None:
    plain, behind = await start_csms("ocpp1.6"), await start_csms("ocpp1.6")
    charger = await plug_in(Charger16, plain.url, "CP1", clock=Clock(), first_id=1)
    direct = await transcripts(charger, plain.station("CP1"), talk_16)
    assert len(direct[0]) == 20
    charger = await plug_in(Charger16, await put_between(behind), "CP1", clock=Clock(), first_id=1)
    assert await transcripts(charger, behind.station("CP1"), talk_16) == direct
    answered = [x.id for x in charger.recorder.calls(mine=True) if x.answer is not None]
    assert answered == [str(number) for number in range(1, len(answered) + 1)]


async def test_201_conversation_is_the_same_with_and_without_gateway(
    start_csms: StartCsms, put_between: PutBetween, plug_in: Connect
) -> None:
    plain, behind = await start_csms("ocpp2.0.1"), await start_csms("ocpp2.0.1")
    charger = await plug_in(Charger201, plain.url, "CS1", clock=Clock(), first_id=1)
    direct = await transcripts(charger, plain.station("CS1"), talk_201)
    assert len(direct[0]) == 12
    charger = await plug_in(Charger201, await put_between(behind), "CS1", clock=Clock(), first_id=1)
    assert await transcripts(charger, behind.station("CS1"), talk_201) == direct
