"""Entries are handed over in the process, read back, acknowledged in any order, and hubs die: nothing is lost or doubled.

A small hub without sessions and sockets (the real Reader and Partition) on a real server, driven at random.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from asyncio import Future
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus
from websockets.typing import Subprotocol

from gateway.config import RedisConfig
from gateway.hub import reader as reader_module
from gateway.hub.effects import Effects
from gateway.hub.partition import Partition
from gateway.hub.reader import Reader
from gateway.hub.session import SESSION
from gateway.journal import Journal
from gateway.journal import store as store_module
from gateway.journal.entry import Entry, Head
from gateway.journal.errors import Fenced
from gateway.journal.facts import Commit
from gateway.journal.streams import Batch, order
from tests.e2e.process import Gateway
from tests.gateway.journal.conftest import HEAD, Server, now_ms, until

UPSTREAMS = ["a", "b"]
GROUPS = [SESSION, *UPSTREAMS]
STREAM = "{p00}:in"
CHARGERS = 4
STEPS = 400


class Hub:
    """One process: its journal client, and what its hub takes, per group and in order."""

    def __init__(self, config: RedisConfig, *, alone: bool = False) -> None:
        """`alone`: it looks seldom for what others append."""
        self.journal = Journal(config, now_ms=now_ms)
        self.partitions: dict[int, Partition] = {}
        self.reader = Reader(
            self.journal, GROUPS, self.partitions, self._take, self._failed, self._store_down, self._hand, lambda: alone
        )
        self.taken: dict[str, list[str]] = {group: [] for group in GROUPS}
        self.open: dict[str, dict[str, None]] = {group: {} for group in UPSTREAMS}
        self.acknowledged: dict[str, set[str]] = {group: set() for group in UPSTREAMS}
        self.undone: dict[str, list[str]] = {}
        """Per group, what was to be done when it took over, by the store's word."""
        self.tail = "0-0"
        """The newest entry then."""
        self.direct: set[str] = set()
        """Acknowledged in a way that brings no commit about."""
        self.told: dict[str, set[str]] = {group: set() for group in UPSTREAMS}
        """Acknowledged, and what was decided with that has left: the charger may know the answer."""
        self.handed = 0
        self.failures: list[BaseException] = []
        self._commits: list[tuple[Future[None], Commit]] = []
        self._floor: dict[str, tuple[int, int]] = dict.fromkeys(GROUPS, (0, 0))
        self._flush_due = False
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self.journal.start()
        self.journal.on_change = self.reader.ring
        self.journal.on_append = self.reader.hand_over
        send = self.journal.commit

        def watched(partition: int, token: int, commit: Commit) -> Future[None]:
            for group, (id, _) in commit.passed.items():
                assert order(id) >= self._floor[group], f"{group} goes back to {id}"
                self._floor[group] = order(id)
            future = send(partition, token, commit)
            self._commits.append((future, commit))
            return future

        self.journal.commit = watched  # type: ignore[method-assign]

    async def own(self) -> Partition:
        token = await self.journal.acquire(0, "hub")
        assert token is not None
        await self.journal.ensure_groups(0, GROUPS)
        partition = self.partitions[0] = Partition(0, token, self.journal, self._send, self._failed)
        await self.reader.continue_pending(partition)
        self._running = asyncio.create_task(self.reader.run())
        return partition

    async def kill(self) -> None:
        """What was not written yet is lost, what was under way may have happened."""
        if self._running is not None:
            self._running.cancel()
        for partition in self.partitions.values():
            partition.failed = True
        self.partitions.clear()
        self.journal.on_append = self.journal.on_change = None
        self.journal._store._connection._lost = None  # it need not come back
        self.journal._store._connection.close()
        await self.journal.stop()

    @property
    def partition(self) -> Partition:
        return self.partitions[0]

    def in_doubt(self, group: str) -> set[str]:
        """Acknowledged, but no commit of it is confirmed."""
        ids = self.direct & self.acknowledged[group]
        if self.partition.dirty or self.partition.reading:
            ids |= set(self.partition.effects.acks.get(group, ())) | set(self.partition.late.get(group, ()))
            if group in self.partition.handed:
                ids |= self.partition.handed[group].done
        for future, commit in self._commits:
            if not future.done():
                ids |= set(commit.acks.get(group, ()))
                if group in commit.passed:
                    end = order(commit.passed[group][0])
                    ids |= {id for id in self.acknowledged[group] if order(id) <= end}
        return ids

    def done(self, group: str, id: str, *, directly: bool) -> None:
        """As a link acknowledges, or `directly` as the hub does for a charger without that link."""
        del self.open[group][id]
        self.acknowledged[group].add(id)
        if directly:
            self.direct.add(id)
            self.partition.acknowledge(group, id)
        else:
            self.partition.effects.acks.setdefault(group, []).append(id)
        self._touched()

    def has_come_to(self, id: str, group: str) -> bool:
        """It has taken everything up to this entry, or the hub before had done with that."""
        before = order(id) <= order(self.tail) and id not in self.undone.get(group, ())
        return before or self.taken[group][-1:] == [id]

    def _touched(self) -> None:
        self.partition.dirty = True
        if not self._flush_due:
            self._flush_due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        if self.partitions:
            self.partition.flush()

    def _take(self, partition: Partition, batch: Batch) -> None:
        if batch.position and not batch.more:
            partition.position = batch.position
        if batch.position:
            for group, id in batch.passed.items():
                self._floor[group] = max(self._floor[group], order(id))
        for group, entries in batch.items():
            for entry in entries:
                self._happened(group, entry)

    def _hand(self, partition: Partition, entry: Entry) -> None:
        self.handed += 1
        if entry.kind != "call":
            partition.hand(entry, GROUPS, SESSION)
            self._happened(SESSION, entry)
            partition.acknowledge(SESSION, entry.id)
            return
        partition.hand(entry, GROUPS, "")
        for group in UPSTREAMS:
            self._happened(group, entry)

    def _happened(self, group: str, entry: Entry) -> None:
        assert (entry.kind == "call") is (group != SESSION)
        taken = self.taken[group]
        assert not taken or order(taken[-1]) < order(entry.id), f"{group}: {entry.id} after {taken[-1]}"
        taken.append(entry.id)
        if group != SESSION:
            self.open[group][entry.id] = None
            self._touched()

    def _send(self, effects: Effects) -> None:
        for group, ids in effects.acks.items():
            self.told[group].update(ids)

    def _failed(self, partition: Partition, error: BaseException) -> None:
        self.failures.append(error)
        partition.failed = True
        self.partitions.pop(partition.number, None)

    def _store_down(self, error: BaseException) -> None:
        if self.partitions:
            self.failures.append(error)


