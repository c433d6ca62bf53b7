"""Chargers get other upstreams while they charge: each upstream hears every transaction once, under numbers that are its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import pytest

from gateway.config import Config, RedisConfig, RouteConfig, Upstream
from gateway.hub import reader, reconfigure
from gateway.journal import Journal
from gateway.journal.errors import StoreDown
from gateway.routes import Routes
from tests.gateway.journal.conftest import Server

from .site import Csms, Site, eventually, site

STAMP = "2026-01-01T00:00:00Z"
START = {"connectorId": 1, "idTag": "A", "meterStart": 0, "timestamp": STAMP}


def numbering(first: int) -> Csms:
    """A CSMS that gives each transaction a number of its own."""
    csms, numbers = Csms(), count(first)

    def reply(charger: str, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        if action == "StartTransaction":
            return {"transactionId": next(numbers), "idTagInfo": {"status": "Accepted"}}
        return {"status": "Accepted", "currentTime": STAMP, "interval": 300} if action == "BootNotification" else {}

    csms.reply = reply
    return csms


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Csms, Csms]]:
    made = numbering(7), numbering(1007)
    for csms in made:
        await csms.start()
    yield made
    for csms in made:
        await csms.stop()


def follow(at: Site, upstreams: dict[str, Upstream], *routes: RouteConfig) -> None:
    at.metrics.know(upstreams)
    at.hub.reconfigure(Config(upstreams=upstreams, redis=at.config.redis, routes=routes), Routes(routes))


def transactions(csms: Csms, charger: str = "CP-1") -> list[tuple[str, int | None]]:
    return [
        (action, said.get("transactionId"))
        for who, action, said in csms.said
        if who == charger and action in ("StartTransaction", "StopTransaction")
    ]


def has_ended(csms: Csms) -> bool:
    return any(action == "StopTransaction" for action, _ in transactions(csms))


def stop(number: int) -> dict[str, Any]:
    return {"transactionId": number, "meterStop": 5, "timestamp": STAMP}


@pytest.mark.parametrize("primary", [False, True])
@pytest.mark.parametrize("again", [False, True])
async def test_a_transaction_that_began_after_an_upstream_was_added_for_others(
    pair: tuple[Csms, Csms], server: Server, primary: bool, again: bool
) -> None:
    """An upstream that gets chargers one after the other hears the transaction in which each is. `again`: the hub is another one."""
    old, new = pair
    store = RedisConfig(url=server.url, partitions=1)
    main, copy = (Upstream(url=each.url, version="ocpp1.6") for each in pair)
    async with site(store, {"main": main}) as at:
        for charger in ("CP-1", "CP-2"):
            await at.connect(charger)
            await at.meter(charger, range(1))
        await eventually("there", lambda: len(old.said) == 2)
        both = {"main": main, "copy": copy}
        some = RouteConfig(match=("CP-2",), primary="main", mirrors=("copy",))
        follow(at, both, some, RouteConfig(primary="main"))
        await eventually("linked", lambda: "copy" in at.hub.partitions[0].sessions["cp-2"].links)
        await at.meter("CP-2", range(1, 2))
        await eventually("the other is linked", lambda: new.heard("CP-2") == [1])
        await at.say("CP-1", "StartTransaction", START, tx=True)
        await eventually("begun", lambda: transactions(old) == [("StartTransaction", None)])
        await at.settled("CP-1")
        await at.settled("CP-1", "copy")
        routes = (
            RouteConfig(primary="copy", mirrors=("main",))
            if primary
            else RouteConfig(primary="main", mirrors=("copy",))
        )
        if again:
            await at.stop_hub()
            at.config = Config(upstreams=both, redis=store, routes=(routes,))
            await at.start_hub()
        else:
            follow(at, both, routes)
        await eventually("linked", lambda: "copy" in at.hub.partitions[0].sessions["cp-1"].links)
        await at.meter("CP-1", range(1, 2))
        await at.say("CP-1", "StopTransaction", stop(7))
        await eventually("ended", lambda: has_ended(old) and has_ended(new))
        assert transactions(old) == [("StartTransaction", None), ("StopTransaction", 7)]
        assert transactions(new) == [("StartTransaction", None), ("StopTransaction", 1007)]
        assert new.heard("CP-1") == [1]


async def test_a_mirror_that_comes_back_before_it_has_gone(pair: tuple[Csms, Csms], server: Server) -> None:
    """What is left for it to be told is no part of its introduction, too."""
    old, new = pair
    store = RedisConfig(url=server.url, partitions=1)
    both = {
        "main": Upstream(url=old.url, version="ocpp1.6"),
        "copy": Upstream(url=new.url, version="ocpp1.6", reconnect_max=1),
    }
    with_copy, without = RouteConfig(primary="main", mirrors=("copy",)), RouteConfig(primary="main")
    async with site(store, both, with_copy) as at:
        await at.connect("CP-1")
        await at.meter("CP-1", range(1))
        await eventually("both", lambda: new.heard("CP-1") == [0])
        await new.stop()
        session = at.hub.partitions[0].sessions["cp-1"]
        await eventually("gone", lambda: not session.links["copy"].up)
        await at.meter("CP-1", range(1, 2))
        await at.say("CP-1", "StartTransaction", START, tx=True)
        await at.meter("CP-1", range(2, 3))
        await eventually("told", lambda: old.heard("CP-1") == [0, 1, 2])
        follow(at, both, without)
        await eventually("leaving", lambda: session.links["copy"].leaving)
        await at.meter("CP-1", range(3, 4))
        await eventually("told", lambda: old.heard("CP-1")[-1] == 3)
        follow(at, both, with_copy)
        await eventually("back", lambda: not session.links["copy"].leaving)
        await at.meter("CP-1", range(4, 5))
        await at.say("CP-1", "StopTransaction", stop(7))
        await new.start()
        await eventually("ended", lambda: has_ended(new))
        assert transactions(new) == [("StartTransaction", None), ("StopTransaction", 1007)]
        assert new.heard("CP-1") == [0, 1, 2, 4]
        await at.settled("CP-1", "copy")


async def test_a_mirror_that_leaves_before_it_is_introduced(pair: tuple[Csms, Csms], server: Server) -> None:
    """When it serves the charger again it is introduced again: transactions may have begun meanwhile."""
    old, new = pair
    store = RedisConfig(url=server.url, partitions=1)
    main, copy = (Upstream(url=each.url, version="ocpp1.6", reconnect_max=1) for each in pair)
    both = {"main": main, "copy": copy}
    with_copy, without = RouteConfig(primary="main", mirrors=("copy",)), RouteConfig(primary="main")
    async with site(store, both, without) as at:
        await at.connect("CP-1")
        await at.say("CP-1", "BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"}, "K1")
        await eventually("there", lambda: len(old.said) == 1)
        await at.settled("CP-1")
        session = at.hub.partitions[0].sessions["cp-1"]
        new.delay = 1
        follow(at, both, with_copy)
        await eventually("being introduced", lambda: len(new.said) == 1)
        follow(at, both, without)
        await eventually("leaving", lambda: session.links["copy"].leaving)
        await eventually("left", lambda: "copy" not in session.links or session.links["copy"].idle)
        new.delay = 0
        at.hub._sessions.release(session)
        assert "copy" not in session.links
        await at.say("CP-1", "StartTransaction", START, tx=True)
        await eventually("begun", lambda: session.shared.open)
        follow(at, both, with_copy)
        await eventually("linked", lambda: "copy" in session.links)
        await at.say("CP-1", "StopTransaction", stop(7))
        await eventually("ended", lambda: has_ended(new))
        assert transactions(new) == [("StartTransaction", None), ("StopTransaction", 1007)]


async def test_a_start_that_the_old_primary_answers_after_the_new_one(pair: tuple[Csms, Csms], server: Server) -> None:
    """The charger has said it again and knows the number of the one that is its primary now: that stays its number."""
    old, new = pair
    store = RedisConfig(url=server.url, partitions=1)
    main, copy = (Upstream(url=each.url, version="ocpp1.6", reconnect_max=1) for each in pair)
    both = {"main": main, "copy": copy}
    async with site(store, both, RouteConfig(primary="main", primary_down="close", hold=600)) as at:
        await at.connect("CP-1")
        await at.meter("CP-1", range(1))
        await eventually("there", lambda: len(old.said) == 1)
        session = at.hub.partitions[0].sessions["cp-1"]
        await old.stop()
        await eventually("gone", lambda: not session.links["main"].up)
        await at.say("CP-1", "StartTransaction", START, tx=True, dedup="start")
        await eventually("it waits", lambda: session.links["main"].backlog)
        follow(at, both, RouteConfig(primary="copy", mirrors=("main",)))
        await eventually("linked", lambda: "copy" in session.links)
        await at.say("CP-1", "StartTransaction", START, tx=True, dedup="start")
        await eventually("it has a number", lambda: session.shared.open)
        assert session.shared.open[0].number == 1007
        await old.start()
        await eventually("both know it", lambda: transactions(old) == [("StartTransaction", None)])
        await at.settled("CP-1", "main")
        assert [each.number for each in session.shared.open] == [1007]
        await at.say("CP-1", "StopTransaction", stop(1007))
        await eventually("ended", lambda: len(transactions(old)) == len(transactions(new)) == 2)
        assert transactions(old) == [("StartTransaction", None), ("StopTransaction", 7)]
        assert transactions(new) == [("StartTransaction", None), ("StopTransaction", 1007)]


@pytest.mark.parametrize("replay_from", ["start", "1h"])
async def test_a_transaction_whose_begin_is_not_stored_any_more(
    pair: tuple[Csms, Csms], server: Server, replay_from: str
) -> None:
    """What an upstream that begins in the past cannot be replayed is in its introduction."""
    old, new = pair
    store = RedisConfig(url=server.url, partitions=1)
    main = Upstream(url=old.url, version="ocpp1.6")
    async with site(store, {"main": main}) as at:
        await at.connect("CP-1")
        await at.say("CP-1", "StartTransaction", START, tx=True)
        await at.meter("CP-1", range(1))
        await eventually("begun", lambda: old.heard("CP-1") == [0])
        await at.settled("CP-1")
        (partition,) = at.hub.partitions.values()
        partition.pass_all()
        await eventually("passed", lambda: partition.quiet)
        assert await at.journal.trim(0, partition.token, ["session", "main"]) > 0
        await at.meter("CP-1", range(1, 2))
        await eventually("more", lambda: old.heard("CP-1") == [0, 1])
        both = {"main": main, "copy": Upstream(url=new.url, version="ocpp1.6", replay_from=replay_from)}
        follow(at, both, RouteConfig(primary="main", mirrors=("copy",)))
        await at.say("CP-1", "StopTransaction", stop(7))
        await eventually("ended", lambda: has_ended(new))
        assert transactions(new) == [("StartTransaction", None), ("StopTransaction", 1007)]
        assert new.heard("CP-1") == [1]


async def test_a_mirror_with_another_version_is_told_of_a_transaction_once(
    pair: tuple[Csms, Csms], server: Server
) -> None:
    """What waited for it in the words of before is no part of its introduction, too."""
    old, new = pair
    store = RedisConfig(url=server.url, partitions=1)
    main = Upstream(url=old.url, version="ocpp1.6")
    before = Upstream(url="ws://127.0.0.1:9/ocpp", version="ocpp2.0.1")
    route = RouteConfig(primary="main", mirrors=("copy",))
    async with site(store, {"main": main, "copy": before}, route) as at:
        await at.connect("CP-1")
        await at.meter("CP-1", range(1))
        await at.say("CP-1", "StartTransaction", START, tx=True)
        await eventually("begun", lambda: transactions(old))
        follow(at, {"main": main, "copy": Upstream(url=new.url, version="ocpp1.6")}, route)
        await at.say("CP-1", "StopTransaction", stop(7))
        await eventually("ended", lambda: has_ended(new))
        assert transactions(new) == [("StartTransaction", None), ("StopTransaction", 1007)]


async def test_a_store_that_goes_away_while_an_upstream_gets_another_address(
    pair: tuple[Csms, Csms], server: Server
) -> None:
    old, _ = pair
    store = RedisConfig(url=server.url, partitions=1)
    main, copy = (Upstream(url=each.url, version="ocpp1.6") for each in pair)
    gone = Upstream(url="ws://127.0.0.1:9/ocpp", version="ocpp1.6")
    async with site(store, {"main": gone, "copy": copy}) as at:
        await at.connect("CP-1")
        await at.meter("CP-1", range(1))
        sessions = at.hub.partitions[0].sessions
        await eventually("it waits", lambda: "cp-1" in sessions and sessions["cp-1"].links["main"].backlog)
        load = at.journal.load_facts

        async def away(partition: int, charger: str) -> dict[str, bytes]:
            at.journal.load_facts = load  # type: ignore[method-assign]
            raise StoreDown("for a moment")

        at.journal.load_facts = away  # type: ignore[method-assign]
        follow(at, {"main": main, "copy": copy}, RouteConfig(primary="main", mirrors=("copy",)))
        await eventually("told", lambda: old.heard("CP-1") == [0])


@pytest.mark.parametrize("removed", [True, False])
async def test_what_is_parked_is_no_part_of_an_introduction(
    pair: tuple[Csms, Csms], server: Server, removed: bool
) -> None:
    """An upstream whose messages are put aside leaves the route, or the configuration, and comes back."""
    old, new = pair
    store = RedisConfig(url=server.url, partitions=1)
    main = Upstream(url=old.url, version="ocpp1.6")
    both = {"main": main, "copy": Upstream(url=new.url, version="ocpp1.6", reconnect_max=1)}
    with_copy, without = RouteConfig(primary="main", mirrors=("copy",)), RouteConfig(primary="main")
    await new.stop()
    async with site(store, both, with_copy) as at:
        await at.connect("CP-1")
        await at.meter("CP-1", range(1))
        await at.say("CP-1", "StartTransaction", START, tx=True)
        await at.meter("CP-1", range(1, 2))
        await eventually("told", lambda: old.heard("CP-1") == [0, 1])
        (partition,) = at.hub.partitions.values()
        session = partition.sessions["cp-1"]
        await at.hub._parking.put_aside([(partition, session, session.links["copy"])])
        await at.settled("CP-1", "copy")
        assert len(await at.parked("CP-1", "copy")) == 3
        follow(at, {"main": main} if removed else both, without)
        await eventually("without it", lambda: "copy" not in session.links or session.links["copy"].leaving)
        await eventually("in force", lambda: not at.hub._sessions.following)
        follow(at, both, with_copy)
        await eventually("back", lambda: "copy" in session.links and not session.links["copy"].leaving)
        await at.say("CP-1", "StopTransaction", stop(7))
        await new.start()
        await eventually("ended", lambda: has_ended(new))
        assert transactions(new) == [("StartTransaction", None), ("StopTransaction", 1007)]
        assert new.heard("CP-1") == [0, 1]
        await eventually("all is told", lambda: session.links["copy"].idle)
        assert await at.parked("CP-1", "copy") == []


async def test_what_is_being_read_when_an_upstream_leaves_is_not_done(pair: tuple[Csms, Csms], server: Server) -> None:
    """It is told in its turn when the upstream is configured again."""
    old, new = pair
    store = RedisConfig(url=server.url, partitions=1)
    main, copy = (Upstream(url=each.url, version="ocpp1.6") for each in pair)
    with_copy = RouteConfig(primary="main", mirrors=("copy",))
    async with site(store, {"main": main, "copy": copy}, with_copy) as at:
        await at.connect("CP-1")
        await at.meter("CP-1", range(1))
        await eventually("there", lambda: old.heard("CP-1") == new.heard("CP-1") == [0])
        await at.settled("CP-1", "copy")
        (partition,) = at.hub.partitions.values()
        peek, found = at.journal.peek, asyncio.Event()
        arrived = asyncio.get_running_loop().create_future()

        def slowly(*args: Any, **named: Any) -> Any:
            real, later = peek(*args, **named), asyncio.get_running_loop().create_future()

            def done(read: Any) -> None:
                if read.result()["main"] and not arrived.done():
                    found.set()
                    arrived.add_done_callback(lambda _: later.set_result(read.result()))
                else:
                    later.set_result(read.result())

            real.add_done_callback(done)
            return later

        at.journal.peek = slowly  # type: ignore[method-assign]
        await at.meter("CP-1", range(1, 2))
        await found.wait()
        follow(at, {"main": main}, RouteConfig(primary="main"))
        await eventually("without it", lambda: "copy" not in partition.positions)
        arrived.set_result(None)
        await eventually("told", lambda: old.heard("CP-1") == [0, 1])
        await at.settled("CP-1", "main")
        follow(at, {"main": main, "copy": copy}, with_copy)
        await eventually("told", lambda: new.heard("CP-1") == [0, 1])


async def test_an_upstream_that_is_paused_while_it_is_dialled_is_away(server: Server) -> None:
    """What is decided while an upstream is away is decided then, too."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    listening = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    main = Upstream(url=f"ws://127.0.0.1:{port}/ocpp", version="ocpp1.6", connect_timeout=60)
    route = RouteConfig(primary="main", primary_down="buffer")
    async with site(RedisConfig(url=server.url, partitions=1), {"main": main}, route) as at:
        await at.connect("CP-1")
        sessions = at.hub.partitions[0].sessions
        await eventually("it is dialled", lambda: "cp-1" in sessions and at.hub._turn.upstreams)
        link = sessions["cp-1"].links["main"]
        assert not link.down_since
        at.hub._pausing._follow(frozenset(["main"]))
        await at.meter("CP-1", range(1))
        await eventually("answered", lambda: link.backlog and link.backlog[0].answered)
    listening.close()


