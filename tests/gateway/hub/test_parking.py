"""One blocked charger never holds a partition (architecture 6.3)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.config import RedisConfig, RouteConfig, Upstream
from gateway.hub import parking, retention
from gateway.journal.keys import partition
from translators.options import Options

from .site import Csms, Site, eventually, site

NEIGHBOUR = next(f"CP-{n}" for n in range(2, 10_000) if partition(f"CP-{n}", 64) == partition("CP-1", 64))
"""A charger of the same partition."""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parking, "BLOCKED_MS", 500)
    monkeypatch.setattr(parking, "STALLED_MS", 300)
    monkeypatch.setattr(retention, "LOOK_SECONDS", 0.1)


def upstream(csms: Csms, **more: Any) -> Upstream:
    return Upstream(url=csms.url, version="ocpp1.6", reconnect_max=0.3, **more)


def only(charger: str) -> Any:
    """Answers everybody but this charger."""
    return lambda who, action, payload: None if who == charger else {}


async def test_a_blocked_charger_does_not_stop_the_trimming_of_its_neighbours(csms: Csms, store: RedisConfig) -> None:
    csms.reply = only("CP-1")
    slow = Options(tx_attempts=50, tx_retry_interval=0.1)
    async with site(store, {"main": upstream(csms, call_timeout=0.7, options=slow)}) as at:
        for charger in ("CP-1", NEIGHBOUR):
            await at.connect(charger)
        blocked = await at.meter("CP-1", range(5))
        await at.meter(NEIGHBOUR, range(5))
        await eventually("parked", lambda: at.parked("CP-1"))
        assert await at.parked("CP-1") == blocked
        number = at.partition("CP-1")
        await eventually("the neighbour is served", lambda: len(csms.heard(NEIGHBOUR)) == 5)
        await at.settled("CP-1")
        owned = at.hub.partitions[number]

        async def trimmed() -> bool:
            owned.pass_all()  # as the hub does every few seconds: the session group passes calls now and then only
            await at.journal.trim(number, owned.token, ["session", "main"])
            return await at.journal._store.call("XLEN", f"{{p{number:02}}}:in") == 0

        await eventually("trimmed", trimmed)
        assert await at.parked("CP-1") == blocked

        csms.reply = lambda who, action, payload: {}
        await eventually("told after all", lambda: set(csms.heard("CP-1")) == set(range(5)), 40)
        await eventually("nothing is parked", lambda: not at.hub._parking.lots())
        assert await at.edge.parked(number) == {}


async def test_what_comes_meanwhile_goes_behind_and_order_is_kept(csms: Csms, store: RedisConfig) -> None:
    csms.refused = {"CP-1"}
    async with site(store, {"main": upstream(csms)}) as at:
        for charger in ("CP-1", "CP-2"):
            await at.connect(charger)
        await at.meter("CP-1", range(130))
        await at.meter("CP-2", range(1))
        await eventually("parked", lambda: len(at.hub._parking.lots()) == 1)
        await at.meter("CP-1", range(130, 300))
        (lot,) = [lot for *_, lot in at.hub._parking.lots()]
        assert len(lot.held) <= 100, "few are in memory"
        csms.refused = set()
        await eventually("all told", lambda: len(csms.heard("CP-1")) == 300, 30)
        assert csms.heard("CP-1") == list(range(300)), "once, in order"
        await at.meter("CP-1", range(300, 303))
        await eventually("not parked any more", lambda: csms.heard("CP-1")[300:] == [300, 301, 302])
        await eventually("the lot ends", lambda: not at.hub._parking.lots())
        assert await at.parked("CP-1") == []


async def test_a_new_owner_tells_what_was_parked_before_what_came_later(csms: Csms, store: RedisConfig) -> None:
    csms.refused = {"CP-1"}
    async with site(store, {"main": upstream(csms)}) as at:
        for charger in ("CP-1", "CP-2"):
            await at.connect(charger)
        await at.meter("CP-2", range(1))
        await at.meter("CP-1", range(20))
        await eventually("parked", lambda: at.parked("CP-1"))
        await at.stop_hub(kill=True)
        await at.meter("CP-1", range(20, 30))
        csms.refused = set()
        await at.start_hub()
        await eventually("all told", lambda: len(csms.heard("CP-1")) >= 30, 30)
        assert csms.heard("CP-1") == list(range(30))


async def test_an_upstream_that_is_away_for_all_fills_the_parking_not_the_memory(
    csms: Csms, store: RedisConfig
) -> None:
    async with site(store, {"main": upstream(csms)}) as at:
        await csms.stop()
        await at.connect("CP-1")
        await at.meter("CP-1", range(50))
        await eventually("taken", lambda: at.hub._turn.upstreams)
        await asyncio.sleep(0.8)
        assert not at.hub._parking.lots(), "few entries wait where they are"
        await at.meter("CP-1", range(50, 250))
        await eventually("parked", lambda: at.hub._parking.lots())
        await eventually("few are in memory", lambda: len(at.hub._parking.lots()[0][-1].held) <= 21)
        await csms.start()
        await eventually("all told", lambda: len(csms.heard("CP-1")) == 250, 30)
        assert csms.heard("CP-1") == list(range(250))


async def test_many_chargers_that_are_blocked_at_the_same_time_are_parked_in_portions(
    csms: Csms, store: RedisConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parking, "AT_ONCE", 150)
    monkeypatch.setattr(parking, "STALLED_MS", 1500)
    under_way = []
    put_aside = parking.Parking._put_aside

    def noted(self: parking.Parking, *args: Any) -> int:
        under_way.append(sum(lot.parking for *_, lot in self.lots()))
        return put_aside(self, *args)

    monkeypatch.setattr(parking.Parking, "_put_aside", noted)
    chargers = [f"CP-{n}" for n in range(6)]
    async with site(store, {"main": upstream(csms)}) as at:
        await csms.stop()
        for charger in chargers:
            await at.connect(charger)
        await asyncio.gather(*(at.meter(charger, range(110)) for charger in chargers))
        await eventually("all are parked", lambda: len(at.hub._parking.lots()) == len(chargers))
        assert sorted(under_way) == [0, 0, 0, 110, 110, 110], "two at a time: the store has confirmed those before"
        await csms.start()
        await eventually("all told", lambda: all(len(csms.heard(charger)) == 110 for charger in chargers), 30)


async def test_a_requeued_dead_letter_goes_to_its_upstream_only(csms: Csms, store: RedisConfig) -> None:
    other = Csms()
    await other.start()
    csms.reply = lambda who, action, payload: None if payload.get("n") == 1 else {}
    settings = upstream(csms, call_timeout=0.3, options=Options(tx_attempts=1, tx_retry_interval=0.1))
    async with site(
        store, {"main": settings, "copy": upstream(other)}, RouteConfig(primary="main", mirrors=("copy",))
    ) as at:
        await at.connect("CP-1")
        await at.meter("CP-1", range(3))
        await eventually("a dead letter", lambda: at.edge.letters("main"))
        (letter,) = await at.edge.letters("main")
        assert (letter.why, letter.attempts) == ("silence", 1)
        csms.reply = lambda who, action, payload: {}
        await eventually("the others are told", lambda: csms.heard("CP-1") == [0, 1, 2])
        assert await at.edge.requeue("main", [letter.id]) == 1
        await eventually("told again", lambda: csms.heard("CP-1") == [0, 1, 2, 1])
        await eventually("the lot ends", lambda: not at.hub._parking.lots())
        assert other.heard("CP-1") == [0, 1, 2]
        assert await at.edge.letters("main") == []
    await other.stop()


async def test_a_live_question_is_never_parked(csms: Csms, store: RedisConfig) -> None:
    csms.reply = lambda who, action, payload: None if payload.get("n") == 0 else {}
    async with site(store, {"main": upstream(csms, call_timeout=2)}) as at:
        await at.connect("CP-1")
        await at.meter("CP-1", range(3))
        await eventually("parked", lambda: at.parked("CP-1"))
        await at.say("CP-1", "Heartbeat", {}, "K2")
        await eventually("asked", lambda: ("CP-1", "Heartbeat", {}) in csms.said, 20)
        assert len(await at.parked("CP-1")) == 3


async def test_entries_that_are_handed_over_are_parked_like_those_that_are_read(csms: Csms, store: RedisConfig) -> None:
    csms.refused = {"CP-1"}
    async with site(store, {"main": upstream(csms)}) as at:
        for charger in ("CP-1", NEIGHBOUR):
            await at.connect(charger)
        await at.meter("CP-1", range(10))
        await at.meter(NEIGHBOUR, range(10))
        await eventually("the neighbour is served", lambda: len(csms.heard(NEIGHBOUR)) == 10)
        partition = at.hub.partitions[at.partition("CP-1")]
        for n in range(10, 200, 2):
            await at.meter("CP-1", range(n, n + 2), here=True)
            await at.meter(NEIGHBOUR, range(n, n + 2), here=True)
        assert partition.run > 0, "handed over"
        await eventually("parked", lambda: at.hub._parking.lots())
        await at.meter("CP-1", range(200, 210), here=True)
        await eventually("the neighbour is served", lambda: len(csms.heard(NEIGHBOUR)) == 200)
        await eventually("all of it is parked", lambda: _parked(at, 210))
        await eventually("the neighbour's last is acknowledged too", lambda: _taken(at, partition.number))
        csms.refused = set()
        await eventually("all told", lambda: len(csms.heard("CP-1")) >= 210, 30)
        assert csms.heard("CP-1") == list(range(210))
        assert csms.heard(NEIGHBOUR) == list(range(200))


async def _taken(at: Site, number: int) -> bool:
    lag = (await at.edge.lag(number, ["main"]))["main"]
    return (lag.pending, lag.undelivered) == (0, "")


async def _parked(at: Site, count: int) -> bool:
    return len(await at.parked("CP-1")) == count
