"""A CSMS that is up but silent to a StartTransaction: what waits behind it is answered within the charger's patience
(reliability 5.3), and told to the CSMS in its order."""

from __future__ import annotations

from typing import Any

import pytest

from tests.translators.saying import SILENT, TAG, Saying, answer, calls

AT = "2026-03-01T10:0{}:00Z"


def element(minute: int) -> dict[str, Any]:
    return {"timestamp": AT.format(minute), "sampledValue": [{"value": "9"}]}


def test_a_1_6_charger_does_not_wait_for_a_start_that_is_repeated() -> None:
    s = Saying("1.6", "2.0.1")
    s.charger("Authorize", {"idTag": "ABC"})
    s.answers["csms", "TransactionEvent"] = SILENT
    s.charger("StartTransaction", {"connectorId": 1, "idTag": "ABC", "meterStart": 5, "timestamp": AT.format(0)})
    tid = answer(s.control("tick", 26), "charger")["transactionId"]
    values = {"connectorId": 1, "transactionId": tid, "meterValue": [element(1)]}
    assert s.charger("MeterValues", values) == []
    assert [each for each in s.control("tick", 19) if each.to == "charger"] == []
    assert answer(s.control("tick", 2), "charger") == {}
    s.charger("StopTransaction", {"transactionId": tid, "meterStop": 9, "timestamp": AT.format(2)})
    assert answer(s.control("tick", 21), "charger") == {}
    del s.answers["csms", "TransactionEvent"]
    events = calls(s.waits(120), "csms", "TransactionEvent")
    assert [each["eventType"] for each in events] == ["Started", "Updated", "Ended"]
    assert [each["seqNo"] for each in events] == [0, 1, 2]


def test_what_was_answered_here_and_is_refused_later_is_told_again() -> None:
    s = Saying("1.6", "2.0.1")
    s.charger("Authorize", {"idTag": "ABC"})
    s.answers["csms", "TransactionEvent"] = SILENT
    s.charger("StartTransaction", {"connectorId": 1, "idTag": "ABC", "meterStart": 5, "timestamp": AT.format(0)})
    tid = answer(s.control("tick", 26), "charger")["transactionId"]
    s.charger("MeterValues", {"connectorId": 1, "transactionId": tid, "meterValue": [element(1)]})
    s.waits(25)
    s.answers["csms", "TransactionEvent"] = [{}, "InternalError", {}]
    s.waits(120)
    told = calls(s.heard, "csms", "TransactionEvent")
    assert [each["eventType"] for each in told[-2:]] == ["Updated", "Updated"]
    assert told[-1] == told[-2]


@pytest.mark.parametrize("failures", [["InternalError"], ["GenericError", "InternalError"], [SILENT, "InternalError"]])
def test_an_event_behind_an_answered_status_is_told_again(failures: list[Any]) -> None:
    s = Saying("1.6", "2.0.1")
    s.charger("StartTransaction", {"connectorId": 1, "idTag": "ABC", "meterStart": 5, "timestamp": AT.format(0)})
    s.answers["csms", "TransactionEvent"] = [*failures, {}]
    status = {"connectorId": 1, "status": "Charging", "errorCode": "GroundFailure", "timestamp": AT.format(1)}
    assert answer(s.charger("StatusNotification", status), "charger") == {}
    s.waits(120)
    told = [each for each in calls(s.heard, "csms") if each[0] in ("TransactionEvent", "NotifyEvent")][1:]
    assert [action for action, _ in told] == ["TransactionEvent"] * (len(failures) + 1) + ["NotifyEvent"]
    assert [event["seqNo"] for _, event in told[:-1]] == [1] * (len(failures) + 1)


@pytest.mark.parametrize("failures", [["InternalError"], ["GenericError", SILENT], [SILENT, "InternalError"]])
def test_a_state_behind_an_answered_start_is_told_again(failures: list[Any]) -> None:
    s = Saying("1.6", "2.0.1")
    begin = {"connectorId": 1, "idTag": "ABC", "meterStart": 5, "timestamp": AT.format(0)}
    s.answers["csms", "TransactionEvent"] = "InternalError"
    s.charger("StartTransaction", begin)
    s.charger("StatusNotification", {"connectorId": 1, "status": "Charging", "errorCode": "NoError"})
    s.answers["csms", "TransactionEvent"] = [{}, *failures, {}, {}]
    tid = answer(s.charger("StartTransaction", begin), "charger")["transactionId"]
    s.charger("MeterValues", {"connectorId": 1, "transactionId": tid, "meterValue": [element(1)]})
    s.waits(120)
    told = calls(s.heard, "csms", "TransactionEvent")[2:]
    assert [event["seqNo"] for event in told] == [1] * (len(failures) + 1) + [2]
    assert [event["transactionInfo"].get("chargingState") for event in told[:-1]] == ["Charging"] * (len(failures) + 1)


