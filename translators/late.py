"""A transaction that was accepted here while the CSMS was away, and that the CSMS then does not accept, is stopped
(spec 8.3). For links between equal versions: where messages are translated, rules see to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from .dialogue import Out, Step
from .frames import Call, Frame, Result, Side
from .untouched import Untouched

RETRY_MS: Final = 10_000
"""After which a charger that did not stop is told once more."""
ATTEMPTS: Final = 2


class _Answer(msgspec.Struct):
    status: str = ""


_answer = msgspec.json.Decoder(_Answer)


def stops(payload: bytes) -> bool:
    """Whether the answer to a command to stop is that the charger does."""
    try:
        return _answer.decode(payload).status == "Accepted"
    except msgspec.MsgspecError:
        return False


class Late(Untouched):
    """A translator that stops what should not have begun (same interface as `engine.Translator`)."""

    cause = ""
    """Action of the charger that a command to stop comes of, for metrics."""
    deauthorise = True
    """A transaction that was accepted here and that the upstream refuses is stopped."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        super().__init__(new_id)
        self._stops: dict[str, tuple[str, int]] = {}
        """Id of a command of ours -> (transaction, how often it was sent)."""
        self._again: dict[str, int] = {}
        """Transaction -> when the charger is told once more to stop."""

    def command(self, transaction: str, attempt: int) -> Call | None:
        """What makes the charger stop a transaction that the upstream has refused; None if it has ended."""
        raise NotImplementedError

    def stop(self, transaction: str, attempt: int = 1) -> list[Step]:
        """Have the charger stop a transaction that the upstream has refused, unless it has ended."""
        command = self.command(transaction, attempt) if self.deauthorise else None
        if command is None:
            return []
        self._stops[command.id] = transaction, attempt
        return [Out("charger", command, (), 0, self.cause)]

    def answers_stop(self, side: Side, frame: Frame, clock: int) -> bool:
        """Whether a frame answers a command of ours; one that was not obeyed is given once more."""
        if side != "charger" or (stop := self._stops.pop(frame.id, None)) is None:
            return False
        if type(frame) is not Result or not stops(bytes(frame.payload)):
            self._stop_again(*stop, clock)
        return True

    def expire(self, side: Side, id: str, clock: int) -> list[Step]:
        """The CALL `id` that left for `side` got no answer in time."""
        if side == "charger" and (stop := self._stops.pop(id, None)) is not None:
            self._stop_again(*stop, clock)
            return []
        return super().expire(side, id, clock)

    def tick(self, clock: int) -> list[Step]:
        """Time has passed."""
        due = [transaction for transaction, at in self._again.items() if at <= clock]
        for transaction in due:
            del self._again[transaction]
        self.next_wake = min(self._again.values(), default=None)
        return [step for transaction in due for step in self.stop(transaction, ATTEMPTS)]

    def _stop_again(self, transaction: str, attempt: int, clock: int) -> None:
        if attempt < ATTEMPTS:
            self._again[transaction] = clock + RETRY_MS
            self.next_wake = min(self._again.values())
