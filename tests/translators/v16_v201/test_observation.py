"""Custom monitors on what the charger reports (spec 5.24)."""

from __future__ import annotations

from typing import Any

import pytest

from .conversation import AT, Charger, ended, status_of, stop, to_csms, updated
from .station import Station
from .test_metering import PERIODIC, element, meters, raw


def monitor(c: Charger, component: Any, variable: str, kind: str, value: float = 1, **more: Any) -> None:
    item = {"value": value, "type": kind, "severity": 5, "component": component, "variable": {"name": variable}, **more}
    c.count += 1
    left = c.play.feed("csms", [2, f"s{c.count}", "SetVariableMonitoring", {"setMonitoringData": [item]}])
    assert left[0][1][2]["setMonitoringResult"][0]["status"] == "Accepted"


def event(component: Any, variable: str, trigger: str, value: str, minute: int = 0, **more: Any) -> Any:
    data = {
        "eventId": "$int",
        "timestamp": AT.format(minute),
        "trigger": trigger,
        "actualValue": value,
        "eventNotificationType": "CustomMonitor",
        "variableMonitoringId": 2,
        "component": component,
        "variable": {"name": variable},
        **more,
    }
    return to_csms("NotifyEvent", {"generatedAt": "$now", "seqNo": 0, "eventData": [data]})


EVSE = {"name": "EVSE", "evse": {"id": 1}}


@pytest.mark.parametrize("component", [EVSE, {"name": "Connector", "evse": {"id": 1, "connectorId": 1}}])
def test_a_change_of_availability(component: Any) -> None:
    c = Charger()
    c.reported(1, "Available", "Available")
    monitor(c, component, "AvailabilityState", "Delta")
    c.reported(2, "Unavailable", "Unavailable")
    c.status(1, "Preparing", status_of(1, "Occupied"))
    c.hears({}, c.answer({}), event(component, "AvailabilityState", "Delta", "Occupied"))
    c.hears({})
    c.local("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Charging"}, {})


def test_a_severity_beyond_the_level_is_silent() -> None:
    c = Charger()
    monitor(c, EVSE, "AvailabilityState", "Delta")
    c.play.step("csms", [2, "s", "SetMonitoringLevel", {"severity": 4}], ("csms", [3, "s", {"status": "Accepted"}]))
    c.reported(1, "Available", "Available")


def test_a_fault() -> None:
    c = Charger()
    reader = {"name": "TokenReader"}
    monitor(c, reader, "Problem", "Delta")
    c.reported(1, "Available", "Available")
    c.status(1, "Available", to_csms("NotifyEvent", "$any"), errorCode="ReaderFailure")  # type: ignore[arg-type]
    c.hears({}, c.answer({}), event(reader, "Problem", "Delta", "true"))
    c.hears({})
    c.status(1, "Available", to_csms("NotifyEvent", "$any"))  # type: ignore[arg-type]
    c.hears({}, c.answer({}), event(reader, "Problem", "Delta", "false"))
    c.hears({})


def test_a_threshold_is_told_when_it_is_passed_and_when_it_is_over() -> None:
    c = Charger()
    c.starts()
    monitor(c, EVSE, "Power", "UpperThreshold", 11_000, transaction=True)
    steps = [(1, "10", None), (2, "11.5", {}), (3, "12", None), (4, "9", {"cleared": True})]
    for seq, value, told in steps:
        sample = raw(value, measurand="Power.Active.Import", unit="kW")
        known = {"value": float(value), "measurand": "Power.Active.Import", "unitOfMeasure": {"unit": "kW"}}
        c.says(
            "MeterValues",
            meters(element(seq, sample)),
            updated(seq, seq, reason=PERIODIC, meterValue=[element(seq, known)]),
        )
        if told is None:
            c.hears({}, c.answer({}))
        else:
            watts = f"{float(value) * 1000:g}" if seq != 2 else "11500.0"
            c.hears({}, c.answer({}), event(EVSE, "Power", "Alerting", watts, seq, transactionId="$uuid:tx1", **told))
            c.hears({})
    c.passes("StopTransaction", stop(), ended(5), {}, {})
    hot = meters(element(21, raw("12000", measurand="Power.Active.Import")), tid=None)
    c.says("MeterValues", hot, to_csms("MeterValues", "$any"))  # type: ignore[arg-type]
    c.hears({}, c.answer({}))


def test_a_value_from_time_to_time() -> None:
    c = Charger()
    monitor(c, EVSE, "EnergyImportRegister", "Periodic", 60)
    for seconds, told in ((0, True), (59, False), (1, True)):
        c.play.clock += seconds * 1000
        c.says("MeterValues", meters(element(5, raw("1")), tid=None), to_csms("MeterValues", "$any"))  # type: ignore[arg-type]
        expected = [event(EVSE, "EnergyImportRegister", "Periodic", "1", 5)] if told else []
        c.hears({}, c.answer({}), *expected)
        if told:
            c.hears({})


def test_the_availability_of_an_evse_with_two_connectors() -> None:
    s = Station(topology={"1": (1, 1), "2": (1, 2)})
    watched = {"component": EVSE, "variable": {"name": "AvailabilityState"}, "type": "Delta", "value": 1, "severity": 5}
    s.csms("SetVariableMonitoring", setMonitoringData=[watched])

    def events(connector: int, status: str) -> list[str]:
        left = s.charger("StatusNotification", connectorId=connector, status=status, errorCode="NoError")
        values = []
        while calls := [each for each in left if each[0] == "csms"]:
            values += [each["actualValue"] for _, _, payload in calls for each in payload.get("eventData", [])]
            left = s.answers("csms")
        return values

    told = [
        (1, "Charging"),
        (2, "Available"),
        (2, "Unavailable"),
        (1, "Available"),
        (1, "Unavailable"),
        (2, "Available"),
    ]
    assert [events(*each) for each in told] == [["Occupied"], [], [], ["Available"], ["Unavailable"], ["Available"]]
