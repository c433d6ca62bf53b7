"""The transactions of one charger: which is meant, what was dealt with, what they read on the meter (spec 3.3, 8.1)."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

import msgspec

from ..dialogue import Dialogue
from ..kept import holds
from ..metering import register_of
from ..models import v201
from ..values import DAY_MS, plain
from .state import Transaction, facts_of

KEPT_MS: Final = 7 * DAY_MS
"""How long an ended transaction is remembered for late retries."""
KEPT_MOST: Final = 64
ANSWERS_MOST: Final = 64


def find(d: Dialogue, txid: str) -> Transaction | None:
    """The transaction of this 2.0.1 id, ended or not."""
    facts = facts_of(d)
    for each in reversed(facts.transactions):
        if each.txid == txid:
            return each
    if holds(facts, "ended", txid):
        return next((each for each in reversed(facts.ended) if each.txid == txid), None)
    return None


def found(d: Dialogue, txid: str) -> Transaction:
    """The transaction of this 2.0.1 id; a new one if the gateway has not heard of it."""
    transaction = find(d, txid)
    if transaction is None:
        transaction = Transaction(txid=txid)
        facts_of(d).transactions.append(transaction)
    return transaction


def close(d: Dialogue, transaction: Transaction) -> None:
    """The transaction has ended: it is kept for late retries, those that ended long ago are forgotten."""
    facts = facts_of(d)
    transaction.state, transaction.ended_at, transaction.ending = "ended", d.clock, True
    facts.transactions = [each for each in facts.transactions if each is not transaction]
    recent = [each for each in facts.ended if each.ended_at >= d.clock - KEPT_MS and each is not transaction]
    facts.ended = [*recent[1 - KEPT_MOST :], transaction]


def running_at(d: Dialogue, connector: int) -> Transaction | None:
    """The transaction that runs on a connector, as the charger sees it."""
    for each in reversed(facts_of(d).transactions):
        if each.connector == connector and not each.ending:
            return each
    return None


def started_at(d: Dialogue, connector: int) -> Transaction | None:
    """The transaction of a connector that the CSMS has a number for."""
    for each in reversed(facts_of(d).transactions):
        if each.connector == connector and each.state == "open":
            return each
    return None


def by_number(d: Dialogue, tid: int) -> Transaction | None:
    """The running transaction that the CSMS means by this number: the one it was given to last."""
    facts = facts_of(d)
    meant = [each for each in facts.transactions if each.tid == tid and each.bound]
    if holds(facts, "ended", tid):
        meant += [each for each in facts.ended if each.tid == tid and each.bound]
    newest = max(meant, key=lambda each: each.bound, default=None)
    return newest if newest is not None and newest.state == "open" else None


# What was dealt with (spec 8.1)


def counts(request: v201.TransactionEventRequest) -> bool:
    """Whether the event's seqNo tells it from others.

    A charger that never counts says 0 in every event; and no number that came before makes the end of a charge a repetition.
    """
    return request.eventType == "Started" or (request.seqNo != 0 and request.eventType != "Ended")


def _content(request: v201.TransactionEventRequest) -> str:
    return f"{request.eventType} {request.timestamp} {request.triggerReason}"


def was_seen(transaction: Transaction, request: v201.TransactionEventRequest) -> bool:
    """Whether this event was dealt with: a seqNo that counts tells, whatever else the event says."""
    if not counts(request):
        return _content(request) in transaction.contents
    return any(low <= request.seqNo <= high for low, high in transaction.seen)


def answer_again(transaction: Transaction, request: v201.TransactionEventRequest) -> v201.TransactionEventResponse:
    """What the event was answered when it was dealt with."""
    return msgspec.convert(transaction.answers.get(_key(request), {}), v201.TransactionEventResponse)


def _key(request: v201.TransactionEventRequest) -> str:
    return str(request.seqNo) if counts(request) else _content(request)


def see(transaction: Transaction, request: v201.TransactionEventRequest, answer: v201.TransactionEventResponse) -> None:
    """The event is dealt with."""
    given = msgspec.to_builtins(answer)
    if given:
        transaction.answers.pop(_key(request), None)
        transaction.answers[_key(request)] = given
        while len(transaction.answers) > ANSWERS_MOST:
            del transaction.answers[next(iter(transaction.answers))]
    if not counts(request):
        transaction.contents = [*transaction.contents[1 - ANSWERS_MOST :], _content(request)]
        return
    ranges = sorted([*transaction.seen, (request.seqNo, request.seqNo)])
    merged: list[tuple[int, int]] = []
    for low, high in ranges:
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    transaction.seen = merged


# Registers (spec 2.8)


def _with_context(values: Iterable[v201.MeterValue], context: str) -> list[v201.MeterValue]:
    found = []
    for value in values:
        samples = [sample for sample in value.sampledValue if sample.context == context]
        if samples:
            found.append(v201.MeterValue(timestamp=value.timestamp, sampledValue=samples))
    return found


def read_meter(d: Dialogue, transaction: Transaction, values: list[v201.MeterValue]) -> None:
    """Keep the registers that an event shows."""
    begin = register_of(_with_context(values, "Transaction.Begin"))
    if begin is not None and not transaction.begin:
        transaction.begin = plain(begin)
    end = register_of(_with_context(values, "Transaction.End"))
    newest = end if end is not None else register_of(values)
    if newest is None:
        return
    if not transaction.first:
        transaction.first = plain(begin if begin is not None else newest)
    transaction.last = plain(newest)
    if transaction.evse:
        facts_of(d).registers[transaction.evse] = plain(newest)


def whole(wh: str) -> int:
    """A register as 1.6 wants it: whole Wh, a half to the even one."""
    return int(Decimal(wh).to_integral_value(ROUND_HALF_EVEN))


def start_register(d: Dialogue, transaction: Transaction) -> int | None:
    """meterStart: the transaction's first reading, else the newest of its EVSE; None if there is none."""
    known = transaction.begin or facts_of(d).registers.get(transaction.evse) or transaction.last
    return whole(known) if known else None


def stop_register(transaction: Transaction) -> int:
    """meterStop: the last reading, on the basis that meterStart has; without any reading nothing was charged."""
    if not transaction.last:
        return transaction.meter_start
    if transaction.relative:
        return whole(plain(Decimal(transaction.last) - Decimal(transaction.first)))
    return whole(transaction.last)
