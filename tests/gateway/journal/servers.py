"""Servers of a test on TCP ports of their own: alone, with replicas, under Sentinels, in a Cluster."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gateway.config import RedisConfig
from gateway.journal import Journal, StoreDown
from gateway.journal.address import Address
from gateway.journal.connection import connect
from tests.e2e.process import free_port

from .conftest import now_ms

DEADLINE = 30.0


def debian() -> str:
    found = shutil.which("redis-server")
    assert found, "the marker `full` needs redis-server on PATH: apt-get install redis-server"
    return found


class Redis:
    """One server, append-only unless told otherwise. Its data stay when it is killed."""

    def __init__(self, binary: str, directory: Path, **options: str | int) -> None:
        self.binary, self.directory, self.options = binary, directory, options
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    @property
    def command(self) -> list[str]:
        settings = {"appendonly": "yes", "appendfsync": "everysec", "save": "", "port": self.port, "bind": "127.0.0.1"}
        settings |= {"dir": str(self.directory), "repl-diskless-sync-delay": 0, "daemonize": "no"}
        settings |= {name.replace("_", "-"): value for name, value in self.options.items()}
        return [
            self.binary,
            *(part for name, value in settings.items() for part in (f"--{name}", *str(value).split(" "))),
        ]

    async def start(self) -> None:
        """Returns once it answers, be it with an error."""
        self._spawn()
        assert self.process is not None
        async with asyncio.timeout(DEADLINE):
            while True:
                with contextlib.suppress(StoreDown):
                    await self.ask("PING")
                    return
                assert self.process.poll() is None, (self.directory / "log").read_text()[-500:]
                await asyncio.sleep(0.02)

    def _spawn(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        with open(self.directory / "log", "ab") as log:
            # SIGXFSZ stays ignored, as Python has it: a file that may not grow is an error of the write, as on a full disk.
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, restore_signals=False)

    async def ask(self, *command: str | bytes | int) -> Any:
        connection = await connect(Address("127.0.0.1", self.port), "test")
        try:
            async with asyncio.timeout(DEADLINE):
                return await connection.call(command)
        finally:
            connection.close()

    async def info(self) -> dict[str, str]:
        lines = (line.partition(":") for line in (await self.ask("INFO")).decode().splitlines())
        return {name: value for name, colon, value in lines if colon}

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        """As by a power cut of its machine, but for what the kernel had taken."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    async def follow(self, port: int) -> None:
        """Makes it a replica, and returns once it is in step."""
        await self.ask("REPLICAOF", "127.0.0.1", port)
        async with asyncio.timeout(DEADLINE):
            while (await self.info()).get("master_link_status") != "up":  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def entries(self, partition: int) -> list[tuple[str, dict[bytes, bytes]]]:
        """The stream of a partition."""
        reply = await self.ask("XRANGE", f"{{p{partition:02}}}:in", "-", "+")
        return [(id.decode(), dict(zip(fields[::2], fields[1::2], strict=True))) for id, fields in reply]


class Sentinel(Redis):
    """Watches one primary under the name `main`, alone."""

    def __init__(self, binary: str, directory: Path, primary: int, *, quorum: int = 1, after_ms: int = 500) -> None:
        super().__init__(binary, directory)
        directory.mkdir(parents=True)
        self._file = directory / "sentinel.conf"
        self._file.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {directory}\n"
            f"sentinel monitor main 127.0.0.1 {primary} {quorum}\n"
            f"sentinel down-after-milliseconds main {after_ms}\nsentinel failover-timeout main 3000\n"
        )

    @property
    def command(self) -> list[str]:
        return [self.binary, str(self._file), "--sentinel"]


@asynccontextmanager
async def running(*servers: Redis) -> AsyncIterator[None]:
    """Started in order; killed at the end."""
    try:
        for server in servers:
            await server.start()
        yield
    finally:
        for server in servers:
            server.kill()


@asynccontextmanager
async def opened(config: RedisConfig, now_ms: Callable[[], int] = now_ms) -> AsyncIterator[Journal]:
    """Once its replicas, if it asks for some, confirm: right after their start they may not yet."""
    journal = Journal(config, now_ms=now_ms)
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                await journal.start()
                break
            except StoreDown as error:
                if "NOREPLICAS" not in str(error):
                    raise
                await asyncio.sleep(0.1)
    try:
        yield journal
    finally:
        await journal.stop()
