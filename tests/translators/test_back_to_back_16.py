"""Two gateways between a 1.6 charger and a 1.6 CSMS, 2.0.1 between them: with `carry_lossy: customData` the CSMS hears what the
charger has said, and the charger what the CSMS has (spec 10). Every frame is validated."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from tests.translators.gateways import Gateways
from translators.models import v16

WAYS = (("ocpp1.6", "ocpp2.0.1"), ("ocpp2.0.1", "ocpp1.6"))
AT = "2025-03-01T10:{:02}:00.000Z"
WHEN = "2025-03-01T10:00:00Z"
ACCEPTED = {"idTagInfo": {"status": "Accepted"}}
ANSWERS: dict[str, Any] = {
    "BootNotification": {"status": "Accepted", "currentTime": "2025-03-01T10:00:00Z", "interval": 300},
    "StartTransaction": {"transactionId": 77, **ACCEPTED},
    "Authorize": ACCEPTED,
    "Heartbeat": {"currentTime": "2025-03-01T10:00:00Z"},
}
BOOT = {"chargePointVendor": "v", "chargePointModel": "m"}
TEMPERATURE = {"value": "21.50", "measurand": "Temperature", "unit": "Celcius"}
RPM = {"value": "900", "measurand": "RPM"}
VOLTS = {"value": "230.1", "measurand": "Voltage", "unit": "V", "phase": "L1"}
SIGNED = {"value": "OCMF|{}|{}", "format": "SignedData", "context": "Transaction.Begin"}


class Station(Gateways):
    """A booted charger."""

    def __init__(self, carry: str = "customData", **options: Any) -> None:
        super().__init__(*WAYS, carry=carry, **options)
        self.tells("BootNotification", BOOT)

    def tells(self, action: str, payload: dict[str, Any]) -> list[tuple[str, Any]]:
        """The charger says something; what the CSMS hears of it."""
        assert isinstance(self.says("charger", action, payload, ANSWERS), dict), self.answer
        return self.said()

    def whole(self, action: str, payload: dict[str, Any], **instead: Any) -> None:
        """The CSMS hears the very same, but for `instead`."""
        assert self.tells(action, payload) == [(action, payload | instead)]

    def starts(self) -> int:
        """A transaction on connector 1; the charger's number of it."""
        self.whole("StartTransaction", {"connectorId": 1, "idTag": "ABC", "meterStart": 10, "timestamp": AT.format(1)})
        number: int = self.answer["transactionId"]
        return number


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"meterType": "EM340", "meterSerialNumber": "M-77"},
        {"chargePointSerialNumber": "P", "chargeBoxSerialNumber": "B"},
        {"chargePointSerialNumber": "same", "chargeBoxSerialNumber": "same"},
        {"chargePointSerialNumber": "P"},
        {"chargeBoxSerialNumber": "B", "iccid": "1", "imsi": "2", "firmwareVersion": "3"},
    ],
)
def test_a_boot(more: dict[str, Any]) -> None:
    Station().whole("BootNotification", BOOT | more)


@pytest.mark.parametrize("status", get_args(v16.ChargePointStatus))
def test_every_status(status: str) -> None:
    station = Station()
    payload = {"connectorId": 1, "status": status, "errorCode": "NoError", "timestamp": AT.format(1)}
    station.whole("StatusNotification", payload)
    station.whole("StatusNotification", payload | {"info": "as before"})
    assert not station.losses


@pytest.mark.parametrize("code", get_args(v16.ChargePointErrorCode))
@pytest.mark.parametrize("connector", [0, 1])
def test_every_error_with_the_words_that_come_along(code: str, connector: int) -> None:
    station = Station()
    status = {"connectorId": connector, "status": "Faulted", "errorCode": code, "timestamp": AT.format(1)}
    station.whole("StatusNotification", status | {"info": "i", "vendorId": "org.x", "vendorErrorCode": "E-1"})
    station.whole("StatusNotification", {"connectorId": connector, "status": "Available", "errorCode": "NoError",
                                         "timestamp": AT.format(2)})  # fmt: skip


def test_a_status_that_was_kept_while_the_csms_was_away_is_told_in_its_own_words() -> None:
    station = Station()
    payload = {"connectorId": 1, "status": "Preparing", "errorCode": "NoError", "timestamp": AT.format(1), "info": "i"}
    station.says("charger", "StatusNotification", payload, ANSWERS, early=True)
    assert station.said() == [("StatusNotification", payload)] and station.answer is None


