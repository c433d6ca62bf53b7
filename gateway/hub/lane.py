"""One open CALL at a time in one direction of one socket: queue, limit, deadline (reliability 1.3).

Several sources share a lane fairly: each has a queue of its own, and the lane takes from them in turn: one CALL of each, up to four of
the favoured one, for which the others leave room.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from translators.frames import Call

WEIGHT: Final = 4
"""How many CALLs of the favoured source are written in its turn."""
ROOM: Final = 4
"""One in so many places is for the favoured source alone."""


class Waiting(NamedTuple):
    """A CALL that is not written."""

    call: Call
    timeout_ms: int
    until: int = 0
    """When its time is over, whether it was written by then or not; 0: its time begins when it is written."""
    again: bool = False
    """It was written once, on a socket that is gone."""


class Lane:
    """The CALLs that wait for one peer. Times are milliseconds since 1970."""

    __slots__ = (
        "_limit",
        "_open",
        "_queues",
        "_turn",
        "deadline",
        "favoured",
        "open_id",
        "open_source",
        "timeout_ms",
        "waiting",
        "waits_until",
    )

    def __init__(self, limit: int, timeout_ms: int) -> None:
        self._limit = limit
        self.timeout_ms = timeout_ms
        self._queues: dict[str, deque[Waiting]] = {}
        """In the order of their turns."""
        self._turn = 0
        """How many CALLs the favoured source has had in its present turn."""
        self.favoured = ""
        """Source of which more is taken than of any other; empty: of all alike."""
        self.waiting = 0
        """How many CALLs are queued."""
        self._open: Waiting | None = None
        """The open CALL, if it waited before."""
        self.open_id = ""
        """Message id of the open CALL; empty if there is none."""
        self.open_source = ""
        self.deadline = 0
        """When the open CALL counts as unanswered; 0 if there is none."""
        self.waits_until = 0
        """When to look whether the time of one that waits is over (`overdue`); 0: no need."""

    def __len__(self) -> int:
        return self.waiting

    def offer(self, call: Call, source: str = "", timeout_ms: int = 0, since: int = 0) -> bool:
        """Queue a CALL of `source`; False if there is no room for it. `timeout_ms` 0: the lane's default. `since`: its time runs
        from then on, for there is no socket; 0: from when it is written."""
        if self.waiting >= self._limit:
            return False
        if self.favoured and source != self.favoured:
            others = self.waiting - len(self._queues.get(self.favoured, ()))
            if others >= self._limit - self._limit // ROOM:
                return False
        time = timeout_ms or self.timeout_ms
        self._queues.setdefault(source, deque()).append(Waiting(call, time, since + time if since else 0))
        self.waiting += 1
        if since:
            self._look_again()
        return True

    def take(self, call: Call, source: str, timeout_ms: int, now: int) -> bool:
        """Make `call` the open one at once if none is open and none waits; False otherwise (then `offer` it)."""
        if self.open_id or self.waiting:
            return False
        self.open_id, self.open_source = call.id, source
        self.deadline = now + (timeout_ms or self.timeout_ms)
        return True

    def next(self, now: int) -> Call | None:
        """The CALL to write now, which becomes the open one; None if one is open or none waits."""
        if self.open_id or not self.waiting:
            return None
        source, queue = next(iter(self._queues.items()))
        if queue[0].until and now >= queue[0].until:
            return None  # it is overdue
        waiting = self._open = queue.popleft()
        self.waiting -= 1
        self._turn = self._turn + 1 if source == self.favoured else 0
        if not queue or not 0 < self._turn < WEIGHT:
            self._turn = 0
            del self._queues[source]  # to the end of the turn order, if anything is left
            if queue:
                self._queues[source] = queue
        self.open_id, self.open_source = waiting.call.id, source
        self.deadline = waiting.until or now + waiting.timeout_ms
        return waiting.call

    def settle(self, id: str) -> bool:
        """Note that the peer answered `id`; False if that is not the open CALL (late, or never asked)."""
        if not self.open_id or id != self.open_id:
            return False
        self.open_id, self.open_source, self.deadline, self._open = "", "", 0, None
        return True

    def expire(self, now: int) -> tuple[str, str] | None:
        """(id, source) of the open CALL if its deadline has passed; it is then no longer open."""
        if not self.open_id or now < self.deadline:
            return None
        expired = self.open_id, self.open_source
        self.settle(self.open_id)
        return expired

    def interrupt(self, now: int, again: Callable[[str], bool]) -> tuple[str, str] | None:
        """The socket is gone, another may come. What waits keeps waiting, until its time is over; so does the open CALL if
        `again(action)`, once. Otherwise gives (id, source) of the open one: nobody knows what has become of it."""
        for queue in self._queues.values():
            for index, each in enumerate(queue):
                queue[index] = each._replace(until=each.until or now + each.timeout_ms)
        lost = (self.open_id, self.open_source) if self.open_id else None
        if (written := self._open) is not None and not written.again and again(written.call.action):
            first = deque([written._replace(until=self.deadline, again=True)])
            first.extend(self._queues.pop(self.open_source, ()))
            self._queues = {self.open_source: first, **self._queues}
            self.waiting += 1
            lost = None
        self.settle(self.open_id)
        self._look_again()
        return lost

    def overdue(self, now: int) -> list[tuple[str, str]]:
        """(id, source) of those whose time was over before they could be written; they are forgotten."""
        if not self.waits_until or now < self.waits_until:
            return []
        found = [
            (each.call.id, source)
            for source, queue in self._queues.items()
            for each in queue
            if each.until and now >= each.until
        ]
        left = {
            source: deque(each for each in queue if not each.until or now < each.until)
            for source, queue in self._queues.items()
        }
        self._queues = {source: queue for source, queue in left.items() if queue}
        self.waiting -= len(found)
        self._look_again()
        return found

    def _look_again(self) -> None:
        times = [each.until for queue in self._queues.values() for each in queue if each.until]
        self.waits_until = min(times, default=0)

    def clear(self) -> list[tuple[str, str]]:
        """Forget everything, the socket is gone; (id, source) of what was open or waited."""
        lost = [(self.open_id, self.open_source)] if self.open_id else []
        lost += [(each.call.id, source) for source, queue in self._queues.items() for each in queue]
        self._queues.clear()
        self.waiting = self.waits_until = 0
        self.open_id, self.open_source, self.deadline, self._open = "", "", 0, None
        return lost
