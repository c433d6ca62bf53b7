"""Spec 14 and ocpp15 section 2 row by row: what 1.5 says otherwise than 1.6, seen from a CSMS of 1.6 and of 2.0.1."""

from __future__ import annotations

from typing import Any

import pytest

from tests.translators.saying import SILENT, Saying, answer, calls

AT = "2026-03-01T10:00:00Z"
START = {"connectorId": 1, "idTag": "ABC", "meterStart": 5, "timestamp": AT}


def status(now: str, code: str = "NoError", **more: Any) -> dict[str, Any]:
    return {"connectorId": 1, "status": now, "errorCode": code, "timestamp": AT, **more}


@pytest.mark.parametrize(
    ("now", "running", "told"),
    [
        ("Available", False, "Available"),
        ("Occupied", False, "Preparing"),
        ("Occupied", True, "Charging"),
        ("Faulted", False, "Faulted"),
        ("Unavailable", False, "Unavailable"),
        ("Reserved", False, "Reserved"),
        ("Charging", False, "Charging"),
    ],
)
def test_a_status(now: str, running: bool, told: str) -> None:
    s = Saying("1.5", "1.6")
    if running:
        s.charger("StartTransaction", START)
    [heard] = calls(s.charger("StatusNotification", status(now)), "csms")
    assert heard == ("StatusNotification", status(told))


@pytest.mark.parametrize(
    ("now", "told"), [("Occupied", "Available"), ("Reserved", "Available"), ("Faulted", "Faulted")]
)
def test_a_status_of_the_station(now: str, told: str) -> None:
    s = Saying("1.5", "1.6")
    [heard] = calls(s.charger("StatusNotification", {**status(now), "connectorId": 0}), "csms", "StatusNotification")
    assert heard["status"] == told


def test_occupied_shortly_after_the_end() -> None:
    s = Saying("1.5", "1.6")
    tid = answer(s.charger("StartTransaction", START), "charger")["transactionId"]
    s.charger("StopTransaction", {"transactionId": tid, "timestamp": AT, "meterStop": 9})
    [heard] = calls(s.charger("StatusNotification", status("Occupied")), "csms", "StatusNotification")
    assert heard["status"] == "Finishing"
    s.control("tick", 3600)
    [heard] = calls(s.charger("StatusNotification", status("Occupied")), "csms", "StatusNotification")
    assert heard["status"] == "Preparing"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (same, same)
        for same in (
            *("ConnectorLockFailure", "GroundFailure", "HighTemperature", "NoError", "OtherError"),
            *("OverCurrentFailure", "PowerMeterFailure", "PowerSwitchFailure", "ReaderFailure", "ResetFailure"),
            *("UnderVoltage", "WeakSignal", "InternalError", "LocalListConflict", "OverVoltage"),
        )
    ]
    + [("Mode3Error", "EVCommunicationError")],
)
def test_an_error_code(code: str, told: str) -> None:
    s = Saying("1.5", "1.6")
    [heard] = calls(s.charger("StatusNotification", status("Faulted", code)), "csms", "StatusNotification")
    assert heard["errorCode"] == told


def test_an_error_of_1_5_reaches_2_0_1() -> None:
    s = Saying("1.5", "2.0.1")
    left = s.charger("StatusNotification", status("Faulted", "Mode3Error"))
    [event] = calls(left, "csms", "NotifyEvent")
    [data] = event["eventData"]
    assert (data["component"]["name"], data["variable"]["name"]) == ("CPPWMController", "Problem")


