"""ChangeAvailability, ClearCache, Reset, DataTransfer, UnlockConnector to a 1.6 charger."""

from __future__ import annotations

from typing import Any

import pytest

from translators.dialogue import Dialogue
from translators.facts import Authorization
from translators.v16_v201.maintenance import after_ended

from .station import NOW, Station, answered, rejected

TWO_PLUGS = {"1": (1, 1), "2": (1, 2), "3": (2, 1)}


def test_the_station_is_connector_zero() -> None:
    s = Station()
    assert s.csms("ChangeAvailability", operationalStatus="Inoperative") == [
        ("charger", "ChangeAvailability", {"connectorId": 0, "type": "Inoperative"})
    ]
    assert s.answers("charger", status="Scheduled") == answered(status="Scheduled")


@pytest.mark.parametrize(
    ("one", "two", "worst"),
    [
        ("Accepted", "Accepted", "Accepted"),
        ("Accepted", "Scheduled", "Scheduled"),
        ("Scheduled", "Rejected", "Rejected"),
        ("Rejected", "Accepted", "Rejected"),
    ],
)
def test_an_evse_with_two_connectors_is_two_commands(one: str, two: str, worst: str) -> None:
    s = Station(topology=TWO_PLUGS)
    first = s.csms("ChangeAvailability", operationalStatus="Operative", evse={"id": 1})
    assert first == [("charger", "ChangeAvailability", {"connectorId": 1, "type": "Operative"})]
    second = s.answers("charger", status=one)
    assert second == [("charger", "ChangeAvailability", {"connectorId": 2, "type": "Operative"})]
    assert s.answers("charger", status=two) == answered(status=worst)


def test_one_connector_of_an_evse() -> None:
    s = Station(topology=TWO_PLUGS)
    sent = s.csms("ChangeAvailability", operationalStatus="Operative", evse={"id": 1, "connectorId": 2})
    assert sent == [("charger", "ChangeAvailability", {"connectorId": 2, "type": "Operative"})]


@pytest.mark.parametrize(
    ("evse", "reason"), [({"id": 9}, "UnknownEvse"), ({"id": 1, "connectorId": 2}, "UnknownConnectorId")]
)
def test_an_unknown_place_is_rejected_here(evse: dict[str, int], reason: str) -> None:
    assert Station().csms("ChangeAvailability", operationalStatus="Operative", evse=evse) == rejected(reason)


def test_clear_cache_forgets_the_gateways_verdicts_too() -> None:
    s = Station()
    s.facts.authorizations["04a1b2c3"] = Authorization(info={"status": "Accepted"}, at=NOW)
    assert s.csms("ClearCache") == [("charger", "ClearCache", {})]
    assert s.answers("charger", status="Accepted") == answered(status="Accepted")
    assert not s.facts.authorizations


def test_an_error_of_the_charger_is_relayed_in_the_spelling_of_201() -> None:
    s = Station()
    s.csms("ClearCache")
    assert s.refuses("charger", "FormationViolation") == [("csms", "FormatViolation", None)]


def test_what_the_charger_does_not_have_is_not_asked_twice() -> None:
    s = Station()
    s.csms("ClearCache")
    assert s.refuses("charger", "NotImplemented") == [("csms", "NotImplemented", None)]
    assert s.csms("ClearCache") == [("csms", "NotSupported", None)]


def test_a_silent_charger_is_a_generic_error() -> None:
    s = Station()
    s.csms("ClearCache")
    assert s.silent("charger") == [("csms", "GenericError", None)]


@pytest.mark.parametrize(
    ("asked", "options", "sent"),
    [
        ("Immediate", {}, "Hard"),
        ("Immediate", {"immediate_reset_as": "Soft"}, "Soft"),
        ("OnIdle", {}, "Soft"),
    ],
)
def test_reset(asked: str, options: dict[str, Any], sent: str) -> None:
    s = Station(**options)
    assert s.csms("Reset", type=asked) == [("charger", "Reset", {"type": sent})]
    assert s.answers("charger", status="Accepted") == answered(status="Accepted")
    assert (s.facts.reset, s.facts.reset_expires) == ("RemoteReset", NOW + 600_000)


def test_a_rejected_reset_explains_no_boot() -> None:
    s = Station()
    s.csms("Reset", type="Immediate")
    assert s.answers("charger", status="Rejected") == answered(status="Rejected")
    assert s.facts.reset == ""


def test_one_evse_cannot_be_reset() -> None:
    assert Station().csms("Reset", type="OnIdle", evseId=1) == rejected("UnsupportedParam")


