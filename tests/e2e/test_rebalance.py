"""After a scale-up: the surplus of an edge leaves gently and comes back elsewhere; whoever has an open exchange ends it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from tests.faults.fleet import Fleet
from tests.faults.swarm import Charger

from .operator import ask, until

pytestmark = [pytest.mark.full, pytest.mark.timeout(120)]

CHARGERS = 24


async def test_a_new_edge_gets_its_share(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    await fleet.backend("main", "ocpp1.6")
    fleet.config = {"drain": {"close_rate": 8, "timeout": 2}}
    try:
        await fleet.start(edges=1, hubs=1)
        chargers = [await fleet.booted(f"CP{number}") for number in range(CHARGERS)]
        hub = fleet.hubs[0]
        status, found = await ask(hub, "POST", "/api/v1/rebalance", {})
        assert (status, found["moves"]) == (200, 0)
        await fleet.node("edge")
        for each in chargers:
            each.urls = [fleet.urls[1]]  # a balancer that prefers whoever has the fewest
        status, found = await ask(hub, "POST", "/api/v1/rebalance", {"dry_run": True})
        assert (status, found["moves"]) == (200, CHARGERS // 2)
        begun = time.monotonic()
        status, found = await ask(hub, "POST", "/api/v1/rebalance", {})
        assert status == 202 and sorted(each["moves"] for each in found["edges"].values()) == [0, CHARGERS // 2]
        status, _ = await ask(fleet.hubs[0], "POST", "/api/v1/rebalance", {})
        assert status == 409
        moved = asyncio.Event()
        telling = asyncio.create_task(_tell(chargers, moved))
        await until(
            "half of them are elsewhere", lambda: sum(not each.connected for each in chargers) == 0 and _moved(chargers)
        )
        assert time.monotonic() - begun > 1, "no faster than the rate"
        moved.set()
        await telling
        closed = [each for each in fleet.history.closed if each.code != 1000]
        assert len(closed) == CHARGERS // 2 and {each.code for each in closed} == {1012}
        status, found = await ask(hub, "POST", "/api/v1/rebalance", {})
        assert (status, found["moves"]) == (200, 0)
        assert sorted(each["chargers"] for each in found["edges"].values()) == [CHARGERS // 2] * 2
        await fleet.right()
    finally:
        await fleet.stop()


def _moved(chargers: list[Charger]) -> bool:
    return sum(each.connection == 2 for each in chargers) == len(chargers) // 2


async def _tell(chargers: list[Charger], moved: asyncio.Event) -> None:
    """They go on meanwhile."""
    while not moved.is_set():
        await asyncio.gather(*(each.status("Available") for each in chargers))
        await asyncio.sleep(0.1)
