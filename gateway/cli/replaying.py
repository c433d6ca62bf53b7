"""A capture played again: each of its chargers connects and says what it said, at its pace or faster."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import Any, Final

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from gateway.capture import Line
from gateway.cli.plain_answers import Numbers

ANSWER_SECONDS: Final = 30.0
LONGEST_PAUSE: Final = 3600.0


class Played(msgspec.Struct):
    """What became of a replay."""

    chargers: int = 0
    calls: int = 0
    answered: int = 0
    errors: list[str] = []
    """CALLERRORs, CALLs without an answer, connections that failed."""
    different: int = 0
    """Answers with another `status` than the recorded ones."""
    median_ms: int = 0


class Replay:
    """Of some chargers to one address."""

    def __init__(self, url: str, speed: float, *, prefix: str = "", password: str = "") -> None:
        """`speed`: 1 as recorded, 0 without pauses. `prefix` goes before the identities."""
        self._url, self._speed, self._prefix, self._password = url.rstrip("/"), speed, prefix, password
        self.played = Played(errors=[])
        self._ms: list[float] = []

    async def run(self, chargers: dict[str, list[Line]]) -> Played:
        """All of them side by side, as long as it takes."""
        begun = min((lines[0].time for lines in chargers.values()), default=0.0)
        await asyncio.gather(*(self._charger(name, lines, begun) for name, lines in chargers.items()))
        self.played.chargers = len(chargers)
        if self._ms:
            self.played.median_ms = round(sorted(self._ms)[len(self._ms) // 2])
        return self.played

    async def _charger(self, name: str, lines: list[Line], begun: float) -> None:
        answers = {(each.conn, each.frame[1]): each.frame for each in lines if each.source != "charger" and each.frame}
        commands = {
            (x.conn, x.frame[1]): x.frame[2] for x in lines if x.source != "charger" and x.frame and x.frame[0] == 2
        }
        said: dict[str, list[list[Any]]] = {}
        for each in lines:
            answers_one = each.source == "charger" and each.frame and each.frame[0] in (3, 4)
            if answers_one and each.frame and (action := commands.get((each.conn, each.frame[1]))) is not None:
                said.setdefault(action, []).append(each.frame)
        version = next((each.version for each in lines if each.version), "ocpp1.6")
        try:
            peer = _Peer(f"{self._url}/{self._prefix}{name}", version, said, self._basic(name))
            await peer.open()
        except (OSError, InvalidHandshake, TimeoutError) as error:
            self.played.errors.append(f"{name}: does not connect: {error}")
            return
        numbers, clock, conn = Numbers(), time.monotonic(), lines[0].conn
        try:
            for line in lines:
                frame = line.frame
                if line.source != "charger" or not frame or frame[0] != 2 or len(frame) < 4:
                    continue
                if line.conn != conn:
                    conn = line.conn
                    await peer.close()
                    await peer.open()
                if self._speed:
                    due = clock + (line.time - begun) / self._speed
                    await asyncio.sleep(min(max(0.0, due - time.monotonic()), LONGEST_PAUSE))
                await self._call(name, peer, frame, answers.get((line.conn, frame[1])), numbers)
        except (ConnectionClosed, OSError, InvalidHandshake) as error:
            self.played.errors.append(f"{name}: {error}")
        finally:
            await peer.close()

    async def _call(self, name: str, peer: _Peer, frame: list[Any], recorded: Any, numbers: Numbers) -> None:
        self.played.calls += 1
        begun = time.monotonic()
        try:
            answer = await peer.call(frame[2], numbers.live(frame[3]))
        except TimeoutError:
            self.played.errors.append(f"{name}: no answer to {frame[2]}")
            return
        self._ms.append(1000 * (time.monotonic() - begun))
        self.played.answered += 1
        if answer[0] == 4 and not (recorded and recorded[0] == 4):
            self.played.errors.append(f"{name}: {frame[2]}: {answer[2]}: {answer[3]}")
        elif answer[0] == 3 and recorded and recorded[0] == 3:
            self.played.different += status(answer[2]) != status(recorded[2])
            if frame[2] == "StartTransaction":
                numbers.learn(recorded[2], answer[2])

    def _basic(self, name: str) -> dict[str, str]:
        if not self._password:
            return {}
        import base64

        text = base64.b64encode(f"{self._prefix}{name}:{self._password}".encode()).decode()
        return {"Authorization": f"Basic {text}"}


class _Peer:
    """A charger's socket."""

    def __init__(self, url: str, version: str, said: dict[str, list[list[Any]]], headers: dict[str, str]) -> None:
        self._url, self._version, self._said, self._headers = url, version, said, headers
        self._count = 0
        self._socket: ClientConnection | None = None
        self._reading: asyncio.Task[None] | None = None
        self._waiting: dict[str, asyncio.Future[list[Any]]] = {}

    async def open(self) -> None:
        self._socket = await connect(
            self._url, subprotocols=[Subprotocol(self._version)], additional_headers=self._headers, compression=None,
            close_timeout=2, proxy=None,
        )  # fmt: skip
        self._reading = asyncio.create_task(self._read(self._socket))

    async def close(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(ConnectionClosed, OSError):
                await self._socket.close()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def call(self, action: str, payload: Any) -> list[Any]:
        assert self._socket is not None
        self._count += 1
        id = f"replay-{self._count}"
        answer = self._waiting[id] = asyncio.get_running_loop().create_future()
        try:
            await self._socket.send(json.dumps([2, id, action, payload], ensure_ascii=False, separators=(",", ":")))
            async with asyncio.timeout(ANSWER_SECONDS):
                found: list[Any] = await answer
                return found
        finally:
            del self._waiting[id]

    async def _read(self, socket: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for text in socket:
                frame = json.loads(text)
                if frame[0] == 2:
                    await socket.send(json.dumps(self._answer(frame)))
                elif (waiting := self._waiting.get(frame[1])) is not None and not waiting.done():
                    waiting.set_result(frame)
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(TimeoutError())

    def _answer(self, frame: list[Any]) -> list[Any]:
        """The next recorded answer to this command, the last one again when they are used up."""
        recorded = self._said.get(frame[2])
        if not recorded:
            return [4, frame[1], "NotImplemented", "", {}]
        found: list[Any] = recorded.pop(0) if len(recorded) > 1 else recorded[0]
        again: list[Any] = [found[0], frame[1], *found[2:]]
        return again


def status(payload: Any) -> Any:
    """What an answer decides."""
    if not isinstance(payload, dict):
        return None
    info = payload.get("idTagInfo") or payload.get("idTokenInfo") or {}
    return payload.get("status"), info.get("status") if isinstance(info, dict) else None
