"""Meter values of the charger for a 1.6 CSMS (spec 2.8, 6.10)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from ..dialogue import Dialogue, Row, Rule, Talk
from ..metering import register_of
from ..models import v16, v201
from ..values import charger_time, parse_time, plain
from . import carried
from .ledger import started_at
from .peers import tell
from .places import number_of
from .state import facts_of


def readings(d: Dialogue, values: Iterable[v201.MeterValue], path: str = "meterValue") -> list[v16.MeterValue]:
    """Meter values for the CSMS, in the charger's order; one without a sample that 1.6 can hold is left out."""
    found = []
    for value in values:
        moment = charger_time(value.timestamp, d.now)
        if moment.substituted:
            d.lose(f"{path}.timestamp", "defaulted")
        samples: list[v16.SampledValue] = []
        for sample, fit in carried.samples(d, value):
            if not fit:
                d.lose(f"{path}.sampledValue")
            elif sample is not None and sample.unitOfMeasure is not None:
                _lose_unit(d, sample, f"{path}.sampledValue.unitOfMeasure")
            samples.extend(fit)
        if samples:
            found.append(v16.MeterValue(timestamp=moment.text, sampledValue=samples))
        elif not carried.is_meter_stop(d, value):
            d.lose(f"{path}.timestamp")
    return found


def _lose_unit(d: Dialogue, sample: v201.SampledValue, path: str) -> None:
    unit = sample.unitOfMeasure
    if unit is not None and unit.multiplier:
        d.lose(f"{path}.multiplier", "folded")
    if unit is not None and unit.unit is not None and (unit.unit == "Hz" or sample.measurand == "Power.Factor"):
        d.lose(f"{path}.unit")


def final_readings(d: Dialogue, values: Iterable[v201.MeterValue]) -> list[v16.TransactionData]:
    """Meter values as the transactionData of a StopTransaction."""
    return [msgspec.convert(msgspec.to_builtins(value), v16.TransactionData) for value in readings(d, values)]


def see_register(d: Dialogue, evse: int, values: list[v201.MeterValue]) -> None:
    """Keep the newest register of an EVSE."""
    register = register_of(values)
    if register is not None and evse > 0:
        facts_of(d).registers[evse] = plain(register)


def meter_values(d: Dialogue, request: v201.MeterValuesRequest) -> Rule:
    """They belong to the connector's transaction if it had begun when they were taken."""
    carried.heed(d, request)
    number = number_of(d, request.evseId)
    see_register(d, request.evseId, request.meterValue)
    transaction = started_at(d, number) if number else None
    values = readings(d, request.meterValue)
    if transaction is not None:
        transaction_start = parse_time(transaction.start_at) or 0
        own = [value for value in values if (parse_time(value.timestamp) or 0) >= transaction_start]
        register = register_of(
            value for value in request.meterValue if (parse_time(value.timestamp) or 0) >= transaction_start
        )
        if register is not None:
            transaction.first = transaction.first or plain(register)
            transaction.last = plain(register)
    else:
        own = []
    loose = [value for value in values if value not in own]
    if not values:
        d.lose("meterValue")
        d.lose("evseId")
    for part, tid in ((loose, None), (own, transaction.tid if transaction is not None else None)):
        if part:
            yield from send(d, number, part, tid)
    return v201.MeterValuesResponse()


def send(d: Dialogue, number: int, values: list[v16.MeterValue], tid: int | None) -> Any:
    """One MeterValues."""
    yield from tell(d, v16.MeterValuesRequest(connectorId=number, transactionId=tid, meterValue=values))


FROM_CHARGER: dict[str, Row] = {"MeterValues": Talk(meter_values)}
