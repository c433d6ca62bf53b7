"""The gateway that the demo shows: the real `ocpp-gateway run` as a child process, in a temporary directory."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import sys
import tempfile
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.journal import tether

START = 30
"""How long the gateway may take to become ready, s."""
STOP = 15
"""How long it may take to drain, s."""

LogEvent = Callable[[dict[str, Any]], None]


class Failed(Exception):
    """The gateway did not start, or ended by itself."""


def port(wanted: int) -> int:
    """`wanted` if nobody has it, else a free TCP port of the local host."""
    for number in (wanted, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", number))
            free: int = probe.getsockname()[1]
            return free
    raise Failed("no free TCP port")


class Child:
    """`on_event` gets every line of its log that is an event."""

    def __init__(self, on_event: LogEvent) -> None:
        self.port = 0
        self.admin_port = 0
        self.log: deque[str] = deque(maxlen=30)
        """Its last words, without the debug lines."""
        self._on_event = on_event
        self._directory = ""
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def charger_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def admin_url(self) -> str:
        return f"http://127.0.0.1:{self.admin_port}"

    async def start(self, csms_port: int, *, usual_ports: bool, more: dict[str, Any] | None = None) -> None:
        """Waits until it is ready. `usual_ports`: 9000 and 9001 if nobody has them. `more`: sections of the configuration in
        place of the usual ones; members of `admin` are added to it. Raises Failed."""
        self.port, self.admin_port = (port(9000), port(9001)) if usual_ports else (port(0), port(0))
        self._directory = tempfile.mkdtemp(prefix="ocpp-gateway-demo-")
        config: dict[str, Any] = {
            "listen": {"host": "127.0.0.1", "port": self.port},
            "admin": {"host": "127.0.0.1", "port": self.admin_port},
            "redis": {"url": "embedded", "data_dir": str(Path(self._directory) / "data")},
            "upstreams": {
                "csms": {"url": f"ws://127.0.0.1:{csms_port}", "version": "ocpp2.0.1", "linger": 5, "reconnect_max": 2}
            },
            "log": {"level": "debug", "format": "json"},
        }
        for name, section in (more or {}).items():
            config[name] = {**config[name], **section} if name == "admin" else section
        file = Path(self._directory) / "gateway.yaml"
        file.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
        self._process = await asyncio.create_subprocess_exec(
            # Ctrl-C reaches the whole foreground group: the gateway gets its end from us, and dies with us.
            *(sys.executable, tether.__file__, str(os.getpid())),
            *(sys.executable, "-m", "gateway", "run", "--config", str(file)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            env={name: value for name, value in os.environ.items() if not name.startswith("OCPPGW_")},
        )
        self._reading = asyncio.create_task(self._read())
        try:
            async with asyncio.timeout(START):
                while not await self._ready():
                    if self._process.returncode is not None:
                        await self._reading
                        raise Failed(f"the gateway ended with exit code {self._process.returncode}")
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise Failed(f"the gateway is not ready after {START} s") from None

    async def _read(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        async for line in self._process.stdout:
            text = line.decode(errors="replace").rstrip()
            try:
                event = json.loads(text)
            except ValueError:
                event = None
            if not isinstance(event, dict):
                self.log.append(text)
                continue
            if event.get("level") != "debug":
                self.log.append(text)
            self._on_event(event)

    async def _ready(self) -> bool:
        with contextlib.suppress(OSError, TimeoutError, IndexError):
            return (await self.get("/readyz"))[0] == 200
        return False

    async def get(self, path: str) -> tuple[int, str]:
        """Status and body of a page of the operators' port. Raises OSError, TimeoutError, IndexError."""
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.admin_port)
            try:
                writer.write(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
                head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
            finally:
                writer.close()
        return int(head.split()[1]), body.decode()

    async def ended(self) -> None:
        """Returns when it has ended by itself, which it should not. Raises Failed."""
        assert self._process is not None
        raise Failed(f"the gateway ended with exit code {await self._process.wait()}")

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL when it takes too long. Removes its directory."""
        process = self._process
        if process is not None:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP)
            except TimeoutError:
                process.kill()
                await process.wait()
        if self._reading is not None:
            await asyncio.gather(self._reading, return_exceptions=True)
        if self._directory:
            shutil.rmtree(self._directory, ignore_errors=True)
