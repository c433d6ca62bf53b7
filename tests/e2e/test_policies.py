"""What a charger notices when its primary is away, silent, or says no."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from gateway.journal.keys import dead_letters, partition

from .charger import Charger16
from .charges import charges_16, charges_201
from .conftest import Connect, StartCsms, StartGateway
from .csms import Csms
from .raw import RawCsms, ask_store, handshake, polite, raw_csms, ready, refused, store_of, until

__all__ = ["raw_csms"]

TAG = "04A1B2C3"
StartRaw = Callable[[str], Any]


def upstream(csms: Csms | RawCsms, **settings: Any) -> dict[str, Any]:
    return {"url": csms.url, "version": csms.version, "reconnect_max": 1, **settings}


def route(policy: str = "close", hold: float = 1) -> list[dict[str, Any]]:
    return [{"match": "*", "primary": "main", "primary_down": policy, "hold": hold}]


async def boot(charger: Charger16) -> None:
    assert (await charger.boot()).status == "Accepted"
    await charger.status(1, "Available")


async def test_close_holds_then_closes_refuses_and_finds_the_way_back(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms = await start_csms("ocpp1.6")
    gateway = await start_gateway({"main": upstream(csms)}, routes=route("close", hold=1.5))
    charger = await plug_in(Charger16, gateway.url, "CP1")
    other = await plug_in(Charger16, gateway.url, "CP2")
    await boot(charger)
    transaction = await charger.start(1, TAG)
    await csms.stop()
    unanswered = asyncio.create_task(charger.meter_values(1, transaction))
    await charger.lost()
    await other.lost()
    assert charger.close_code == other.close_code == 1001
    assert not unanswered.done(), "infrastructure trouble is no CALLERROR"
    unanswered.cancel()
    await refused(gateway.url, "CP3")
    assert await gateway.ready() == 200, "readiness does not depend on upstreams"

    await csms.start()
    await charger.close()
    await charger.connect()  # every charger is refused: the gateway itself must find out
    stamp = charger.clock()
    charger.clock = lambda: stamp
    charger.meter += 700
    await charger.meter_values(1, transaction)
    await asyncio.sleep(2)  # longer than the hold: what was before the reconnect does not count
    await charger.stop(transaction, tag=TAG)
    [charge] = charges_16(csms.station("CP1").recorder)
    assert charge.energy == Decimal(700)
    assert charger.close_code is None


@pytest.mark.slow
async def test_a_short_absence_is_not_noticed(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms = await start_csms("ocpp1.6")
    gateway = await start_gateway({"main": upstream(csms)}, routes=route("close", hold=15))
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await boot(charger)
    transaction = await charger.start(1, TAG)
    await csms.stop()
    charger.meter += 100
    reading = asyncio.create_task(charger.meter_values(1, transaction))
    await asyncio.sleep(0.5)
    await csms.start()
    await reading
    await charger.stop(transaction)
    assert len(csms.station("CP1").recorder.calls("MeterValues")) == 1
    assert charger.recorder.connections == 1


@pytest.mark.slow
async def test_one_refused_charger_does_not_put_the_upstream_down(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    """The CSMS does not speak the subprotocol of the route: that is for a person to mend, the handshakes go on."""
    csms = await start_csms("ocpp2.0.1")
    gateway = await start_gateway({"main": upstream(csms, version="ocpp1.6")}, routes=route("close", hold=1))
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.lost()
    assert charger.close_code == 1001
    await asyncio.sleep(1.5)
    assert await handshake(gateway.url, "CP2") == 101


async def test_buffer_keeps_everything_and_delivers_it_in_order(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms = await start_csms("ocpp2.0.1")
    gateway = await start_gateway({"main": upstream(csms)}, routes=route("buffer"))
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await boot(charger)
    assert await charger.authorize(TAG) == "Accepted"
    first = await charger.start(1, TAG)
    charger.meter += 300
    await charger.meter_values(1, first)
    await csms.stop()

    for _ in range(3):
        charger.meter += 100
        await charger.meter_values(1, first)
    await charger.stop(first, tag=TAG)
    second = await charger.start(2, TAG)
    assert second != first
    for _ in range(3):
        charger.meter += 250
        await charger.meter_values(2, second)
    await charger.stop(second, tag=TAG)
    await charger.heartbeat()
    third = await charger.start(1, TAG)

    await csms.start()
    heard = csms.station("CP1").recorder

    def ended() -> int:
        return sum(x.payload["eventType"] == "Ended" and x.answer is not None for x in heard.calls("TransactionEvent"))

    await heard.until("end of both", lambda: ended() >= 2)
    charger.meter += 40
    await charger.stop(third, tag=TAG)
    charges = charges_201(heard)
    assert [charge.energy for charge in charges] == [Decimal(600), Decimal(750), Decimal(40)]
    events = [x.payload for x in heard.calls("TransactionEvent")]
    stamps = [event["timestamp"] for event in events]
    assert stamps == sorted(stamps), "delivered in the order of their happening"
    assert [event.get("offline", False) for event in events] == [False, False, *[True] * 9, True, False]
    assert charger.recorder.connections == 1


@pytest.mark.slow
async def test_an_absent_charger_is_connected_until_its_backlog_is_empty(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms = await start_csms("ocpp2.0.1")
    gateway = await start_gateway({"main": upstream(csms, linger=0.5)}, routes=route("buffer"))
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await boot(charger)
    station = csms.station("CP1")
    await csms.stop()
    transaction = await charger.start(1, TAG)
    charger.meter += 100
    await charger.stop(transaction)
    await charger.close()
    await csms.start()
    await station.recorder.until(
        "Ended", lambda: "Ended" in [x.payload.get("eventType") for x in station.recorder.calls()]
    )
    await station.recorder.until("farewell", lambda: station.peer is None)
    [charge] = charges_201(station.recorder)
    assert charge.energy == Decimal(100)
    connections = station.recorder.connections
    await asyncio.sleep(2)
    assert station.recorder.connections == connections, "nothing is left to say: nobody dials"


@pytest.mark.slow
async def test_a_silent_csms_costs_a_dead_letter_not_the_charger(
    raw_csms: StartRaw, start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms = await raw_csms("ocpp1.6")
    settings = upstream(csms, call_timeout=0.5, options={"tx_attempts": 2, "tx_retry_interval": 0.2})
    gateway = await start_gateway({"main": settings})
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await boot(charger)

    def deaf(id: str, action: str, payload: dict[str, Any]) -> list[Any] | None:
        return None if action in ("MeterValues", "StopTransaction", "StartTransaction") else polite(id, action, payload)

    csms.reply = deaf
    stamp = charger.clock()
    said = f'{{"connectorId":1,"meterValue":[{{"timestamp":"{stamp}","sampledValue":[{{"value":"7"}}]}}]}}'
    reading = await charger.say("MeterValues", said)
    assert reading.answer == {}, "no decision is needed: the neutral answer"
    await until("second attempt", lambda: len(csms.said("MeterValues")) == 2)
    stopped = f'{{"transactionId":7,"meterStop":9,"timestamp":"{stamp}"}}'
    assert (await charger.say("StopTransaction", stopped)).answer == {}
    await until("second attempt", lambda: len(csms.said("StopTransaction")) == 2)
    starting = asyncio.create_task(charger.start(1, TAG))
    await until("second attempt", lambda: len(csms.said("StartTransaction")) == 2)

    letters: list[Any] = []
    async with asyncio.timeout(10):
        while len(letters) < 3:
            await asyncio.sleep(0.1)
            letters = await ask_store(store_of(gateway), "XRANGE", dead_letters(partition("CP1", 64), "main"), "-", "+")
    frames = [dict(zip(fields[::2], fields[1::2], strict=True))[b"f"] for _, fields in letters]
    assert [frame.split(b'"')[3] for frame in frames] == [b"MeterValues", b"StopTransaction", b"StartTransaction"]
    assert said.encode() in frames[0], "as received"
    assert not starting.done(), "the decision of a StartTransaction is never made up"
    starting.cancel()

    csms.reply = polite
    assert (await charger.heartbeat()).current_time, "the next message goes its way"
    again = await charger.say("MeterValues", said)
    assert again.answer == {}, "a retry of the charger is sent again"
    await until("third", lambda: len(csms.said("MeterValues")) == 3)


async def test_a_callerror_of_the_csms_is_relayed(
    raw_csms: StartRaw, start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms = await raw_csms("ocpp1.6")
    gateway = await start_gateway({"main": upstream(csms)})
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await boot(charger)
    csms.reply = lambda id, _action, _payload: [4, id, "NotSupported", "not here", {"a": 1}]
    for _ in range(2):
        exchange = await charger.say(
            "StopTransaction", '{"transactionId":7,"meterStop":9,"timestamp":"2025-03-01T10:00:00Z"}'
        )
        assert exchange.error == ["NotSupported", "not here", {"a": 1}]
    csms.reply = polite
    exchange = await charger.say(
        "StopTransaction", '{"transactionId":7,"meterStop":9,"timestamp":"2025-03-01T10:00:00Z"}'
    )
    assert exchange.answer == {}, "a CALLERROR is never stored as the answer to a retry"
    assert len(csms.said("StopTransaction")) == 3


async def test_a_csms_with_one_slot(raw_csms: StartRaw, start_gateway: StartGateway, plug_in: Connect) -> None:
    """While a command of its own is open it refuses everything the charger says (real-peers 1)."""
    csms = await raw_csms("ocpp1.6")
    settings = upstream(csms, options={"tx_attempts": 5, "tx_retry_interval": 0.3})
    gateway = await start_gateway({"main": settings})
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await boot(charger)
    refusals = 0

    def one_slot(id: str, action: str, payload: dict[str, Any]) -> list[Any]:
        nonlocal refusals
        if "c1" not in csms.answers:
            refusals += 1
            return [4, id, "InternalError", "Call already in progress", {}]
        return polite(id, action, payload)

    answered = asyncio.Event()

    route_map = charger.peer.route_map["ClearCache"]
    handler = route_map["_on_action"]

    async def slow(**payload: Any) -> Any:
        await answered.wait()
        return handler(**payload)

    route_map["_on_action"] = slow
    csms.reply = one_slot
    await csms.send(2, "c1", "ClearCache", {})
    await until("command", lambda: charger.recorder.calls("ClearCache"))
    starting = asyncio.create_task(charger.start(1, TAG))
    await until("refusal", lambda: refusals)
    answered.set()
    assert await starting == 7
    assert csms.answers["c1"] == [3, "c1", {"status": "Accepted"}]
    assert not [x for x in charger.recorder.calls(mine=True) if x.error]


async def test_readiness_does_not_wait_for_upstreams(raw_csms: StartRaw, start_gateway: StartGateway) -> None:
    csms = await raw_csms("ocpp1.6")
    await csms.stop()
    gateway = await start_gateway({"main": upstream(csms)})
    await ready(gateway, 200)


async def test_the_backlog_of_a_charger_that_left_survives_a_kill(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms = await start_csms("ocpp2.0.1")
    gateway = await start_gateway({"main": upstream(csms)}, routes=route("buffer"))
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await boot(charger)
    await csms.stop()
    transaction = await charger.start(1, TAG)
    charger.meter += 900
    await charger.stop(transaction)
    await charger.close()
    await gateway.kill()
    await csms.start()
    await gateway.start()
    heard = csms.station("CP1").recorder
    await heard.until("Ended", lambda: "Ended" in [x.payload.get("eventType") for x in heard.calls()])
    [charge] = charges_201(heard)
    assert charge.energy == Decimal(900)
    assert all(x.payload["offline"] for x in heard.calls("TransactionEvent"))
