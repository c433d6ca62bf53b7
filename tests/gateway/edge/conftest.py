"""A real edge over a real journal on the embedded store, and an echo hub: the smallest hub that answers."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import uvloop
from websockets.asyncio.client import ClientConnection, connect

from gateway.config import Listen, RedisConfig
from gateway.edge.listener import Edge
from gateway.journal.entry import Entry, ToCharger
from gateway.journal.errors import Fenced, StoreDown
from gateway.journal.facts import Commit
from gateway.journal.journal import Journal
from gateway.journal.streams import order


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}


def now_ms() -> int:
    return int(time.time() * 1000)


class EchoHub:
    """Reads every entry and answers each call with `{"echo": <message id>}`, as a hub does: commit, then send."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.entries: list[Entry] = []
        self.silent: set[str] = set()
        """Message ids that get no answer."""
        self.task: asyncio.Task[None] | None = None
        self.news = asyncio.Event()

    async def run(self) -> None:
        token, position, groups = None, "0-0", ["session", "main"]
        while True:
            try:
                if token is None:
                    token = await self.journal.acquire(0, "echo")
                    await self.journal.ensure_groups(0, groups)
                await self.journal.wait({0: position}, 500)
                batch = await self.journal.peek(0, token or 0, dict.fromkeys(groups, position), count=100)
                for entry in sorted((entry for group in batch.values() for entry in group), key=lambda e: order(e.id)):
                    position = entry.id
                    self.entries.append(entry)
                    silent = entry.head.message_id in self.silent
                    open = [entry.id] if entry.kind == "call" and silent else []
                    passed = {"session": (entry.id, []), "main": (entry.id, open)}
                    if entry.kind in ("call", "repeat") and not silent:
                        await self.answer(token or 0, entry, passed)
                    else:
                        self.journal.commit(0, token or 0, Commit(passed=passed))
                if any(batch.values()):
                    self.news.set()
            except Fenced:
                token = None
            except StoreDown:
                token = None
                await asyncio.sleep(0.1)

    async def answer(self, token: int, entry: Entry, passed: dict[str, tuple[str, list[str]]]) -> None:
        head = entry.head
        body = json.dumps({"echo": head.message_id, "tx": entry.tx}).encode()
        stored = [(head.charger, head.dedup, body)] if head.dedup else []
        self.journal.commit(0, token, Commit(answers=stored, passed=passed))
        await self.journal.deliver(head.home, [ToCharger(head.charger, head.epoch, "answer", body, head.seq)])

    async def until(self, test: Callable[[list[Entry]], Any]) -> Any:
        """Waits until the entries satisfy `test`; gives what it gives."""
        async with asyncio.timeout(10):
            while not (found := test(self.entries)):
                self.news.clear()
                await self.news.wait()
            return found

    async def kinds(self, *wanted: str) -> list[Entry]:
        """Waits until the first entries are of these kinds; gives them."""
        found: list[Entry] = await self.until(
            lambda entries: entries[: len(wanted)] if len(entries) >= len(wanted) else []
        )
        assert [entry.kind for entry in found] == list(wanted)
        return found


class World:
    """Everything a test needs."""

    def __init__(self) -> None:
        self.directory = tempfile.mkdtemp(prefix="ocppgw-")
        self.redis = RedisConfig(data_dir=self.directory, partitions=1)
        self.journals: list[Journal] = []
        self.edges: list[Edge] = []

    async def journal(self) -> Journal:
        journal = Journal(self.redis, now_ms=now_ms)
        await journal.start()
        self.journals.append(journal)
        return journal

    async def second(self) -> Journal:
        """A journal of another process on the same store."""
        socket = self.journals[0]._store._address.path
        journal = Journal(RedisConfig(url=f"unix://{socket}", partitions=1), now_ms=now_ms)
        await journal.start()
        self.journals.append(journal)
        return journal

    @property
    def server(self) -> int:
        """Process id of the store."""
        embedded = self.journals[0]._store._embedded
        assert embedded is not None
        return embedded.pid

    def freeze(self) -> None:
        """The store stops answering."""
        os.kill(self.server, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.server, signal.SIGCONT)

    async def edge(self, journal: Journal, listen: Listen | None = None, **options: Any) -> Edge:
        edge = Edge(listen or Listen(port=0, ping_interval=0), journal, **options)
        await edge.start()
        self.edges.append(edge)
        return edge

    async def close(self) -> None:
        for edge in self.edges:
            await edge.stop()
        if self.journals and (server := self.server):
            os.kill(server, signal.SIGKILL)  # its own way down takes a tenth of a second
        for journal in reversed(self.journals):
            await journal.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    await world.close()


@pytest.fixture
async def journal(world: World) -> Journal:
    return await world.journal()


@pytest.fixture
async def hub(world: World, journal: Journal) -> AsyncIterator[EchoHub]:
    hub = EchoHub(journal)
    hub.task = asyncio.create_task(hub.run())
    yield hub
    hub.task.cancel()
    await asyncio.gather(hub.task, return_exceptions=True)


@pytest.fixture
async def edge(world: World, journal: Journal, hub: EchoHub) -> Edge:
    return await world.edge(journal)


def dial(edge: Edge, charger: str = "CP1", version: str = "ocpp1.6", **options: Any) -> connect:
    """A charger of the `websockets` library."""
    options.setdefault("compression", None)
    options.setdefault("subprotocols", [version])
    port = edge.addresses[0][1]
    return connect(f"ws://127.0.0.1:{port}/ocpp/{charger}", proxy=None, ping_interval=None, **options)


async def hear(ws: ClientConnection) -> Any:
    """The next frame, decoded."""
    return json.loads(await asyncio.wait_for(ws.recv(), 10))


async def say(ws: ClientConnection, *frame: Any) -> None:
    await ws.send(json.dumps(frame))


async def closed(ws: ClientConnection) -> tuple[int, str]:
    """Waits for the server to close; gives code and reason."""
    await asyncio.wait_for(ws.wait_closed(), 20)
    assert ws.close_code is not None
    return ws.close_code, ws.close_reason or ""


async def eventually(test: Callable[[], Any]) -> None:
    """Waits until `test` is true."""
    async with asyncio.timeout(15):
        while not test():  # noqa: ASYNC110  what is waited for has no event
            await asyncio.sleep(0.02)
