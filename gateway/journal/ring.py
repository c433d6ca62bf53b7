"""What this process had acknowledged lately, so that a store that lost it gets it again (reliability 5.4).

A replica that takes over may lack the newest writes of its primary, but what it lacks is always the end of the history. Each
append carries a number that grows per partition and process, and the store keeps the newest one under a key of its own, written by
the same script: so the number that a new primary knows tells exactly which appends it lacks. They are appended again in
order, under their own stream ids where nobody has appended since, before anything new is.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import structlog

from gateway.journal import keys
from gateway.journal.connection import Connection
from gateway.journal.errors import Fenced
from gateway.journal.lua import Script
from gateway.journal.recovery import Step, recovered

log = structlog.get_logger(__name__)

SECONDS = 30.0
BYTES = 64 << 20
NUMBER_TTL = 86_400
"""Seconds for which the store knows a process' newest number: longer than any outage after which its ring still matters."""

_OVERHEAD = 600
"""Bytes that an entry of the ring costs beside its frame."""
_AT_ONCE = 500


Keys: TypeAlias = tuple[str, ...]
Args: TypeAlias = tuple[Any, ...]

Kept: TypeAlias = tuple[float, int, int, int, Keys, Args, str, bool, int]
"""When, bytes, partition, number, keys, arguments; then, of an append, id, whether it was a repeat, tx.

Keys and arguments are those of again.lua when the id is empty. Else the former are the charger, the dedup key and the key of the tx
counter, the latter what append.lua has of this one: those of again.lua are made of them only when they are needed. A flat tuple,
because one is made for every append and the garbage collector need not look at it.
"""


class Lease(NamedTuple):
    """Of a partition."""

    token: int
    hub: str
    until: float
    """Until when it certainly lives, as `time.monotonic`."""
    before: int
    """The newest token when this one was given: a store with a higher one has given others since."""


