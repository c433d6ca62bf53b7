"""A CSMS that is scripted, on a real socket: what a dial shows it, and what it makes of that."""

from __future__ import annotations

import asyncio
import http
import shutil
import ssl as tls
import subprocess
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

Play = Callable[[ServerConnection], Awaitable[None]]


async def listen(_socket: ServerConnection) -> None:
    """Says nothing."""


class Script:
    """A CSMS that does what the test says and remembers who dialled, when, and how."""

    def __init__(self) -> None:
        self.play: Play = listen
        self.refuse = 0
        """HTTP status of every answer to a handshake; 0: accept."""
        self.headers: dict[str, str] = {}
        self.delay = 0.0
        self.subprotocol: str | None = "ocpp1.6"
        self.dials: list[float] = []
        self.requests: list[Request] = []
        self.under_way = 0
        self.most_under_way = 0
        self.sockets: list[ServerConnection] = []
        self.heard: list[str | bytes] = []
        self.port = 0
        self._server: Server | None = None

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ocpp"

    async def start(self, ssl: tls.SSLContext | None = None) -> None:
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            self.port,
            process_request=self._request,
            select_subprotocol=lambda _socket, _offered: self.subprotocol,  # type: ignore[arg-type,return-value]
            compression=None,
            ping_interval=None,
            close_timeout=1,
            ssl=ssl,
        )
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _request(self, _socket: ServerConnection, request: Request) -> Response | None:
        self.dials.append(time.monotonic())
        self.requests.append(request)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await asyncio.sleep(self.delay)
        finally:
            self.under_way -= 1
        if self.refuse:
            reason = http.HTTPStatus(self.refuse).phrase
            return Response(self.refuse, reason, Headers({"Content-Length": "0", **self.headers}), b"")
        return None

    async def _serve(self, socket: ServerConnection) -> None:
        self.sockets.append(socket)
        await self.play(socket)
        try:
            async for text in socket:
                self.heard.append(text)
        except ConnectionClosed:
            pass

    @property
    def gaps(self) -> list[float]:
        """Seconds between one dial and the next."""
        return [later - earlier for earlier, later in zip(self.dials, self.dials[1:], strict=False)]


async def until(condition: Callable[[], Any], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def certificate(folder: Path) -> tuple[Path, Path]:
    """Key and self-signed certificate of localhost."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make a certificate with")
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    return key, cert
