"""Spec 2.5 row by row: the status of a 1.6 connector against ConnectorStatus and chargingState, both ways."""

from __future__ import annotations

from typing import Any

import pytest

from tests.translators.saying import Said, Saying, calls

AT = "2026-03-01T10:{:02d}:00Z"
CHANGED = "ChargingStateChanged"
LOST = "EVCommunicationLost"

UP: list[tuple[str, str, str, str, str]] = [
    # 1.6 status, what it was in before, ConnectorStatus, chargingState of the open transaction ("": unchanged), trigger
    ("Available", "Preparing", "Available", "Idle", CHANGED),
    ("Available", "Charging", "Available", "Idle", LOST),
    ("Preparing", "Charging", "Occupied", "EVConnected", CHANGED),
    ("Charging", "Preparing", "Occupied", "Charging", CHANGED),
    ("SuspendedEV", "Charging", "Occupied", "SuspendedEV", CHANGED),
    ("SuspendedEVSE", "Charging", "Occupied", "SuspendedEVSE", CHANGED),
    ("Finishing", "Charging", "Occupied", "EVConnected", CHANGED),
    ("Reserved", "Charging", "Reserved", "", ""),
    ("Unavailable", "Charging", "Unavailable", "", ""),
    ("Faulted", "Charging", "Faulted", "SuspendedEVSE", "AbnormalCondition"),
    ("Faulted", "SuspendedEV", "Faulted", "SuspendedEVSE", "AbnormalCondition"),
    ("Faulted", "Preparing", "Faulted", "", "AbnormalCondition"),
]


def start(connector: int = 1) -> dict[str, Any]:
    return {"connectorId": connector, "idTag": "ABC", "meterStart": 5, "timestamp": AT.format(0)}


def status(now: str, connector: int = 1, minute: int = 5, **more: Any) -> dict[str, Any]:
    return {"connectorId": connector, "errorCode": "NoError", "status": now, "timestamp": AT.format(minute), **more}


@pytest.mark.parametrize(("now", "before", "told", "state", "trigger"), UP)
def test_a_status_with_a_transaction(now: str, before: str, told: str, state: str, trigger: str) -> None:
    s = Saying("1.6", "2.0.1")
    s.charger("StatusNotification", status("Preparing", minute=0))
    s.charger("StartTransaction", start())
    if before != "Preparing":
        s.charger("StatusNotification", status(before, minute=4))
    left = s.charger("StatusNotification", status(now))
    statuses = [each["connectorStatus"] for each in calls(left, "csms", "StatusNotification")]
    assert statuses == ([told] if told != "Occupied" else [])
    events = calls(left, "csms", "TransactionEvent")
    assert [each["triggerReason"] for each in events] == ([trigger] if trigger and (state or now == "Faulted") else [])
    assert [each["transactionInfo"].get("chargingState", "") for each in events] == ([state] if events else [])


@pytest.mark.parametrize(("now", "before", "told", "state", "trigger"), UP)
def test_a_status_without_a_transaction(now: str, before: str, told: str, state: str, trigger: str) -> None:
    s = Saying("1.6", "2.0.1")
    [only] = calls(s.charger("StatusNotification", status(now)), "csms")
    assert only == (
        "StatusNotification",
        {"timestamp": AT.format(5), "connectorStatus": told, "evseId": 1, "connectorId": 1},
    )
    assert calls(s.charger("StatusNotification", status(now, minute=6)), "csms") == []


def test_an_ev_that_disconnected_its_side_of_the_cable() -> None:
    s = Saying("1.6", "2.0.1")
    s.charger("StartTransaction", start())
    s.charger("StatusNotification", status("Charging", minute=4))
    [event] = calls(
        s.charger("StatusNotification", status("SuspendedEV", info="EV side disconnected")), "csms", "TransactionEvent"
    )
    assert (event["triggerReason"], event["transactionInfo"]["chargingState"]) == (LOST, "Idle")


