"""Meter values between OCPP 1.6 and 2.0.1: units, measurands, signed values, energy registers (spec 2.8)."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any, Final, cast, get_args

import msgspec

from .frames import encode
from .models import v16, v201
from .values import parse_decimal, parse_time, plain

REGISTER: Final = "Energy.Active.Import.Register"
"""What a sample without a measurand means, in both versions."""

CACHED: Final = ("Temperature", "RPM")
"""1.6 measurands without a 2.0.1 counterpart; their values live in the device model instead."""

_DROPPED_DOWN: Final = frozenset(
    (
        "Energy.Active.Net",
        "Energy.Reactive.Net",
        "Energy.Apparent.Net",
        "Energy.Apparent.Import",
        "Energy.Apparent.Export",
    )
)

_UNITS_UP: Final = {"celcius": "Celsius", "celsius": "Celsius", "hertz": "Hz", "hz": "Hz"}
_UNITS_DOWN: Final = {"celsius": "Celcius", "celcius": "Celcius"}
"""1.6 keeps the misspelling (errata 2025-04)."""
_UNITS_16: Final = frozenset(get_args(v16.TransactionUnitOfMeasure))
"""Without Hertz, which StopTransaction does not know."""

_MEASURANDS: Final = frozenset(get_args(v201.Measurand))
_CONTEXTS: Final = frozenset(get_args(v201.ReadingContext))
_PHASES: Final = frozenset(get_args(v201.Phase))
_LOCATIONS: Final = frozenset(get_args(v201.Location))

SIGNED_LIMIT: Final = 2500

Sample16 = v16.SampledValue | v16.TransactionSampledValue


def natural_unit(measurand: str | None) -> str | None:
    """The unit of a 1.6 sample that names none; None for energy (Wh in both versions) and for plain numbers."""
    if measurand is None or measurand.startswith("Energy.Active"):
        return None
    if measurand.startswith("Energy.Reactive"):
        return "varh"
    if measurand.startswith("Current."):
        return "A"
    if measurand.startswith("Power.Reactive"):
        return "var"
    if measurand.startswith("Power.Active") or measurand == "Power.Offered":
        return "W"
    return {"Voltage": "V", "SoC": "Percent", "Frequency": "Hz"}.get(measurand)


@lru_cache(256)
def unit_up(unit: str | None, measurand: str | None) -> v201.UnitOfMeasure | None:
    """The unitOfMeasure of a 1.6 sample; None leaves the default, Wh. The object is shared: nobody changes it."""
    if measurand == "Power.Factor":
        return None
    text = natural_unit(measurand) if not unit else _UNITS_UP.get(unit.casefold(), unit)
    return v201.UnitOfMeasure(unit=text[:20]) if text else None


def attributes_up(sample: Sample16, value: Decimal) -> v201.SampledValue | None:
    """A 2.0.1 sample with the attributes of a 1.6 one; None if 2.0.1 has no such measurand."""
    measurand: Any = sample.measurand
    if measurand is not None and measurand not in _MEASURANDS:
        return None
    context: Any = sample.context
    if context is not None and context not in _CONTEXTS:
        context = "Other"
    phase: Any = sample.phase
    if phase is not None and phase not in _PHASES:
        phase = None
    location: Any = sample.location
    if location is not None and location not in _LOCATIONS:
        location = None
    return v201.SampledValue(
        value=value,
        context=context,
        measurand=measurand,
        phase=phase,
        location=location,
        unitOfMeasure=unit_up(sample.unit, measurand),
    )


def signature_up(value: str, public_key: str = "") -> v201.SignedMeterValue | None:
    """The signature in the value of a 1.6 sample with format SignedData (OCA application note); None if it is too long."""
    given: dict[str, Any] = {}
    try:
        parsed = json.loads(value)
        if isinstance(parsed, dict) and isinstance(parsed.get("signedMeterData"), str):
            given = parsed
    except ValueError:
        pass
    if given:
        signed = v201.SignedMeterValue(
            signedMeterData=given["signedMeterData"],
            signingMethod=str(given.get("signingMethod") or ""),
            encodingMethod=str(given.get("encodingMethod") or ""),
            publicKey=str(given.get("publicKey") or ""),
        )
    else:
        signed = v201.SignedMeterValue(
            signedMeterData=base64.b64encode(value.encode()).decode(),
            signingMethod="",
            encodingMethod="OCMF" if value.startswith("OCMF|") else "",
            publicKey=public_key,
        )
    too_long = len(signed.signedMeterData) > SIGNED_LIMIT or len(signed.publicKey) > SIGNED_LIMIT
    if too_long or len(signed.signingMethod) > 50 or len(signed.encodingMethod) > 50:
        return None
    return signed


def ocmf_reading(value: str) -> tuple[Decimal, str] | None:
    """(number, unit) of the last reading in an OCMF text, bare or inside the JSON of the OCA application note."""
    for text in _ocmf_texts(value):
        parts = text.split("|")
        if parts[0] != "OCMF" or len(parts) < 2:
            continue
        try:
            reading = json.loads(parts[1], parse_float=Decimal)["RD"][-1]
            number = parse_decimal(str(reading["RV"]))
        except (ValueError, KeyError, IndexError, TypeError):
            continue
        if number is not None:
            return number, str(reading.get("RU", "Wh"))
    return None


def _ocmf_texts(value: str) -> Iterable[str]:
    yield value
    try:
        data = json.loads(value)["signedMeterData"]
        yield data
        yield base64.b64decode(data, validate=True).decode()
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
        return


def in_unit(wh: Decimal, unit: str | None) -> Decimal:
    """An energy in Wh as a number of `unit` (Wh or kWh)."""
    return wh / 1000 if unit == "kWh" else wh


MULTIPLIER_MOST: Final = 24
"""Beyond this a multiplier is no unit prefix but a mistake."""
WH_MOST: Final = Decimal(10) ** 15
"""No meter has counted more."""


def in_wh(value: Decimal, unit: str | None, multiplier: int = 0) -> Decimal:
    """An energy in `unit` as Wh."""
    if multiplier:
        value = value.scaleb(multiplier)
    return value * 1000 if unit == "kWh" else value


def energy_sample(
    wh: Decimal, context: v201.ReadingContext, *, location: v201.Location | None = "Outlet"
) -> v201.SampledValue:
    """The sample that stands for meterStart or meterStop."""
    return v201.SampledValue(
        value=wh,
        context=context,
        measurand="Energy.Active.Import.Register",
        location=location,
        unitOfMeasure=v201.UnitOfMeasure(unit="Wh"),
    )


@cache
def _around(context: v201.ReadingContext) -> list[str]:
    """The text of a meter value that `energy_sample` is alone in, around its number and its time."""
    value = v201.MeterValue(timestamp="@", sampledValue=[energy_sample(Decimal(1), context)])
    return re.split("(?<=:)1(?=,)|@", encode(value).decode())


def energy_value(wh: int, context: v201.ReadingContext, timestamp: str) -> v201.MeterValue:
    """A meter value of meterStart or meterStop alone. It is made as text: it is in every transaction, and never looked at."""
    head, between, tail = _around(context)
    return cast(v201.MeterValue, msgspec.Raw(f"{head}{wh}{between}{timestamp}{tail}".encode()))


def is_register(sample: v201.SampledValue) -> bool:
    return sample.measurand in (None, REGISTER)


def register_of(values: Iterable[v201.MeterValue], context: str | None = None) -> Decimal | None:
    """The energy register in Wh that a list of meter values shows; None if it shows none.

    Prefers the context wanted, then the outlet, then the latest; only per-phase readings are summed over L1 to L3.
    """
    best: tuple[tuple[bool, bool, int, int], Decimal] | None = None
    phases: dict[int, dict[str, Decimal]] = {}
    for index, value in enumerate(values):
        at = parse_time(value.timestamp) or 0
        for sample in value.sampledValue:
            if sample.measurand is not None and sample.measurand != REGISTER:
                continue
            unit, name, multiplier = sample.unitOfMeasure, "Wh", 0
            if unit is not None:
                name, multiplier = unit.unit or "Wh", unit.multiplier or 0
            if name not in ("Wh", "kWh") or abs(multiplier) > MULTIPLIER_MOST:
                continue
            wh = in_wh(sample.value, name, multiplier)
            if abs(wh) > WH_MOST:
                continue
            if sample.phase is not None:
                if sample.phase in ("L1", "L2", "L3"):
                    phases.setdefault(at, {})[sample.phase] = wh
                continue
            rank = (sample.context == context, sample.location in (None, "Outlet"), at, index)
            if best is None or rank >= best[0]:
                best = (rank, wh)
    if best is not None:
        return best[1]
    return sum(phases[max(phases)].values(), Decimal(0)) if phases else None


def samples_down(sample: v201.SampledValue) -> list[v16.SampledValue]:
    """A 2.0.1 sample for a 1.6 peer: none if 1.6 lacks its measurand or unit, two if it is signed."""
    if sample.measurand in _DROPPED_DOWN:
        return []
    unit = sample.unitOfMeasure
    multiplier = (unit.multiplier or 0) if unit is not None else 0
    if abs(multiplier) > MULTIPLIER_MOST:
        return []
    value = sample.value.scaleb(multiplier)
    name = unit.unit if unit is not None else None
    if name is not None:
        name = _UNITS_DOWN.get(name.casefold(), name)
        if name.casefold() in ("hz", "hertz") or sample.measurand == "Power.Factor":
            name = None
        elif name not in _UNITS_16:
            return []
    raw = v16.SampledValue(
        value=plain(value),
        context=sample.context,
        measurand=cast("v16.Measurand | None", sample.measurand),
        phase=sample.phase,
        location=sample.location,
        unit=cast("v16.UnitOfMeasure | None", name),
    )
    signed = sample.signedMeterValue
    if signed is None:
        return [raw]
    members = {
        "signedMeterData": signed.signedMeterData,
        "signingMethod": signed.signingMethod,
        "encodingMethod": signed.encodingMethod,
        "publicKey": signed.publicKey,
    }
    text = json.dumps(members, separators=(",", ":"), ensure_ascii=False)
    return [
        msgspec.structs.replace(raw, format="Raw"),
        msgspec.structs.replace(raw, value=text, format="SignedData"),
    ]
