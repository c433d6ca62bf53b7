"""A CSMS that says what it is told to, for every charger on one port, and keeps what it heard."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

Script = Callable[[list[Any]], str | None]
"""A CALL of the charger -> the text of the answer; None: silence."""


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def polite(call: list[Any]) -> str:
    """What any CSMS of the road's version would say."""
    accepted = {"status": "Accepted"}
    answers: dict[str, dict[str, Any]] = {
        "BootNotification": {**accepted, "currentTime": now(), "interval": 300},
        "Heartbeat": {"currentTime": now()},
        "Authorize": {"idTagInfo": accepted} if "idTag" in call[3] else {"idTokenInfo": accepted},
        "StartTransaction": {"transactionId": 7, "idTagInfo": accepted},
        "DataTransfer": accepted,
    }
    return json.dumps([3, call[1], answers.get(call[2], {})])


class Csms:
    """`ws://127.0.0.1:port/<road>/<charger id>`."""

    def __init__(self) -> None:
        self.heard: dict[str, list[list[Any]]] = defaultdict(list)
        """Charger -> CALLs as it heard them, without the message id."""
        self.texts: dict[str, list[str]] = defaultdict(list)
        """Charger -> all frames, as they came."""
        self.answers: dict[str, list[list[Any]]] = defaultdict(list)
        """Charger -> answers to our CALLs."""
        self.scripts: dict[str, Script] = {}
        self.sockets: dict[str, ServerConnection] = {}
        self.codes: dict[str, list[int]] = defaultdict(list)
        """Charger -> close codes of its sockets."""
        self.port = 0
        self._server: Server | None = None

    async def start(self) -> None:
        def choose(_socket: ServerConnection, offered: Any) -> Any:
            return offered[0] if offered else None

        self._server = await serve(
            self._serve, "127.0.0.1", 0, select_subprotocol=choose, compression=None, max_size=2**24, close_timeout=1
        )
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await asyncio.wait_for(self._server.wait_closed(), 10)

    async def say(self, charger: str, text: str) -> None:
        """To one charger, once it is there."""
        await self.until(lambda: charger in self.sockets)
        await self.sockets[charger].send(text)

    async def until(self, condition: Callable[[], Any], patience: float = 10) -> None:
        async with asyncio.timeout(patience):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    def said(self, charger: str, action: str) -> list[Any]:
        """Payloads of one action, in order."""
        return [call[1] for call in self.heard[charger] if call[0] == action]

    async def _serve(self, socket: ServerConnection) -> None:
        charger = (socket.request.path if socket.request else "").rsplit("/", 1)[1]
        self.sockets[charger] = socket
        with contextlib.suppress(ConnectionClosed):
            async for text in socket:
                assert isinstance(text, str)
                self.texts[charger].append(text)
                frame = json.loads(text)
                if frame[0] != 2:
                    self.answers[charger].append(frame)
                    continue
                self.heard[charger].append(frame[2:])
                answer = self.scripts.get(charger, polite)(frame)
                if answer is not None:
                    await socket.send(answer)
        self.codes[charger].append(socket.close_code or 0)
        if self.sockets.get(charger) is socket:
            del self.sockets[charger]
