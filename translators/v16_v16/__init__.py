"""1.6 (or 1.5) on both sides, one upstream among several: its ids are its own, everything else passes byte for byte.

The charger knows a transaction by one number: what the primary has answered, or what the gateway gave it. Each 1.6 upstream
answers a StartTransaction with a number of its own; what it is told of that transaction carries this number, and what it
asks carries the charger's. Both are kept under the journal entry of the StartTransaction, whichever is known first.
Ids of reservations and charging profiles are mapped by the hub, for every pair of versions alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import msgspec
from msgspec import Raw

from ..dialogue import Done, Out, Step
from ..frames import Call, Frame, Result, Side
from ..kept import HOT
from ..late import Late
from . import members
from .facts import ENDED_MOST, OPEN_MOST, Transaction, decode, encode, order
from .verdicts import deauthorised, refused_in

NOWHERE: Final = -1
"""The transactionId of what belongs to a transaction that the upstream does not know (1.6 errata 3.18)."""

_TOLD: Final = frozenset(("MeterValues", "StopTransaction"))
_ASKED: Final = {
    "RemoteStopTransaction": ("transactionId",),
    "SetChargingProfile": ("csChargingProfiles", "transactionId"),
}
"""Commands that name a transaction, and where."""
_ID: Final = ("transactionId",)
_REJECTED: Final = Raw(b'{"status":"Rejected"}')


class Renumbering(Late):
    """A translator that translates transaction ids (same interface as `engine.Translator`)."""

    cause = "StartTransaction"

    def __init__(self, state: bytes, new_id: Callable[[], str], *, primary: bool, accept_away: bool = False) -> None:
        """`accept_away`: a StartTransaction that the primary does not answer is accepted under the minted number.

        Raises ValueError for newer facts.
        """
        super().__init__(new_id)
        self._facts = decode(state)
        self._state: bytes | None = encode(self._facts)
        self.primary = primary
        """Its numbers are the charger's, where they can be."""
        self.accept_away = accept_away
        self._minted: dict[str, int] = {}
        """Number minted for a StartTransaction that is under way."""
        self._ending: dict[str, str] = {}
        """Id of a StopTransaction that is under way -> the entry of its StartTransaction."""
        self._early: set[str] = set()
        """Entries of StartTransactions under way that the charger was answered before."""

    @property
    def transactions(self) -> Iterable[Transaction]:
        """Those that are remembered, in the order in which they began."""
        return self._facts.transactions.values()

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
        """Pass a frame to the other side under an id of our own, with the other side's number for its transaction."""
        start = refused = ""
        if self.answers_stop(side, frame, clock):
            return []
        if type(frame) is Call:
            if side == "csms" and (path := _ASKED.get(frame.action)) is not None:
                payload = self._to_charger(bytes(frame.payload), path)
                if payload is None:
                    return [Out("csms", Result(frame.id, _REJECTED), (), 0, frame.action)]
                frame = Call(frame.id, frame.action, Raw(payload))
            if side == "charger" and frame.action in _TOLD and self._facts.transactions:

                def own(number: int) -> int:
                    nonlocal start
                    start = self._start_of(number, key)
                    return self._to_csms(number, start)

                payload = members.edit(bytes(frame.payload), _ID, own)
                if start and frame.action == "StopTransaction" and self._facts.transactions[start].deauthorised:
                    payload = deauthorised(payload)
                frame = Call(frame.id, frame.action, Raw(payload))
            elif side == "charger" and frame.action == "StartTransaction":
                known = self._facts.transactions.get(key)
                if known is not None and known.answer:  # the charger says again what this upstream knows already
                    again = Out("charger", Result(frame.id, Raw(known.answer)), (), 0, frame.action)
                    return [again, Done(key, "ok")]
                self._minted[key] = tx
                if early:
                    self._early.add(key)
        elif side == "csms" and type(frame) is Result and (opened := self._open.get((side, frame.id))) is not None:
            _, _, entry, action = opened
            if action == "StartTransaction" and entry:
                if entry in self._early and not self._denied(entry) and refused_in(bytes(frame.payload)):
                    refused = entry
                frame = Result(frame.id, Raw(self._started(entry, bytes(frame.payload))))
            elif action == "StopTransaction":
                self._ended(self._ending.pop(frame.id, ""))
        steps = super().receive(side, frame, clock, now=now, key=key, tx=tx, early=early)
        if start and type(frame) is Call and frame.action == "StopTransaction":
            self._ending = {id: each for id, each in self._ending.items() if ("csms", id) in self._open}
            self._ending[steps[0].frame.id] = start  # type: ignore[union-attr]
        return [*steps, *self.stop(refused)] if refused else steps

    def command(self, transaction: str, attempt: int) -> Call | None:
        """What makes the charger stop the transaction of a StartTransaction's entry; None if it has ended."""
        known = self._facts.transactions.get(transaction)
        if not self.primary or known is None or known.ended or known.number is None:
            return None
        if any(
            call.action == "StopTransaction" and members.read(bytes(call.payload), _ID) == known.number
            for call in self.backlog()
        ):
            return None
        known.deauthorised, self._state = True, None
        stop = Raw(msgspec.json.encode({"transactionId": known.number}))
        return Call(self._new_id(), "RemoteStopTransaction", stop)

    def numbered(self, key: str, tx: int, number: int) -> None:
        """The charger was told `number` as the answer to the StartTransaction of entry `key`."""
        self._of(key).number = number
        self._shorten()

    def adopt(self, key: str, number: int) -> None:
        """A transaction began at entry `key`, perhaps before this was an upstream of the charger."""
        if key not in self._facts.transactions:
            self.numbered(key, 0, number)

    def knows(self, key: str) -> bool:
        """Whether the upstream has answered the StartTransaction of entry `key`."""
        known = self._facts.transactions.get(key)
        return known is not None and known.own is not None

    def forget(self, key: str) -> None:
        """Journal entry `key` is done."""
        self._minted.pop(key, None)
        self._early.discard(key)
        super().forget(key)

    @property
    def early_until(self) -> str:
        """Journal id up to which the charger was answered while the upstream was away; "" without an outage."""
        return self._facts.early_until

    @early_until.setter
    def early_until(self, key: str) -> None:
        self._facts.early_until, self._state = key, None

    def back(self, clock: int) -> list[Step]:
        """The upstream is back and has been told the backlog."""
        if self._facts.early_until:
            self.early_until = ""
        return []

    def away(self, call: Call, clock: int, *, key: str = "", tx: int = 0) -> Raw | None:
        """The empty answer where no decision is needed; a StartTransaction gets the minted number, if so configured."""
        if call.action == "StartTransaction" and tx and self.stand_in is not None:
            payload = super().away(call, clock, key=key, tx=tx)
            if payload is not None:
                self.numbered(key, tx, tx)
                self._of(key).denied = refused_in(bytes(payload))
            return payload
        if call.action != "StartTransaction" or not (tx and self.accept_away):
            return super().away(call, clock, key=key, tx=tx)
        self.numbered(key, tx, tx)
        return Raw(msgspec.json.encode({"transactionId": tx, "idTagInfo": {"status": "Accepted"}}))

    def state(self) -> bytes:
        """The facts, encoded for the store; empty while every number is the charger's too."""
        if self._state is None:
            self._state = encode(self._facts)
        return self._state

    def stored(self) -> dict[str, bytes]:
        """The facts as they are stored."""
        return {HOT: self.state(), **super().stored()}

    # -- numbers -----------------------------------------------------------------------------------------------------

    def _started(self, key: str, payload: bytes) -> bytes:
        """The upstream has numbered the transaction of entry `key`; gives its answer as the charger is to hear it."""
        own = members.read(payload, _ID)
        if own is None:
            return payload
        known = self._of(key)
        known.own = own
        if self.primary and known.number is None:
            taken = any(each.number == own and not each.ended for each in self._facts.transactions.values())
            known.number = (taken and self._minted.get(key)) or own
        if self.primary and known.number != own:
            number = known.number or own
            payload = known.answer = members.edit(payload, _ID, lambda _: number)
        elif self.primary and not any(
            each.number == own for each in self._facts.transactions.values() if each is not known
        ):
            del self._facts.transactions[
                key
            ]  # a number that is the charger's too, and meant nothing else, is not remembered
        self._shorten()
        return payload

    def _denied(self, entry: str) -> bool:
        known = self._facts.transactions.get(entry)
        return known is not None and known.denied

    def _ended(self, start: str) -> None:
        if (known := self._facts.transactions.get(start)) is not None and not known.ended:
            known.ended, self._state = True, None
            self._shorten()

    def _of(self, key: str) -> Transaction:
        self._state = None
        return self._facts.transactions.setdefault(key, Transaction())

    def _shorten(self) -> None:
        kept = self._facts.transactions
        for ended, most in ((True, ENDED_MOST), (False, OPEN_MOST)):
            if len(kept) > most:
                starts = sorted((each for each in kept if kept[each].ended is ended), key=order)
                for start in starts[: max(0, len(starts) - most)]:
                    del kept[start]

    def _start_of(self, number: int, key: str) -> str:
        """The entry of the last StartTransaction before entry `key` that gave a transaction this number; "" for none."""
        before = order(key)
        starts = [
            start
            for start, each in self._facts.transactions.items()
            if each.number == number and (not key or order(start) < before)
        ]
        return max(starts, key=order, default="")

    def _to_csms(self, number: int, start: str) -> int:
        if start:
            own = self._facts.transactions[start].own
            return NOWHERE if own is None else own
        # A number that this upstream gave to something else is none of this transaction.
        return NOWHERE if any(each.own == number for each in self._facts.transactions.values()) else number

    def _to_charger(self, payload: bytes, path: tuple[str, ...]) -> bytes | None:
        """The command with the charger's number; None if it is about a transaction that the charger does not know by
        one yet, or if the number means another transaction to the charger."""
        own = members.read(payload, path)
        transactions = self._facts.transactions.values()
        if own is None:
            return payload
        found = next((each for each in reversed(transactions) if each.own == own), None)
        number = own if found is None else found.number
        others = [each for each in transactions if each is not found and each.number == number]
        if number is None or (any(not each.ended for each in others) if found is not None else others):
            return None
        return members.edit(payload, path, lambda _: number)


def unfinished(state: bytes) -> bool:
    """Whether the upstream knows a transaction that has not ended by another number than the charger. Raises ValueError for
    newer facts."""
    return any(each.number != each.own and not each.ended for each in decode(state).transactions.values())


__all__ = ["NOWHERE", "Renumbering", "unfinished"]
