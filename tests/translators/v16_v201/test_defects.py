"""Defects of other translators that concern a 1.6 charger behind a 2.0.1 CSMS, each as a test (spec 15)."""

from __future__ import annotations

from typing import Any

import pytest

from .conversation import (
    AT,
    OK,
    TAG,
    TOKEN,
    Charger,
    ended,
    start,
    started,
    status_of,
    stop,
    talk,
    to_charger,
    to_csms,
    updated,
)

ACCEPTED = {"status": "Accepted"}


def test_starts_on_two_connectors_do_not_swap_their_ids() -> None:
    play = talk()
    play.step("charger", [2, "a", "StartTransaction", start(1)], _named(started(1), "$uuid:m1"))
    play.step("charger", [2, "b", "StartTransaction", start(2, meter=7)], _named(started(2, meter=7), "$uuid:m2"))
    accepted = {"idTagInfo": ACCEPTED}
    play.step("csms", [3, "$uuid:m2", OK], to_charger({"transactionId": "$int:tid2", **accepted}, "b"))
    play.step("csms", [3, "$uuid:m1", OK], to_charger({"transactionId": "$int:tid1", **accepted}, "a"))
    assert play.bound["$int:tid1"] != play.bound["$int:tid2"]
    play.step("charger", [2, "c", "StopTransaction", stop(2, reason="Remote")],
              ended(1, connector=2, trigger="RemoteStop", reason="Remote"))  # fmt: skip


def _named(left: tuple[Any, list[Any]], name: str) -> tuple[Any, list[Any]]:
    side, frame = left
    return side, [2, name, *frame[2:]]


def test_a_retry_of_a_start_makes_no_new_transaction() -> None:
    charger = Charger()
    charger.starts()
    charger.local("StartTransaction", start(), {"transactionId": "$int:tid1", "idTagInfo": ACCEPTED})
    assert len(charger.play.facts.transactions) == 1


def test_events_are_numbered() -> None:
    charger = Charger()
    charger.starts()
    for number, minute in ((1, 5), (2, 6), (3, 7)):
        value = {"timestamp": AT.format(minute), "sampledValue": [{"value": "2"}]}
        told = {"timestamp": AT.format(minute), "sampledValue": [{"value": 2}]}
        charger.passes(
            "MeterValues",
            {"connectorId": 1, "transactionId": "$int:tid1", "meterValue": [value]},
            updated(number, minute, reason="MeterValuePeriodic", meterValue=[told]),
            {},
            {},
        )
    charger.says("StopTransaction", stop(reason="Remote"), ended(4, trigger="RemoteStop", reason="Remote"))


def test_a_reason_is_no_trigger() -> None:
    charger = Charger()
    charger.starts()
    told = ended(1, trigger="AbnormalCondition", reason="PowerLoss")
    charger.says("StopTransaction", stop(reason="PowerLoss"), told)


def test_values_are_numbers_with_a_unit_of_measure() -> None:
    charger = Charger()
    samples = [{"value": "11.04", "measurand": "Power.Active.Import", "unit": "kW"}]
    told = [{"value": 11.04, "measurand": "Power.Active.Import", "unitOfMeasure": {"unit": "kW"}}]
    value = {"timestamp": AT.format(1), "sampledValue": samples}
    charger.says(
        "MeterValues",
        {"connectorId": 1, "meterValue": [value]},
        to_csms("MeterValues", {"evseId": 1, "meterValue": [{**value, "sampledValue": told}]}),
    )


def test_connector_2_is_the_first_connector_of_evse_2() -> None:
    charger = Charger()
    charger.reported(2, "Available", "Available")
    charger.says("StartTransaction", start(2), started(2))  # evse {id 2, connectorId 1}


def test_the_evse_is_told_once() -> None:
    charger = Charger()
    charger.starts()
    charger.status(1, "Charging", status_of(1, "Occupied"))
    charger.hears({}, charger.answer({}), updated(1, state="Charging"))
    charger.hears({})
    charger.says("StopTransaction", stop(reason="Local"), ended(2, state="EVConnected"))


def test_remote_commands_have_other_names() -> None:
    play = talk()
    request = {"idToken": TOKEN, "remoteStartId": 3}
    play.step("csms", [2, "s", "RequestStartTransaction", request],
              ("charger", [2, "$uuid:r", "RemoteStartTransaction", {"idTag": TAG}]))  # fmt: skip
    play.step("charger", [3, "$uuid:r", ACCEPTED], ("csms", [3, "s", ACCEPTED]))


@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
def test_a_remote_stop_has_the_number_of_the_charger(restarted: bool) -> None:
    charger = Charger()
    charger.starts()
    if restarted:
        charger.play.restart()
    charger.play.step("csms", [2, "s", "RequestStopTransaction", {"transactionId": "$uuid:tx1"}],
                      ("charger", [2, "$uuid:r", "RemoteStopTransaction", {"transactionId": "$int:tid1"}]))  # fmt: skip
    assert isinstance(charger.play.bound["$int:tid1"], int)


