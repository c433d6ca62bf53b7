"""GetConfiguration and ChangeConfiguration over the device model, and how it is learned (spec 2.2, 3.12, 7.3, 7.8, 11)."""

from __future__ import annotations

from typing import Any

import pytest

from translators.config_keys import LEGACY, key_rows, short_key, spot_of

from .conversation import AT, World, event, reported, start, status_of, to_charger, to_csms

YES, NO = {"status": "Accepted"}, {"status": "Rejected"}


def place(component: str, variable: str, instance: str = "", evse: Any = None, of: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {"component": {"name": component}, "variable": {"name": variable}}
    if of:
        found["component"]["instance"] = of
    if evse:
        found["component"]["evse"] = evse
    if instance:
        found["variable"]["instance"] = instance
    return found


def getting(*places: dict[str, Any]) -> Any:
    return to_charger("GetVariables", {"getVariableData": [{**each, "attributeType": "Actual"} for each in places]})


def got(*values: tuple[dict[str, Any], str | None, str]) -> dict[str, Any]:
    results = []
    for where, value, status in values:
        result = {**where, "attributeStatus": status}
        if value is not None:
            result["attributeValue"] = value
        results.append(result)
    return {"getVariableResult": results}


def setting(*values: tuple[dict[str, Any], str]) -> Any:
    data = [{**where, "attributeType": "Actual", "attributeValue": value} for where, value in values]
    return to_charger("SetVariables", {"setVariableData": data})


def was_set(*values: tuple[dict[str, Any], str]) -> dict[str, Any]:
    return {"setVariableResult": [{**where, "attributeStatus": status} for where, status in values]}


def report(
    where: dict[str, Any], value: str | None = None, mutability: str = "ReadWrite", **traits: Any
) -> dict[str, Any]:
    attribute: dict[str, Any] = {"mutability": mutability}
    if value is not None:
        attribute["value"] = value
    found = {**where, "variableAttribute": [attribute]}
    if traits:
        found["variableCharacteristics"] = {"dataType": "string", "supportsMonitoring": False, **traits}
    return found


def reports(w: World, *data: dict[str, Any], request: Any = 99, seq: int = 0, **more: Any) -> None:
    about = {"requestId": request, "seqNo": seq, "generatedAt": AT.format(0), "reportData": list(data), **more}
    w.local("NotifyReport", about, {})


HEARTBEAT = place("OCPPCommCtrlr", "HeartbeatInterval")
SIMPLE = [
    row
    for row in key_rows()
    if row.role == "primary"
    and row.target == "Actual"
    and row.component != LEGACY
    and row.conversion in ("bool", "int", "int(min=1)", "natural", "identity", "csl", "dateTime")
    and row.key not in ("SecurityProfile", "ChargePointId")
    and "<" not in row.key
]


@pytest.mark.parametrize("row", [pytest.param(row, id=row.key) for row in SIMPLE])
def test_every_key_with_a_variable_of_its_own(row: Any) -> None:
    where = place(row.component, row.variable, row.variable_instance, of=row.component_instance)
    if row.scope != "station":
        pytest.skip("one variable per connector")
    w = World()
    w.obeys("GetConfiguration", {"key": [row.key]}, getting(where), got((where, "1", "Accepted")),
            {"configurationKey": [{"key": row.key, "readonly": row.mutability == "ReadOnly", "value": "1"}]})  # fmt: skip
    if row.mutability == "ReadOnly":
        w.decides("ChangeConfiguration", {"key": row.key, "value": "1"}, NO)
        return
    value = {"bool": "TRUE", "int": " +07.0", "natural": "07"}.get(row.conversion, "7")
    wanted = {"bool": "true"}.get(row.conversion, "7")
    w.obeys("ChangeConfiguration", {"key": row.key.upper(), "value": value}, setting((where, wanted)),
            was_set((where, "Accepted")), YES)  # fmt: skip


def test_conversions() -> None:
    rate = place("SmartChargingCtrlr", "RateUnit")
    sampled = place("SampledDataCtrlr", "TxUpdatedMeasurands")
    w = World()
    w.obeys("GetConfiguration", {"key": ["ChargingScheduleAllowedChargingRateUnit", "MeterValuesSampledData"]},
            getting(rate, sampled), got((rate, "W,A,x", "Accepted"), (sampled, "Voltage,Energy.Active.Net,SoC", "Accepted")),
            {"configurationKey": [
                {"key": "ChargingScheduleAllowedChargingRateUnit", "readonly": True, "value": "Power,Current,x"},
                {"key": "MeterValuesSampledData", "readonly": False, "value": "Voltage,SoC"}]})  # fmt: skip


def test_phases_of_measurands_come_back_as_they_were_written() -> None:
    sampled = place("SampledDataCtrlr", "TxUpdatedMeasurands")
    w = World()
    text = "Voltage.L1,Voltage.L2-N,Temperature,SoC"
    w.obeys("ChangeConfiguration", {"key": "MeterValuesSampledData", "value": text},
            setting((sampled, "Voltage,SoC")), was_set((sampled, "Accepted")), YES)  # fmt: skip
    w.obeys("GetConfiguration", {"key": ["MeterValuesSampledData"]}, getting(sampled),
            got((sampled, "Voltage,SoC,Power.Offered", "Accepted")),
            {"configurationKey": [{"key": "MeterValuesSampledData", "readonly": False,
                                   "value": "Voltage.L1,Voltage.L2-N,SoC,Power.Offered"}]})  # fmt: skip


def rotation(n: int) -> dict[str, Any]:
    return place("EVSE", "PhaseRotation", evse={"id": n}) if n else place("ChargingStation", "PhaseRotation")


def test_phase_rotation_is_one_key_of_several_variables() -> None:
    w = World()
    w.obeys("GetConfiguration", {"key": ["ConnectorPhaseRotation"]}, getting(rotation(0), rotation(1), rotation(2)),
            got((rotation(0), "RST", "Accepted"), (rotation(1), "", "Accepted"), (rotation(2), "Rxx", "Accepted")),
            {"configurationKey": [{"key": "ConnectorPhaseRotation", "readonly": False,
                                   "value": "0.RST,1.Unknown,2.NotApplicable"}]})  # fmt: skip
    w.obeys("ChangeConfiguration", {"key": "ConnectorPhaseRotation", "value": "0.RST,2.Unknown"},
            setting((rotation(0), "RST"), (rotation(2), "")),
            was_set((rotation(0), "Accepted"), (rotation(2), "RebootRequired")), {"status": "RebootRequired"})  # fmt: skip
    w.obeys("GetConfiguration", {"key": ["ConnectorPhaseRotation"]}, getting(rotation(0), rotation(1), rotation(2)),
            got(*((rotation(n), None, "UnknownVariable") for n in range(3))),
            {"configurationKey": [{"key": "ConnectorPhaseRotation", "readonly": True, "value": "1.Unknown,2.Unknown"}]})  # fmt: skip


def test_a_price_is_one_key_of_several_variables() -> None:
    text = place("TariffCostCtrlr", "TariffFallbackMessage")
    offline = place("TariffCostCtrlr", "TariffFallbackMessage", "Offline")
    kwh = place("TariffCostCtrlr", "OfflineChargingPrice", "kWhPrice")
    hour = place("TariffCostCtrlr", "OfflineChargingPrice", "hourPrice")
    w = World()
    price = {"$json": {"priceText": "0.15/kWh", "chargingPrice": {"kWhPrice": 0.15}}}
    w.obeys("ChangeConfiguration", {"key": "DefaultPrice", "value": price},
            setting((text, "0.15/kWh"), (kwh, "0.15")), was_set((text, "Accepted"), (kwh, "UnknownVariable")), YES)  # fmt: skip
    w.obeys("GetConfiguration", {"key": ["DefaultPrice"]}, getting(text, offline, kwh, hour),
            got((text, "a", "Accepted"), (offline, None, "UnknownVariable"), (kwh, "0.15", "Accepted"), (hour, "", "Accepted")),
            {"configurationKey": [{"key": "DefaultPrice", "readonly": False,
                                   "value": {"$json": {"priceText": "a", "chargingPrice": {"kWhPrice": 0.15}}}}]})  # fmt: skip
    nl = place("TariffCostCtrlr", "TariffFallbackMessage", "nl")
    w.commands("ChangeConfiguration", {"key": "DefaultPriceText,nl", "value": {"$json": {"priceText": "x"}}},
               setting((nl, "x")))  # fmt: skip


def test_evse_ids_are_one_per_connector() -> None:
    one, two = (place("EVSE", "ISO15118EvseId", evse={"id": number}) for number in (1, 2))
    w = World(topology={"1": [1, 1], "2": [1, 2], "3": [2, 1]})
    key = "ConnectorEvseIds"
    for values, told in ((("A", "B"), "A,A,B"), (("", "B"), ",,B")):
        w.obeys("GetConfiguration", {"key": [key]}, getting(one, two),
                got((one, values[0], "Accepted"), (two, values[1], "Accepted")),
                {"configurationKey": [{"key": key, "readonly": False, "value": told}]})  # fmt: skip
    w.obeys("GetConfiguration", {"key": [key]}, getting(one, two),
            got((one, None, "UnknownVariable"), (two, "B", "Accepted")),
            {"configurationKey": [{"key": key, "readonly": False, "value": ",,B"}]})  # fmt: skip
    w.obeys("ChangeConfiguration", {"key": key, "value": "A, A, C"}, setting((one, "A"), (two, "C")),
            was_set((one, "Accepted"), (two, "Accepted")), YES)  # fmt: skip


def test_meter_keys_are_numbered() -> None:
    where = place("FiscalMetering", "PublicKey", evse={"id": 2})
    w = World()
    w.obeys("GetConfiguration", {"key": ["MeterPublicKey2"]}, getting(where), got((where, "K", "Accepted")),
            {"configurationKey": [{"key": "MeterPublicKey2", "readonly": True, "value": "K"}]})  # fmt: skip
    w.decides("GetConfiguration", {"key": ["MeterPublicKey7"]}, {"unknownKey": ["MeterPublicKey7"]})


@pytest.mark.parametrize(
    ("status", "value", "entry"),
    [
        ("Accepted", "5", {"readonly": False, "value": "5"}), ("Accepted", "", {"readonly": False}),
        ("Accepted", None, {"readonly": False}), ("Rejected", None, {"readonly": False}),
        ("UnknownComponent", None, None), ("UnknownVariable", None, None), ("NotSupportedAttributeType", None, None),
    ],
)  # fmt: skip
def test_what_the_charger_says_of_a_variable(status: str, value: str | None, entry: Any) -> None:
    key = "HeartbeatInterval"
    answer = {"configurationKey": [{"key": key, **entry}]} if entry else {"unknownKey": [key]}
    World().obeys("GetConfiguration", {"key": [key]}, getting(HEARTBEAT), got((HEARTBEAT, value, status)), answer)


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("Accepted", "Accepted"), ("Rejected", "Rejected"), ("RebootRequired", "RebootRequired"),
        ("UnknownComponent", "NotSupported"), ("UnknownVariable", "NotSupported"),
        ("NotSupportedAttributeType", "NotSupported"),
    ],
)  # fmt: skip
def test_what_the_charger_says_of_a_write(status: str, told: str) -> None:
    World().obeys("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "60"}, setting((HEARTBEAT, "60")),
                  was_set((HEARTBEAT, status)), {"status": told})  # fmt: skip