async def test_a_configuration_that_is_taken_back_while_the_store_is_away(
    pair: tuple[Csms, Csms], server: Server
) -> None:
    old, new = pair
    store = RedisConfig(url=server.url, partitions=1)
    main, copy = (Upstream(url=each.url, version="ocpp1.6") for each in pair)
    async with site(store, {"main": main}) as at:
        await at.connect("CP-1")
        await at.meter("CP-1", range(1))
        await eventually("there", lambda: old.heard("CP-1") == [0])
        ensure, failed = at.journal.ensure_groups, asyncio.Event()

        async def away(*args: Any) -> dict[str, str]:
            at.journal.ensure_groups = ensure  # type: ignore[method-assign]
            failed.set()
            raise StoreDown("for a moment")

        at.journal.ensure_groups = away  # type: ignore[method-assign]
        follow(at, {"main": main, "copy": copy}, RouteConfig(primary="copy"))
        await failed.wait()
        at.hub._ownership.drop_all(StoreDown("for longer"))
        follow(at, {"main": main}, RouteConfig(primary="main"))
        await eventually("in force", lambda: at.hub._reconfigure._wanted is None)
        await eventually("back", lambda: at.hub.partitions)
        await at.meter("CP-1", range(1, 2))
        await eventually("told", lambda: old.heard("CP-1") == [0, 1] or new.said)
        assert old.heard("CP-1") == [0, 1]


