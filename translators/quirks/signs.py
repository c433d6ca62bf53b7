"""Quirks that a well-formed payload shows: nothing in it breaks its schema, but it is not what was meant (reliability 3).

Pure. A payload without any costs a glance at its times and values.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from ..config_values import items
from ..frames import encode
from ..models.rewriting import Changes
from ..tokens import clean_id_tag

INT32_MOST: Final = 2**31 - 1
_YEARS: Final = ("2015", "2099")
"""A time outside of these years comes from a clock that was never set."""
_ZONE = re.compile(r"(?:[Zz]|[+-]\d\d(?P<minutes>:?\d\d)?)$")
_LONG_FRACTION = re.compile(r"[.,]\d{4,}")
_QUOTED = re.compile(r"""^\s*["'].*["']\s*$|,\s*["'][\w.]+["']|^\s|\s$|\w\s+,|,\s+\w""", re.ASCII)
"""A list whose items are quoted or have blanks around."""
_RATE_UNITS: Final = frozenset(("Current", "Power"))
_LIKE_TIME = re.compile(r"\d{4}-\d\d?-\d\d?[Tt ]\d\d?:\d\d")


def of_time(text: str) -> list[str]:
    """What is odd about a time stamp, as labels."""
    if len(text) in (20, 24) and text[-1] == "Z" and _YEARS[0] <= text[:4] <= _YEARS[1]:
        return []
    if not _LIKE_TIME.match(text) or not _YEARS[0] <= text[:4] <= _YEARS[1]:
        return ["ts_suspect"]
    found = []
    zone = _ZONE.search(text, 14)
    if zone is None:
        found.append("ts_no_zone")
    elif zone[0] not in ("Z", "z") and not (zone["minutes"] or "").startswith(":"):
        found.append("ts_offset")
    if _LONG_FRACTION.search(text):
        found.append("ts_fraction")
    return found


def signs(action: str, payload: msgspec.Struct) -> list[str]:
    """The labels of what a charger's CALL shows, each once."""
    look = _LOOKS.get(action)
    if look is None:
        return []
    found: list[str] = []
    look(payload, found)
    return list(dict.fromkeys(found)) if len(found) > 1 else found


def answer_signs(response: msgspec.Struct) -> list[str]:
    """The labels of what a charger's answer to a CALL shows, each once."""
    found: list[str] = []
    for entry in getattr(response, "configurationKey", None) or ():
        value = entry.value
        if not value:
            continue
        if _QUOTED.search(value):
            found.append("cfg_list_repair")
        if entry.key.casefold() == "chargingscheduleallowedchargingrateunit" and not _RATE_UNITS.issuperset(
            items(value)
        ):
            found.append("enum_synonym")
    return list(dict.fromkeys(found))


def tidied(action: str, payload: msgspec.Struct, *, drastic: bool) -> Changes:
    """What to change in a payload that shows `value_blank`, `empty_samples` or `idtag_repair`.

    `drastic`: samples without a value go, and meter values without a sample; a message of nothing else stays.
    """
    changes: Changes = {}
    for name in ("idTag", "idToken"):
        tag = getattr(payload, name, None)
        if isinstance(tag, str) and clean_id_tag(tag) != tag:
            changes[name] = encode(clean_id_tag(tag))
        elif (text := getattr(tag, "idToken", None)) is not None and clean_id_tag(text) != text:
            changes[f"{name}.idToken"] = encode(clean_id_tag(text))
    for list_name in ("meterValue", "transactionData"):
        values = getattr(payload, list_name, None) or []
        emptied = [_tidy_samples(value, f"{list_name}[{n}]", changes, drastic) for n, value in enumerate(values)]
        if emptied and all(emptied):
            changes = {path: text for path, text in changes.items() if text is not None}
            if action != "MeterValues":  # which is nothing without them
                changes[list_name] = None
    return changes


def _tidy_samples(value: Any, path: str, changes: Changes, drastic: bool) -> bool:
    """Whether nothing is left of a meter value."""
    empty = 0
    samples = getattr(value, "sampledValue", None) or []
    for number, sample in enumerate(samples):
        text = sample.value
        if not isinstance(text, str) or text == text.strip() != "":
            continue
        if text.strip():
            changes[f"{path}.sampledValue[{number}].value"] = encode(text.strip())
        elif drastic:
            changes[f"{path}.sampledValue[{number}]"] = None
            empty += 1
    if drastic and empty == len(samples):
        changes[path] = None
        return True
    return False


def _time(payload: Any, found: list[str]) -> None:
    if payload.timestamp is not None:
        found += of_time(payload.timestamp)


def _tag(payload: Any, found: list[str]) -> None:
    tag = getattr(payload, "idTag", None)
    if tag == "":
        found.append("empty_required")
    tag = tag or getattr(payload, "idToken", None)
    text = getattr(tag, "idToken", tag)
    if text and (text[-1] < " " or text[-1] == "\x7f"):
        found.append("idtag_repair")


def _meter_values(values: Any, found: list[str]) -> None:
    for value in values if isinstance(values, list) else ():
        time = value.timestamp
        if len(time) not in (20, 24) or time[-1] != "Z" or not _YEARS[0] <= time[:4] <= _YEARS[1]:
            found += of_time(time)
        samples = getattr(value, "sampledValue", ())
        if not samples:
            found.append("empty_samples")
        for sample in samples:
            text = sample.value
            if isinstance(text, str) and (not text or text[0] <= " " or text[-1] <= " "):
                found.append("value_blank")
            if sample.measurand is None:
                found.append("default_filled")


def _number(number: int | None, found: list[str]) -> None:
    if number is not None and number > INT32_MOST:
        found.append("int_range")


def _boot(payload: Any, found: list[str]) -> None:
    station = getattr(payload, "chargingStation", payload)
    vendor = getattr(station, "vendorName", None) or getattr(station, "chargePointVendor", None)
    model = getattr(station, "model", None) or getattr(station, "chargePointModel", None)
    if not vendor or not model:
        found.append("empty_required")


def _status(payload: Any, found: list[str]) -> None:
    _time(payload, found)
    if (
        payload.connectorId < 0
        or getattr(payload, "evseId", 1) < 1
        or (hasattr(payload, "evseId") and not payload.connectorId)
    ):
        found.append("unknown_connector")


def _start(payload: Any, found: list[str]) -> None:
    _time(payload, found)
    _tag(payload, found)
    _number(getattr(payload, "meterStart", None), found)


def _stop(payload: Any, found: list[str]) -> None:
    _start(payload, found)
    _number(payload.transactionId, found)
    _number(payload.meterStop, found)
    if payload.transactionId <= 0:
        found.append("tx_orphan")
    _meter_values(getattr(payload, "transactionData", None), found)


def _meter(payload: Any, found: list[str]) -> None:
    number = getattr(payload, "transactionId", None)
    if number is not None and number > INT32_MOST:
        found.append("int_range")
    _meter_values(getattr(payload, "meterValue", ()), found)


def _event(payload: Any, found: list[str]) -> None:
    _start(payload, found)
    _meter_values(payload.meterValue, found)


_LOOKS: Final[dict[str, Callable[[Any, list[str]], None]]] = {
    "Authorize": _tag,
    "BootNotification": _boot,
    "MeterValues": _meter,
    "StartTransaction": _start,
    "StatusNotification": _status,
    "StopTransaction": _stop,
    "TransactionEvent": _event,
}
