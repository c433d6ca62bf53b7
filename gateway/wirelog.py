"""The wire log: every frame of some chargers in the log of this process, without secrets and tokens, for a limited time.

It is written whatever the log's level. What a charger says too fast is counted and told as left out (see `tap`).
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

import msgspec
import structlog

from gateway import tap, tracing
from gateway.redact import hidden, hide

LONGEST: Final = 3_600.0
"""Seconds that a wire log may last."""
MOST: Final = 8
"""At a time; the taps are shared with those who watch."""
PUMP_SECONDS: Final = 0.1
GLOB: Final = frozenset("*?[")

_log: Any = structlog.wrap_logger(None, wrapper_class=structlog.make_filtering_bound_logger(0))


class Running(msgspec.Struct):
    """A wire log that goes on."""

    match: str
    """An identity, a glob or `re:`."""
    seconds: float
    """Left."""
    frames: int
    """Written so far."""


class WireLogs:
    """Those of this process."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._running: dict[str, tuple[float, tap.Watch]] = {}
        self._written: dict[str, int] = {}

    def start(self, match: str, seconds: float) -> None:
        """Log these chargers for so long from now on; 0: no more. Raises ValueError."""
        self._end(match)
        if not 0 < seconds <= LONGEST:
            if seconds:
                raise ValueError(f"seconds: up to {LONGEST:.0f}")
            return
        if len(self._running) >= MOST:
            raise ValueError(f"{MOST} wire logs already")
        news, now = asyncio.Event(), time.time()
        watch = tap.Watch(f"wire-log:{match}", match, now + seconds, now, news.set)
        tap.add(watch)
        self._running[match], self._written[match] = (now + seconds, watch), 0
        _say("wire_log_started", match=match, seconds=seconds)
        self._tasks[match] = asyncio.get_running_loop().create_task(self._write(match, watch, news, seconds))
        _trace(match, seconds)

    def running(self) -> list[Running]:
        """Those that go on."""
        now = time.time()
        return [
            Running(match, max(0.0, until - now), self._written.get(match, 0))
            for match, (until, _) in self._running.items()
        ]

    def stop(self) -> None:
        """End all."""
        for match in list(self._running):
            self._end(match)

    def _end(self, match: str) -> None:
        running = self._running.pop(match, None)
        if running is not None:
            tap.remove(running[1].id)
            self._tasks.pop(match).cancel()
            _trace(match, 0)
            _say("wire_log_ended", match=match, frames=self._written.pop(match, 0))

    async def _write(self, match: str, watch: tap.Watch, news: asyncio.Event, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            try:
                await asyncio.wait_for(news.wait(), left)
            except TimeoutError:
                break
            news.clear()
            seen, lost = watch.take()
            if watch.lost:
                asyncio.get_running_loop().call_later(1, news.set)
            if lost:
                _say("frames_left_out", match=match, frames=lost)
            for each in seen:
                write(each)
            self._written[match] = self._written.get(match, 0) + len(seen)
            await asyncio.sleep(PUMP_SECONDS)
        loop = asyncio.get_running_loop()
        loop.call_soon(self._end, match)


def _say(event: str, **fields: Any) -> None:
    """Whatever the level of the log."""
    _log.info(event, logger="wire", **fields)


def write(seen: tap.Seen) -> None:
    """One line."""
    fields: dict[str, Any] = {
        "charger_id": seen.charger,
        "side": seen.leg,
        "upstream": seen.upstream,
        "direction": seen.direction,
        "ocpp_version": seen.version.removeprefix("ocpp"),
        "action": seen.action,
        "message_id": seen.id,
        "exchange": seen.exchange,
        "note": seen.note,
    }
    if seen.ms >= 0:
        fields["duration_ms"] = seen.ms
    if seen.losses:
        fields["losses"] = [{"field": field, "kind": kind} for field, kind in seen.losses]
    if seen.data:
        fields["size"] = seen.size
        fields["frame"] = _readable(seen)
    _say("frame" if seen.direction else "connection", **{key: value for key, value in fields.items() if value != ""})


def _readable(seen: tap.Seen) -> Any:
    """The frame without secrets. One that is cut or no JSON is not shown: what it holds cannot be told."""
    if len(seen.data) < seen.size:
        return f"<{seen.size} bytes>"
    try:
        frame = hidden(msgspec.json.decode(seen.data), seen.action)
    except (msgspec.MsgspecError, RecursionError):
        return f"<{seen.size} bytes, no JSON>"
    if seen.action == "DataTransfer" and isinstance(frame, list):  # what vendors put there nobody knows
        frame = [
            {**each, "data": hide(each["data"])} if isinstance(each, dict) and "data" in each else each
            for each in frame
        ]
    return frame


def _trace(match: str, seconds: float) -> None:
    """Every CALL of a charger that is logged is traced too."""
    if tracing.armed and not match.startswith("re:") and not GLOB & set(match):
        tracing.current.force(match, seconds)