async def test_an_upstream_is_added_while_a_partition_is_taken_over(
    pair: tuple[Csms, Csms], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is pending there is told once."""
    old, new = pair
    store = RedisConfig(url=server.url, partitions=1)
    main, copy = (Upstream(url=each.url, version="ocpp1.6") for each in pair)
    async with site(store, {"main": main}) as at:
        await at.connect("CP-1")
        await at.meter("CP-1", range(1))
        await eventually("there", lambda: old.heard("CP-1") == [0])
        await old.stop()
        await at.meter("CP-1", range(1, 31))
        await eventually("it waits", lambda: len(at.hub.partitions[0].sessions["cp-1"].links["main"].backlog) == 30)
        await at.stop_hub()
        await old.start()
        pending = Journal.pending

        async def slowly(*args: Any, **named: Any) -> Any:
            found = await pending(*args, **named)
            await asyncio.sleep(0.05)
            return found

        monkeypatch.setattr(reader, "READ_COUNT", 3)
        monkeypatch.setattr(Journal, "pending", slowly)
        starting = asyncio.create_task(at.start_hub())
        hub = at.hub
        await eventually("taken over", lambda: at.hub is not hub and at.hub.partitions)
        await asyncio.sleep(0.12)
        follow(at, {"main": main, "copy": copy}, RouteConfig(primary="main", mirrors=("copy",)))
        await starting
        await eventually("linked", lambda: "copy" in at.hub.partitions[0].sessions["cp-1"].links)
        await at.meter("CP-1", range(31, 32))
        await eventually("told", lambda: old.heard("CP-1")[-1] == 31 and new.heard("CP-1"))
        assert old.heard("CP-1") == list(range(32))
        assert new.heard("CP-1") == [31]


async def test_a_transaction_whose_begin_is_answered_long_after_an_upstream_is_linked(
    pair: tuple[Csms, Csms], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told of it as soon as that is answered."""
    old, new = pair
    monkeypatch.setattr(reconfigure, "PATIENCE_SECONDS", 0.2)
    store = RedisConfig(url=server.url, partitions=1)
    main, copy = (Upstream(url=each.url, version="ocpp1.6") for each in pair)
    async with site(store, {"main": main}) as at:
        await at.connect("CP-1")
        await at.meter("CP-1", range(1))
        await eventually("there", lambda: old.heard("CP-1") == [0])
        old.delay = 1.5
        await at.say("CP-1", "StartTransaction", START, tx=True)
        await eventually("it is told", lambda: transactions(old))
        session = at.hub.partitions[0].sessions["cp-1"]
        follow(at, {"main": main, "copy": copy}, RouteConfig(primary="main", mirrors=("copy",)))
        await eventually("linked", lambda: "copy" in session.links)
        assert not session.shared.open
        await eventually("begun", lambda: session.shared.open)
        await at.meter("CP-1", range(1, 2))
        await at.say("CP-1", "StopTransaction", stop(7))
        await eventually("ended", lambda: has_ended(new))
        assert transactions(new) == [("StartTransaction", None), ("StopTransaction", 1007)]
        assert new.heard("CP-1") == [1]


@pytest.mark.parametrize("primary", [False, True])
async def test_a_transaction_whose_end_is_being_answered_when_an_upstream_is_linked(
    pair: tuple[Csms, Csms], server: Server, primary: bool
) -> None:
    """It is told of the end, too."""
    old, new = pair
    store = RedisConfig(url=server.url, partitions=1)
    main, copy = (Upstream(url=each.url, version="ocpp1.6") for each in pair)
    async with site(store, {"main": main}) as at:
        await at.connect("CP-1")
        await at.meter("CP-1", range(1))
        await eventually("there", lambda: old.heard("CP-1") == [0])
        await at.say("CP-1", "StartTransaction", START, tx=True)
        await eventually("begun", lambda: at.hub.partitions[0].sessions["cp-1"].shared.open)
        old.delay = 0.7
        await at.say("CP-1", "StopTransaction", stop(7))
        await eventually("it is told", lambda: has_ended(old))
        routes = (
            RouteConfig(primary="copy", mirrors=("main",))
            if primary
            else RouteConfig(primary="main", mirrors=("copy",))
        )
        follow(at, {"main": main, "copy": copy}, routes)
        await eventually("ended", lambda: has_ended(new))
        assert transactions(new) == [("StartTransaction", None), ("StopTransaction", 1007)]
        await at.settled("CP-1", "main")
        assert transactions(old) == [("StartTransaction", None), ("StopTransaction", 7)]
        assert at.hub.partitions[0].sessions["cp-1"].shared.linked == {"main": "", "copy": ""}


async def test_an_introduction_is_not_too_old(pair: tuple[Csms, Csms], server: Server) -> None:
    """What comes behind it is not put aside for it."""
    old, new = pair
    store = RedisConfig(url=server.url, partitions=1)
    main, copy = (Upstream(url=each.url, version="ocpp1.6") for each in pair)
    async with site(store, {"main": main}) as at:
        await at.connect("CP-1")
        await at.say("CP-1", "BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"}, "K1")
        await at.say(
            "CP-1", "StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Available"}, "K1"
        )
        await eventually("there", lambda: len(old.said) == 2)
        await at.settled("CP-1")
        new.delay = 0.5
        follow(at, {"main": main, "copy": copy}, RouteConfig(primary="main", mirrors=("copy",)))
        await eventually("being introduced", lambda: new.said)
        await at.meter("CP-1", range(1))
        link = at.hub.partitions[0].sessions["cp-1"].links["copy"]
        await eventually("it waits", lambda: len(link.backlog) == 2)
        await at.hub._retention.look()
        assert link.lot is None
        await eventually("told", lambda: new.heard("CP-1") == [0])


