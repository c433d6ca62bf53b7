"""Brings the entries of the owned partitions: handed over when this process appended them, else read from the stream.

One read of a partition is under way at a time; what comes meanwhile is read with the next, so that load makes batches. A read
that follows a connect of this process goes out behind it on the same connection: it needs no wake-up.
"""

from __future__ import annotations

import asyncio
import time
from asyncio import Future
from collections.abc import Callable
from functools import partial

from gateway.journal.entry import Entry
from gateway.journal.errors import Fenced, StoreDown
from gateway.journal.journal import Journal
from gateway.journal.streams import Batch

from .partition import Partition
from .session import SESSION

READ_COUNT = 200
WAIT_MS = 1000
"""Longest wait for news of the partitions that were owned when the wait began."""
FRESH_WAIT_MS = 50
"""The same for some seconds after a take-over: the new partitions are waited for from the next wait on."""
FRESH_SECONDS = 2.0
ALONE_SECONDS = 0.2
"""Between two looks at the store while no other process appends; its own appends ring."""


class Reader:
    """Gives `take` every batch of every partition in `partitions`, in order."""

    def __init__(
        self,
        journal: Journal,
        groups: list[str],
        partitions: dict[int, Partition],
        take: Callable[[Partition, Batch], None],
        failed: Callable[[Partition, BaseException], None],
        store_down: Callable[[BaseException], None],
        hand: Callable[[Partition, Entry], None],
        alone: Callable[[], bool],
    ) -> None:
        """`alone`: whether nobody but this process appends at the moment."""
        self._journal = journal
        self._groups = groups
        self._partitions = partitions
        self._take = take
        self._failed = failed
        self._store_down = store_down
        self._hand = hand
        self._alone = alone
        self._rung: set[int] = set()
        self._fresh_until = 0.0
        self._owning = asyncio.Event()

    async def run(self) -> None:
        """Look for what other processes append, until cancelled."""
        while True:
            if not self._partitions:
                self._owning.clear()
                await self._owning.wait()
            positions = {number: partition.position for number, partition in self._partitions.items()}
            fresh = time.monotonic() < self._fresh_until
            try:
                if self._alone() and not fresh:
                    await asyncio.sleep(ALONE_SECONDS)
                    news = await self._journal.wait(positions, 1)
                    # Where an entry was handed over meanwhile, one of another process would have shown in its number.
                    news = [number for number in news if self._stands(number, positions[number])]
                else:
                    news = await self._journal.wait(positions, FRESH_WAIT_MS if fresh else WAIT_MS)
            except StoreDown as error:
                self._store_down(error)
                await asyncio.sleep(0.1)
                continue
            for number in news:
                self.ring(number)

    def _stands(self, number: int, position: str) -> bool:
        partition = self._partitions.get(number)
        return partition is not None and partition.position == position

    def ring(self, number: int) -> None:
        """There may be news in a partition: read it at the end of this turn of the loop, if it is owned here."""
        if not self._rung:
            asyncio.get_running_loop().call_soon(self._read_rung)
        self._rung.add(number)

    async def continue_pending(self, partition: Partition) -> None:
        """Take what an earlier owner was given and did not acknowledge, then what is new. Raises StoreDown, Fenced."""
        partition.reading = True
        more = True
        while more and not partition.failed:
            batch = await self._journal.pending(partition.number, partition.token, self._groups, count=READ_COUNT)
            self._take(partition, batch)
            more = bool(batch.more)
        partition.reading = False
        partition.caught_up = True
        partition.waiting.clear()  # the first read brings them
        self._fresh_until = time.monotonic() + FRESH_SECONDS
        self._owning.set()
        self.ring(partition.number)

    def _read_rung(self) -> None:
        rung, self._rung = self._rung, set()
        for number in rung:
            if partition := self._partitions.get(number):
                self._read(partition)

    def _read(self, partition: Partition) -> None:
        if partition.reading or partition.interrupted:
            partition.rung = True
            return
        partition.reading, partition.rung = True, False
        groups = [SESSION] if partition.effects.parting else list(self._groups)
        try:
            positions = {group: partition.positions[group] for group in groups}
        except KeyError as missing:  # it is taken over anew, with all groups
            self._failed(partition, missing)
            return
        read = self._journal.peek(partition.number, partition.token, positions, count=READ_COUNT)
        read.add_done_callback(partial(self._done, partition, groups))

    def _done(self, partition: Partition, groups: list[str], read: Future[Batch]) -> None:
        partition.reading = False
        if partition.failed or read.cancelled():
            return
        error = read.exception()
        if isinstance(error, Fenced):
            self._failed(partition, error)
        elif error is not None:
            partition.interrupted = True
            self._store_down(error)
        elif not partition.interrupted:  # else it is read again
            batch = read.result()
            for group in groups:
                if group not in self._groups:  # its upstream has left the configuration: it has not been told this
                    batch.pop(group)
                    batch.all.pop(group)
            partition.run = -1 if batch.more else batch.run
            partition.took(batch)
            self._take(partition, batch)
            if batch.more:
                self._read(partition)
                return
            if groups != self._groups:
                # the others read what they have not been told before anything is handed to them
                partition.run = -1
                partition.waiting.clear()
                partition.rung = partition.rung or not partition.effects.parting
            waiting, partition.waiting = partition.waiting, []
            for run, entry in waiting:
                if run > batch.run:  # else the read has brought it
                    self.hand_over(partition.number, run, entry)
            if partition.rung:
                self._read(partition)

    def hand_over(self, number: int, run: int, entry: Entry) -> None:
        """Take an entry that this process has just appended, as number `run` of its partition, without reading it.

        Only if nothing lies between it and what was taken before; else the stream is read.
        """
        partition = self._partitions.get(number)
        if partition is None or partition.failed or partition.interrupted:
            return  # it is read
        if partition.effects.parting:
            self.ring(number)
        elif partition.reading:
            partition.waiting.append((run, entry))
        elif run == partition.run + 1:
            partition.run, partition.position = run, entry.id
            self._hand(partition, entry)
        else:
            # Something lies between, or the numbers went back: then the store has lost its newest entries.
            partition.run = -1
            self.ring(number)
