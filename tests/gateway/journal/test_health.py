"""What happens when the store stalls, dies and comes back."""

import asyncio
import os
import signal
import time

import pytest
from msgspec.structs import replace

from gateway.config import RedisConfig
from gateway.journal import Fenced, Journal, StoreDown
from gateway.journal.address import Address
from gateway.journal.connection import connect

from .conftest import HEAD, Partition, Server, now_ms, until


async def test_one_append_during_a_stall_is_stored_once(partition: Partition, server: Server) -> None:
    """I-27: redis-py's default client stored it twice."""
    journal, before = partition.journal, await partition.ids()
    os.kill(server.pid, signal.SIGSTOP)
    started = time.monotonic()
    append = journal.append("call", partition.head, b"[]")
    with pytest.raises(StoreDown):
        await append
    assert not journal.healthy
    await asyncio.sleep(2.2 - (time.monotonic() - started))
    os.kill(server.pid, signal.SIGCONT)
    await until(lambda: journal.healthy)
    assert len(await partition.ids()) == len(before) + 1


async def test_an_append_with_a_dedup_key_may_be_made_again(partition: Partition, server: Server) -> None:
    journal, head = partition.journal, replace(partition.head, dedup="content")
    os.kill(server.pid, signal.SIGSTOP)
    with pytest.raises(StoreDown):
        await journal.append("call", head, b"[]", ttl=60)
    os.kill(server.pid, signal.SIGCONT)
    await until(lambda: journal.healthy)
    assert (await journal.append("call", head, b"[]", ttl=60)).outcome == "repeat"
    assert len((await partition.peek("a"))["a"]) == 1


async def test_an_idle_stall_is_noticed_and_mended(journal: Journal, server: Server) -> None:
    seen: list[bool] = []
    journal.on_health = seen.append
    waiting = asyncio.create_task(journal.wait({1: "0-0"}, 60_000))
    await asyncio.sleep(0.1)
    os.kill(server.pid, signal.SIGSTOP)
    await until(lambda: not journal.healthy)
    with pytest.raises(StoreDown):
        await waiting
    with pytest.raises(StoreDown):
        await journal.edges()
    with pytest.raises(StoreDown):
        await journal.wait({1: "0-0"}, 10)
    os.kill(server.pid, signal.SIGCONT)
    await until(lambda: journal.healthy)
    assert seen == [False, True]
    assert await journal.edges() == set()


async def test_failed_commands_are_counted_by_kind(partition: Partition, server: Server) -> None:
    journal, errors = partition.journal, partition.journal.errors
    await server.ask("CONFIG", "SET", "maxmemory", "1")
    with pytest.raises(StoreDown, match="OOM"):
        await journal.append("call", partition.head, b"[]")
    assert errors == {"oom": 1}
    await until(lambda: journal.problem != "")
    await server.ask("CONFIG", "SET", "maxmemory", "0")
    await until(lambda: not journal.problem)
    with pytest.raises(Fenced):
        await journal.trim(partition.number, partition.token + 1, ["a", "b"])
    assert errors == {"oom": 1, "fenced": 1}
    os.kill(server.pid, signal.SIGSTOP)
    append = journal.append("call", partition.head, b"[]")
    with pytest.raises(StoreDown):
        await append
    assert errors.get("timeout", 0) >= 1, (errors, append.exception())
    os.kill(server.pid, signal.SIGCONT)
    await until(lambda: journal.healthy)
    errors.clear()
    waiting = asyncio.create_task(journal.wait({partition.number: (await partition.ids())[-1]}, 60_000))
    await asyncio.sleep(0.1)
    os.kill(server.pid, signal.SIGKILL)
    with pytest.raises(StoreDown):
        await waiting
    await until(lambda: errors.get("connection", 0) >= 3)  # both connections, and an attempt to open one


async def test_a_full_store_that_stalls_is_noticed(partition: Partition, server: Server) -> None:
    journal = partition.journal
    await server.ask("CONFIG", "SET", "maxmemory", "1")
    with pytest.raises(StoreDown, match="OOM"):
        await journal.append("call", partition.head, b"[]")
    await until(lambda: journal.problem != "")
    os.kill(server.pid, signal.SIGSTOP)
    try:
        await until(lambda: not journal.healthy)
    finally:
        os.kill(server.pid, signal.SIGCONT)
    await until(lambda: journal.healthy)


async def test_what_ends_on_purpose_is_no_error(partition: Partition) -> None:
    journal = partition.journal
    waiting = asyncio.create_task(journal.wait({partition.number: (await partition.ids())[-1]}, 60_000))
    await asyncio.sleep(0.1)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await journal.stop()
    assert journal.errors == {}


async def test_a_busy_event_loop_is_no_stall(journal: Journal) -> None:
    seen: list[bool] = []
    journal.on_health = seen.append
    await asyncio.sleep(0.3)
    time.sleep(1.5)  # noqa: ASYNC251
    await asyncio.sleep(0.5)
    assert journal.healthy and seen == []


async def test_all_acknowledged_appends_survive_a_killed_server(partition: Partition, server: Server) -> None:
    journal, acked = partition.journal, set()

    async def append(charger: int) -> None:
        with pytest.raises(StoreDown):
            while True:
                acked.add((await journal.append("call", partition.head, b"%d" % charger)).id)

    appending = [asyncio.create_task(append(n)) for n in range(10)]
    await until(lambda: len(acked) > 2000)
    os.kill(server.pid, signal.SIGKILL)
    await asyncio.gather(*appending)
    await until(lambda: not server.running)
    await server.connect_raw()
    await until(lambda: journal.healthy)
    assert acked <= set(await partition.ids())
    assert (await partition.journal.append("call", partition.head, b"[]")).outcome == "new"


async def test_a_store_made_unsafe_while_running_is_noticed(
    config: RedisConfig, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.journal.store.AUDIT", 0.1)
    journal = Journal(config, now_ms=now_ms)
    await journal.start()
    try:
        await server.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        await until(lambda: not journal.healthy)
        await server.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
        await until(lambda: journal.healthy)
    finally:
        await journal.stop()


async def test_a_replica_is_not_written_to(config: RedisConfig, server: Server) -> None:
    journal = Journal(config, now_ms=now_ms)
    await journal.start()
    try:
        await server.ask("REPLICAOF", "127.0.0.1", "1")
        with pytest.raises(StoreDown, match="READONLY"):
            await journal.connect(HEAD)
        await until(lambda: not journal.healthy)
        await server.ask("REPLICAOF", "NO", "ONE")
        await until(lambda: journal.healthy)
    finally:
        await journal.stop()


async def test_nonsense_from_the_other_side_breaks_the_connection() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(StoreDown):
            await connect(Address("127.0.0.1", port), "test")
