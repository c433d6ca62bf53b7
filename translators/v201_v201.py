"""2.0.1 (or later) on both sides where the gateway answers for a CSMS that is away: everything passes byte for byte.

A token that was accepted here, and that the CSMS then refuses, costs its transaction (spec 8.3): the charger is told to stop
it, and its end is told for what it is.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from .dialogue import Step
from .frames import Call, Frame, Result, Side
from .late import Late
from .standin import info_of, read, status_of

_members = msgspec.json.Decoder(dict[str, Raw])


class Recalling(Late):
    """A translator that stops what should not have begun (same interface as `engine.Translator`)."""

    cause = "TransactionEvent"

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
        if self.answers_stop(side, frame, clock):
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
        return [*steps, *self.stop(refused)] if refused else steps

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

    def command(self, transaction: str, attempt: int) -> Call | None:
        """What makes the charger stop a transaction that the upstream has refused; None if it has ended."""
        if self.stand_in is None or (attempt > 1 and transaction not in self.stand_in.kept.stopped):
            return None
        waiting = [read(bytes(call.payload)) for call in self.backlog() if call.action == "TransactionEvent"]
        if any(
            each is not None and each.eventType == "Ended" and each.transactionInfo.transactionId == transaction
            for each in waiting
        ):
            return None
        self.stand_in.stop(transaction)
        stop = Raw(msgspec.json.encode({"transactionId": transaction}))
        return Call(self._new_id(), "RequestStopTransaction", stop)

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