@pytest.mark.parametrize("now", ["Available", "Unavailable", "Faulted"])
def test_the_status_of_the_station(now: str) -> None:
    s = Saying("1.6", "2.0.1")
    left = s.charger("StatusNotification", status(now, connector=0))
    events = [each for call in calls(left, "csms", "NotifyEvent") for each in call["eventData"]]
    assert {each["component"]["name"] for each in events} == {"ChargingStation"}
    states = [each for each in events if each["variable"]["name"] == "AvailabilityState"]
    assert [(each["actualValue"], each["trigger"], each["eventNotificationType"]) for each in states] == [
        (now, "Delta", "HardWiredMonitor")
    ]
    assert [each["actualValue"] for each in events if each["variable"]["name"] == "Problem"] == (
        ["true"] if now == "Faulted" else []
    )
    assert calls(s.charger("StatusNotification", status(now, connector=0)), "csms") == []


def event(kind: str, seq: int, state: str, trigger: str = CHANGED, **more: Any) -> dict[str, Any]:
    payload: dict[str, Any] = {
        "eventType": kind,
        "timestamp": AT.format(10 + seq),
        "triggerReason": trigger,
        "seqNo": seq,
        "transactionInfo": {"transactionId": "T", **({"chargingState": state} if state else {}), **more},
    }
    if kind == "Started":
        sample = {"value": 5, "context": "Transaction.Begin"}
        payload |= {
            "evse": {"id": 1, "connectorId": 1},
            "idToken": {"idToken": "ABC", "type": "Central"},
            "meterValue": [{"timestamp": AT.format(10), "sampledValue": [sample]}],
        }
    return payload


def reported(now: str, minute: int = 5) -> dict[str, Any]:
    return {"timestamp": AT.format(minute), "connectorStatus": now, "evseId": 1, "connectorId": 1}


def told(said: list[Said]) -> list[str]:
    return [each["status"] for each in calls(said, "csms", "StatusNotification")]


STARTED = ("start", "EVConnected")
"""Started and authorised: the 1.6 transaction has begun."""
DOWN: list[tuple[str, list[tuple[str, str]], tuple[str, str], list[str]]] = [
    # row, what came before, what comes, the statuses that leave
    ("Available", [("status", "Occupied")], ("status", "Available"), ["Available"]),
    ("Reserved", [], ("status", "Reserved"), ["Reserved"]),
    ("Unavailable", [], ("status", "Unavailable"), ["Unavailable"]),
    ("Faulted", [], ("status", "Faulted"), ["Faulted"]),
    ("Occupied, idle", [], ("status", "Occupied"), ["Preparing"]),
    ("Occupied, finishing", [STARTED, ("Ended", "EVConnected")], ("status", "Occupied"), []),
    ("not yet started: EVConnected", [("nobody", "EVConnected")], ("status", "Occupied"), ["Preparing"]),
    ("not yet started: Idle", [("status", "Occupied")], ("start", "Idle"), []),
    ("started, EVConnected", [("status", "Occupied")], STARTED, []),
    ("Charging", [STARTED], ("Updated", "Charging"), ["Charging"]),
    ("SuspendedEV", [STARTED, ("Updated", "Charging")], ("Updated", "SuspendedEV"), ["SuspendedEV"]),
    ("SuspendedEVSE", [STARTED], ("Updated", "SuspendedEVSE"), ["SuspendedEVSE"]),
    ("was Charging", [STARTED, ("Updated", "Charging")], ("Updated", "EVConnected"), ["SuspendedEV"]),
    ("deauthorised", [STARTED, ("Updated", "Charging")], ("Deauthorized", "EVConnected"), ["Finishing"]),
    ("stop authorised", [STARTED, ("Updated", "Charging")], ("StopAuthorized", "EVConnected"), ["Finishing"]),
    ("Idle", [STARTED, ("Updated", "Charging")], ("Updated", "Idle"), ["SuspendedEV"]),
    ("Ended", [STARTED, ("Updated", "Charging")], ("Ended", "EVConnected"), ["Finishing"]),
    ("Ended, Idle", [STARTED, ("Updated", "Charging")], ("Ended", "Idle"), ["Finishing"]),
]


