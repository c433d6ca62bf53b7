"""What sessions and links tell about themselves. Pure: this base class listens and does nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from translators.dialogue import Out
from translators.frames import Call, Error, Result, Side
from translators.losses import Loss

if TYPE_CHECKING:
    from gateway.journal.entry import Entry
    from gateway.readiness import Kind

    from .backlog import Exchange
    from .link import Link
    from .session import Session


class Observer:
    """Override what is of interest. Durations are milliseconds."""

    __slots__ = ()

    def unmatched(self, side: str) -> None:
        """An answer came that nobody waits for: late, doubled or of an unknown id."""

    def translated(self, link: Link, step: Out) -> None:
        """A frame leaves a translator, with its losses."""

    def lost(self, link: Link, to: Side, source: str, losses: tuple[Loss, ...]) -> None:
        """An answer that went no further had these losses on its way to `to`."""

    def timed(self, link: Link, side: Side, seconds: float) -> None:
        """A frame that came from `side` took this long to translate."""

    def upstream_answered(self, link: Link, action: str, ms: int) -> None:
        """An upstream answered a CALL."""

    def called(self, link: Link, call: Call) -> None:
        """An upstream sends a CALL that it may send."""

    def trace(self, charger: str, upstream: str) -> str:
        """W3C traceparent for what the charger is asked on behalf of this upstream; empty: it is not traced."""
        return ""

    def begun(self, link: Link, exchange: Exchange, now: int) -> None:
        """An upstream is told an entry that bears a trace."""

    def done(self, link: Link, exchange: Exchange) -> None:
        """An upstream is done with an entry that bears a trace."""

    def answered(self, link: Link, exchange: Exchange, answer: Result) -> None:
        """A charger CALL from which the gateway learns (`shared.LEARNED_FROM`) is answered."""

    def unanswered(self, link: Link, exchange: Exchange) -> None:
        """A charger CALL got no answer from the upstream in time."""

    def commanded(self, link: Link, action: str, frame: Result | Error, ms: int) -> None:
        """A CALL of an upstream is answered."""

    def lifeline(self, link: Link, action: str, subject: str, policy: str) -> None:
        """A command of an upstream would have changed what the charger hangs by; `policy`: what became of it."""

    def quirk(self, label: str, version: str, side: str = "charger") -> None:
        """A peer did what the specification does not say (translators/quirks/table.yaml)."""

    def deaf(self, session: Session) -> None:
        """A charger that is connected leaves every CALL unanswered."""

    def command_timeout(self, charger: str) -> None:
        """A charger did not answer a CALL."""

    def locally(self, link: Link, action: str, policy: str) -> None:
        """A charger CALL was answered here, in place of the upstream: under `primary_down`, or `early`."""

    def told_late(self, link: Link, entry: Entry) -> None:
        """An upstream has taken what it was away for."""

    def conflict(self, upstream: str, action: str) -> None:
        """A command was refused because of what another upstream may do with the charger."""

    def barred(self, link: Link) -> None:
        """An upstream refuses a charger (SecurityError): what it was to be told waits until the charger boots."""

    def passed_on(self, link: Link, action: str) -> None:
        """A SEND leaves for an upstream."""

    def dropped(self, link: Link, entry: Entry, reason: str) -> None:
        """An upstream will never get this entry."""

    def poisoned(self, link: Link, entry: Entry, error: Exception) -> None:
        """Deciding an entry met a bug of ours."""

    def compared(self, upstream: str, action: str, kinds: list[Kind], later_ms: int | None) -> None:
        """The answer of a shadow was compared with the one that counts, which it followed by so much; None: it never came."""

    def uncompared(self, charger: str, error: Exception) -> None:
        """A bug of ours: this charger's answers are compared no more."""

    def dead_letter(self, link: Link, entry: Entry, reason: str) -> None:
        """An entry was put aside for a person to look at."""
