"""The operators' port: /metrics, /livez, /readyz, and /api/v1 from its parts."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol
from urllib.parse import urlsplit

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from gateway import tracing
from gateway.admin.guard import LARGEST_BODY, Guard
from gateway.config import AdminToken
from gateway.metrics import CONTENT_TYPE, OPENMETRICS, HistogramCell, Metrics

from .table import SCOPES, TABLE

LAG_INTERVAL = 0.25
"""Seconds between two measurements of the event loop's lag."""


class Part(Protocol):
    """Some endpoints."""

    def add_to(self, app: web.Application) -> None: ...


class AdminApi:
    """Serves the endpoints on one address, and measures the event loop's lag while it does."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        metrics: Metrics,
        checks: Callable[[], dict[str, str]],
        full: Callable[[], str] = lambda: "",
        parts: Iterable[Part] = (),
        tokens: Sequence[AdminToken] = (),
        noted: Callable[[str, web.Request, int], None] | None = None,
    ) -> None:
        """`checks`: what must be well before chargers can connect -> why it is not, empty when it is. `full`: why there is no room
        for more. Neither may block. `tokens`: who may call what is not open to all; none: whoever is on this machine."""
        self._parts = tuple(parts)
        self._host, self._port = host, port
        self._metrics = metrics
        self._checks = checks
        self._full = full
        self._guard = Guard(tokens, time.monotonic)
        if noted is not None:
            self._guard.noted = noted
        self._runner: web.AppRunner | None = None
        self._lag: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port it listens on, once started (the configured one may be 0)."""
        return self._port

    def admit(self, tokens: Sequence[AdminToken]) -> None:
        """From now on these tokens count."""
        self._guard.tokens = tuple(tokens)

    async def start(self) -> None:
        """Begins to listen. Raises OSError when the address cannot be had."""
        app = web.Application(middlewares=[self._guard.check, own_pages_only], client_max_size=LARGEST_BODY)
        app[TABLE], app[SCOPES] = [], {}
        for part in self._parts:
            part.add_to(app)
        app.router.add_get("/livez", self._livez)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._render)
        runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, self._host, self._port)
            await site.start()
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner
        self._port = runner.addresses[0][1]
        self._lag = asyncio.create_task(measure_lag(self._metrics.event_loop_lag.cell()))

    async def stop(self) -> None:
        """Stops listening; open requests get a second."""
        if self._lag is not None:
            self._lag.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._lag
            self._lag = None
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _livez(self, _request: web.Request) -> web.Response:
        """200 as long as the event loop answers; nothing outside of the process counts."""
        return web.Response(text="ok\n")

    async def _readyz(self, request: web.Request) -> web.Response:
        """200 once chargers can connect, else 503 with the reasons; `?verbose`: each thing that was looked at; `?room`: being full
        is a reason too."""
        checks = self._checks()
        if "room" in request.query:
            checks = checks | {"room": self._full()}
        reasons = [reason for reason in checks.values() if reason]
        said: dict[str, object] = {"ready": not reasons, "reasons": reasons}
        if "verbose" in request.query:
            said["checks"] = {name: reason or "ok" for name, reason in checks.items()}
        body = msgspec.json.encode(said) + b"\n"
        return web.Response(status=503 if reasons else 200, body=body, content_type="application/json")

    async def _render(self, request: web.Request) -> web.Response:
        """The metrics, rendered in a thread: no charger waits for a scrape. While there are traces, whoever takes OpenMetrics gets
        exemplars."""
        self._metrics.look()
        exemplars = tracing.armed and "application/openmetrics-text" in request.headers.get("Accept", "")
        body = await asyncio.to_thread(self._metrics.render, exemplars=exemplars)
        return web.Response(body=body, headers={"Content-Type": OPENMETRICS if exemplars else CONTENT_TYPE})


@web.middleware
async def own_pages_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """No page of another site, open in an operator's browser, may change anything here."""
    origin = request.headers.get("Origin")
    if request.method not in ("GET", "HEAD") and origin and urlsplit(origin).netloc != request.headers.get("Host"):
        raise web.HTTPForbidden(text="not from a page of another site\n")
    return await handler(request)


async def measure_lag(cell: HistogramCell) -> None:
    """Observes in `cell`, for ever, how many seconds late a timer of the running loop fires."""
    loop = asyncio.get_running_loop()
    due = loop.time() + LAG_INTERVAL
    while True:
        await asyncio.sleep(due - loop.time())
        now = loop.time()
        cell.observe(max(0.0, now - due))
        due = now + LAG_INTERVAL
