"""Which partitions a hub owns: leases, take-over, what is given up, trimming."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import time
from collections.abc import Awaitable, Callable

import structlog

from gateway.journal.errors import Fenced, StoreDown
from gateway.journal.journal import Journal
from gateway.journal.leases import LEASE_TTL

from .behind import Behind
from .moving import MOVE_SECONDS, PART_SECONDS, Moving
from .partition import Partition
from .reader import Reader

log = structlog.get_logger(__name__)

RENEW_SECONDS = 5.0
"""Between two renewals of the leases (they live 15 s)."""
LOOK_SECONDS = 1.0
"""Between two looks at who lives: what another hub has handed over is taken within that time."""
AWAY_SECONDS = 0.2
"""Between two attempts while the store is away."""
GIVE_SECONDS = 0.02
"""Between two looks whether a partition that another hub shall have can go."""
TRIM_SECONDS = 10.0
DEAD_SECONDS = 20.0
"""An edge that has had no lease for so long is dead for good: its homes are ended."""


SWEEP_SECONDS = 3.0
"""From the loss of partitions until the memory of their sessions is given back, once for all of them."""


class Ownership:
    """Keeps `partitions` to what this hub has leased. The hub says how to begin a partition and what to do when it is lost."""

    def __init__(
        self,
        hub: str,
        journal: Journal,
        reader: Reader,
        partitions: dict[int, Partition],
        groups: list[str],
        *,
        count: int,
        begin: Callable[[int, int, dict[str, tuple[str, int, str]]], Partition],
        resume: Callable[[Partition], Awaitable[None]],
        lost: Callable[[Partition], None],
        settled: Callable[[Partition], bool],
        commanding: Callable[[Partition], bool],
        stay: Callable[[Partition], None],
        keeps: Callable[[], float],
        tended: Callable[[], None],
    ) -> None:
        """`begin(number, token, homes)` makes a partition; `resume` is awaited with it before anything is read; `settled`:
        nothing is open in a partition; `commanding`: a charger there has a command to answer; `stay`: what `effects.parting` held
        back goes on; `keeps`: seconds for which what is done stays stored; `tended` is called every few seconds."""
        self.ready = asyncio.Event()
        """Set once the first partitions are owned."""
        self.alone = True
        """No other hub lives."""
        self.begins: dict[str, str] = {}
        """Upstream -> id after which its group begins on a stream that is in use; the tail unless it says otherwise."""
        self.edges: set[str] = set()
        """Edges that live."""
        self.lag: dict[str, Behind] = {}
        """By upstream; empty while nobody knows."""
        self.length = 0
        """Entries in the streams owned here."""
        self.taken_over = 0
        """Partitions that were taken over since the start."""
        self._hub = hub
        self._journal = journal
        self._reader = reader
        self._partitions = partitions
        self._groups = groups
        self._count = count
        self._begin = begin
        self._resume = resume
        self._lost = lost
        self._keeps = keeps
        self._tended = tended
        self.hurried = False
        """What is given back is given back at once."""
        self._ended = False
        self._away = asyncio.Event()
        """The store was away, and not all partitions have been resumed."""
        self._life = journal.life
        self._sweeping: asyncio.TimerHandle | None = None
        self._moving = Moving(partitions, settled=settled, commanding=commanding, stay=stay)
        self._dead: dict[str, float] = {}
        """Edge that somebody is said to be at, without a lease -> since when."""
        self._tidied = 0
        """Partition whose homes were looked through last."""

    async def run(self) -> None:
        """Renew, take over and give back, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._stay())
            tasks.create_task(self._spread())

    async def _stay(self) -> None:
        """Keep what is owned. While the store is away it is kept as long as the lease certainly lives."""
        while True:
            try:
                await self._renew()
                if self._away.is_set():
                    await self._resume_all()
            except StoreDown as error:
                self.interrupted(error)
            now = time.monotonic()
            for partition in [each for each in self._partitions.values() if now > each.leased_until]:
                log.warning("partition_given_up", partition=partition.number, reason="its lease could not be renewed")
                self.drop(partition)
            with contextlib.suppress(TimeoutError):
                if self._away.is_set():
                    await asyncio.sleep(AWAY_SECONDS)
                else:
                    async with asyncio.timeout(RENEW_SECONDS):
                        await self._away.wait()

    async def _spread(self) -> None:
        """Take over and give back as hubs come and go."""
        tended = 0.0
        while not self._ended:
            if not self._away.is_set():
                try:
                    await self._look()
                    if time.monotonic() - tended >= RENEW_SECONDS:
                        tended = time.monotonic()
                        self._tended()
                        await self._measure_lag()
                except StoreDown as error:
                    self.interrupted(error)
            end = time.monotonic() + (AWAY_SECONDS if self._away.is_set() else LOOK_SECONDS)
            while (left := end - time.monotonic()) > 0:
                await asyncio.sleep(min(left, GIVE_SECONDS) if self._moving.since else left)
                if self._moving.since and not self._ended:
                    try:
                        await self._give()
                    except StoreDown as error:
                        self.interrupted(error)

    async def _give(self) -> None:
        """Release what other hubs shall have as soon as nothing is open there."""
        for number, since in list(self._moving.since.items()):
            partition = self._partitions.get(number)
            if partition is not None and self._moving.goes(partition, since, MOVE_SECONDS, PART_SECONDS):
                self._part(partition)
                await self._journal.release(number, partition.token)

    async def trim(self) -> None:
        """Free what every group has done with and nobody wants to have kept, until cancelled."""
        while True:
            await asyncio.sleep(TRIM_SECONDS)
            for partition in list(self._partitions.values()):
                if partition.interrupted:
                    continue
                try:
                    await self._journal.trim(partition.number, partition.token, self._groups, keep=self._keeps())
                except Fenced as error:
                    self.failed(partition, error)
                except StoreDown:
                    break

    async def give_back(self, seconds: float) -> None:
        """Release every lease once nothing is open in its partition, or after so many seconds; other hubs take over at once."""
        self._ended = True
        since = time.monotonic()
        try:
            await self._journal.hub_gone(self._hub)
            while self._partitions:
                released = []
                for partition in list(self._partitions.values()):
                    if self.hurried or self._moving.goes(
                        partition, since, seconds, seconds
                    ):  # now: it is served until it is dropped
                        self._part(partition)
                        released.append(self._journal.release(partition.number, partition.token))
                await asyncio.gather(*released)
                await asyncio.sleep(0.02 if self._partitions else 0)
            await self._journal.hub_gone(self._hub)  # a renewal may have been under way
        except StoreDown as error:
            self.drop_all(error)

    def _part(self, partition: Partition) -> None:
        """The next owner need not read again what is done: that is committed before the lease is given back."""
        partition.pass_all()
        self.drop(partition)

    def drop(self, partition: Partition) -> None:
        """Forget a partition: its sessions are another hub's now, or will be loaded again."""
        partition.failed = True
        if self._partitions.get(partition.number) is partition:
            del self._partitions[partition.number]
            self._moving.gone(partition.number)
            self._lost(partition)
            if self._sweeping is None:
                self._sweeping = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep)

    def _sweep(self) -> None:
        """Sessions and links refer to one another: without this the dead ones stay, as cycles are looked for rarely (app.py)."""
        self._sweeping = None
        gc.collect()

    def drop_all(self, error: BaseException) -> None:
        """Nothing that is held is certain any more."""
        if self._partitions:
            log.warning("partitions_given_up", reason=str(error))
        for partition in list(self._partitions.values()):
            self.drop(partition)
        self.lag = {}  # nobody knows

    def interrupted(self, error: BaseException) -> None:
        """The store is away, or was. Leases last: sessions and their sockets are kept, nothing is decided that needs it."""
        if not self._away.is_set():
            self._away.set()
            log.warning("store_away", reason=str(error))
        self.lag = {}
        for partition in list(self._partitions.values()):
            if partition.caught_up:
                partition.interrupted = True
            else:
                self.drop(partition)
        for number in list(self._moving.since):
            self._moving.keep(number)  # it has its time again when the store is back

    def failed(self, partition: Partition, error: BaseException) -> None:
        """A commit or a read of a partition was refused, or its outcome is unknown."""
        if isinstance(error, StoreDown):
            self.interrupted(error)
            return
        if isinstance(error, Fenced):
            log.warning("partition_fenced", partition=partition.number)
        else:
            log.warning("commit_failed", partition=partition.number, reason=repr(error))
        self.drop(partition)

    async def _renew(self) -> None:
        """What another hub has taken, while this process slept, is dropped before anything else happens."""
        held = list(self._partitions.values())
        until = time.monotonic() + LEASE_TTL
        for partition, renewed in zip(
            held, await asyncio.gather(*(self._journal.renew(each.number, each.token) for each in held)), strict=True
        ):
            if renewed:
                partition.leased_until = until
                if partition.dirty and not partition.failed:
                    partition.flush()
            elif not partition.failed:
                log.warning("partition_lost", partition=partition.number)
                self.drop(partition)
        if not self._ended:
            await self._journal.hub_alive(self._hub)

    async def _resume_all(self) -> None:
        """The store is back and the leases are held: go on where it was left. Another store may know less: begin anew."""
        self._journal.noticed()
        life, self._life = self._life, self._journal.life
        if life != self._life:
            self.drop_all(StoreDown("it is another server now, or was started anew"))
        waiting = [each for each in self._partitions.values() if each.interrupted]
        for partition in waiting:
            if not partition.steady:
                continue  # soon: what was under way has ended with the connection
            try:
                if not set(self._groups) <= partition.positions.keys():
                    self.drop(partition)
                    continue
                # A new token: what was sent under the old one may still come to the store, and must be refused there.
                token = await self._journal.acquire(partition.number, self._hub)
                if token is None or time.monotonic() > partition.leased_until:
                    self.drop(partition)
                    continue
                await partition.resume(token)
                self._reader.ring(partition.number)
            except Fenced as error:
                self.failed(partition, error)
            except StoreDown as error:
                if not self._journal.healthy:
                    raise
                # It is there and refuses this: what was decided must be decided anew.
                log.warning("commit_failed", partition=partition.number, reason=repr(error))
                self.drop(partition)
        if not any(each.interrupted for each in self._partitions.values()):
            self._away.clear()
            log.warning("store_back", kept=len(self._partitions))

    async def _look(self) -> None:
        hubs = sorted(await self._journal.hubs() | {self._hub})
        self.alone = hubs == [self._hub]
        edges, before = await self._journal.edges(), self.edges
        self.edges = edges
        for number in range(self._count):
            mine = owner(number, hubs) == self._hub
            partition = self._partitions.get(number)
            if self._ended:
                return
            if mine or partition is None:
                self._moving.keep(number)
            if partition is not None and not mine:
                self._moving.since.setdefault(number, time.monotonic())
            elif partition is None and mine:
                until = time.monotonic() + LEASE_TTL
                token = await self._journal.acquire(number, self._hub)
                if token is not None:
                    try:
                        await self._take_over(number, token, until)
                    except Fenced as error:
                        if partition := self._partitions.get(number):
                            self.failed(partition, error)
        self.ready.set()
        if not before <= edges:
            self._tended()
        await self._tidy()

    async def _tidy(self) -> None:
        """End the homes of one partition at edges that are dead: whoever was there lost its socket with it."""
        numbers = sorted(self._partitions)
        if not numbers:
            return
        self._tidied = next((number for number in numbers if number > self._tidied), numbers[0])
        partition = self._partitions[self._tidied]
        homes, now = await self._journal.homes(partition.number), time.monotonic()
        for edge in {edge for edge, _, _ in homes.values()} - self.edges:
            self._dead.setdefault(edge, now)
        self._dead = {edge: since for edge, since in self._dead.items() if edge not in self.edges and now - since < 600}
        dead = {
            charger: (edge, epoch)
            for charger, (edge, epoch, _) in homes.items()
            if edge not in self.edges and now - self._dead.get(edge, now) > DEAD_SECONDS
        }
        if dead:
            with contextlib.suppress(Fenced):
                await self._journal.vacate(partition.number, partition.token, dead)

    async def _take_over(self, number: int, token: int, until: float) -> None:
        """Continue a partition: who is connected, what was delivered and not acknowledged, then what is new."""
        ready: list[str] = []
        while ready != self._groups:  # the configuration may grow meanwhile
            ready = list(self._groups)
            await self._journal.ensure_groups(number, ready, self.begins)
            positions = await self._journal.positions(number)
            homes = await self._journal.homes(number)
        # Who was connected to an edge that is dead lost its socket with it.
        alive = {charger: home for charger, home in homes.items() if home[0] in self.edges}
        partition = self._begin(number, token, alive)
        partition.positions, partition.leased_until = positions, until
        partition.deserted = number in self._journal.deserted
        partition.reading = True  # nothing new is read before what is pending
        self._partitions[number] = partition
        self.taken_over += 1
        await self._resume(partition)
        await self._reader.continue_pending(partition)

    async def _measure_lag(self) -> None:
        """How far each upstream is behind, over the partitions owned here."""
        names = self._groups[1:]
        found = {name: Behind() for name in names}
        for partition in self._partitions.values():
            partition.pass_all()  # what was told and is not done is pending, not unread
        lags = await asyncio.gather(*(self._journal.lag(number, names) for number in list(self._partitions)))
        for each in lags:
            for name, lag in each.items():
                found[name].add(lag)
        self.length = sum(max((lag.length for lag in each.values()), default=0) for each in lags)
        # Whoever owns nothing knows nothing.
        self.lag = found if self._partitions else {}


def owner(partition: int, hubs: list[str]) -> str:
    """Who of the live hubs owns a partition (rendezvous hashing: a change of the fleet moves as little as possible)."""
    return max(hubs, key=lambda hub: hashlib.blake2b(f"{partition}:{hub}".encode(), digest_size=8).digest())
