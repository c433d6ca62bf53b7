"""A hub without sessions and sockets (the real Reader and Partition) on a real server, and a world that drives it at random."""

from __future__ import annotations

import asyncio
import random
from asyncio import Future
from typing import Any

import msgspec

from gateway.config import RedisConfig
from gateway.hub.effects import Effects
from gateway.hub.partition import Partition
from gateway.hub.reader import Reader
from gateway.hub.session import SESSION
from gateway.journal import Journal
from gateway.journal.entry import Entry, Head
from gateway.journal.errors import StoreDown
from gateway.journal.facts import Commit
from gateway.journal.streams import Batch, order
from tests.gateway.journal.conftest import HEAD, Server, now_ms, until

UPSTREAMS = ["a", "b"]
GROUPS = [SESSION, *UPSTREAMS]
STREAM = "{p00}:in"
CHARGERS = 4
STEPS = 400
KINDS = {
    "local": 40,
    "foreign": 8,
    "answer": 8,
    "acknowledge": 40,
    "all": 3,
    "ring": 5,
    "connect": 3,
    "close": 2,
    "trim": 4,
    "look": 4,
    "kill": 2,
    "outage": 2,
    "tend": 4,
}
"""Kind of a step -> how often it is taken."""


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
        self.losing = ""
        """What is lost of a commit: "its answer", "all of it"."""
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
            if self.losing:
                lost = (
                    self.journal._store.call("PING") if self.losing == "all of it" else send(partition, token, commit)
                )
                lost.set_result = lambda _: lost.fail(StoreDown("the store was away"))  # type: ignore
                return lost
            future = send(partition, token, commit)
            self._commits.append((future, commit))
            return future

        self.journal.commit = watched  # type: ignore[method-assign]

    async def own(self) -> Partition:
        token = await self.journal.acquire(0, "hub")
        assert token is not None
        await self.journal.ensure_groups(0, GROUPS)
        partition = self.partitions[0] = Partition(0, token, self.journal, self._send, self._failed)
        partition.positions = await self.journal.positions(0)
        await self.reader.continue_pending(partition)
        self._running = asyncio.create_task(self.reader.run())
        return partition

    def tend(self) -> None:
        """Every few seconds `Ownership` does this."""
        self.partition.pass_all()

    async def back(self) -> None:
        """The store is back, as `Ownership` sees to it."""
        token = await self.journal.acquire(0, "hub")
        assert token is not None
        await self.partition.resume(token)
        self.reader.ring(0)

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
        if self.partition.dirty:
            ids |= set(self.partition.effects.acks.get(group, ()))
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
        for group, entries in batch.items():
            for entry in entries:
                self._happened(group, entry)
                if group == SESSION:
                    partition.acknowledge(group, entry.id)

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
        if self.losing:
            return
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

    async def outage(self) -> None:
        """The store is away for a moment: a commit's answer is lost, whether it was carried out or not; the hub decides meanwhile."""
        hub, partition, pick = self.hub, self.hub.partition, self.random
        hub.losing = pick.choice(("", "its answer", "all of it"))
        self.acknowledge(pick.choice(UPSTREAMS), pick.choice((0, 1, 6)), pick.random() < 0.6)
        await asyncio.sleep(0)
        await until(lambda: partition.steady)
        hub.losing, partition.interrupted = "", True
        self.acknowledge(pick.choice(UPSTREAMS), pick.choice((0, 1, 6)), pick.random() < 0.6)
        await asyncio.sleep(0)
        await hub.back()

    async def step(self) -> None:
        pick = self.random
        number = pick.randrange(CHARGERS)
        head = self.heads[f"CP-{number}"]
        match pick.choices(list(KINDS), list(KINDS.values()))[0]:
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
            case "outage":
                await self.outage()
            case "tend":
                self.hub.tend()
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
