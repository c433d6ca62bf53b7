"""What a charger does over and over (translators/quirks/table.yaml): it boots again and again, it answers nothing. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec
from msgspec import Raw

from gateway.journal.entry import Entry, ToCharger
from translators.frames import Call, encode
from translators.models.rewriting import rewrite
from translators.values import format_time

from .answering import ack, promise
from .backlog import Exchange, order

if TYPE_CHECKING:
    from .link import Link
    from .session import Session

BOOT_MS: Final = 30_000
"""For so long after an accepted boot the same one again is answered like it, and told to nobody (Q10)."""
DEAF: Final = 3
"""CALLs in a row without an answer that make a charger deaf (Q13)."""
RESET_MS: Final = 15 * 60_000
"""Between two connections that are reset because of that."""
ABORT: Final = 1006
"""Code of a close that is none: the edge resets the connection."""
MAKES_BOOT: Final = frozenset(
    ("ExtendedTriggerMessage", "Reset", "SignedUpdateFirmware", "TriggerMessage", "UpdateFirmware")
)
"""Commands after which a CSMS waits for a boot."""


MOST_SEQUENCES: Final = 32
"""Transactions of one charger whose numbers are kept."""


class _Status(msgspec.Struct):
    status: str = ""


_status = msgspec.json.Decoder(_Status)


class Habits:
    """Of one charger; not stored, a new owner learns them anew."""

    __slots__ = ("_boot", "_boot_answer", "_boot_at", "_reset_at", "_sequences", "_unanswered", "resets")

    def __init__(self) -> None:
        self._boot = ""
        """Journal entry of the last boot that was accepted."""
        self._boot_answer = b""
        self._boot_at = 0
        self._unanswered = 0
        self._reset_at = 0
        self._sequences: dict[str, int] | None = None
        """Open transaction of 2.x -> its highest seqNo so far; None: there was none."""
        self.resets = False
        """The connection of a deaf charger is reset."""

    def sequence(self, transaction: str, number: int, event: str) -> Literal["", "gap", "regressed"]:
        """What is odd about the number of a TransactionEvent (row S07). Nothing is, of the first one that is heard."""
        if self._sequences is None:
            self._sequences = {}
        highest = self._sequences.get(transaction)
        if event == "Ended":
            self._sequences.pop(transaction, None)
        else:
            self._sequences[transaction] = number if highest is None else max(number, highest)
            if len(self._sequences) > MOST_SEQUENCES:
                del self._sequences[next(iter(self._sequences))]
        if highest is None or number == highest + 1:
            return ""
        return "gap" if number > highest else "regressed"

    def booted(self, entry: Entry, answer: bytes) -> None:
        """A boot was answered by an upstream."""
        try:
            accepted = _status.decode(answer).status == "Accepted"
        except msgspec.MsgspecError:
            accepted = False
        self._boot, self._boot_answer, self._boot_at = entry.id, answer if accepted else b"", entry.head.received_at

    def commanded(self, action: str) -> None:
        """The charger gets a CALL."""
        if action in MAKES_BOOT:
            self._boot_answer = b""

    def boots_again(self, session: Session, link: Link, entry: Entry, call: Call, now: int) -> bool:
        """Whether this boot is one that `link` has just been told of: then it is dealt with here."""
        if (
            not self._boot_answer
            or entry.head.received_at - self._boot_at >= BOOT_MS
            or order(entry.id) <= order(self._boot)
            or entry.head.version != session.shared.version
            or bytes(call.payload) != session.shared.boot
            or not link.up
            or link.barred
        ):
            return False
        exchange = Exchange(entry, call)
        exchange.counts = link.counts(call.action)
        if exchange.counts:
            session.observer.quirk("boot_repeat", entry.head.version)
        answer = rewrite(self._boot_answer, {"currentTime": encode(format_time(now))})
        promise(link, exchange, Raw(answer), now)
        ack(link, exchange)
        return True

    def answered(self) -> None:
        """The charger has answered a CALL."""
        self._unanswered = 0

    def unanswered(self, session: Session, now: int) -> None:
        """The charger has left a CALL unanswered."""
        self._unanswered += 1
        if self._unanswered % DEAF:
            return
        session.observer.deaf(session)
        if self.resets and session.edge and now - self._reset_at >= RESET_MS:
            self._reset_at = now
            item = ToCharger(session.charger, session.epoch, "close", b"it answers nothing", code=ABORT)
            session.effects.to_charger.append((session.edge, item))
