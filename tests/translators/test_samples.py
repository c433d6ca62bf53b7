"""Every row of the meter values, both ways (spec 2.8)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, get_args

import pytest

from translators import metering
from translators.models import v16, v201

MEASURANDS = [
    *(
        f"{kind}.{way}.{what}"
        for kind in ("Energy.Active", "Energy.Reactive")
        for way in ("Export", "Import")
        for what in ("Register", "Interval")
    ),
    *(f"Power.{kind}" for kind in ("Active.Export", "Active.Import", "Reactive.Export", "Reactive.Import")),
    *("Power.Factor", "Power.Offered", "Current.Import", "Current.Export", "Current.Offered", "Voltage"),
    *("Frequency", "SoC"),
]
ONLY_16 = ["Temperature", "RPM"]
ONLY_201 = [
    *("Energy.Active.Net", "Energy.Reactive.Net", "Energy.Apparent.Net"),
    *("Energy.Apparent.Import", "Energy.Apparent.Export"),
]
CONTEXTS = [
    *("Interruption.Begin", "Interruption.End", "Other", "Sample.Clock", "Sample.Periodic", "Transaction.Begin"),
    *("Transaction.End", "Trigger"),
]
PHASES = ["L1", "L2", "L3", "N", "L1-N", "L2-N", "L3-N", "L1-L2", "L2-L3", "L3-L1"]
LOCATIONS = ["Body", "Cable", "EV", "Inlet", "Outlet"]
SHARED = [
    *(("measurand", each) for each in MEASURANDS),
    *(("context", each) for each in CONTEXTS),
    *(("phase", each) for each in PHASES),
    *(("location", each) for each in LOCATIONS),
    *((name, None) for name in ("measurand", "context", "phase", "location")),
]


def test_no_word_is_missing() -> None:
    assert {*MEASURANDS, *ONLY_16} == set(get_args(v16.Measurand)) and len(MEASURANDS) == 20
    assert {*MEASURANDS, *ONLY_201} == set(get_args(v201.Measurand))
    for words, name in ((CONTEXTS, "ReadingContext"), (PHASES, "Phase"), (LOCATIONS, "Location")):
        assert set(words) == set(get_args(getattr(v16, name))) == set(get_args(getattr(v201, name)))


@pytest.mark.parametrize(("name", "word"), SHARED)
def test_the_same_word_both_ways(name: str, word: str | None) -> None:
    old: Any = {"value": "1", name: word}
    up = metering.attributes_up(v16.SampledValue(**old), Decimal(1))
    assert up is not None and getattr(up, name) == word
    (down,) = metering.samples_down(up)
    assert getattr(down, name) == word


@pytest.mark.parametrize("measurand", ONLY_16)
def test_what_only_1_6_measures(measurand: Any) -> None:
    assert metering.attributes_up(v16.SampledValue(value="1", measurand=measurand), Decimal(1)) is None


@pytest.mark.parametrize("measurand", ONLY_201)
def test_what_only_2_0_1_measures(measurand: Any) -> None:
    assert metering.samples_down(v201.SampledValue(value=Decimal(1), measurand=measurand)) == []


@pytest.mark.parametrize(
    ("unit", "measurand", "up"),
    [
        *((unit, "Power.Offered", unit) for unit in ("W", "kW", "VA", "kVA", "var", "kvar", "A", "V", "K", "Percent")),
        *((unit, "Energy.Active.Import.Register", unit) for unit in ("Wh", "kWh", "varh", "kvarh", "Fahrenheit")),
        ("Celcius", "Voltage", "Celsius"),
        ("Celsius", "Voltage", "Celsius"),
        ("Hertz", "Frequency", "Hz"),
        ("Hz", "Frequency", "Hz"),
        ("furlong", "Voltage", "furlong"),
        (None, None, None),
        (None, "Energy.Active.Import.Register", None),
        (None, "Energy.Active.Export.Interval", None),
        (None, "Energy.Reactive.Import.Register", "varh"),
        (None, "Current.Import", "A"),
        (None, "Current.Offered", "A"),
        (None, "Voltage", "V"),
        (None, "Power.Active.Import", "W"),
        (None, "Power.Offered", "W"),
        (None, "Power.Reactive.Export", "var"),
        (None, "SoC", "Percent"),
        (None, "Frequency", "Hz"),
        (None, "Power.Factor", None),
        ("W", "Power.Factor", None),
    ],
)
def test_units_up(unit: str | None, measurand: str | None, up: str | None) -> None:
    found = metering.unit_up(unit, measurand)
    assert (found.unit if found is not None else None) == up
    assert found is None or found.multiplier is None


def sample(**members: Any) -> v201.SampledValue:
    members["value"] = Decimal(members.get("value", "1"))
    return v201.SampledValue(**members)


@pytest.mark.parametrize(
    ("unit", "down"),
    [
        *(
            (unit, unit)
            for unit in ("Wh", "kWh", "varh", "kvarh", "W", "kW", "VA", "kVA", "var", "kvar", "A", "V", "K")
        ),
        *((unit, unit) for unit in ("Fahrenheit", "Percent")),
        ("Celsius", "Celcius"),
        ("Hz", None),
        ("Hertz", None),
        (None, None),
    ],
)
def test_units_down(unit: str | None, down: str | None) -> None:
    (found,) = metering.samples_down(sample(unitOfMeasure=v201.UnitOfMeasure(unit=unit)))
    assert found.unit == down


def test_samples_that_1_6_cannot_hold() -> None:
    assert metering.samples_down(sample(unitOfMeasure=v201.UnitOfMeasure(unit="furlong"))) == []
    assert (
        metering.samples_down(sample(measurand="Power.Factor", unitOfMeasure=v201.UnitOfMeasure(unit="W")))[0].unit
        is None
    )


def test_a_multiplier_goes_into_the_value() -> None:
    (found,) = metering.samples_down(sample(value="1.5", unitOfMeasure=v201.UnitOfMeasure(unit="Wh", multiplier=3)))
    assert (found.value, found.unit) == ("1500", "Wh")
    (found,) = metering.samples_down(sample(value="15", unitOfMeasure=v201.UnitOfMeasure(unit="A", multiplier=-1)))
    assert found.value == "1.5"


def test_a_signed_sample_becomes_two() -> None:
    signed = v201.SignedMeterValue(signedMeterData="QUJD", signingMethod="ECDSA", encodingMethod="OCMF", publicKey="K")
    raw, text = metering.samples_down(sample(value="12", signedMeterValue=signed))
    assert (raw.format, raw.value, text.format) == ("Raw", "12", "SignedData")
    assert metering.signature_up(text.value) == signed


def test_the_register_among_the_samples() -> None:
    def value(at: str, *samples: v201.SampledValue) -> v201.MeterValue:
        return v201.MeterValue(timestamp=at, sampledValue=list(samples))

    kwh = v201.UnitOfMeasure(unit="kWh")
    early, late = "2025-03-01T10:00:00Z", "2025-03-01T11:00:00Z"
    assert metering.register_of([value(early, sample(value="5")), value(late, sample(value="7"))]) == 7
    assert metering.register_of([value(early, sample(value="1.5", unitOfMeasure=kwh))]) == 1500
    begin = sample(value="3", context="Transaction.Begin")
    assert metering.register_of([value(early, begin), value(late, sample(value="7"))], "Transaction.Begin") == 3
    inlet = sample(value="9", location="Inlet")
    assert metering.register_of([value(early, sample(value="7")), value(late, inlet)]) == 7
    phases = [sample(value=str(n), phase=phase) for n, phase in ((1, "L1"), (2, "L2"), (3, "L3"), (9, "N"))]
    assert metering.register_of([value(early, *phases)]) == 6
    assert metering.register_of([value(early, sample(measurand="Voltage"))]) is None
    assert metering.register_of([]) is None
