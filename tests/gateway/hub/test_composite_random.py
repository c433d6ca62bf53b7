"""A charger that is told the minimum of two upstreams' profiles never allows more than either of them would."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.hub.schedules import Limit, plan, prevailing
from translators.values import format_time

from .test_arbiter import Bench

HOUR = 3_600_000
DAY = 24 * HOUR
BASE = 1_000_000_000_000
"""Where the bench's clock stands."""


@st.composite
def profiles(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(("Absolute", "Relative", "Recurring")))
    offsets = sorted(draw(st.sets(st.integers(1, 12), max_size=3)) | {0})
    schedule: dict[str, Any] = {
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [
            {"startPeriod": each * 3600, "limit": draw(st.integers(0, 32)), "numberPhases": draw(st.integers(1, 3))}
            for each in offsets
        ],
    }
    if kind != "Relative":
        schedule["startSchedule"] = format_time(BASE + draw(st.integers(-30, 30)) * HOUR)
    if draw(st.booleans()):
        schedule["duration"] = draw(st.integers(1, 20)) * 3600
    made: dict[str, Any] = {
        "chargingProfileId": draw(st.integers(1, 3)),
        "stackLevel": draw(st.integers(0, 2)),
        "chargingProfilePurpose": draw(st.sampled_from(("TxDefaultProfile", "TxDefaultProfile", "TxProfile"))),
        "chargingProfileKind": kind,
        "chargingSchedule": schedule,
    }
    if draw(st.booleans()):
        made["validFrom"] = format_time(BASE + draw(st.integers(-20, 20)) * HOUR)
    if draw(st.booleans()):
        made["validTo"] = format_time(BASE + draw(st.integers(21, 100)) * HOUR)
    if kind == "Recurring":
        made["recurrencyKind"] = "Daily"
    return made


class Installed:
    """Profiles as a charger keeps them: one per id, one per purpose, level and connector."""

    def __init__(self) -> None:
        self.kept: list[tuple[int, dict[str, Any]]] = []

    def install(self, place: int, profile: dict[str, Any]) -> None:
        def slot(at: int, each: dict[str, Any]) -> tuple[Any, ...]:
            return at, each["chargingProfilePurpose"], each["stackLevel"]

        self.kept = [
            (at, each)
            for at, each in self.kept
            if each["chargingProfileId"] != profile["chargingProfileId"] and slot(at, each) != slot(place, profile)
        ]
        self.kept.append((place, profile))

    def clear(self, id: int | None) -> None:
        self.kept = [(at, each) for at, each in self.kept if id not in (None, each["chargingProfileId"])]

    def limit(self, connector: int, time: int, began: int, *, transaction: bool) -> Limit | None:
        """Of a transaction that began at a time; `transaction`: the profiles for that transaction count."""
        for purpose in ("TxProfile", "TxDefaultProfile") if transaction else ("TxDefaultProfile",):
            found = prevailing(
                [
                    plan(each, each["chargingSchedule"], 2 * each["stackLevel"] + (at > 0), began)
                    for at, each in self.kept
                    if each["chargingProfilePurpose"] == purpose
                    and at in ((connector,) if purpose == "TxProfile" else (0, connector))
                ],
                time,
            )
            if found is not None:
                return found
        return None


steps = st.lists(
    st.tuples(
        st.sampled_from(("main", "ems")),
        st.integers(0, 2),
        profiles() | st.integers(1, 3),
    ),
    min_size=1,
    max_size=6,
)


@pytest.mark.parametrize("running", [False, True])
@settings(max_examples=200, deadline=None)
@given(steps, st.lists(st.integers(0, 8 * 24), min_size=6, max_size=6))
def test_never_more_than_either(running: bool, steps: list[tuple[str, int, Any]], hours: list[int]) -> None:
    bench = Bench(minimum=True)
    charger, wanted = Installed(), {"main": Installed(), "ems": Installed()}
    if running:
        bench.start(1, 41)
    for name, place, what in steps:
        if isinstance(what, int):
            bench.command(name, "ClearChargingProfile", {"id": what})
            wanted[name].clear(what)
            continue
        place = 1 if what["chargingProfilePurpose"] == "TxProfile" else place
        answer = bench.command(name, "SetChargingProfile", {"connectorId": place, "csChargingProfiles": what})
        if what["chargingProfilePurpose"] == "TxProfile" and not running:
            assert answer == {"status": "Rejected"}
        else:
            assert answer == {"status": "Accepted"}
            wanted[name].install(place, what)
    for action, payload in bench.asked:
        if action == "SetChargingProfile":
            charger.install(payload["connectorId"], payload["csChargingProfiles"])
        else:
            charger.clear(payload["id"])
    began = BASE
    for connector in (1, 2):
        mine = running and connector == 1
        for time in (BASE + each * HOUR for each in hours):
            got = charger.limit(connector, time, began, transaction=mine)
            for name, own in wanted.items():
                limit = own.limit(connector, time, began, transaction=mine)
                if limit is not None:
                    assert got is not None, (name, limit)
                    assert got.rate <= limit.rate and got.phases <= limit.phases, (name, got, limit)