def test_a_value_that_is_not_told_does_not_make_its_key_writable() -> None:
    where, key = place("SmartChargingCtrlr", "ProfileStackLevel"), "ChargeProfileMaxStackLevel"
    World().obeys("GetConfiguration", {"key": [key]}, getting(where), got((where, None, "Rejected")),
                  {"configurationKey": [{"key": key, "readonly": True}]})  # fmt: skip


def test_keys_of_the_gateway() -> None:
    w = World()
    for key in ("NumberOfConnectors", "SupportedFeatureProfiles", "GetConfigurationMaxKeys", "AuthorizationKey",
                "SecurityProfile", "ChargePointId"):  # fmt: skip
        w.decides("ChangeConfiguration", {"key": key, "value": "1"}, NO)
    w.decides("GetConfiguration", {"key": ["AuthorizationKey", "numberofconnectors", "NumberOfConnectors", "CentralSystemURI"]},
              {"configurationKey": [{"key": "AuthorizationKey", "readonly": False},
                                    {"key": "numberofconnectors", "readonly": True, "value": "2"}],
               "unknownKey": ["CentralSystemURI"]})  # fmt: skip


@pytest.mark.parametrize(
    "key",
    ["SecurityCtrlr.BasicAuthPassword", "securityctrlr.basicauthpassword", "SecurityCtrlr.Identity", "SecurityCtrlr.SecurityProfile",
     "NetworkConfiguration#1.OcppCsmsUrl", "NetworkConfiguration[1].BasicAuthPassword"],
)  # fmt: skip
def test_what_is_the_link_s_is_not_written_under_another_name(key: str) -> None:
    w = World()
    w.decides("ChangeConfiguration", {"key": key, "value": "1" * 20}, NO)
    if "assword" in key:
        w.decides("GetConfiguration", {"key": [key]}, {"configurationKey": [{"key": key, "readonly": False}]})


