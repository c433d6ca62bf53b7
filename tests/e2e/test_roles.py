"""Edges and hubs as processes of their own on one redis-server: any of them may die or leave."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from ocpp.v201 import call as call201

from gateway.journal import keys

from .charger import Charger16
from .charges import charges_201
from .conftest import FAILED, Connect, StartCsms
from .csms import Csms, now
from .process import Gateway
from .redis_server import RedisServer, redis_server
from .test_store import persist
from .wire import PATIENCE

__all__ = ["redis_server"]

pytestmark = [pytest.mark.full, pytest.mark.timeout(300)]

TAG = "04A1B2C3"
PARTITIONS = 24
"""So many that hashing gives every one of two hubs some."""


class Fleet:
    """Edges and hubs on one store."""

    def __init__(self, directory: Path, csms: Csms, store: RedisServer) -> None:
        self.store = store
        self.processes: list[Gateway] = []
        self._directory = directory
        self._config = {
            "redis": {"url": store.url, "partitions": PARTITIONS},
            "upstreams": {"main": {"url": csms.url, "version": csms.version, "reconnect_max": 1}},
            "routes": [{"match": "*", "primary": "main", "primary_down": "buffer"}],
        }

    async def start(self, role: str) -> Gateway:
        process = Gateway(self._directory / f"{role}{len(self.processes)}", self._config)
        self.processes.append(process)
        await process.start(arguments=() if role == "both" else ("--role", role))
        return process

    async def owner(self, charger: str) -> Gateway:
        """The hub that owns the charger's partition, once one does."""
        lease = keys.lease(keys.partition(charger, PARTITIONS))
        async with asyncio.timeout(PATIENCE):
            while True:
                if held := await self.store.ask("GET", lease):
                    pid = int(held.decode().split()[1].split("-")[-2])
                    for each in self.processes:
                        if each.process is not None and each.process.pid == pid and each.process.returncode is None:
                            return each
                await asyncio.sleep(0.05)

    async def balanced(self, hubs: int) -> None:
        """Waits until that many hubs own partitions, and every partition has one."""
        async with asyncio.timeout(PATIENCE):
            while True:
                held = [await self.store.ask("GET", keys.lease(number)) for number in range(PARTITIONS)]
                if None not in held and len({each.decode().split()[1] for each in held}) == hubs:
                    return
                await asyncio.sleep(0.1)


@pytest.fixture
async def csms(start_csms: StartCsms) -> Csms:
    return await start_csms("ocpp2.0.1")


@pytest.fixture
async def fleet(
    tmp_path: Path, csms: Csms, redis_server: RedisServer, request: pytest.FixtureRequest
) -> AsyncIterator[Fleet]:
    await redis_server.start()
    fleet = Fleet(tmp_path, csms, redis_server)
    yield fleet
    codes = [await each.stop() for each in reversed(fleet.processes)]
    if request.node.stash.get(FAILED, False):
        for each in fleet.processes:
            print(f"--- log of {each.directory.name} ---\n{each.tail(60)}")
    else:
        assert all(code in (0, -signal.SIGKILL) for code in codes), codes


async def boot(charger: Charger16) -> None:
    assert (await charger.boot()).status == "Accepted"
    await charger.status(1, "Available")


def assert_one_charge(csms: Csms, charger: str, energy: int) -> None:
    [charge] = charges_201(csms.station(charger).recorder)
    assert charge.energy == Decimal(energy)
    assert charge.kinds[-1] == "Ended"


async def test_kill_the_hub_that_owns_the_charger(fleet: Fleet, csms: Csms, plug_in: Connect) -> None:
    edge, _, _ = await fleet.start("edge"), await fleet.start("hub"), await fleet.start("hub")
    await fleet.balanced(2)
    charger = await plug_in(Charger16, edge.url, "CP1")
    await boot(charger)
    station = csms.station("CP1")
    assert (await station.call(call201.ClearCache())).status == "Accepted"
    transaction = await charger.start(1, TAG)
    charger.meter += 100
    await charger.meter_values(1, transaction)

    await (await fleet.owner("CP1")).kill()
    charger.meter += 100
    loop = asyncio.get_running_loop()
    killed = loop.time()
    await persist(charger, charger.meter_values, 1, transaction)
    assert loop.time() - killed < 20, "another hub takes over when the lease has ended"
    assert charger.recorder.connections == 1, "the charger has noticed nothing"
    assert (await station.call(call201.ClearCache())).status == "Accepted"
    charger.meter += 100
    await charger.stop(transaction)
    assert_one_charge(csms, "CP1", 300)


