"""The timer wheel against a clock that the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from gateway.wheel import RESOLUTION, Timer, Wheel


class Clock:
    """A loop with a clock of its own and the two methods that the wheel uses."""

    def __init__(self) -> None:
        self.now = 100.0
        self.armed: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> _Handle:
        entry = (when, callback)
        self.armed.append(entry)
        return _Handle(self, entry)

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [entry for entry in self.armed if entry[0] <= end]:
            entry = min(due, key=lambda item: item[0])
            self.armed.remove(entry)
            self.now = max(self.now, entry[0])
            entry[1]()
        self.now = end


class _Handle:
    def __init__(self, clock: Clock, entry: tuple[float, Callable[[], None]]) -> None:
        self.clock, self.entry = clock, entry

    def cancel(self) -> None:
        if self.entry in self.clock.armed:
            self.clock.armed.remove(self.entry)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def wheel(clock: Clock) -> Wheel:
    return Wheel(clock)  # type: ignore[arg-type]


def test_never_early_and_at_most_one_slot_late(clock: Clock, wheel: Wheel) -> None:
    fired: list[float] = []
    for step in range(1, 50):
        wanted = clock.now + step * 0.013
        wheel.at(wanted, lambda wanted=wanted: fired.append(clock.now - wanted))
    clock.advance(5)
    assert len(fired) == 49
    assert all(0 <= late <= RESOLUTION + 1e-9 for late in fired)


def test_one_loop_timer_however_many_and_none_when_empty(clock: Clock, wheel: Wheel) -> None:
    timers = [wheel.after(delay, list) for delay in (30, 10, 20, 10.01)]
    assert len(clock.armed) == 1
    assert len(wheel) == 4
    for timer in timers:
        timer.cancel()
    assert len(wheel) == 0
    assert clock.armed == []


def test_an_earlier_deadline_moves_the_loop_timer(clock: Clock, wheel: Wheel) -> None:
    fired: list[str] = []
    wheel.after(10, lambda: fired.append("late"))
    wheel.after(1, lambda: fired.append("soon"))
    clock.advance(1.1)
    assert fired == ["soon"]
    clock.advance(10)
    assert fired == ["soon", "late"]


def test_cancel_is_idempotent_and_also_works_inside_the_slot(clock: Clock, wheel: Wheel) -> None:
    fired: list[str] = []
    second: list[Timer] = []
    first = wheel.after(1, lambda: (fired.append("first"), second[0].cancel()))
    second.append(wheel.after(1, lambda: fired.append("second")))
    clock.advance(2)
    assert fired == ["first"]
    first.cancel()
    assert not first.active


def test_a_callback_that_raises_is_logged_and_the_next_one_runs(clock: Clock, wheel: Wheel) -> None:
    fired: list[str] = []
    wheel.after(1, lambda: 1 / 0)
    wheel.after(1, lambda: fired.append("next"))
    with capture_logs() as logs:
        clock.advance(2)
    assert fired == ["next"]
    assert [line["event"] for line in logs] == ["timer_failed"]


def test_a_callback_that_asks_for_the_past_waits_for_the_next_turn(clock: Clock, wheel: Wheel) -> None:
    fired: list[float] = []

    def again() -> None:
        fired.append(clock.now)
        wheel.at(clock.now - 5, again)

    wheel.after(0, again)
    clock.advance(1)
    assert 15 <= len(fired) <= 20


async def test_on_a_real_loop() -> None:
    wheel = Wheel()
    done = asyncio.get_running_loop().create_future()
    wheel.after(0.06, lambda: done.set_result(None))
    start = asyncio.get_running_loop().time()
    await asyncio.wait_for(done, 5)
    assert asyncio.get_running_loop().time() - start >= 0.059