class World:
    """The store, the process that has the partition, and an edge elsewhere."""

    def __init__(self, server: Server, seed: int) -> None:
        self.random = random.Random(seed)
        self.config = RedisConfig(url=server.url, partitions=1)
        self.server = server
        self.foreign = Journal(self.config, now_ms=now_ms)
        self.hub = Hub(self.config, alone=self.random.random() < 0.7)
        self.heads: dict[str, Head] = {}
        self.kinds: dict[str, bytes] = {}
        """Every entry there ever was."""
        self.acknowledged: dict[str, set[str]] = {group: set() for group in UPSTREAMS}
        self.reached: dict[str, tuple[int, int]] = {}
        self.kills = self.trimmed = self.handed = 0
        self.appends: list[Future[Any]] = []

    async def start(self) -> None:
        await self.foreign.start()
        await self.hub.start()
        for number in range(CHARGERS):
            await self.connect(number)
        await self.hub.own()
        await self.look()

    async def stop(self) -> None:
        await self.hub.kill()
        await self.foreign.stop()

    async def connect(self, number: int) -> None:
        head = msgspec.structs.replace(HEAD, charger=f"CP-{number}")
        epoch, _ = await self.edge(number).connect(head)
        self.heads[head.charger] = msgspec.structs.replace(head, epoch=epoch)

    def edge(self, number: int) -> Journal:
        return self.foreign if number == 0 else self.hub.journal

    async def look(self) -> None:
        """Learn what is in the stream, and that no group went back."""
        for id, fields in await self.server.ask("XRANGE", STREAM, "-", "+"):
            self.kinds[id.decode()] = fields[1]
        for info in await self.server.ask("XINFO", "GROUPS", STREAM):
            group = dict(zip(info[::2], info[1::2], strict=True))
            name, at = group[b"name"].decode(), order(group[b"last-delivered-id"].decode())
            assert at >= self.reached.get(name, (0, 0)), name
            self.reached[name] = at

    def wanted(self, group: str) -> list[str]:
        return sorted((id for id, kind in self.kinds.items() if (kind == b"call") is (group != SESSION)), key=order)

    async def pending(self, group: str) -> list[str]:
        return [row[0].decode() for row in await self.server.ask("XPENDING", STREAM, group, "-", "+", 100_000)]

    async def hand_on(self, hub: Hub) -> None:
        """Note what the next owner has to take, by the store's word."""
        await self.look()
        hub.tail = max(self.kinds, key=order)
        for group in GROUPS:
            after = [id for id in self.wanted(group) if order(id) > self.reached[group]]
            hub.undone[group] = [*await self.pending(group), *after]

    async def kill(self) -> None:
        self.kills += 1
        hub = self.hub
        self.handed += hub.handed
        in_doubt = {group: hub.in_doubt(group) for group in UPSTREAMS}
        await hub.kill()
        self.check(hub)
        self.hub = Hub(self.config, alone=self.random.random() < 0.7)
        await self.hub.start()
        await self.hand_on(self.hub)
        for group in UPSTREAMS:
            self.acknowledged[group] |= hub.acknowledged[group]
            undone = set(self.hub.undone[group])
            lost = set(hub.open[group]) - undone
            assert not lost, f"{group}: nobody is given {sorted(lost)} again"
            again = undone & hub.told[group]
            assert not again, f"{group}: {sorted(again)} are given again, and what came of them has left"
            again = undone & self.acknowledged[group] - in_doubt[group]
            assert not again, f"{group}: {sorted(again)} are given again"
            assert set(self.wanted(group)) - self.acknowledged[group] <= undone
            self.acknowledged[group] -= undone
        await self.hub.own()

    def check(self, hub: Hub) -> None:
        """A hub took what was undone and then everything that came, without a gap."""
        assert hub.failures == []
        for group, taken in hub.taken.items():
            first = set(hub.undone.get(group, ()))
            due = [id for id in self.wanted(group) if id in first or order(id) > order(hub.tail)]
            known = [id for id in taken if id in self.kinds]
            assert known == due[: len(known)], group

    async def trim(self) -> None:
        await self.look()
        self.trimmed += await self.hub.journal.trim(0, self.hub.partition.token, GROUPS)
        there = {id.decode() for id, _ in await self.server.ask("XRANGE", STREAM, "-", "+")}
        for group in UPSTREAMS:
            done = self.acknowledged[group] | self.hub.acknowledged[group]
            gone = set(self.wanted(group)) - there - done
            assert not gone, f"{group} has not done with {sorted(gone)}"

    async def step(self) -> None:
        pick = self.random
        number = pick.randrange(CHARGERS)
        head = self.heads[f"CP-{number}"]
        match pick.choices(
            ["local", "foreign", "answer", "acknowledge", "all", "ring", "connect", "close", "trim", "look", "kill"],
            [40, 8, 8, 40, 3, 5, 3, 2, 4, 4, 2],
        )[0]:
            case "local":
                local = self.heads[f"CP-{pick.randrange(1, CHARGERS)}"]
                for _ in range(pick.choice((1, 1, 1, 2, 7, 15))):
                    self.appends.append(self.hub.journal.append("call", local, b"[2]"))
            case "foreign":
                for _ in range(pick.choice((1, 1, 3, 12))):
                    self.appends.append(self.foreign.append("call", self.heads["CP-0"], b"[2]"))
            case "answer":
                self.appends.append(self.edge(number).append("answer", head, b"[3]"))
            case "acknowledge":
                self.acknowledge(pick.choice(UPSTREAMS), pick.choice((1, 1, 2, 6)), pick.random() < 0.6)
            case "all":
                self.acknowledge(pick.choice(UPSTREAMS), 10_000, True)
            case "ring":
                self.hub.reader.ring(0)
            case "connect":
                await self.connect(number)
            case "close":
                await self.edge(number).close_charger(head)
                await self.connect(number)
            case "trim":
                await self.trim()
            case "look":
                await self.look()
            case "kill":
                await self.kill()
        match pick.randrange(6):
            case 0:
                await asyncio.sleep(0.002)
            case 1 | 2 | 3:
                for _ in range(pick.randrange(1, 6)):
                    await asyncio.sleep(0)

    def acknowledge(self, group: str, count: int, oldest: bool) -> None:
        for _ in range(min(count, len(self.hub.open[group]))):
            ids = self.hub.open[group]
            id = next(iter(ids)) if oldest else self.random.choice(list(ids))
            self.hub.done(group, id, directly=self.random.random() < 0.1)


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
    await until(lambda: world.hub.partition.quiet)
    world.hub.reader.ring(0)  # as the hub does now and then while entries are handed
    await asyncio.sleep(0)
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
