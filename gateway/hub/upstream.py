"""The socket of one charger to one upstream: dial, back off, subprotocol, credentials, keep-alive."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from urllib.parse import quote

import msgspec
import structlog

from gateway import config
from gateway.dial import ClientWire, DialFailed
from gateway.traffic import Traffic
from gateway.wheel import Timer, Wheel
from translators.frames import Call, Frame, ResultError, Send, Unanswered, decode, decode_21

from .credentials import Contexts, Unknown, headers

log = structlog.get_logger(__name__)

REDIAL_SECONDS = 1.0
"""No identity is dialled again sooner after its last socket ended: a quick reconnect kills some CSMSs (real-peers 2)."""
REFUSED_CAP_SECONDS = 300.0
"""Longest back-off after the CSMS refused our credentials or the identity (reliability S14)."""
STABLE_SECONDS = 60.0
"""A socket that lived longer, or on which the CSMS said anything sensible, was no failure when it is lost."""
BAD_FRAMES = 5
"""Frames that are no OCPP-J before the socket is closed 1002 (reliability S12)."""
SILENT_INTERVALS = 3
_BROKEN = frozenset({1002, 1003, 1007, 1009})
"""Close codes of a peer that does not keep to the protocol."""
MOST_NUMBERS = 64
"""Numeric message ids of the CSMS whose answers are awaited; older ones are forgotten."""


_STATUSES = {401: "auth_failed", 403: "auth_failed", 404: "unknown_identity"}
_UNKNOWN = (
    "the vault has none for this charger",
    "the charger has not shown its own to this process; with vault.key processes pass them on",
)


class Dials:
    """What the sockets of a process to its upstreams share: how many are opened at once, who was dialled just now, TLS."""

    def __init__(self, at_once: int) -> None:
        self.slots = asyncio.Semaphore(at_once)
        self.contexts = Contexts()
        self.secret: Callable[[str, str], Awaitable[str]] | None = None
        """(upstream, charger) -> the charger's password in the vault."""
        self.passed: Callable[[str], Awaitable[str | None]] | None = None
        """The header with which a charger came to another process."""
        self.traffic = Traffic()
        self._busy: set[str] = set()
        self._ended: dict[str, float] = {}

    def wait(self, url: str, now: float) -> float:
        """Seconds until this URL may be dialled; 0: now. Times are those of the loop."""
        if url in self._busy:
            return REDIAL_SECONDS
        return max(0.0, self._ended.get(url, -REDIAL_SECONDS) + REDIAL_SECONDS - now)

    def begun(self, url: str) -> None:
        """A dial begins."""
        self._busy.add(url)

    def ended(self, url: str, now: float) -> None:
        """The dial failed, or its socket is gone."""
        self._busy.discard(url)
        while self._ended and (oldest := next(iter(self._ended.items())))[1] < now - REDIAL_SECONDS:
            del self._ended[oldest[0]]
        self._ended.pop(url, None)  # to the end: the oldest stay in front
        self._ended[url] = now


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
        self._owner.lost(code, reason)