async def test_kill_the_edge_of_the_charger(fleet: Fleet, csms: Csms, plug_in: Connect) -> None:
    one, two, _ = await fleet.start("edge"), await fleet.start("edge"), await fleet.start("hub")
    charger = await plug_in(Charger16, one.url, "CP1")
    await boot(charger)
    began = now()
    transaction = await charger.start(1, TAG, began)
    charger.meter += 100
    await charger.meter_values(1, transaction)
    await one.kill()
    await charger.lost()
    await charger.close()
    charger.url = f"{two.url}/CP1"
    await charger.connect()
    charger.meter -= 100
    assert await charger.start(1, TAG, began) == transaction, "the same content is the same message"
    charger.meter += 200
    await charger.meter_values(1, transaction)
    assert (await csms.station("CP1").call(call201.ClearCache())).status == "Accepted"
    charger.meter += 100
    await charger.stop(transaction)
    assert_one_charge(csms, "CP1", 300)


async def test_the_edge_dies_while_the_charger_stays_away(fleet: Fleet, csms: Csms, plug_in: Connect) -> None:
    """An edge that is dead counts as a goodbye of all its chargers: commands to them fail instead of waiting."""
    one, _ = await fleet.start("edge"), await fleet.start("hub")
    charger = await plug_in(Charger16, one.url, "CP1")
    await boot(charger)
    await one.kill()
    await charger.lost()
    station = csms.station("CP1")
    refusals: list[Any] = []
    async with asyncio.timeout(30):
        while not refusals and station.peer is not None:
            try:
                await station.call(call201.ClearCache(), 40)
            except Exception as error:
                refusals.append(error)
            await asyncio.sleep(0.5)
    assert refusals or station.peer is None


async def test_newest_connection_wins_across_edges(fleet: Fleet, csms: Csms, plug_in: Connect) -> None:
    one, two, _ = await fleet.start("edge"), await fleet.start("edge"), await fleet.start("hub")
    older = await plug_in(Charger16, one.url, "CP1")
    await boot(older)
    newer = await plug_in(Charger16, two.url, "cp1")
    await older.lost()
    assert older.close_code == 1008
    await newer.boot()
    assert (await newer.heartbeat()).current_time
    assert newer.close_code is None


async def test_rolling_restart_of_the_hubs(fleet: Fleet, csms: Csms, plug_in: Connect) -> None:
    edge = await fleet.start("edge")
    hubs = [await fleet.start("hub"), await fleet.start("hub")]
    await fleet.balanced(2)
    chargers = [await plug_in(Charger16, edge.url, f"CP{number}") for number in range(6)]
    done = asyncio.Event()
    readings = dict.fromkeys((charger.identity for charger in chargers), 0)

    async def charge(charger: Charger16) -> None:
        await boot(charger)
        transaction = await charger.start(1, TAG)
        while not done.is_set():
            charger.meter += 10
            await persist(charger, charger.meter_values, 1, transaction)
            readings[charger.identity] += 1
            await asyncio.sleep(0.02)
        await charger.stop(transaction)

    running = [asyncio.create_task(charge(charger)) for charger in chargers]
    for hub in hubs:
        before = dict(readings)
        assert await hub.stop() == 0
        async with asyncio.timeout(60):
            while any(readings[each] < before[each] + 5 for each in readings):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await hub.start()
        await fleet.balanced(2)
    done.set()
    await asyncio.gather(*running)
    for charger in chargers:
        assert_one_charge(csms, charger.identity, 10 * readings[charger.identity])
        assert charger.recorder.connections == 1
        assert not [x.error for x in charger.recorder.calls(mine=True) if x.error]
