"""2.0.1 (or later) on both sides where the gateway answers for a CSMS that is away: everything passes byte for byte.

A token that was accepted here, and that the CSMS then refuses, costs its transaction (spec 8.3): the charger is told to stop
it, and its end is told for what it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Raw

from .dialogue import Out, Step
from .frames import Call, Frame, Result, Side
from .standin import info_of, read, status_of
from .untouched import Untouched

RETRY_MS: Final = 10_000
"""After which a charger that did not stop is told once more."""
ATTEMPTS: Final = 2

_members = msgspec.json.Decoder(dict[str, Raw])


class _Status(msgspec.Struct):
    status: str = ""


_status = msgspec.json.Decoder(_Status)


class Recalling(Untouched):
    """A translator that stops what should not have begun (same interface as `engine.Translator`)."""

    deauthorise = True
    """A transaction whose token was accepted here and that the upstream refuses is stopped."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        super().__init__(new_id)
        self._stops: dict[str, tuple[str, int]] = {}
        """Id of a RequestStopTransaction of ours -> (transaction, how often it was sent)."""
        self._again: dict[str, int] = {}
        """Transaction -> when the charger is told once more to stop."""

    def receive(
        self,
        side: Side,
        frame: Frame,
        clock: int,
        *,
        now: int | None = None,
        key: str = "",
        tx: int = 0,
        early: bool = False,
    ) -> list[Step]:
        """Pass a frame to the other side under an id of our own."""
        if side == "charger" and (stop := self._stops.pop(frame.id, None)) is not None:
            if type(frame) is not Result or not _accepted(bytes(frame.payload)):
                self._stop_again(*stop, clock)
            return []
        refused = ""
        stand_in = self.stand_in
        if stand_in is None:
            return super().receive(side, frame, clock, now=now, key=key, tx=tx, early=early)
        if type(frame) is Call:
            if side == "charger" and frame.action == "TransactionEvent" and stand_in.kept.stopped:
                frame = self._ended(frame)
        elif side == "csms" and type(frame) is Result and (opened := self._open.get((side, frame.id))) is not None:
            began = stand_in.began(opened[2]) if opened[2] else ""
            info = info_of(bytes(frame.payload)) if began else None
            if info is not None and status_of(info) != "Accepted":
                refused = began
        steps = super().receive(side, frame, clock, now=now, key=key, tx=tx, early=early)
        return [*steps, *self._stop(refused, 1)] if refused else steps

    def expire(self, side: Side, id: str, clock: int) -> list[Step]:
        """The CALL `id` that left for `side` got no answer in time."""
        if side == "charger" and (stop := self._stops.pop(id, None)) is not None:
            self._stop_again(*stop, clock)
            return []
        return super().expire(side, id, clock)

    @property
    def early_until(self) -> str:
        """Journal id up to which the charger was answered while the upstream was away; "" without an outage."""
        return "" if self.stand_in is None else self.stand_in.early_until

    @early_until.setter
    def early_until(self, key: str) -> None:
        if self.stand_in is not None:
            self.stand_in.early_until = key

    def back(self, clock: int) -> list[Step]:
        """The upstream is back and has been told the backlog."""
        self.early_until = ""
        return []

    def tick(self, clock: int) -> list[Step]:
        """Time has passed."""
        due = [transaction for transaction, at in self._again.items() if at <= clock]
        for transaction in due:
            del self._again[transaction]
        self.next_wake = min(self._again.values(), default=None)
        return [step for transaction in due for step in self._stop(transaction, ATTEMPTS)]

    def _stop(self, transaction: str, attempt: int) -> list[Step]:
        """Have the charger stop a transaction that the upstream has refused, unless it has ended."""
        if not self.deauthorise or self.stand_in is None or not transaction:
            return []
        if attempt > 1 and transaction not in self.stand_in.kept.stopped:
            return []  # it has ended meanwhile
        waiting = [read(bytes(call.payload)) for call in self.backlog() if call.action == "TransactionEvent"]
        if any(
            each is not None and each.eventType == "Ended" and each.transactionInfo.transactionId == transaction
            for each in waiting
        ):
            return []
        self.stand_in.stop(transaction)
        id = self._new_id()
        self._stops[id] = transaction, attempt
        stop = Raw(msgspec.json.encode({"transactionId": transaction}))
        return [Out("charger", Call(id, "RequestStopTransaction", stop), (), 0, "TransactionEvent")]

    def _stop_again(self, transaction: str, attempt: int, clock: int) -> None:
        if attempt < ATTEMPTS:
            self._again[transaction] = clock + RETRY_MS
            self.next_wake = min(self._again.values())

    def _ended(self, call: Call) -> Call:
        """The end of a transaction that was stopped: if the charger says that it was stopped remotely, what it was
        stopped for."""
        said = read(bytes(call.payload))
        assert self.stand_in is not None
        if (
            said is None
            or said.eventType != "Ended"
            or said.transactionInfo.transactionId not in self.stand_in.kept.stopped
        ):
            return call
        self.stand_in.ended(said.transactionInfo.transactionId)
        payload = _members.decode(call.payload)
        if bytes(payload.get("triggerReason", b"")) == b'"RemoteStop"':
            payload["triggerReason"] = Raw(b'"Deauthorized"')
        info = _members.decode(payload["transactionInfo"])
        if bytes(info.get("stoppedReason", b"")) == b'"Remote"':
            info["stoppedReason"] = Raw(b'"DeAuthorized"')
            payload["transactionInfo"] = Raw(msgspec.json.encode(info))
        return Call(call.id, call.action, Raw(msgspec.json.encode(payload)))


def _accepted(payload: bytes) -> bool:
    try:
        return _status.decode(payload).status == "Accepted"
    except msgspec.MsgspecError:
        return False