def test_values_are_cut() -> None:
    name = place("SecurityCtrlr", "OrganizationName")
    World().obeys("GetConfiguration", {"key": ["CpoName"]}, getting(name), got((name, "é" * 900, "Accepted")),
                  {"configurationKey": [{"key": "CpoName", "readonly": False, "value": "é" * 500}]})  # fmt: skip


def test_variables_by_their_names() -> None:
    w = World()
    for key, where in (
        ("OCPPCommCtrlr.OfflineThreshold", place("OCPPCommCtrlr", "OfflineThreshold")),
        (
            "OCPPCommCtrlr.MessageAttempts[TransactionEvent]",
            place("OCPPCommCtrlr", "MessageAttempts", "TransactionEvent"),
        ),
        (
            "OCPPCommCtrlr.MessageAttempts#TransactionEvent",
            place("OCPPCommCtrlr", "MessageAttempts", "TransactionEvent"),
        ),
        (
            "OCPPCommCtrlr.MessageAttempts.TransactionEvent",
            place("OCPPCommCtrlr", "MessageAttempts", "TransactionEvent"),
        ),
        ("Connector:1/2.AvailabilityState", place("Connector", "AvailabilityState", evse={"id": 1, "connectorId": 2})),
        ("NetworkConfiguration[1].OcppInterface", place("NetworkConfiguration", "OcppInterface", of="1")),
        ("A%2EB.C%23D", place("A.B", "C#D")),
    ):
        w.obeys("GetConfiguration", {"key": [key]}, getting(where), got((where, "v", "Accepted")),
                {"configurationKey": [{"key": key, "readonly": False, "value": "v"}]})  # fmt: skip
        w.obeys(
            "ChangeConfiguration", {"key": key, "value": "w"}, setting((where, "w")), was_set((where, "Accepted")), YES
        )
    power = {**place("EVSE", "Power", evse={"id": 1}), "attributeType": "MaxSet"}
    w.commands(
        "GetConfiguration", {"key": ["EVSE:1.Power@MaxSet"]}, to_charger("GetVariables", {"getVariableData": [power]})
    )