def test_meter_values_without_a_transaction_are_no_transaction_event() -> None:
    charger = Charger()
    value = {"timestamp": AT.format(1), "sampledValue": [{"value": "5"}]}
    told = {"evseId": 1, "meterValue": [{"timestamp": AT.format(1), "sampledValue": [{"value": 5}]}]}
    charger.says("MeterValues", {"connectorId": 1, "meterValue": [value]}, to_csms("MeterValues", told))


def test_an_answer_keeps_group_expiry_and_refusal() -> None:
    charger = Charger()
    group = {"idToken": "FLEET", "type": "Central"}
    info = {"status": "Expired", "cacheExpiryDateTime": AT.format(0), "groupIdToken": group}
    told = {"status": "Expired", "expiryDate": AT.format(0), "parentIdTag": "FLEET"}
    charger.passes(
        "Authorize",
        {"idTag": TAG},
        to_csms("Authorize", {"idToken": TOKEN}),
        {"idTokenInfo": info},
        {"idTagInfo": told},
    )


def test_a_missing_status_is_not_accepted() -> None:
    charger = Charger()
    charger.says("Authorize", {"idTag": TAG}, to_csms("Authorize", {"idToken": TOKEN}))
    left = charger.play.feed("csms", [3, charger.play.bound[charger.open], {"idTokenInfo": {}}])
    assert all(frame[0] == 4 for _, frame in left), left


@pytest.mark.parametrize(
    ("tag", "kind"),
    [
        ("04A1B2C3", "ISO14443"),
        ("04A1B2C3D4E5F6", "ISO14443"),
        ("E004010012345678", "ISO15693"),
        ("1234", "Central"),  # 4 characters are no 4 bytes
        ("1234567", "Central"),
    ],
)
def test_the_type_of_a_tag_goes_by_its_bytes(tag: str, kind: str) -> None:
    Charger().says("Authorize", {"idTag": tag}, to_csms("Authorize", {"idToken": {"idToken": tag, "type": kind}}))


def test_a_log_status_has_the_number_of_its_request() -> None:
    charger = Charger()
    for number in (17, 99):
        log = {"logType": "DiagnosticsLog", "requestId": number, "log": {"remoteLocation": "ftp://x"}}
        asked = ("charger", [2, f"$uuid:r{number}", "GetDiagnostics", {"location": "ftp://x"}])
        charger.play.step("csms", [2, f"s{number}", "GetLog", log], asked)  # type: ignore[arg-type]
        answer = ("csms", [3, f"s{number}", {"status": "Accepted", "filename": "f"}])
        charger.play.step("charger", [3, f"$uuid:r{number}", {"fileName": "f"}], answer)  # type: ignore[arg-type]
        told = to_csms("LogStatusNotification", {"status": "Uploaded", "requestId": number})
        charger.passes("DiagnosticsStatusNotification", {"status": "Uploaded"}, told, {}, {})


def test_a_trigger_without_a_place_has_none() -> None:
    play = talk()
    play.step("csms", [2, "s", "TriggerMessage", {"requestedMessage": "Heartbeat"}],
              ("charger", [2, "$uuid", "TriggerMessage", {"requestedMessage": "Heartbeat"}]))  # fmt: skip


def test_a_trigger_of_the_security_extension() -> None:
    play = talk(features=["security"])
    play.step("csms", [2, "s", "TriggerMessage", {"requestedMessage": "SignChargingStationCertificate"}],
              ("charger", [2, "$uuid", "ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"}]))  # fmt: skip


def test_a_stop_of_an_unknown_transaction_is_acknowledged() -> None:
    about = {"transactionId": 4711, "meterStop": 1, "timestamp": AT.format(1)}
    Charger().local("StopTransaction", about, {})


def test_an_error_of_four_elements_is_one() -> None:
    play = talk()
    play.step("csms", [2, "s", "ClearCache", {}], ("charger", [2, "$uuid:r", "ClearCache", {}]))
    play.step("charger", [4, "$uuid:r", "NotSupported", "no"], ("csms", [4, "s", "NotSupported", "upstream: no", {}]))


def test_the_register_of_the_end_is_told_once() -> None:
    charger = Charger()
    charger.starts()
    end = {"timestamp": AT.format(20), "sampledValue": [{"value": "2.5", "context": "Transaction.End", "unit": "kWh"}]}
    told = {"value": 2.5, "context": "Transaction.End", "unitOfMeasure": {"unit": "kWh"}}
    values = [{"timestamp": AT.format(20), "sampledValue": [told]}]
    charger.says("StopTransaction", stop(reason="Local", transactionData=[end]), ended(1, values=values))
