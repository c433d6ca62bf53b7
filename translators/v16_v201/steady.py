"""Meter values as they nearly always come: their samples all have a place in 2.0.1, and a MeterValues is one reading of a
running transaction.

Such a reading becomes text without typed samples in between: what depends on the attributes of its samples is translated
once and kept. `metering` does the same for every message, at several times the cost; a test compares the two.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from .. import frames
from ..dialogue import AskRaw, Dialogue
from ..facts import Facts, Transaction
from ..metering import CACHED, REGISTER, WH_MOST, attributes_up
from ..models import lenient, v16, v201
from ..values import Moment, charger_time, parse_decimal, plain
from .ledger import END, RECENT_MOST, digest_of, forget_recent, heed, number_of, offline
from .monitoring import BLOCK as MONITORS

_NUMBER: Final = r"(?:[1-9]\d{0,11}+(?:\.\d{1,6}+)?+|0(?:\.\d{0,5}[1-9])?)"
"""A number that 2.0.1 spells in the same way."""
_EVENT: Final = v201.TransactionEventRequest.action

SAMPLES_MOST: Final = 64
"""A reading of more is none that comes every minute."""

Attributes: TypeAlias = tuple[Any, Any, Any, Any, Any, Any]
"""Everything of a sample but its value: context, measurand, phase, location, unit, format."""


class Shape(NamedTuple):
    """Everything of a reading but its values and its time."""

    pieces: list[str]
    """The text of the meter value, cut where its values and its time are: every other piece is empty."""
    are_plain: Callable[[str], re.Match[str] | None]
    """Whether as many values, joined by blanks, are numbers that 2.0.1 spells in the same way."""
    registers: tuple[tuple[int, str | None], ...]
    """(place, context) of the samples that show the energy register, in Wh."""
    reason: v201.TriggerReason | None
    """Of an event that tells of it; None: `metering` must look at it."""


@lru_cache(1024)
def _shape(samples: tuple[Attributes, ...]) -> Shape | None:
    """The 2.0.1 meter value around the values; None for one that `metering` must look at."""
    if not 0 < len(samples) <= SAMPLES_MOST:
        return None
    pieces = ['{"sampledValue":[']
    registers: list[tuple[int, str | None]] = []
    for index, (context, measurand, phase, location, unit, format) in enumerate(samples):
        if measurand in CACHED or measurand == "Power.Factor" or format == "SignedData":
            return None
        sample = v16.SampledValue(
            value="1", context=context, measurand=measurand, phase=phase, location=location, unit=unit
        )
        translated = attributes_up(sample, Decimal(1))
        if translated is None:
            return None
        if measurand in (None, REGISTER):
            if phase is not None or location not in (None, "Outlet") or unit not in (None, "Wh"):
                return None
            registers.append((index, context))
        head, tail = lenient.check(translated).decode().split("1", 1)
        pieces[-1] += head
        pieces += ("", f"{tail},")
    pieces[-1] = pieces[-1][:-1] + '],"timestamp":"'
    contexts = {context for context, *_ in samples}
    reason: v201.TriggerReason | None = "MeterValueClock" if "Sample.Clock" in contexts else "MeterValuePeriodic"
    if len(registers) > 1 or contexts & {"Trigger", "Transaction.Begin"}:
        reason = None
    return Shape(
        [*pieces, "", '"}'],
        re.compile(" ".join([_NUMBER] * len(samples)), re.ASCII).fullmatch,
        tuple(registers),
        reason,
    )


Written: TypeAlias = tuple[str, Moment, list[str], tuple[tuple[int, str | None], ...], v201.TriggerReason | None]
"""A meter value as JSON, its time, its values as plain decimals (then its time as text), `registers` and `reason` of its Shape."""


def written(value: v16.MeterValue | v16.TransactionData, received: int) -> Written | None:
    """A meter value that became text at once; None for one that `metering` must look at."""
    samples: list[Attributes] = []
    values: list[str] = []
    for each in value.sampledValue:
        samples.append((each.context, each.measurand, each.phase, each.location, each.unit, each.format))
        values.append(each.value)
    shape = _shape(tuple(samples))
    if shape is None:
        return None
    moment = charger_time(value.timestamp, received)
    if moment.substituted:
        return None
    pieces, are_plain, registers, reason = shape
    pieces = pieces.copy()
    if are_plain(" ".join(values)):
        values.append(moment.text)
        pieces[1::2] = values
    else:
        numbers = [number for each in values if (number := parse_decimal(each)) is not None and abs(number) <= WH_MOST]
        if len(numbers) < len(values):
            return None
        values = [*map(plain, numbers), moment.text]
        pieces[1::2] = [*(frames.encode(each).decode() for each in numbers), moment.text]
    return "".join(pieces), moment, values, registers, reason


class Told(msgspec.Struct, frozen=True, gc=False):
    """A reading of a running transaction."""

    transaction: Transaction
    content: str
    """By which it is recognised."""
    event: AskRaw | None
    """What tells the CSMS of it; None: the CSMS has it already."""


def reading(d: Dialogue, request: v16.MeterValuesRequest) -> Told | None:
    """The reading of a message, if it is one of those this module is about: of a transaction that runs, while nobody has
    asked for anything that it might be about."""
    facts: Facts = d.facts
    if len(request.meterValue) != 1 or facts.triggers or MONITORS in facts.extra or not request.transactionId:
        return None
    for transaction in reversed(facts.transactions):
        if transaction.tid == request.transactionId:
            break
    else:
        return None
    if transaction.state != "open" or END in transaction.pending:
        return None
    (value,) = request.meterValue
    found = written(value, d.now)
    if found is None or found[-1] is None:
        return None
    text, moment, values, registers, reason = found
    for place, _ in registers:
        transaction.register_wh = values[place]
    content = "meter " + digest_of(text.encode())
    if transaction.recent:
        forget_recent(d, transaction)
        if content in transaction.recent:
            return Told(transaction, content, None)
    late = ',"offline":true' if offline(d, moment.ms) else ""
    event = (
        f'{{"eventType":"Updated","timestamp":"{moment.text}","triggerReason":"{reason}"'
        f',"seqNo":{number_of(transaction, content)}'
        f',"transactionInfo":{{"transactionId":{frames.encode(transaction.uuid).decode()}}}'
        f',"meterValue":[{text}]{late}}}'
    )
    return Told(transaction, content, AskRaw("csms", _EVENT, msgspec.Raw(event.encode())))


def heard(d: Dialogue, told: Told, answer: bytes) -> None:
    """The CSMS has the reading, and says something to it."""
    transaction, content = told.transaction, told.content
    if answer == b"{}":  # nearly always
        transaction.pending.pop(content, None)
    else:
        d.moves = None
        heed(d, transaction, content, d.read(v201.TransactionEventResponse, answer))
    recent = transaction.recent
    while len(recent) >= RECENT_MOST:
        del recent[next(iter(recent))]
    recent[content] = d.now
