"""Boots, tags, statuses, faults, jobs and everything else that a 2.0.1 charger says (spec 2.3, 2.4, 2.6, 2.10, 2.12, 6)."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from tests.translators.saying import Saying, calls
from translators.enums import PNC_VENDOR as PNC
from translators.faults import FAULTS
from translators.models import v201

from .conversation import ACCEPTED, AT, OK, TAG, TOKEN, World, event, register, reported, status_of, to_charger, to_csms

BOOT = {"reason": "PowerUp", "chargingStation": {"vendorName": "V", "model": "M", "firmwareVersion": "1"}}
BOOTED = {"chargePointVendor": "V", "chargePointModel": "M", "firmwareVersion": "1"}
NO = {"reasonCode": "UnsupportedRequest"}
NOW = {"currentTime": "2026-03-01T12:00:00Z", "interval": 60}


def station(status: str = "Available", code: str = "NoError", **more: Any) -> Any:
    about = {"connectorId": 0, "errorCode": code, "status": status, "timestamp": "$now"}
    return to_csms("StatusNotification", {**about, **more})


# Boot


def test_a_pending_station_is_gated_and_takes_no_starts() -> None:
    w = World(registered=False)
    w.passes("BootNotification", BOOT, to_csms("BootNotification", BOOTED), {**NOW, "status": "Pending"},
             {**NOW, "status": "Pending"})  # fmt: skip
    w.says("Heartbeat", {}, w.error_next("SecurityError"))
    w.local("NotifyReport", {"requestId": 1, "seqNo": 0, "generatedAt": AT.format(0)}, {})
    w.decides("RemoteStartTransaction", {"idTag": TAG}, {"status": "Rejected"})
    w.decides("RemoteStopTransaction", {"transactionId": 1}, {"status": "Rejected"})
    w.obeys("TriggerMessage", {"requestedMessage": "MeterValues"},
            to_charger("TriggerMessage", {"requestedMessage": "MeterValues"}),
            {"status": "Accepted"}, {"status": "Accepted"})  # fmt: skip
    w.says("MeterValues", {"evseId": 0, "meterValue": register(1)}, to_csms("MeterValues", "$any"))


def test_what_a_pending_station_is_asked_for_over_the_pnc_tunnel_passes() -> None:
    s = Saying("2.0.1", "1.6", registered=False, features=["pnc"])
    s.answers["csms", "BootNotification"] = {**NOW, "status": "Pending"}
    s.charger("BootNotification", BOOT)
    signed = {"csr": "x", "certificateType": "V2GCertificate"}
    wanted = {"vendorId": PNC, "messageId": "TriggerMessage", "data": '{"requestedMessage":"SignV2GCertificate"}'}
    for status, passes in (("Rejected", 0), ("Accepted", 1)):
        s.answers["charger", "TriggerMessage"] = {"status": status}
        s.csms("DataTransfer", wanted)
        assert len(calls(s.charger("SignCertificate", signed), "csms", "DataTransfer")) == passes


def test_a_rejected_station_takes_no_commands() -> None:
    w = World(registered=False)
    w.passes("BootNotification", BOOT, to_csms("BootNotification", BOOTED), {**NOW, "status": "Rejected"},
             {**NOW, "status": "Rejected"})  # fmt: skip
    w.commands("ClearCache", {}, ("csms", [4, "s2", "SecurityError", "$any", {}]))
    w.says("StatusNotification", reported("Available"), w.error_next("SecurityError"))


def test_after_a_boot_every_status_is_news() -> None:
    w = World()
    w.status("Available", "Available")
    w.local("StatusNotification", reported("Available"), {})
    w.says("BootNotification", BOOT, to_csms("BootNotification", BOOTED))
    w.csms({**NOW, "status": "Accepted"}, w.answer({**NOW, "status": "Accepted"}), station())
    w.csms({})
    w.status("Available", "Available")


@pytest.mark.parametrize("evse", [None, 1, 2])
def test_a_boot_tells_of_the_meter_that_the_station_has_reported(evse: int | None) -> None:
    component: dict[str, Any] = {"name": "FiscalMetering"} | ({"evse": {"id": evse}} if evse else {})
    told = [
        {"component": component, "variable": {"name": name}, "variableAttribute": [{"value": value}]}
        for name, value in (("Model", "EM340"), ("SerialNumber", "7" * 30))
    ]
    w = World()
    w.local("NotifyReport", {"requestId": 1, "seqNo": 0, "generatedAt": AT.format(0), "reportData": told}, {})
    meter = {"meterType": "EM340", "meterSerialNumber": "7" * 25}
    w.says("BootNotification", BOOT, to_csms("BootNotification", {**BOOTED, **meter}))


def test_a_csms_that_forgot_the_station_is_told_again() -> None:
    w = World()
    w.says("BootNotification", BOOT, to_csms("BootNotification", BOOTED))
    w.csms({**NOW, "status": "Accepted"}, w.answer({**NOW, "status": "Accepted"}), station())
    w.csms({})
    w.says("Heartbeat", {}, to_csms("Heartbeat", {}))
    w.refused("csms", "SecurityError", to_csms("BootNotification", BOOTED))
    w.csms({**NOW, "status": "Accepted"}, to_csms("Heartbeat", {}))
    w.csms({"currentTime": "2026-03-01T12:00:00Z"}, w.answer({"currentTime": "2026-03-01T12:00:00Z"}))


def test_a_station_that_never_boots_is_introduced() -> None:
    w = World(registered=False)
    w.says("Heartbeat", {}, to_charger("TriggerMessage", {"requestedMessage": "BootNotification"}))
    unknown = {"chargePointVendor": "unknown", "chargePointModel": "unknown"}
    w.charger({"status": "Rejected"}, to_csms("BootNotification", unknown))
    w.csms({**NOW, "status": "Accepted"}, to_csms("Heartbeat", {}))
    w.csms({"currentTime": "2026-03-01T12:00:00Z"}, w.answer({"currentTime": "2026-03-01T12:00:00Z"}))


def test_a_station_that_was_introduced_is_read_like_one_that_booted() -> None:
    w = World(registered=False, post_boot=True)
    w.says("Heartbeat", {}, to_charger("TriggerMessage", {"requestedMessage": "BootNotification"}))
    w.charger({"status": "Rejected"}, to_csms("BootNotification", "$any"))
    w.csms({**NOW, "status": "Accepted"}, to_csms("Heartbeat", {}), station(),
           to_charger("GetBaseReport", {"requestId": "$int", "reportBase": "FullInventory"}))  # fmt: skip


# Tags


@pytest.mark.parametrize("kind", [each for each in get_args(v201.IdTokenKind) if each != "NoAuthorization"])
def test_every_kind_of_token_is_an_id_tag(kind: str) -> None:
    w = World()
    w.passes("Authorize", {"idToken": {"idToken": "AB12", "type": kind}}, to_csms("Authorize", {"idTag": "AB12"}), OK,
             ACCEPTED)  # fmt: skip


def test_a_long_token_maps_back() -> None:
    w = World()
    token = {"idToken": "1f0e3dad-9990-4345-b743-9f8ffabdffc4", "type": "Central"}
    alias = "X24RW5L5RARPC2UZIOOM"
    w.passes("Authorize", {"idToken": token}, to_csms("Authorize", {"idTag": alias}), OK, ACCEPTED)
    w.obeys("RemoteStartTransaction", {"idTag": alias.lower()},
            to_charger("RequestStartTransaction", {"remoteStartId": "$int", "idToken": token}),
            {"status": "Accepted"}, {"status": "Accepted"})  # fmt: skip


@pytest.mark.parametrize("status", ["Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"])
def test_authorization_statuses(status: str) -> None:
    w = World()
    info = {"status": status, "parentIdTag": "P", "expiryDate": "2026-05-01T00:00:00Z"}
    group = {"idToken": "P", "type": "Central"}
    answer = {"status": status, "groupIdToken": group, "cacheExpiryDateTime": "2026-05-01T00:00:00Z"}
    w.passes("Authorize", {"idToken": TOKEN}, to_csms("Authorize", {"idTag": TAG}), {"idTagInfo": info},
             {"idTokenInfo": answer})  # fmt: skip


def test_nobody_is_asked_about_a_button() -> None:
    World().local("Authorize", {"idToken": {"idToken": "", "type": "NoAuthorization"}}, ACCEPTED)


CONTRACT = {"idToken": {"idToken": "DE-ABC-1", "type": "eMAID"}, "certificate": "PEM"}


def test_a_contract_is_judged_by_plug_and_charge_or_not_at_all() -> None:
    refused = {"idTokenInfo": {"status": "Invalid"}, "certificateStatus": "NoCertificateAvailable"}
    World().local("Authorize", CONTRACT, refused)
    w = World(features=["pnc"])
    asked = to_csms("DataTransfer", {"vendorId": "org.openchargealliance.iso15118pnc", "messageId": "Authorize",
                                     "data": {"$json": CONTRACT}})  # fmt: skip
    good = {"idTokenInfo": {"status": "Accepted"}, "certificateStatus": "Accepted"}
    w.says("Authorize", CONTRACT, asked)
    w.csms({"status": "Accepted", "data": {"$json": good}}, w.answer(good))
    w.passes("Authorize", CONTRACT, asked, {"status": "UnknownVendorId"}, refused)


def test_the_verdict_on_a_contract_counts_for_the_start_that_is_held() -> None:
    w = World(features=["pnc"])
    w.says("Authorize", CONTRACT, to_csms("DataTransfer", "$any"))
    good = {"idTokenInfo": {"status": "Accepted"}, "certificateStatus": "Accepted"}
    w.csms({"status": "Accepted", "data": {"$json": good}}, w.answer(good))
    started = event("Started", state="Idle", idToken=CONTRACT["idToken"])
    w.local("TransactionEvent", started, ACCEPTED)
    revoked = {"idTokenInfo": {"status": "Accepted"}, "certificateStatus": "CertificateRevoked"}
    other = {"idToken": "DE-ABC-2", "type": "eMAID"}
    w.says("Authorize", {**CONTRACT, "idToken": other}, to_csms("DataTransfer", "$any"))
    w.csms({"status": "Accepted", "data": {"$json": revoked}}, w.answer(revoked))
    started = event("Started", state="Idle", txid="TX-2", idToken=other)
    w.says("TransactionEvent", started, to_csms("Authorize", {"idTag": "DE-ABC-2"}))


# Statuses and faults


@pytest.mark.parametrize(
    ("now", "told", "code"),
    [
        ("Available", "Available", "NoError"), ("Occupied", "Preparing", "NoError"),
        ("Reserved", "Reserved", "NoError"), ("Unavailable", "Unavailable", "NoError"),
        ("Faulted", "Faulted", "OtherError"),
    ],
)  # fmt: skip
def test_statuses(now: str, told: str, code: str) -> None:
    w = World()
    w.passes("StatusNotification", reported(now), status_of(1, told, code=code), {}, {})
    w.local("StatusNotification", reported(now, minute=1), {})


def test_a_status_that_was_asked_for_is_told_unchanged() -> None:
    w = World()
    w.status("Available", "Available")
    w.obeys("TriggerMessage", {"requestedMessage": "StatusNotification", "connectorId": 1},
            to_charger("TriggerMessage", {"requestedMessage": "StatusNotification",
                                          "evse": {"id": 1, "connectorId": 1}}),
            {"status": "Accepted"}, {"status": "Accepted"})  # fmt: skip
    w.status("Available", "Available")
    w.local("StatusNotification", reported("Available"), {})


def fault(
    component: str, variable: str, evse: Any = None, value: str = "true", trigger: str = "Alerting", **more: Any
) -> Any:
    about: dict[str, Any] = {"name": component}
    if evse:
        about["evse"] = evse
    data = {"eventId": 1, "timestamp": AT.format(5), "trigger": trigger, "actualValue": value, "component": about,
            "variable": {"name": variable}, "eventNotificationType": "HardWiredNotification", **more}  # fmt: skip
    return {"generatedAt": AT.format(5), "seqNo": 0, "eventData": [data]}


@pytest.mark.parametrize(
    "code", [each for each in FAULTS if each not in ("OverVoltage", "UnderVoltage", "ResetFailure")]
)
def test_each_error_code_has_its_component(code: Any) -> None:
    place = FAULTS[code]
    evse = {"station": None, "evse": {"id": 1}, "connector": {"id": 1, "connectorId": 1}}[place.tier]
    number = 1 if evse else 0
    w = World()
    w.passes("NotifyEvent", fault(place.component, place.variable, evse, techCode="E7", techInfo="hot"),
             status_of(number, "Available", 5, code, info="hot", vendorErrorCode="E7"), {}, {})  # fmt: skip


@pytest.mark.parametrize("code", list(FAULTS))
def test_an_error_code_as_tech_code_wins(code: str) -> None:
    w = World()
    w.passes("NotifyEvent", fault("Connector", "Problem", {"id": 2, "connectorId": 1}, techCode=code),
             status_of(2, "Available", 5, code, vendorErrorCode=code), {}, {})  # fmt: skip


@pytest.mark.parametrize(
    ("component", "variable", "hint", "code"),
    [
        ("EVSE", "ACVoltage", "upper limit", "OverVoltage"), ("EVSE", "ACVoltage", "below minimum", "UnderVoltage"),
        ("ElectricalFeed", "Problem", "", "OtherError"), ("EVSE", "Overload", "", "OverCurrentFailure"),
        ("EVRetentionLock", "Tripped", "", "ConnectorLockFailure"), ("ISO15118Ctrlr", "Problem", "", "EVCommunicationError"),
        ("GroundIsolationProtection", "Active", "", "GroundFailure"), ("ELVSupply", "Problem", "", "InternalError"),
        ("ControlMetering", "Problem", "", "PowerMeterFailure"), ("DataLink", "SignalStrength", "", "WeakSignal"),
        ("SomethingElse", "Fallback", "", "OtherError"),
    ],
)  # fmt: skip
def test_more_components(component: str, variable: str, hint: str, code: str) -> None:
    w = World()
    more = {"info": hint} if hint else {}
    w.passes("NotifyEvent", fault(component, variable, {"id": 1}, techInfo=hint) if hint else fault(component, variable, {"id": 1}),
             status_of(1, "Available", 5, code, **more), {}, {})  # fmt: skip


def test_an_error_stays_until_it_is_cleared() -> None:
    w = World()
    connector = {"id": 1, "connectorId": 1}
    w.passes("NotifyEvent", fault("PowerContactor", "Problem", connector),
             status_of(1, "Available", 5, "PowerSwitchFailure"), {}, {})  # fmt: skip
    w.passes(
        "StatusNotification", reported("Faulted", minute=6), status_of(1, "Faulted", 6, "PowerSwitchFailure"), {}, {}
    )
    w.passes("NotifyEvent", fault("RCD", "Tripped", connector), status_of(1, "Faulted", 5, "GroundFailure"), {}, {})
    w.passes("NotifyEvent", fault("RCD", "Tripped", connector, "false", cleared=True),
             status_of(1, "Faulted", 5, "PowerSwitchFailure"), {}, {})  # fmt: skip
    w.passes("NotifyEvent", fault("PowerContactor", "Problem", connector, "false", trigger="Delta"),
             status_of(1, "Faulted", 5), {}, {})  # fmt: skip
    w.passes("StatusNotification", reported("Available", minute=7), status_of(1, "Available", 7), {}, {})


def test_an_error_of_an_evse_is_over_at_the_connector_that_was_told_of_it() -> None:
    w = World(topology={"1": [1, 1], "2": [1, 2]})
    evse = {"id": 1}
    w.passes("NotifyEvent", fault("RCD", "Tripped", evse), status_of(1, "Available", 5, "GroundFailure"), {}, {})
    w.status("Occupied", "Preparing", connector=2)
    w.passes("NotifyEvent", fault("PowerContactor", "Problem", evse), status_of(2, "Preparing", 5, "PowerSwitchFailure"),
             {}, {})  # fmt: skip
    w.passes("NotifyEvent", fault("RCD", "Tripped", evse, "false", cleared=True), status_of(1, "Available", 5), {}, {})
    w.passes(
        "NotifyEvent", fault("PowerContactor", "Problem", evse, "false", "Delta"), status_of(2, "Preparing", 5), {}, {}
    )


def test_a_problem_of_the_station_is_a_fault_of_connector_0() -> None:
    w = World()
    w.passes("NotifyEvent", fault("ChargingStation", "Problem"), status_of(0, "Faulted", 5, "OtherError"), {}, {})
    w.passes("NotifyEvent", fault("ChargingStation", "Problem", value="false", cleared=True), status_of(0, "Available", 5),
             {}, {})  # fmt: skip


def test_a_voltage_of_the_station_is_no_fault_of_all_of_it_and_is_over_without_saying_which() -> None:
    w = World()
    w.passes("NotifyEvent", fault("ChargingStation", "ACVoltage", value="260", techInfo="upper limit"),
             status_of(0, "Available", 5, "OverVoltage", info="upper limit"), {}, {})  # fmt: skip
    w.passes("NotifyEvent", fault("ChargingStation", "ACVoltage", value="231", cleared=True),
             status_of(0, "Available", 5), {}, {})  # fmt: skip
    w.local("NotifyEvent", fault("ChargingStation", "ACVoltage", value="231", cleared=True), {})


def test_what_is_over_but_never_began_numbers_no_connector() -> None:
    w = World()
    w.local("NotifyEvent", fault("Foo", "Bar", {"id": 7, "connectorId": 2}, "false", "Delta", cleared=True), {})
    assert not w.facts.topology


def test_a_number_is_no_truth() -> None:
    w = World()
    for component, variable in (("TemperatureSensor", "Temperature"), ("DataLink", "SignalStrength")):
        w.local("NotifyEvent", fault(component, variable, {"id": 1}, "1", "Periodic"), {})
    w.passes("NotifyEvent", fault("EVSE", "DCVoltage", {"id": 1}, "0", techInfo="below minimum"),
             status_of(1, "Available", 5, "UnderVoltage", info="below minimum"), {}, {})  # fmt: skip
    w.local("NotifyEvent", fault("EVSE", "DCVoltage", {"id": 1}, "0", "Periodic"), {})


def test_availability_comes_as_an_event_too() -> None:
    w = World()
    evse = {"id": 2, "connectorId": 1}
    w.passes("NotifyEvent", fault("Connector", "AvailabilityState", evse, "Occupied", "Delta"),
             status_of(2, "Preparing", 5), {}, {})  # fmt: skip
    w.local("NotifyEvent", fault("Connector", "AvailabilityState", evse, "Occupied", "Delta"), {})


@pytest.mark.parametrize(
    "payload",
    [
        fault("EVSE", "Power", {"id": 1}, "7000", "Periodic"),
        fault("Foo", "Bar"),
        fault("RCD", "Problem", None, "x", "Delta"),
    ],
)
def test_other_events_are_acknowledged(payload: Any) -> None:
    World().local("NotifyEvent", payload, {})


def test_several_events_are_several_statuses() -> None:
    w = World()
    first, second = fault("RCD", "Tripped", {"id": 1}), fault("TokenReader", "Problem")
    first["eventData"] += second["eventData"]
    w.says("NotifyEvent", first, status_of(1, "Available", 5, "GroundFailure"))
    w.csms({}, w.answer({}), status_of(0, "Available", 5, "ReaderFailure"))
    w.csms({})


# Jobs


FIRMWARE = {
    "Downloading": "Downloading", "Downloaded": "Downloaded", "DownloadFailed": "DownloadFailed",
    "Installing": "Installing", "Installed": "Installed", "InstallationFailed": "InstallationFailed", "Idle": "Idle",
    "DownloadScheduled": None, "DownloadPaused": None, "SignatureVerified": None, "InstallScheduled": None,
    "InstallRebooting": "Installing", "InstallVerificationFailed": "InstallationFailed",
    "InvalidSignature": "InstallationFailed",
}  # fmt: skip


@pytest.mark.parametrize(("status", "told"), list(FIRMWARE.items()))
def test_firmware_statuses(status: str, told: str | None) -> None:
    w = World()
    if told is None:
        w.local("FirmwareStatusNotification", {"status": status, "requestId": 1}, {})
    else:
        w.passes("FirmwareStatusNotification", {"status": status, "requestId": 1},
                 to_csms("FirmwareStatusNotification", {"status": told}), {}, {})  # fmt: skip
    assert len(FIRMWARE) == len(get_args(v201.FirmwareStatus))


def test_a_reboot_while_installing_is_not_told_twice() -> None:
    w = World()
    w.obeys("UpdateFirmware", {"location": "http://x/y", "retrieveDate": AT.format(0)},
            to_charger("UpdateFirmware", {"requestId": "$int:rid", "firmware": {
                "location": "http://x/y", "retrieveDateTime": AT.format(0)}}), {"status": "Accepted"}, {})  # fmt: skip
    w.passes("FirmwareStatusNotification", {"status": "Installing", "requestId": "$int:rid"},
             to_csms("FirmwareStatusNotification", {"status": "Installing"}), {}, {})  # fmt: skip
    w.local("FirmwareStatusNotification", {"status": "InstallRebooting", "requestId": "$int:rid"}, {})


def test_a_reboot_in_an_update_that_nobody_asked_for_is_not_told_twice() -> None:
    w = World()
    w.passes("FirmwareStatusNotification", {"status": "Installing"},
             to_csms("FirmwareStatusNotification", {"status": "Installing"}), {}, {})  # fmt: skip
    w.local("FirmwareStatusNotification", {"status": "InstallRebooting"}, {})
    w.passes("FirmwareStatusNotification", {"status": "Installed"},
             to_csms("FirmwareStatusNotification", {"status": "Installed"}), {}, {})  # fmt: skip
    w.passes("FirmwareStatusNotification", {"status": "InstallRebooting"},
             to_csms("FirmwareStatusNotification", {"status": "Installing"}), {}, {})  # fmt: skip


def test_a_signed_update_has_every_word() -> None:
    w = World()
    firmware = {"location": "http://x/y", "retrieveDateTime": AT.format(0), "signingCertificate": "C", "signature": "S"}
    w.obeys("SignedUpdateFirmware", {"requestId": 9, "firmware": firmware},
            to_charger("UpdateFirmware", {"requestId": 9, "firmware": firmware}),
            {"status": "AcceptedCanceled"}, {"status": "AcceptedCanceled"})  # fmt: skip
    for status in FIRMWARE:
        about = {"status": status, "requestId": 9}
        w.passes("FirmwareStatusNotification", about, to_csms("SignedFirmwareStatusNotification", about), {}, {})


LOG = {
    "Idle": "Idle", "Uploading": "Uploading", "Uploaded": "Uploaded", "UploadFailure": "UploadFailed",
    "BadMessage": "UploadFailed", "NotSupportedOperation": "UploadFailed", "PermissionDenied": "UploadFailed",
    "AcceptedCanceled": None,
}  # fmt: skip


@pytest.mark.parametrize(("status", "told"), list(LOG.items()))
def test_log_statuses(status: str, told: str | None) -> None:
    w = World()
    about = {"status": status, "requestId": 3}
    if told is None:
        w.local("LogStatusNotification", about, {})
    else:
        w.passes("LogStatusNotification", about, to_csms("DiagnosticsStatusNotification", {"status": told}), {}, {})
    w.obeys("GetLog", {"logType": "SecurityLog", "requestId": 3, "log": {"remoteLocation": "x"}},
            to_charger("GetLog", {"logType": "SecurityLog", "requestId": 3, "log": {"remoteLocation": "x"}}),
            {"status": "Accepted"}, {"status": "Accepted"})  # fmt: skip
    if told is None:
        w.local("LogStatusNotification", about, {})
    else:
        w.passes("LogStatusNotification", about, to_csms("LogStatusNotification", about), {}, {})
    assert len(LOG) == len(get_args(v201.UploadLogStatus))


def test_every_upload_has_a_number_of_its_own() -> None:
    w = World()
    for number in (1, 2):
        w.obeys("GetDiagnostics", {"location": "ftp://x"},
                to_charger("GetLog", {"logType": "DiagnosticsLog", "requestId": f"$int:r{number}",
                                      "log": {"remoteLocation": "ftp://x"}}),
                {"status": "AcceptedCanceled", "filename": "f"}, {"fileName": "f"})  # fmt: skip
    assert w.play.bound["$int:r1"] < w.play.bound["$int:r2"]
    w.obeys("GetDiagnostics", {"location": "ftp://x"}, to_charger("GetLog", "$any"), {"status": "Rejected"}, {})


# Security and Plug & Charge


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("FailedToAuthenticateAtCsms", "FailedToAuthenticateAtCentralSystem"),
        ("CsmsFailedToAuthenticate", "CentralSystemFailedToAuthenticate"),
        ("InvalidCsmsCertificate", "InvalidCentralSystemCertificate"),
        ("InvalidChargingStationCertificate", "InvalidChargePointCertificate"),
        ("MaintenanceLoginAccepted", "MaintenanceLoginAccepted"),
        ("TamperDetectionActivated", "TamperDetectionActivated"),
        ("VendorThing", "VendorThing"),
    ],
)
def test_security_events(name: str, told: str) -> None:
    about = {"timestamp": AT.format(0), "techInfo": "why"}
    World().passes("SecurityEventNotification", {"type": name, **about},
                   to_csms("SecurityEventNotification", {"type": told, **about}), {}, {})  # fmt: skip


def test_a_csms_without_the_security_extension_is_asked_once() -> None:
    w = World()
    about = {"type": "X", "timestamp": AT.format(0)}
    w.says("SecurityEventNotification", about, to_csms("SecurityEventNotification", about))
    w.refused("csms", "NotSupported", w.answer({}))
    w.local("SecurityEventNotification", about, {})
    w.play.translator.connected(w.play.clock)
    w.passes("SecurityEventNotification", about, to_csms("SecurityEventNotification", about), {}, {})


def test_certificate_requests() -> None:
    w = World()
    w.passes("SignCertificate", {"csr": "CSR"}, to_csms("SignCertificate", {"csr": "CSR"}), {"status": "Accepted"},
             {"status": "Accepted"})  # fmt: skip
    w.says("SignCertificate", {"csr": "CSR"}, to_csms("SignCertificate", {"csr": "CSR"}))
    w.refused("csms", "NotImplemented", w.answer({"status": "Rejected", "statusInfo": NO}))
    w.local("SignCertificate", {"csr": "CSR", "certificateType": "V2GCertificate"},
            {"status": "Rejected", "statusInfo": NO})  # fmt: skip


def test_plug_and_charge_goes_through_its_tunnel() -> None:
    ocsp = {"hashAlgorithm": "SHA256", "issuerNameHash": "a", "issuerKeyHash": "b", "serialNumber": "c",
            "responderURL": "http://x"}  # fmt: skip
    for action, payload, answer in (
        ("SignCertificate", {"csr": "CSR", "certificateType": "V2GCertificate"}, {"status": "Accepted"}),
        ("GetCertificateStatus", {"ocspRequestData": ocsp}, {"status": "Accepted", "ocspResult": "x"}),
        ("Get15118EVCertificate", {"iso15118SchemaVersion": "s", "action": "Install", "exiRequest": "AA"},
         {"status": "Accepted", "exiResponse": "BB"}),
    ):  # fmt: skip
        w = World(features=["pnc"])
        tunnel = {"vendorId": "org.openchargealliance.iso15118pnc", "messageId": action, "data": {"$json": payload}}
        w.says(action, payload, to_csms("DataTransfer", tunnel))
        w.csms({"status": "Accepted", "data": {"$json": answer}}, w.answer(answer))


def test_data_transfer_is_a_string_in_1_6() -> None:
    w = World()
    for data, text in (("a", "a"), ({"x": [1]}, '{"x":[1]}'), (5, "5")):
        w.passes("DataTransfer", {"vendorId": "v", "messageId": "m", "data": data},
                 to_csms("DataTransfer", {"vendorId": "v", "messageId": "m", "data": text}),
                 {"status": "Accepted", "data": "ok"}, {"status": "Accepted", "data": "ok"})  # fmt: skip


def test_what_1_6_cannot_hear_goes_through_the_gateways_own_tunnel() -> None:
    w = World(carry_lossy="datatransfer", vendor_id="org.example")
    limit = {"chargingLimit": {"chargingLimitSource": "EMS"}}
    tunnel = {"vendorId": "org.example", "messageId": "NotifyChargingLimit", "data": {"$json": limit}}
    w.says("NotifyChargingLimit", limit, to_csms("DataTransfer", tunnel))
    w.csms({"status": "Accepted", "data": "{}"}, w.answer({}))
    w.says("NotifyChargingLimit", limit, to_csms("DataTransfer", tunnel))
    w.csms({"status": "UnknownVendorId"}, w.answer({}))
    w.local("NotifyChargingLimit", limit, {})


# Meter values outside transactions


def test_meter_values_from_before_the_start_do_not_belong_to_the_transaction() -> None:
    w = World()
    w.starts()
    values = register(10, minute=0) + register(20, minute=3)
    sample = {"context": "Sample.Periodic", "unit": "Wh"}
    w.says("MeterValues", {"evseId": 1, "meterValue": values}, to_csms("MeterValues", {
        "connectorId": 1, "meterValue": [{"timestamp": AT.format(0), "sampledValue": [{"value": "10", **sample}]}]}))  # fmt: skip
    w.csms({}, to_csms("MeterValues", {"connectorId": 1, "transactionId": 987, "meterValue": [
        {"timestamp": AT.format(3), "sampledValue": [{"value": "20", **sample}]}]}))  # fmt: skip
    w.csms({}, w.answer({}))


UNITS = [
    ("Voltage", "V", "V"), ("Current.Import", "A", "A"), ("Power.Active.Import", "kW", "kW"), ("SoC", "Percent", "Percent"),
    ("Power.Reactive.Import", "kvar", "kvar"), ("Energy.Reactive.Import.Register", "kvarh", "kvarh"),
    ("Frequency", "Hz", None), ("Power.Factor", "x", None), ("Power.Offered", "Celsius", "Celcius"),
    ("Power.Offered", "K", "K"), ("Power.Offered", "Fahrenheit", "Fahrenheit"), ("Power.Offered", "VA", "VA"),
]  # fmt: skip


@pytest.mark.parametrize(("measurand", "unit", "told"), UNITS)
def test_units(measurand: str, unit: str, told: str | None) -> None:
    sample = {"value": 1.50, "measurand": measurand, "unitOfMeasure": {"unit": unit}}
    want = {"value": "1.5", "measurand": measurand, **({"unit": told} if told else {})}
    World().passes("MeterValues", {"evseId": 2, "meterValue": [{"timestamp": AT.format(0), "sampledValue": [sample]}]},
                   to_csms("MeterValues", {"connectorId": 2, "meterValue": [
                       {"timestamp": AT.format(0), "sampledValue": [want]}]}), {}, {})  # fmt: skip


@pytest.mark.parametrize("measurand", get_args(v201.Measurand))
def test_measurands(measurand: str) -> None:
    payload = {"evseId": 1, "meterValue": [{"timestamp": AT.format(0), "sampledValue": [
        {"value": 1, "measurand": measurand}]}]}  # fmt: skip
    w = World()
    only_201 = measurand.endswith(".Net") or measurand.startswith("Energy.Apparent")
    if only_201:
        w.local("MeterValues", payload, {})
    else:
        w.says("MeterValues", payload, to_csms("MeterValues", "$any"))


def test_a_status_of_no_connector_is_acknowledged() -> None:
    World().local("StatusNotification", reported("Available", evse=0), {})


def test_losses_are_named() -> None:
    w = World()
    started = event("Started", evse=1, offline=True, cableMaxCurrent=32, numberOfPhasesUsed=3)
    w.says("TransactionEvent", started, to_csms("StartTransaction", "$any"))
    named = {(loss.field, loss.kind) for loss in w.play.losses}
    assert named >= {
        ("offline", "dropped"),
        ("cableMaxCurrent", "dropped"),
        ("numberOfPhasesUsed", "dropped"),
        ("seqNo", "dropped"),
        ("triggerReason", "dropped"),
        ("transactionInfo.chargingState", "folded"),
        ("idToken.type", "dropped"),
    }


def test_a_fault_that_was_not_there_is_not_over() -> None:
    s = Saying("2.0.1", "1.6")
    about = {
        "eventId": 1,
        "timestamp": AT.format(1),
        "trigger": "Delta",
        "actualValue": "false",
        "eventNotificationType": "HardWiredNotification",
        "component": {"name": "PowerContactor", "evse": {"id": 1}},
        "variable": {"name": "Tripped"},
    }
    event = {"generatedAt": AT.format(1), "seqNo": 0, "eventData": [about]}
    assert calls(s.charger("NotifyEvent", event), "csms") == []
    s.charger("NotifyEvent", {**event, "eventData": [{**about, "actualValue": "true"}]})
    [told] = calls(s.charger("NotifyEvent", event), "csms", "StatusNotification")
    assert told["errorCode"] == "NoError"
