"""Spec 11 row by row: a configuration key of 1.6 and its variable of 2.0.1, read and written, both ways."""

from __future__ import annotations

from typing import Any

import pytest

from tests.translators.saying import Saying, answer, calls

REGISTER = "Energy.Active.Import.Register"
BOTH = "ReadWrite"
RO = "ReadOnly"

ROWS: list[tuple[str, str, str, str, str, str, str]] = [
    # 1.6 key, component, variable, instance of the variable, value of 1.6, value of 2.0.1, whether it may be written
    ("AllowOfflineTxForUnknownId", "AuthCtrlr", "OfflineTxForUnknownIdEnabled", "", "true", "true", BOTH),
    ("AuthorizationCacheEnabled", "AuthCacheCtrlr", "Enabled", "", "false", "false", BOTH),
    ("AuthorizeRemoteTxRequests", "AuthCtrlr", "AuthorizeRemoteStart", "", "true", "true", BOTH),
    ("ClockAlignedDataInterval", "AlignedDataCtrlr", "Interval", "", "900", "900", BOTH),
    ("ConnectionTimeOut", "TxCtrlr", "EVConnectionTimeOut", "", "60", "60", BOTH),
    ("HeartbeatInterval", "OCPPCommCtrlr", "HeartbeatInterval", "", "300", "300", BOTH),
    ("LocalAuthorizeOffline", "AuthCtrlr", "LocalAuthorizeOffline", "", "true", "true", BOTH),
    ("LocalPreAuthorize", "AuthCtrlr", "LocalPreAuthorize", "", "false", "false", BOTH),
    ("MaxEnergyOnInvalidId", "TxCtrlr", "MaxEnergyOnInvalidId", "", "500", "500", BOTH),
    ("MeterValuesAlignedData", "AlignedDataCtrlr", "Measurands", "", f"{REGISTER},SoC", f"{REGISTER},SoC", BOTH),
    (
        "MeterValuesSampledData",
        "SampledDataCtrlr",
        "TxUpdatedMeasurands",
        "",
        f"{REGISTER},SoC",
        f"{REGISTER},SoC",
        BOTH,
    ),
    ("MeterValueSampleInterval", "SampledDataCtrlr", "TxUpdatedInterval", "", "60", "60", BOTH),
    ("StopTxnAlignedData", "AlignedDataCtrlr", "TxEndedMeasurands", "", REGISTER, REGISTER, BOTH),
    ("StopTxnSampledData", "SampledDataCtrlr", "TxEndedMeasurands", "", REGISTER, REGISTER, BOTH),
    ("StartTxnSampledData", "SampledDataCtrlr", "TxStartedMeasurands", "", REGISTER, REGISTER, BOTH),
    ("ResetRetries", "OCPPCommCtrlr", "ResetRetries", "", "3", "3", BOTH),
    ("StopTransactionOnEVSideDisconnect", "TxCtrlr", "StopTxOnEVSideDisconnect", "", "true", "true", BOTH),
    ("StopTransactionOnInvalidId", "TxCtrlr", "StopTxOnInvalidId", "", "true", "true", BOTH),
    ("TransactionMessageAttempts", "OCPPCommCtrlr", "MessageAttempts", "TransactionEvent", "3", "3", BOTH),
    (
        "TransactionMessageRetryInterval",
        "OCPPCommCtrlr",
        "MessageAttemptInterval",
        "TransactionEvent",
        "60",
        "60",
        BOTH,
    ),
    ("UnlockConnectorOnEVSideDisconnect", "OCPPCommCtrlr", "UnlockOnEVSideDisconnect", "", "true", "true", BOTH),
    ("WebSocketPingInterval", "OCPPCommCtrlr", "WebSocketPingInterval", "", "30", "30", BOTH),
    ("LocalAuthListEnabled", "LocalAuthListCtrlr", "Enabled", "", "true", "true", BOTH),
    ("SendLocalListMaxLength", "LocalAuthListCtrlr", "ItemsPerMessage", "", "20", "20", RO),
    ("ReserveConnectorZeroSupported", "ReservationCtrlr", "NonEvseSpecific", "", "true", "true", RO),
    ("ChargeProfileMaxStackLevel", "SmartChargingCtrlr", "ProfileStackLevel", "", "8", "8", RO),
    ("ChargingScheduleAllowedChargingRateUnit", "SmartChargingCtrlr", "RateUnit", "", "Current,Power", "A,W", RO),
    ("ChargingScheduleMaxPeriods", "SmartChargingCtrlr", "PeriodsPerSchedule", "", "24", "24", RO),
    ("ConnectorSwitch3to1PhaseSupported", "SmartChargingCtrlr", "Phases3to1", "", "true", "true", RO),
    ("SupportedFileTransferProtocols", "OCPPCommCtrlr", "FileTransferProtocols", "", "FTP,HTTP", "FTP,HTTP", RO),
    ("CpoName", "SecurityCtrlr", "OrganizationName", "", "ACME", "ACME", BOTH),
    ("AdditionalRootCertificateCheck", "SecurityCtrlr", "AdditionalRootCertificateCheck", "", "true", "true", RO),
    ("CertificateSignedMaxChainSize", "SecurityCtrlr", "MaxCertificateChainSize", "", "10000", "10000", RO),
    ("ISO15118PnCEnabled", "ISO15118Ctrlr", "PnCEnabled", "", "true", "true", BOTH),
    (
        "CentralContractValidationAllowed",
        "ISO15118Ctrlr",
        "CentralContractValidationAllowed",
        "",
        "true",
        "true",
        BOTH,
    ),
    ("ContractValidationOffline", "ISO15118Ctrlr", "ContractValidationOffline", "", "false", "false", BOTH),
    ("SampledDataSignReadings", "SampledDataCtrlr", "SignReadings", "", "true", "true", BOTH),
    ("AlignedDataSignReadings", "AlignedDataCtrlr", "SignReadings", "", "true", "true", BOTH),
    ("PublicKeyWithSignedMeterValue", "OCPPCommCtrlr", "PublicKeyWithSignedMeterValue", "", "Never", "Never", BOTH),
]
LEGACY = [
    # keys without a variable of 2.0.1: one of the gateway's own for a 1.6 charger, no such thing at a 2.0.1 charger
    ("BlinkRepeat", "OCPP16LegacyCtrlr", "BlinkRepeat", "", "3", "3", BOTH),
    ("LightIntensity", "OCPP16LegacyCtrlr", "LightIntensity", "", "50", "50", BOTH),
    ("MinimumStatusDuration", "OCPP16LegacyCtrlr", "MinimumStatusDuration", "", "5", "5", BOTH),
    ("ACME.Something", "OCPP16LegacyCtrlr", "ACME.Something", "", "x", "x", BOTH),
    ("StopTransactionMaxMeterValues", "OCPP16LegacyCtrlr", "StopTransactionMaxMeterValues", "", "5", "5", RO),
]
_NAMES = ("key", "component", "variable", "instance", "old", "new", "access")
EACH = pytest.mark.parametrize(_NAMES, ROWS, ids=[row[0] for row in ROWS])
EVERY = pytest.mark.parametrize(_NAMES, ROWS + LEGACY, ids=[row[0] for row in ROWS + LEGACY])
LIMITS = [
    # 1.6 key, component, variable, instance: it is the limit of a variable
    ("LocalAuthListMaxLength", "LocalAuthListCtrlr", "Entries", ""),
    ("MaxChargingProfilesInstalled", "SmartChargingCtrlr", "Entries", "ChargingProfiles"),
    ("CertificateStoreMaxLength", "SecurityCtrlr", "CertificateEntries", ""),
]


