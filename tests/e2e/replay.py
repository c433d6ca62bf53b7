"""Plays a recorded 1.6 charger: its CALLs in their order and pipelining, its answers to commands as recorded."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from .wire import PATIENCE, Recorder

FOLDER = Path(__file__).with_name("recordings")

Command = Callable[[str, dict[str, Any]], Awaitable[None]]
"""Makes the CSMS send a command that the recorded CSMS sent: (1.6 action, 1.6 payload with live transaction ids)."""


@dataclass(slots=True)
class Recording:
    """Frames of one charger, `in` from it, `out` to it."""

    name: str
    frames: list[tuple[str, list[Any]]]
    answers: dict[str, list[list[Any]]] = field(default_factory=lambda: defaultdict(list))
    """Command -> the frames with which the charger answered it, without their ids."""
    verdicts: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Authorize and StartTransaction -> the statuses that the recorded CSMS gave, in order."""
    energies: list[int] = field(default_factory=list)
    """meterStop - meterStart of every transaction that was stopped, in order of their stop."""

    @classmethod
    def load(cls, name: str) -> Recording:
        lines = (FOLDER / f"{name}.jsonl").read_text().splitlines()
        recording = cls(name, [(item["dir"], item["frame"]) for item in map(json.loads, lines)])
        calls: dict[tuple[str, str], list[Any]] = {}
        begins: dict[int, int] = {}
        for direction, frame in recording.frames:
            if frame[0] == 2:
                calls[direction, frame[1]] = frame
                if frame[2] == "StopTransaction":
                    recording.energies.append(frame[3]["meterStop"] - begins[frame[3]["transactionId"]])
                continue
            call = calls.get(("in" if direction == "out" else "out", frame[1]))
            if call is None:
                continue
            if direction == "in":
                recording.answers[call[2]].append([frame[0], *frame[2:]])
            elif frame[0] == 3 and "idTagInfo" in frame[2] and call[2] != "StopTransaction":
                recording.verdicts[call[2]].append(frame[2]["idTagInfo"]["status"])
                if call[2] == "StartTransaction":
                    begins[frame[2]["transactionId"]] = call[3]["meterStart"]
        return recording


class Replay:
    """One run of a recording against a URL."""

    def __init__(self, recording: Recording, url: str, identity: str, command: Command) -> None:
        self.recording = recording
        self.url = f"{url}/{identity}"
        self.recorder = Recorder("ocpp1.6", f"replay/{recording.name}")
        self.transactions: dict[int, int] = {}
        """Recorded transaction id -> the one that this run was given."""
        self._command = command
        self._answers = {action: list(shapes) for action, shapes in recording.answers.items()}
        self._socket: ClientConnection | None = None
        self._reading: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Plays everything; raises AssertionError when a CALL is not answered in time."""
        recorded: dict[str, list[Any]] = {}
        try:
            for direction, frame in self.recording.frames:
                if direction == "in" and frame[0] == 2:
                    if frame[2] == "BootNotification":
                        await self._reconnect()
                    recorded[frame[1]] = frame
                    await self._send([*frame[:3], self._live(frame[3])])
                elif direction == "out" and frame[0] != 2:
                    await self._settle(recorded.pop(frame[1], None), frame)
                elif direction == "out":
                    await self._command(frame[2], self._live(frame[3]))
            for call in recorded.values():
                await self.recorder.answered(call[1])
        finally:
            await self._close()

    async def _settle(self, call: list[Any] | None, frame: list[Any]) -> None:
        """Waits for the live answer where the recording has one."""
        if call is None:
            return
        exchange = await self.recorder.answered(call[1])
        if call[2] == "StartTransaction" and exchange.answer is not None:
            self.transactions[frame[2]["transactionId"]] = exchange.answer["transactionId"]

    def _live(self, payload: dict[str, Any]) -> dict[str, Any]:
        if "transactionId" not in payload:
            return payload
        recorded = payload["transactionId"]
        return {**payload, "transactionId": self.transactions.get(recorded, recorded)}

    async def _send(self, frame: list[Any]) -> None:
        assert self._socket is not None
        text = json.dumps(frame, ensure_ascii=False, separators=(",", ":"))
        self.recorder.note(True, text)
        await asyncio.wait_for(self._socket.send(text), PATIENCE)

    async def _reconnect(self) -> None:
        await self._close()
        self._socket = await connect(
            self.url,
            subprotocols=["ocpp1.6"],
            compression=None,
            open_timeout=PATIENCE,
            close_timeout=2,
            proxy=None,
        )
        self.recorder.opened()
        self._reading = asyncio.create_task(self._read(self._socket))

    async def _close(self) -> None:
        if self._socket is not None and self._reading is not None:
            await asyncio.wait_for(self._socket.close(), PATIENCE)
            await asyncio.wait_for(self._reading, PATIENCE)

    async def _read(self, socket: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for text in socket:
                self.recorder.note(False, text)
                frame = json.loads(text)
                if frame[0] == 2:
                    kind, *rest = self._shape(frame[2])
                    await self._send([kind, frame[1], *rest])

    def _shape(self, action: str) -> list[Any]:
        """The next recorded answer to this command, the last one again when they are used up."""
        shapes = self._answers.get(action)
        if not shapes:
            return [4, "NotImplemented", "", {}]
        return shapes.pop(0) if len(shapes) > 1 else shapes[0]
