"""The device model of a 1.6 charger: GetVariables, SetVariables, GetBaseReport."""

from __future__ import annotations

from typing import Any

import pytest

from translators.config_keys import key_rows
from translators.config_values import CONVERSIONS
from translators.facts import Connector, Key

from .station import NOW, Station, answered


def variable(component: str, name: str, instance: str | None = None, evse: Any = None, **more: Any) -> dict[str, Any]:
    place: dict[str, Any] = {"name": component}
    if evse is not None:
        place["evse"] = evse
    what: dict[str, Any] = {"name": name}
    if instance is not None:
        what["instance"] = instance
    return {"component": place, "variable": what} | more


def key(name: str, value: str | None = None, readonly: bool = False) -> dict[str, Any]:
    return {"key": name, "readonly": readonly} | ({"value": value} if value is not None else {})


def get(s: Station, *items: dict[str, Any]) -> list[Any]:
    return s.csms("GetVariables", getVariableData=list(items))


def put(s: Station, *items: dict[str, Any]) -> list[Any]:
    return s.csms("SetVariables", setVariableData=list(items))


def result(left: list[Any], number: int = 0) -> tuple[Any, ...]:
    """(status, value or reason) of one item of the answer."""
    members = left[-1][2]
    item = (members.get("getVariableResult") or members.get("setVariableResult"))[number]
    reason = item.get("attributeStatusInfo", {}).get("reasonCode")
    return item["attributeStatus"], item.get("attributeValue", reason)


def test_get_keeps_the_order_and_asks_once() -> None:
    s = Station()
    left = get(
        s,
        variable("OCPPCommCtrlr", "HeartbeatInterval"),
        variable("TxCtrlr", "NoSuchThing"),
        variable("NoSuchThing", "X"),
        variable("SampledDataCtrlr", "TxUpdatedInterval", attributeType="Target"),
        variable("AlignedDataCtrlr", "TxEndedInterval"),
        variable("AlignedDataCtrlr", "Interval"),
        variable("ClockCtrlr", "TimeSource"),
    )
    assert left == [("charger", "GetConfiguration", {"key": ["HeartbeatInterval", "ClockAlignedDataInterval"]})]
    answer = s.answers("charger", configurationKey=[key("heartbeatinterval", "300"), key("ClockAlignedDataInterval")])
    assert [result(answer, number) for number in range(7)] == [
        ("Accepted", "300"),
        ("UnknownVariable", None),
        ("UnknownComponent", None),
        ("NotSupportedAttributeType", None),
        ("Accepted", ""),
        ("Accepted", ""),
        ("Accepted", "Heartbeat"),
    ]
    assert {item["attributeType"] for item in answer[0][2]["getVariableResult"]} == {"Actual", "Target"}


def test_what_is_measured_but_no_meter_value_of_201() -> None:
    s = Station()
    both = (variable("TemperatureSensor", "Temperature"), variable("AirCoolingSystem", "FanSpeed"))
    assert [result(get(s, *both), number)[0] for number in (0, 1)] == ["UnknownVariable"] * 2
    samples = [{"value": "21.50", "measurand": "Temperature", "unit": "Celcius"}, {"value": "900", "measurand": "RPM"}]
    value = {"timestamp": "2025-03-01T10:00:00Z", "sampledValue": samples}
    assert s.charger("MeterValues", connectorId=1, meterValue=[value]) == [("charger", "answer", {})]
    left = get(s, *both)
    assert [result(left, number) for number in (0, 1)] == [("Accepted", "21.50"), ("Accepted", "900")]
    left = s.csms("GetReport", requestId=1, componentVariable=[{"component": {"name": "TemperatureSensor"}}])
    (told,) = left[-1][2]["reportData"]
    assert told["variableAttribute"][0]["value"] == "21.50"
    assert told["variableCharacteristics"] == {"dataType": "decimal", "unit": "Celsius", "supportsMonitoring": False}


def test_what_was_read_before_the_charger_failed_is_told() -> None:
    s = Station()
    s.facts.keys = {"GetConfigurationMaxKeys": Key(value="2", readonly=True)}
    get(
        s,
        variable("OCPPCommCtrlr", "HeartbeatInterval"),
        variable("OCPPCommCtrlr", "ResetRetries"),
        variable("AuthCtrlr", "LocalPreAuthorize"),
        variable("ClockCtrlr", "TimeSource"),
    )
    s.answers("charger", configurationKey=[key("HeartbeatInterval", "300")], unknownKey=["ResetRetries"])
    left = s.refuses("charger", "InternalError")
    assert [result(left, number) for number in range(4)] == [
        ("Accepted", "300"),
        ("UnknownVariable", None),
        ("Rejected", "InternalError"),
        ("Accepted", "Heartbeat"),
    ]


