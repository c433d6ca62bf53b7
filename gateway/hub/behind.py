"""How far an upstream is behind, over the partitions of a hub."""

from __future__ import annotations

from gateway.journal.streams import Lag, order


class Behind:
    """Of one upstream. Times are those of the store's clock, ms."""

    __slots__ = ("oldest_ms", "pending", "pending_ms", "unread")

    def __init__(self) -> None:
        self.pending = 0
        """Entries not acknowledged."""
        self.unread = 0
        """Entries that no hub has read for it; -1: not known."""
        self.oldest_ms = 0
        """When the oldest entry that it has not finished was appended, read or not; 0: none."""
        self.pending_ms = 0
        """The same of those that were read."""

    def add(self, lag: Lag) -> None:
        """Another partition."""
        self.pending += lag.pending
        self.unread = -1 if self.unread < 0 or lag.unread < 0 else self.unread + lag.unread
        self.pending_ms = earlier(self.pending_ms, lag.oldest)
        self.oldest_ms = earlier(self.oldest_ms, lag.oldest or lag.undelivered)


def earlier(ms: int, id: str) -> int:
    """The earlier of a time (0: none) and that of an entry ("": none)."""
    if not id:
        return ms
    at = order(id)[0]
    return min(ms, at) if ms else at


def age(ms: int, now: int) -> float:
    """Seconds since a time; 0 if there is none."""
    return max(0, now - ms) / 1000 if ms else 0.0
