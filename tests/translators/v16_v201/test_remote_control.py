"""Remote start and stop, and triggers, to a 1.6 charger."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.translators.saying import SILENT, Saying, answer, calls
from translators.enums import PNC_VENDOR
from translators.facts import Job, Key

from .conversation import AT, start
from .station import NOW, Station, answered, rejected

START: dict[str, Any] = {"remoteStartId": 7, "idToken": {"idToken": "APP-1", "type": "Central"}}


def profile(**changes: Any) -> dict[str, Any]:
    schedule = {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.29}]}
    return {
        "id": 11,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": [schedule | changes.pop("schedule", {})],
    } | changes


def test_an_accepted_start_is_remembered_with_its_token() -> None:
    s = Station()
    left = s.csms("RequestStartTransaction", **START, evseId=2, groupIdToken={"idToken": "G", "type": "Central"})
    assert left == [("charger", "RemoteStartTransaction", {"connectorId": 2, "idTag": "APP-1"})]
    assert s.answers("charger", status="Accepted") == answered(status="Accepted")
    (pending,) = s.facts.remote_starts
    assert (pending.remote_start_id, pending.id_tag, pending.connector) == (7, "APP-1", 2)
    assert pending.token.type == "Central"
    assert pending.expires == NOW + 150_000
    assert s.lost() == {("idToken.type", "dropped"), ("groupIdToken", "dropped")}


def test_the_connection_timeout_of_the_charger_counts() -> None:
    s = Station()
    s.facts.keys["ConnectionTimeOut"] = Key(value="60", readonly=False)
    s.csms("RequestStartTransaction", **START)
    assert s.facts.remote_starts[0].expires == NOW + 90_000


@pytest.mark.parametrize("ending", ["rejected", "error", "silence"])
def test_a_failed_start_is_forgotten(ending: str) -> None:
    s = Station()
    left = s.csms("RequestStartTransaction", **START)
    assert left == [("charger", "RemoteStartTransaction", {"idTag": "APP-1"})]
    if ending == "rejected":
        assert s.answers("charger", status="Rejected") == answered(status="Rejected")
    elif ending == "error":
        assert s.refuses("charger", "InternalError") == [("csms", "InternalError", None)]
    else:
        assert s.silent("charger") == [("csms", "GenericError", None)]
    assert s.facts.remote_starts == []


def test_a_long_token_travels_under_an_alias() -> None:
    s = Station()
    token = {"idToken": "A" * 36, "type": "eMAID", "additionalInfo": [{"additionalIdToken": "x", "type": "y"}]}
    left = s.csms("RequestStartTransaction", remoteStartId=1, idToken=token)
    id_tag = left[0][2]["idTag"]
    assert len(id_tag) == 20
    assert s.facts.tokens[id_tag.casefold()].idToken == "A" * 36
    assert ("idToken.idToken", "folded") in s.lost()
    assert ("idToken.additionalInfo", "dropped") in s.lost()


def test_no_authorization_has_a_configured_tag() -> None:
    s = Station(no_auth_idtag="FREE")
    left = s.csms("RequestStartTransaction", remoteStartId=1, idToken={"idToken": "", "type": "NoAuthorization"})
    assert left[0][2] == {"idTag": "FREE"}


def test_a_profile_goes_along_rounded_down() -> None:
    s = Station()
    left = s.csms("RequestStartTransaction", **START, chargingProfile=profile())
    assert left[0][2]["chargingProfile"] == {
        "chargingProfileId": 11,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": {
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.2}],
        },
    }
    assert ("chargingProfile.chargingSchedule.id", "dropped") in s.lost()
    assert ("chargingProfile.chargingSchedule.chargingSchedulePeriod.limit", "shortened") in s.lost()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"chargingProfilePurpose": "TxDefaultProfile"}, "InvalidProfile"),
        ({"chargingProfilePurpose": "ChargingStationExternalConstraints"}, "InvalidProfile"),
        ({"chargingSchedule": profile()["chargingSchedule"] * 2}, "InvalidSchedule"),
        (
            {"schedule": {"chargingSchedulePeriod": [{"startPeriod": 0, "limit": 1, "phaseToUse": 1}]}},
            "UnsupportedParam",
        ),
    ],
)
def test_a_profile_that_16_cannot_express(changes: Any, reason: str) -> None:
    s = Station()
    assert s.csms("RequestStartTransaction", **START, chargingProfile=profile(**changes)) == rejected(reason)
    assert s.facts.remote_starts == []


def test_start_on_an_unknown_evse() -> None:
    assert Station().csms("RequestStartTransaction", **START, evseId=3) == rejected("UnknownEvse")


def test_while_pending_nothing_starts_or_stops() -> None:
    s = Station(registration="Pending")
    s.transaction()
    assert s.csms("RequestStartTransaction", **START) == rejected("CSNotAccepted")
    uuid = s.facts.transactions[0].uuid
    assert s.csms("RequestStopTransaction", transactionId=uuid) == rejected("CSNotAccepted")
    assert s.csms("ClearCache")[0][1] == "ClearCache"


def test_stop_by_the_chargers_number() -> None:
    """Not the id as text, and not the other transaction's (spec 15)."""
    s = Station()
    s.transaction(1)
    second = s.transaction(2)
    left = s.csms("RequestStopTransaction", transactionId=second.uuid)
    assert left == [("charger", "RemoteStopTransaction", {"transactionId": second.tid})]
    assert s.answers("charger", status="Rejected") == answered(status="Rejected")