def test_flat_keys() -> None:
    long = "ISO15118Ctrlr.ContractCertificateInstallationEnabled"
    assert short_key(long) == "ISO15118Ctrlr.ContractCertificateInstall~2c9610e41"
    assert spot_of("NoDot") is None and spot_of("") is None
    for key in ("A.B", "A#i.B", "A:1.B#j", "A:1/2.B@Target", "A%2E%25.B"):
        spot = spot_of(key)
        assert spot is not None and spot.key == key


def test_a_key_that_was_shortened_is_found_again() -> None:
    where, key = (
        place("ISO15118Ctrlr", "ContractCertificateInstallationEnabled"),
        "ISO15118Ctrlr.ContractCertificateInstall~2c9610e41",
    )
    w = World()
    reports(w, report(where, "true"))
    w.obeys("GetConfiguration", {"key": [key]}, getting(where), got((where, "true", "Accepted")),
            {"configurationKey": [{"key": key, "readonly": False, "value": "true"}]})  # fmt: skip
    w.obeys("ChangeConfiguration", {"key": key, "value": "false"}, setting((where, "false")),
            was_set((where, "Accepted")), YES)  # fmt: skip


def test_a_vendor_s_key_may_look_like_a_variable() -> None:
    own, vendor = place(LEGACY, "ACME.Mode"), place("OCPP16VendorCtrlr", "ACME.Night=20Mode")
    w = World()
    reports(w, report(own, "1"), report(vendor, "2"))
    for key, where in (("ACME.Mode", own), ("ACME.Night Mode", vendor)):
        w.obeys("GetConfiguration", {"key": [key]}, getting(where), got((where, "3", "Accepted")),
                {"configurationKey": [{"key": key, "readonly": False, "value": "3"}]})  # fmt: skip


