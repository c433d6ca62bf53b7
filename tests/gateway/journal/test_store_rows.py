"""Every way in which a store refuses work: noticed within 1.5 s, said, and over by itself when the store is well again."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.config import RedisConfig
from gateway.journal import Journal, StoreDown

from .conftest import HEAD, until
from .servers import Redis, opened, running

WITHIN = 1.5

Change = Callable[[Redis], Awaitable[object]]


async def notices(journal: Journal, server: Redis, ill: Change, reason: str, *, write: bool = False) -> None:
    """Idle, or with a write that is refused."""
    epoch, _ = await journal.connect(HEAD)
    head = replace(HEAD, epoch=epoch)
    await asyncio.sleep(0.25)
    started = time.monotonic()
    await ill(server)
    if write:
        with pytest.raises(StoreDown):
            while True:
                await journal.append("call", head, b"[]")
    await until(lambda: bool(journal.problem))
    assert time.monotonic() - started < WITHIN
    assert reason in journal.problem


async def mends(journal: Journal, server: Redis, mended: Change) -> None:
    await asyncio.sleep(0.5)
    assert journal.problem, "it stays so until the store is well"
    await mended(server)
    await until(lambda: journal.healthy and not journal.problem, 6)
    epoch, _ = await journal.connect(HEAD)
    assert (await journal.append("call", replace(HEAD, epoch=epoch), b"[]")).outcome == "new"


def ask(*command: str | int) -> Change:
    return lambda server: server.ask(*command)


@pytest.mark.parametrize(
    ("ill", "mended", "reason", "idle"),
    [
        pytest.param(ask("REPLICAOF", "127.0.0.1", 1), ask("REPLICAOF", "NO", "ONE"), "replica", True, id="READONLY"),
        pytest.param(
            ask("CONFIG", "SET", "min-replicas-to-write", 1),
            ask("CONFIG", "SET", "min-replicas-to-write", 0),
            "NOREPLICAS",
            True,
            id="NOREPLICAS",
        ),
        pytest.param(
            ask("CONFIG", "SET", "maxmemory", "1mb"), ask("CONFIG", "SET", "maxmemory", 0), "full", False, id="OOM"
        ),
    ],
)
async def test_it_refuses_writes(
    ill: Change, mended: Change, reason: str, idle: bool, binary: str, tmp_path: Path
) -> None:
    server = Redis(binary, tmp_path / "1")
    async with running(server), opened(RedisConfig(url=server.url)) as journal:
        await notices(journal, server, ill, reason, write=not idle)
        assert journal.healthy == (reason == "full"), "a full store is drained by hubs"
        await mends(journal, server, mended)


async def test_a_full_store_can_be_opened_to_be_drained(binary: str, tmp_path: Path) -> None:
    server = Redis(binary, tmp_path / "1")
    async with running(server):
        async with opened(RedisConfig(url=server.url)) as journal:
            await journal.connect(HEAD)
        await server.ask("CONFIG", "SET", "maxmemory", "1mb")
        async with opened(RedisConfig(url=server.url)) as journal:
            await until(lambda: "full" in journal.problem)
            assert journal.healthy
            await mends(journal, server, ask("CONFIG", "SET", "maxmemory", 0))


async def test_its_disk_is_full(binary: str, tmp_path: Path) -> None:
    """MISCONF: the append-only file cannot grow. A limit for the size of files stands for the disk."""
    server = Redis(binary, tmp_path / "1")
    async with running(server), opened(RedisConfig(url=server.url)) as journal:
        assert server.process is not None
        pid = str(server.process.pid)

        async def limit(size: str) -> None:
            assert await (await asyncio.create_subprocess_exec("prlimit", "--pid", pid, f"--fsize={size}:")).wait() == 0

        epoch, _ = await journal.connect(HEAD)
        head = replace(HEAD, epoch=epoch)
        await limit("2000")
        started = time.monotonic()
        with pytest.raises(StoreDown):
            while True:
                await journal.append("call", head, b"x" * 1000)
        await until(lambda: "MISCONF" in journal.problem)
        assert not journal.healthy and time.monotonic() - started < WITHIN
        await mends(journal, server, lambda _: limit("unlimited"))


async def test_it_loads(binary: str, tmp_path: Path) -> None:
    """A store that restarts with much to load is waited for."""
    slow: dict[str, str | int] = {"key_load_delay": 500, "loading_process_events_interval_bytes": 1024}
    server = Redis(binary, tmp_path / "1", **slow)
    async with running(server), opened(RedisConfig(url=server.url)) as journal:
        await asyncio.gather(*(journal.connect(replace(HEAD, charger=f"CP-{number}")) for number in range(800)))
        await server.ask("CONFIG", "SET", "appendfsync", "always")  # else a slow disk leaves it nothing to load
        server.kill()
        await until(lambda: not journal.healthy)
        loading = asyncio.create_task(server.start())
        await until(lambda: "loading" in journal.problem.lower())
        await until(lambda: journal.healthy)
        await loading


async def test_a_replica_without_its_primary_is_not_opened(binary: str, tmp_path: Path) -> None:
    """MASTERDOWN: it answers nothing but INFO and the like."""
    server = Redis(binary, tmp_path / "1", replica_serve_stale_data="no")
    async with running(server), opened(RedisConfig(url=server.url)) as journal:
        await notices(journal, server, ask("REPLICAOF", "127.0.0.1", 1), "")
        assert not journal.healthy
        await mends(journal, server, ask("REPLICAOF", "NO", "ONE"))