@pytest.mark.parametrize("state", ["ended", None])
def test_stop_of_what_does_not_run(state: str | None) -> None:
    s = Station()
    uuid = s.transaction(state=state).uuid if state else "11111111-2222-4333-8444-555555555555"
    assert s.csms("RequestStopTransaction", transactionId=uuid) == rejected("UnknownTxId")


def test_stop_waits_until_the_charger_knows_its_number() -> None:
    s = Station()
    starting = s.transaction(state="starting", auth_status="")
    assert s.csms("RequestStopTransaction", transactionId=starting.uuid) == []
    assert s.after(5) == []
    starting.state = "open"
    assert s.after(0.1) == [("charger", "RemoteStopTransaction", {"transactionId": starting.tid})]


def test_stop_waits_ten_seconds_at_most() -> None:
    s = Station()
    starting = s.transaction(state="starting", auth_status="")
    s.csms("RequestStopTransaction", transactionId=starting.uuid)
    assert s.after(10) == rejected("UnknownTxId")


# Triggers


@pytest.mark.parametrize(
    ("message", "request_", "features"),
    [
        ("Heartbeat", ("TriggerMessage", "Heartbeat"), ()),
        ("MeterValues", ("TriggerMessage", "MeterValues"), ()),
        ("StatusNotification", ("TriggerMessage", "StatusNotification"), ()),
        ("FirmwareStatusNotification", ("TriggerMessage", "FirmwareStatusNotification"), ()),
        ("LogStatusNotification", ("TriggerMessage", "DiagnosticsStatusNotification"), ()),
        ("LogStatusNotification", ("ExtendedTriggerMessage", "LogStatusNotification"), ("security",)),
        ("SignChargingStationCertificate", ("ExtendedTriggerMessage", "SignChargePointCertificate"), ()),
    ],
)
@pytest.mark.parametrize("status", ["Accepted", "Rejected", "NotImplemented"])
def test_trigger(message: str, request_: tuple[str, str], features: Any, status: str) -> None:
    """Without an evse no connector goes out, least of all a null one (spec 15)."""
    s = Station(features=features)
    left = s.csms("TriggerMessage", requestedMessage=message)
    assert left == [("charger", request_[0], {"requestedMessage": request_[1]})]
    assert s.answers("charger", status=status) == answered(status=status)


def test_a_signed_update_reports_by_the_security_extension() -> None:
    s = Station()
    s.facts.firmware = Job(request_id=1, via="SignedUpdateFirmware")
    left = s.csms("TriggerMessage", requestedMessage="FirmwareStatusNotification")
    assert left[0][1:] == ("ExtendedTriggerMessage", {"requestedMessage": "FirmwareStatusNotification"})


@pytest.mark.parametrize(
    "message", ["SignV2GCertificate", "SignCombinedCertificate", "PublishFirmwareStatusNotification"]
)
def test_what_no_16_charger_sends(message: str) -> None:
    assert Station().csms("TriggerMessage", requestedMessage=message) == answered(status="NotImplemented")


