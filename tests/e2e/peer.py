"""A peer of somebody else as a process that speaks one JSON object a line (tests/peers/*)."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
SCRIPTS = PROJECT / "tests" / "peers"
PEERS = PROJECT / ".peers"
NODE_MODULES = PEERS / "npm" / "node_modules"


class Peer:
    """A running peer; `lines` is what it said so far."""

    def __init__(self, *command: str | Path, environment: Mapping[str, str] | None = None, log: Path) -> None:
        self._command = command
        self._environment = {**os.environ, "NODE_PATH": str(NODE_MODULES), **(environment or {})}
        self._log = log
        self._ids = itertools.count(1)
        self._reading: asyncio.Task[None] | None = None
        self.lines: list[dict[str, Any]] = []
        self.process: asyncio.subprocess.Process | None = None

    async def start(self, *, ready: bool = True, cwd: Path | None = None) -> None:
        """Starts it in a process group of its own; waits for its `ready` line unless it has none."""
        with self._log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=self._environment,
                cwd=cwd,
                start_new_session=True,
            )
        self._reading = asyncio.create_task(self._read())
        if ready:
            await self.until("ready", lambda: any(line.get("ready") for line in self.lines), 60)

    async def _read(self) -> None:
        assert self.process is not None and self.process.stdout is not None
        async for line in self.process.stdout:
            try:
                message = json.loads(line)
            except ValueError:
                message = None
            self.lines.append(
                message if isinstance(message, dict) else {"text": line.decode(errors="replace").rstrip()}
            )

    async def until(self, what: str, condition: Callable[[], bool], patience: float = 15) -> None:
        assert self._reading is not None
        for _ in range(int(patience / 0.02)):
            if condition():
                return
            if self._reading.done():
                break
            await asyncio.sleep(0.02)
        if not condition():
            log = self._log.read_text(errors="replace")[-2000:]
            raise AssertionError(f"{self._command[0]}: no {what}; it said {self.lines[-10:]}\n{log}")

    async def do(self, method: str, params: Mapping[str, Any] | None = None, patience: float = 30) -> Any:
        """Asks the peer for something; returns the result, raises AssertionError with its error."""
        assert self.process is not None and self.process.stdin is not None
        number = next(self._ids)
        request = {"id": number, "method": method, "params": params or {}}
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        await self.process.stdin.drain()
        await self.until(f"answer to {method}", lambda: any(x.get("answered") == number for x in self.lines), patience)
        answer = next(line for line in self.lines if line.get("answered") == number)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def heard(self, action: str) -> list[dict[str, Any]]:
        """The payloads of one action that a strict peer received."""
        return [line["params"] for line in self.lines if line.get("heard") == action]

    def violations(self) -> list[str]:
        return [line["violation"] for line in self.lines if "violation" in line]

    async def exited(self, patience: float = 30) -> int:
        assert self.process is not None
        return await asyncio.wait_for(self.process.wait(), patience)

    async def stop(self) -> None:
        """Ends the process group: stdin closed first, then SIGTERM, then SIGKILL."""
        if self.process is None:
            return
        assert self.process.stdin is not None
        self.process.stdin.close()
        for code in (None, signal.SIGTERM, signal.SIGKILL):
            if code is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.process.pid, code)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.process.wait(), 5 if code is not None else 2)
                break
        if self._reading is not None:
            await asyncio.wait_for(self._reading, 10)
