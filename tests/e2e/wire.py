"""What one peer saw on its socket: every frame both ways, checked as it passes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from websockets.asyncio.connection import Connection

from .schema import violations

PATIENCE = 25.0
"""Seconds that a test waits for anything before it fails; longer than the leases of a killed gateway last."""

_raw_items = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True, slots=True)
class Seen:
    """One frame as it was on the wire."""

    mine: bool
    """Sent by the peer that records."""
    connection: int
    text: bytes
    frame: list[Any]


@dataclass(slots=True)
class Exchange:
    """A CALL and its answer."""

    mine: bool
    connection: int
    id: str
    action: str
    payload: dict[str, Any]
    raw: bytes
    """The payload, byte for byte."""
    answer: dict[str, Any] | None = None
    raw_answer: bytes | None = None
    error: list[Any] | None = None
    """`[code, description, details]` of a CALLERROR."""


class Recorder:
    """The transcript of one charger identity as one peer saw it, across its connections.

    `faults` collects what the other side did wrong: frames that violate the schema of the version, a second open CALL,
    a message id used twice, an answer to no CALL.
    """

    def __init__(self, version: str, name: str) -> None:
        self.version = version
        self.name = name
        self.seen: list[Seen] = []
        self.exchanges: list[Exchange] = []
        self.faults: list[str] = []
        self.connections = 0
        self._open: dict[tuple[bool, str], Exchange] = {}
        self._ids: set[str] = set()

    def opened(self) -> None:
        """A new connection: what was open on the old one is answered never."""
        self.connections += 1
        self._open.clear()
        self._ids.clear()

    def note(self, mine: bool, text: str | bytes) -> None:
        data = text.encode() if isinstance(text, str) else text
        try:
            frame = json.loads(data)
            items = [bytes(item) for item in _raw_items.decode(data)]
            whole = len(frame) >= {2: 4, 3: 3, 4: 5}[frame[0]]
        except (ValueError, LookupError, TypeError):
            whole = False
        if not whole:
            if not mine:
                self._fault(f"not an OCPP frame: {data[:200]!r}")
            return
        self.seen.append(Seen(mine, self.connections, data, frame))
        if frame[0] == 2:
            self._call(mine, frame, items)
        else:
            self._answer(mine, frame, items)

    def _fault(self, text: str) -> None:
        self.faults.append(f"{self.name}: {text}")

    def _call(self, mine: bool, frame: list[Any], items: list[bytes]) -> None:
        exchange = Exchange(mine, self.connections, frame[1], frame[2], frame[3], items[3])
        if not mine:
            for (whose, _), other in self._open.items():
                if not whose:
                    self._fault(f"{exchange.action} while {other.action} is open")
            if exchange.id in self._ids:
                self._fault(f"message id {exchange.id} twice on one connection")
            self._ids.add(exchange.id)
            for violation in violations(self.version, exchange.action, "call", exchange.raw):
                self._fault(violation)
        self._open[mine, exchange.id] = exchange
        self.exchanges.append(exchange)

    def _answer(self, mine: bool, frame: list[Any], items: list[bytes]) -> None:
        exchange = self._open.pop((not mine, frame[1]), None)
        if exchange is None:
            if not mine:
                self._fault(f"answer to no CALL: {frame}")
            return
        if frame[0] == 4:
            exchange.error = frame[2:]
            return
        exchange.answer, exchange.raw_answer = frame[2], items[2]
        if not mine:
            for violation in violations(self.version, exchange.action, "result", items[2]):
                self._fault(violation)

    def calls(self, action: str = "", *, mine: bool = False) -> list[Exchange]:
        """The CALLs of the other side (or `mine`), in order."""
        return [x for x in self.exchanges if x.mine == mine and action in ("", x.action)]

    async def until(self, what: str, condition: Callable[[], bool], patience: float = PATIENCE) -> None:
        """Waits until the condition holds. Raises AssertionError with the last frames otherwise."""
        try:
            async with asyncio.timeout(patience):
                while not condition():  # noqa: ASYNC110 - also what no frame announces
                    await asyncio.sleep(0.005)
        except TimeoutError:
            tail = "\n".join(f"{'->' if s.mine else '<-'} {s.text.decode()[:300]}" for s in self.seen[-12:])
            raise AssertionError(f"{self.name}: no {what} within {patience:g} s; last frames:\n{tail}") from None

    async def answered(self, exchange_id: str, patience: float = PATIENCE) -> Exchange:
        """The exchange of my CALL with this message id, once it is answered."""

        def find() -> Exchange | None:
            mine = (x for x in reversed(self.exchanges) if x.mine and x.id == exchange_id)
            return next((x for x in mine if x.answer is not None or x.error is not None), None)

        await self.until(f"answer to {exchange_id}", lambda: find() is not None, patience)
        found = find()
        assert found is not None
        return found


class Tap:
    """The connection that the `ocpp` package reads and writes; the recorder sees every frame."""

    def __init__(self, socket: Connection, recorder: Recorder) -> None:
        self.socket = socket
        self.recorder = recorder

    async def recv(self) -> str:
        text = await self.socket.recv()
        self.recorder.note(False, text)
        return text if isinstance(text, str) else text.decode()

    async def send(self, text: str) -> None:
        self.recorder.note(True, text)
        await self.socket.send(text)