def test_the_identity_is_what_the_csms_calls_the_charger() -> None:
    s = Station()
    s.translator.identity = "CP-1"
    assert result(get(s, variable("SecurityCtrlr", "Identity"))) == ("Accepted", "CP-1")


def test_every_variable_is_reported_once() -> None:
    s = Station(topology={"1": (1, 1), "2": (1, 2), "3": (2, 1)})
    s.csms("GetBaseReport", requestId=1, reportBase="FullInventory")
    keys = [
        key("ConnectorPhaseRotation", "1.RST,2.RTS,3.STR"),
        key("ConnectorEvseIds", "A,B,C"),
        key("MeterPublicKey2", "second"),
        key("MeterPublicKey1", "first"),
    ]
    left, told = s.answers("charger", configurationKey=keys), []
    while left:
        told += left[-1][2]["reportData"]
        left = s.answers("csms")
    values = {}
    for each in told:
        evse, name = each["component"].get("evse", {}), each["variable"]
        place = (each["component"]["name"], *evse.values(), name["name"], name.get("instance"))
        assert place not in values
        values[place] = each["variableAttribute"][0].get("value")
    assert [values["EVSE", evse, "PhaseRotation", None] for evse in (1, 2)] == ["RST", "STR"]
    assert [values["EVSE", evse, "ISO15118EvseId", None] for evse in (1, 2)] == ["A", "C"]
    assert values["FiscalMetering", 1, "PublicKey", None] == "first"
    assert values["OCPP16LegacyCtrlr", "MeterPublicKey2", None] == "second"


def test_a_problem_of_any_connector_is_one_of_its_evse() -> None:
    s = Station(topology={"1": (1, 1), "2": (1, 2), "3": (2, 1)})
    s.facts.connectors[2] = Connector(status="Faulted", told="Faulted", errors={"GroundFailure": "GroundFailure"})
    problems = [variable("EVSE", "Problem", evse={"id": evse}) for evse in (1, 2)]
    left = get(s, *problems, variable("ChargingStation", "Problem"))
    assert [result(left, number)[1] for number in range(3)] == ["true", "false", "false"]


def test_names_are_case_insensitive() -> None:
    left = get(Station(), variable("ocppcommctrlr", "heartbeatINTERVAL"))
    assert left[0][2] == {"key": ["HeartbeatInterval"]}


def test_batches_of_get_configuration_max_keys() -> None:
    s = Station()
    s.facts.keys["GetConfigurationMaxKeys"] = Key(value="2", readonly=True)
    names = ["BlinkRepeat", "LightIntensity", "Vendor.Key", "Other"]
    left = get(s, *(variable("OCPP16LegacyCtrlr", name) for name in names))
    assert left[0][2] == {"key": names[:2]}
    left = s.answers("charger", configurationKey=[key("BlinkRepeat", "1"), key("LightIntensity", "2")])
    assert left == [("charger", "GetConfiguration", {"key": names[2:]})]
    left = s.answers("charger", configurationKey=[key("Vendor.Key", "3")], unknownKey=["Other"])
    assert [result(left, number) for number in range(4)] == [
        ("Accepted", "1"),
        ("Accepted", "2"),
        ("Accepted", "3"),
        ("UnknownVariable", None),
    ]


@pytest.mark.parametrize(
    ("ending", "status"),
    [("GenericError", ("Rejected", "InternalError")), ("NotSupported", ("UnknownVariable", None))],
)
def test_a_charger_that_gives_no_configuration(ending: str, status: Any) -> None:
    s = Station()
    get(s, variable("OCPPCommCtrlr", "HeartbeatInterval"), variable("OCPPCommCtrlr", "FileTransferProtocols"))
    left = s.refuses("charger", ending)
    assert result(left) == status
    assert result(left, 1) == ("Accepted", "FTP,HTTP")


def test_a_silent_charger() -> None:
    s = Station()
    get(s, variable("OCPPCommCtrlr", "HeartbeatInterval"))
    assert result(s.silent("charger")) == ("Rejected", "InternalError")


