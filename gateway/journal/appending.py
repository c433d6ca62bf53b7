"""Appends to one partition that leave together, as one call of append.lua."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import msgspec

from gateway.journal.connection import Argument
from gateway.journal.entry import Entry, Head, Kind
from gateway.journal.joint import Joint
from gateway.journal.reply import Reply
from gateway.journal.ring import NUMBER_TTL, Args, Keys, Ring

MOST = 64
"""Of one command: the store does nothing else meanwhile, half a millisecond."""

_encode = msgspec.msgpack.Encoder().encode


class Appended(msgspec.Struct, frozen=True, gc=False):
    """What became of an append.

    new: stored as entry `id`. repeat: known and not answered yet, a `repeat` was stored as entry `id`.
    answered: known, nothing stored, `body` is the CALLRESULT payload to answer. stale: refused, the charger has a newer
    connection.
    """

    outcome: Literal["new", "repeat", "answered", "stale"]
    id: str = ""
    body: bytes = b""


_STALE = Appended("stale")

Place: TypeAlias = tuple[str, str, str]
"""Stream, epochs and live key of a partition."""
Told: TypeAlias = Callable[[int, int, Entry], None]


class Appends(Joint):
    """Those of one turn of the loop, in order; each has a future of its own."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, number: int, place: Place, ring: Ring | None, told: Told | None
    ) -> None:
        """`told`: called with (partition, number of the entry in it, entry) for each that is stored."""
        self._loop = loop
        self._number = number
        self._place = place
        self._ring = ring
        self._told = told
        self._chargers: list[str] = []
        self._args: list[Argument] = []
        self._dedups: dict[str, None] = {}
        self._counters: list[str] = []
        self._members: list[tuple[Reply[Appended], Kind, Head, bytes, Args, Keys]] = []

    def knows(self, dedup: str) -> bool:
        """Whether one with this dedup key is among them: a second one has to come behind."""
        return dedup in self._dedups

    def add(
        self, charger: str, kind: Kind, head: Head, frame: bytes, dedup: str, ttl: int, counter: str, seed: int
    ) -> Reply[Appended]:
        """`charger`: casefolded. `dedup` and `counter`: keys, not used if `ttl` or `seed` is 0."""
        args = (head.epoch, kind, _encode(head), frame, ttl, seed)
        self._chargers.append(charger)
        self._args += args
        if ttl:
            self._dedups[dedup] = None
        if seed:
            self._counters.append(counter)
        future: Reply[Appended] = Reply(loop=self._loop)
        self._members.append((future, kind, head, frame, args, (charger, dedup, counter)))
        if len(self._members) == MOST:
            self.full = True
            self.close()
        return future

    def close(self) -> None:
        self.closed = True
        if self._ring is not None:
            self._ring.numbers[self._number] += len(self._members)
            self._last = self._ring.numbers[self._number]

    def leave(self) -> tuple[Keys, Args]:
        if not self.closed:
            self.close()
        made: Keys = self._place
        args: Args = (len(self._members), len(self._dedups), *self._chargers, *self._args)
        if self._ring is not None:
            made, args = (*made, self._ring.keys[self._number]), (*args, self._last, NUMBER_TTL)
        self._chargers, self._args = [], []
        return (*made, *self._dedups, *self._counters), args

    def answered(self, reply: list[Any]) -> None:
        run, ring, told = reply[0], self._ring, self._told
        members, self._members = self._members, []
        for index, (future, kind, head, frame, args, names) in enumerate(members):
            said, tx = reply[index + 1], 0
            if type(said) is bytes:
                appended = Appended("new", said.decode())
            elif said[0] == b"stale":
                appended = _STALE
            elif said[0] == b"answered":
                appended = Appended("answered", "", said[1])
            elif said[0] == b"repeat":
                appended, tx = Appended("repeat", said[1].decode()), int(said[2])
                kind, head = "repeat", msgspec.structs.replace(head, of=said[3].decode())
            else:
                appended, tx = Appended("new", said[0].decode()), int(said[1])
            if appended.id:
                run += 1
            if future.done():
                continue
            try:
                if appended.id:
                    if ring is not None:
                        number = self._last - len(members) + index + 1
                        size = len(args[2]) + len(frame)
                        ring.keep(
                            (ring.now, size, self._number, number, names, args, appended.id, kind == "repeat", tx)
                        )
                    if told is not None:
                        told(self._number, run, Entry(appended.id, kind, head, frame, tx))
            except Exception as error:
                future.fail(error)
                continue
            future.set_result(appended)
            if future.callback is not None:
                future.tell()

    def refused(self, error: Exception) -> None:
        if not self.closed:
            self.close()
        members, self._members = self._members, []
        for future, *_ in members:
            future.fail(error)