# Learning the device model

CONNECTORS = [place("Connector", "Available", evse={"id": e, "connectorId": c}) for e, c in ((2, 1), (1, 2), (1, 1))]
POINTS = [place("TxCtrlr", "TxStartPoint"), place("TxCtrlr", "TxStopPoint")]
MEASURED = [place("SampledDataCtrlr", "TxStartedMeasurands"), place("SampledDataCtrlr", "TxEndedMeasurands")]
BOOT = {"reason": "PowerUp", "chargingStation": {"vendorName": "V", "model": "M", "firmwareVersion": "1"}}
BOOTED = {"currentTime": "2026-03-01T12:00:00Z", "interval": 60, "status": "Accepted"}


def boots(w: World, *also: Any) -> None:
    w.says("BootNotification", BOOT, to_csms("BootNotification", "$any"))
    w.csms(BOOTED, w.answer(BOOTED), to_csms("StatusNotification", "$any"), *also)
    w.csms({})


ASKED = to_charger("GetBaseReport", {"requestId": "$int:report", "reportBase": "FullInventory"})


def test_after_its_boot_a_charger_is_read_and_provisioned() -> None:
    w = World(post_boot=True)
    boots(w, ASKED)
    w.charger(YES)
    reports(w, *(report(each, "true", "ReadOnly") for each in CONNECTORS), request="$int:report", tbc=True)
    reports(w, report(POINTS[0], "Authorized"), report(POINTS[1], "Authorized,EVConnected"),
            report(MEASURED[0], "Voltage"), request="$int:report", seq=1, tbc=True)  # fmt: skip
    last = w.count + 1
    about = {"requestId": "$int:report", "seqNo": 2, "generatedAt": AT.format(0), "reportData": [
        report(MEASURED[1], "", "ReadOnly"), report(place("X", "Y"), "1"), report(place("X", "Z"), "1", "ReadOnly"),
        report(HEARTBEAT, "60"), report(place("LocalAuthListCtrlr", "Entries"), "0", maxLimit=500.0),
        report(place("SampledDataCtrlr", "TxUpdatedMeasurands"), "", valuesList="Voltage,SoC"),
        report(place("LocalAuthListCtrlr", "Available"), "true", "ReadOnly"),
        report(place("ReservationCtrlr", "Available"), "false", "ReadOnly"),
        report(place("OCPPCommCtrlr", "FileTransferProtocols"), "FTP", "ReadOnly"),
        report(place("DeviceDataCtrlr", "ItemsPerMessage", "GetVariables"), "3", "ReadOnly")]}  # fmt: skip
    values = [(POINTS[0], "PowerPathClosed"), (MEASURED[0], "Energy.Active.Import.Register,Voltage")]
    w.says("NotifyReport", about, w.answer({}, last),
           to_charger("SetVariables", {"setVariableData": [{**x, "attributeValue": v} for x, v in values]}))  # fmt: skip
    w.charger(was_set(*((x, "Accepted") for x, _ in values)))
    assert w.facts.topology == {1: (1, 1), 2: (1, 2), 3: (2, 1)} and w.facts.model_read_at
    w.decides("GetConfiguration", {"key": ["NumberOfConnectors", "SupportedFeatureProfiles", "GetConfigurationMaxKeys",
                                           "LocalAuthListMaxLength", "MeterValuesSampledDataMaxLength", "SupportedMeasurands",
                                           "BlinkRepeat", "MaxChargingProfilesInstalled"]},
              {"configurationKey": [
                  {"key": "NumberOfConnectors", "readonly": True, "value": "3"},
                  {"key": "SupportedFeatureProfiles", "readonly": True,
                   "value": "Core,FirmwareManagement,LocalAuthListManagement,RemoteTrigger"},
                  {"key": "GetConfigurationMaxKeys", "readonly": True, "value": "3"},
                  {"key": "LocalAuthListMaxLength", "readonly": True, "value": "500"},
                  {"key": "MeterValuesSampledDataMaxLength", "readonly": True, "value": "2"},
                  {"key": "SupportedMeasurands", "readonly": True, "value": "Voltage,SoC"}],
               "unknownKey": ["BlinkRepeat", "MaxChargingProfilesInstalled"]})  # fmt: skip
    w.commands("GetConfiguration", {}, to_charger("GetVariables", "$any"))
    w.charger(got((HEARTBEAT, "60", "Accepted"), *(((HEARTBEAT), "", "Accepted") for _ in range(2))),
              to_charger("GetVariables", "$any"))  # fmt: skip
    boots(w)
    w.decides("ChangeConfiguration", {"key": "StopTxnSampledData", "value": "SoC"}, NO)


