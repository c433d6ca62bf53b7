"""One owner per charger and per partition, whatever pauses, is cut off, drains or comes back at once."""

from __future__ import annotations

import asyncio
import re
import signal
import statistics
import time

import pytest

from gateway.journal import keys

from .backend import slow
from .fleet import Fleet
from .history import Said
from .nodes import total

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


async def home(fleet: Fleet, charger: str) -> tuple[int, str]:
    """(epoch, edge) that the store names for a charger."""
    number = keys.partition(charger, fleet.partitions)
    value = await fleet.store.ask("HGET", keys.homes(number), keys.fold(charger))
    epoch, edge, *_ = value.decode().split("\n")
    return int(epoch), edge


async def test_i14_a_stale_connection_cannot_change_what_the_newest_one_is(fleet: Fleet) -> None:
    """The edge of the older connection is paused while the charger connects to another one; then it goes on."""
    await fleet.backend("main", "ocpp1.6")
    await fleet.start(edges=2, hubs=1)
    one, two = fleet.urls
    old = fleet.charger("CP1", [one], patience=3)
    await old.connect()
    await old.boot()
    older = await home(fleet, "CP1")
    with fleet.fault("pause edge", "edge"):
        fleet.edges[0].signal(signal.SIGSTOP)
        at = old.clock()
        stale = asyncio.create_task(old.call(Said("CP1", "meter", at, 1000), "MeterValues", old.meter_payload(at)))
        new = fleet.charger("cp1", [two])
        new.identity = "CP1"
        new.connection = 100
        await new.connect()
        async with asyncio.timeout(10):  # its handshake may end before the store has it
            while (newest := await home(fleet, "CP1"))[1] == older[1]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert newest[0] > older[0]
        await new.status("Available")
        fleet.edges[0].signal(signal.SIGCONT)
    assert await old.lost() == 1008, "superseded"
    assert await stale is None
    assert await home(fleet, "CP1") == newest, "neither its frame nor its end changes who is the owner"
    for _ in range(5):
        await new.meter()
    heard = {each.message.stamp for each in fleet.backends["main"].heard("meter")}
    assert at not in heard, "what was said on the older connection is refused"
    assert new.connected
    await fleet.right(5)


async def test_i14_a_hub_that_slept_longer_than_its_lease_is_fenced_out(fleet: Fleet) -> None:
    """Another one owns its partitions when it wakes up, and when the store gets what it had decided before. Were that taken, what the
    other one has learned meanwhile would be lost: so that one dies, and the sleeper goes on with what is stored."""
    await fleet.backend("main", "ocpp2.0.1", mood=slow)
    await fleet.start(edges=1, hubs=2)
    sleeper, other = fleet.hubs
    async with fleet.load(16) as chargers:

        async def told(count: int) -> None:
            least = sum(each.told for each in chargers) + count
            async with asyncio.timeout(30):
                while sum(each.told for each in chargers) < least:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)

        with fleet.fault("pause hub", "hub"):
            sleeper.to_store.set("blackhole")
            await asyncio.sleep(0.3)
            sleeper.signal(signal.SIGSTOP)
            await fleet.expire(sleeper)
            await fleet.balanced(1)
            await told(100)
            sleeper.to_store.heal()
            await asyncio.sleep(0.05)
            await other.kill()
            sleeper.signal(signal.SIGCONT)
            await fleet.expire()
            await fleet.balanced(1)
            await told(100)
            await other.run()
        await fleet.balanced(2)
    assert re.search(r"partition_(fenced|lost|given_up)", sleeper.log.read_text())
    await fleet.right(100)


async def test_i15_the_newest_connection_wins_and_the_older_one_is_closed(fleet: Fleet) -> None:
    """On the same edge and on another one, alive and half open. Of chargers that prove who they are, for which `probe: 0` stands."""
    fleet.config = {"limits": {"probe": 0}}
    await fleet.backend("main", "ocpp1.6")
    await fleet.start(edges=2, hubs=1)
    one, two = fleet.urls
    proxy = fleet.edges[0].from_chargers
    assert proxy is not None
    await (await fleet.booted("CP1", urls=[one])).close()
    for half_open, url in ((False, one), (False, two), (True, two)):
        old = fleet.charger("CP1", [one], patience=5)
        old.connection = 1000 * len(fleet.chargers)
        await old.connect()
        await old.status("Available")
        if half_open:
            proxy.set("blackhole")
        new = fleet.charger("CP1", [url])
        new.connection = 1000 * len(fleet.chargers)
        await new.connect()
        await new.status("Preparing")
        if not half_open:
            assert await old.lost() == 1008
        await new.status("Available")
        assert new.connected
        proxy.heal()
        if half_open:
            assert await old.lost() == 1008
        await new.close()
    await fleet.right(7)


