"""MeterValues as they nearly always come: one reading of a running transaction, whose samples all have a place in 2.0.1.

Such a reading becomes text without typed samples in between: what depends on a sample's attributes is translated once and
kept. `metering` does the same for every message, at several times the cost; a test compares the two.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec

from .. import frames
from ..dialogue import AskRaw, Dialogue, Refusal
from ..facts import Facts, Transaction
from ..metering import CACHED, REGISTER, WH_MOST, attributes_up
from ..models import lenient, v16, v201
from ..values import charger_time, parse_decimal, plain
from .ledger import END, RECENT_MOST, digest_of, forget_recent, heed, number_of, offline
from .monitoring import BLOCK as MONITORS
from .upstream import introduce_again

_PLAIN = re.compile(r"[1-9]\d{0,11}(?:\.\d{1,6})?|0(?:\.\d{0,5}[1-9])?", re.ASCII)
"""A number that 2.0.1 spells in the same way."""
_EVENT: Final = v201.TransactionEventRequest.action


class Shape(NamedTuple):
    """Everything of a sample but its value."""

    head: str
    tail: str
    register: bool
    """It may be the energy register of the reading, in Wh."""


@lru_cache(1024)
def _shape(context: Any, measurand: Any, phase: Any, location: Any, unit: Any) -> Shape | None:
    """The 2.0.1 sample around a value; None for one that `metering` must look at."""
    if measurand in CACHED or measurand == "Power.Factor" or context in ("Trigger", "Transaction.Begin"):
        return None
    sample = v16.SampledValue(
        value="1", context=context, measurand=measurand, phase=phase, location=location, unit=unit
    )
    translated = attributes_up(sample, Decimal(1))
    if translated is None:
        return None
    register = measurand in (None, REGISTER)
    if register and (phase is not None or location not in (None, "Outlet") or unit not in (None, "Wh")):
        return None
    head, tail = lenient.check(translated).decode().split("1", 1)
    return Shape(head, tail, register)


class Written(msgspec.Struct, frozen=True, gc=False):
    """A meter value as JSON."""

    text: str
    at: int
    timestamp: str
    register: str
    """The energy register that it shows, Wh; empty if it shows none."""
    reason: v201.TriggerReason


def written(d: Dialogue, request: v16.MeterValuesRequest) -> Written | None:
    """The reading of a message, if it is one of those this module is about."""
    if len(request.meterValue) != 1:
        return None
    (value,) = request.meterValue
    moment = charger_time(value.timestamp, d.now)
    if moment.substituted:
        return None
    texts: list[str] = []
    seen = ""
    reason: v201.TriggerReason = "MeterValuePeriodic"
    for sample in value.sampledValue:
        shape = _shape(sample.context, sample.measurand, sample.phase, sample.location, sample.unit)
        if shape is None or sample.format == "SignedData":
            return None
        head, tail, register = shape
        number = shown = sample.value
        if not _PLAIN.fullmatch(number):
            parsed = parse_decimal(number)
            if parsed is None or abs(parsed) > WH_MOST:
                return None
            number, shown = frames.encode(parsed).decode(), plain(parsed)
        if register:
            if seen:
                return None
            seen = shown
        if sample.context == "Sample.Clock":
            reason = "MeterValueClock"
        texts.append(f"{head}{number}{tail}")
    if not texts:
        return None
    text = f'{{"sampledValue":[{",".join(texts)}],"timestamp":"{moment.text}"}}'
    return Written(text, moment.ms, moment.text, seen, reason)


def running(d: Dialogue, request: v16.MeterValuesRequest) -> Transaction | None:
    """The transaction that a message names, if it runs and nobody has asked for anything that a reading might be about."""
    facts: Facts = d.facts
    if facts.triggers or MONITORS in facts.extra or not request.transactionId:
        return None
    for transaction in reversed(facts.transactions):
        if transaction.tid == request.transactionId:
            return transaction if transaction.state == "open" and END not in transaction.pending else None
    return None


def update(d: Dialogue, transaction: Transaction, reading: Written) -> Generator[Any, Any, None]:
    """Tell the CSMS a reading, unless it has it already."""
    if reading.register:
        transaction.register_wh = reading.register
    content = "meter " + digest_of(reading.text.encode())
    recent = transaction.recent
    if recent:
        forget_recent(d, transaction)
        if content in recent:
            d.lose("meterValue", "folded")
            return
    late = ',"offline":true' if offline(d, reading.at) else ""
    event = AskRaw(
        "csms",
        _EVENT,
        msgspec.Raw(
            f'{{"eventType":"Updated","timestamp":"{reading.timestamp}","triggerReason":"{reading.reason}"'
            f',"seqNo":{number_of(d, transaction, content)}'
            f',"transactionInfo":{{"transactionId":{frames.encode(transaction.uuid).decode()}}}'
            f',"meterValue":[{reading.text}]{late}}}'.encode()
        ),
    )
    try:
        answer = yield event
    except Refusal as refusal:
        yield from introduce_again(d, refusal)
        answer = yield event
    if bytes(answer) == b"{}":  # nearly always
        transaction.pending.pop(content, None)
    else:
        heed(d, transaction, content, d.read(v201.TransactionEventResponse, bytes(answer)))
    while len(recent) >= RECENT_MOST:
        del recent[next(iter(recent))]
    recent[content] = d.now