def place(component: str, variable: str, instance: str = "", **more: Any) -> dict[str, Any]:
    of = {"name": variable, "instance": instance} if instance else {"name": variable}
    return {"component": {"name": component}, "variable": of, **more}


def configured(key: str, value: str, readonly: bool = False) -> dict[str, Any]:
    return {"configurationKey": [{"key": key, "readonly": readonly, "value": value}]}


@EVERY
def test_a_variable_is_read_from_its_key(
    key: str, component: str, variable: str, instance: str, old: str, new: str, access: str
) -> None:
    s = Saying("1.6", "2.0.1")
    s.answers["charger", "GetConfiguration"] = configured(key, old)
    left = s.csms("GetVariables", {"getVariableData": [place(component, variable, instance)]})
    assert calls(left, "charger") == [("GetConfiguration", {"key": [key]})]
    [result] = answer(left, "csms")["getVariableResult"]
    assert (result["attributeStatus"], result["attributeValue"], result["attributeType"]) == ("Accepted", new, "Actual")


@EVERY
def test_a_variable_is_written_to_its_key(
    key: str, component: str, variable: str, instance: str, old: str, new: str, access: str
) -> None:
    s = Saying("1.6", "2.0.1")
    data = [place(component, variable, instance, attributeValue=new)]
    left = s.csms("SetVariables", {"setVariableData": data})
    [result] = answer(left, "csms")["setVariableResult"]
    if access == RO:
        assert (result["attributeStatus"], result["attributeStatusInfo"]["reasonCode"]) == ("Rejected", "ReadOnly")
        assert calls(left, "charger") == []
    else:
        assert result["attributeStatus"] == "Accepted"
        assert calls(left, "charger") == [("ChangeConfiguration", {"key": key, "value": old})]