async def test_what_is_parked_is_told_once_when_its_upstream_gets_other_settings(
    pair: tuple[Csms, Csms], server: Server
) -> None:
    """It is told, and the store has not heard of that yet."""
    old, new = pair
    store = RedisConfig(url=server.url, partitions=1)
    main = Upstream(url=old.url, version="ocpp1.6")
    copy = Upstream(url=new.url, version="ocpp1.6", reconnect_max=1)
    route = RouteConfig(primary="main", mirrors=("copy",))
    await new.stop()
    async with site(store, {"main": main, "copy": copy}, route) as at:
        await at.connect("CP-1")
        await at.meter("CP-1", range(3))
        await eventually("told", lambda: old.heard("CP-1") == [0, 1, 2])
        (partition,) = at.hub.partitions.values()
        session = partition.sessions["cp-1"]
        link = session.links["copy"]
        await at.hub._parking.put_aside([(partition, session, link)])
        await at.settled("CP-1", "copy")
        commit, held = at.journal.commit, []

        def later(*args: Any) -> Any:
            held.append((args, asyncio.get_running_loop().create_future()))
            return held[-1][1]

        def reply(charger: str, action: str, payload: dict[str, Any]) -> dict[str, Any]:
            at.journal.commit = later  # type: ignore[method-assign]
            return {}

        new.reply = reply
        await new.start()
        await eventually("the first is told", lambda: held)
        new.reply = lambda *said: {}
        changed = Upstream(url=new.url, version="ocpp1.6", reconnect_max=1, call_timeout=10)
        follow(at, {"main": main, "copy": changed}, route)
        await eventually("another link", lambda: session.links["copy"] is not link)
        await asyncio.sleep(0.2)
        at.journal.commit = commit  # type: ignore[method-assign]
        for args, future in held:
            await commit(*args)
            future.set_result(None)
        await eventually("told", lambda: new.heard("CP-1")[-1:] == [2])
        assert new.heard("CP-1") == [0, 1, 2]
        await eventually("all is told", lambda: session.links["copy"].lot is None)
