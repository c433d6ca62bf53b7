"""What a hub may do with what it owns, and what becomes of those who were at a dead edge."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from gateway.config import RedisConfig, Upstream
from gateway.hub import ownership
from gateway.hub.hub import Hub
from gateway.hub.metering import Metering
from gateway.journal import Journal
from gateway.journal.entry import ToCharger
from gateway.wheel import Wheel
from tests.gateway.journal.conftest import Server, now_ms

from .site import EDGE, Csms, Site, eventually, site


def upstream(csms: Csms) -> Upstream:
    return Upstream(url=csms.url, version="ocpp1.6")


async def test_nothing_leaves_after_the_lease_until_it_is_renewed(csms: Csms, store: RedisConfig) -> None:
    """As in a process that was stopped for longer than its leases live."""
    async with site(store, {"main": upstream(csms)}) as at:
        await at.connect("CP-1")
        await at.meter("CP-1", range(2))
        await eventually("told", lambda: len(csms.heard("CP-1")) == 2)
        partition = at.hub.partitions[at.partition("CP-1")]
        partition.leased_until = time.monotonic() - 1
        await at.meter("CP-1", range(2, 4))
        await asyncio.sleep(0.3)
        before = len(csms.heard("CP-1"))
        await at.hub._ownership._renew()
        await eventually("told", lambda: len(csms.heard("CP-1")) == 4)
        assert before == 2 and not partition.failed


async def test_a_hub_that_was_replaced_meanwhile_says_nothing(csms: Csms, store: RedisConfig) -> None:
    async with site(store, {"main": upstream(csms)}) as at:
        await at.connect("CP-1")
        await at.meter("CP-1", range(2))
        await eventually("told", lambda: len(csms.heard("CP-1")) == 2)
        partition = at.hub.partitions[at.partition("CP-1")]
        partition.leased_until = time.monotonic() - 1
        await at.edge.release(partition.number, partition.token)
        assert await at.edge.acquire(partition.number, "another") is not None
        await at.meter("CP-1", range(2, 4))
        await at.hub._ownership._renew()
        assert partition.failed and partition.number not in at.hub.partitions
        await asyncio.sleep(0.3)
        assert len(csms.heard("CP-1")) == 2


async def test_lost_partitions_are_swept_out_of_memory_once(
    csms: Csms, store: RedisConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sessions refer to their links and these to them; the collector would look for such cycles much later."""
    swept: list[int] = []
    monkeypatch.setattr(ownership, "SWEEP_SECONDS", 0.1)
    monkeypatch.setattr(ownership.gc, "collect", lambda: swept.append(1))
    async with site(store, {"main": upstream(csms)}) as at:
        for partition in list(at.hub.partitions.values())[:3]:
            at.hub._ownership.drop(partition)
        await eventually("swept", lambda: swept == [1])


async def test_homes_at_a_dead_edge_end(csms: Csms, store: RedisConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(ownership, "DEAD_SECONDS", 0.3)
    async with site(store, {"main": upstream(csms)}) as at:
        await at.connect("CP-1")
        number = at.partition("CP-1")
        await asyncio.sleep(0.6)
        assert "CP-1" in await at.edge.homes(number), "its edge lives"
        await at.edge.edge_gone(EDGE)

        async def gone() -> bool:
            return not await at.edge.homes(number)

        await eventually("no home", gone)
        await at.edge.edge_alive(EDGE)


@pytest.mark.parametrize("answered", [True, False])
async def test_a_repeat_that_an_earlier_owner_left_unread(
    csms: Csms, store: RedisConfig, server: Server, answered: bool
) -> None:
    """The charger said it again while the answer was on its way, and the partition was handed over in between: it is
    answered like the first time, and the CSMS does not hear it twice."""
    async with site(store, {"main": upstream(csms)}) as at:
        await at.connect("CP-1")
        id = await at.say("CP-1", "MeterValues", {"n": 1}, dedup="m1")
        partition = at.partition("CP-1")
        key = f"{{p{partition:02}}}:d:cp-1:m1"

        async def stored() -> bool:
            return bool((await server.ask("GET", key)).endswith(b"{}"))

        await eventually("stored", stored)
        await at.stop_hub()
        answer = await server.ask("GET", key)
        await server.ask("SET", key, f"{id} 0 ", "KEEPTTL")
        seen = [item async for item in inbox(at)]
        await at.say("CP-1", "MeterValues", {"n": 1}, dedup="m1")
        if answered:
            await server.ask("SET", key, answer, "KEEPTTL")
        await at.start_hub()
        found: list[ToCharger] = []

        async def heard() -> bool:
            found[:] = [item async for item in inbox(at)][len(seen) :]
            return bool(found)

        await eventually("answered", heard)
        assert [(item.kind, item.body, item.seq) for item in found] == [("answer", b"{}", 3)]
        assert len(csms.heard("CP-1")) == (1 if answered else 2)


@pytest.mark.parametrize("how", ["another comes", "drained"])
async def test_a_busy_partition_changes_hands_without_a_message_told_twice(
    csms: Csms, store: RedisConfig, how: str
) -> None:
    """There is no moment in which none of its chargers waits for an answer."""
    csms.delay = 0.06
    chargers = [f"CP-{number}" for number in range(8)]
    async with site(replace(store, partitions=1), {"main": upstream(csms)}) as at:
        for charger in chargers:
            await at.connect(charger)
        stop = asyncio.Event()

        async def talk(charger: str, begin: float) -> None:
            await asyncio.sleep(begin)
            number = 0
            while not stop.is_set():
                await at.meter(charger, range(number, number + 1))
                number += 1
                await asyncio.sleep(0.05)

        talking = [asyncio.create_task(talk(charger, 0.007 * n)) for n, charger in enumerate(chargers)]
        await eventually("told", lambda: all(len(csms.heard(charger)) > 5 for charger in chargers))
        journal = Journal(at.config.redis, now_ms=now_ms)
        await journal.start()
        hub = Hub(at.config, journal, Wheel(), Metering(at.metrics))
        heir = next(f"hub-{n}" for n in range(99) if ownership.owner(0, sorted([f"hub-{n}", at.hub.id])) == f"hub-{n}")
        hub.id = hub._ownership._hub = heir
        running = asyncio.create_task(hub.run())
        began = time.monotonic()
        if how == "drained":
            await at.hub.drain(8)
        await eventually("taken over", lambda: 0 in hub.partitions)
        assert time.monotonic() - began < 6
        before = {charger: len(csms.heard(charger)) for charger in chargers}
        await eventually("told", lambda: all(len(csms.heard(charger)) > before[charger] + 5 for charger in chargers))
        stop.set()
        await asyncio.gather(*talking)
        await asyncio.sleep(0.3)
        for charger in chargers:
            heard = csms.heard(charger)
            assert heard == list(range(len(heard)))
        await hub.drain(0)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await journal.stop()


async def inbox(at: Site) -> AsyncIterator[ToCharger]:
    for _, item in await at.edge.read_inbox(EDGE, "0", 10):
        yield item
