"""One timer wheel for a process: pings and deadlines of every connection share one loop timer."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from functools import cached_property

import structlog

RESOLUTION = 0.05
"""Width of a slot in seconds. A callback runs up to this much late and never early."""

_log = structlog.get_logger(__name__)


class Timer:
    """Handle of one pending callback."""

    __slots__ = ("_callback", "_slot", "_wheel")

    def __init__(self, wheel: Wheel, slot: int, callback: Callable[[], object]) -> None:
        self._wheel: Wheel | None = wheel
        self._slot = slot
        self._callback: Callable[[], object] | None = callback

    @property
    def active(self) -> bool:
        """Whether the callback is still to come."""
        return self._wheel is not None

    def cancel(self) -> None:
        """Forget the callback at once; harmless after it ran."""
        wheel = self._wheel
        if wheel is not None:
            self._wheel = self._callback = None
            wheel._forget(self._slot, self)

    def _fire(self) -> None:
        callback = self._callback
        self._wheel = self._callback = None
        if callback is not None:
            callback()


class Wheel:
    """Callbacks in slots of 50 ms; one timer of the loop is armed while any is pending, for the earliest slot.

    Times are those of `loop.time()`, in seconds. Callbacks of one slot run in the order in which they were asked for;
    one that raises is logged and does not disturb the others. Not thread-safe: use it from the loop's thread only.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Without `loop` the running loop is taken at the first use."""
        if loop is not None:
            self.loop = loop
        self._slots: dict[int, dict[Timer, None]] = {}
        self._due: list[int] = []
        self._handle: asyncio.TimerHandle | None = None
        self._armed_for = 0
        self._turned = 0

    def __len__(self) -> int:
        """Number of pending callbacks."""
        return sum(len(slot) for slot in self._slots.values())

    @cached_property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that this was first used in."""
        return asyncio.get_running_loop()

    def at(self, when: float, callback: Callable[[], object]) -> Timer:
        """Call `callback` once `loop.time()` has reached `when`."""
        # A time in the past gets the next turn, never the running one: a callback that asks again cannot spin.
        slot = max(int(when / RESOLUTION), self._turned) + 1
        timer = Timer(self, slot, callback)
        waiting = self._slots.get(slot)
        if waiting is None:
            self._slots[slot] = {timer: None}
            heapq.heappush(self._due, slot)
            if self._handle is None or slot < self._armed_for:
                self._arm()
        else:
            waiting[timer] = None
        return timer

    def after(self, delay: float, callback: Callable[[], object]) -> Timer:
        """Call `callback` in `delay` seconds."""
        return self.at(self.loop.time() + delay, callback)

    def close(self) -> None:
        """Drop everything that is pending."""
        for waiting in self._slots.values():
            for timer in waiting:
                timer._wheel = timer._callback = None
        self._slots.clear()
        self._due.clear()
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _forget(self, slot: int, timer: Timer) -> None:
        waiting = self._slots.get(slot)
        if waiting is None:
            return  # its slot is being fired
        waiting.pop(timer, None)
        if not waiting:
            del self._slots[slot]
            if not self._slots:
                self.close()

    def _arm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        while self._due and self._due[0] not in self._slots:
            heapq.heappop(self._due)
        if self._due:
            self._armed_for = self._due[0]
            self._handle = self.loop.call_at(self._armed_for * RESOLUTION, self._tick)

    def _tick(self) -> None:
        self._handle = None
        # The loop's clock may be a hair before the time it was armed for: the armed slot is due in any case.
        now = self._turned = max(int(self.loop.time() / RESOLUTION), self._armed_for)
        while self._due and self._due[0] <= now:
            waiting = self._slots.pop(heapq.heappop(self._due), None)
            while waiting:
                timer = next(iter(waiting))
                del waiting[timer]
                try:
                    timer._fire()
                except Exception:
                    _log.exception("timer_failed")
        if self._handle is None:
            self._arm()