def test_boot_is_not_triggered_again_once_accepted() -> None:
    boot = {"requestedMessage": "BootNotification"}
    assert Station().csms("TriggerMessage", **boot) == answered(status="Rejected")
    s = Station(registration="Pending")
    assert s.csms("TriggerMessage", **boot) == [("charger", "TriggerMessage", boot)]
    s.answers("charger", status="Accepted")
    assert s.facts.triggers == {"BootNotification:0": NOW + 60_000}


@pytest.mark.parametrize(
    ("trigger", "action", "payload"),
    [
        ("FirmwareStatusNotification", "FirmwareStatusNotification", {"status": "Idle"}),
        ("LogStatusNotification", "DiagnosticsStatusNotification", {"status": "Idle"}),
        ("SignChargingStationCertificate", "SignCertificate", {"csr": "x"}),
        ("Heartbeat", "Heartbeat", {}),
    ],
)
def test_what_a_pending_station_is_asked_for_passes(trigger: str, action: str, payload: Any) -> None:
    s = Station(registration="Pending")
    assert s.charger(action, **payload)[0][1] == "SecurityError"
    s.csms("TriggerMessage", requestedMessage=trigger)
    s.answers("charger", status="Accepted")
    assert [left[0] for left in s.charger(action, **payload)] == ["csms"]


def test_a_triggered_status_is_expected() -> None:
    s = Station()
    left = s.csms("TriggerMessage", requestedMessage="StatusNotification", evse={"id": 2, "connectorId": 1})
    assert left[0][2] == {"requestedMessage": "StatusNotification", "connectorId": 2}
    s.answers("charger", status="Accepted")
    assert list(s.facts.triggers) == ["StatusNotification:2"]
    s.csms("TriggerMessage", requestedMessage="StatusNotification")
    s.answers("charger", status="Accepted")
    assert set(s.facts.triggers) == {"StatusNotification:2", "StatusNotification:0"}


def test_triggered_meter_values_of_an_evse_with_two_connectors() -> None:
    s = Station(topology={"1": (1, 1), "2": (1, 2)})
    s.csms("TriggerMessage", requestedMessage="MeterValues", evse={"id": 1})
    assert s.answers("charger", status="Accepted")[0][2]["connectorId"] == 2
    assert s.answers("charger", status="Rejected") == answered(status="Rejected")
    assert list(s.facts.triggers) == ["MeterValues:1"]


def test_trigger_on_an_unknown_evse() -> None:
    left = Station().csms("TriggerMessage", requestedMessage="MeterValues", evse={"id": 7})
    assert left == rejected("UnknownEvse")


def test_v2g_certificate_over_the_pnc_tunnel() -> None:
    s = Station(features=("pnc",))
    left = s.csms("TriggerMessage", requestedMessage="SignV2GCertificate")
    assert left[0][2]["vendorId"] == PNC_VENDOR
    assert left[0][2]["messageId"] == "TriggerMessage"
    assert json.loads(left[0][2]["data"]) == {"requestedMessage": "SignV2GCertificate"}
    assert s.answers("charger", status="Accepted", data='{"status":"Accepted"}') == answered(status="Accepted")
    s.csms("TriggerMessage", requestedMessage="SignV2GCertificate")
    assert s.answers("charger", status="UnknownVendorId") == rejected("UnsupportedRequest")


def test_what_a_pending_station_is_asked_for_over_the_pnc_tunnel_passes() -> None:
    s = Station(registration="Pending", features=("pnc",))
    signed = json.dumps({"csr": "x", "certificateType": "V2GCertificate"})
    request = {"vendorId": PNC_VENDOR, "messageId": "SignCertificate", "data": signed}
    s.csms("TriggerMessage", requestedMessage="SignV2GCertificate")
    s.answers("charger", status="Accepted", data='{"status":"Rejected"}')
    assert s.charger("DataTransfer", **request)[0][1] == "SecurityError"
    s.csms("TriggerMessage", requestedMessage="SignV2GCertificate")
    s.answers("charger", status="Accepted", data='{"status":"Accepted"}')
    assert s.charger("DataTransfer", vendorId="com.acme")[0][1] == "SecurityError"
    assert s.charger("DataTransfer", **(request | {"messageId": "Authorize"}))[0][1] == "SecurityError"
    assert s.charger("DataTransfer", **request)[0][:2] == ("csms", "SignCertificate")


