"""Charging profiles on a 1.6 charger: what goes down, and what the gateway remembers of it."""

from __future__ import annotations

from typing import Any

import pytest

from .station import Station, answered, rejected

TWO_PLUGS = {"1": (1, 1), "2": (1, 2), "3": (2, 1)}


def profile(id: int = 1, purpose: str = "TxDefaultProfile", level: int = 0, **members: Any) -> dict[str, Any]:
    period = {"startPeriod": 0, "limit": 16, "numberPhases": 3}
    schedule = {"id": 9, "chargingRateUnit": "A", "chargingSchedulePeriod": [period], "minChargingRate": 6.06}
    return {
        "id": id,
        "stackLevel": level,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": [schedule | {"startSchedule": "2025-03-01T10:00:00Z", "duration": 600}],
    } | members


def install(s: Station, evse: int, **members: Any) -> list[Any]:
    left = s.csms("SetChargingProfile", evseId=evse, chargingProfile=profile(**members))
    while left[0][0] == "charger":
        left = s.answers("charger", status="Accepted")
    return left


def stored(s: Station, **criteria: Any) -> dict[int, list[int]]:
    """Ids per EVSE as GetChargingProfiles reports them."""
    evse = {"evseId": criteria.pop("evseId")} if "evseId" in criteria else {}
    left = s.csms("GetChargingProfiles", requestId=3, chargingProfile=criteria, **evse)
    found: dict[int, list[int]] = {}
    while left and left[-1][1] == "ReportChargingProfiles":
        report = left[-1][2]
        assert (report["requestId"], report["chargingLimitSource"]) == (3, "CSO")
        found.setdefault(report["evseId"], []).extend(each["id"] for each in report["chargingProfile"])
        left = s.answers("csms")
    if not found:
        assert left == answered(status="NoProfiles")
    return found


def test_fields() -> None:
    s = Station()
    left = s.csms("SetChargingProfile", evseId=0, chargingProfile=profile(purpose="ChargingStationMaxProfile"))
    assert left[0][2] == {
        "connectorId": 0,
        "csChargingProfiles": {
            "chargingProfileId": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": "ChargePointMaxProfile",
            "chargingProfileKind": "Absolute",
            "chargingSchedule": {
                "duration": 600,
                "startSchedule": "2025-03-01T10:00:00Z",
                "chargingRateUnit": "A",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16, "numberPhases": 3}],
                "minChargingRate": 6.0,
            },
        },
    }


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        ("Accepted", {"status": "Accepted"}),
        ("Rejected", {"status": "Rejected"}),
        ("NotSupported", {"status": "Rejected", "statusInfo": {"reasonCode": "UnsupportedRequest"}}),
    ],
)
def test_status(status: str, answer: Any) -> None:
    s = Station()
    s.csms("SetChargingProfile", evseId=1, chargingProfile=profile())
    assert s.answers("charger", status=status) == answered(**answer)
    assert stored(s) == ({1: [1]} if status == "Accepted" else {})


def test_every_connector_of_the_evse_gets_it() -> None:
    s = Station(topology=TWO_PLUGS)
    left = s.csms("SetChargingProfile", evseId=1, chargingProfile=profile())
    assert left[0][2]["connectorId"] == 1
    assert s.answers("charger", status="Accepted")[0][2]["connectorId"] == 2
    assert s.answers("charger", status="Rejected") == answered(status="Rejected")


def test_a_profile_of_a_transaction() -> None:
    s = Station(topology=TWO_PLUGS)
    running = s.transaction(2)
    request = profile(purpose="TxProfile", transactionId=running.uuid)
    left = s.csms("SetChargingProfile", evseId=1, chargingProfile=request)
    assert left[0][2]["connectorId"] == 2
    assert left[0][2]["csChargingProfiles"]["transactionId"] == running.tid
    s.answers("charger", status="Accepted")
    assert stored(s) == {1: [1]}
    s.ends(running)
    assert stored(s) == {}