def test_a_charger_without_phase_rotation() -> None:
    w = World(post_boot=True)
    boots(w, ASKED)
    w.charger(YES)
    reports(w, report(HEARTBEAT, "60"), report(POINTS[0], "PowerPathClosed", "ReadOnly"), request="$int:report")
    key = "ConnectorPhaseRotation"
    unknown = {"key": key, "readonly": True, "value": "1.Unknown,2.Unknown"}
    w.decides("GetConfiguration", {"key": [key]}, {"configurationKey": [unknown]})
    w.decides("ChangeConfiguration", {"key": key, "value": "1.RST"}, NO)
    w.obeys("GetConfiguration", {}, getting(HEARTBEAT), got((HEARTBEAT, "60", "Accepted")),
            {"configurationKey": [{"key": "NumberOfConnectors", "readonly": True, "value": "2"},
                                  {"key": "SupportedFeatureProfiles", "readonly": True, "value": "Core,RemoteTrigger"},
                                  {"key": "GetConfigurationMaxKeys", "readonly": True, "value": "50"},
                                  unknown, {"key": "HeartbeatInterval", "readonly": False, "value": "60"}]})  # fmt: skip


def test_everything_that_was_reported_is_listed() -> None:
    w = World()
    reports(w, report(HEARTBEAT, "60"), report(place(LEGACY, "BlinkRepeat"), "1"), report(place(LEGACY, "Foo"), "1"),
            report(place("X", "Y"), "1"), report(place("X", "Z"), "1", "ReadOnly"))  # fmt: skip
    w.commands("GetConfiguration", {"key": []}, to_charger("GetVariables", "$any"))
    w.charger(got((place(LEGACY, "BlinkRepeat"), "2", "Accepted"), (HEARTBEAT, "60", "Accepted"), (HEARTBEAT, "3", "Accepted"),
                  (HEARTBEAT, "4", "Accepted")), ("csms", [3, "s2", {"configurationKey": "$any"}]))  # fmt: skip
    foo = place(LEGACY, "Foo")
    w.obeys("ChangeConfiguration", {"key": "Foo", "value": "9"}, setting((foo, "9")), was_set((foo, "Accepted")), YES)