def test_transaction_event_by_meter_values() -> None:
    s = Station()
    s.transaction(2)
    left = s.csms("TriggerMessage", requestedMessage="TransactionEvent")
    assert left == [("charger", "TriggerMessage", {"requestedMessage": "MeterValues", "connectorId": 2})]
    assert s.answers("charger", status="Accepted") == answered(status="Accepted")
    assert list(s.facts.triggers) == ["TransactionEvent:2"]


def test_transaction_event_without_a_transaction() -> None:
    s = Station()
    assert s.csms("TriggerMessage", requestedMessage="TransactionEvent") == rejected("TxNotFound")
    s.transaction(1)
    left = s.csms("TriggerMessage", requestedMessage="TransactionEvent", evse={"id": 2})
    assert left == rejected("TxNotFound")


@pytest.mark.parametrize("refusal", ["Rejected", "NotImplemented", "error"])
def test_transaction_event_of_a_charger_without_triggers(refusal: str) -> None:
    s = Station()
    running = s.transaction(1, charging_state="Charging", register_wh="1500", next_seq=4)
    s.csms("TriggerMessage", requestedMessage="TransactionEvent", evse={"id": 1})
    if refusal == "error":
        left = s.refuses("charger", "NotSupported")
    else:
        left = s.answers("charger", status=refusal)
    assert left[0] == answered(status="Accepted")[0]
    to, action, event = left[1]
    assert (to, action) == ("csms", "TransactionEvent")
    assert (event["eventType"], event["triggerReason"], event["seqNo"]) == ("Updated", "Trigger", 4)
    assert event["transactionInfo"] == {"transactionId": running.uuid, "chargingState": "Charging"}
    assert event["meterValue"][0]["sampledValue"][0]["value"] == 1500
    assert running.next_seq == 5
    assert ("requestedMessage", "synthesised") in s.lost()


@pytest.mark.parametrize("ended", [False, True])
def test_a_transaction_whose_start_the_csms_has_not_acknowledged_runs_at_the_charger(ended: bool) -> None:
    s = Saying("1.6", "2.0.1")
    s.charger("Authorize", {"idTag": "ABC"})
    s.answers["csms", "TransactionEvent"] = SILENT
    s.charger("StartTransaction", start(tag="ABC"))
    tid = answer(s.control("tick", 26), "charger")["transactionId"]
    [event] = calls(s.heard, "csms", "TransactionEvent")
    uuid = event["transactionInfo"]["transactionId"]
    if ended:
        s.charger("StopTransaction", {"transactionId": tid, "meterStop": 2000, "timestamp": AT.format(9)})
    left = s.csms("RequestStopTransaction", {"transactionId": uuid})
    assert calls(left, "charger") == ([] if ended else [("RemoteStopTransaction", {"transactionId": tid})])
    assert answer(left, "csms")["status"] == ("Rejected" if ended else "Accepted")
    left = s.csms("UnlockConnector", {"evseId": 1, "connectorId": 1})
    assert answer(left, "csms")["status"] == ("Unlocked" if ended else "OngoingAuthorizedTransaction")


def test_a_trigger_for_the_station_is_served_by_each_connector_once() -> None:
    s = Saying("1.6", "2.0.1")
    status = {"errorCode": "NoError", "status": "Available", "timestamp": AT.format(1)}
    for connector in (0, 1, 2):
        s.charger("StatusNotification", {**status, "connectorId": connector})
    s.csms("TriggerMessage", {"requestedMessage": "StatusNotification"})
    for wanted in (1, 0):
        for connector in (0, 1, 2):
            left = s.charger("StatusNotification", {**status, "connectorId": connector})
            assert len(calls(left, "csms")) == wanted, connector


def test_meter_values_of_all_connectors_are_told_as_asked_for() -> None:
    s = Saying("1.6", "2.0.1")
    tid = answer(s.charger("StartTransaction", start()), "charger")["transactionId"]
    s.csms("TriggerMessage", {"requestedMessage": "MeterValues"})
    element = {"timestamp": AT.format(5), "sampledValue": [{"value": "1200"}]}
    for connector, more in ((0, {}), (1, {"transactionId": tid}), (2, {})):
        left = s.charger("MeterValues", {"connectorId": connector, "meterValue": [element], **more})
        assert [action for action, _ in calls(left, "csms")] == ["MeterValues"]
    left = s.charger("MeterValues", {"connectorId": 1, "transactionId": tid, "meterValue": [element]})
    assert [action for action, _ in calls(left, "csms")] == ["TransactionEvent"]