def test_a_session() -> None:
    station = Station()
    status = {"connectorId": 1, "errorCode": "NoError"}
    station.whole("StatusNotification", status | {"status": "Preparing", "timestamp": AT.format(1)})
    station.whole("Authorize", {"idTag": "ABC"})
    number = station.starts()
    station.whole("StatusNotification", status | {"status": "Charging", "timestamp": AT.format(2)})
    values = [{"timestamp": AT.format(3), "sampledValue": [TEMPERATURE, VOLTS, RPM]}]
    station.whole("MeterValues", {"connectorId": 1, "transactionId": number, "meterValue": values}, transactionId=77)
    station.whole("StatusNotification", status | {"status": "SuspendedEVSE", "timestamp": AT.format(4)})
    stop = {
        "transactionId": number,
        "idTag": "ABC",
        "meterStop": 2500,
        "timestamp": AT.format(5),
        "reason": "SoftReset",
    }
    station.whole("StopTransaction", stop, transactionId=77)
    station.whole("StatusNotification", status | {"status": "Finishing", "timestamp": AT.format(6)})
    station.whole("StatusNotification", status | {"status": "Available", "timestamp": AT.format(7)})


@pytest.mark.parametrize("reason", get_args(v16.Reason))
@pytest.mark.parametrize("tag", [{}, {"idTag": "ABC"}])
def test_every_reason_with_and_without_an_id_tag(reason: str, tag: dict[str, str]) -> None:
    station = Station()
    number = station.starts()
    data = [
        {"timestamp": AT.format(5), "sampledValue": [VOLTS]},
        {"timestamp": AT.format(6), "sampledValue": [VOLTS, RPM]},
    ]
    stop = {"transactionId": number, "meterStop": 2500, "timestamp": AT.format(6), "reason": reason, **tag}
    station.whole("StopTransaction", stop | {"transactionData": data}, transactionId=77)
    assert "reason" not in station.losses and "idTag" not in station.losses


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize(
    "samples",
    [[VOLTS, TEMPERATURE], [TEMPERATURE, VOLTS, RPM], [RPM, VOLTS, RPM, VOLTS], [VOLTS, SIGNED], [VOLTS]],
    ids=["last", "around", "twice", "signed", "none"],
)
def test_samples_that_2_0_1_lacks(samples: list[Any], running: bool) -> None:
    station = Station()
    tx = {"transactionId": station.starts()} if running else {}
    payload = {"connectorId": 1, "meterValue": [{"timestamp": AT.format(3), "sampledValue": samples}]}
    station.whole("MeterValues", payload | tx, **({"transactionId": 77} if running else {}))
    assert not {"meterValue.sampledValue", "MeterValues"} & station.losses


def test_a_meter_value_without_any_sample_that_2_0_1_has_is_named_as_lost() -> None:
    station = Station()
    values = [{"timestamp": AT.format(3), "sampledValue": [TEMPERATURE]}]
    assert station.tells("MeterValues", {"connectorId": 1, "meterValue": values}) == []
    assert "meterValue" in station.losses


def test_without_carrying_they_are_lost() -> None:
    station = Station("off")
    payload = {"connectorId": 1, "status": "Charging", "errorCode": "NoError", "timestamp": AT.format(1), "info": "i"}
    assert station.tells("StatusNotification", payload)[0][1] == {
        "connectorId": 1, "status": "Preparing", "errorCode": "NoError", "timestamp": AT.format(1)}  # fmt: skip
    assert {"status", "info"} <= station.losses


@pytest.mark.parametrize("custom", [{}, {"status": 5, "info": [], "errorCode": "Nonsense"}, {"status": "Sleeping"}])
def test_customdata_that_nobody_can_read_is_not_believed(custom: dict[str, Any]) -> None:
    station = Gateways(WAYS[1], carry="customData")
    ours = {"vendorId": "org.example.gateway", **custom}
    status = {"timestamp": AT.format(1), "connectorStatus": "Occupied", "evseId": 1, "connectorId": 1}
    assert station.says("charger", "StatusNotification", status | {"customData": ours}) == {}
    told = {"connectorId": 1, "status": "Preparing", "errorCode": "NoError", "timestamp": AT.format(1)}
    assert station.said() == [("StatusNotification", told)]
    value = {"timestamp": AT.format(1), "sampledValue": [{"value": 1, "customData": ours | {"sample": {"value": 3}}}]}
    broken = [value | {"customData": ours | {"samples": ["x", {"measurand": "RPM"}], "at": "y"}}]
    station.says("charger", "MeterValues", {"evseId": 1, "meterValue": broken})
    assert station.said()[0][1]["meterValue"] == [{"timestamp": AT.format(1), "sampledValue": [{"value": "1"}]}]


