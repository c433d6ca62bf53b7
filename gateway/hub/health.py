"""Which upstreams are down: told to all edges, and found out again when no charger is left to dial them.

Under `primary_down: close` the edges refuse the chargers of a primary that is down, so nobody would ever learn that it is
back: the hub asks its host itself, with a plain HTTP request that makes no charger appear at the CSMS.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl as tls
from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

import structlog

from gateway.config import Upstream
from gateway.journal.errors import StoreDown
from gateway.journal.journal import Journal

log = structlog.get_logger(__name__)

TELL_SECONDS = 5.0
"""Between two words about an upstream whose state does not change (they live 15 s)."""
PROBE_SECONDS = 5.0
"""Between two probes of an upstream that is down, give or take a fifth (reliability 5.7)."""
WORD_SECONDS = 15.0
"""How long the word of a hub counts."""
UNREACHABLE = frozenset({"dns", "refused", "timeout", "tls", "protocol", "unavailable"})
"""Ends of a dial that say something about the upstream; the rest is about one charger."""

Verdict: TypeAlias = Literal["up", "down", "unknown"]


class Health:
    """What one hub knows of its upstreams. `on_back(name)` is called when one that was down is back."""

    def __init__(
        self,
        upstreams: Mapping[str, Upstream],
        journal: Journal,
        tls_context: Callable[[Upstream], tls.SSLContext],
        on_back: Callable[[str], None],
    ) -> None:
        self.alone = True
        """No other hub lives; otherwise "up" from one of them counts more than our "down"."""
        self._upstreams = upstreams
        self._journal = journal
        self._tls = tls_context
        self._on_back = on_back
        self.paused: frozenset[str] = frozenset()
        """Upstreams that an operator has paused: as good as down."""
        self._connected = dict.fromkeys(upstreams, 0)
        self._failing: set[str] = set()
        self._told: dict[str, tuple[str, float]] = {}
        self._news = asyncio.Event()
        self._probes: dict[str, asyncio.Task[None]] = {}

    def reconfigure(self, upstreams: Mapping[str, Upstream]) -> None:
        """These are the upstreams from now on."""
        self._upstreams = upstreams
        for name in upstreams:
            self._connected.setdefault(name, 0)
        self._failing &= upstreams.keys()

    def down(self, name: str) -> bool:
        """Dials to this upstream fail and no charger has a socket to it, or it is paused."""
        return name in self._failing or name in self.paused

    def up(self, name: str) -> bool:
        """Chargers of this hub have sockets to this upstream."""
        return self._connected.get(name, 0) > 0 and name not in self._failing

    def pause(self, paused: frozenset[str]) -> None:
        """These are paused from now on, and no others."""
        self.paused = paused
        self._news.set()

    def happened(self, name: str, event: str) -> None:
        """What `Upstream` said of one of its sockets."""
        if event == "connected":
            self._connected[name] += 1
            self._turn(name, failing=False)
        elif event == "lost":
            self._connected[name] -= 1
        elif event in UNREACHABLE and not self._connected[name]:
            self._turn(name, failing=True)

    async def run(self) -> None:
        """Tell the edges, until cancelled."""
        try:
            while True:
                self._news.clear()
                for name in self._upstreams:
                    with contextlib.suppress(StoreDown):
                        await self._tell(name)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(TELL_SECONDS):
                        await self._news.wait()
        finally:
            for probing in self._probes.values():
                probing.cancel()

    def _turn(self, name: str, *, failing: bool) -> None:
        if failing == (name in self._failing):
            if not failing and name not in self._told:
                self._news.set()
            return
        self._news.set()
        if failing:
            self._failing.add(name)
            log.warning("upstream_down", upstream=name)
            if name not in self._probes:
                self._probes[name] = asyncio.get_running_loop().create_task(self._probe(name))
        else:
            self._failing.discard(name)
            log.info("upstream_up", upstream=name)
            self._on_back(name)

    async def _tell(self, name: str) -> None:
        now = asyncio.get_running_loop().time()
        state = "down" if self.down(name) else "up" if self._connected[name] else ""
        before, at = self._told.get(name, ("", 0.0))
        if not state:
            if before != "down":
                return
            state = "up"  # once, so that the chargers may come at once
        if state == before and now - at < TELL_SECONDS * 0.9:
            return
        if state == "down" and not self.alone:
            others = (await self._journal.upstream_health([name]))[name]
            if others == "up" and (before != "up" or now - at < WORD_SECONDS):
                return
        await self._journal.publish_upstream(name, state)
        self._told[name] = (state, now)

    async def _probe(self, name: str) -> None:
        """Ask until somebody answers."""
        settings = self._upstreams[name]
        while name in self._failing:
            await asyncio.sleep(PROBE_SECONDS * random.uniform(0.8, 1.2))
            if name not in self._failing:
                break
            verdict = await probe(settings.url, partial(self._tls, settings), settings.connect_timeout)
            if verdict != "down" and name in self._failing:
                log.info("upstream_probed", upstream=name, verdict=verdict)
                self._turn(name, failing=False)
        del self._probes[name]


async def probe(url: str, tls_context: Callable[[], tls.SSLContext], timeout: float) -> Verdict:  # noqa: ASYNC109
    """Whether anything answers HTTP behind a ws(s):// URL; "unknown": it takes connections but says nothing.

    A gateway error (502 to 504) is a balancer that has nobody behind it. In doubt chargers find out for themselves.
    """
    parts = urlsplit(url.replace("{id}", ""))
    secure = parts.scheme == "wss"
    host, port = parts.hostname or "", parts.port or (443 if secure else 80)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(host, port, ssl=tls_context() if secure else None)
        request = f"GET {target} HTTP/1.1\r\nHost: {parts.netloc.rpartition('@')[2]}\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        async with asyncio.timeout(timeout):
            answer = (await reader.readline()).split()
    except (OSError, TimeoutError, ValueError):
        return "down" if writer is None else "unknown"
    finally:
        if writer is not None:
            writer.close()
    if len(answer) < 2 or not answer[0].startswith(b"HTTP/"):
        return "unknown"
    return "down" if answer[1] in (b"502", b"503", b"504") else "up"
