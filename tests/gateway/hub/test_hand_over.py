"""Entries are handed over in the process, read back, acknowledged in any order, and hubs die: nothing is lost or doubled.

A small hub without sessions and sockets (the real Reader and Partition) on a real server, driven at random.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus
from websockets.typing import Subprotocol

from gateway.config import RedisConfig
from gateway.hub import reader as reader_module
from gateway.hub.session import SESSION
from gateway.journal import store as store_module
from gateway.journal.errors import Fenced
from tests.e2e.process import Gateway
from tests.gateway.journal.conftest import HEAD, Server, until

from .world import GROUPS, STEPS, UPSTREAMS, Hub, World


@pytest.fixture
async def world(
    server: Server, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    monkeypatch.setattr(reader_module, "FRESH_SECONDS", 0.0 if request.param % 4 else 2.0)
    monkeypatch.setattr(store_module, "PATIENCE", 100)  # a disk that is busy is no outage: nobody here would resume
    world = World(server, request.param)
    await world.start()
    yield world
    await world.stop()


@pytest.mark.parametrize(
    "world", [*range(10), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(10, 60))], indirect=True
)
async def test_nothing_is_lost_or_taken_twice(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, "READ_COUNT", world.random.choice((3, 10, 200)))
    for _ in range(STEPS):
        await world.step()
        assert world.hub.failures == []
    await asyncio.wait(world.appends, timeout=5)
    world.hub.reader.ring(0)
    await world.look()
    last = {group: world.wanted(group)[-1] for group in GROUPS}
    await until(lambda: bool(world.hub.failures) or all(world.hub.has_come_to(last[each], each) for each in UPSTREAMS))
    assert world.hub.failures == []
    for group in UPSTREAMS:
        world.acknowledge(group, 100_000, False)
    await until(lambda: not world.hub.partition.dirty)
    world.hub.tend()
    await until(lambda: world.hub.partition.quiet and not world.hub.partition.reading)
    await world.look()
    world.check(world.hub)
    for group in UPSTREAMS:
        assert set(world.wanted(group)) == world.acknowledged[group] | world.hub.acknowledged[group]
        assert await world.pending(group) == []
        assert not world.hub.partition.handed.get(group)
    assert await world.pending(SESSION) == []
    await world.trim()
    assert world.handed + world.hub.handed > 0, "otherwise this tests nothing"


@pytest.fixture
def unwoken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only its own appends make a hub read."""
    monkeypatch.setattr(reader_module, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(reader_module, "ALONE_SECONDS", 60.0)


async def test_a_hub_that_was_replaced_is_handed_nothing(server: Server, unwoken: None) -> None:
    """It slept beyond its lease, its chargers still speak: what they say belongs to the new owner alone."""
    config = RedisConfig(url=server.url, partitions=1)
    old, new = Hub(config, alone=True), Hub(config, alone=True)
    await old.start()
    await new.start()
    epoch, _ = await old.journal.connect(HEAD)
    head = msgspec.structs.replace(HEAD, epoch=epoch)
    await old.own()
    await until(lambda: old.partition.run > 0)
    first = await old.journal.append("call", head, b"[2]")
    assert old.handed == 1
    await new.own()
    second = await old.journal.append("call", head, b"[2]")
    await until(lambda: bool(old.failures))
    assert isinstance(old.failures[0], Fenced)
    assert old.taken["a"] == [first.id]
    new.reader.ring(0)
    await until(lambda: new.taken["a"] == [first.id, second.id])
    await old.kill()
    await new.kill()


async def test_numbers_that_go_back_are_read(server: Server, unwoken: None) -> None:
    """A store that lost its newest entries (AOF of the last second, a failover) counts some numbers twice."""
    config = RedisConfig(url=server.url, partitions=1)
    hub = Hub(config, alone=True)
    await hub.start()
    epoch, _ = await hub.journal.connect(HEAD)
    head = msgspec.structs.replace(HEAD, epoch=epoch)
    await hub.own()
    await until(lambda: hub.partition.run > 0)
    await server.ask("HINCRBY", "{p00}:live", "run", -2)
    ids = [(await hub.journal.append("call", head, b"[2]")).id for _ in range(4)]
    await until(lambda: hub.taken["a"] == ids)
    await hub.kill()


async def test_a_partition_that_was_to_go_and_stays(server: Server, unwoken: None) -> None:
    """The read that was under way is one of the session group only: what the others missed comes before what comes next."""
    config = RedisConfig(url=server.url, partitions=1)
    hub = Hub(config, alone=True)
    await hub.start()
    epoch, _ = await hub.journal.connect(HEAD)
    head = msgspec.structs.replace(HEAD, epoch=epoch)
    partition = await hub.own()
    await until(lambda: partition.run > 0)
    ids = []
    for _ in range(20):
        partition.effects.parting = True
        ids.append((await hub.journal.append("call", head, b"[2]")).id)
        await until(lambda: partition.reading)
        partition.effects.parting, partition.run = False, -1
        hub.reader.ring(0)
        ids.append((await hub.journal.append("call", head, b"[2]")).id)
        await until(lambda: hub.taken["a"][-1:] == ids[-1:] and not partition.reading)
    assert hub.taken["a"] == hub.taken["b"] == ids
    assert not hub.failures
    await hub.kill()


async def test_every_acknowledged_message_arrives_through_a_kill(tmp_path: Path) -> None:
    """The real gateway, killed in the middle of 50 chargers with 20 messages each."""
    heard: Counter[tuple[str, str]] = Counter()

    async def csms(socket: ServerConnection) -> None:
        assert socket.request is not None
        charger = socket.request.path.rpartition("/")[2]
        with contextlib.suppress(ConnectionClosed):
            async for text in socket:
                _, id, _, payload = json.loads(text)
                heard[charger, payload["meterValue"][0]["sampledValue"][0]["value"]] += 1
                await asyncio.sleep(random.uniform(0, 0.02))
                await socket.send(json.dumps([3, id, {}]))

    answered: dict[str, int] = {}
    open_at_kill: dict[str, int] = {}
    upstream = await serve(csms, "127.0.0.1", 0, subprotocols=[Subprotocol("ocpp1.6")])
    port = next(iter(upstream.sockets)).getsockname()[1]
    gateway = Gateway(
        tmp_path / "gateway",
        {
            "upstreams": {"main": {"url": f"ws://127.0.0.1:{port}", "version": "ocpp1.6"}},
            "routes": [{"match": "*", "primary": "main"}],
        },
    )
    await gateway.start()

    async def charge(charger: str) -> None:
        while answered.setdefault(charger, 0) < 20:
            try:
                async with connect(
                    f"{gateway.url}/{charger}", subprotocols=[Subprotocol("ocpp1.6")], proxy=None
                ) as socket:
                    while (number := answered[charger]) < 20:
                        sample = {"timestamp": "2026-01-01T00:00:00Z", "sampledValue": [{"value": str(number)}]}
                        payload = {"connectorId": 1, "meterValue": [sample]}
                        await socket.send(json.dumps([2, f"{charger}-{number}", "MeterValues", payload]))
                        async with asyncio.timeout(20):
                            await socket.recv()
                        answered[charger] += 1
            except (OSError, ConnectionClosed, InvalidStatus, InvalidMessage):
                await asyncio.sleep(0.1)

    try:
        chargers = [asyncio.create_task(charge(f"CP{number}")) for number in range(50)]
        await until(lambda: sum(answered.values()) > 400)
        gateway.process.kill()  # type: ignore[union-attr]
        open_at_kill.update(answered)
        await gateway.kill()
        await gateway.start()
        await asyncio.wait_for(asyncio.gather(*chargers), 40)
        assert await gateway.stop() == 0
    finally:
        if gateway.process is not None and gateway.process.returncode is None:
            await gateway.kill()
        upstream.close()
        await upstream.wait_closed()
    assert set(heard) == {(f"CP{charger}", str(number)) for charger in range(50) for number in range(20)}
    for (charger, value), times in heard.items():
        # an answer may have been under way to the charger
        around = int(value) in (open_at_kill[charger], open_at_kill[charger] + 1)
        assert times == 1 or around, f"{charger} {value}: {times} times, killed at {open_at_kill[charger]}"
