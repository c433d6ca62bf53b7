"""One open CALL at a time in one direction of one socket: queue, limit, deadline (reliability 1.3).

Several sources share a lane fairly: each has a queue of its own, and the lane takes from them in turn.
"""

from __future__ import annotations

from collections import deque

from translators.frames import Call


class Lane:
    """The CALLs that wait for one peer. Times are milliseconds since 1970."""

    __slots__ = ("_limit", "_queues", "_size", "_timeout_ms", "deadline", "open_id", "open_source")

    def __init__(self, limit: int, timeout_ms: int) -> None:
        self._limit = limit
        self._timeout_ms = timeout_ms
        self._queues: dict[str, deque[tuple[Call, int]]] = {}
        self._size = 0
        self.open_id = ""
        """Message id of the open CALL; empty if there is none."""
        self.open_source = ""
        self.deadline = 0
        """When the open CALL counts as unanswered; 0 if there is none."""

    def __len__(self) -> int:
        return self._size

    def offer(self, call: Call, source: str = "", timeout_ms: int = 0) -> bool:
        """Queue a CALL of `source`; False if the lane is full. `timeout_ms` 0: the lane's default."""
        if self._size >= self._limit:
            return False
        self._queues.setdefault(source, deque()).append((call, timeout_ms or self._timeout_ms))
        self._size += 1
        return True

    def take(self, call: Call, source: str, timeout_ms: int, now: int) -> bool:
        """Make `call` the open one at once if none is open and none waits; False otherwise (then `offer` it)."""
        if self.open_id or self._size:
            return False
        self.open_id, self.open_source = call.id, source
        self.deadline = now + (timeout_ms or self._timeout_ms)
        return True

    def next(self, now: int) -> Call | None:
        """The CALL to write now, which becomes the open one; None if one is open or none waits."""
        if self.open_id or not self._size:
            return None
        source, queue = next(iter(self._queues.items()))
        call, timeout_ms = queue.popleft()
        self._size -= 1
        del self._queues[source]  # to the end of the turn order, if anything is left
        if queue:
            self._queues[source] = queue
        self.open_id, self.open_source, self.deadline = call.id, source, now + timeout_ms
        return call

    def settle(self, id: str) -> bool:
        """Note that the peer answered `id`; False if that is not the open CALL (late, or never asked)."""
        if not self.open_id or id != self.open_id:
            return False
        self.open_id, self.open_source, self.deadline = "", "", 0
        return True

    def expire(self, now: int) -> tuple[str, str] | None:
        """(id, source) of the open CALL if its deadline has passed; it is then no longer open."""
        if not self.open_id or now < self.deadline:
            return None
        expired = self.open_id, self.open_source
        self.settle(self.open_id)
        return expired

    def clear(self) -> list[tuple[str, str]]:
        """Forget everything, the socket is gone; (id, source) of what was open or waited."""
        lost = [(self.open_id, self.open_source)] if self.open_id else []
        lost += [(call.id, source) for source, queue in self._queues.items() for call, _ in queue]
        self._queues.clear()
        self._size = 0
        self.open_id, self.open_source, self.deadline = "", "", 0
        return lost
