"""Every row of the value tables, both ways where they are two-way."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from translators.facts import Token
from translators.models import v16, v201
from translators.tokens import (
    REGISTRY_LIMIT,
    alias,
    clean_id_tag,
    group_token_of,
    id_tag_info,
    id_tag_of,
    id_token_info,
    id_token_of,
    remember_token,
)
from translators.values import (
    AUTHORIZATION,
    CHARGING_STATE,
    CONNECTOR_STATUS,
    TwoWay,
    charger_time,
    format_time,
    parse_decimal,
    parse_time,
    plain,
    security_event_down,
    security_event_up,
    tenth,
    tidy_time,
)

NOON = 1_740_830_400_000
"""2025-03-01T12:00:00Z."""


def test_a_mapping_is_written_once() -> None:
    table: TwoWay[str, str] = TwoWay({"a": "A", "b": "B"}, up_only={"c": "A"}, down_only={"D": "b"})
    assert [table.up(x) for x in "abc"] == ["A", "B", "A"]
    assert [table.down(x) for x in "ABD"] == ["a", "b", "b"]
    assert table.up_or("x", "?") == table.down_or("X", "?") == "?"
    with pytest.raises(KeyError):
        table.up("D")
    with pytest.raises(ValueError, match="up_only"):
        TwoWay({"a": "A", "b": "A"})


@pytest.mark.parametrize(
    ("text", "tidy"),
    [
        ("2025-03-01T12:00:00Z", "2025-03-01T12:00:00Z"),
        ("2025-03-01T12:00:00.5Z", "2025-03-01T12:00:00.5Z"),
        ("2025-03-01T12:00:00.123Z", "2025-03-01T12:00:00.123Z"),
        ("2025-03-01T12:00:00", "2025-03-01T12:00:00Z"),
        ("2025-03-01T12:00:00+00:00", "2025-03-01T12:00:00Z"),
        ("2025-03-01T14:00:00+02", "2025-03-01T12:00:00Z"),
        ("2025-03-01T15:00:00+0300", "2025-03-01T12:00:00Z"),
        ("2025-03-01T15:00:00+03:00", "2025-03-01T12:00:00Z"),
        ("2025-03-01T07:30:00-04:30", "2025-03-01T12:00:00Z"),
        ("2025-03-01T12:00:00.1234567Z", "2025-03-01T12:00:00.123Z"),
        ("2025-03-01T12:00:00.123456789+00:00", "2025-03-01T12:00:00.123Z"),
        ("2025-03-01T12:00:00,25Z", "2025-03-01T12:00:00.250Z"),
        ("2025-03-01 12:00:00Z", "2025-03-01T12:00:00Z"),
        ("2025-03-01t12:00:00z", "2025-03-01T12:00:00Z"),
        ("2025-03-01T12:00Z", "2025-03-01T12:00:00Z"),
        ("2025-03-01T12:00:60Z", "2025-03-01T12:00:59Z"),
        (" 2025-03-01T12:00:00 ", "2025-03-01T12:00:00Z"),
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
        ("", None),
        (None, None),
        ("yesterday", None),
        ("2022-02-29T07:02:33.000Z", None),
        ("222222017-01-01T00:00:00Z", None),
        ("0000-00-00T00:00:00Z", None),
        ("2025-03-01T25:00:00Z", None),
        ("2025-03-01T12:00:61Z", None),
        ("2025-03-01T12:00:00+24:00", None),
        ("2025-03-01", None),
        ("٢٠٢٥-03-01T12:00:00Z", None),
    ],
)
def test_timestamps_seen_in_the_field(text: str | None, tidy: str | None) -> None:
    assert tidy_time(text) == tidy


@given(st.integers(0, 4_000_000_000_000))
def test_a_time_survives_its_text(ms: int) -> None:
    assert parse_time(format_time(ms)) == ms
    assert tidy_time(format_time(ms)) == format_time(ms)


TIMES = st.from_regex(r"20\d\d-[012]\d-[0-3]\d[Tt ][0-2]\d:[0-6]\d:[0-6]\d(\.\d\d?\d?\d?)?Z", fullmatch=True)


@given(TIMES, st.lists(st.tuples(st.integers(0, 23), st.sampled_from("09:-.TZ ,+\u0663")), max_size=1))
def test_the_usual_times_are_read_as_any_other(text: str, slips: list[tuple[int, str]]) -> None:
    """They have a quick way; whatever it takes is what a plain reading of all the text gives."""
    for at, sign in slips:
        text = text[:at] + sign + text[at + 1 :]
    ms = parse_time(text)
    try:
        known = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ" if "." in text else "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return
    if text.isascii() and text[17:19] < "60":
        assert ms == (known - datetime(1970, 1, 1)) // timedelta(milliseconds=1)


@pytest.mark.parametrize(
    "end", ["12Z345Z", "12.345", "12.34\u0663Z", "60.000Z", "12,345Z", "12.345z", "12.3456Z", "12."]
)
def test_what_is_nearly_a_usual_time_is_read_with_care(end: str) -> None:
    read = {"12.345": 12_345, "12,345Z": 12_345, "12.345z": 12_345, "12.3456Z": 12_345, "60.000Z": 59_000}
    ms = parse_time(f"2026-01-01T00:00:{end}")
    assert ms == (1_767_225_600_000 + read[end] if end in read else None)


@given(st.text() | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.{0,12}"))
def test_no_text_breaks_the_clock(text: str) -> None:
    moment = charger_time(text, NOON)
    assert tidy_time(moment.text) == moment.text and parse_time(moment.text) == moment.ms


@pytest.mark.parametrize(
    ("text", "substituted"),
    [
        ("2025-03-01T11:00:00Z", False),
        ("2015-01-01T00:00:00Z", False),
        ("2014-12-31T23:59:59Z", True),
        ("1970-01-01T00:01:00Z", True),
        ("2025-03-02T12:00:00Z", False),
        ("2025-03-02T12:00:01Z", True),
        ("2022-02-29T07:02:33.000Z", True),
        ("", True),
        ("yesterday", True),
        (None, True),
    ],
)
def test_a_charger_without_a_clock_gets_ours(text: str | None, substituted: bool) -> None:
    moment = charger_time(text, NOON)
    assert moment.substituted is substituted
    assert (moment.text == "2025-03-01T12:00:00Z") is substituted


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1500", "1500"),
        (" 11.04 ", "11.04"),
        ("1.10", "1.10"),
        ("-3.5", "-3.5"),
        ("+7", "7"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1e3", "1000"),
        ("1.5E-2", "0.015"),
        ("0.00000000", "0"),
        ("", None),
        ("NaN", None),
        ("Infinity", None),
        ("1_000", None),
        ("0x10", None),
        ("12,5", None),
        ("1e999999", None),
        ("abc", None),
    ],
)
def test_meter_values_are_exact_decimals(text: str, number: str | None) -> None:
    found = parse_decimal(text)
    assert (None if found is None else plain(found)) == number


@pytest.mark.parametrize(
    ("value", "rounded"), [("16.25", "16.2"), ("16.29", "16.2"), ("0.09", "0.0"), ("16", "16"), ("16.1", "16.1")]
)
def test_a_limit_never_grows(value: str, rounded: str) -> None:
    assert str(tenth(Decimal(value))) == rounded


@pytest.mark.parametrize(
    ("id_tag", "kind"),
    [
        ("04A1B2C3", "ISO14443"),
        ("04a1b2c3d4e5f6", "ISO14443"),
        ("E004010012345678", "ISO15693"),
        ("04A1B2C", "Central"),
        ("04A1B2C3D4", "Central"),
        ("04A1B2C3D4E5F6A7B8C9", "Central"),  # a 10 byte UID
        ("DEADBEEG", "Central"),
        ("APP-USER-1", "Central"),
        ("٠١٢٣٤٥٦٧", "Central"),
        ("1234", "Central"),
    ],
)
def test_the_type_of_an_unknown_tag(id_tag: str, kind: str) -> None:
    token = id_token_of(id_tag, {}, no_auth="NOAUTH")
    assert (token.idToken, token.type) == (id_tag, kind)


def test_a_fixed_type_may_be_configured() -> None:
    assert id_token_of("04A1B2C3", {}, no_auth="NOAUTH", default_type="KeyCode").type == "KeyCode"


def test_a_known_tag_is_the_original() -> None:
    tokens: dict[str, Token] = {}
    extra = [v201.AdditionalInfo(additionalIdToken="W", type="wallet")]
    token = v201.IdToken(idToken="AbC-1", type="MacAddress", additionalInfo=extra)
    assert id_tag_of(token, tokens, no_auth="NOAUTH") == "AbC-1"
    assert id_token_of("aBc-1\x10\x0e", tokens, no_auth="NOAUTH") == token


def test_a_long_token_has_a_stable_alias() -> None:
    tokens: dict[str, Token] = {}
    token = v201.IdToken(idToken="de-abc-c00000001-x-and-more-of-it", type="eMAID")
    tag = id_tag_of(token, tokens, no_auth="NOAUTH")
    assert len(tag) == 20 and tag.startswith("X")
    assert tag == alias(v201.IdToken(idToken=token.idToken.upper(), type="eMAID"))
    assert id_token_of(tag, tokens, no_auth="NOAUTH") == token
    exact = v201.IdToken(idToken="12345678901234567890", type="Central")
    assert id_tag_of(exact, tokens, no_auth="NOAUTH") == exact.idToken


def test_no_authorization_both_ways() -> None:
    nobody = v201.IdToken(idToken="", type="NoAuthorization")
    assert id_tag_of(nobody, {}, no_auth="FREE") == "FREE"
    assert id_token_of("free", {}, no_auth="FREE") == nobody
    assert id_token_of("", {}, no_auth="FREE") == nobody


def test_the_registry_is_bounded_and_forgets_the_oldest() -> None:
    tokens: dict[str, Token] = {}
    for number in range(REGISTRY_LIMIT + 10):
        remember_token(tokens, f"T{number}", v201.IdToken(idToken=f"T{number}", type="Local"))
        remember_token(tokens, "T0", v201.IdToken(idToken="T0", type="Local"))
    assert len(tokens) == REGISTRY_LIMIT and "t0" in tokens and "t1" not in tokens


def test_control_characters_of_an_echoed_tag() -> None:
    assert clean_id_tag("04A1B2C3\x10\x0e\x00") == "04A1B2C3"


DOWN = {
    "Accepted": "Accepted",
    "Blocked": "Blocked",
    "Expired": "Expired",
    "Invalid": "Invalid",
    "ConcurrentTx": "ConcurrentTx",
    "Unknown": "Invalid",
    "NoCredit": "Blocked",
    "NotAllowedTypeEVSE": "Blocked",
    "NotAtThisLocation": "Blocked",
    "NotAtThisTime": "Blocked",
}


def test_authorization_statuses() -> None:
    assert {status: AUTHORIZATION.down(status) for status in get_args(v201.AuthorizationStatus)} == DOWN
    assert all(AUTHORIZATION.up(status) == status for status in get_args(v16.AuthorizationStatus))


def test_token_info_both_ways() -> None:
    tokens: dict[str, Token] = {}
    group = v201.IdToken(idToken="a-group-with-a-very-long-name", type="Local")
    info = v201.IdTokenInfo(status="Blocked", cacheExpiryDateTime="2025-12-31T00:00:00+00:00", groupIdToken=group)
    old = id_tag_info(info, tokens, no_auth="NOAUTH")
    assert (old.status, old.expiryDate, old.parentIdTag) == ("Blocked", "2025-12-31T00:00:00Z", alias(group))
    new = id_token_info(old, tokens)
    assert (new.status, new.cacheExpiryDateTime, new.groupIdToken) == ("Blocked", "2025-12-31T00:00:00Z", group)
    assert group_token_of("FLEET", {}) == v201.IdToken(idToken="FLEET", type="Central")


def test_every_status_has_its_place() -> None:
    occupied = {"Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing"}
    for status in get_args(v16.ChargePointStatus):
        assert CONNECTOR_STATUS[status] == ("Occupied" if status in occupied else status)
    assert CHARGING_STATE == {
        "Available": "Idle",
        "Preparing": "EVConnected",
        "Charging": "Charging",
        "SuspendedEV": "SuspendedEV",
        "SuspendedEVSE": "SuspendedEVSE",
        "Finishing": "EVConnected",
    }


SAME_EVENTS = [
    "FirmwareUpdated",
    "SettingSystemTime",
    "StartupOfTheDevice",
    "ResetOrReboot",
    "SecurityLogWasCleared",
    "ReconfigurationOfSecurityParameters",
    "MemoryExhaustion",
    "InvalidMessages",
    "AttemptedReplayAttacks",
    "TamperDetectionActivated",
    "InvalidFirmwareSignature",
    "InvalidFirmwareSigningCertificate",
    "InvalidTLSVersion",
    "InvalidTLSCipherSuite",
    "MaintenanceLoginAccepted",
    "MaintenanceLoginFailed",
]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("FailedToAuthenticateAtCentralSystem", "FailedToAuthenticateAtCsms"),
        ("CentralSystemFailedToAuthenticate", "CsmsFailedToAuthenticate"),
        ("InvalidCentralSystemCertificate", "InvalidCsmsCertificate"),
        ("InvalidChargePointCertificate", "InvalidChargingStationCertificate"),
        *((name, name) for name in SAME_EVENTS),
        ("com.acme.Knocked", "com.acme.Knocked"),
    ],
)
def test_security_event_names(old: str, new: str) -> None:
    assert security_event_up(old) == new and security_event_down(new) == old
