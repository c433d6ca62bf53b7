"""The socket of one charger to one upstream: dial, back off, subprotocol, credentials, keep-alive."""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import Callable
from urllib.parse import quote

import msgspec
import structlog

from gateway import config
from gateway.dial import ClientWire, DialFailed
from gateway.wheel import Timer, Wheel
from translators.frames import Frame, decode

log = structlog.get_logger(__name__)

REDIAL_SECONDS = 1.0
"""No identity is dialled again sooner: a quick reconnect kills some CSMSs (real-peers 2)."""
REFUSED_CAP_SECONDS = 300.0
"""Longest back-off after the CSMS refused our credentials or the identity (reliability S14)."""
BAD_FRAMES = 5
"""Frames that are no OCPP-J before the socket is closed 1002 (reliability S12)."""
SILENT_INTERVALS = 3


class _Socket(ClientWire):
    __slots__ = ("_owner",)

    def __init__(self, wheel: Wheel, owner: Upstream) -> None:
        super().__init__(wheel)
        self._owner = owner

    def on_open(self) -> None:
        self._owner.opened(self)

    def on_text(self, data: bytes) -> None:
        self._owner.received(data)

    def on_lost(self, code: int, reason: str) -> None:
        self._owner.lost(self, code, reason)


class Upstream:
    """Keeps one upstream connected for one charger while it is wanted. Every callback runs in the loop."""

    __slots__ = (
        "_bad",
        "_config",
        "_failures",
        "_limit",
        "_on_frame",
        "_on_state",
        "_socket",
        "_task",
        "_timer",
        "_url",
        "_wheel",
        "charger",
        "last_error",
        "name",
        "state",
        "wanted",
    )

    def __init__(
        self,
        name: str,
        charger: str,
        settings: config.Upstream,
        wheel: Wheel,
        limit: asyncio.Semaphore,
        on_frame: Callable[[Frame], None],
        on_state: Callable[[str], None],
    ) -> None:
        self.name = name
        self.charger = charger
        self.wanted = False
        self.state = "idle"
        """idle, connecting, connected, backoff."""
        self.last_error = ""
        self._config = settings
        self._url = address(settings.url, charger)
        self._wheel = wheel
        self._limit = limit
        self._on_frame = on_frame
        self._on_state = on_state
        self._socket: _Socket | None = None
        self._task: asyncio.Task[None] | None = None
        self._timer: Timer | None = None
        self._failures = 0
        self._bad = 0

    def start(self) -> None:
        """Connect and stay connected."""
        if not self.wanted:
            self.wanted = True
            if self.state == "idle":
                self._dial()

    def stop(self, code: int = 1000, reason: str = "") -> None:
        """Close and stay closed."""
        self.wanted = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is not None:
            self._task.cancel()
        if self._socket is not None and self._socket.is_open:
            self._socket.close(code, reason)
        elif self.state != "idle":
            self.state = "idle"

    def write(self, frame: bytes) -> None:
        """Send a frame; dropped when the socket is gone (its CALL is then unanswered)."""
        if self._socket is not None:
            self._socket.send(frame)

    def opened(self, socket: _Socket) -> None:
        if not self.wanted:
            socket.close()
            return
        self._socket = socket
        self.state = "connected"
        self._failures = 0
        self._bad = 0
        self._keep_alive()
        self._on_state("connected")

    def received(self, data: bytes) -> None:
        try:
            frame = decode(data)
        except msgspec.MsgspecError:
            tolerated = _tolerant(data)
            if tolerated is None:
                self._bad += 1
                if self._bad >= BAD_FRAMES and self._socket is not None:
                    self._socket.close(1002, "not OCPP-J")
                return
            frame = tolerated
        self._on_frame(frame)

    def lost(self, socket: _Socket, code: int, reason: str) -> None:
        if socket is not self._socket:
            return
        self._socket = None
        self.last_error = f"closed {code} {reason}".strip()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.wanted:
            self._back_off(self._config.reconnect_max)
        else:
            self.state = "idle"
        self._on_state("lost")

    def _dial(self) -> None:
        self.state = "connecting"
        self._timer = None
        self._task = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        socket = _Socket(self._wheel, self)
        try:
            async with self._limit:
                await socket.dial(
                    self._url,
                    subprotocols=[self._config.version],
                    headers=_credentials(self._config, self.charger),
                    timeout=self._config.connect_timeout,
                )
        except DialFailed as failed:
            self._task = None
            self.last_error = str(failed)
            refused = failed.status in (401, 403, 404) or failed.kind == "subprotocol"
            if self._failures == 0:
                log.warning("upstream_dial_failed", upstream=self.name, charger_id=self.charger, reason=str(failed))
            self._failures += 1
            if self.wanted:
                self._back_off(REFUSED_CAP_SECONDS if refused else self._config.reconnect_max)
            else:
                self.state = "idle"
            self._on_state(failed.kind)
            return
        except asyncio.CancelledError:
            self._task = None
            self.state = "idle"
            if self.wanted:
                self._dial()
            return
        self._task = None

    def _back_off(self, cap: float) -> None:
        self.state = "backoff"
        longest = min(cap, self._config.reconnect_min * 2.0 ** min(self._failures, 12))
        delay = max(REDIAL_SECONDS, random.uniform(0, longest))
        self._timer = self._wheel.after(delay, self._dial)

    def _keep_alive(self) -> None:
        interval, socket = self._config.ping_interval, self._socket
        if not interval or socket is None:
            return
        silent = self._wheel.loop.time() - socket.last_received
        if silent > SILENT_INTERVALS * interval:
            socket.abort()
            return
        if silent >= interval * 0.9:
            socket.ping()
        self._timer = self._wheel.after(interval, self._keep_alive)


def address(url: str, charger: str) -> str:
    """The URL of a charger at an upstream: `{id}` is replaced, else the id is appended as last path segment."""
    id = quote(charger, safe="-._~!$&'()*+,;=:@")
    if "{id}" in url:
        return url.replace("{id}", id)
    path, mark, query = url.partition("?")
    return path.rstrip("/") + "/" + id + mark + query


def _credentials(settings: config.Upstream, charger: str) -> dict[str, str]:
    if not settings.password and not settings.username:
        return {}
    pair = f"{settings.username or charger}:{settings.password}".encode()
    return {"Authorization": "Basic " + base64.b64encode(pair).decode()}


def _tolerant(data: bytes) -> Frame | None:
    """A frame whose id is a number or whose payload is missing or null, as text id and `{}`; None if it is no frame."""
    try:
        match msgspec.json.decode(data, type=list[msgspec.Raw]):
            case [kind, id, *rest] if bytes(kind) in (b"2", b"3", b"4"):
                text = bytes(id) if bytes(id).startswith(b'"') else b'"' + bytes(id) + b'"'
                tail = [b"{}" if bytes(part) == b"null" else bytes(part) for part in rest]
                return decode(b"[" + b",".join([bytes(kind), text, *tail]) + b"]")
    except msgspec.MsgspecError:
        pass
    return None