def test_keys_are_listed_under_the_names_that_1_6_has_for_them() -> None:
    text = place("TariffCostCtrlr", "TariffFallbackMessage", "nl")
    offline = place("TariffCostCtrlr", "OfflineTariffFallbackMessage", "nl")
    own, fixed = place(LEGACY, "ACME.Mode"), place(LEGACY, "ACMESerial")
    vendor, flat = place("OCPP16VendorCtrlr", "Night=20Mode"), place("ACME", "Limit", "Day")
    w = World()
    reports(w, report(text, "x"), report(offline, "y"), report(own, "1"), report(fixed, "2", "ReadOnly"), report(vendor, "3"),
            report(flat, "4"), report(place(LEGACY, "NumberOfConnectors"), "2", "ReadOnly"),
            report(place(LEGACY, "SupportedFeatureProfiles"), "Core", "ReadOnly"))  # fmt: skip
    w.commands("GetConfiguration", {}, getting(text, offline, own, fixed, vendor, flat))
    values = zip((text, offline, own, fixed, vendor, flat), "xy1234", strict=True)
    rows = [("DefaultPriceText,nl", False, '{"priceText":"x","priceTextOffline":"y"}'), ("ACME.Mode", False, "1"),
            ("ACMESerial", True, "2"), ("Night Mode", False, "3"), ("ACME.Limit#Day", False, "4")]  # fmt: skip
    keys = ["NumberOfConnectors", "SupportedFeatureProfiles", "GetConfigurationMaxKeys"]
    w.charger(got(*((where, value, "Accepted") for where, value in values)),
              w.result({"configurationKey": [*({"key": key, "readonly": True, "value": "$any"} for key in keys),
                                             *({"key": k, "readonly": r, "value": v} for k, r, v in rows)]}))  # fmt: skip


def test_a_charger_that_reports_nothing_is_asked_for_four_variables() -> None:
    w = World(post_boot=True)
    boots(w, ASKED)
    w.charger({"status": "NotSupported"}, to_charger("GetVariables", {"getVariableData": [*POINTS, *MEASURED]}))
    w.charger(got((POINTS[0], "PowerPathClosed", "Accepted"), (POINTS[1], None, "UnknownVariable"),
                  (MEASURED[0], "Energy.Active.Import.Register", "Accepted"), (MEASURED[1], "SoC", "Accepted")),
              to_charger("SetVariables", {"setVariableData": [
                  {**MEASURED[1], "attributeValue": "Energy.Active.Import.Register,SoC"}]}))  # fmt: skip
    w.charger(was_set((MEASURED[1], "Rejected")))


def test_new_firmware_is_read_again() -> None:
    w = World(post_boot=True)
    boots(w, ASKED)
    w.charger(YES)
    reports(w, report(HEARTBEAT, "60"), request="$int:report")
    boots(w)
    BOOT["chargingStation"] = {**BOOT["chargingStation"], "firmwareVersion": "2"}  # type: ignore[dict-item]
    try:
        del w.play.bound["$int:report"]
        boots(w, ASKED)
    finally:
        BOOT["chargingStation"] = {"vendorName": "V", "model": "M", "firmwareVersion": "1"}


def test_numbers_that_were_shown_stay() -> None:
    w = World()
    w.status("Available", "Available", evse=2)
    w.passes("StatusNotification", reported("Available", 1, 0, 2), status_of(3, "Available"), {}, {})
    reports(w, *(report(each, "true", "ReadOnly") for each in CONNECTORS),
            report(place("Connector", "Available", evse={"id": 3, "connectorId": 1}), "true", "ReadOnly"))  # fmt: skip
    w.passes("StatusNotification", reported("Occupied", 3), status_of(4, "Preparing"), {}, {})
    w.status("Occupied", "Preparing", evse=2)
    started = event("Started", evse=1)
    started["evse"] = {"id": 1, "connectorId": 2}
    w.says("TransactionEvent", started, start(3))