@EACH
def test_a_key_is_read_from_its_variable(
    key: str, component: str, variable: str, instance: str, old: str, new: str, access: str
) -> None:
    s = Saying("2.0.1", "1.6")
    where = place(component, variable, instance)
    s.answers["charger", "GetVariables"] = {
        "getVariableResult": [{**where, "attributeStatus": "Accepted", "attributeValue": new}]
    }
    left = s.csms("GetConfiguration", {"key": [key]})
    [(action, asked)] = calls(left, "charger")
    assert action == "GetVariables"
    assert [{name: each[name] for name in ("component", "variable")} for each in asked["getVariableData"]] == [where]
    assert answer(left, "csms") == {"configurationKey": [{"key": key, "readonly": access == RO, "value": old}]}


@EACH
def test_a_key_is_written_to_its_variable(
    key: str, component: str, variable: str, instance: str, old: str, new: str, access: str
) -> None:
    s = Saying("2.0.1", "1.6")
    where = place(component, variable, instance)
    s.answers["charger", "SetVariables"] = {"setVariableResult": [{**where, "attributeStatus": "Accepted"}]}
    left = s.csms("ChangeConfiguration", {"key": key, "value": old})
    if access == RO:
        assert (calls(left, "charger"), answer(left, "csms")) == ([], {"status": "Rejected"})
    else:
        [(_, asked)] = calls(left, "charger")
        assert asked == {"setVariableData": [{**where, "attributeType": "Actual", "attributeValue": new}]}
        assert answer(left, "csms") == {"status": "Accepted"}


@pytest.mark.parametrize("key", [row[0] for row in LEGACY if "." not in row[0] and row[0] != "MinimumStatusDuration"])
def test_a_key_that_a_2_0_1_charger_does_not_have(key: str) -> None:
    s = Saying("2.0.1", "1.6")
    assert answer(s.csms("GetConfiguration", {"key": [key]}), "csms") == {"unknownKey": [key]}
    assert answer(s.csms("ChangeConfiguration", {"key": key, "value": "1"}), "csms") == {"status": "NotSupported"}
    assert calls(s.heard, "charger") == []


def test_a_key_that_is_spelled_as_a_variable() -> None:
    s = Saying("2.0.1", "1.6")
    where = place("ACME", "Limit", "Day")
    s.answers["charger", "SetVariables"] = {"setVariableResult": [{**where, "attributeStatus": "Accepted"}]}
    left = s.csms("ChangeConfiguration", {"key": "ACME.Limit[Day]", "value": "5"})
    asked = {"setVariableData": [{**where, "attributeType": "Actual", "attributeValue": "5"}]}
    assert calls(left, "charger") == [("SetVariables", asked)]
    assert answer(left, "csms") == {"status": "Accepted"}


@pytest.mark.parametrize(("key", "component", "variable", "instance"), LIMITS)
def test_a_key_that_is_a_limit(key: str, component: str, variable: str, instance: str) -> None:
    s = Saying("1.6", "2.0.1")
    s.answers["charger", "GetConfiguration"] = configured(key, " +050.0", True)
    left = s.csms("GetBaseReport", {"requestId": 1, "reportBase": "FullInventory"})
    rows = [each for call in calls(left, "csms", "NotifyReport") for each in call["reportData"]]
    [row] = [
        each
        for each in rows
        if (each["component"]["name"], each["variable"]["name"], each["variable"].get("instance", ""))
        == (component, variable, instance)
    ]
    assert row["variableCharacteristics"]["maxLimit"] == 50