@pytest.mark.parametrize("waits", [19, 21])
def test_a_2_0_1_charger(waits: int) -> None:
    s = Saying("2.0.1", "1.6")
    token = {"idToken": "ABC", "type": "Central"}
    s.charger("Authorize", {"idToken": token})
    s.answers["csms", "StartTransaction"] = SILENT
    sample = {"value": 5, "context": "Transaction.Begin"}
    event = {
        "eventType": "Started",
        "timestamp": AT.format(0),
        "triggerReason": "Authorized",
        "seqNo": 0,
        "transactionInfo": {"transactionId": "T", "chargingState": "EVConnected"},
        "idToken": token,
        "evse": {"id": 1, "connectorId": 1},
        "meterValue": [{"timestamp": AT.format(0), "sampledValue": [sample]}],
    }
    s.charger("TransactionEvent", event)
    assert answer(s.control("tick", 26), "charger") == {"idTokenInfo": {"status": "Accepted"}}
    info = {"transactionId": "T", "chargingState": "Charging"}
    update = {"eventType": "Updated", "timestamp": AT.format(1), "triggerReason": "ChargingStateChanged", "seqNo": 1}
    s.charger("TransactionEvent", {**update, "transactionInfo": info})
    left = [each.payload for each in s.control("tick", waits) if each.to == "charger"]
    assert left == ([{}] if waits > 20 else [])
    s.answers["csms", "StartTransaction"] = {"transactionId": 7, **TAG}
    s.waits(60)
    assert [action for action, _ in calls(s.heard, "csms")][-2:] == ["StartTransaction", "StatusNotification"]


@pytest.mark.parametrize("scheduled", [True, False])
def test_a_reset_does_not_wait_for_an_end_that_the_csms_refuses_for_good(scheduled: bool) -> None:
    s = Saying("1.6", "2.0.1")
    begin = {"connectorId": 1, "idTag": "ABC", "meterStart": 5, "timestamp": AT.format(0)}
    tid = answer(s.charger("StartTransaction", begin), "charger")["transactionId"]
    if scheduled:
        assert answer(s.csms("Reset", {"type": "OnIdle"}), "csms") == {"status": "Scheduled"}
    s.answers["csms", "TransactionEvent"] = "InternalError"
    for _ in range(5):
        left = s.charger("StopTransaction", {"transactionId": tid, "meterStop": 9, "timestamp": AT.format(2)})
        assert calls(left, "charger") == []
    assert answer(left, "charger") == {}
    left = s.charger("Heartbeat", {}) if scheduled else s.csms("Reset", {"type": "OnIdle"})
    assert calls(left, "charger", "Reset") == [{"type": "Soft"}]


def test_a_reset_waits_as_long_as_a_silent_csms_is_told_the_end() -> None:
    s = Saying("1.6", "2.0.1")
    begin = {"connectorId": 1, "idTag": "ABC", "meterStart": 5, "timestamp": AT.format(0)}
    tid = answer(s.charger("StartTransaction", begin), "charger")["transactionId"]
    s.csms("Reset", {"type": "OnIdle"})
    s.answers["csms", "TransactionEvent"] = SILENT
    s.charger("StopTransaction", {"transactionId": tid, "meterStop": 9, "timestamp": AT.format(2)})
    left = s.waits(240)
    assert [action for action, _ in calls(left, "csms") + calls(left, "charger")] == ["TransactionEvent"] * 4 + [
        "Reset"
    ]


def test_a_reset_waits_for_an_end_that_is_still_to_be_told() -> None:
    s = Saying("1.6", "2.0.1")
    begin = {"connectorId": 1, "idTag": "ABC", "meterStart": 5, "timestamp": AT.format(0)}
    tid = answer(s.charger("StartTransaction", begin), "charger")["transactionId"]
    s.csms("Reset", {"type": "OnIdle"})
    s.control("csms_down")
    s.charger("StopTransaction", {"transactionId": tid, "meterStop": 9, "timestamp": AT.format(2)})
    assert calls(s.charger("Heartbeat", {}), "charger", "Reset") == []
    left = s.control("csms_up")
    assert [action for action, _ in calls(left, "csms") + calls(left, "charger")] == ["TransactionEvent", "Reset"]
