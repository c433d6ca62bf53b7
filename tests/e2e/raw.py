"""A CSMS without manners, and a look into the store: what the well-behaved peers of these tests cannot show."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus

from gateway.journal.address import parse
from gateway.journal.connection import connect as connect_store
from gateway.journal.embedded import Embedded

from .csms import now
from .process import Gateway
from .wire import PATIENCE

Reply = Callable[[str, str, dict[str, Any]], list[Any] | None]
"""(message id, action, payload) -> the frame to answer with; None: silence."""


def polite(id: str, action: str, _payload: dict[str, Any]) -> list[Any]:
    """What any CSMS would say to the messages of these tests."""
    accepted = {"status": "Accepted"}
    answers: dict[str, dict[str, Any]] = {
        "BootNotification": {**accepted, "currentTime": now(), "interval": 300},
        "Heartbeat": {"currentTime": now()},
        "Authorize": {"idTagInfo": accepted},
        "StartTransaction": {"transactionId": 7, "idTagInfo": accepted},
        "DataTransfer": accepted,
    }
    return [3, id, answers.get(action, {})]


class RawCsms:
    """Answers with whatever `reply` gives."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.reply: Reply = polite
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, list[Any]] = {}
        """Message id -> what the charger side answered to a CALL of `send`."""
        self.sockets: set[ServerConnection] = set()
        self.dials = 0
        self.port = 0
        self._server: Server | None = None

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ocpp"

    async def start(self) -> None:
        """Listens; after `stop` again on the same port."""
        self._server = await serve(
            self._serve, "127.0.0.1", self.port, subprotocols=[self.version], compression=None, close_timeout=1
        )  # type: ignore[arg-type]
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await asyncio.wait_for(self._server.wait_closed(), PATIENCE)
            self._server = None

    async def send(self, *frame: Any) -> None:
        """Writes a frame to every charger."""
        for socket in list(self.sockets):
            await socket.send(json.dumps(frame))

    def said(self, action: str) -> list[dict[str, Any]]:
        """The payloads of one action, in order."""
        return [payload for heard, payload in self.heard if heard == action]

    async def _serve(self, socket: ServerConnection) -> None:
        self.sockets.add(socket)
        self.dials += 1
        with contextlib.suppress(ConnectionClosed):
            async for text in socket:
                frame = json.loads(text)
                if frame[0] != 2:
                    self.answers[frame[1]] = frame
                    continue
                self.heard.append((frame[2], frame[3]))
                if (answer := self.reply(frame[1], frame[2], frame[3])) is not None:
                    await socket.send(json.dumps(answer))
        self.sockets.discard(socket)


@pytest.fixture
async def raw_csms() -> AsyncIterator[Callable[[str], Any]]:
    """`await raw_csms("ocpp1.6")`: a listening RawCsms."""
    running: list[RawCsms] = []

    async def start(version: str) -> RawCsms:
        csms = RawCsms(version)
        await csms.start()
        running.append(csms)
        return csms

    yield start
    for csms in running:
        await csms.stop()


async def until(what: str, condition: Callable[[], Any], patience: float = PATIENCE) -> None:
    """Waits until the condition holds. Raises AssertionError."""
    try:
        async with asyncio.timeout(patience):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"no {what} within {patience:g} s") from None


async def handshake(url: str, identity: str, version: str = "ocpp1.6") -> int:
    """What a handshake gets: 101 (the connection is closed at once), the status of a refusal, or 0 if nobody listens."""
    try:
        async with asyncio.timeout(PATIENCE):
            socket = await connect(f"{url}/{identity}", subprotocols=[version], proxy=None, close_timeout=1)  # type: ignore[list-item]
    except InvalidStatus as refused:
        return refused.response.status_code
    except (OSError, ConnectionClosed):
        return 0
    await socket.close()
    return 101


async def refused(url: str, identity: str, patience: float = PATIENCE) -> None:
    """Waits until handshakes get 503."""
    status = 0
    try:
        async with asyncio.timeout(patience):
            while (status := await handshake(url, identity)) != 503:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"handshakes get {status}, not 503") from None


async def readiness(gateway: Gateway) -> tuple[int, list[str]]:
    """Status and reasons of /readyz."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.admin_port)
    try:
        writer.write(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n")
        async with asyncio.timeout(PATIENCE):
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    return int(head.split()[1]), json.loads(body)["reasons"]


async def ready(gateway: Gateway, status: int, reason: str = "", patience: float = PATIENCE) -> None:
    """Waits until /readyz has this status, with this word in its reasons."""
    last: tuple[int, list[str]] = (0, [])
    try:
        async with asyncio.timeout(patience):
            while (last := await readiness(gateway))[0] != status or reason not in " ".join(last[1]):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"/readyz is {last}, not {status} {reason!r}\n{gateway.tail()}") from None


async def ask_store(url: str, *command: str | int) -> Any:
    """Runs one command on a store."""
    connection = await connect_store(parse(url), "test")
    try:
        return await asyncio.wait_for(connection.call(command), PATIENCE)
    finally:
        connection.close()


def store_of(gateway: Gateway) -> str:
    """URL of a gateway's embedded store."""
    return f"unix://{Embedded(gateway.config['redis']['data_dir'], 'everysec').socket}"