def test_the_same_variable_twice() -> None:
    s = Station()
    one, two = variable("A", "b", attributeType="Actual"), variable("a", "B")
    assert get(s, one, two) == [("csms", "PropertyConstraintViolation", None)]
    value = {"attributeValue": "1"}
    assert put(s, one | value, two | value) == [("csms", "PropertyConstraintViolation", None)]


def test_local_variables_need_no_charger() -> None:
    s = Station()
    s.facts.connectors = {0: Connector(status="Unavailable"), 1: Connector(status="Charging", errors={"X": "X"})}
    s.facts.boot = {"chargePointModel": "M1", "chargePointVendor": "ACME", "chargeBoxSerialNumber": "S1"}
    wanted = {
        ("ChargingStation", "AvailabilityState", None): "Unavailable",
        ("ChargingStation", "Model", None): "M1",
        ("ChargingStation", "SerialNumber", None): "S1",
        ("ClockCtrlr", "DateTime", None): "2025-03-01T10:00:00Z",
        ("TxCtrlr", "TxStartPoint", None): "PowerPathClosed",
        ("TxCtrlr", "TxStopPoint", None): "EVConnected,Authorized",
        ("DeviceDataCtrlr", "ItemsPerMessage", "SetVariables"): "10",
        ("MonitoringCtrlr", "Available", None): "true",
        ("DisplayMessageCtrlr", "Available", None): "false",
        ("TariffCostCtrlr", "Available", "Cost"): "false",
        ("SmartChargingCtrlr", "Available", None): "true",
        ("LocalAuthListCtrlr", "Entries", None): "0",
    }
    left = get(s, *(variable(*place) for place in wanted))
    assert [result(left, number) for number in range(len(wanted))] == [("Accepted", value) for value in wanted.values()]
    evse = {"id": 1, "connectorId": 1}
    assert result(get(s, variable("Connector", "AvailabilityState", evse=evse))) == ("Accepted", "Occupied")
    assert result(get(s, variable("EVSE", "Problem", evse={"id": 1}))) == ("Accepted", "true")
    assert result(get(s, variable("EVSE", "AvailabilityState", evse={"id": 9}))) == ("UnknownComponent", None)
    assert result(get(s, variable("EVSE", "AvailabilityState"))) == ("UnknownComponent", None)


def test_feature_flags_come_from_the_charger_once_it_was_read() -> None:
    s = Station()
    s.facts.keys["SupportedFeatureProfiles"] = Key(value="Core, Reservation", readonly=True)
    left = get(s, variable("SmartChargingCtrlr", "Available"), variable("ReservationCtrlr", "Available"))
    assert [result(left, number)[1] for number in (0, 1)] == ["false", "true"]


STATION_KEYS = [
    row
    for row in key_rows()
    if row.target == "Actual"
    and row.scope == "station"
    and row.role in ("primary", "mirror")
    and row.conversion in CONVERSIONS
    and "<" not in row.key + row.variable_instance
]
SAMPLE = {"bool": "TRUE", "int": "07", "int(min=1)": "5", "natural": "0", "csl": "a, b", "rate_unit": "Power"} | {
    "measurands": "SoC,RPM", "dateTime": "2025-03-01T10:00:00Z", "security_profile": "1"
}  # fmt: skip


@pytest.mark.parametrize("row", STATION_KEYS, ids=lambda row: f"{row.key}-{row.variable}")
def test_every_key_reads_at_its_variable(row: Any) -> None:
    s = Station()
    raw = SAMPLE.get(row.conversion, "text")
    left = get(s, variable(row.component, row.variable, row.variable_instance or None))
    if left[0][0] == "csms":  # a variable of the gateway's own, with the charger's value once that is known
        s.facts.keys[row.key] = Key(value=raw, readonly=False)
        left = get(s, variable(row.component, row.variable, row.variable_instance or None))
    else:
        assert left == [("charger", "GetConfiguration", {"key": [row.key]})]
        left = s.answers("charger", configurationKey=[key(row.key, raw)])
    assert result(left) == ("Accepted", CONVERSIONS[row.conversion][0](raw))