@pytest.mark.parametrize(("before", "now", "statuses"), [pytest.param(*row[1:], id=row[0]) for row in DOWN])
def test_a_state_of_a_2_0_1_connector(before: list[tuple[str, str]], now: tuple[str, str], statuses: list[str]) -> None:
    s = Saying("2.0.1", "1.6")
    for seq, each in enumerate(before):
        happens(s, seq, *each)
    assert told(happens(s, len(before), *now)) == statuses


def happens(s: Saying, seq: int, what: str, state: str) -> list[Said]:
    match what:
        case "status":
            return s.charger("StatusNotification", reported(state, seq))
        case "start":
            return s.charger("TransactionEvent", event("Started", seq, state, "Authorized"))
        case "nobody":
            given = event("Started", seq, state, "CablePluggedIn")
            del given["idToken"]
            return s.charger("TransactionEvent", given)
        case "Ended":
            return s.charger("TransactionEvent", event("Ended", seq, state, stoppedReason="Local"))
        case "Updated":
            return s.charger("TransactionEvent", event("Updated", seq, state))
    return s.charger("TransactionEvent", event("Updated", seq, state, what))


def test_a_vehicle_that_left_says_so() -> None:
    s = Saying("2.0.1", "1.6")
    happens(s, 0, *STARTED)
    happens(s, 1, "Updated", "Charging")
    [told] = calls(happens(s, 2, "Updated", "Idle"), "csms", "StatusNotification")
    assert (told["status"], told["info"]) == ("SuspendedEV", "EV side disconnected")


def test_after_the_end_the_connector_is_available_when_the_charger_says_so() -> None:
    s = Saying("2.0.1", "1.6")
    happens(s, 0, *STARTED)
    happens(s, 1, "Updated", "Charging")
    assert told(happens(s, 2, "Ended", "Idle")) == ["Finishing"]
    assert told(happens(s, 3, "status", "Available")) == ["Available"]
    assert told(happens(s, 4, "status", "Occupied")) == ["Preparing"]


def test_connector_0_of_a_2_0_1_station() -> None:
    s = Saying("2.0.1", "1.6")
    boot = {"reason": "PowerUp", "chargingStation": {"vendorName": "V", "model": "M"}}
    assert told(s.charger("BootNotification", boot)) == ["Available"]
    s.csms("ChangeAvailability", {"connectorId": 0, "type": "Inoperative"})
    assert [(each["connectorId"], each["status"]) for each in calls(s.heard, "csms", "StatusNotification")] == [
        (0, "Available"),
        (0, "Unavailable"),
    ]
    problem = {
        "eventId": 1,
        "timestamp": AT.format(1),
        "trigger": "Alerting",
        "actualValue": "true",
        "eventNotificationType": "HardWiredNotification",
        "component": {"name": "ChargingStation"},
        "variable": {"name": "Problem"},
    }
    left = s.charger("NotifyEvent", {"generatedAt": AT.format(1), "seqNo": 0, "eventData": [problem]})
    assert [(each["connectorId"], each["status"]) for each in calls(left, "csms", "StatusNotification")] == [
        (0, "Faulted")
    ]
    cleared = {**problem, "eventId": 2, "actualValue": "false", "cleared": True}
    left = s.charger("NotifyEvent", {"generatedAt": AT.format(2), "seqNo": 0, "eventData": [cleared]})
    assert told(left) == ["Unavailable"]
    s.csms("ChangeAvailability", {"connectorId": 0, "type": "Operative"})
    assert told(s.heard)[-1] == "Available"
