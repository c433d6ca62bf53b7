"""What passes the sockets of the demo's charger and CSMS: every frame with its time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, Literal, TypeAlias, TypeVar, cast

import msgspec
from ocpp.routing import on
from websockets.asyncio.connection import Connection

Side: TypeAlias = Literal["charger", "csms"]
Kind: TypeAlias = Literal["call", "result", "error"]
F = TypeVar("F", bound=Callable[..., Any])


class Seen(msgspec.Struct, frozen=True):
    """One frame on one socket of the demo."""

    side: Side
    charger: str
    """Identity of the charger that it is about."""
    said: bool
    """Sent by this side; else it was heard."""
    kind: Kind
    id: str
    action: str
    """Of an answer: the action of its CALL; empty if that is unknown."""
    payload: Any
    """Of a CALLERROR: `{"code": ..., "description": ...}`."""
    at: float
    """Seconds of the monotonic clock."""

    @property
    def up(self) -> bool:
        """Whether it goes from the charger to the CSMS."""
        return self.said == (self.side == "charger")


Listener: TypeAlias = Callable[[Seen], None]


class Tap:
    """The connection that the `ocpp` package reads and writes. The listener learns of every frame."""

    def __init__(self, socket: Connection, side: Side, charger: str, listener: Listener) -> None:
        self.socket = socket
        self._side: Side = side
        self._charger = charger
        self._listener = listener
        self._actions: dict[tuple[bool, str], str] = {}

    async def recv(self) -> str:
        text = await self.socket.recv()
        self._tell(False, text)
        return text if isinstance(text, str) else text.decode()

    async def send(self, text: str) -> None:
        self._tell(True, text)
        await self.socket.send(text)

    def _tell(self, said: bool, text: str | bytes) -> None:
        at = time.perf_counter()
        frame = json.loads(text)
        id = str(frame[1])
        match frame[0]:
            case 2:
                action = self._actions[(said, id)] = frame[2]
                kind, payload = "call", frame[3]
            case 3:
                action = self._actions.pop((not said, id), "")
                kind, payload = "result", frame[2]
            case _:
                action = self._actions.pop((not said, id), "")
                kind, payload = "error", {"code": frame[2], "description": frame[3]}
        self._listener(Seen(self._side, self._charger, said, cast(Kind, kind), id, action, payload, at))


def answers(action: str) -> Callable[[F], F]:
    """Marks a method as the answer to an action (`ocpp.routing.on`, typed)."""
    return cast(Callable[[F], F], on(action))