@pytest.mark.parametrize(
    ("members", "evse", "reason"),
    [
        ({"purpose": "TxProfile", "transactionId": "x"}, 2, "TxNotFound"),
        ({"purpose": "TxProfile", "transactionId": "x"}, 1, "UnknownTxId"),
        ({"purpose": "ChargingStationExternalConstraints"}, 0, "InvalidProfile"),
        ({}, 9, "UnknownEvse"),
        ({"chargingSchedule": profile()["chargingSchedule"] * 2}, 1, "InvalidSchedule"),
    ],
)
def test_what_cannot_be_set(members: Any, evse: int, reason: str) -> None:
    s = Station()
    s.transaction(1)
    assert install(s, evse, **members) == rejected(reason)


def test_a_slot_holds_one_profile_as_on_the_charger() -> None:
    s = Station()
    install(s, 1, id=1)
    install(s, 1, id=2)
    install(s, 1, id=3, level=1)
    install(s, 2, id=4)
    assert stored(s) == {1: [2, 3], 2: [4]}
    install(s, 2, id=3, level=5)
    assert stored(s) == {1: [2], 2: [4, 3]}
    assert stored(s, evseId=2, stackLevel=5) == {2: [3]}
    assert stored(s, chargingProfileId=[2, 9]) == {1: [2]}
    assert stored(s, chargingProfilePurpose="TxProfile") == {}
    assert stored(s, chargingLimitSource=["EMS"]) == {}


@pytest.mark.parametrize(
    ("request_", "sent", "left_over"),
    [
        ({"chargingProfileId": 1}, {"id": 1}, {2: [2]}),
        ({"chargingProfileId": 1, "chargingProfileCriteria": {"stackLevel": 0}}, {"id": 1}, {2: [2]}),
        (
            {"chargingProfileCriteria": {"evseId": 2, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile"}},
            {"connectorId": 2, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile"},
            {1: [1]},
        ),
        ({"chargingProfileCriteria": {"evseId": 0}}, {"connectorId": 0}, {1: [1], 2: [2]}),
        ({}, {}, {}),
    ],
)
@pytest.mark.parametrize("status", ["Accepted", "Unknown"])
def test_clear(request_: Any, sent: Any, left_over: Any, status: str) -> None:
    s = Station()
    install(s, 1, id=1)
    install(s, 2, id=2)
    assert s.csms("ClearChargingProfile", **request_) == [("charger", "ClearChargingProfile", sent)]
    assert s.answers("charger", status=status) == answered(status=status)
    assert stored(s) == left_over


def test_what_cannot_be_cleared() -> None:
    s = Station()
    criteria = {"chargingProfilePurpose": "ChargingStationExternalConstraints"}
    assert s.csms("ClearChargingProfile", chargingProfileCriteria=criteria) == answered(status="Unknown")
    left = s.csms("ClearChargingProfile", chargingProfileCriteria={"evseId": 9})
    assert left == answered(status="Unknown", statusInfo={"reasonCode": "UnknownEvse"})


def test_composite_schedule_defaults() -> None:
    s = Station()
    s.csms("GetCompositeSchedule", evseId=0, duration=60)
    schedule = {"chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 1.5}]}
    assert s.answers("charger", status="Accepted", connectorId=0, chargingSchedule=schedule) == answered(
        status="Accepted",
        schedule={"evseId": 0, "duration": 60, "scheduleStart": "2025-03-01T10:00:00Z"} | schedule,
    )
    assert {("schedule.scheduleStart", "defaulted"), ("schedule.duration", "defaulted")} <= s.lost()


@pytest.mark.parametrize("answer", [{"status": "Rejected"}, {"status": "Accepted"}])
def test_no_composite_schedule(answer: Any) -> None:
    s = Station()
    s.csms("GetCompositeSchedule", evseId=1, duration=60)
    assert s.answers("charger", **answer) == answered(**answer)
    assert s.csms("GetCompositeSchedule", evseId=9, duration=60) == rejected("UnknownEvse")


def test_the_profile_of_a_remote_start_lives_with_its_transaction() -> None:
    s = Station()
    start = profile(purpose="TxProfile", chargingProfileKind="Relative")
    token = {"idToken": "APP", "type": "Central"}
    s.csms("RequestStartTransaction", remoteStartId=1, idToken=token, evseId=1, chargingProfile=start)
    s.answers("charger", status="Accepted")
    assert stored(s) == {1: [1]}
    running = s.transaction(1)
    s.facts.remote_starts.clear()
    assert stored(s) == {1: [1]}
    s.ends(running)
    assert stored(s) == {}
