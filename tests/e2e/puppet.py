"""Two ends without a mind of their own: they say exactly the bytes of a script, and answer what they hear with the bytes of it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import msgspec
from websockets.asyncio.client import connect
from websockets.asyncio.connection import Connection
from websockets.asyncio.server import Server, serve
from websockets.exceptions import ConnectionClosed

from .wire import PATIENCE, Recorder

Side = Literal["charger", "csms"]
Frame = tuple[bool, str, bytes]
"""One frame without its message id: whether the end sent it, what kind it is, its content byte for byte."""


@dataclass(frozen=True, slots=True)
class Step:
    """One CALL and its answer."""

    by: Side
    action: str
    payload: bytes
    """JSON text."""
    answer: bytes
    """The frame of the answer behind its message id, and whether it is a CALLRESULT: `3,{...}` or `4,"code","",{}`."""


class Puppet:
    """One end of the conversation. `answers` holds what it says to the next CALLs that it hears, in order."""

    def __init__(self, version: str, name: str) -> None:
        self.version = version
        self.recorder = Recorder(version, name)
        self.answers: deque[bytes] = deque()
        self.socket: Connection | None = None
        self._ids = itertools.count(1)

    async def listen(self, socket: Connection) -> None:
        """Lives on this connection until it ends."""
        self.socket = socket
        self.recorder.opened()
        with contextlib.suppress(ConnectionClosed):
            async for text in socket:
                self.recorder.note(False, text)
                frame = json.loads(text)
                if frame[0] == 2:
                    kind, _, rest = self.answers.popleft().partition(b",")
                    await self._send(b"[%b, %b,%b]" % (kind, json.dumps(frame[1]).encode(), rest))

    async def say(self, action: str, payload: bytes) -> str:
        """Sends a CALL; returns its message id."""
        id = f"{self.recorder.name[:2]}-{next(self._ids)}"
        await self._send(b'[2,"%b", "%b",%b]' % (id.encode(), action.encode(), payload))
        return id

    async def call(self, action: str, payload: bytes) -> None:
        """Sends a CALL and waits for its answer."""
        await self.recorder.answered(await self.say(action, payload))

    async def _send(self, frame: bytes) -> None:
        assert self.socket is not None
        self.recorder.note(True, frame)
        await self.socket.send(frame.decode())

    @property
    def transcript(self) -> list[Frame]:
        """What passed on its socket, in order."""
        return [essence(each.mine, each.text) for each in self.recorder.seen]


_elements = msgspec.json.Decoder(list[msgspec.Raw])


def essence(mine: bool, text: bytes) -> Frame:
    """A frame without its id; the bytes of payloads and details are kept, a description's JSON escapes are not."""
    kind, _, *rest = [bytes(element) for element in _elements.decode(text)]
    if kind == b"3":
        return mine, "result", rest[0]
    name = json.loads(rest[0])
    if kind == b"2":
        return mine, name, rest[1]
    return mine, f"error {name} {json.loads(rest[1])}", rest[2]


class Stage:
    """A scripted charger and a scripted CSMS."""

    def __init__(self, version: str, identity: str = "CP1") -> None:
        self.identity = identity
        self.charger = Puppet(version, f"charger/{identity}")
        self.csms = Puppet(version, f"csms/{identity}")
        self._server: Server | None = None
        self._listening: asyncio.Task[None] | None = None
        self.url = ""
        """Base URL of the CSMS."""

    async def open(self) -> None:
        self._server = await serve(
            self.csms.listen,
            "127.0.0.1",
            0,
            subprotocols=[self.csms.version],  # type: ignore[list-item]
            compression=None,
            close_timeout=2,
        )
        self.url = f"ws://127.0.0.1:{next(iter(self._server.sockets)).getsockname()[1]}/ocpp"

    async def plug_in(self, url: str) -> None:
        """Connects the charger there, and waits until the CSMS hears of it."""
        version = self.charger.version
        socket = await connect(
            f"{url}/{self.identity}",
            subprotocols=[version],  # type: ignore[list-item]
            compression=None,
            close_timeout=2,
            proxy=None,
        )
        self._listening = asyncio.create_task(self.charger.listen(socket))
        await self.csms.recorder.until(
            "connection", lambda: self.charger.socket is not None and self.csms.socket is not None
        )

    async def play(self, script: Iterable[Step]) -> None:
        """One step after the other."""
        for step in script:
            caller, hearer = self._ends(step.by)
            hearer.answers.append(step.answer)
            await caller.call(step.action, step.payload)
            assert not hearer.answers, f"{step.action} was answered by somebody else"

    async def play_at_once(self, script: Iterable[Step]) -> None:
        """Every CALL is written before any answer is waited for. Each side may do so with its own order only."""
        waiting = []
        for step in script:
            caller, hearer = self._ends(step.by)
            hearer.answers.append(step.answer)
            waiting.append((caller, await caller.say(step.action, step.payload)))
        for caller, id in waiting:
            await caller.recorder.answered(id)

    def _ends(self, by: Side) -> tuple[Puppet, Puppet]:
        return (self.charger, self.csms) if by == "charger" else (self.csms, self.charger)

    async def close(self) -> None:
        if self._listening is not None:
            assert self.charger.socket is not None
            await asyncio.wait_for(self.charger.socket.close(), PATIENCE)
            await asyncio.wait_for(self._listening, PATIENCE)
        if self._server is not None:
            self._server.close()
            await asyncio.wait_for(self._server.wait_closed(), PATIENCE)
