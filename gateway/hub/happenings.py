"""What charging brings about, as metrics: boots, transactions, clocks. Told once per answer that a charger gets."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from gateway.journal.entry import Entry
from gateway.metrics import Metrics
from translators.frames import Result

from .backlog import Exchange
from .link import Link

SETTLED_MS: Final = 60_000
"""A charger that connects tells what it has kept: only what it says later says something about its clock."""


class _Said(msgspec.Struct):
    timestamp: str = ""
    eventType: str = ""
    offline: bool = False
    transactionId: int = 0
    seqNo: int = 0
    transactionInfo: _Info | None = None


class _Info(msgspec.Struct):
    transactionId: str = ""


class _Status(msgspec.Struct):
    status: str = ""


_said = msgspec.json.Decoder(_Said, strict=False)
_status = msgspec.json.Decoder(_Status)


class Happenings:
    """Counts for one hub."""

    __slots__ = ("_boots", "_skew", "_transactions")

    def __init__(self, metrics: Metrics) -> None:
        self._boots = {
            status: metrics.boot_notifications.cell(status.lower()) for status in ("Accepted", "Pending", "Rejected")
        }
        self._transactions = {
            event: metrics.transactions.cell(event)
            for event in ("started", "ended", "orphaned", "replayed", "gap", "regressed")
        }
        self._skew = metrics.charger_clock_skew.cell()

    def answered(self, link: Link, exchange: Exchange, answer: Result) -> None:
        """A charger gets this answer to a CALL with one of the actions of `shared.LEARNED_FROM`."""
        action = exchange.call.action
        try:
            if action == "BootNotification":
                if cell := self._boots.get(_status.decode(answer.payload).status):
                    cell.n += 1
                return
            said = _said.decode(exchange.call.payload)
        except msgspec.MsgspecError:
            return
        known = link.owner.shared.open
        if said.transactionInfo is not None:
            jump = link.owner.habits.sequence(said.transactionInfo.transactionId, said.seqNo, said.eventType)
            if jump:
                self._transactions[jump].n += 1
        if action == "StartTransaction" or said.eventType == "Started":
            self._transactions["started"].n += 1
        elif action == "StopTransaction":
            ended = any(each.number == said.transactionId for each in known)
            self._transactions["ended" if ended else "orphaned"].n += 1
        elif said.eventType == "Ended" and said.transactionInfo is not None:
            ended = any(each.id == said.transactionInfo.transactionId for each in known)
            self._transactions["ended" if ended else "orphaned"].n += 1
        received = exchange.entry.head.received_at
        if said.timestamp and not said.offline and received > link.owner.opened_at + SETTLED_MS:
            self._tick(said.timestamp, received)

    def told_late(self, entry: Entry) -> None:
        """An upstream has taken a billing message that it was away for."""
        head = entry.head
        if head.action == "StartTransaction" or (head.action == "TransactionEvent" and b'"Started"' in entry.frame):
            self._transactions["replayed"].n += 1

    def _tick(self, stamp: str, received: int) -> None:
        try:
            at = datetime.fromisoformat(stamp)
        except ValueError:
            return
        if at.tzinfo is not None:
            self._skew.observe(abs(at.timestamp() - received / 1000))
