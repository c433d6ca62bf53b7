"""An upstream that is back after an outage: first it is told the transactions, then the statuses that changed, then the rest.

Pure (translation 8.3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .link import Link


class Returning:
    """How far one link is with that."""

    __slots__ = ("_at", "_owing", "_silent", "flushing", "telling")

    def __init__(self) -> None:
        self.flushing = False
        """The rest waits."""
        self.telling = False
        """The statuses that changed are being told."""
        self._owing = False
        """They are to be told when the lot is at its end."""
        self._silent = 0
        """How often in a row the upstream was silent to them."""
        self._at = 0
        """When they may be told again, ms."""

    def begin(self, *, away: bool) -> None:
        """The upstream's socket is open. `away`: it was not for a while."""
        self.flushing, self.telling = away, False
        self._silent = self._at = 0

    def owes(self, link: Link) -> bool:
        """Statuses are left to be told: what was answered before the upstream heard it is folded into the last of them."""
        return (self._owing or link.translator.owes) and not link.barred and self._silent < link.attempts

    def deadline(self, link: Link) -> int:
        """When the statuses may be told again, ms; 0: nothing waits for that."""
        return self._at if self._silent and not self.telling and self.owes(link) else 0

    def go_on(self, link: Link, now: int) -> None:
        """Nothing of the transactions is under way: tell the statuses that changed; then the rest may go."""
        if not self.telling:
            if any(exchange.goes_first for exchange in link.backlog):
                return
            if link.lot is not None:
                self._owing = True  # what was put aside may change them again
            elif now >= self._at:
                self._owing = False
                link.apply(link.translator.back(now), now)
                self.telling = True
        if not link.lane.open_id and not len(link.lane):
            if self.telling:
                self._silent = self._silent + 1 if link.translator.owes else 0
                self._at = now + link.retry_ms * self._silent
            was, self.telling, self.flushing = self.flushing, False, False
            if was and link.backlog:
                link.pump(now)
