"""What this process had acknowledged lately, so that a store that lost it gets it again (reliability 5.4).

A replica that takes over may lack the newest writes of its primary, but what it lacks is always the end of the history. Each
append carries a number that grows per partition and process, and the store keeps the newest one under a key of its own, written by
the same script: so the number that a new primary knows tells exactly which appends it lacks. They are appended again in
order, under their own stream ids where nobody has appended since, before anything new is.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from gateway.journal import keys
from gateway.journal.connection import Argument, Connection
from gateway.journal.errors import Fenced
from gateway.journal.lua import Script

log = logging.getLogger(__name__)

SECONDS = 30.0
BYTES = 64 << 20
NUMBER_TTL = 86_400
"""Seconds for which the store knows a process' newest number: longer than any outage after which its ring still matters."""

_OVERHEAD = 600
"""Bytes that an entry of the ring costs beside its frame."""
_AT_ONCE = 500


class Kept(msgspec.Struct, frozen=True, gc=False):
    """One acknowledged append."""

    partition: int
    number: int
    at: float
    size: int
    keys: tuple[str, ...]
    args: tuple[Argument, ...]
    """Those of `again.lua`."""


class Decided(msgspec.Struct, frozen=True, gc=False):
    """One acknowledged commit of a hub: the arguments of `commit.lua` without what it acknowledged."""

    partition: int
    at: float
    size: int
    keys: tuple[str, ...]
    args: tuple[Argument, ...]


class Ring:
    """The last 30 s or 64 MiB of acknowledged appends and commits. Grows old only while new ones come."""

    def __init__(self, partitions: int) -> None:
        process = uuid.uuid4().hex[:12]
        self._numbers = [0] * partitions
        self._keys = [keys.ring(partition, process) for partition in range(partitions)]
        self._kept: deque[Kept] = deque()
        self._decided: deque[Decided] = deque()
        self._size = 0
        self.again = 0
        """How many appends a store had lost and was given again."""

    def __len__(self) -> int:
        return len(self._kept)

    def key(self, partition: int) -> str:
        """Where the store keeps the newest number of this process."""
        return self._keys[partition]

    def number(self, partition: int) -> int:
        """The number of the next append."""
        number = self._numbers[partition] = self._numbers[partition] + 1
        return number

    def keep(self, kept: Kept) -> None:
        self._kept.append(kept)
        self._grow(kept.at, kept.size)

    def decided(self, decided: Decided) -> None:
        self._decided.append(decided)
        self._grow(decided.at, decided.size)

    def _grow(self, now: float, size: int) -> None:
        self._size += size + _OVERHEAD
        kept, decided, limit = self._kept, self._decided, now - SECONDS
        while kept and kept[0].at < limit:
            self._size -= kept.popleft().size + _OVERHEAD
        while decided and decided[0].at < limit:
            self._size -= decided.popleft().size + _OVERHEAD
        while self._size > BYTES:
            older: deque[Any] = kept if kept and not (decided and decided[0].at < kept[0].at) else decided
            self._size -= older.popleft().size + _OVERHEAD

    async def reconcile(
        self, connection: Callable[[int], Connection], scripts: dict[str, Script], *, decisions: bool
    ) -> None:
        """Gives the store what it lacks, before anything new is appended.

        `connection`: by partition. `decisions`: it is another server, or its history is another one; commits come again too,
        each under its old fencing token, so that what a hub decided later is left alone. Raises StoreDown.
        """
        partitions = {kept.partition for kept in self._kept}
        asked = {number: connection(number).call(("GET", self._keys[number])) for number in partitions}
        done = {number: int(await reply or 0) for number, reply in asked.items()}
        missing = [kept for kept in self._kept if kept.number > done[kept.partition]]
        if missing:
            log.error("ring: the store had lost %d acknowledged entries, they are appended again", len(missing))
        await _run([(connection(kept.partition), scripts["again"], kept) for kept in missing], strict=True)
        self.again += len(missing)
        if decisions:
            script = scripts["commit"]
            await _run([(connection(each.partition), script, each) for each in self._decided], strict=False)


async def _run(calls: list[tuple[Connection, Script, Any]], *, strict: bool) -> None:
    for first in range(0, len(calls), _AT_ONCE):
        replies = [
            connection.call(("EVALSHA", script.sha, len(each.keys), *each.keys, *each.args), None, script.source)
            for connection, script, each in calls[first : first + _AT_ONCE]
        ]
        for reply in await asyncio.gather(*replies, return_exceptions=not strict):
            if isinstance(reply, BaseException) and not isinstance(reply, Fenced):
                raise reply