@pytest.mark.parametrize(
    ("told", "heard"), [("Accepted", "Accepted"), ("Pending", "Rejected"), ("Rejected", "Rejected")]
)
@pytest.mark.parametrize("csms", ["1.6", "2.0.1"])
def test_a_boot(told: str, heard: str, csms: Any) -> None:
    s = Saying("1.5", csms, registered=False)
    s.answers["csms", "BootNotification"] = {"currentTime": AT, "interval": 60, "status": told}
    left = s.charger("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
    assert answer(left, "charger") == {"status": heard, "currentTime": AT, "heartbeatInterval": 60}


@pytest.mark.parametrize("shape", ["values", "value", "flat"])
def test_meter_values_of_any_dialect_reach_2_0_1(shape: str) -> None:
    s = Saying("1.5", "2.0.1")
    tid = answer(s.charger("StartTransaction", START), "charger")["transactionId"]
    samples = [{"value": "12", "unit": "Amp", "measurand": "Current.Import"}]
    entry = {"timestamp": AT, **(samples[0] if shape == "flat" else {shape: samples})}
    left = s.charger("MeterValues", {"connectorId": 1, "transactionId": tid, "values": [entry]})
    [event] = calls(left, "csms", "TransactionEvent")
    [sample] = event["meterValue"][0]["sampledValue"]
    assert (sample["value"], sample["unitOfMeasure"]) == (12, {"unit": "A"})


def test_a_stop_without_a_reason() -> None:
    s = Saying("1.5", "2.0.1")
    tid = answer(s.charger("StartTransaction", START), "charger")["transactionId"]
    data = [{"values": [{"timestamp": AT, "values": [{"value": "7", "context": "Transaction.End"}]}]}]
    stop = {"transactionId": tid, "idTag": "ABC", "timestamp": AT, "meterStop": 7, "transactionData": data}
    [event] = calls(s.charger("StopTransaction", stop), "csms", "TransactionEvent")
    assert (event["eventType"], event["transactionInfo"]["stoppedReason"]) == ("Ended", "Local")
    assert event["idToken"]["idToken"] == "ABC"
    assert [each["value"] for value in event["meterValue"] for each in value["sampledValue"]] == [7]


def test_a_remote_stop_explains_the_end() -> None:
    s = Saying("1.5", "2.0.1")
    tid = answer(s.charger("StartTransaction", START), "charger")["transactionId"]
    uuid = calls(s.heard, "csms", "TransactionEvent")[0]["transactionInfo"]["transactionId"]
    s.csms("RequestStopTransaction", {"transactionId": uuid})
    stop = {"transactionId": tid, "timestamp": AT, "meterStop": 7}
    [event] = calls(s.charger("StopTransaction", stop), "csms", "TransactionEvent")
    assert (event["triggerReason"], event["transactionInfo"]["stoppedReason"]) == ("RemoteStop", "Remote")


COMMANDS: list[tuple[str, Any, Any]] = [
    # 1.6 command, payload, the answer of the gateway
    ("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": None}, {"status": "NotSupported"}),
    ("ClearChargingProfile", {}, {"status": "Unknown"}),
    ("GetCompositeSchedule", {"connectorId": 1, "duration": 60}, {"status": "Rejected"}),
    ("GetLog", {"logType": "DiagnosticsLog", "requestId": 1, "log": {"remoteLocation": "x"}}, "NotImplemented"),
    ("ExtendedTriggerMessage", {"requestedMessage": "Heartbeat"}, "NotImplemented"),
]
PROFILE = {
    "chargingProfileId": 1,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Absolute",
    "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6}]},
}


@pytest.mark.parametrize(("action", "payload", "told"), COMMANDS, ids=[row[0] for row in COMMANDS])
def test_what_1_5_does_not_have(action: str, payload: Any, told: Any) -> None:
    s = Saying("1.5", "1.6")
    given = {name: PROFILE if name == "csChargingProfiles" else value for name, value in payload.items()}
    left = s.csms(action, given)
    assert (calls(left, "charger"), answer(left, "csms")) == ([], told)


ANSWERS: list[tuple[str, Any, str, str, str]] = [
    # command, payload, status of 1.5, status for 1.6, status for 2.0.1
    ("UnlockConnector", {"connectorId": 1}, "Accepted", "Unlocked", ""),
    ("UnlockConnector", {"connectorId": 1}, "Rejected", "UnlockFailed", ""),
    ("SendLocalList", {"listVersion": 1, "updateType": "Full"}, "Accepted", "Accepted", ""),
    ("SendLocalList", {"listVersion": 1, "updateType": "Full"}, "Failed", "Failed", ""),
    ("SendLocalList", {"listVersion": 1, "updateType": "Full"}, "HashError", "Failed", ""),
    ("SendLocalList", {"listVersion": 1, "updateType": "Full"}, "NotSupported", "NotSupported", ""),
    ("SendLocalList", {"listVersion": 1, "updateType": "Full"}, "VersionMismatch", "VersionMismatch", ""),
    ("ChangeConfiguration", {"key": "K", "value": "v"}, "Accepted", "Accepted", ""),
    ("ChangeConfiguration", {"key": "K", "value": "v"}, "NotSupported", "NotSupported", ""),
]


@pytest.mark.parametrize(("action", "payload", "status", "told", "other"), ANSWERS)
def test_an_answer_of_1_5(action: str, payload: Any, status: str, told: str, other: str) -> None:
    s = Saying("1.5", "1.6")
    s.answers["charger", action] = {"status": status}
    assert answer(s.csms(action, payload), "csms") == {"status": told}