@pytest.mark.parametrize(
    ("variable", "key"),
    [("AlignedDataCtrlr", "ClockAlignedDataInterval"), ("SampledDataCtrlr", "MeterValueSampleInterval")],
)
def test_an_alias_is_read_and_never_written(variable: str, key: str) -> None:
    s = Saying("1.6", "2.0.1")
    s.answers["charger", "GetConfiguration"] = configured(key, "60")
    left = s.csms("GetVariables", {"getVariableData": [place(variable, "TxEndedInterval")]})
    assert answer(left, "csms")["getVariableResult"][0]["attributeValue"] == "60"
    left = s.csms("SetVariables", {"setVariableData": [place(variable, "TxEndedInterval", attributeValue="60")]})
    assert answer(left, "csms")["setVariableResult"][0]["attributeStatus"] == "Rejected"
    assert calls(left, "charger") == []


def test_measurands_that_2_0_1_does_not_have() -> None:
    s = Saying("1.6", "2.0.1")
    s.answers["charger", "GetConfiguration"] = configured(
        "MeterValuesSampledData", "Current.Import.L1,Temperature,RPM,SoC"
    )
    left = s.csms("GetVariables", {"getVariableData": [place("SampledDataCtrlr", "TxUpdatedMeasurands")]})
    assert answer(left, "csms")["getVariableResult"][0]["attributeValue"] == "Current.Import.L1,SoC"


def test_phase_rotation_of_station_and_evses() -> None:
    s = Saying("1.6", "2.0.1")
    s.answers["charger", "GetConfiguration"] = configured("ConnectorPhaseRotation", "0.RST,1.SRT")
    places = [
        place("ChargingStation", "PhaseRotation"),
        {"component": {"name": "EVSE", "evse": {"id": 1}}, "variable": {"name": "PhaseRotation"}},
    ]
    left = s.csms("GetVariables", {"getVariableData": places})
    assert [each["attributeValue"] for each in answer(left, "csms")["getVariableResult"]] == ["RST", "SRT"]


def test_the_public_key_of_a_meter() -> None:
    s = Saying("1.6", "2.0.1")
    s.answers["charger", "GetConfiguration"] = configured("MeterPublicKey2", "PUB")
    where = {"component": {"name": "FiscalMetering", "evse": {"id": 2}}, "variable": {"name": "PublicKey"}}
    left = s.csms("GetVariables", {"getVariableData": [where]})
    assert calls(left, "charger") == [("GetConfiguration", {"key": ["MeterPublicKey2"]})]
    assert answer(left, "csms")["getVariableResult"][0]["attributeValue"] == "PUB"


LOCAL_KEYS = [
    # of a 2.0.1 charger, answered by the gateway: key, value
    ("NumberOfConnectors", "2"),
    (
        "SupportedFeatureProfiles",
        "Core,FirmwareManagement,LocalAuthListManagement,Reservation,SmartCharging,RemoteTrigger",
    ),
]


@pytest.mark.parametrize(("key", "value"), LOCAL_KEYS)
def test_keys_that_the_gateway_answers(key: str, value: str) -> None:
    s = Saying("2.0.1", "1.6")
    left = s.csms("GetConfiguration", {"key": [key]})
    [found] = answer(left, "csms")["configurationKey"]
    assert (found["readonly"], sorted(found["value"].split(","))) == (True, sorted(value.split(",")))
    assert calls(left, "charger") == []
    assert answer(s.csms("ChangeConfiguration", {"key": key, "value": "1"}), "csms") == {"status": "Rejected"}


@pytest.mark.parametrize("key", ["AuthorizationKey", "SecurityProfile"])
def test_what_belongs_to_the_link_never_reaches_the_charger(key: str) -> None:
    s = Saying("2.0.1", "1.6")
    assert calls(s.csms("ChangeConfiguration", {"key": key, "value": "3" * 32}), "charger") == []
    s = Saying("1.6", "2.0.1")
    variable = "BasicAuthPassword" if key == "AuthorizationKey" else key
    data = [place("SecurityCtrlr", variable, attributeValue="3" * 32)]
    assert calls(s.csms("SetVariables", {"setVariableData": data}), "charger") == []


