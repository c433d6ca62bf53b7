"""StatusNotification: connector status, charging state, faults (spec 2.5, 2.6, 4.4)."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from translators.faults import FAULTS
from translators.losses import Loss
from translators.models import v16
from translators.values import CHARGING_STATE, CONNECTOR_STATUS

from .conversation import AT, Charger, status_of, to_csms, updated


def event(**more: Any) -> Any:
    return to_csms("NotifyEvent", {"generatedAt": "$now", "seqNo": 0, "eventData": [{"eventId": "$int", **more}]})


def alert(component: str, variable: str, code: str, evse: dict[str, int] | None = None, **more: Any) -> Any:
    return event(
        timestamp=AT.format(0),
        trigger="Alerting",
        actualValue="false" if more.get("cleared") else "true",
        techCode=code,
        eventNotificationType="HardWiredNotification",
        component={"name": component, **({"evse": evse} if evse else {})},
        variable={"name": variable},
        **more,
    )


@pytest.mark.parametrize("status", get_args(v16.ChargePointStatus))
def test_every_status_without_a_transaction(status: v16.ChargePointStatus) -> None:
    c = Charger()
    c.reported(2, status, CONNECTOR_STATUS[status])
    c.status(2, status, c_answer(c))
    assert (Loss("status", "folded") in c.play.losses) is (CONNECTOR_STATUS[status] != status)


def c_answer(c: Charger) -> Any:
    """The local answer to the CALL about to be sent."""
    return "charger", [3, f"c{c.count + 1}", {}]


@pytest.mark.parametrize("status", get_args(v16.ChargePointStatus))
def test_every_status_with_a_transaction(status: v16.ChargePointStatus) -> None:
    c = Charger()
    c.reported(1, "Charging", "Occupied")
    c.starts(state="Charging")
    connector, state = CONNECTOR_STATUS[status], CHARGING_STATE.get(status)
    reason = "EVCommunicationLost" if status == "Available" else "ChargingStateChanged"
    if status == "Faulted":
        state, reason = "SuspendedEVSE", "AbnormalCondition"
    change = [updated(1, reason=reason, state=state)] if state not in (None, "Charging") else []
    if connector != "Occupied":
        c.status(1, status, status_of(1, connector))
        c.hears({}, c.answer({}), *change)
    elif change:
        c.status(1, status, *change)
        c.hears({}, c.answer({}))
    else:
        c.status(1, status, c_answer(c))


def test_an_ev_that_left_the_cable() -> None:
    c = Charger()
    c.reported(1, "Preparing", "Occupied")
    c.starts()
    c.status(1, "SuspendedEV", updated(1, reason="EVCommunicationLost", state="Idle"), info="EV side disconnected")
    c.hears({}, c.answer({}))
    c.status(1, "Available", status_of(1, "Available"))
    c.hears({}, c.answer({}))  # told Idle already


def test_a_fault_is_told_once_until_it_is_over() -> None:
    c = Charger()
    c.reported(1, "Preparing", "Occupied")
    c.starts()
    for seq in (1, 3):
        c.status(1, "Faulted", status_of(1, "Faulted"))
        c.hears({}, c.answer({}), updated(seq, reason="AbnormalCondition"))
        c.hears({})
        c.status(1, "Faulted", c_answer(c))
        if seq == 1:
            c.status(1, "Charging", status_of(1, "Occupied"))
            c.hears({}, c.answer({}), updated(2, state="Charging"))
            c.hears({})
            c.play.facts.transactions[0].charging_state = "EVConnected"


def test_the_status_is_news_after_a_boot_and_when_asked_for() -> None:
    c = Charger()
    c.reported(1, "Available", "Available")
    c.play.facts.triggers = {"StatusNotification:1": c.play.clock + 60_000}
    c.reported(1, "Available", "Available")
    c.status(1, "Available", c_answer(c))
    boot = {"chargePointVendor": "A", "chargePointModel": "B"}
    c.says("BootNotification", boot, to_csms("BootNotification", "$any"))  # type: ignore[arg-type]
    accepted = {"currentTime": AT.format(0), "interval": 300, "status": "Accepted"}
    c.hears(accepted, c.answer(accepted))
    c.reported(1, "Available", "Available")


def test_what_the_csms_did_not_take_is_told_again() -> None:
    c = Charger()
    c.status(1, "Available", status_of(1, "Available"))
    c.refused("InternalError", c.error("InternalError"))
    c.reported(1, "Available", "Available")


PLACES = {
    "ConnectorLockFailure": {"id": 2, "connectorId": 1},
    "OtherError": {"id": 2, "connectorId": 1},
    "EVCommunicationError": {"id": 2},
    "GroundFailure": {"id": 2},
    "HighTemperature": {"id": 2},
    "OverCurrentFailure": {"id": 2},
    "PowerMeterFailure": {"id": 2},
    "PowerSwitchFailure": {"id": 2},
}


@pytest.mark.parametrize("code", FAULTS)
def test_every_error_comes_and_goes(code: v16.ChargePointErrorCode) -> None:
    c = Charger()
    place, where = FAULTS[code], PLACES.get(code)
    c.status(2, "Faulted", status_of(2, "Faulted"), errorCode=code)
    c.hears({}, c.answer({}), alert(place.component, place.variable, code, where))
    c.hears({})
    c.status(2, "Faulted", c_answer(c), errorCode=code)
    c.status(2, "Available", status_of(2, "Available"))
    c.hears({}, c.answer({}), alert(place.component, place.variable, code, where, cleared=True))
    c.hears({})
    assert c.play.facts.connectors[2].errors == {}


def test_errors_add_up_and_are_cleared_together() -> None:
    c = Charger()
    c.reported(1, "Available", "Available")
    # An error without a status that is news: its event is what the answer waits for.
    c.status(
        1,
        "Available",
        alert("TokenReader", "Problem", "ReaderFailure", techInfo="dirty"),
        errorCode="ReaderFailure",
        info="dirty",
    )
    c.hears({}, c.answer({}))
    weak = alert("DataLink", "Problem", "E7", techInfo="WeakSignal")
    c.status(1, "Available", weak, errorCode="WeakSignal", vendorErrorCode="E7")
    c.hears({}, c.answer({}))
    c.status(1, "Available", alert("TokenReader", "Problem", "ReaderFailure", cleared=True))
    c.hears({}, c.answer({}), alert("DataLink", "Problem", "E7", cleared=True))
    c.hears({})
    c.status(1, "Available", c_answer(c))


def test_an_error_during_a_transaction_names_it() -> None:
    c = Charger()
    c.reported(1, "Preparing", "Occupied")
    c.starts()
    c.status(
        1,
        "Preparing",
        alert("TokenReader", "Problem", "ReaderFailure", transactionId="$uuid:tx1"),
        errorCode="ReaderFailure",
    )
    c.hears({}, c.answer({}))


def test_an_error_code_nobody_knows() -> None:
    c = Charger()
    c.status(1, "Faulted", status_of(1, "Faulted"), errorCode="Error")
    problem = alert("Connector", "Problem", "Error", {"id": 1, "connectorId": 1}, techInfo="OtherError")
    c.hears({}, c.answer({}), problem)


def test_a_status_nobody_knows() -> None:
    c = Charger()
    c.status(1, "Broken", ("charger", [4, "c1", "PropertyConstraintViolation", "$any", "$any"]))
    c.reported(1, "Occupied", "Occupied")


def availability(now: str) -> Any:
    return event(
        timestamp=AT.format(0),
        trigger="Delta",
        actualValue=now,
        eventNotificationType="HardWiredMonitor",
        variableMonitoringId=1,
        component={"name": "ChargingStation"},
        variable={"name": "AvailabilityState"},
    )


def test_the_whole_station() -> None:
    c = Charger()
    c.status(0, "Available", availability("Available"))
    c.hears({}, c.answer({}))
    c.status(0, "Available", c_answer(c))
    c.status(0, "Faulted", availability("Faulted"), errorCode="InternalError")
    c.hears({}, c.answer({}), alert("Controller", "Problem", "InternalError"))
    c.hears({}, alert("ChargingStation", "Problem", "InternalError"))
    c.hears({})
    c.status(0, "Unavailable", availability("Unavailable"))
    c.hears({}, c.answer({}), alert("Controller", "Problem", "InternalError", cleared=True))
    c.hears({}, alert("ChargingStation", "Problem", "InternalError", cleared=True))
    c.hears({})


def test_the_station_below_the_monitoring_level() -> None:
    c = Charger()
    c.status(0, "Available", availability("Available"))
    c.hears({}, c.answer({}))
    set_level = "SetMonitoringLevel"
    c.play.step("csms", [2, "s1", set_level, {"severity": 7}], ("csms", [3, "s1", {"status": "Accepted"}]))
    c.status(0, "Unavailable", c_answer(c))
    c.status(0, "Faulted", alert("ChargingStation", "Problem", "OtherError"), errorCode="OtherError")  # is always told
    c.hears({}, c.answer({}))
    c.play.step("csms", [2, "s2", set_level, {"severity": 8}], ("csms", [3, "s2", {"status": "Accepted"}]))
    c.status(0, "Faulted", c_answer(c), errorCode="OtherError")
    c.status(0, "Unavailable", availability("Unavailable"), errorCode="OtherError")


def test_another_error_of_the_station_is_its_own() -> None:
    c = Charger()
    c.status(0, "Faulted", availability("Faulted"), errorCode="OtherError")
    c.hears({}, c.answer({}), alert("ChargingStation", "Problem", "OtherError"))
    c.hears({})
    c.status(0, "Faulted", alert("TemperatureSensor", "Active", "HighTemperature"), errorCode="HighTemperature")
    c.hears({}, c.answer({}))


def test_event_ids_never_repeat() -> None:
    c = Charger()
    for number in range(3):
        left = c.play.feed(
            "charger",
            [
                2,
                f"s{number}",
                "StatusNotification",
                {"connectorId": 0, "errorCode": "NoError", "status": ("Available", "Unavailable")[number % 2]},
            ],
        )
        assert left[0][1][3]["eventData"][0]["eventId"] == number + 1
        c.play.feed("csms", [3, left[0][1][1], {}])


def test_members_without_a_place_are_lost_or_carried() -> None:
    c = Charger()
    c.reported(1, "Available", "Available", info="all well", vendorId="ACME")
    assert Loss("info", "dropped") in c.play.losses and Loss("vendorId", "dropped") in c.play.losses
    c = Charger(carry_lossy="customData", vendor_id="org.example.gw")
    custom = {"vendorId": "org.example.gw", "info": "all well", "status": "Preparing"}
    c.status(1, "Preparing", status_of(1, "Occupied", customData=custom), info="all well")
    c.hears({}, c.answer({}))
    assert not c.play.losses


def test_topology_gives_the_place() -> None:
    c = Charger(topology={"1": [1, 1], "2": [1, 2]})
    side, frame = status_of(1, "Available")
    frame[3]["connectorId"] = 2
    c.status(2, "Available", (side, frame))


def test_times_that_are_no_times() -> None:
    c = Charger()
    c.status(1, "Available", status_of(1, "Available", "2026-03-01T12:00:00Z"), timestamp="2022-02-29T07:02:33.000Z")
    c.hears({}, c.answer({}))
    assert Loss("timestamp", "defaulted") in c.play.losses
    c.status(2, "Available", status_of(2, "Available", "2026-03-01T08:00:00Z"), timestamp="2026-03-01T10:00:00+02")


@pytest.mark.parametrize("code", ["NotImplemented", "NotSupported", "InternalError"])
def test_a_csms_that_knows_no_events(code: str) -> None:
    c = Charger()
    told = event(
        timestamp=AT.format(0),
        trigger="Delta",
        actualValue="Unavailable",
        eventNotificationType="HardWiredMonitor",
        variableMonitoringId=1,
        component={"name": "ChargingStation"},
        variable={"name": "AvailabilityState"},
    )
    c.status(0, "Unavailable", told)
    c.refused(code, c.error(code) if code == "InternalError" else c.answer({}))