@pytest.mark.parametrize("row", STATION_KEYS, ids=lambda row: f"{row.key}-{row.variable}")
def test_every_key_is_written_at_its_variable_or_read_only(row: Any) -> None:
    s = Station()
    new = CONVERSIONS[row.conversion][0](SAMPLE.get(row.conversion, "text"))
    left = put(s, variable(row.component, row.variable, row.variable_instance or None, attributeValue=new))
    if "ReadWrite" in row.mutability:
        old = CONVERSIONS[row.conversion][1](new, "")
        assert left == [("charger", "ChangeConfiguration", {"key": row.key, "value": old})]
        assert result(s.answers("charger", status="Accepted")) == ("Accepted", None)
    else:
        assert result(left) == ("Rejected", "ReadOnly")


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        ("Accepted", ("Accepted", None)),
        ("Rejected", ("Rejected", None)),
        ("RebootRequired", ("RebootRequired", None)),
        ("NotSupported", ("UnknownVariable", None)),
    ],
)
def test_set_status(status: str, wanted: Any) -> None:
    s = Station()
    put(s, variable("OCPPCommCtrlr", "HeartbeatInterval", attributeValue="60"))
    assert result(s.answers("charger", status=status)) == wanted


def test_set_one_by_one_in_order() -> None:
    s = Station()
    s.facts.keys["AuthorizeRemoteTxRequests"] = Key(value="true", readonly=True)
    left = put(
        s,
        variable("OCPPCommCtrlr", "HeartbeatInterval", attributeValue="60"),
        variable("AuthCtrlr", "AuthorizeRemoteStart", attributeValue="false"),
        variable("SampledDataCtrlr", "TxEndedInterval", attributeValue="1"),
        variable("OCPP16LegacyCtrlr", "Vendor.Key", attributeValue="x" * 501),
        variable("OCPPCommCtrlr", "WebSocketPingInterval", attributeValue="-1"),
        variable("OCPP16LegacyCtrlr", "Vendor.Key", attributeValue="v", attributeType="Target"),
        variable("Nothing", "X", attributeValue="1"),
        variable("OCPP16LegacyCtrlr", "Vendor Key/2", attributeValue="v"),
    )
    assert left == [("charger", "ChangeConfiguration", {"key": "HeartbeatInterval", "value": "60"})]
    left = s.answers("charger", status="Accepted")
    assert left == [("charger", "ChangeConfiguration", {"key": "Vendor Key/2", "value": "v"})]
    left = s.refuses("charger", "InternalError")
    assert [result(left, number) for number in range(8)] == [
        ("Accepted", None),
        ("Rejected", "ReadOnly"),
        ("Rejected", "ReadOnly"),
        ("Rejected", "ValueOutOfRange"),
        ("Rejected", "ValueOutOfRange"),
        ("NotSupportedAttributeType", None),
        ("UnknownComponent", None),
        ("Rejected", "InternalError"),
    ]


def test_the_password_stays_at_the_gateway() -> None:
    s = Station()
    place = variable("SecurityCtrlr", "BasicAuthPassword")
    assert result(get(s, place)) == ("Rejected", "WriteOnly")
    assert result(put(s, place | {"attributeValue": "0123456789abcdef"})) == ("Rejected", "NotEnabled")
    legacy = variable("OCPP16LegacyCtrlr", "AuthorizationKey")
    assert result(put(s, legacy | {"attributeValue": "0123456789abcdef"})) == ("Rejected", "NotEnabled")
    assert result(get(s, legacy)) == ("Rejected", "WriteOnly")


@pytest.mark.parametrize("name", ["SecurityProfile", "CentralSystemURI", "ChargePointId"])
def test_what_would_take_the_charger_away_is_never_written(name: str) -> None:
    left = put(Station(), variable("OCPP16LegacyCtrlr", name, attributeValue="2"))
    assert result(left) == ("Rejected", "ReadOnly")


def test_other_spellings_of_a_vendor_key() -> None:
    assert get(Station(), variable("OCPP16VendorCtrlr", "Foo=20Bar=2FBaz"))[0][2] == {"key": ["Foo Bar/Baz"]}
    assert get(Station(), variable("VendorThing", "VendorThing"))[0][2] == {"key": ["VendorThing"]}


def test_phase_rotation_of_one_evse_rewrites_the_list() -> None:
    s = Station()
    place = variable("EVSE", "PhaseRotation", evse={"id": 2})
    assert get(s, place)[0][2] == {"key": ["ConnectorPhaseRotation"]}
    assert result(s.answers("charger", configurationKey=[key("ConnectorPhaseRotation", "1.RST,2.TSR")])) == (
        "Accepted",
        "TSR",
    )
    left = put(s, place | {"attributeValue": "RTS"})
    assert left[0][1] == "GetConfiguration"
    left = s.answers("charger", configurationKey=[key("ConnectorPhaseRotation", "1.RST,2.TSR")])
    assert left == [("charger", "ChangeConfiguration", {"key": "ConnectorPhaseRotation", "value": "1.RST,2.RTS"})]


