"""The WebSocket server of the charger leg: `ServerWire` (see gateway/wire.py for what both legs share)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final, cast

import structlog
from websockets.exceptions import HeaderLineTooLong, InvalidHandshake, RequestLineTooLong, TooManyHeaders
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.http11 import Request, Response
from websockets.protocol import Side
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from gateway.reading import READ_LIMIT, quiet
from gateway.wheel import Wheel
from gateway.wire import UPGRADE_TIMEOUT, Wire

_log = structlog.get_logger(__name__)

_DEFLATE: Final = ServerPerMessageDeflateFactory(
    server_no_context_takeover=True,
    client_no_context_takeover=True,
    server_max_window_bits=11,
    client_max_window_bits=11,
    compress_settings={"memLevel": 4},
)
_DEFLATE_ANY_WINDOW: Final = ServerPerMessageDeflateFactory(
    server_no_context_takeover=True,
    client_no_context_takeover=True,
    server_max_window_bits=11,
    compress_settings={"memLevel": 4},
)


class _Server(ServerProtocol):
    """Leaves the choice of the subprotocol to the owner, who also needs the list."""

    offered: Sequence[str] = ()

    def select_subprotocol(self, subprotocols: Sequence[Subprotocol]) -> Subprotocol | None:
        self.offered = subprotocols
        return None


class ServerWire(Wire):
    """A connection that was accepted. `on_request` decides it by `accept` or `reject`, at once or later."""

    __slots__ = ("_decided", "_response")

    side = Side.SERVER
    _protocol: _Server

    def __init__(self, wheel: Wheel, *, read_limit: int = READ_LIMIT) -> None:
        super().__init__(wheel, read_limit)
        self._protocol = _Server(max_size=read_limit, logger=quiet)
        self._response: tuple[Request, Response] | None = None
        self._decided = False

    @property
    def upgrade_timeout(self) -> float:
        """Seconds for the HTTP upgrade. For owners to override."""
        return UPGRADE_TIMEOUT

    @property
    def lenient_upgrade(self) -> bool:
        """Whether a request without `Connection: Upgrade` is one for a WebSocket if all else is. For owners to override."""
        return False

    def on_lenient(self) -> None:
        """Such a request has come."""

    def on_request(self, request: Request, offered: Sequence[str]) -> None:
        """A valid WebSocket request has come; `offered` are its subprotocols as spelled, in the client's order.

        Requests that are no WebSocket upgrade (405, 426, 505, 400) never get here: see `on_refused`.
        """
        raise NotImplementedError

    def on_refused(self, status: int, why: str) -> None:
        """The connection ended without a WebSocket: the HTTP status that was sent, or 0 when the peer sent nothing
        usable, left, or took longer than `UPGRADE_TIMEOUT`."""

    def accept(
        self, subprotocol: str | None, *, headers: Iterable[tuple[str, str]] = (), deflate: bool = False
    ) -> None:
        """Send the 101, with exactly this subprotocol (None: without the header), then `on_open`.

        `deflate`: take permessage-deflate if the client offers it, without context takeover on either side.
        Does nothing when the peer has left meanwhile.
        """
        if self._response is None or self._transport is None:
            return
        request, response = self._response
        if deflate:
            self._protocol.available_extensions = (_DEFLATE, _DEFLATE_ANY_WINDOW)
            try:
                header, self._protocol.extensions = self._protocol.process_extensions(request.headers)
            except InvalidHandshake:
                self.reject(400, "Invalid Sec-WebSocket-Extensions header.\n")
                return
            if header is not None:
                response.headers["Sec-WebSocket-Extensions"] = header
        if subprotocol is not None:
            response.headers["Sec-WebSocket-Protocol"] = subprotocol
        for name, value in headers:
            response.headers[name] = value
        self._response = None
        self._decided = True
        self._protocol.send_response(response)
        self._flush()
        self._paused = False
        self._open()
        if not self._paused:
            self._paused = True
            self.resume()
        self._rest()

    def reject(self, status: int, text: str, headers: Iterable[tuple[str, str]] = ()) -> None:
        """Answer with an HTTP error whose body is the plain `text`, and end the connection."""
        if self._response is None or self._transport is None:
            return
        self._response = None
        response = self._protocol.reject(status, text)
        for name, value in headers:
            response.headers[name] = value
        self._refuse(response, text.strip())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._deadline = self._wheel.after(self.upgrade_timeout, self.abort)

    def _knocked(self) -> None:
        if not self._decided and self._protocol.handshake_exc is not None:
            # The library has answered a request that it could not read.
            exc = self._protocol.handshake_exc
            status = 414 if isinstance(exc, RequestLineTooLong) else 0
            self._settle(431 if isinstance(exc, HeaderLineTooLong | TooManyHeaders) else status, str(exc))

    def _handshake(self, event: Request | Response) -> None:
        request = cast(Request, event)
        if self.lenient_upgrade and _lacks_only_connection(request):
            request.headers["Connection"] = "Upgrade"
            self.on_lenient()
        response = self._protocol.accept(request)
        if response.status_code != 101:
            self._refuse(response, str(self._protocol.handshake_exc))
            return
        self._response = request, response
        self.pause()  # nothing may be read before the decision
        try:
            self.on_request(request, self._protocol.offered)
        except Exception:
            _log.exception("handshake_failed")
            self.reject(500, "Internal error.\n")

    def _refuse(self, response: Response, why: str) -> None:
        self._protocol.send_response(response)
        self._discard()
        self._flush()
        self._settle(response.status_code, why)

    def _settle(self, status: int, why: str) -> None:
        self._decided = True
        self.on_refused(status, why)

    def _unopened(self, exc: Exception | None) -> None:
        self._response = None
        if not self._decided:
            self._settle(0, "left or too slow" if exc is None else str(exc))


def _lacks_only_connection(request: Request) -> bool:
    headers = request.headers
    if any("upgrade" in line.lower() for line in headers.get_all("Connection")):
        return False
    upgrades = any(line.strip().lower() == "websocket" for line in headers.get_all("Upgrade"))
    return upgrades and "Sec-WebSocket-Key" in headers and "Sec-WebSocket-Version" in headers
