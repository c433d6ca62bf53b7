"""Charging schedules as functions of time, and the minimum of several. Pure.

An upstream's limit at a moment is that of its highest profile in force. The minimum is never above any of them, at any time:
where the times do not fit (a horizon, too many periods), it is lower.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

from translators.values import parse_time

PHASES: Final = 3
"""numberPhases of a period that does not say."""
PERIODS_MOST: Final = 24
_DAY: Final = 86_400_000
_EVER: Final = 1 << 60
_CYCLES: Final = {"Daily": _DAY, "Weekly": 7 * _DAY}


class Limit(NamedTuple):
    """A limit in A or W, and the phases that may be used."""

    rate: Decimal
    phases: int


class Plan(NamedTuple):
    """A profile on the time axis; ms since 1970, or since the transaction began."""

    level: int
    start: int
    periods: tuple[tuple[int, Limit], ...]
    """(ms after the start, limit), in order."""
    duration: int | None = None
    """ms."""
    cycle: int = 0
    """ms after which it repeats; 0: it does not."""
    valid_from: int | None = None
    valid_to: int | None = None

    def at(self, time: int) -> Limit | None:
        """The limit at a time; None where it sets none."""
        if time < self.start or (self.valid_from is not None and time < self.valid_from):
            return None
        if self.valid_to is not None and time >= self.valid_to:
            return None
        offset = (time - self.start) % self.cycle if self.cycle else time - self.start
        if self.duration is not None and offset >= self.duration:
            return None
        found = None
        for after, limit in self.periods:
            if after <= offset:
                found = limit
        return found

    def changes(self, begin: int, end: int) -> Iterator[int]:
        """Every time in [begin, end) at which `at` may change, and perhaps others."""
        for each in (self.valid_from, self.valid_to):
            if each is not None and begin <= each < end:
                yield each
        first = self.start
        if self.cycle and begin > first:
            first += (begin - first) // self.cycle * self.cycle
        while first < end:
            for after in (*(after for after, _ in self.periods), *((self.duration,) if self.duration else ())):
                if begin <= first + after < end:
                    yield first + after
            if not self.cycle:
                return
            first += self.cycle
            if begin <= first < end:
                yield first

    def lasts(self, time: int) -> bool:
        """Whether it may set a limit at or after a time."""
        if self.valid_to is not None and self.valid_to <= time:
            return False
        return bool(self.cycle) or self.duration is None or self.start + self.duration > time

    @property
    def lowest(self) -> Limit:
        """Its lowest limit, on the fewest phases."""
        limits = [limit for _, limit in self.periods]
        return Limit(min(each.rate for each in limits), min(each.phases for each in limits))


def plan(profile: dict[str, Any], schedule: dict[str, Any], level: int, began: int | None) -> Plan:
    """A profile as a plan. `began`: when its transaction began, None if there is none.

    Raises KeyError, ValueError, TypeError for what is no profile.
    """
    periods = [
        (
            round(float(each["startPeriod"]) * 1000),
            Limit(Decimal(str(each["limit"])), each.get("numberPhases") or PHASES),
        )
        for each in schedule["chargingSchedulePeriod"]
    ]
    if not periods:
        raise ValueError("a schedule without periods")
    start = parse_time(schedule.get("startSchedule"))
    if profile["chargingProfileKind"] == "Relative" or start is None:
        start = began or 0
    duration = schedule.get("duration")
    return Plan(
        level,
        start,
        tuple(sorted(periods, key=lambda each: each[0])),
        None if duration is None else round(float(duration) * 1000),
        _CYCLES[profile["recurrencyKind"]] if profile["chargingProfileKind"] == "Recurring" else 0,
        parse_time(profile.get("validFrom")),
        parse_time(profile.get("validTo")),
    )


def flat(each: Plan) -> Plan:
    """The lowest limit of a plan at all times: for one that begins nobody knows when."""
    return Plan(each.level, 0, ((0, each.lowest),), None, 0, each.valid_from, each.valid_to)


def prevailing(plans: Iterable[Plan], time: int) -> Limit | None:
    """An upstream's limit at a time."""
    for each in sorted(plans, key=lambda plan: plan.level, reverse=True):
        if (limit := each.at(time)) is not None:
            return limit
    return None


def minimum(upstreams: Sequence[Sequence[Plan]], begin: int, end: int) -> list[tuple[int, Limit | None]]:
    """(from when, limit) from `begin` on, the last for ever; None: nobody sets a limit. After `end` the lowest that may come."""
    times = sorted({begin, *(at for plans in upstreams for each in plans for at in each.changes(begin, end))})
    found = [(at, _least(prevailing(plans, at) for plans in upstreams)) for at in times]
    later = [each.lowest for plans in upstreams for each in plans if each.lasts(end)]
    cyclic = any(each.cycle or any(each.changes(end, _EVER)) for plans in upstreams for each in plans)
    if cyclic:
        found.append((end, _least(later)))
    return _few(_joined(found))


def _least(limits: Iterable[Limit | None]) -> Limit | None:
    given = [each for each in limits if each is not None]
    return Limit(min(each.rate for each in given), min(each.phases for each in given)) if given else None


def _joined(pieces: list[tuple[int, Limit | None]]) -> list[tuple[int, Limit | None]]:
    joined = pieces[:1]
    for at, limit in pieces[1:]:
        if limit != joined[-1][1]:
            joined.append((at, limit))
    return joined


def _few(pieces: list[tuple[int, Limit | None]]) -> list[tuple[int, Limit | None]]:
    """At most PERIODS_MOST pieces: the shortest is joined with its neighbour, at the lower limit."""
    while len(pieces) > PERIODS_MOST:
        spans = [pieces[index + 1][0] - pieces[index][0] for index in range(len(pieces) - 1)]
        index = spans.index(min(spans))
        lower = _least((pieces[index][1], pieces[index + 1][1]))
        pieces = _joined([*pieces[:index], (pieces[index][0], lower), *pieces[index + 2 :]])
    return pieces
