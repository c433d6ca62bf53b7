"""The minimum of charging schedules: never above any of them, and not lower than needed."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.hub.schedules import PERIODS_MOST, Limit, Plan, flat, minimum, plan, prevailing

HOUR = 3_600_000
DAY = 24 * HOUR


def limit(amps: int, phases: int = 3) -> Limit:
    return Limit(Decimal(amps), phases)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    offsets = sorted(draw(st.sets(st.integers(0, 20), max_size=4)) | {0})
    periods = tuple((each * HOUR, limit(draw(st.integers(0, 32)), draw(st.integers(1, 3)))) for each in offsets)
    return Plan(
        level=draw(st.integers(0, 3)),
        start=draw(st.integers(0, 72)) * HOUR,
        periods=periods,
        duration=draw(st.none() | st.integers(1, 24).map(lambda hours: hours * HOUR)),
        cycle=draw(st.sampled_from((0, 0, DAY, 7 * DAY))),
        valid_from=draw(st.none() | st.integers(0, 96).map(lambda hours: hours * HOUR)),
        valid_to=draw(st.none() | st.integers(0, 240).map(lambda hours: hours * HOUR)),
    )


def at(pieces: list[tuple[int, Limit | None]], time: int) -> Limit | None:
    return [each for begin, each in pieces if begin <= time][-1]


upstreams = st.lists(st.lists(plans(), max_size=3), min_size=1, max_size=3)


@settings(max_examples=300, deadline=None)
@given(upstreams, st.integers(0, 48), st.lists(st.integers(0, 40 * DAY), min_size=10, max_size=10))
def test_never_above_any_of_them_at_any_time(ups: list[list[Plan]], begin: int, times: list[int]) -> None:
    begin *= HOUR
    pieces = minimum(ups, begin, begin + 3 * DAY)
    assert len(pieces) <= PERIODS_MOST and [each for each, _ in pieces] == sorted({each for each, _ in pieces})
    for time in [*(begin + each for each in times), *(begin + hour * HOUR for hour in range(24 * 5))]:
        got = at(pieces, time)
        for own in ups:
            wanted = prevailing(own, time)
            if wanted is not None:
                assert got is not None and got.rate <= wanted.rate and got.phases <= wanted.phases


@settings(max_examples=200, deadline=None)
@given(upstreams)
def test_no_lower_than_needed_before_the_horizon(ups: list[list[Plan]]) -> None:
    pieces = minimum(ups, 0, 3 * DAY)
    if len(pieces) >= PERIODS_MOST:
        return
    for hour in range(72):
        wanted = [each for own in ups if (each := prevailing(own, hour * HOUR)) is not None]
        got = at(pieces, hour * HOUR)
        if not wanted:
            assert got is None
        else:
            assert got == Limit(min(each.rate for each in wanted), min(each.phases for each in wanted))


def test_two_upstreams() -> None:
    grid = Plan(0, 0, ((0, limit(16)), (2 * HOUR, limit(32))))
    price = Plan(0, HOUR, ((0, limit(10)), (2 * HOUR, limit(20))), duration=4 * HOUR)
    assert minimum([[grid], [price]], 0, DAY) == [
        (0, limit(16)),
        (HOUR, limit(10)),
        (3 * HOUR, limit(20)),
        (5 * HOUR, limit(32)),
    ]


def test_the_highest_level_prevails_while_it_lasts() -> None:
    low, high = Plan(0, 0, ((0, limit(6)),)), Plan(3, 0, ((0, limit(32)),), duration=HOUR)
    assert minimum([[low, high]], 0, DAY) == [(0, limit(32)), (HOUR, limit(6))]


def test_a_daily_plan_is_its_lowest_after_the_horizon() -> None:
    daily = Plan(0, 0, ((0, limit(10)), (12 * HOUR, limit(20))), cycle=DAY)
    pieces = minimum([[daily]], 0, DAY)
    assert pieces == [(0, limit(10)), (12 * HOUR, limit(20)), (DAY, limit(10))]


def test_plans_of_profiles() -> None:
    schedule = {
        "startSchedule": "1970-01-02T00:00:00Z",
        "duration": 3600,
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [
            {"startPeriod": 0, "limit": Decimal("16.5")},
            {"startPeriod": 60, "limit": "8", "numberPhases": 1},
        ],
    }
    absolute = plan({"chargingProfileKind": "Absolute"}, schedule, 2, None)
    assert absolute.at(DAY) == Limit(Decimal("16.5"), 3) and absolute.at(DAY + 60_000) == limit(8, 1)
    assert absolute.at(DAY - 1) is None and absolute.at(DAY + HOUR) is None
    relative = plan({"chargingProfileKind": "Relative"}, schedule, 2, 5_000)
    assert relative.start == 5_000
    assert flat(relative).at(10**12) == limit(8, 1)
    daily = plan({"chargingProfileKind": "Recurring", "recurrencyKind": "Daily"}, schedule, 2, None)
    assert daily.at(9 * DAY + 1) == Limit(Decimal("16.5"), 3) and daily.at(9 * DAY + 2 * HOUR) is None