def test_phase_rotation_of_one_evse_leaves_the_one_word_of_the_others() -> None:
    s = Station()
    left = put(s, variable("EVSE", "PhaseRotation", evse={"id": 1}, attributeValue="TSR"))
    assert left[0][1] == "GetConfiguration"
    left = s.answers("charger", configurationKey=[key("ConnectorPhaseRotation", "RST")])
    assert left == [("charger", "ChangeConfiguration", {"key": "ConnectorPhaseRotation", "value": "0.RST,1.TSR,2.RST"})]


def test_public_key_of_an_evse() -> None:
    s = Station(topology={"1": (1, 1), "2": (2, 1)})
    left = get(s, variable("FiscalMetering", "PublicKey", evse={"id": 2}))
    assert left[0][2] == {"key": ["MeterPublicKey2"]}


# Reports


def reports(s: Station, left: list[Any]) -> list[dict[str, Any]]:
    """Acknowledge NotifyReports until there are no more."""
    found = []
    while left and left[-1][1] == "NotifyReport":
        found.append(left[-1][2])
        left = s.answers("csms")
    assert left == []
    return found


def base_report(s: Station, base: str, *keys: dict[str, Any]) -> list[dict[str, Any]]:
    left = s.csms("GetBaseReport", requestId=5, reportBase=base)
    assert left[0] == answered(status="Accepted")[0]
    if left[-1][1] == "GetConfiguration":
        assert left[-1][2] == {}
        left = s.answers("charger", configurationKey=list(keys))
    return reports(s, left)


