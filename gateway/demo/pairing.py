"""Puts what the charger said beside what the CSMS heard of it, and the other way round."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from gateway.demo.tap import Seen

COUNTERPARTS = {
    "BootNotification": {"BootNotification"},
    "Heartbeat": {"Heartbeat"},
    "Authorize": {"Authorize"},
    "StatusNotification": {"StatusNotification", "NotifyEvent", "TransactionEvent"},
    "StartTransaction": {"TransactionEvent"},
    "MeterValues": {"TransactionEvent", "MeterValues"},
    "StopTransaction": {"TransactionEvent"},
    "GetConfiguration": {"GetVariables", "GetBaseReport", "GetReport"},
    "ChangeConfiguration": {"SetVariables"},
    "RemoteStartTransaction": {"RequestStartTransaction"},
    "RemoteStopTransaction": {"RequestStopTransaction"},
    "TriggerMessage": {"TriggerMessage"},
    "UnlockConnector": {"UnlockConnector"},
}
"""1.6 action -> the 2.0.1 actions that it becomes or comes from."""

OTHER = {"charger": "csms", "csms": "charger"}

SETTLE = 0.08
"""How long a finished row waits for the losses of its frames, s."""
ANSWER_PATIENCE = 0.3
"""How long an answer waits to be heard on the other side, s."""
CALL_PATIENCE = 3.0
"""How long a CALL that is not answered yet waits to be heard on the other side, s."""


@dataclass(frozen=True, slots=True)
class Lost:
    """What the gateway says that a frame lost."""

    charger: str
    to: str
    call: bool
    action: str
    """Of an answer: the action of its CALL."""
    losses: tuple[tuple[str, str], ...]
    """(field, what happened to it)."""

    @classmethod
    def of(cls, event: dict[str, Any]) -> Lost:
        """From a `translation_losses` event of the gateway's log."""
        message = str(event.get("message_action", ""))
        return cls(
            charger=str(event.get("charger_id", "")),
            to=str(event.get("to", "")),
            call=bool(message),
            action=message or str(event.get("action", "")),
            losses=tuple((str(loss["field"]), str(loss["kind"])) for loss in event.get("losses", ())),
        )


@dataclass(slots=True)
class Row:
    """One line of the two columns: a frame of the charger's side, of the CSMS's side, or both."""

    up: bool
    """From the charger to the CSMS."""
    opened: float
    left: Seen | None = None
    right: Seen | None = None
    losses: tuple[tuple[str, str], ...] = ()
    """(field, what happened to it)."""
    cause: str = ""
    """Of a CALL that was heard beside another one: the action of that CALL."""
    finished: float | None = None
    """Since when nothing more can come, seconds of the monotonic clock."""

    @property
    def seen(self) -> list[Seen]:
        return [seen for seen in (self.left, self.right) if seen is not None]

    @property
    def call(self) -> bool:
        return self.seen[0].kind == "call"

    @property
    def latency(self) -> float | None:
        """Seconds from one socket to the other; None unless both frames are known."""
        if self.left is None or self.right is None:
            return None
        return self.right.at - self.left.at if self.up else self.left.at - self.right.at

    def fits(self, seen: Seen) -> bool:
        """Whether `seen` was heard because of what this row's only frame said."""
        if self.finished is not None or seen.said:
            return False
        mine = self.seen[0]
        if mine.side == seen.side or mine.charger != seen.charger or self.call != (seen.kind == "call"):
            return False
        old, new = (mine, seen) if mine.side == "charger" else (seen, mine)
        return new.action in COUNTERPARTS.get(old.action, {old.action})

    def takes(self, lost: Lost) -> bool:
        """Whether these losses are those of a frame of this row."""
        far = self.right if self.up else self.left
        return (
            not self.losses
            and lost.to == ("csms" if self.up else "charger")
            and far is not None
            and (far.charger, far.action, self.call) == (lost.charger, lost.action, lost.call)
        )


class Pairing:
    """Rows in the order in which they began; a row leaves once it is complete or nothing more can be expected."""

    def __init__(self) -> None:
        self._rows: deque[Row] = deque()
        self._lost: list[Lost] = []
        self._open: dict[tuple[str, str, str], str] = {}
        """(who said it, charger, id) -> action of the CALLs without an answer."""

    def add(self, seen: Seen) -> None:
        """The newest fitting row: of several answers of the charger the last one makes the CSMS's answer."""
        if seen.kind != "call":
            self._close(seen)
        row = next((row for row in reversed(self._rows) if row.fits(seen)), None)
        if row is None:
            row = Row(seen.up, seen.at)
            self._rows.append(row)
            if seen.kind == "call" and not seen.said:
                row.cause = next(
                    (a for (side, c, _), a in self._open.items() if (side, c) == (OTHER[seen.side], seen.charger)), ""
                )
        if seen.side == "charger":
            row.left = seen
        else:
            row.right = seen
        if not seen.said:
            row.finished = seen.at
        elif seen.kind == "call":
            self._open[seen.side, seen.charger, seen.id] = seen.action

    def _close(self, answer: Seen) -> None:
        """A CALL that is answered will not be heard on the other side any more."""
        self._open.pop((answer.side, answer.charger, answer.id), None)
        for row in self._rows:
            call = row.seen[0]
            if (
                row.call
                and row.finished is None
                and (call.side, call.charger, call.id) == (answer.side, answer.charger, answer.id)
            ):
                row.finished = answer.at

    def lose(self, lost: Lost) -> None:
        """The log and the sockets are not in step: the losses may come before their frame or after it."""
        self._lost.append(lost)

    def due(self, now: float, *, everything: bool = False) -> list[Row]:
        """The rows that can be shown at this time (seconds of the monotonic clock)."""
        self._attach()
        rows: list[Row] = []
        while self._rows and (everything or now >= _due_at(self._rows[0])):
            rows.append(self._rows.popleft())
        return rows

    def _attach(self) -> None:
        waiting = []
        for lost in self._lost:
            row = next((row for row in self._rows if row.takes(lost)), None)
            if row is None:
                waiting.append(lost)
            else:
                row.losses = lost.losses
        self._lost = waiting[-20:]


def _due_at(row: Row) -> float:
    if row.finished is not None:
        return row.finished + SETTLE
    return row.opened + (CALL_PATIENCE if row.call else ANSWER_PATIENCE)