class Ring:
    """The last 30 s or 64 MiB of acknowledged appends and commits. Grows old only while new ones come."""

    def __init__(self, partitions: int) -> None:
        process = uuid.uuid4().hex[:12]
        self.keys = [keys.ring(partition, process) for partition in range(partitions)]
        """By partition: where the store keeps the newest number of this process."""
        self.numbers = [0] * partitions
        """By partition: the number of the newest append."""
        self.now = time.monotonic()
        """Seconds, as of the last `tick`."""
        self._kept: deque[Kept] = deque()
        self.decision_keys = [keys.decisions(partition, process) for partition in range(partitions)]
        """By partition: where the store keeps the number of the newest commit of this process."""
        self.decisions = [0] * partitions
        """By partition: the number of the newest commit."""
        self.leases: dict[int, Lease] = {}
        """By partition: what this process owns."""
        self._steps: deque[Step] = deque()
        self._size = 0
        self.again = 0
        """How many appends a store had lost and was given again."""

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, kept: Kept) -> None:
        self._kept.append(kept)
        self._size += kept[1] + _OVERHEAD
        if self._size > BYTES:
            self._shrink()

    def step(self, step: Step) -> None:
        """A hub has read or committed."""
        self._steps.append(step)
        self._size += step.size + _OVERHEAD

    def tick(self) -> None:
        """To be called several times a second while the store is well: what is too old is forgotten."""
        self.now = time.monotonic()
        limit = self.now - SECONDS
        while self._kept and self._kept[0][0] < limit:
            self._size -= self._kept.popleft()[1] + _OVERHEAD
        while self._steps and self._steps[0].at < limit:
            self._size -= self._steps.popleft().size + _OVERHEAD
        self._shrink()

    def _shrink(self) -> None:
        kept, steps = self._kept, self._steps
        while self._size > BYTES:
            if kept and not (steps and steps[0].at < kept[0][0]):
                self._size -= kept.popleft()[1] + _OVERHEAD
            else:
                self._size -= steps.popleft().size + _OVERHEAD

    async def reconcile(
        self, connection: Callable[[int], Connection], scripts: dict[str, Script], *, decisions: bool
    ) -> None:
        """Gives the store what it lacks, before anything new is appended.

        `connection`: by partition. `decisions`: it is another server, or its history is another one; what a hub here had
        read and committed comes back too, under its old fencing tokens, so that what another hub decided later is left alone.
        A lease that the store has never heard of is taken again first.
        Raises StoreDown.
        """
        done = await _numbers(connection, self.keys, {kept[2] for kept in self._kept})
        missing = [kept for kept in self._kept if kept[3] > done[kept[2]]]
        if missing:
            log.error("store_had_lost_entries", entries=len(missing), hint="acknowledged ones; they are appended again")
        again = scripts["again"]
        await _run([(connection(kept[2]), again, *self._call(kept)) for kept in missing], strict=True)
        self.again += len(missing)
        if decisions:
            await self._decide_again(connection, scripts)

    async def _decide_again(self, connection: Callable[[int], Connection], scripts: dict[str, Script]) -> None:
        now, held = time.monotonic(), self.leases.items()
        lives = [(number, lease) for number, lease in held if lease.until > now]
        taken = [(connection(number), scripts["reclaim"], *_reclaim(number, lease, now)) for number, lease in lives]
        await _run(taken, strict=False)
        steps: dict[int, list[Step]] = {}
        for step in self._steps:
            steps.setdefault(step.partition, []).append(step)
        done = await _numbers(connection, self.decision_keys, set(steps))
        lost = [step for step in self._steps if step.number > done[step.partition]]
        commits = [(connection(step.partition), scripts["commit"], step.keys, step.args) for step in lost]
        await _run(commits, strict=False)
        own: dict[int, list[str]] = {}
        for kept in self._kept:
            own.setdefault(kept[2], []).append(kept[6] or kept[5][2].decode())
        for partition in {step.partition for step in lost}:
            await _run([(connection(partition), scripts["ensure"], *_begin(partition, steps[partition]))], strict=False)
            found = recovered(partition, steps[partition], own.get(partition, ()))
            await _run([(connection(partition), scripts["recover"], *call) for call in found], strict=False)

    def _call(self, kept: Kept) -> tuple[Keys, Args]:
        """Keys and arguments of again.lua."""
        _, _, partition, number, made, args, id, repeat, tx = kept
        if not id:
            return made, args
        charger, dedup, counter = made
        epoch, kind, head, frame, ttl, seed = args
        place = (keys.stream(partition), keys.epochs(partition), keys.homes(partition), keys.live(partition))
        more = (*((dedup,) if ttl else ()), *((counter,) if seed else ()))
        what = (id, "repeat" if repeat else kind, charger, epoch, head, frame, ttl, tx, "", 1 if seed else 0)
        return (*place, self.keys[partition], *more), (number, NUMBER_TTL, *what)


def _reclaim(partition: int, lease: Lease, now: float) -> tuple[Keys, Args]:
    """Keys and arguments of reclaim.lua."""
    made = (keys.lease(partition), keys.token(partition))
    return made, (lease.token, lease.hub, max(1, round((lease.until - now) * 1000)), lease.before)


def _begin(partition: int, steps: list[Step]) -> tuple[Keys, Args]:
    """Keys and arguments of ensure.lua, for a partition that its first hub had just begun."""
    groups = {name for step in steps for name in (*step.pending, *step.taken, *step.passed, *step.acks)}
    made = (keys.stream(partition), keys.begun(partition))
    return made, tuple(part for name in sorted({*groups, "session"}) for part in (name, ""))


async def _numbers(connection: Callable[[int], Connection], names: list[str], partitions: set[int]) -> dict[int, int]:
    """The newest number that the store knows, by partition."""
    asked = {number: connection(number).call(("GET", names[number])) for number in partitions}
    return {number: int(await reply or 0) for number, reply in asked.items()}


async def _run(calls: list[tuple[Connection, Script, Keys, Args]], *, strict: bool) -> None:
    for first in range(0, len(calls), _AT_ONCE):
        replies = [
            connection.call(("EVALSHA", script.sha, len(keys), *keys, *args), None, script.source)
            for connection, script, keys, args in calls[first : first + _AT_ONCE]
        ]
        for reply in await asyncio.gather(*replies, return_exceptions=not strict):
            if isinstance(reply, BaseException) and not isinstance(reply, Fenced):
                raise reply