def test_on_idle_waits_for_the_last_transaction() -> None:
    s = Station()
    first, second = s.transaction(1), s.transaction(2)
    assert s.csms("Reset", type="OnIdle") == answered(status="Scheduled")
    assert s.facts.reset_when_idle
    s.ends(first)
    assert not ended(s)
    s.ends(second)
    assert ended(s) == [("charger", "Reset", {"type": "Soft"})]
    s.answers("charger", status="Accepted")
    assert (s.facts.reset, s.facts.reset_when_idle) == ("ScheduledReset", False)
    assert not ended(s)


def test_a_reset_that_waits_survives_a_restart() -> None:
    for runs in (True, False):
        s = Station()
        s.facts.reset_when_idle = True
        transaction = s.transaction()
        if not runs:
            s.ends(transaction)
        s.translator.connected(s.clock)
        assert s.after(1) == ([] if runs else [("charger", "Reset", {"type": "Soft"})])


def ended(s: Station) -> list[Any]:
    def rule(d: Dialogue) -> Any:
        return after_ended(d)

    return s._leaving(s.translator.begin(rule, s.clock, "Reset"))


def test_immediate_overrides_a_scheduled_reset() -> None:
    s = Station()
    s.transaction()
    s.csms("Reset", type="OnIdle")
    assert s.csms("Reset", type="Immediate") == [("charger", "Reset", {"type": "Hard"})]
    s.answers("charger", status="Accepted")
    assert not s.facts.reset_when_idle


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("plain", "plain"),
        ({"lamp": "on", "n": 1.10}, '{"lamp":"on","n":1.1}'),
        ([1, 2], "[1,2]"),
        (5, "5"),
        (None, "null"),
    ],
)
def test_data_of_any_type_becomes_text(data: Any, text: str) -> None:
    s = Station()
    left = s.csms("DataTransfer", vendorId="com.acme", messageId="Cfg", data=data)
    payload = left[0][2]
    if data is None:
        payload.setdefault("data", "null")  # null may mean absent
    assert payload == {"vendorId": "com.acme", "messageId": "Cfg", "data": text}
    answer = s.answers("charger", status="Accepted", data='{"a":1}')
    assert answer == answered(status="Accepted", data='{"a":1}')


@pytest.mark.parametrize("status", ["Accepted", "Rejected", "UnknownMessageId", "UnknownVendorId"])
def test_data_transfer_status(status: str) -> None:
    s = Station()
    assert s.csms("DataTransfer", vendorId="x") == [("charger", "DataTransfer", {"vendorId": "x"})]
    assert s.answers("charger", status=status) == answered(status=status)


def test_the_refusal_of_one_vendor_is_not_remembered() -> None:
    s = Station()
    s.csms("DataTransfer", vendorId="x")
    s.refuses("charger", "NotSupported")
    assert s.csms("DataTransfer", vendorId="y")[0][1] == "DataTransfer"


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        ("Unlocked", {"status": "Unlocked"}),
        ("UnlockFailed", {"status": "UnlockFailed"}),
        ("NotSupported", {"status": "UnlockFailed", "statusInfo": {"reasonCode": "UnsupportedRequest"}}),
    ],
)
def test_unlock(status: str, answer: Any) -> None:
    s = Station()
    assert s.csms("UnlockConnector", evseId=2, connectorId=1) == [("charger", "UnlockConnector", {"connectorId": 2})]
    assert s.answers("charger", status=status) == answered(**answer)


def test_unlock_not_during_an_authorised_transaction() -> None:
    s = Station()
    running = s.transaction(1)
    assert s.csms("UnlockConnector", evseId=1, connectorId=1) == answered(status="OngoingAuthorizedTransaction")
    running.auth_status = "Blocked"
    assert s.csms("UnlockConnector", evseId=1, connectorId=1)[0][1] == "UnlockConnector"


@pytest.mark.parametrize("place", [(9, 1), (1, 2)])
def test_unlock_of_an_unknown_connector(place: tuple[int, int]) -> None:
    left = Station().csms("UnlockConnector", evseId=place[0], connectorId=place[1])
    assert left == answered(status="UnknownConnector")


def test_a_rejected_station_takes_no_commands() -> None:
    s = Station(registration="Rejected")
    for action, payload in (("ClearCache", {}), ("GetTransactionStatus", {}), ("Reset", {"type": "Immediate"})):
        assert s.call("csms", action, payload) == [("csms", "SecurityError", None)]
