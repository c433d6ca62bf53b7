"""An upstream that is added later begins where its `replay_from` says (architecture 6.5)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.config import Config, RedisConfig, RouteConfig, Upstream
from gateway.hub import retention
from gateway.routes import Routes
from tests.gateway.journal.conftest import Server

from .site import Csms, eventually, site

STAMP = "2026-01-01T00:00:00Z"

FREE = {"connectorId": 1, "errorCode": "NoError", "status": "Available", "timestamp": STAMP}


def polite(charger: str, action: str, payload: dict[str, Any]) -> dict[str, Any]:
    if action == "StartTransaction":
        return {"transactionId": 7, "idTagInfo": {"status": "Accepted"}}
    if action == "BootNotification":
        return {"status": "Accepted", "currentTime": STAMP, "interval": 300}
    return {}


@pytest.fixture
async def pair(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Csms, Csms]]:
    monkeypatch.setattr(retention, "LOOK_SECONDS", 0.1)
    made = Csms(), Csms()
    for csms in made:
        csms.reply = polite
        await csms.start()
    yield made
    for csms in made:
        await csms.stop()


@pytest.mark.parametrize("replay_from", ["tail", "start", "1h"])
async def test_an_upstream_added_in_a_transaction(pair: tuple[Csms, Csms], server: Server, replay_from: str) -> None:
    old, new = pair
    store = RedisConfig(url=server.url)
    upstreams = {"main": Upstream(url=old.url, version="ocpp1.6")}
    async with site(store, {**upstreams, "copy": Upstream(url=new.url, version="ocpp1.6")}) as at:
        await at.stop_hub()
        await server.ask("FLUSHALL")
        at.config = Config(upstreams=upstreams, redis=store, routes=(RouteConfig(primary="main"),))
        await at.edge.stop()
        at.edge = type(at.edge)(store, now_ms=at.edge._now_ms)
        await at.edge.start()
        await at.edge.edge_alive("edge-1")
        await at.start_hub()
        await at.connect("CP-1")
        await at.say("CP-1", "BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"}, "K1")
        await at.meter("CP-1", range(1))
        await at.say(
            "CP-1", "StartTransaction", {"connectorId": 1, "idTag": "A", "meterStart": 0, "timestamp": STAMP}, tx=True
        )
        await at.meter("CP-1", range(1, 3))
        await eventually("the primary has all", lambda: old.heard("CP-1") == [0, 1, 2])
        await at.stop_hub()
        more = {**upstreams, "copy": Upstream(url=new.url, version="ocpp1.6", replay_from=replay_from)}
        at.config = Config(upstreams=more, redis=store, routes=(RouteConfig(primary="main", mirrors=("copy",)),))
        await at.start_hub()
        await at.meter("CP-1", range(3, 5))
        await eventually("the new one goes on", lambda: new.heard("CP-1")[-1:] == [4])
        said = [action for _, action, _ in new.said]
        assert said[0] == "BootNotification"
        assert said.count("StartTransaction") == 1
        assert new.heard("CP-1") == ([3, 4] if replay_from == "tail" else [0, 1, 2, 3, 4])
        assert len(old.said) == 7


async def test_a_transaction_that_begins_while_an_upstream_is_added(pair: tuple[Csms, Csms], server: Server) -> None:
    """Its begin was acknowledged for the new group before the link was there, and not yet answered: it is told all the same."""
    old, new = pair
    store = RedisConfig(url=server.url)
    upstreams = {"main": Upstream(url=old.url, version="ocpp1.6")}
    async with site(store, upstreams) as at:
        await at.connect("CP-1")
        await at.meter("CP-1", range(1))
        await eventually("there", lambda: old.heard("CP-1") == [0])
        load = at.journal.load_facts
        start = {"connectorId": 1, "idTag": "A", "meterStart": 0, "timestamp": STAMP}

        async def meanwhile(partition: int, charger: str) -> dict[str, bytes]:
            at.journal.load_facts = load  # type: ignore[method-assign]
            await at.say("CP-1", "StartTransaction", start, tx=True)
            link = at.hub.partitions[partition].sessions["cp-1"].links["main"]
            while not any(each.call.action == "StartTransaction" for each in link.under_way):  # noqa: ASYNC110
                await asyncio.sleep(0)
            return await load(partition, charger)

        at.journal.load_facts = meanwhile  # type: ignore[method-assign]
        old.reply = lambda *said: None
        more = {**upstreams, "copy": Upstream(url=new.url, version="ocpp1.6")}
        routes = (RouteConfig(primary="main", mirrors=("copy",)),)
        at.metrics.know(more)
        at.hub.reconfigure(Config(upstreams=more, redis=store, routes=routes), Routes(routes))
        await eventually("begun", lambda: "StartTransaction" in [action for _, action, _ in old.said])
        await asyncio.sleep(0.5)
        socket = next(iter(old.open))
        await socket.send(json.dumps([3, old.last_id, polite("CP-1", "StartTransaction", start)]))
        old.reply = polite
        links = at.hub.partitions[at.partition("CP-1")].sessions["cp-1"].links
        await eventually("linked", lambda: "copy" in links)
        await at.meter("CP-1", range(1, 2))
        await eventually("the new one goes on", lambda: new.heard("CP-1") == [1])
        assert [action for _, action, _ in new.said].count("StartTransaction") == 1


@pytest.mark.parametrize("begins", [False, True])
@pytest.mark.parametrize("there", [False, True])
async def test_a_transaction_that_ends_while_an_upstream_is_added(
    pair: tuple[Csms, Csms], server: Server, there: bool, begins: bool
) -> None:
    """Its end is answered before the link is made: the upstream hears the end, so it hears the begin. `there`: it serves others.
    `begins`: the transaction begins in that moment, too. A status is told in its turn."""
    old, new = pair
    store = RedisConfig(url=server.url)
    main, copy = (Upstream(url=each.url, version="ocpp1.6") for each in pair)
    new.reply = lambda *said: (
        {**polite(*said), "transactionId": 1007} if said[1] == "StartTransaction" else polite(*said)
    )
    more = {"main": main, "copy": copy}
    async with site(store, more if there else {"main": main}) as at:
        await at.connect("CP-1")
        start = {"connectorId": 1, "idTag": "A", "meterStart": 0, "timestamp": STAMP}
        await at.meter("CP-1", range(1))
        if not begins:
            await at.say("CP-1", "StartTransaction", start, tx=True)
        await eventually("there", lambda: len(old.said) == (1 if begins else 2))
        await at.settled("CP-1")
        session = at.hub.partitions[at.partition("CP-1")].sessions["cp-1"]
        load = at.journal.load_facts

        async def meanwhile(partition: int, charger: str) -> dict[str, bytes]:
            at.journal.load_facts = load  # type: ignore[method-assign]
            if begins:
                await at.say("CP-1", "StartTransaction", start, tx=True)
                while not session.shared.open:  # noqa: ASYNC110
                    await asyncio.sleep(0)
            await at.meter("CP-1", range(1, 2))
            await at.say("CP-1", "StopTransaction", {"transactionId": 7, "meterStop": 5, "timestamp": STAMP})
            while session.shared.open:  # noqa: ASYNC110
                await asyncio.sleep(0)
            await at.say("CP-1", "StatusNotification", FREE, "K1")
            while not session.shared.statuses:  # noqa: ASYNC110
                await asyncio.sleep(0)
            return await load(partition, charger)

        at.journal.load_facts = meanwhile  # type: ignore[method-assign]
        routes = (RouteConfig(primary="main", mirrors=("copy",)),)
        at.metrics.know(more)
        at.hub.reconfigure(Config(upstreams=more, redis=store, routes=routes), Routes(routes))
        await eventually("the new one goes on", lambda: [said[1] for said in new.said][-1:] == ["StatusNotification"])
        assert [(action, said.get("transactionId")) for _, action, said in new.said] == [
            ("StartTransaction", None),
            ("MeterValues", None),
            ("StopTransaction", 1007),
            ("StatusNotification", None),
        ]
        assert session.ended is None


@pytest.mark.parametrize("replay_from", ["tail", "1h"])
async def test_nothing_is_missed_while_an_upstream_is_added(
    pair: tuple[Csms, Csms], server: Server, replay_from: str
) -> None:
    """Entries are handed over in the process and not read; the new group has to read those that came before its first one."""
    old, new = pair
    store = RedisConfig(url=server.url, partitions=1)
    upstreams = {"main": Upstream(url=old.url, version="ocpp1.6")}
    async with site(store, upstreams) as at:
        chargers = ["CP-1", "CP-2"]
        for charger in chargers:
            await at.connect(charger)
            await at.meter(charger, range(3), here=True)
        stop = asyncio.Event()

        async def talk(charger: str) -> int:
            number = 3
            while not stop.is_set():
                await at.meter(charger, range(number, number + 1), here=True)
                number += 1
                await asyncio.sleep(0.01)
            return number

        talking = [asyncio.create_task(talk(charger)) for charger in chargers]
        await eventually("handed over", lambda: all(len(old.heard(charger)) > 20 for charger in chargers))
        ensure = at.journal.ensure_groups

        async def slowly(*args: Any) -> dict[str, str]:
            found = await ensure(*args)
            await asyncio.sleep(0.2)
            return found

        at.journal.ensure_groups = slowly  # type: ignore[method-assign]
        more = {**upstreams, "copy": Upstream(url=new.url, version="ocpp1.6", replay_from=replay_from)}
        routes = (RouteConfig(primary="main", mirrors=("copy",)),)
        at.metrics.know(more)
        at.hub.reconfigure(Config(upstreams=more, redis=store, routes=routes), Routes(routes))
        await eventually("linked", lambda: all(len(new.heard(charger)) > 20 for charger in chargers))
        stop.set()
        said = await asyncio.gather(*talking)
        for charger, count in zip(chargers, said, strict=True):
            await eventually("all is told", lambda charger=charger, last=count - 1: new.heard(charger)[-1] == last)  # type: ignore[misc]
            heard = new.heard(charger)
            assert heard == list(range(heard[0], count))
            assert heard[0] == 0 or replay_from == "tail"


@pytest.mark.parametrize("pending", [True, False])
async def test_an_upstream_that_is_configured_again_hears_what_was_left(
    pair: tuple[Csms, Csms], server: Server, pending: bool
) -> None:
    """In its turn, whether it was pending in its group when the upstream went out of the configuration or not read at all."""
    old, new = pair
    store = RedisConfig(url=server.url, partitions=1)
    one = {"main": Upstream(url=old.url, version="ocpp1.6")}
    both = {**one, "copy": Upstream(url=new.url, version="ocpp1.6", reconnect_max=1)}
    async with site(store, both, RouteConfig(primary="main", mirrors=("copy",))) as at:
        for charger in ("CP-1", "CP-2"):
            await at.connect(charger)
            await at.meter(charger, range(1), here=True)
        await eventually("both know it", lambda: new.heard("CP-1") == new.heard("CP-2") == [0])
        await at.settled("CP-1", "copy")
        await new.stop()
        (partition,) = at.hub.partitions.values()
        await eventually("gone", lambda: not any(each.links["copy"].up for each in partition.sessions.values()))
        for charger in ("CP-1", "CP-2"):
            await at.meter(charger, range(1, 250), here=True)
        await eventually("the primary has all", lambda: len(old.said) == 500)
        if pending:
            partition.pass_all()
            await eventually("passed", lambda: partition.quiet and not partition.handed["copy"])

        def follow(upstreams: dict[str, Upstream]) -> None:
            mirrors = tuple(name for name in upstreams if name != "main")
            routes = (RouteConfig(primary="main", mirrors=mirrors),)
            at.hub.reconfigure(Config(upstreams=upstreams, redis=store, routes=routes), Routes(routes))

        follow(one)
        await eventually("without it", lambda: "copy" not in partition.positions)
        await at.meter("CP-1", range(250, 251), here=True)
        await new.start()
        follow(both)
        await at.meter("CP-1", range(251, 252), here=True)
        await eventually("all is told", lambda: new.heard("CP-1") == list(range(252)))
        await eventually("all is told", lambda: new.heard("CP-2") == list(range(250)))
        await at.settled("CP-1", "copy")