def test_customdata_of_others_is_lost_and_said_so() -> None:
    station = Gateways(WAYS[1], carry="customData")
    status = {"timestamp": AT.format(1), "connectorStatus": "Occupied", "evseId": 1, "connectorId": 1}
    station.says("charger", "StatusNotification", status | {"customData": {"vendorId": "x", "status": "Charging"}})
    assert station.said()[0][1]["status"] == "Preparing" and "customData" in station.losses


PROFILE = {
    "chargingProfileId": 3, "stackLevel": 1, "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Absolute",
    "chargingSchedule": {"chargingRateUnit": "A", "startSchedule": AT.format(0),
                         "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16, "numberPhases": 3}]},
}  # fmt: skip
COMMANDS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("CancelReservation", {"reservationId": 4}, {"status": "Rejected"}),
    ("ChangeAvailability", {"connectorId": 0, "type": "Inoperative"}, {"status": "Scheduled"}),
    ("ChangeAvailability", {"connectorId": 2, "type": "Operative"}, {"status": "Accepted"}),
    ("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "60"}, {"status": "RebootRequired"}),
    ("ClearCache", {}, {"status": "Accepted"}),
    ("ClearChargingProfile", {"id": 3}, {"status": "Unknown"}),
    ("ClearChargingProfile", {"connectorId": 1, "chargingProfilePurpose": "TxProfile", "stackLevel": 0},
     {"status": "Accepted"}),
    ("DataTransfer", {"vendorId": "org.x", "messageId": "m", "data": "{\"a\":1}"}, {"status": "Accepted", "data": "ok"}),
    ("GetCompositeSchedule", {"connectorId": 1, "duration": 60, "chargingRateUnit": "W"}, {"status": "Rejected"}),
    ("GetConfiguration", {"key": ["HeartbeatInterval"]},
     {"configurationKey": [{"key": "HeartbeatInterval", "readonly": False, "value": "60"}]}),
    ("GetDiagnostics", {"location": "ftp://x/y", "startTime": AT.format(0), "retries": 2}, {"fileName": "log.txt"}),
    ("GetLocalListVersion", {}, {"listVersion": 5}),
    ("RemoteStartTransaction", {"idTag": "ABC", "connectorId": 1}, {"status": "Accepted"}),
    ("ReserveNow", {"connectorId": 1, "expiryDate": WHEN, "idTag": "ABC", "parentIdTag": "P", "reservationId": 4},
     {"status": "Occupied"}),
    ("Reset", {"type": "Hard"}, {"status": "Accepted"}),
    ("Reset", {"type": "Soft"}, {"status": "Rejected"}),
    ("SendLocalList", {"listVersion": 2, "updateType": "Full", "localAuthorizationList": [
        {"idTag": "ABC", "idTagInfo": {"status": "Blocked"}}]}, {"status": "VersionMismatch"}),
    ("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": PROFILE}, {"status": "Accepted"}),
    ("TriggerMessage", {"requestedMessage": "Heartbeat"}, {"status": "Accepted"}),
    ("TriggerMessage", {"requestedMessage": "StatusNotification", "connectorId": 2}, {"status": "NotImplemented"}),
    ("UnlockConnector", {"connectorId": 2}, {"status": "UnlockFailed"}),
    ("UpdateFirmware", {"location": "http://x/y", "retrieveDate": WHEN}, {}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("action", "request_", "reply"), COMMANDS, ids=lambda each: each if isinstance(each, str) else ""
)
def test_commands_the_other_way(action: str, request_: dict[str, Any], reply: dict[str, Any]) -> None:
    station = Station()
    answer = station.says("csms", action, request_, lambda side, each, _: reply if each == action else {})
    mine = [payload for side, each, payload in station.heard if side == "charger" and each == action]
    assert mine == [request_] and answer == reply, (mine, answer)


def test_a_remote_stop_means_the_charger_s_number() -> None:
    station = Station()
    number = station.starts()
    stop = {"RemoteStopTransaction": {"status": "Accepted"}}
    assert station.says("csms", "RemoteStopTransaction", {"transactionId": 77}, stop) == {"status": "Accepted"}
    assert station.said() == [("RemoteStopTransaction", {"transactionId": number})]
