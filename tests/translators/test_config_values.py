"""Every conversion of configuration keys, both ways."""

from __future__ import annotations

import pytest

from translators.config_keys import key_rows, local_rows
from translators.config_values import (
    CONVERSIONS,
    Unfit,
    item_down,
    item_up,
    path_down,
    path_up,
    rotation_down,
    rotation_for_all,
    rotation_up,
)

UP = [
    ("bool", "true", "true"),
    ("bool", " TRUE ", "true"),
    ("bool", "1", "true"),
    ("bool", "Off", "false"),
    ("bool", "maybe", "maybe"),
    ("int", "300", "300"),
    ("int", " +060 ", "60"),
    ("int", "5.0", "5"),
    ("int", "-0", "0"),
    ("int", "-007", "-7"),
    ("int", "x", "x"),
    ("int(min=1)", "0", "0"),
    ("csl", "FTP, HTTP,,FTP", "FTP,HTTP"),
    ("rate_unit", "Current,Power", "A,W"),
    ("rate_unit", "Power, Current,Power", "W,A"),
    ("rate_unit", "A,Odd", "A,Odd"),
    ("measurands", "Voltage.L1, SoC ,Temperature,RPM,SoC", "Voltage.L1,SoC"),
    ("measurands", "", ""),
    ("identity", " as it is ", " as it is "),
    ("legacy", " 3", " 3"),
    ("dateTime", "2025-03-01T10:00:00.123456Z", "2025-03-01T10:00:00.123Z"),
    ("max_limit", "500.0", "500"),
]


@pytest.mark.parametrize(("conversion", "old", "new"), UP)
def test_up(conversion: str, old: str, new: str) -> None:
    assert CONVERSIONS[conversion][0](old) == new


DOWN = [
    ("bool", "true", "", "true"),
    ("bool", "false", "True", "False"),
    ("bool", "true", "FALSE", "TRUE"),
    ("bool", "true", "0", "1"),
    ("bool", "False", "yes", "no"),
    ("bool", "true", "off", "on"),
    ("int", "060", "", "60"),
    ("int(min=1)", "1", "", "1"),
    ("natural", "0", "", "0"),
    ("csl", "a, b", "", "a,b"),
    ("rate_unit", "A,W", "", "Current,Power"),
    ("measurands", "Voltage, SoC", "", "Voltage,SoC"),
    ("identity", "x", "", "x"),
]


@pytest.mark.parametrize(("conversion", "new", "present", "old"), DOWN)
def test_down(conversion: str, new: str, present: str, old: str) -> None:
    assert CONVERSIONS[conversion][1](new, present) == old


@pytest.mark.parametrize(
    ("conversion", "value"),
    [
        ("bool", "maybe"),
        ("int", "1.5"),
        ("int", ""),
        ("int(min=1)", "0"),
        ("natural", "-1"),
        ("measurands", "Voltage,Energy.Active.Net"),
    ],
)
def test_what_a_charger_cannot_be_given(conversion: str, value: str) -> None:
    with pytest.raises(Unfit):
        CONVERSIONS[conversion][1](value, "")


LIST = "0.RST,1.RTS,2.Unknown,3.NotApplicable"


@pytest.mark.parametrize(("connector", "value"), [(0, "RST"), (1, "RTS"), (2, ""), (3, ""), (4, None)])
def test_phase_rotation_up(connector: int, value: str | None) -> None:
    assert rotation_up(LIST, connector) == value


@pytest.mark.parametrize(
    ("value", "connector", "whole"),
    [
        ("TSR", 1, "0.RST,1.TSR,2.Unknown,3.NotApplicable"),
        ("", 3, LIST),
        ("", 1, "0.RST,1.Unknown,2.Unknown,3.NotApplicable"),
        ("Rxx", 1, "0.RST,1.NotApplicable,2.Unknown,3.NotApplicable"),
        ("RST", 4, LIST + ",4.RST"),
    ],
)
def test_phase_rotation_down(value: str, connector: int, whole: str) -> None:
    assert rotation_down(value, LIST, connector) == whole


def test_phase_rotation_dialects() -> None:
    assert rotation_up("1.RST;2.RTS", 2) == "RTS"
    assert rotation_for_all("RST") == "RST"
    assert rotation_for_all(LIST) is None
    with pytest.raises(Unfit):
        rotation_down("nonsense", LIST, 1)


PRICE = '{"priceText":"0.30/kWh","chargingPrice":{"kWhPrice":0.3}}'


def test_members_of_a_json_value() -> None:
    assert path_up(PRICE, "priceText") == "0.30/kWh"
    assert path_up(PRICE, "chargingPrice.kWhPrice") == "0.3"
    assert path_up(PRICE, "priceTextOffline") is None
    assert path_up("no json", "priceText") is None
    assert path_down("0.4", PRICE, "chargingPrice.kWhPrice", True) == PRICE.replace("0.3}", "0.4}")
    assert path_down("x", "", "priceText", False) == '{"priceText":"x"}'
    for wrong in ("x", "NaN", "-Infinity", "1e999", "true"):
        with pytest.raises(Unfit):
            path_down(wrong, PRICE, "chargingPrice.hourPrice", True)


def test_one_item_per_connector() -> None:
    assert item_up("A, B", 2) == "B"
    assert item_up("A", 2) is None
    assert item_up("", 1) is None
    assert item_down("C", "A", 3) == "A,,C"
    with pytest.raises(Unfit):
        item_down("C,D", "A", 1)


def test_every_row_has_a_conversion_and_a_legal_place() -> None:
    structured = ("phase_rotation", "json_", "csl_by_evse", "feature_flag", "gateway", "topology", "password")
    for row in key_rows():
        assert row.conversion in CONVERSIONS or row.conversion.startswith(structured), row
        assert len(row.variable) <= 50
        assert row.scope in ("station", "evse", "connector")
        assert row.datatype in (
            "string", "decimal", "integer", "dateTime", "boolean", "OptionList", "SequenceList", "MemberList"
        )  # fmt: skip


def test_no_two_keys_share_a_variable() -> None:
    rows = [row for row in key_rows() if row.target == "Actual" and row.role in ("primary", "fanout")]
    places = [(row.address, row.scope) for row in rows]
    assert len(places) == len(set(places))


def test_local_variables_are_unique() -> None:
    places = [(row.address, row.scope) for row in local_rows()]
    assert len(places) == len(set(places))
    assert all(row.mutability == "ReadOnly" for row in local_rows())
