"""Logs: one JSON object a line (ts, level, event, ...), or lines for people on a terminal. No payloads, no secrets."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, TextIO, cast

import msgspec
import structlog
from structlog.typing import FilteringBoundLogger

from gateway.config import Log
from gateway.redact import redact

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

_encoder = msgspec.json.Encoder(enc_hook=repr)

Event = MutableMapping[str, Any]


def get(**bound: object) -> FilteringBoundLogger:
    """A logger; `bound` goes into every line. Events are constant snake_case words, everything else is a key."""
    return cast(FilteringBoundLogger, structlog.get_logger(**bound))


def configure(log: Log, stream: TextIO | None = None) -> None:
    """Sets up this process's logging to `stream` (default: standard output), and the libraries' from warning on."""
    out = sys.stdout if stream is None else stream
    console = log.format == "console" or (log.format == "auto" and out.isatty())
    structlog.configure(
        processors=[_stamp, structlog.processors.format_exc_info, _redacted, _renderer(out) if console else _json],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[log.level]),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Libraries()]
    root.setLevel(max(logging.WARNING, LEVELS[log.level]))


def _stamp(_logger: object, method: str, event: Event) -> Event:
    stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    level = "error" if method == "exception" else method
    return {"ts": stamp, "level": level, "event": event.pop("event", ""), **event}


def _redacted(_logger: object, _method: str, event: Event) -> Event:
    return cast(Event, redact(event))


def _json(_logger: object, _method: str, event: Event) -> str:
    return _encoder.encode(event).decode()


def _renderer(out: TextIO) -> Any:
    from structlog.dev import ConsoleRenderer, plain_traceback

    colors = out.isatty() and not isinstance(out, io.StringIO)
    return ConsoleRenderer(colors=colors, exception_formatter=plain_traceback, timestamp_key="ts")


class _Libraries(logging.Handler):
    """Puts what libraries log into our log."""

    def emit(self, record: logging.LogRecord) -> None:
        level = "error" if record.levelno >= logging.ERROR else "warning"
        extra: dict[str, Any] = {"exc_info": record.exc_info} if record.exc_info else {}
        try:
            getattr(get(), level)("library_log", logger=record.name, message=record.getMessage(), **extra)
        except Exception:
            self.handleError(record)
