"""Spec 2.13: why the gateway itself said no, or what it folded; and what a reason of the other side becomes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.translators.saying import Saying, answer, calls

SCHEDULE = {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16}]}
PROFILE = {
    "id": 1,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Absolute",
    "chargingSchedule": [{**SCHEDULE, "startSchedule": "2026-03-01T10:00:00Z"}],
}
TOKEN = {"idToken": "ABC", "type": "Central"}
CHAIN = {"certificateChain": "PEM", "certificateType": "V2GCertificate"}
LOG = {"remoteLocation": "ftp://example.org/x"}


def profile(**more: Any) -> dict[str, Any]:
    return {**PROFILE, **more}


REASONS: list[tuple[str, str, Any, str, str]] = [
    # reasonCode, action, payload, status, where in the answer ("": at the top)
    ("UnknownTxId", "RequestStopTransaction", {"transactionId": "nope"}, "Rejected", ""),
    (
        "TxNotFound",
        "SetChargingProfile",
        {"evseId": 1, "chargingProfile": profile(chargingProfilePurpose="TxProfile", transactionId="nope")},
        "Rejected",
        "",
    ),
    ("TxNotFound", "TriggerMessage", {"requestedMessage": "TransactionEvent"}, "Rejected", ""),
    ("UnknownEvse", "ChangeAvailability", {"operationalStatus": "Operative", "evse": {"id": 9}}, "Rejected", ""),
    (
        "UnknownEvse",
        "RequestStartTransaction",
        {"evseId": 9, "remoteStartId": 1, "idToken": TOKEN},
        "Rejected",
        "",
    ),
    (
        "UnknownConnectorId",
        "ChangeAvailability",
        {"operationalStatus": "Operative", "evse": {"id": 1, "connectorId": 2}},
        "Rejected",
        "",
    ),
    (
        "UnknownConnectorType",
        "ReserveNow",
        {"id": 1, "expiryDateTime": "2027-01-01T00:00:00Z", "idToken": TOKEN, "connectorType": "cCCS2"},
        "Rejected",
        "",
    ),
    ("UnsupportedRequest", "GetLog", {"logType": "SecurityLog", "requestId": 1, "log": LOG}, "Rejected", ""),
    (
        "UnsupportedRequest",
        "SetNetworkProfile",
        {
            "configurationSlot": 1,
            "connectionData": {
                "ocppVersion": "OCPP20",
                "ocppTransport": "JSON",
                "ocppCsmsUrl": "ws://x",
                "messageTimeout": 30,
                "securityProfile": 1,
                "ocppInterface": "Wired0",
            },
        },
        "Rejected",
        "",
    ),
    (
        "UnsupportedRequest",
        "SetDisplayMessage",
        {"message": {"id": 1, "priority": "AlwaysFront", "message": {"format": "UTF8", "content": "x"}}},
        "Rejected",
        "",
    ),
    ("UnsupportedRequest", "CertificateSigned", CHAIN, "Rejected", ""),
    (
        "UnsupportedRequest",
        "InstallCertificate",
        {"certificateType": "V2GRootCertificate", "certificate": "PEM"},
        "Rejected",
        "",
    ),
    ("UnsupportedParam", "Reset", {"type": "Immediate", "evseId": 1}, "Rejected", ""),
    (
        "UnsupportedParam",
        "UpdateFirmware",
        {
            "requestId": 1,
            "firmware": {
                "location": "ftp://example.org/x",
                "retrieveDateTime": "2026-03-01T10:00:00Z",
                "signature": "S",
                "signingCertificate": "C",
            },
        },
        "Rejected",
        "",
    ),
    (
        "UnsupportedParam",
        "SetChargingProfile",
        {
            "evseId": 1,
            "chargingProfile": profile(
                chargingSchedule=[
                    {
                        **SCHEDULE,
                        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16, "numberPhases": 1, "phaseToUse": 2}],
                    }
                ]
            ),
        },
        "Rejected",
        "",
    ),
    (
        "InvalidProfile",
        "SetChargingProfile",
        {"evseId": 0, "chargingProfile": profile(chargingProfilePurpose="ChargingStationExternalConstraints")},
        "Rejected",
        "",
    ),
    (
        "InvalidProfile",
        "RequestStartTransaction",
        {"evseId": 1, "remoteStartId": 1, "idToken": TOKEN, "chargingProfile": PROFILE},
        "Rejected",
        "",
    ),
    (
        "InvalidSchedule",
        "SetChargingProfile",
        {"evseId": 1, "chargingProfile": profile(chargingSchedule=[SCHEDULE, {**SCHEDULE, "id": 2}])},
        "Rejected",
        "",
    ),
    (
        "ReadOnly",
        "SetVariables",
        {
            "setVariableData": [
                {
                    "component": {"name": "SmartChargingCtrlr"},
                    "variable": {"name": "RateUnit"},
                    "attributeValue": "A",
                }
            ]
        },
        "Rejected",
        "setVariableResult",
    ),
    (
        "WriteOnly",
        "GetVariables",
        {"getVariableData": [{"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}]},
        "Rejected",
        "getVariableResult",
    ),
    (
        "NotEnabled",
        "SetVariables",
        {
            "setVariableData": [
                {
                    "component": {"name": "SecurityCtrlr"},
                    "variable": {"name": "BasicAuthPassword"},
                    "attributeValue": "0123456789abcdef",
                }
            ]
        },
        "Rejected",
        "setVariableResult",
    ),
    (
        "ValueOutOfRange",
        "SetVariables",
        {
            "setVariableData": [
                {
                    "component": {"name": "OCPP16LegacyCtrlr"},
                    "variable": {"name": "Key"},
                    "attributeValue": "x" * 501,
                }
            ]
        },
        "Rejected",
        "setVariableResult",
    ),
]


@pytest.mark.parametrize(
    ("reason", "action", "payload", "status", "part"), REASONS, ids=[f"{row[0]}-{row[1]}" for row in REASONS]
)
def test_the_gateway_says_why(reason: str, action: str, payload: Any, status: str, part: str) -> None:
    s = Saying("1.6", "2.0.1")
    left = s.csms(action, payload)
    told = answer(left, "csms")
    prefix = "attributeStatus" if part else "status"
    told = told[part][0] if part else told
    assert (told[prefix], told[f"{prefix}Info" if part else "statusInfo"]["reasonCode"]) == (status, reason)
    assert calls(left, "charger") == []


def test_a_list_that_needs_more_versions_than_there_are() -> None:
    s = Saying("1.6", "2.0.1")
    maximum = {"configurationKey": [{"key": "SendLocalListMaxLength", "readonly": True, "value": "1"}]}
    s.answers["charger", "GetConfiguration"] = maximum
    s.csms("GetBaseReport", {"requestId": 1, "reportBase": "FullInventory"})
    entries = [{"idToken": {"idToken": name, "type": "Central"}} for name in "ABC"]
    left = s.csms("SendLocalList", {"versionNumber": 2, "updateType": "Full", "localAuthorizationList": entries})
    assert answer(left, "csms") == {"status": "Failed", "statusInfo": {"reasonCode": "TooManyElements"}}


@pytest.mark.parametrize("action", ["RequestStartTransaction", "RequestStopTransaction"])
def test_a_station_that_is_pending_starts_and_stops_nothing(action: str) -> None:
    s = Saying("1.6", "2.0.1", registered=False)
    s.answers["csms", "BootNotification"] = {"currentTime": "2026-03-01T10:00:00Z", "interval": 9, "status": "Pending"}
    s.charger("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
    payload = {"remoteStartId": 1, "idToken": TOKEN} if "Start" in action else {"transactionId": "T"}
    left = s.csms(action, payload)
    assert answer(left, "csms") == {"status": "Rejected", "statusInfo": {"reasonCode": "CSNotAccepted"}}
    assert calls(left, "charger") == []


FOLDED: list[tuple[str, Any, str, Any, str]] = [
    # action, payload, the charger's answer, the answer's status
    ("UnlockConnector", {"evseId": 1, "connectorId": 1}, "UnlockConnector", "NotSupported", "UnlockFailed"),
    ("SendLocalList", {"versionNumber": 2, "updateType": "Full"}, "SendLocalList", "NotSupported", "Failed"),
    (
        "SetChargingProfile",
        {"evseId": 1, "chargingProfile": PROFILE},
        "SetChargingProfile",
        "NotSupported",
        "Rejected",
    ),
]


@pytest.mark.parametrize(("action", "payload", "asked", "status", "told"), FOLDED, ids=[row[0] for row in FOLDED])
def test_a_status_that_was_folded_says_why(action: str, payload: Any, asked: str, status: str, told: str) -> None:
    s = Saying("1.6", "2.0.1")
    s.answers["charger", asked] = {"status": status}
    left = s.csms(action, payload)
    assert answer(left, "csms") == {"status": told, "statusInfo": {"reasonCode": "UnsupportedRequest"}}


def test_a_reason_of_the_csms_is_dropped() -> None:
    s = Saying("1.6", "2.0.1", features=["security"])
    why = {"statusInfo": {"reasonCode": "NotEnabled", "additionalInfo": "later"}}
    s.answers["csms", "SignCertificate"] = {"status": "Rejected", **why}
    left = s.charger("SignCertificate", {"csr": "CSR"})
    assert answer(left, "charger") == {"status": "Rejected"}
    assert [loss for each in left for loss in each.losses] == [("statusInfo", "dropped")]


DROPPED: list[tuple[str, Any, str, Any, Any]] = [
    # 1.6 command, its payload, what is asked, the 2.0.1 answer, the 1.6 answer
    ("CancelReservation", {"reservationId": 1}, "CancelReservation", "Rejected", {"status": "Rejected"}),
    ("ClearCache", {}, "ClearCache", "Rejected", {"status": "Rejected"}),
    ("Reset", {"type": "Hard"}, "Reset", "Rejected", {"status": "Rejected"}),
    ("UnlockConnector", {"connectorId": 1}, "UnlockConnector", "UnlockFailed", {"status": "UnlockFailed"}),
    ("TriggerMessage", {"requestedMessage": "Heartbeat"}, "TriggerMessage", "Rejected", {"status": "Rejected"}),
    ("RemoteStartTransaction", {"idTag": "A"}, "RequestStartTransaction", "Rejected", {"status": "Rejected"}),
    ("ChangeAvailability", {"connectorId": 1, "type": "Operative"}, "ChangeAvailability", "Rejected", None),
]


@pytest.mark.parametrize(("action", "payload", "asked", "status", "told"), DROPPED, ids=[row[0] for row in DROPPED])
def test_a_reason_of_the_charger_is_dropped(action: str, payload: Any, asked: str, status: str, told: Any) -> None:
    s = Saying("2.0.1", "1.6")
    s.answers["charger", asked] = {"status": status, "statusInfo": {"reasonCode": "InternalError"}}
    left = s.csms(action, payload)
    assert answer(left, "csms") == (told or {"status": "Rejected"})
    assert ("statusInfo", "dropped") in left[-1].losses, json.dumps([each.losses for each in left])
