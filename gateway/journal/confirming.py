"""A connection whose writes count only when replicas have them too (durability D3, reliability 5.4)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import hiredis

from gateway.journal.connection import Argument, Connection, Pending, ReplyError, pack
from gateway.journal.errors import StoreDown
from gateway.journal.reply import Reply


class Confirming(Connection):
    """Group commit: the commands of one write are followed by one WAIT, and get their results when it is satisfied.

    One such group is under way at a time; what comes meanwhile leaves with the next, since WAIT holds the connection up
    anyhow. When too few replicas confirm in time the connection breaks: the outcome of all its commands is unknown.
    """

    __slots__ = ("_held", "_last", "_needed", "_wait", "waiting")

    def __init__(self, lost: Callable[[], None] | None = None) -> None:
        super().__init__(lost)
        self._wait: tuple[Argument, ...] = ()
        self._needed = 0
        self._held: deque[tuple[Pending, Any]] = deque()
        self._last: Pending | None = None
        """The WAIT under way."""
        self.waiting = False

    def confirm(self, replicas: int, within: float) -> None:
        """From now on: so many replicas within so many seconds. Nothing may be under way.

        WAIT, not WAITAOF: a replica tells what is on its disk only once a second (measured: 0.9 s for each write).
        """
        self._wait = ("WAIT", replicas, max(1, round(within * 1000)))
        self._needed = replicas
        self.waiting = True

    def _flush(self) -> None:
        if not self.waiting:
            super()._flush()
        elif self._last is None and self._out and self._loop is not None:
            self._last = (Reply(loop=self._loop), None, self._wait, "")
            self._out.append(pack(self._wait))
            self._pending.append(self._last)
            super()._flush()

    def data_received(self, data: bytes) -> None:
        if not self.waiting:
            super().data_received(data)
            return
        reader, pending = self._reader, self._pending
        try:
            reader.feed(data)
            while not self.lost and (reply := reader.gets()) is not False:
                waiting = pending.popleft()
                if waiting is self._last:
                    self._confirmed(reply)
                    continue
                self.replied += 1
                if isinstance(reply, ReplyError):
                    self._refused(str(reply), waiting)
                else:
                    self._held.append((waiting, reply))
        except (hiredis.ProtocolError, IndexError):
            self.close("other")

    def _confirmed(self, reply: Any) -> None:
        self._last = None
        if isinstance(reply, ReplyError) or reply < self._needed:
            have = str(reply) if isinstance(reply, ReplyError) else f"{reply} of {self._needed}"
            self._break(StoreDown(f"NOREPLICAS replicas that confirmed the write: {have}"))
            return
        held, self._held = self._held, deque()
        for (future, convert, _, _), result in held:
            if future.done():
                continue
            try:
                converted = result if convert is None else convert(result)
            except Exception as error:
                future.fail(error)
                continue
            future.set_result(converted)
            if future.callback is not None:
                future.tell()
        if self._out and self._loop is not None:
            self._loop.call_soon(self._flush)

    def _break(self, error: StoreDown) -> None:
        for (future, _, _, _), _ in self._held:
            future.fail(error)
        self.failed("other", len(self._held))
        self._held.clear()
        self.why = str(error)
        self.close("other" if self._pending else "")

    def _end(self, kind: str) -> None:
        if not self.lost:
            for waiting, _ in self._held:
                waiting[0].fail(StoreDown("the connection to the store broke before replicas confirmed"))
            if kind:
                self.failed(kind, len(self._held))
            self._held.clear()
        super()._end(kind)
