"""Logs: one JSON object a line (ts, level, event, ...), or lines for people on a terminal. No payloads, no secrets."""

from __future__ import annotations

import atexit
import contextlib
import io
import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any, TextIO, cast

import msgspec
import structlog
from structlog.typing import FilteringBoundLogger

from gateway.config import Log
from gateway.redact import redact

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

LINES_MOST = 10_000
"""Lines that wait to be written; a log that is not read costs no more memory than that."""

LINES_A_MINUTE = 20
"""Of one event about one charger; debug lines are not limited."""
REMEMBERED = 10_000
"""Chargers whose lines are counted; with more of them a minute is over sooner."""
POD = os.environ.get("POD_NAME", "")
"""Goes into every line, where it is known."""

trace_of: Callable[[str, str], tuple[str, str] | None] | None = None
"""Trace and span (hex) of an exchange of a charger, while traces are made."""

_encoder = msgspec.json.Encoder(enc_hook=repr)

Event = MutableMapping[str, Any]


def get(**bound: object) -> FilteringBoundLogger:
    """A logger; `bound` goes into every line. Events are constant snake_case words, everything else is a key."""
    return cast(FilteringBoundLogger, structlog.get_logger(**bound))


def configure(log: Log, stream: TextIO | None = None) -> None:
    """Sets up this process's logging to `stream` (default: standard output), and the libraries' from warning on."""
    out = sys.stdout if stream is None else stream
    global _sink
    if _descriptor(out) >= 0 and (_sink is None or _sink.descriptor != out.fileno()):
        _sink = Sink(out)
    sink = _sink if _descriptor(out) >= 0 else out
    console = log.format == "console" or (log.format == "auto" and out.isatty())
    structlog.configure(
        processors=[
            Quota(time.monotonic),
            _traced,
            _stamp,
            structlog.processors.format_exc_info,
            _redacted,
            _renderer(out) if console else _json,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[log.level]),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, sink)),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Libraries()]
    root.setLevel(max(logging.WARNING, LEVELS[log.level]))


class Quota:
    """One noisy charger must not fill the log: of each event it gets so many lines a minute, and what was left out is told."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock`: seconds, never going back."""
        self._clock = clock
        self._ends = 0.0
        """When the minute is over."""
        self._lines: dict[str, dict[str, int]] = {}
        """Event -> charger -> lines in this minute."""
        self._chargers = 0
        """How many numbers that are."""
        self._left: dict[tuple[str, str], int] = {}
        """(event, charger) -> lines that were left out in earlier minutes and not told yet."""

    def __call__(self, _logger: object, method: str, event: Event) -> Event:
        charger = event.get("charger_id")
        if charger is None or method == "debug" or event.get("logger") == "wire":
            return event
        now, name, charger = self._clock(), str(event.get("event")), str(charger)
        if now >= self._ends or self._chargers >= REMEMBERED:
            self._begin(now)
        lines = self._lines.setdefault(name, {})
        number = lines.get(charger, 0) + 1
        lines[charger] = number
        if number > LINES_A_MINUTE:
            raise structlog.DropEvent
        if number == 1:
            self._chargers += 1
            if self._left and (left := self._left.pop((name, charger), 0)):
                event["left_out"] = left
        return event

    def _begin(self, now: float) -> None:
        """A minute begins."""
        for name, lines in self._lines.items():
            for charger, number in lines.items():
                if number > LINES_A_MINUTE:
                    self._left[name, charger] = self._left.pop((name, charger), 0) + number - LINES_A_MINUTE
        while len(self._left) > REMEMBERED:
            del self._left[next(iter(self._left))]
        self._ends, self._lines, self._chargers = now + 60, {}, 0


class Sink:
    """Writes lines in a thread of its own: who stops reading the log stops nobody. What does not fit is dropped, and counted."""

    def __init__(self, stream: TextIO) -> None:
        """Takes over the descriptor of `stream`, which nobody else may write to. Waits up to a second at exit."""
        stream.flush()
        self.dropped = 0
        self.descriptor = stream.fileno()
        self._line = ""
        self._lines: queue.Queue[str | None] = queue.Queue(LINES_MOST)
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def write(self, text: str) -> None:
        self._line += text
        if not self._line.endswith("\n"):
            return
        line, self._line = self._line, ""
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self.dropped += 1

    def flush(self) -> None:
        """The thread writes as soon as it can."""

    def close(self) -> None:
        """Give what is left a second."""
        with contextlib.suppress(queue.Full):
            self._lines.put(None, timeout=1)
            self._thread.join(1)

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            if self.dropped:
                dropped, self.dropped = self.dropped, 0
                line += (
                    _json(None, "", _stamp(None, "warning", {"event": "log_lines_dropped", "lines": dropped})) + "\n"
                )
            data = line.encode(errors="replace")
            while data:
                try:  # not through the stream, whose lock a blocked write would hold at exit
                    data = data[os.write(self.descriptor, data) :]
                except BlockingIOError:
                    time.sleep(0.01)
                except OSError:  # nobody will ever read it
                    break


_sink: Sink | None = None


def _descriptor(stream: TextIO) -> int:
    """-1: none."""
    try:
        return stream.fileno()
    except (OSError, ValueError):
        return -1


def _stamp(_logger: object, method: str, event: Event) -> Event:
    stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    level = "error" if method == "exception" else method
    pod = {"pod": POD} if POD else {}
    return {"ts": stamp, "level": level, "event": event.pop("event", ""), **pod, **event}


def _traced(_logger: object, _method: str, event: Event) -> Event:
    """A line about a CALL that is traced names its trace."""
    if trace_of is not None and "exchange" in event and "charger_id" in event:
        ids = trace_of(str(event["charger_id"]), str(event["exchange"]))
        if ids is not None:
            event["trace_id"], event["span_id"] = ids
    return event


def _redacted(_logger: object, _method: str, event: Event) -> Event:
    return cast(Event, redact(event))


def _json(_logger: object, _method: str, event: Event) -> str:
    return _encoder.encode(event).decode()


def _renderer(out: TextIO) -> Any:
    from structlog.dev import ConsoleRenderer, plain_traceback

    colors = out.isatty() and not isinstance(out, io.StringIO)
    return ConsoleRenderer(colors=colors, exception_formatter=plain_traceback, timestamp_key="ts")


class _Libraries(logging.Handler):
    """Puts what libraries log into our log, but for what a client has sent that is no HTTP: it has its answer, 400."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if any(each.__name__ == "BadHttpMessage" for each in type(error).__mro__):
            return
        level = "error" if record.levelno >= logging.ERROR else "warning"
        extra: dict[str, Any] = {"exc_info": record.exc_info} if record.exc_info else {}
        try:
            getattr(get(), level)("library_log", logger=record.name, message=record.getMessage(), **extra)
        except Exception:
            self.handleError(record)