class Upstream:
    """Keeps one upstream connected for one charger while it is wanted. Every callback runs in the loop.

    `on_state` hears "connected", then "lost" once; or how a dial failed: the kinds of `DialFailed`, with "unavailable"
    instead of "http" for a 5xx status, "auth_failed" for 401 and 403, and "unknown_identity" for 404.
    """

    __slots__ = (
        "_about",
        "_authorization",
        "_bad",
        "_config",
        "_dials",
        "_failures",
        "_heard",
        "_numbers",
        "_on_frame",
        "_on_state",
        "_opened_at",
        "_passed",
        "_refused",
        "_socket",
        "_task",
        "_timer",
        "_url",
        "_wheel",
        "charger",
        "ended",
        "last_error",
        "name",
        "wanted",
    )

    def __init__(
        self,
        name: str,
        charger: str,
        settings: config.Upstream,
        wheel: Wheel,
        dials: Dials,
        on_frame: Callable[..., None],
        on_state: Callable[..., None],
        authorization: Callable[[str], str | None] | None = None,
        about: tuple[object, ...] = (),
    ) -> None:
        """`authorization(charger)`: the header with which a charger came that is here; None if it is not here.
        `on_frame(*about, frame)` and `on_state(*about, event)` are called: all upstreams share their owner's two methods."""
        self.name = name
        self.charger = charger
        self.wanted = False
        self.last_error = ""
        self.ended = ""
        """Why the last socket ended: the label of the metric."""
        self._config = settings
        self._url = address(settings.url, settings.id_of(charger))
        self._about = about
        self._authorization = authorization
        self._passed: str | None = None
        """The charger's own Authorization header, kept for the next dial when the charger has gone."""
        self._wheel = wheel
        self._dials = dials
        self._on_frame = on_frame
        self._on_state = on_state
        self._socket: _Socket | None = None
        self._task: asyncio.Task[None] | None = None
        self._timer: Timer | None = None
        """Of the back-off, or of the keep-alive while there is a socket."""
        self._failures = 0
        self._refused = False
        self._opened_at = 0.0
        self._heard = False
        self._bad = 0
        self._numbers: dict[str, bytes | Callable[[bytes], None]] = {}
        """Ids that the CSMS wrote as numbers: as text -> as received. Ids whose answer somebody else takes -> who."""

    @property
    def state(self) -> str:
        """idle, connecting, connected, backoff."""
        if self._socket is not None:
            return "connected"
        if self._task is not None:
            return "connecting"
        return "idle" if self._timer is None else "backoff"

    @property
    def condition(self) -> str:
        """The state for people: `auth_failed` while it waits because the CSMS does not let this charger in."""
        state = self.state
        return "auth_failed" if state == "backoff" and self._refused else state

    @property
    def buffered(self) -> int:
        """Bytes that the CSMS has not taken yet."""
        return 0 if self._socket is None else self._socket.buffered

    def start(self) -> None:
        """Connect and stay connected."""
        if not self.wanted:
            self.wanted = True
            if self.state == "idle":
                self._dial()

    def hurry(self) -> None:
        """Do not sit out the rest of a back-off: the charger has come back."""
        if self.state == "backoff":
            self._forget_timer()
            self._dial()

    def stop(self, code: int = 1000, reason: str = "", ended: str = "charger_gone") -> None:
        """Close and stay closed. `ended`: label of the metric."""
        self.wanted = False
        self.ended = ended
        self._forget_timer()
        if self._task is not None:
            self._task.cancel()
        if self._socket is not None:
            self._socket.close(code, reason)

    def write(self, frame: bytes) -> None:
        """Send a frame; dropped when the socket is gone (its CALL is then unanswered)."""
        if self._socket is not None:
            if self._numbers and frame[1:4] in (b'3,"', b'4,"'):
                id = frame[4 : frame.index(b'"', 4)]
                number = self._numbers.pop(id.decode(), None)
                if callable(number):
                    number(frame)
                    return
                if number is not None:
                    frame = frame[:3] + number + frame[5 + len(id) :]
            traffic = self._dials.traffic
            traffic.sent_bytes += len(frame)
            traffic.sizes[(len(frame) - 1).bit_length()] += 1
            self._socket.send(frame)

    def divert(self, id: str, to: Callable[[bytes], None]) -> None:
        """The answer under this id, which goes out next, is not for the CSMS."""
        self._numbers[id] = to

    def reconnect(self) -> None:
        """Close the socket, and dial again as after a loss."""
        if self._socket is not None:
            self.ended = "other"
            self._socket.close(1000, "reconnect")

    def opened(self, socket: _Socket) -> None:
        self._socket = socket
        self._heard = False
        self._bad = 0
        self._numbers.clear()
        self._opened_at = self._wheel.loop.time()
        if not self.wanted:
            socket.close()
            return
        self.ended = ""
        self._keep_alive()
        self._on_state(*self._about, "connected")

    def received(self, data: bytes) -> None:
        traffic = self._dials.traffic
        traffic.received_bytes += len(data)
        traffic.sizes[(len(data) - 1).bit_length()] += 1
        frame: Frame | Unanswered
        try:
            frame = decode(data)
        except msgspec.MsgspecError:
            tolerated = _tolerant(data, self._config.version)
            if tolerated is None:
                self._bad += 1
                if self._bad >= BAD_FRAMES and self._socket is not None:
                    self._socket.close(1002, "not OCPP-J")
                return
            frame, number = tolerated
            if isinstance(frame, Send):
                return  # 2.1 has none for a charger
            if isinstance(frame, ResultError):
                log.info("answer_rejected", upstream=self.name, charger_id=self.charger)
            if number and isinstance(frame, Call):
                self._numbers[frame.id] = number
                if len(self._numbers) > MOST_NUMBERS:
                    del self._numbers[next(iter(self._numbers))]
        if not self._heard:
            self._heard = True
            self._failures = 0
        self._on_frame(*self._about, frame)

    def lost(self, code: int, reason: str) -> None:
        now = self._wheel.loop.time()
        self._socket = None
        self._forget_timer()
        self._dials.ended(self._url, now)
        self.last_error = f"closed {code} {reason}".strip()
        if not self.ended:
            self.ended = "protocol_error" if code in _BROKEN else "transport_error" if code == 1006 else "peer_close"
        self._refused = False
        if self.wanted and self._task is None:
            if now - self._opened_at > STABLE_SECONDS:
                self._failures = 0
            elif not self._heard:
                self._failures += 1
            self._back_off(self._config.reconnect_max)
        self._on_state(*self._about, "lost")

    def _dial(self) -> None:
        self._timer = None
        if not self.wanted or self._task is not None or self._socket is not None:
            return
        wait = self._dials.wait(self._url, self._wheel.loop.time())
        if wait > 0:
            self._timer = self._wheel.after(wait, self._dial)
            return
        self._dials.begun(self._url)
        self._task = asyncio.get_running_loop().create_task(self._connect())
        self._task.add_done_callback(self._dialled)  # runs also if the task is cancelled before its first step

    async def _connect(self) -> None:
        socket = _Socket(self._wheel, self)
        if self._config.authentication == "passthrough":
            now = None if self._authorization is None else self._authorization(self.charger)
            if now is None and self._dials.passed is not None:
                now = await self._dials.passed(self.charger)
            self._passed = self._passed if now is None else now
        passed = self._passed
        if self._config.authentication == "vault" and self._dials.secret is not None:
            passed = await self._dials.secret(self.name, self.charger)
        async with self._dials.slots:
            await socket.dial(
                self._url,
                subprotocols=[self._config.version],
                headers=headers(self._config, self.charger, passed),
                ssl=self._dials.contexts.of(self._config) if self._url.startswith("wss:") else None,
                timeout=self._config.connect_timeout,
            )

    def _dialled(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if self._socket is None:
            self._dials.ended(self._url, self._wheel.loop.time())
        error = None if task.cancelled() else task.exception()
        if error is None:
            self._dial()  # stopped and started again meanwhile, or lost already; does nothing if there is a socket
        elif isinstance(error, DialFailed):
            self._dial_failed(error)
        elif isinstance(error, Unknown):
            self._dial_failed(DialFailed("credentials", _UNKNOWN[self._config.authentication == "passthrough"]))
        elif isinstance(error, OSError):
            self._dial_failed(DialFailed("tls", f"certificates cannot be used: {error}"))
        else:  # a header or host name that nobody can send: tried again, as it may be mended
            self._dial_failed(DialFailed("url", repr(error)))

    def _dial_failed(self, failed: DialFailed) -> None:
        self.last_error = str(failed)
        if self._failures == 0:
            log.warning("upstream_dial_failed", upstream=self.name, charger_id=self.charger, reason=str(failed))
        self._failures += 1
        refused = self._refused = failed.status in (401, 403, 404) or failed.kind in ("subprotocol", "credentials")
        if self.wanted:
            self._back_off(REFUSED_CAP_SECONDS if refused else self._config.reconnect_max, failed.retry_after)
        told = _STATUSES.get(failed.status, failed.kind)
        self._on_state(*self._about, "unavailable" if failed.status >= 500 else told)

    def _back_off(self, cap: float, at_least: float = 0) -> None:
        longest = min(cap, self._config.reconnect_min * 2.0 ** min(self._failures, 12))
        delay = max(REDIAL_SECONDS, random.uniform(0, longest), min(at_least, REFUSED_CAP_SECONDS))
        self._timer = self._wheel.after(delay, self._dial)

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _keep_alive(self) -> None:
        interval, socket = self._config.ping_interval, self._socket
        if not interval or socket is None:
            return
        silent = self._wheel.loop.time() - socket.last_received
        if silent > SILENT_INTERVALS * interval:
            self.ended = "ping_timeout"
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


def _tolerant(data: bytes, version: str) -> tuple[Frame | Unanswered, bytes] | None:
    """A frame of 2.1 alone, or one whose id is a number or whose payload is missing or null, as text id and `{}`; None: no frame.

    The second part is the id as received if it is a number, else empty.
    """
    try:
        match msgspec.json.decode(data, type=list[msgspec.Raw]):
            case [kind, id, *rest]:
                text, number = bytes(id), b""
                if not text.startswith(b'"'):
                    msgspec.json.decode(text, type=int | float)
                    text, number = b'"' + text + b'"', text
                parts = [b"{}" if bytes(part) == b"null" else bytes(part) for part in rest]
                whole = b"[" + b",".join([bytes(kind), text, *parts]) + b"]"
                return (decode_21 if version == "ocpp2.1" else decode)(whole), number
    except msgspec.MsgspecError:
        pass
    return None
