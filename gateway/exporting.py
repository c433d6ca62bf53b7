"""Traces are made while the configuration names a collector: this arms the process and disarms it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from typing import Final

import structlog

from gateway import logs, tracing
from gateway.config import TracingConfig
from gateway.metrics import Metrics

log = structlog.get_logger(__name__)

CLOSE_SECONDS: Final = 3.0


class Exporting:
    """Arms this process and disarms it, as the configuration says. One per process."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._config = TracingConfig()
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, config: TracingConfig) -> None:
        """Nothing happens without an endpoint. Raises tracing.Unavailable."""
        self._config = config
        if config.endpoint:
            instance = f"{socket.gethostname()}-{os.getpid()}"
            tracing.current = current = tracing.Tracing(config, self._metrics, instance=instance)
            tracing.armed = True
            logs.trace_of = current.ids

    def change(self, config: TracingConfig) -> None:
        """The configuration has changed, perhaps here too."""
        if config != self._config:
            self._config = config
            task = asyncio.get_running_loop().create_task(self._anew())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def end(self) -> None:
        """Trace no more; what there is is exported, if that takes a few seconds only."""
        if tracing.armed:
            tracing.armed, logs.trace_of, current = False, None, tracing.current
            loop, closed = asyncio.get_running_loop(), asyncio.Event()

            def close() -> None:
                current.close()
                with contextlib.suppress(RuntimeError):  # nobody waits any more
                    loop.call_soon_threadsafe(closed.set)

            # A thread of its own, so that a collector that does not answer holds up nothing.
            threading.Thread(target=close, name="tracing-end", daemon=True).start()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(closed.wait(), CLOSE_SECONDS)

    async def _anew(self) -> None:
        await self.end()
        try:
            self.begin(self._config)
        except ValueError as error:
            log.error("cannot_trace", reason=str(error))