def by_name(found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    named = {}
    for item in (item for report in found for item in report["reportData"]):
        evse = item["component"].get("evse")
        place = item["component"]["name"] + (f"{{{evse['id']}}}" if evse else "")
        instance = item["variable"].get("instance")
        name = f"{place}.{item['variable']['name']}" + (f"[{instance}]" if instance else "")
        named[name if not (evse and "connectorId" in evse) else f"{name}/{evse['connectorId']}"] = item
    return named


KEYS = [
    key("HeartbeatInterval", "300"),
    key("BlinkRepeat", "3"),
    key("NumberOfConnectors", "3", readonly=True),
    key("MeterValueSampleInterval", "60"),
    key("MeterValuesSampledData", "Energy.Active.Import.Register,RPM"),
    key("ConnectorPhaseRotation", "0.RST,1.RTS,2.Unknown"),
    key("LocalAuthListMaxLength", "100", readonly=True),
    key("AuthorizationKey", "secret"),
    key("Vendor.Key", "v"),
    key("Odd", None),
    key("AuthorizeRemoteTxRequests", "perhaps", readonly=True),
    key("MeterPublicKey1", "abc", readonly=True),
    key("DefaultPriceText,nl", '{"priceText":"30 ct"}'),
    key("CentralSystemURI", "ws://inside", readonly=True),
    key("StopTxnSampledDataMaxLength", "4", readonly=True),
]


def test_full_inventory() -> None:
    s = Station()
    found = base_report(s, "FullInventory", *KEYS)
    assert [report["seqNo"] for report in found] == list(range(len(found)))
    assert [report.get("tbc", False) for report in found] == [True] * (len(found) - 1) + [False]
    assert all(len(report["reportData"]) <= 30 for report in found)
    assert {report["requestId"] for report in found} == {5}
    named = by_name(found)
    assert sum(len(report["reportData"]) for report in found) == len(named), "a variable is reported twice"
    assert named["OCPPCommCtrlr.HeartbeatInterval"] == {
        "component": {"name": "OCPPCommCtrlr"},
        "variable": {"name": "HeartbeatInterval"},
        "variableAttribute": [{"type": "Actual", "value": "300", "mutability": "ReadWrite"}],
        "variableCharacteristics": {"dataType": "integer", "unit": "s", "supportsMonitoring": False},
    }
    values = {
        name: (item["variableAttribute"][0].get("value"), item["variableAttribute"][0]["mutability"])
        for name, item in named.items()
    }
    assert values["OCPP16LegacyCtrlr.BlinkRepeat"] == ("3", "ReadWrite")
    assert named["OCPP16LegacyCtrlr.BlinkRepeat"]["variableCharacteristics"]["dataType"] == "string"
    assert values["SampledDataCtrlr.TxUpdatedInterval"] == ("60", "ReadWrite")
    assert values["SampledDataCtrlr.TxEndedInterval"] == ("60", "ReadOnly")
    assert values["SampledDataCtrlr.TxUpdatedMeasurands"] == ("Energy.Active.Import.Register", "ReadWrite")
    assert values["ChargingStation.PhaseRotation"] == ("RST", "ReadWrite")
    assert values["EVSE{1}.PhaseRotation"] == ("RTS", "ReadWrite")
    assert values["EVSE{2}.PhaseRotation"] == ("", "ReadWrite")
    assert values["OCPP16LegacyCtrlr.Vendor.Key"] == ("v", "ReadWrite")
    assert values["OCPP16LegacyCtrlr.Odd"] == ("", "ReadWrite")
    assert values["SecurityCtrlr.BasicAuthPassword"] == (None, "WriteOnly")
    assert values["FiscalMetering{1}.PublicKey"] == ("abc", "ReadOnly")
    assert values["TariffCostCtrlr.TariffFallbackMessage[nl]"] == ("30 ct", "ReadWrite")
    assert values["OCPP16LegacyCtrlr.StopTxnSampledDataMaxLength"] == ("4", "ReadOnly")
    assert named["AuthCtrlr.AuthorizeRemoteStart"]["variableCharacteristics"]["dataType"] == "string"
    assert named["LocalAuthListCtrlr.Entries"]["variableCharacteristics"]["maxLimit"] == 100
    assert named["Connector{3}.AvailabilityState/1"]["variableCharacteristics"]["supportsMonitoring"] is True
    assert not any("inside" in str(item) or "secret" in str(item) for item in named.values())
    for required in (
        "ChargingStation.Model", "ChargingStation.VendorName", "ChargingStation.SerialNumber",
        "Controller.FirmwareVersion", "ChargingStation.Available", "ChargingStation.SupplyPhases", "EVSE{1}.Power",
        "Connector{1}.ConnectorType/1", "TxCtrlr.TxStartPoint", "ClockCtrlr.DateTime",
        "OCPPCommCtrlr.MessageTimeout[Default]", "OCPPCommCtrlr.OfflineThreshold", "SecurityCtrlr.SecurityProfile",
        "DeviceDataCtrlr.ItemsPerMessage[GetReport]", "DeviceDataCtrlr.BytesPerMessage[SetVariables]",
        "MonitoringCtrlr.Enabled", "TariffCostCtrlr.Available[Tariff]", "SampledDataCtrlr.TxStartedMeasurands",
    ):  # fmt: skip
        assert required in named


def test_configuration_inventory_is_what_can_be_written() -> None:
    named = by_name(base_report(Station(), "ConfigurationInventory", *KEYS))
    assert all(item["variableAttribute"][0]["mutability"] != "ReadOnly" for item in named.values())
    assert {"OCPPCommCtrlr.HeartbeatInterval", "OCPP16LegacyCtrlr.BlinkRepeat"} <= named.keys()


def test_summary_inventory_asks_nobody() -> None:
    s = Station()
    s.facts.connectors = {2: Connector(status="Faulted", errors={"GroundFailure": "GroundFailure"})}
    named = by_name(base_report(s, "SummaryInventory"))
    assert named.keys() == {
        "ChargingStation.AvailabilityState", "EVSE{1}.AvailabilityState", "EVSE{2}.AvailabilityState",
        "Connector{1}.AvailabilityState/1", "Connector{2}.AvailabilityState/1", "EVSE{2}.Problem",
    }  # fmt: skip


def test_a_report_of_a_charger_that_tells_nothing() -> None:
    s = Station()
    s.csms("GetBaseReport", requestId=5, reportBase="FullInventory")
    found = reports(s, s.refuses("charger", "NotImplemented"))
    assert "TxCtrlr.TxStopPoint" in by_name(found)


def test_keys_are_read_once_a_minute() -> None:
    s = Station()
    base_report(s, "FullInventory", *KEYS)
    assert s.facts.keys_read_at == NOW
    assert s.csms("GetBaseReport", requestId=6, reportBase="ConfigurationInventory")[-1][1] == "NotifyReport"
    s.answers("csms")
    s.clock += 61_000
    assert s.csms("GetBaseReport", requestId=7, reportBase="FullInventory")[-1][1] == "GetConfiguration"


def test_a_report_stops_when_the_csms_refuses_it() -> None:
    s = Station()
    s.csms("GetBaseReport", requestId=5, reportBase="FullInventory")
    s.answers("charger", configurationKey=KEYS)
    assert s.refuses("csms", "InternalError") == []
