"""Which partitions a hub owns: leases, take-over, what is given up, trimming."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Awaitable, Callable

import structlog

from gateway.journal.errors import Fenced, StoreDown
from gateway.journal.journal import Journal

from .partition import Partition
from .reader import Reader

log = structlog.get_logger(__name__)

TEND_SECONDS = 5.0
"""Between two renewals of the leases (they live 15 s)."""
TRIM_SECONDS = 10.0


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
        tended: Callable[[], None],
    ) -> None:
        """`begin(number, token, homes)` makes a partition; `resume` is awaited with it before anything is read; `tended` is
        called after each round."""
        self.ready = asyncio.Event()
        """Set once the first partitions are owned."""
        self.alone = True
        """No other hub lives."""
        self.begins: dict[str, str] = {}
        """Upstream -> id after which its group begins on a stream that is in use; the tail unless it says otherwise."""
        self.edges: set[str] = set()
        """Edges that live."""
        self.lag: dict[str, tuple[int, float]] = {}
        """Upstream -> (entries not acknowledged, age of the oldest in seconds)."""
        self._hub = hub
        self._journal = journal
        self._reader = reader
        self._partitions = partitions
        self._groups = groups
        self._count = count
        self._begin = begin
        self._resume = resume
        self._lost = lost
        self._tended = tended
        self._ended = False
        self._dropped = asyncio.Event()
        """The store was away and all partitions are given up: take them again as soon as it is back."""

    async def run(self) -> None:
        """Renew, take over and give back, until `give_back` or cancelled."""
        while not self._ended:
            try:
                await self._tend()
            except StoreDown as error:
                self.drop_all(error)
                await asyncio.sleep(0.2)
                continue
            self._dropped.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TEND_SECONDS):
                    await self._dropped.wait()
                    await asyncio.sleep(0.2)  # a store that refuses us again and again is not asked in a circle

    async def trim(self) -> None:
        """Free what every group has done with, until cancelled."""
        while True:
            await asyncio.sleep(TRIM_SECONDS)
            for partition in list(self._partitions.values()):
                try:
                    await self._journal.trim(partition.number, partition.token, self._groups)
                except Fenced as error:
                    self.failed(partition, error)
                except StoreDown:
                    break

    async def give_back(self) -> None:
        """Release every lease, so that other hubs take over at once."""
        self._ended = True
        with contextlib.suppress(StoreDown):
            for partition in list(self._partitions.values()):
                self.drop(partition)
                await self._journal.release(partition.number, partition.token)
            await self._journal.hub_gone(self._hub)

    def drop(self, partition: Partition) -> None:
        """Forget a partition: its sessions are another hub's now, or will be loaded again."""
        partition.failed = True
        self._partitions.pop(partition.number, None)
        self._lost(partition)

    def drop_all(self, error: BaseException) -> None:
        """The store is away: nothing that is held is certain any more."""
        if self._partitions:
            log.warning("store_down", reason=str(error))
        for partition in list(self._partitions.values()):
            self.drop(partition)
        self.lag = {}  # nobody knows
        self._dropped.set()

    def failed(self, partition: Partition, error: BaseException) -> None:
        """A commit or a read of a partition was refused, or its outcome is unknown."""
        if isinstance(error, Fenced):
            log.warning("partition_fenced", partition=partition.number)
        else:
            log.warning("commit_failed", partition=partition.number, reason=repr(error))
        self.drop(partition)

    async def _tend(self) -> None:
        await self._journal.hub_alive(self._hub)
        hubs = sorted(await self._journal.hubs() | {self._hub})
        self.alone = hubs == [self._hub]
        self.edges = await self._journal.edges()
        renewing: list[Partition] = []
        for number in range(self._count):
            mine = owner(number, hubs) == self._hub
            partition = self._partitions.get(number)
            if partition is not None and mine:
                renewing.append(partition)
            elif partition is not None:
                self.drop(partition)
                await self._journal.release(number, partition.token)
            elif mine:
                token = await self._journal.acquire(number, self._hub)
                if token is not None:
                    try:
                        await self._take_over(number, token)
                    except Fenced as error:
                        self.failed(self._partitions[number], error)
        renewed = await asyncio.gather(*(self._journal.renew(each.number, each.token) for each in renewing))
        for partition, held in zip(renewing, renewed, strict=True):
            if not held:
                log.warning("partition_lost", partition=partition.number)
                self.drop(partition)
        for number, partition in self._partitions.items():
            if any(partition.handed.values()):
                self._reader.ring(number)  # what is not done yet belongs into the pending lists
        self.ready.set()
        self._tended()
        await self._measure_lag()

    async def _take_over(self, number: int, token: int) -> None:
        """Continue a partition: who is connected, what was delivered and not acknowledged, then what is new."""
        ready: list[str] = []
        while ready != self._groups:  # the configuration may grow meanwhile
            ready = list(self._groups)
            begun = await self._journal.ensure_groups(number, ready, self.begins)
            homes = await self._journal.homes(number)
        # Who was connected to an edge that is dead lost its socket with it.
        alive = {charger: home for charger, home in homes.items() if home[0] in self.edges}
        partition = self._begin(number, token, alive)
        partition.begun = begun
        partition.reading = True  # nothing new is read before what is pending
        self._partitions[number] = partition
        await self._resume(partition)
        await self._reader.continue_pending(partition)

    async def _measure_lag(self) -> None:
        """How far each upstream is behind, over the partitions owned here."""
        names = self._groups[1:]
        pending, age_ms = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
        for lags in await asyncio.gather(*(self._journal.lag(number, names) for number in list(self._partitions))):
            for name, lag in lags.items():
                pending[name] += lag.pending
                age_ms[name] = max(age_ms[name], lag.age_ms)
        # Whoever owns nothing knows nothing.
        self.lag = {name: (pending[name], age_ms[name] / 1000) for name in pending} if self._partitions else {}


def owner(partition: int, hubs: list[str]) -> str:
    """Who of the live hubs owns a partition (rendezvous hashing: a change of the fleet moves as little as possible)."""
    return max(hubs, key=lambda hub: hashlib.blake2b(f"{partition}:{hub}".encode(), digest_size=8).digest())
