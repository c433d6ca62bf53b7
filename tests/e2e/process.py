"""The gateway as users run it: the real command, as a process."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import yaml

COMMAND = Path(sys.executable).with_name("ocpp-gateway")


_given: set[int] = set()


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on, another one each time.

    None of those that systems give to outgoing connections: one of these could take it while a gateway restarts.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in _given:
            _given.add(port)
            return port


class Gateway:
    """One data directory and its ports; the process on them can be started, stopped and killed again and again."""

    command: Path = COMMAND
    """The program; another one stands for another release."""

    def __init__(self, directory: Path, config: dict[str, Any]) -> None:
        """`config` is merged over listen, admin and redis on ports and a directory of this gateway's own."""
        self.directory = directory
        self.port = free_port()
        self.admin_port = free_port()
        self.config = {
            "listen": {"host": "127.0.0.1", "port": self.port},
            "admin": {"host": "127.0.0.1", "port": self.admin_port},
            "redis": {"url": "embedded", "data_dir": str(directory / "data")},
            **config,
        }
        self.file = directory / "gateway.yaml"
        self.log = directory / "gateway.log"
        self.process: asyncio.subprocess.Process | None = None
        self.arguments: tuple[str, ...] = ()
        self.environment: dict[str, str] = {}
        """Of its process, beside that of the tests."""
        self.deaths = 0
        """How often a fail-point killed it."""

    @property
    def url(self) -> str:
        """Base URL for chargers; the identity is appended."""
        return f"ws://127.0.0.1:{self.port}/ocpp"

    async def start(
        self,
        *,
        failpoint: str = "",
        patience: float = 90,
        until_ready: bool = True,
        arguments: tuple[str, ...] | None = None,
    ) -> None:
        """Starts the process and waits until /readyz is 200; with `until_ready=False` until it has any status.

        `failpoint` is `<name>:kill[:<pass>]`; the process may then die before it is ready. `arguments` follow on the
        command line, at the next starts as well.
        """
        if arguments is not None:
            self.arguments = arguments
        self.directory.mkdir(parents=True, exist_ok=True)
        self.file.write_text(yaml.safe_dump(self.config, sort_keys=False))
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", **self.environment}
        if failpoint:
            environment["OCPPGW_FAILPOINT"] = failpoint
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                self.command, "run", "--config", self.file, *self.arguments, stdout=log, stderr=log, env=environment
            )
        try:
            async with asyncio.timeout(patience):
                while (status := await self.ready()) != 200 and (until_ready or not status):
                    if self.process.returncode is not None:
                        if failpoint and self.process.returncode == -signal.SIGKILL:
                            return
                        raise AssertionError(f"the gateway ended with {self.process.returncode}:\n{self.tail()}")
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"/readyz is not 200 after {patience:g} s:\n{self.tail()}") from None

    @property
    def store_pid(self) -> int:
        """Of the embedded server: the child process that was started last."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[-1])

    async def ready(self) -> int:
        """The status of /readyz; 0 when nobody answers."""
        try:
            async with asyncio.timeout(2):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.admin_port)
                try:
                    writer.write(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n")
                    line = await reader.readline()
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return 0
        parts = line.split()
        return int(parts[1]) if len(parts) > 1 else 0

    async def stop(self, patience: float = 30) -> int:
        """SIGTERM, and the exit code; SIGKILL when patience ends."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.terminate()
        return await self._exited(patience)

    async def kill(self) -> None:
        """SIGKILL, as a crash would."""
        assert self.process is not None
        self.process.kill()
        await self._exited(10)

    async def died(self, patience: float = 30) -> None:
        """Waits until a fail-point has killed the process."""
        assert self.process is not None
        async with asyncio.timeout(patience):
            code = await self.process.wait()
        assert code == -signal.SIGKILL, f"ended with {code}:\n{self.tail()}"
        self.deaths += 1

    async def _exited(self, patience: float) -> int:
        assert self.process is not None
        try:
            async with asyncio.timeout(patience):
                return await self.process.wait()
        except TimeoutError:
            self.process.kill()
            return await self.process.wait()

    def tail(self, lines: int = 40) -> str:
        """The end of the log of all its runs."""
        if not self.log.is_file():
            return "(no log)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
