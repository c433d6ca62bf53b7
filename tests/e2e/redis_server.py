"""Debian's redis-server as a process of a test: started on a port of its own, stalled, killed, started again."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.journal.errors import StoreDown

from .process import free_port
from .raw import ask_store
from .wire import PATIENCE


class RedisServer:
    """One data directory and port; append-only unless the options say otherwise."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self.process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def binary(self) -> str:
        found = shutil.which("redis-server")
        assert found, "the marker `full` needs redis-server on PATH: apt-get install redis-server"
        return found

    async def start(self, **options: str) -> None:
        """Options are those of redis.conf with `_` for `-`. Returns once it answers."""
        self.directory.mkdir(parents=True, exist_ok=True)
        settings = {"appendonly": "yes", "appendfsync": "everysec", "save": "", **options}
        arguments = [part for key, value in settings.items() for part in (f"--{key.replace('_', '-')}", value)]
        self.process = await asyncio.create_subprocess_exec(
            *(self.binary(), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.directory)),
            *arguments,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    await self.ask("PING")
                    return
                except StoreDown:
                    assert self.process.returncode is None, "redis-server ended"
                    await asyncio.sleep(0.05)

    async def ask(self, *command: str | int) -> Any:
        return await ask_store(self.url, *command)

    def stall(self) -> None:
        self.signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.signal(signal.SIGCONT)

    async def kill(self) -> None:
        self.signal(signal.SIGKILL)
        assert self.process is not None
        await asyncio.wait_for(self.process.wait(), 10)

    async def stop(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.go_on()
            self.process.terminate()
            await asyncio.wait_for(self.process.wait(), 20)

    def signal(self, number: int) -> None:
        assert self.process is not None
        os.kill(self.process.pid, number)


@pytest.fixture
async def redis_server(tmp_path: Path) -> AsyncIterator[RedisServer]:
    """Not started yet; ended with the test."""
    server = RedisServer(tmp_path / "redis")
    yield server
    await server.stop()
