"""What the gateway answers for a 1.6 charger: reports, monitors, customers, costs, and what no 1.6 charger does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from translators.enums import COST_VENDOR
from translators.facts import Authorization, Connector, Key
from translators.models import v201
from translators.v16_v201 import PAIR

from .station import NOW, Station, answered, rejected

EVSE_2 = {"name": "EVSE", "evse": {"id": 2}}


# GetReport


def get_report(s: Station, **selection: Any) -> list[Any]:
    return s.csms("GetReport", requestId=6, **selection)


def names(left: list[Any]) -> list[str]:
    report = left[-1][2]
    assert left[-1][1] == "NotifyReport" and report["requestId"] == 6
    return [f"{each['component']['name']}.{each['variable']['name']}" for each in report.get("reportData", [])]


def test_a_selection_reads_the_keys_it_needs() -> None:
    s = Station()
    wanted = [
        {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}},
        {"component": {"name": "OCPP16LegacyCtrlr"}, "variable": {"name": "Vendor.Key"}},
        {"component": {"name": "TxCtrlr"}, "variable": {"name": "TxStartPoint"}},
    ]
    left = get_report(s, componentVariable=wanted)
    assert left[0] == answered(status="Accepted")[0]
    assert left[1][2] == {"key": ["HeartbeatInterval", "Vendor.Key"]}
    pairs = [{"key": "HeartbeatInterval", "readonly": False, "value": "5"}]
    assert names(s.answers("charger", configurationKey=pairs, unknownKey=["Vendor.Key"])) == [
        "OCPPCommCtrlr.HeartbeatInterval",
        "TxCtrlr.TxStartPoint",
    ]


def test_all_variables_on_all_tiers_of_a_component() -> None:
    left = get_report(Station(), componentVariable=[{"component": {"name": "Connector"}}])
    assert left[-1][1] == "GetConfiguration"
    left = get_report(
        Station(), componentVariable=[{"component": {"name": "EVSE"}, "variable": {"name": "AvailabilityState"}}]
    )
    assert names(left) == ["EVSE.AvailabilityState"] * 2


@pytest.mark.parametrize("criterion", ["Problem", "Available", "Enabled", "Active"])
def test_criteria(criterion: str) -> None:
    s = Station()
    s.facts.connectors = {1: Connector(status="Faulted", errors={"X": "X"})}
    s.facts.keys_read_at = NOW
    left = get_report(s, componentCriteria=[criterion])
    found = names(left)
    assert ("EVSE.Power" in found) and (("ClockCtrlr.DateTime" in found) == (criterion != "Problem"))


@pytest.mark.parametrize(
    "selection",
    [
        {"componentVariable": [{"component": {"name": "TiltSensor"}}]},
        {"componentVariable": [{"component": {"name": "TxCtrlr"}, "variable": {"name": "No"}}]},
        {
            "componentVariable": [{"component": EVSE_2, "variable": {"name": "AvailabilityState"}}],
            "componentCriteria": ["Problem"],
        },
    ],
)
def test_nothing_to_report(selection: Any) -> None:
    assert get_report(Station(), **selection) == answered(status="EmptyResultSet")


# Monitors


def monitor(**changes: Any) -> dict[str, Any]:
    variable = {"name": "AvailabilityState"}
    return {"value": 1, "type": "Delta", "severity": 6, "component": EVSE_2, "variable": variable} | changes


def set_monitors(s: Station, *items: dict[str, Any]) -> list[Any]:
    left = s.csms("SetVariableMonitoring", setMonitoringData=list(items))
    return [(each["status"], each.get("id")) for each in left[0][2]["setMonitoringResult"]]


@pytest.mark.parametrize(
    ("component", "variable", "status"),
    [
        ({"name": "RCD", "evse": {"id": 1}}, "Tripped", "Accepted"),
        ({"name": "RCD", "evse": {"id": 9}}, "Tripped", "UnknownComponent"),
        ({"name": "ConnectorPlugRetentionLock", "evse": {"id": 1, "connectorId": 1}}, "Problem", "Accepted"),
        ({"name": "ConnectorPlugRetentionLock", "evse": {"id": 1, "connectorId": 2}}, "Problem", "UnknownComponent"),
        ({"name": "Controller", "evse": {"id": 1}}, "Problem", "UnknownComponent"),
        ({"name": "Controller"}, "Problem", "Accepted"),
    ],
)
def test_monitors_on_what_faults_tell_of(component: Any, variable: str, status: str) -> None:
    place = monitor(component=component, variable={"name": variable})
    assert set_monitors(Station(), place) == [(status, 2 if status == "Accepted" else None)]


def test_monitors_on_what_the_charger_measures() -> None:
    s = Station()
    soc = monitor(
        component={"name": "ConnectedEV", "evse": {"id": 1}}, variable={"name": "StateOfCharge"}, type="Periodic"
    )
    volts = monitor(variable={"name": "ACVoltage"}, type="UpperThreshold", value=250)
    s.facts.keys["MeterValuesSampledData"] = Key("Voltage.L1,Current.Import", readonly=False)
    assert set_monitors(s, soc) == [("Accepted", 2)]  # it may be among the clock-aligned ones
    s.facts.keys["MeterValuesAlignedData"] = Key("", readonly=False)
    soc["severity"] = 1
    assert set_monitors(s, soc, volts) == [("UnsupportedMonitorType", None), ("Accepted", 3)]


def test_monitors() -> None:
    s = Station()
    assert set_monitors(
        s,
        monitor(),
        monitor(),
        monitor(severity=5),
        monitor(type="UpperThreshold"),
        monitor(variable={"name": "Power"}, type="UpperThreshold", value=11000),
        monitor(variable={"name": "Power"}),
        monitor(component={"name": "TiltSensor"}),
        monitor(component={"name": "TxCtrlr"}, variable={"name": "No"}),
        monitor(component={"name": "ClockCtrlr"}, variable={"name": "DateTime"}),
        monitor(id=77),
        monitor(id=3, severity=1),
        monitor(severity=11),
    ) == [
        ("Accepted", 2),
        ("Duplicate", None),
        ("Accepted", 3),
        ("UnsupportedMonitorType", None),
        ("Accepted", 4),
        ("UnsupportedMonitorType", None),
        ("UnknownComponent", None),
        ("UnknownVariable", None),
        ("UnsupportedMonitorType", None),
        ("Rejected", None),
        ("Accepted", 3),
        ("Rejected", None),
    ]
    left = s.csms("GetMonitoringReport", requestId=1, monitoringCriteria=["DeltaMonitoring"])
    listed = [each["id"] for data in left[1][2]["monitor"] for each in data["variableMonitoring"]]
    assert sorted(listed) == [1, 2, 3]
    s.answers("csms")
    left = s.csms("ClearVariableMonitoring", id=[1, 2, 9])
    assert [each["status"] for each in left[0][2]["clearMonitoringResult"]] == ["Rejected", "Accepted", "NotFound"]
    s.csms("SetMonitoringBase", monitoringBase="FactoryDefault")
    left = s.csms("GetMonitoringReport", requestId=1, monitoringCriteria=["ThresholdMonitoring"])
    assert left == answered(status="EmptyResultSet")
    assert s.csms("SetMonitoringLevel", severity=10) == answered(status="Rejected")


# CustomerInformation


def customer(s: Station, **members: Any) -> list[Any]:
    return s.csms("CustomerInformation", **({"requestId": 8, "report": True, "clear": False} | members))


def test_a_customer_in_parts() -> None:
    s = Station()
    for _ in range(9):
        s.transaction(state="ended")
    s.facts.authorizations["04a1b2c3"] = Authorization(info={"status": "Accepted"}, at=NOW)
    left = customer(s, idToken={"idToken": "04A1B2C3", "type": "ISO14443"})
    parts = []
    while left and left[-1][1] == "NotifyCustomerInformation":
        parts.append(left[-1][2])
        left = s.answers("csms")
    assert [part["seqNo"] for part in parts] == [0, 1]
    assert [part.get("tbc") for part in parts] == [True, None]
    assert "".join(part["data"] for part in parts).count("transaction: ") == 9


def test_a_customer_is_cleared() -> None:
    s = Station()
    s.transaction(state="ended")
    s.facts.authorizations["04a1b2c3"] = Authorization(info={"status": "Accepted"}, at=NOW)
    left = customer(s, clear=True, report=False, customerIdentifier="04A1B2C3")
    assert left == [("csms", "answer", {"status": "Accepted"}), ("charger", "ClearCache", {})]
    told = {"requestId": 8, "seqNo": 0, "generatedAt": "2025-03-01T10:00:00Z", "data": "cleared"}
    assert s.refuses("charger", "NotSupported") == [("csms", "NotifyCustomerInformation", told)]
    s.answers("csms")
    assert not s.facts.authorizations
    assert s.facts.ended[0].id_tag == ""
    assert customer(s, customerIdentifier="04A1B2C3")[1][2]["data"] == "no data"


def test_the_token_of_a_customer_is_remembered() -> None:
    s = Station()
    token = {"idToken": "Ab", "type": "eMAID"}
    assert customer(s, idToken=token)[1][2]["data"] == "no data"
    s.answers("csms")
    assert s.charger("Authorize", idTag="AB")[0][2] == {"idToken": token}
    s = Station()
    customer(s, idToken=token, report=False, clear=True)
    assert not s.facts.tokens


def test_customer_references() -> None:
    s = Station()
    token = {"idToken": "A", "type": "Central"}
    assert customer(s) == answered(status="Invalid")
    assert customer(s, idToken=token, customerIdentifier="A") == answered(status="Invalid")
    assert customer(s, idToken=token, report=False) == answered(status="Rejected")


# Costs and transactions


@pytest.mark.parametrize(
    ("state", "charged", "shown"),
    [
        ("Charging", True, "Charging"),
        ("SuspendedEV", True, "Idle"),
        ("EVConnected", True, "Idle"),
        ("EVConnected", False, "Charging"),
        ("SuspendedEVSE", True, "Charging"),
    ],
)
def test_running_cost(state: str, charged: bool, shown: str) -> None:
    s = Station(features=("costmsg",))
    running = s.transaction(register_wh="1500", charging_state=state, charged=charged)
    left = s.csms("CostUpdated", totalCost=1.50, transactionId=running.uuid)
    assert (left[0][2]["vendorId"], left[0][2]["messageId"]) == (COST_VENDOR, "RunningCost")
    assert json.loads(left[0][2]["data"]) == {
        "transactionId": running.tid,
        "timestamp": "2025-03-01T10:00:00Z",
        "meterValue": 1500,
        "cost": 1.5,
        "state": shown,
    }
    assert s.answers("charger", status="Accepted") == answered()


def test_a_charger_without_a_price_display() -> None:
    assert Station().csms("CostUpdated", totalCost=1, transactionId="x") == [("csms", "NotSupported", None)]


def test_transaction_status() -> None:
    s = Station()
    starting = s.transaction(state="starting")
    left = s.csms("GetTransactionStatus", transactionId=starting.uuid)
    assert left == answered(ongoingIndicator=True, messagesInQueue=True)
    assert s.csms("GetTransactionStatus") == answered(messagesInQueue=True)
    s.ends(starting)
    left = s.csms("GetTransactionStatus", transactionId=starting.uuid)
    assert left == answered(ongoingIndicator=False, messagesInQueue=False)


# What no 1.6 charger does


@pytest.mark.parametrize(
    ("action", "request_", "answer"),
    [
        ("ClearDisplayMessage", {"id": 1}, {"status": "Unknown"}),
        ("GetDisplayMessages", {"requestId": 1}, {"status": "Unknown"}),
        ("UnpublishFirmware", {"checksum": "0" * 32}, {"status": "NoFirmware"}),
    ],
)
def test_without_a_counterpart(action: str, request_: Any, answer: Any) -> None:
    assert Station().call("csms", action, request_) == answered(**answer)


def test_publishing_firmware() -> None:
    left = Station().csms("PublishFirmware", location="https://x", checksum="0" * 32, requestId=1)
    assert left == rejected("UnsupportedRequest")


def test_every_action_of_the_csms_has_a_row() -> None:
    assert PAIR.from_csms.keys() == v201.FROM_CSMS


def test_an_unknown_action() -> None:
    s = Station()
    assert s.csms("MakeCoffee") == [("csms", "NotImplemented", None)]
    assert s.csms("Heartbeat") == [("csms", "NotSupported", None)]
