"""One dead mirror never stops the primary (architecture 6.4), and nothing goes without a count."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.config import RedisConfig, RouteConfig, Upstream
from gateway.hub import parking, retention
from gateway.journal import Commit, Dead
from gateway.journal.entry import Entry
from tests.gateway.journal.conftest import HEAD, Server

from .site import Csms, Site, eventually, site


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parking, "BLOCKED_MS", 60_000)
    monkeypatch.setattr(parking, "STALLED_MS", 300)
    monkeypatch.setattr(retention, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(retention, "PRESSED_SECONDS", 0.1)
    monkeypatch.setattr(retention, "SLOW_LOOKS", 1)


@pytest.fixture
async def csms() -> AsyncIterator[Csms]:
    csms = Csms()
    csms.reply = lambda charger, action, payload: (
        {"transactionId": 7, "idTagInfo": {"status": "Accepted"}} if action == "StartTransaction" else {}
    )
    await csms.start()
    yield csms
    await csms.stop()


def fleet(csms: Csms, **mirror: Any) -> dict[str, Upstream]:
    return {
        "main": Upstream(url=csms.url, version="ocpp1.6"),
        "copy": Upstream(url="ws://127.0.0.1:9/", version="ocpp1.6", **mirror),
    }


ROUTE = RouteConfig(primary="main", mirrors=("copy",))


async def charge(at: Site, charger: str, readings: range) -> None:
    stamp = "2026-01-01T00:00:00Z"
    start = {"connectorId": 1, "idTag": "A", "meterStart": 0, "timestamp": stamp}
    await at.say(charger, "StartTransaction", start, tx=True)
    await at.meter(charger, readings)
    await at.say(charger, "StopTransaction", {"transactionId": 7, "meterStop": 1, "timestamp": stamp})


async def actions(at: Site, upstream: str) -> list[str]:
    return [letter.entry.head.action for letter in await at.edge.letters(upstream, count=1000)]


async def test_what_a_mirror_misses_for_too_long_goes_and_bills_become_dead_letters(
    csms: Csms, store: RedisConfig
) -> None:
    async with site(store, fleet(csms, retention=1.0), ROUTE) as at:
        await at.connect("CP-1")
        await charge(at, "CP-1", range(5))
        await eventually("dead letters", lambda: at.edge.letters("copy"))
        await eventually("both", lambda: _both(at))
        assert sorted(await actions(at, "copy")) == ["StartTransaction", "StopTransaction"]
        assert {letter.why for letter in await at.edge.letters("copy")} == {"retention"}
        await eventually("nothing is left", lambda: not at.hub._parking.lots())
        await at.settled("CP-1", "copy")
        await at.settled("CP-1")
        assert csms.heard("CP-1") == list(range(5))
        assert await at.edge.letters("main") == []
        assert at.count("messages_dropped") == 5
        assert at.count("dead_letters") == 2


async def fill(server: Server, percent: int) -> None:
    """Of the store's memory, taken now. To be done again while one waits: a store that waits for its disk has buffers that go."""
    lines = (await server.ask("INFO", "memory")).splitlines()
    used = int(dict(line.split(b":", 1) for line in lines if b":" in line)[b"used_memory"])
    await server.ask("CONFIG", "SET", "maxmemory", used * 100 // percent)


async def _both(at: Site) -> bool:
    return len(await at.edge.letters("copy")) >= 2


async def _readings(at: Site, count: int) -> bool:
    parked = await at.edge.read_parked(at.partition("CP-1"), "copy", "CP-1", count=999)
    return [entry.head.action for entry in parked].count("MeterValues") == count


async def test_a_mirror_gets_its_bytes_and_no_more(csms: Csms, store: RedisConfig) -> None:
    async with site(store, fleet(csms, retention_bytes=30_000), ROUTE) as at:
        await at.connect("CP-1")
        await at.meter("CP-1", range(500))
        await eventually("dropped", lambda: at.count("messages_dropped") >= 200)
        await eventually("the primary has all", lambda: len(csms.heard("CP-1")) == 500)

        async def small() -> bool:
            return 0 < sum((await at.edge.parked(at.partition("CP-1"))).values()) <= 30_000

        await eventually("few enough", small)
        kept = await at.edge.read_parked(at.partition("CP-1"), "copy", "CP-1", count=1000)
        assert [entry.frame for entry in kept][-1].endswith(b'{"n": 499}]'), "the oldest go"


async def test_a_store_that_fills_up_thins_the_mirror_then_buries_and_spares_the_primary(
    csms: Csms, store: RedisConfig, server: Server
) -> None:
    async with site(store, fleet(csms), ROUTE) as at:
        await at.connect("CP-1")
        await charge(at, "CP-1", range(300))
        await eventually("all of it is parked", lambda: _readings(at, 300))

        dropped: list[float] = []

        async def buried() -> bool:
            await fill(server, 85)
            if at.count("dead_letters"):
                dropped.append(at.count("messages_dropped"))
            return bool(dropped)

        await eventually("buried", buried, 30)
        assert dropped == [300], "meter values go before anything else does"

        async def both() -> bool:
            await fill(server, 85)
            return await _both(at)

        await eventually("both", both, 30)
        assert sorted(await actions(at, "copy")) == ["StartTransaction", "StopTransaction"]
        assert {letter.why for letter in await at.edge.letters("copy")} == {"memory"}
        await eventually("the primary has all", lambda: len(csms.heard("CP-1")) == 300)
        assert at.count("messages_dropped") == 300


async def test_a_primary_loses_meter_values_only_and_only_at_last(
    csms: Csms, store: RedisConfig, server: Server
) -> None:
    upstreams = {"main": Upstream(url="ws://127.0.0.1:9/", version="ocpp1.6")}
    route = RouteConfig(primary="main", primary_down="buffer")
    async with site(store, upstreams, route) as at:
        await at.connect("CP-1")
        await charge(at, "CP-1", range(300))
        await eventually("parked", lambda: at.hub._parking.lots())

        async def pressed() -> bool:
            await fill(server, 80)
            return at.hub._retention.fullness > 0.7

        await eventually("under pressure", pressed)
        await asyncio.sleep(0.5)
        assert at.count("messages_dropped") == 0

        async def thinned() -> bool:
            await fill(server, 97)
            return at.count("messages_dropped") > 250

        await eventually("thinned", thinned, 30)
        kept = await at.edge.read_parked(at.partition("CP-1"), "main", "CP-1", count=999)
        assert {"StartTransaction", "StopTransaction"} <= {entry.head.action for entry in kept}
        assert await at.edge.letters("main") == []


async def test_a_group_without_an_upstream_is_told_and_ends_in_its_time(
    csms: Csms, store: RedisConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstreams = fleet(csms)
    async with site(store, upstreams, ROUTE) as at:
        await at.connect("CP-1")
        await at.meter("CP-1", range(3))
        await eventually("told", lambda: len(csms.heard("CP-1")) == 3)
        del upstreams["copy"]
        await at.stop_hub()
        at.config = type(at.config)(upstreams={"main": upstreams["main"]}, redis=store)
        await at.start_hub()
        await eventually("an orphan", lambda: at.hub._retention.orphans == {"copy"})
        at.hub.measure(at.metrics)
        assert at.count("orphan_groups") == 1
        monkeypatch.setattr(retention, "ORPHAN_SECONDS", 0)
        number = at.partition("CP-1")
        await eventually("ended", lambda: _gone(at, number))
        assert await at.edge.groups(number) == ["main", "session"]


async def _gone(at: Site, number: int) -> bool:
    return "copy" not in await at.edge.groups(number)


async def test_dead_letters_go_after_their_retention_and_are_counted(csms: Csms, store: RedisConfig) -> None:
    async with site(store, fleet(csms, retention=2.0), ROUTE) as at:
        owned = at.hub.partitions[5]
        dead = [Dead("copy", Entry(f"{n}-0", "call", HEAD, b"[2]"), "refused") for n in range(1, 4)]
        await at.journal.commit(5, owned.token, Commit(dead=dead))
        await eventually("counted", lambda: at.hub._retention.letters.get("copy") == 3)
        at.hub.measure(at.metrics)
        assert at.count("dead_letters_kept") == 3
        await eventually("gone", lambda: at.hub._retention.letters.get("copy") == 0)
        assert at.count("messages_dropped") == 3


async def test_figures_that_nobody_knows_are_not_exported(csms: Csms, store: RedisConfig, server: Server) -> None:
    async with site(store, fleet(csms), ROUTE) as at:
        await at.connect("CP-1")
        await at.meter("CP-1", range(150))
        await eventually("parked", lambda: at.hub._parking.lots())
        await eventually("measured", lambda: at.hub._ownership.lag and at.hub._retention.oldest)
        await asyncio.sleep(0.2)
        at.hub.measure(at.metrics)
        ages = dict(at.metrics.stream_oldest_undelivered_age.items())
        assert ages["copy",].n > 0.2, "of the oldest that is parked"
        server.kill()
        await server.stop()
        await eventually("unknown", lambda: not at.hub._ownership.lag)
        at.hub.measure(at.metrics)
        assert not at.metrics.stream_pending.items()
        assert not at.metrics.stream_oldest_undelivered_age.items()
        await server.start()
        await eventually("known again", lambda: at.hub._ownership.lag, 20)