def test_a_list_goes_under_its_british_name() -> None:
    s = Saying("1.5", "2.0.1")
    entries = [{"idToken": {"idToken": "ABC", "type": "Central"}, "idTokenInfo": {"status": "Accepted"}}]
    left = s.csms("SendLocalList", {"versionNumber": 3, "updateType": "Full", "localAuthorizationList": entries})
    assert calls(left, "charger") == [
        (
            "SendLocalList",
            {
                "listVersion": 3,
                "updateType": "Full",
                "localAuthorisationList": [{"idTag": "ABC", "idTagInfo": {"status": "Accepted"}}],
            },
        )
    ]


@pytest.mark.parametrize("csms", ["1.6", "2.0.1"])
def test_smart_charging_of_a_1_5_charger(csms: Any) -> None:
    s = Saying("1.5", csms)
    if csms == "1.6":
        left = s.csms("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": PROFILE})
        assert answer(left, "csms") == {"status": "NotSupported"}
    else:
        schedule = {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6}]}
        profile = {
            "id": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxDefaultProfile",
            "chargingProfileKind": "Relative",
            "chargingSchedule": [schedule],
        }
        left = s.csms("SetChargingProfile", {"evseId": 1, "chargingProfile": profile})
        assert answer(left, "csms") == {"status": "Rejected", "statusInfo": {"reasonCode": "UnsupportedRequest"}}
    assert calls(left, "charger") == []


TRIGGERS: list[tuple[str, Any]] = [
    # message, what leaves for a 1.6 CSMS
    ("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"}),
    ("Heartbeat", {}),
    ("StatusNotification", status("Available")),
    ("DiagnosticsStatusNotification", {"status": "Idle"}),
    ("FirmwareStatusNotification", {"status": "Idle"}),
]


@pytest.mark.parametrize(("message", "payload"), TRIGGERS, ids=[row[0] for row in TRIGGERS])
def test_a_trigger_is_served_from_memory(message: str, payload: Any) -> None:
    s = Saying("1.5", "1.6")
    s.charger("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
    s.charger("StatusNotification", status("Available"))
    left = s.csms("TriggerMessage", {"requestedMessage": message})
    assert answer(left, "csms") == {"status": "Accepted"}
    assert (left[0].kind, calls(left, "charger"), calls(left, "csms")) == (3, [], [(message, payload)])


def test_fresh_meter_values_are_told_again_and_old_ones_are_not() -> None:
    s = Saying("1.5", "1.6")
    assert answer(s.csms("TriggerMessage", {"requestedMessage": "MeterValues"}), "csms") == {"status": "Rejected"}
    entry = {"timestamp": AT, "values": [{"value": "12", "unit": "Wh"}]}
    s.charger("MeterValues", {"connectorId": 1, "values": [entry]})
    left = s.csms("TriggerMessage", {"requestedMessage": "MeterValues", "connectorId": 1})
    assert answer(left, "csms") == {"status": "Accepted"}
    [told] = calls(left, "csms", "MeterValues")
    assert told["meterValue"][0]["sampledValue"] == [{"value": "12", "unit": "Wh", "context": "Trigger"}]
    s.control("tick", 3600)
    assert answer(s.csms("TriggerMessage", {"requestedMessage": "MeterValues"}), "csms") == {"status": "Rejected"}


def test_a_charger_that_was_told_rejected_takes_no_commands() -> None:
    s = Saying("1.5", "1.6", registered=False)
    s.answers["csms", "BootNotification"] = {"currentTime": AT, "interval": 60, "status": "Pending"}
    s.charger("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
    assert s.csms("ClearCache", {}) == []
    left = s.control("tick", 21)
    assert (answer(left, "csms"), calls(left, "charger")) == ("GenericError", [])


def test_a_silent_charger_of_1_5() -> None:
    s = Saying("1.5", "2.0.1")
    s.answers["charger", "ClearCache"] = SILENT
    assert calls(s.csms("ClearCache", {}), "charger") == [("ClearCache", {})]
    assert answer(s.control("tick", 120), "csms") == "GenericError"


@pytest.mark.parametrize("csms", ["1.6", "2.0.1"])
def test_a_charger_that_never_booted_is_introduced_once(csms: Any) -> None:
    s = Saying("1.5", csms, registered=False)
    left = s.charger("Heartbeat", {})
    assert [action for action, _ in calls(left, "csms")] == ["BootNotification", "Heartbeat"]
    assert calls(left, "charger") == []
    assert [action for action, _ in calls(s.charger("Heartbeat", {}), "csms")] == ["Heartbeat"]
