"""A real server per test: the embedded Valkey, and under the marker `full` Debian's redis-server as well."""

import asyncio
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.config import RedisConfig
from gateway.journal import Commit, Journal
from gateway.journal.address import Address
from gateway.journal.connection import Connection, connect
from gateway.journal.embedded import Embedded, find_binary
from gateway.journal.entry import Head
from gateway.journal.streams import Batch

HEAD = Head("CP-1", 0, 1, "ocpp1.6", "edge-1", 1_700_000_000_000)


class Server(Embedded):
    """An embedded server that the test holds, so that it can stop, kill and question it."""

    raw: Connection

    @property
    def url(self) -> str:
        return f"unix://{self._socket()}"

    async def ask(self, *args: str | bytes | int) -> Any:
        return await self.raw.call(args)

    def kill(self) -> None:
        """Its own way down takes a tenth of a second."""
        if self.running:
            os.kill(self.pid, signal.SIGKILL)

    async def connect_raw(self) -> None:
        """Starts the server if it does not run."""
        self.raw = await connect(self.address if self.running else await self.start(), "test")

    @property
    def address(self) -> Address:
        return Address(path=self._socket())


@pytest.fixture(params=["valkey", pytest.param("redis", marks=pytest.mark.full)])
def binary(request: pytest.FixtureRequest) -> str:
    if request.param == "valkey":
        return find_binary()
    found = shutil.which("redis-server")
    assert found, "the marker `full` needs redis-server on PATH: apt-get install redis-server"
    return found


@pytest.fixture
async def server(binary: str, tmp_path: Path) -> AsyncIterator[Server]:
    server = Server(str(tmp_path / "data"), "everysec", binary=binary)
    await server.connect_raw()
    yield server
    server.raw.close()
    server.kill()
    await server.stop()


def now_ms() -> int:
    return int(time.time() * 1000)


@pytest.fixture
def config(server: Server) -> RedisConfig:
    return RedisConfig(url=server.url)


@pytest.fixture
async def journal(config: RedisConfig) -> AsyncIterator[Journal]:
    journal = Journal(config, now_ms=now_ms)
    await journal.start()
    yield journal
    await journal.stop()


async def peek(journal: Journal, number: int, token: int, *groups: str, count: int = 100) -> Batch:
    """What lies behind the places where the store has the groups of a partition."""
    places = await journal.positions(number)
    return await journal.peek(number, token, {group: places[group] for group in groups}, count=count)


async def take(journal: Journal, number: int, token: int, *groups: str, count: int = 100) -> Batch:
    """The same; the groups pass it, and the calls among it are pending from then on."""
    batch = await peek(journal, number, token, *groups, count=count)
    passed = {
        group: (entries[-1].id, [entry.id for entry in batch[group] if entry.kind == "call"])
        for group, entries in batch.all.items()
        if entries
    }
    await journal.commit(number, token, Commit(passed=passed))
    return batch


async def owned(journal: Journal, number: int, *groups: str, hub: str = "hub") -> int:
    """The token of a partition that a hub has just taken, with the groups `session` and these."""
    token = await journal.acquire(number, hub)
    assert token is not None
    await journal.ensure_groups(number, ["session", *groups])
    return token


class Partition:
    """One partition as its hub sees it, with chargers that are connected."""

    def __init__(self, journal: Journal, server: Server) -> None:
        self.journal, self.server = journal, server
        self.number = journal.partition("CP-1")
        self.token = 0
        self.head = HEAD

    async def own(self, *groups: str, hub: str = "hub-1") -> int:
        self.token = await owned(self.journal, self.number, *groups, hub=hub)
        return self.token

    async def charger(self) -> Head:
        epoch, _ = await self.journal.connect(HEAD)
        self.head = msgspec.structs.replace(HEAD, epoch=epoch)
        return self.head

    async def call(self, number: int = 0) -> str:
        appended = await self.journal.append("call", self.head, b'[2,"%d","Heartbeat",{}]' % number)
        assert appended.outcome == "new"
        return appended.id

    async def peek(self, *groups: str, count: int = 100) -> Batch:
        return await peek(self.journal, self.number, self.token, *groups, count=count)

    async def take(self, *groups: str, count: int = 100) -> Batch:
        return await take(self.journal, self.number, self.token, *groups, count=count)

    async def pending(self, *groups: str, count: int = 100) -> Batch:
        return await self.journal.pending(self.number, self.token, list(groups), count=count)

    async def ids(self) -> list[str]:
        entries = await self.server.ask("XRANGE", f"{{p{self.number:02}}}:in", "-", "+")
        return [id.decode() for id, _ in entries]


@pytest.fixture
async def partition(journal: Journal, server: Server) -> Partition:
    """Owned by hub-1 with the groups `session`, `a`, `b`; CP-1 is connected."""
    partition = Partition(journal, server)
    await partition.own("a", "b")
    await partition.charger()
    return partition


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Waits for something that must happen; the limit only ends a test that failed."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
