"""Where two answers to one message differ, for the charger."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from gateway.hub.shadow import LATE_MS, NOTHING, SILENCE, VERDICTS, Said, class_of, differences, heard
from gateway.readiness import CLASSES, KINDS
from translators.frames import Error, Result

BOOT = {"status": "Accepted", "currentTime": "2026-01-01T00:00:00Z", "interval": 300}


def said(action: str, answer: dict[str, Any] | str | None, ms: int = 10) -> Said:
    """`answer`: payload, error code, or None for silence."""
    if answer is None:
        return NOTHING
    if isinstance(answer, str):
        return heard(action, Error("1", answer, "token 04A1"), ms)
    return heard(action, Result("1", Raw(json.dumps(answer).encode())), ms)


def tag(status: str | None, **more: Any) -> dict[str, Any]:
    return more if status is None else {"idTagInfo": {"status": status, "parentIdTag": "P1"}, **more}


def token(status: str | None, **more: Any) -> dict[str, Any]:
    return more if status is None else {"idTokenInfo": {"status": status}, **more}


AGREE = [
    ("Heartbeat", {"currentTime": "a"}, {"currentTime": "b"}),
    ("Authorize", tag("Accepted"), tag("Accepted")),
    ("Authorize", tag("Blocked"), {"idTagInfo": {"status": "Blocked", "expiryDate": "2026-01-01T00:00:00Z"}}),
    ("StartTransaction", tag("Accepted", transactionId=7), tag("Accepted", transactionId=991)),
    ("StopTransaction", {}, tag("Accepted")),
    ("StopTransaction", tag("Accepted"), {}),
    ("TransactionEvent", {}, token("Accepted", totalCost=3)),
    ("TransactionEvent", {"totalCost": 1}, {"totalCost": 2}),
    ("BootNotification", BOOT, BOOT | {"currentTime": "2027-01-01T00:00:00Z"}),
    ("DataTransfer", {"status": "Accepted"}, {"status": "UnknownVendorId"}),
    ("MeterValues", {}, {}),
    ("MeterValues", "InternalError", "InternalError"),
    ("MeterValues", "FormationViolation", "FormatViolation"),
    ("MeterValues", "OccurenceConstraintViolation", "OccurrenceConstraintViolation"),
    ("Authorize", "Nonsense", "GenericError"),
    ("Authorize", None, tag("Accepted")),
    ("Authorize", None, None),
]

DIFFER = [
    ("Authorize", tag("Accepted"), tag("Blocked"), "verdict", "Accepted", "Blocked"),
    ("Authorize", tag("Invalid"), tag("Expired"), "verdict", "Invalid", "Expired"),
    ("Authorize", tag("Accepted"), {}, "verdict", "Accepted", "(none)"),
    ("Authorize", token("Accepted"), token("Unknown"), "verdict", "Accepted", "Unknown"),
    ("StartTransaction", tag("Accepted", transactionId=1), tag("ConcurrentTx"), "verdict", "Accepted", "ConcurrentTx"),
    ("StopTransaction", {}, tag("Blocked"), "verdict", "(none)", "Blocked"),
    ("TransactionEvent", token("NoCredit"), {}, "verdict", "NoCredit", "(none)"),
    ("BootNotification", BOOT, BOOT | {"status": "Pending"}, "boot_status", "Accepted", "Pending"),
    ("BootNotification", BOOT, BOOT | {"status": "Rejected", "interval": 5}, "boot_status", "Accepted", "Rejected"),
    ("BootNotification", BOOT, BOOT | {"interval": 60}, "interval", "300 s", "60 s"),
    (
        "BootNotification",
        {"status": "Accepted", "heartbeatInterval": 300},
        BOOT | {"interval": 0},
        "interval",
        "300 s",
        "0 s",
    ),
    ("BootNotification", BOOT, {"status": "Accepted"}, "interval", "300 s", "(none)"),
    ("Heartbeat", {}, "InternalError", "error", "CALLRESULT", "InternalError"),
    ("Heartbeat", "NotSupported", {}, "error", "NotSupported", "CALLRESULT"),
    ("Authorize", "NotSupported", "GenericError", "error", "NotSupported", "GenericError"),
    ("Authorize", tag("Accepted"), {"idTagInfo": 7}, "error", "CALLRESULT", "(unreadable)"),
    ("BootNotification", BOOT, BOOT | {"interval": 1e300}, "error", "CALLRESULT", "(unreadable)"),
    ("MeterValues", {}, None, "missing", "CALLRESULT", "(no answer)"),
    ("MeterValues", "InternalError", None, "missing", "InternalError", "(no answer)"),
]


@pytest.mark.parametrize(("action", "answer", "shadow"), AGREE)
def test_agree(action: str, answer: Any, shadow: Any) -> None:
    assert differences(action, said(action, answer), said(action, shadow)) == []


@pytest.mark.parametrize(("action", "answer", "shadow", "kind", "one", "other"), DIFFER)
def test_differ(action: str, answer: Any, shadow: Any, kind: str, one: str, other: str) -> None:
    [found] = differences(action, said(action, answer), said(action, shadow))
    assert (found.kind, found.answer, found.shadow) == (kind, one, other)


@pytest.mark.parametrize(
    ("one", "other", "kinds"),
    [
        (10, 10 + LATE_MS, []),
        (10, 11 + LATE_MS, ["latency"]),
        (60_000, 5, []),
    ],
)
def test_latency(one: int, other: int, kinds: list[str]) -> None:
    found = differences("Heartbeat", said("Heartbeat", {}, one), said("Heartbeat", {}, other))
    assert [each.kind for each in found] == kinds


def test_late_and_wrong() -> None:
    found = differences(
        "Authorize", said("Authorize", tag("Accepted")), said("Authorize", tag("Blocked"), LATE_MS + 500)
    )
    assert [each.kind for each in found] == ["verdict", "latency"]
    assert (found[1].answer, found[1].shadow) == ("10 ms", f"{LATE_MS + 500} ms")


def test_what_a_csms_puts_in_the_place_of_a_word_is_not_kept() -> None:
    [found] = differences("Authorize", said("Authorize", tag("Accepted")), said("Authorize", tag("04A1 Jane Doe, 12")))
    assert found.shadow == "(unreadable)"
    found_error = said("Authorize", "token 04A1B2C3 unknown")
    assert found_error.outcome == "GenericError"


@pytest.mark.parametrize(
    ("action", "billing", "answer", "shadow", "expected"),
    [
        ("Authorize", False, tag("Accepted"), None, "decision"),
        ("StartTransaction", True, tag("Accepted"), tag("Accepted"), "decision"),
        ("BootNotification", False, BOOT, "InternalError", "decision"),
        ("StopTransaction", True, {}, {}, "billing"),
        ("StopTransaction", True, tag("Accepted"), {}, "decision"),
        ("MeterValues", True, {}, {}, "billing"),
        ("Heartbeat", False, {}, {}, "other"),
    ],
)
def test_class(action: str, billing: bool, answer: Any, shadow: Any, expected: str) -> None:
    assert class_of(action, billing, said(action, answer), said(action, shadow)) == expected


actions = st.sampled_from([*sorted(VERDICTS), "BootNotification", "Heartbeat", "MeterValues", "Nonsense"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["status", "interval", "idTagInfo", "idTokenInfo", "transactionId", "heartbeatInterval", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
answers = st.one_of(
    json_values.map(lambda value: Result("1", Raw(json.dumps(value).encode()))),
    st.text(max_size=60).map(lambda code: Error("1", code, "why")),
)
times = st.integers(0, 100_000)


@given(actions, answers, answers, times, times)
def test_whatever_is_answered(action: str, one: Any, other: Any, ms: int, later: int) -> None:
    first, second = heard(action, one, ms), heard(action, other, later)
    found = differences(action, first, second)
    kinds = [each.kind for each in found]
    assert set(kinds) <= set(KINDS) and len(set(kinds)) == len(kinds) <= 2
    assert class_of(action, False, first, second) in CLASSES
    assert all(len(text) <= 50 for each in found for text in (each.answer, each.shadow))
    assert not differences(action, first, first)
    assert [each.kind for each in differences(action, first, NOTHING)] == ["missing"]
    assert not differences(action, NOTHING, second)
    back = [each for each in differences(action, second, first) if each.kind != "latency"]
    assert [(each.kind, each.shadow, each.answer) for each in back] == [
        (each.kind, each.answer, each.shadow) for each in found if each.kind != "latency"
    ], "the same from the other side"


@given(st.sampled_from(["StartTransaction", "StopTransaction", "TransactionEvent"]), st.integers(), st.integers())
def test_ids_of_transactions_are_never_a_difference(action: str, one: int, other: int) -> None:
    first, second = tag("Accepted", transactionId=one), tag("Accepted", transactionId=other)
    assert not differences(action, said(action, first), said(action, second))


def test_silence_is_a_word_of_its_own() -> None:
    assert SILENCE not in {said("Heartbeat", code).outcome for code in ("", "GenericError", SILENCE)}
