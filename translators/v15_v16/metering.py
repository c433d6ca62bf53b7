"""Meter values of a 1.5 charger: the dialects of the field, read into 1.6 meter values (spec/ocpp15 section 3).

    A  {"timestamp": T, "values": [{"value": "12", "unit": "Wh"}]}
    B  {"timestamp": T, "value": [{"value": "12", "unit": "Wh"}]}
    C  {"timestamp": T, "value": "12", "unit": "Wh"}

Also read: numbers for texts, one object for a list, the names of 1.6, and XML attributes as `$attributes` and `$value`.
Nothing here writes them: towards a charger no message has meter values, and between 1.5 and 1.5 they pass as they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, ClassVar, Final, get_args

from msgspec import Raw

from ..dialogue import Dialogue, Refusal
from ..models import v15, v16
from ..models.base import ABSENT, Int64, Request
from ..values import format_time, tidy_time
from ..values15 import UNIT


class AnyMeterValuesRequest(Request[v15.MeterValuesResponse], kw_only=True):
    """MeterValues in any dialect: the values are read by `meter_values`."""

    action: ClassVar[str] = "MeterValues"
    response = v15.MeterValuesResponse

    connectorId: Int64
    transactionId: Int64 | None = None
    values: Raw = ABSENT
    meterValue: Raw = ABSENT


class AnyStopTransactionRequest(Request[v15.StopTransactionResponse], kw_only=True):
    """StopTransaction with transaction data in any dialect."""

    action: ClassVar[str] = "StopTransaction"
    response = v15.StopTransactionResponse

    transactionId: Int64
    timestamp: str
    meterStop: Int64
    idTag: str | None = None
    reason: str | None = None
    """Not in 1.5; some chargers send it all the same."""
    transactionData: Raw = ABSENT


_LISTS: Final = ("values", "value", "meterValue", "sampledValue")
"""Members that hold meter values or samples, whatever the dialect."""


def _folded(type_: Any) -> dict[str, str]:
    return {value.casefold(): value for value in get_args(type_)}


_ENUMS: Final = {
    "context": _folded(v16.ReadingContext),
    "format": _folded(v16.ValueFormat),
    "measurand": _folded(v16.Measurand),
    "phase": _folded(v16.Phase),
    "location": _folded(v16.Location),
}
_OMITTED: Final = ("context", "format", "phase", "location")
"""An unknown value here does not change what the number means: it is left out. Of the others the sample is."""
_UNITS: Final = {
    **_folded(v16.TransactionUnitOfMeasure),
    "amp": UNIT.up("Amp"),
    "volt": UNIT.up("Volt"),
    "celcius": "Celsius",
}

Value16 = dict[str, Any]
"""A 1.6 MeterValue as plain data: of MeterValues and of StopTransaction alike."""


def meter_values(d: Dialogue, request: AnyMeterValuesRequest) -> list[v16.MeterValue]:
    """The values of a MeterValues; those without a sample that 1.6 can hold are left out."""
    given = request.values or request.meterValue
    return [
        v16.MeterValue(timestamp=each["timestamp"], sampledValue=[v16.SampledValue(**s) for s in each["sampledValue"]])
        for each in _read(d, given, "values")
    ]


def transaction_data(d: Dialogue, request: AnyStopTransactionRequest) -> list[v16.TransactionData]:
    """All values of a StopTransaction in one list, as 1.6 has them."""
    return [
        v16.TransactionData(
            timestamp=each["timestamp"], sampledValue=[v16.TransactionSampledValue(**s) for s in each["sampledValue"]]
        )
        for each in _read(d, request.transactionData, "transactionData")
    ]


def _read(d: Dialogue, raw: Raw, path: str) -> list[Value16]:
    if not raw or bytes(raw) == b"null":
        return []
    try:
        # Numbers stay as they are written: their digits are what is billed.
        given = json.loads(bytes(raw), parse_float=str, parse_int=str)
    except ValueError:
        raise Refusal("FormatViolation", path) from None
    return list(_values(d, given, path))


def _values(d: Dialogue, given: Any, path: str) -> Iterator[Value16]:
    for entry in given if isinstance(given, list) else [given]:
        if not isinstance(entry, dict):
            raise Refusal("TypeConstraintViolation", path)
        if "timestamp" not in entry and (inner := _listed(entry)) is not None:
            yield from _values(d, inner, path)  # a TransactionData, which only holds meter values
            continue
        samples = [found for each in _samples(entry) if (found := _sample(d, each, path)) is not None]
        if samples:
            timestamp = entry.get("timestamp")
            moment = tidy_time(timestamp) if isinstance(timestamp, str) else None
            if moment is None:
                d.lose(f"{path}.timestamp", "defaulted")
            yield {"timestamp": moment or format_time(d.now), "sampledValue": samples}


def _listed(entry: dict[str, Any]) -> Any:
    """The list (or the one object) of a dialect A or B entry; None for a flat one."""
    return next((entry[name] for name in _LISTS if isinstance(entry.get(name), list | dict)), None)


def _samples(entry: dict[str, Any]) -> list[Any]:
    listed = _listed(entry)
    if listed is None:
        return [{name: value for name, value in entry.items() if name != "timestamp"}]
    return listed if isinstance(listed, list) else [listed]


def _sample(d: Dialogue, given: Any, path: str) -> dict[str, str] | None:
    """A 1.6 sample; None, and a loss, if it has no number or means something that 1.6 has no word for."""
    members: dict[str, Any] = {"value": given} if isinstance(given, str) else given if isinstance(given, dict) else {}
    attributes = members.get("$attributes", members.get("attributes"))
    if isinstance(attributes, dict):
        members = {"value": members.get("$value", members.get("value")), **attributes}
    value = members.get("value")
    found = {"value": value} if isinstance(value, str) and value.strip() else {}
    for name, words in _ENUMS.items():
        text = members.get(name)
        if not isinstance(text, str) or not text.strip():
            continue
        word = words.get(text.strip().casefold())
        if word is not None:
            found[name] = word
        elif name in _OMITTED:
            d.lose(f"{path}.{name}")
        else:
            found = {}
    unit = members.get("unit")
    if isinstance(unit, str) and unit.strip() and found:
        word = _UNITS.get(unit.strip().casefold())
        found = {**found, "unit": word} if word is not None else {}
    if "value" not in found:
        d.lose(f"{path}.value")
        return None
    return found
