"""What a hub may do with what it owns, and what becomes of those who were at a dead edge."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from gateway.config import RedisConfig, Upstream
from gateway.hub import ownership
from tests.gateway.journal.conftest import Server, binary, server

from .site import EDGE, Csms, eventually, site

__all__ = ["binary", "server"]


@pytest.fixture
async def csms() -> AsyncIterator[Csms]:
    csms = Csms()
    await csms.start()
    yield csms
    await csms.stop()


@pytest.fixture
def store(server: Server) -> RedisConfig:
    return RedisConfig(url=server.url)


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