async def test_i21_a_rolling_restart_loses_nothing_and_each_drain_ends_in_time(fleet: Fleet) -> None:
    """An edge that drains has at least 80 chargers to close: enough to see how fast it does."""
    await fleet.backend("main", "ocpp2.0.1")
    await fleet.backend("copy", "ocpp1.6", mood=slow)
    await fleet.start(edges=2, hubs=2)
    async with fleet.load(30) as chargers:
        for node in fleet.nodes:
            idle = []
            if node.from_chargers is not None:
                url = f"ws://127.0.0.1:{node.from_chargers.port}/ocpp"
                idle = [fleet.charger(f"{node.name}-{number}", [url]) for number in range(80)]
                await asyncio.gather(*(each.connect() for each in idle))
            began = time.monotonic()
            with fleet.fault(f"restart {node.name}", "hub" if node.role == "hub" else "edge"):
                assert await node.stop(45) == 0
                assert time.monotonic() - began < 45
                ended = time.monotonic()
                await node.run()
            if idle:
                ends = [each.at for each in fleet.history.closed if began < each.at < ended]
                assert len(ends) >= len(idle)
                assert max(ends) - min(ends) > 0.9 * len(ends) / 100, "a hundred a second"
            told = sum(each.told for each in chargers)
            async with asyncio.timeout(30):
                while sum(each.told for each in chargers) < told + 60:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
    assert {each.code for each in fleet.history.closed if each.code != 1000} == {1012}
    await fleet.right(100)


async def test_i22_a_herd_comes_back_without_a_collapse(fleet: Fleet) -> None:
    """All chargers of one edge come back at once, to two edges that serve others meanwhile."""
    await fleet.backend("main", "ocpp1.6")
    await fleet.start(edges=2, hubs=1)
    first, second = fleet.edges
    assert first.from_chargers is not None and second.from_chargers is not None
    herd = [fleet.charger(f"H{number}", [fleet.urls[0]]) for number in range(150)]
    await asyncio.gather(*(each.connect() for each in herd))
    steady = await fleet.booted("STEADY", urls=[fleet.urls[1]])
    pid = second.pid
    with fleet.fault("kill edge", "edge"):
        await first.kill()
        await asyncio.gather(*(each.lost() for each in herd))
        await first.run()
    began, took = time.monotonic(), []
    enough = asyncio.Event()

    async def beat() -> None:
        while not enough.is_set() or len(took) <= 20:
            at = time.monotonic()
            assert await steady.call(None, "Heartbeat", {})
            took.append(time.monotonic() - at)
            await asyncio.sleep(0.02)

    beating = asyncio.create_task(beat())
    for each in herd:
        each.urls = fleet.urls
    await asyncio.gather(*(each.connect() for each in herd))
    back = time.monotonic() - began
    await asyncio.gather(*(each.status("Available") for each in herd))
    enough.set()
    await beating
    assert back < 30
    assert statistics.quantiles(took, n=100)[98] < 2
    assert second.pid == pid and second.running and first.lives == 2
    await fleet.right(150)


async def test_i33_a_half_open_charger_is_noticed_and_what_it_said_before_counts(fleet: Fleet) -> None:
    """Its link falls silent, without an end: three ping intervals later its socket is gone, and it may come back."""
    main = await fleet.backend("main", "ocpp1.6")
    fleet.config = {"listen": {"host": "127.0.0.1", "ping_interval": 1}}
    await fleet.store.start()
    node = await fleet.prepare("both")
    node.config["listen"]["port"] = node.port
    await node.run()
    charger = await fleet.booted("CP1")
    await charger.start()
    await charger.meter()
    assert node.from_chargers is not None
    with fleet.fault("blackhole", "edge"):
        node.from_chargers.set("blackhole")
        begun = time.monotonic()
        async with asyncio.timeout(10):
            while total(await node.metrics(), "ocppgw_connections"):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        assert 2 < time.monotonic() - begun < 6
        assert total(await node.metrics(), "ocppgw_disconnects_total", reason="ping_timeout") == 1
        node.from_chargers.drop_all()
        node.from_chargers.heal()
    await charger.lost()
    await charger.meter()
    node.from_chargers.set("blackhole")
    await asyncio.sleep(1.5)
    node.from_chargers.heal()
    await charger.meter()
    assert charger.connection == 2, "a short silence is no end"
    await charger.stop()
    assert len(main.heard("meter")) == 3
    await fleet.right(5)


async def test_i34_a_process_that_is_cut_off_from_the_store_stops_and_another_takes_over(fleet: Fleet) -> None:
    """Only the link to the store is cut. Until its lease ends nobody else serves its chargers; afterwards it does not."""
    await fleet.backend("main", "ocpp1.6")
    await fleet.backend("copy", "ocpp2.0.1")
    await fleet.store.start()
    one, two = [await fleet.node("both") for _ in range(2)]
    await fleet.balanced(2)
    async with fleet.load(16) as chargers:
        with fleet.fault("blackhole", "store"):
            one.to_store.set("blackhole")
            cut = time.monotonic()
            await fleet.balanced(1)
            assert 9 < time.monotonic() - cut < 25
            told = {each.identity: each.told for each in chargers}
            async with asyncio.timeout(40):
                while any(each.told == told[each.identity] for each in chargers):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            owners = {await fleet.owner(each.identity) for each in chargers}
            assert owners == {two}
            metrics = await one.metrics()
            assert total(metrics, "ocppgw_connections") == 0, "it has sent its chargers away"
            assert total(metrics, "ocppgw_upstream_sessions") == 0, "nor does it listen to a CSMS for them"
            one.to_store.heal()
        await fleet.balanced(2)
    await fleet.right(100)
