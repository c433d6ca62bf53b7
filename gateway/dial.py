"""The WebSocket client of the upstream leg: `ClientWire.dial` (see gateway/wire.py for what both legs share)."""

from __future__ import annotations

import asyncio
import socket
import ssl as tls
import sys
from collections.abc import Mapping, Sequence
from typing import Any, cast

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus, InvalidURI
from websockets.http11 import Request, Response
from websockets.protocol import Side
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from gateway.reading import READ_LIMIT, quiet
from gateway.wheel import Wheel
from gateway.wire import UPGRADE_TIMEOUT, Wire


class DialFailed(Exception):
    """A dial that gave no usable WebSocket.

    `kind`: "url", "dns", "refused", "timeout", "tls", "http" (the server answered with `status`), "subprotocol" or
    "protocol".
    `retry_after` is the value of that header in seconds, 0 without one.
    """

    def __init__(self, kind: str, detail: str, *, status: int = 0, retry_after: int = 0) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail
        self.status = status
        self.retry_after = retry_after


class ClientWire(Wire):
    """A connection that we dial. Construct, then `await dial(...)`; usable once."""

    __slots__ = ("_waiter", "_wanted", "subprotocol")

    side = Side.CLIENT
    _protocol: ClientProtocol

    def __init__(self, wheel: Wheel) -> None:
        super().__init__(wheel)
        self._waiter: asyncio.Future[None] | None = None
        self._wanted: tuple[str, ...] = ()
        self.subprotocol = ""
        """The one that the server chose, spelled as on the wire; empty before the handshake or without one."""

    async def dial(
        self,
        url: str,
        *,
        subprotocols: Sequence[str],
        headers: Mapping[str, str] | None = None,
        ssl: tls.SSLContext | None = None,
        timeout: float = UPGRADE_TIMEOUT,  # noqa: ASYNC109
        read_limit: int = READ_LIMIT,
    ) -> None:
        """Connect to a ws:// or wss:// URL (user and password in it become Basic credentials).

        Returns once the handshake is complete, after `on_open`. `subprotocols` in order of preference; a server that
        picks none of them is closed (1002). `headers` are added to the request. `timeout` in seconds covers everything.
        Raises `DialFailed`; a cancelled dial leaves no socket.
        """
        try:
            uri = parse_uri(url)
        except InvalidURI as exc:
            raise DialFailed("url", str(exc)) from exc
        self._wanted = tuple(subprotocols)
        self._read_limit = read_limit
        self._protocol = ClientProtocol(
            uri, subprotocols=[Subprotocol(name) for name in subprotocols], max_size=read_limit, logger=quiet
        )
        request = self._protocol.connect()
        for name, value in (headers or {}).items():
            if name in request.headers:
                del request.headers[name]
            request.headers[name] = value
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        options: dict[str, Any] = {}
        if uri.secure:
            options = {"ssl": ssl or tls.create_default_context(), "server_hostname": uri.host}
        try:
            async with asyncio.timeout(timeout):
                await loop.create_connection(lambda: self, uri.host, uri.port, **options)
                self._protocol.send_request(request)
                self._flush()
                await self._waiter
                self._waiter = None
        except DialFailed:
            raise  # the socket is closed or closing, with CLOSE_TIMEOUT running
        except TimeoutError:
            self.abort()
            raise DialFailed("timeout", f"no WebSocket within {timeout:g} s") from None
        except tls.SSLError as exc:
            raise DialFailed("tls", str(exc)) from exc
        except OSError as exc:
            if uri.secure and isinstance(exc, ConnectionResetError | ConnectionAbortedError):
                raise DialFailed("tls", str(exc) or "the server left during the TLS handshake") from exc
            kind = "dns" if isinstance(exc, socket.gaierror) else "refused"
            raise DialFailed(kind, str(exc)) from exc
        except BaseException:
            self.abort()
            raise

    def _handshake(self, event: Request | Response) -> None:
        response = cast(Response, event)
        exc = self._protocol.handshake_exc
        if exc is not None:
            kind = "http" if isinstance(exc, InvalidStatus) else "protocol"
            if "subprotocol" in str(exc):
                kind = "subprotocol"
            after = response.headers.get("Retry-After", "")
            retry_after = int(after) if after.isascii() and after.isdigit() and len(after) < 7 else 0
            self._undo(DialFailed(kind, str(exc), status=response.status_code, retry_after=retry_after))
        elif self._wanted and self._protocol.subprotocol is None:
            self._protocol.send_close(1002, "no subprotocol")
            self._flush()
            self._undo(DialFailed("subprotocol", "the server chose none", status=response.status_code))
        else:
            self.subprotocol, self._wanted = sys.intern(self._protocol.subprotocol or ""), ()
            self._open()
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_result(None)

    def _undo(self, failure: DialFailed) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(failure)

    def _unopened(self, exc: Exception | None) -> None:
        detail = str(exc or self._protocol.handshake_exc or "the server left during the handshake")
        self._undo(DialFailed("protocol", detail))