LOCAL: list[tuple[str, str, str, int, int, str]] = [
    # component, variable, instance, EVSE, connector, value ("": anything)
    ("ChargingStation", "Model", "", 0, 0, "M1"),
    ("ChargingStation", "VendorName", "", 0, 0, "ACME"),
    ("ChargingStation", "SerialNumber", "", 0, 0, "S1"),
    ("Controller", "FirmwareVersion", "", 0, 0, "1.0"),
    ("ChargingStation", "AvailabilityState", "", 0, 0, ""),
    ("ChargingStation", "Available", "", 0, 0, "true"),
    ("ChargingStation", "SupplyPhases", "", 0, 0, ""),
    ("EVSE", "Available", "", 1, 0, "true"),
    ("EVSE", "AvailabilityState", "", 1, 0, ""),
    ("EVSE", "SupplyPhases", "", 1, 0, ""),
    ("EVSE", "Power", "", 1, 0, ""),
    ("Connector", "Available", "", 1, 1, "true"),
    ("Connector", "AvailabilityState", "", 1, 1, ""),
    ("Connector", "ConnectorType", "", 1, 1, "Unknown"),
    ("Connector", "SupplyPhases", "", 1, 1, ""),
    ("TxCtrlr", "TxStartPoint", "", 0, 0, "PowerPathClosed"),
    ("TxCtrlr", "TxStopPoint", "", 0, 0, "EVConnected,Authorized"),
    ("ClockCtrlr", "DateTime", "", 0, 0, ""),
    ("ClockCtrlr", "TimeSource", "", 0, 0, "Heartbeat"),
    ("OCPPCommCtrlr", "MessageTimeout", "Default", 0, 0, ""),
    ("OCPPCommCtrlr", "OfflineThreshold", "", 0, 0, ""),
    ("OCPPCommCtrlr", "NetworkConfigurationPriority", "", 0, 0, "1"),
    ("OCPPCommCtrlr", "NetworkProfileConnectionAttempts", "", 0, 0, ""),
    ("OCPPCommCtrlr", "ActiveNetworkProfile", "", 0, 0, ""),
    ("SecurityCtrlr", "Identity", "", 0, 0, ""),
    ("SecurityCtrlr", "SecurityProfile", "", 0, 0, ""),
    ("DeviceDataCtrlr", "ItemsPerMessage", "GetReport", 0, 0, ""),
    ("DeviceDataCtrlr", "ItemsPerMessage", "GetVariables", 0, 0, ""),
    ("DeviceDataCtrlr", "ItemsPerMessage", "SetVariables", 0, 0, ""),
    ("DeviceDataCtrlr", "BytesPerMessage", "GetReport", 0, 0, ""),
    ("DeviceDataCtrlr", "BytesPerMessage", "GetVariables", 0, 0, ""),
    ("DeviceDataCtrlr", "BytesPerMessage", "SetVariables", 0, 0, ""),
    ("MonitoringCtrlr", "Available", "", 0, 0, "true"),
    ("MonitoringCtrlr", "Enabled", "", 0, 0, "true"),
    ("DisplayMessageCtrlr", "Available", "", 0, 0, "false"),
    ("TariffCostCtrlr", "Available", "Tariff", 0, 0, "false"),
    ("TariffCostCtrlr", "Available", "Cost", 0, 0, "false"),
]


@pytest.fixture(scope="module")
def inventory() -> dict[tuple[str, str, str, int, int], str]:
    s = Saying("1.6", "2.0.1")
    boot = {"chargePointVendor": "ACME", "chargePointModel": "M1", "chargePointSerialNumber": "S1"}
    s.charger("BootNotification", {**boot, "firmwareVersion": "1.0"})
    left = s.csms("GetBaseReport", {"requestId": 1, "reportBase": "FullInventory"})
    found = {}
    for call in calls(left, "csms", "NotifyReport"):
        for row in call["reportData"]:
            evse = row["component"].get("evse", {})
            spot = (row["component"]["name"], row["variable"]["name"], row["variable"].get("instance", ""))
            found[*spot, evse.get("id", 0), evse.get("connectorId", 0)] = row["variableAttribute"][0].get("value", "")
    return found


@pytest.mark.parametrize(("component", "variable", "instance", "evse", "connector", "value"), LOCAL)
def test_what_a_full_inventory_must_hold(
    inventory: dict[tuple[str, str, str, int, int], str],
    component: str,
    variable: str,
    instance: str,
    evse: int,
    connector: int,
    value: str,
) -> None:
    told = inventory[component, variable, instance, evse, connector]
    assert told == value or not value
