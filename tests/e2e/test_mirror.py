"""A mirror hears everything and changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from ocpp.v201 import call as call201

from .charger import Charger16
from .charges import charges_201
from .conftest import Connect, StartCsms, StartGateway
from .csms import Csms
from .raw import RawCsms, raw_csms, until
from .wire import Recorder

__all__ = ["raw_csms"]

TAG = "04A1B2C3"
ROUTES = [{"match": "*", "primary": "main", "mirrors": ["copy"]}]


def upstreams(main: Csms, copy: Csms | RawCsms, **settings: Any) -> dict[str, dict[str, Any]]:
    return {
        "main": {"url": main.url, "version": main.version},
        "copy": {"url": copy.url, "version": copy.version, "reconnect_max": 1, **settings},
    }


async def charge(charger: Charger16, wh: int) -> None:
    transaction = await charger.start(1, TAG)
    for _ in range(3):
        charger.meter += wh // 4
        await charger.meter_values(1, transaction)
    charger.meter += wh // 4
    await charger.stop(transaction, tag=TAG)


async def ended(heard: Recorder, count: int) -> None:
    def so_many() -> bool:
        events = heard.calls("TransactionEvent")
        return sum(x.payload["eventType"] == "Ended" and x.answer is not None for x in events) >= count

    await heard.until(f"{count} Ended", so_many)


def story(heard: Recorder) -> list[tuple[str, str]]:
    """What was said about transactions and statuses, in order, without the ids that each CSMS has of its own."""
    actions = ("TransactionEvent", "StatusNotification", "Authorize")
    return [
        (x.action, x.payload.get("eventType", "") + x.payload.get("timestamp", ""))
        for x in heard.calls()
        if x.action in actions
    ]


async def test_both_hear_everything_and_only_the_primary_counts(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    main, copy = await start_csms("ocpp2.0.1"), await start_csms("ocpp2.0.1")
    copy.verdict = lambda _action, _token: "Blocked"
    gateway = await start_gateway(upstreams(main, copy), routes=ROUTES)
    charger = await plug_in(Charger16, gateway.url, "CP1")
    assert (await charger.boot()).status == "Accepted"
    await charger.status(1, "Preparing")
    assert await charger.authorize(TAG) == "Accepted"
    await charge(charger, 800)
    one, two = main.station("CP1").recorder, copy.station("CP1").recorder
    await ended(two, 1)
    assert story(one) == story(two)
    [first], [second] = charges_201(one), charges_201(two)
    assert first.energy == second.energy == Decimal(800)
    assert first.id != second.id, "each link has ids of its own"
    commands = [x.action for x in charger.recorder.calls()]
    assert "RemoteStopTransaction" not in commands, "the mirror's Blocked stops nobody"
    assert len([each for each in commands if each == "TriggerMessage"]) <= 2

    before = len(charger.recorder.calls())
    assert (await copy.station("CP1").call(call201.Reset(type="Immediate"))).status == "Rejected"
    assert len(charger.recorder.calls()) == before, "a mirror's command goes nowhere"
    assert (await main.station("CP1").call(call201.ClearCache())).status == "Accepted"


async def test_a_mirror_alone_asks_the_charger_nothing(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    """The primary speaks the charger's version: every command that the charger hears would be the mirror's doing."""
    main, copy = await start_csms("ocpp1.6"), await start_csms("ocpp2.0.1")
    gateway = await start_gateway(upstreams(main, copy), routes=ROUTES)
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    await charge(charger, 800)
    await ended(copy.station("CP1").recorder, 1)
    assert charger.recorder.calls() == []


async def test_a_mirror_that_was_away_catches_up_in_order(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    main, copy = await start_csms("ocpp2.0.1"), await start_csms("ocpp2.0.1")
    gateway = await start_gateway(upstreams(main, copy), routes=ROUTES)
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    transaction = await charger.start(1, TAG)
    charger.meter += 100
    await charger.meter_values(1, transaction)
    await copy.stop()
    charger.meter += 100
    await charger.meter_values(1, transaction)
    await charger.stop(transaction, tag=TAG)
    await charge(charger, 400)
    assert len(charges_201(main.station("CP1").recorder)) == 2
    assert not any(x.payload.get("offline") for x in main.station("CP1").recorder.calls("TransactionEvent"))
    await copy.start()
    heard = copy.station("CP1").recorder
    await ended(heard, 2)
    assert [each.energy for each in charges_201(heard)] == [Decimal(200), Decimal(400)]
    events = [x.payload["timestamp"] for x in heard.calls("TransactionEvent") if x.answer is not None]
    assert events == sorted(events)
    assert charger.recorder.connections == 1


async def test_a_mirror_that_never_answers_does_not_slow_the_primary(
    start_csms: StartCsms,
    raw_csms: Callable[[str], Any],
    start_gateway: StartGateway,
    plug_in: Connect,
) -> None:
    main = await start_csms("ocpp2.0.1")
    copy: RawCsms = await raw_csms("ocpp2.0.1")
    copy.reply = lambda _id, _action, _payload: None
    gateway = await start_gateway(upstreams(main, copy), routes=ROUTES)
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    async with asyncio.timeout(15):  # the mirror's first message alone takes 20 s to time out
        for _ in range(5):
            await charge(charger, 400)
    assert len(charges_201(main.station("CP1").recorder)) == 5
    await until("mirror's message", lambda: copy.heard)
    assert len(copy.heard) == 1, "one open CALL at a time"


@pytest.mark.slow
async def test_the_mirror_goes_on_after_a_kill(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    main, copy = await start_csms("ocpp2.0.1"), await start_csms("ocpp2.0.1")
    gateway = await start_gateway(upstreams(main, copy), routes=ROUTES)
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    await copy.stop()
    transaction = await charger.start(1, TAG)
    charger.meter += 100
    await charger.meter_values(1, transaction)
    await gateway.kill()
    await charger.lost()
    await gateway.start()
    await charger.close()
    await charger.connect()
    charger.meter += 100
    await charger.stop(transaction, tag=TAG)
    await copy.start()
    heard = copy.station("CP1").recorder
    await ended(heard, 1)
    [one], [two] = charges_201(main.station("CP1").recorder), charges_201(heard)
    assert one.energy == two.energy == Decimal(200)


async def test_a_mirror_does_not_ask_a_charger_that_booted_long_ago(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    """It hears a boot that the gateway makes up; the primary hears nothing that the charger did not say by itself."""
    main, copy = await start_csms("ocpp1.6"), await start_csms("ocpp2.0.1")
    gateway = await start_gateway(upstreams(main, copy), routes=ROUTES)
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charge(charger, 800)
    heard = copy.station("CP1").recorder
    await ended(heard, 1)
    assert heard.calls()[0].action == "BootNotification"
    assert charger.recorder.calls() == []
    assert [x.action for x in main.station("CP1").recorder.calls()] == [
        x.action for x in charger.recorder.calls(mine=True)
    ]
