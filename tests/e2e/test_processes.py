"""`run --processes 2`: one port, one store, two gateways; what happens to one of them does not matter to the other's chargers."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .charger import Charger16
from .conftest import Connect, StartGateway
from .process import Gateway
from .raw import RawCsms, handshake, raw_csms, until

__all__ = ["raw_csms"]

CHARGERS = 12


def children(gateway: Gateway) -> list[int]:
    """Process ids of the gateways under the parent, in their order."""
    assert gateway.process is not None
    found = []
    for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):
        try:
            parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if parent == gateway.process.pid and b"gateway\0run" in command:
            found.append(pid)
    return found


def holder(port: int, pids: list[int]) -> int:
    """The process that has the server's end of the connection from this local port."""
    inodes = set()  # of whatever knows this port as its peer's; what is over has none
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[2].endswith(f":{port:04X}"):
            inodes.add(f"socket:[{fields[9]}]")
    for pid in pids:
        for descriptor in os.listdir(f"/proc/{pid}/fd"):
            try:
                if os.readlink(f"/proc/{pid}/fd/{descriptor}") in inodes:
                    return pid
            except OSError:
                continue
    raise AssertionError(f"nobody holds the connection from port {port}")


def lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def local_port(charger: Charger16) -> int:
    """Of its connection."""
    assert charger._socket is not None
    port: int = charger._socket.local_address[1]
    return port


async def both_ready(gateway: Gateway) -> None:
    async def ready(port: int) -> bool:
        other = Gateway(gateway.directory, {})
        other.admin_port = port
        return await other.ready() == 200

    async with asyncio.timeout(90):
        while not (await ready(gateway.admin_port) and await ready(gateway.admin_port + 1)):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


@pytest.fixture
async def pair(raw_csms: Callable[[str], Any], start_gateway: StartGateway) -> tuple[RawCsms, Gateway]:
    csms: RawCsms = await raw_csms("ocpp1.6")
    gateway = await start_gateway(
        {"main": {"url": csms.url, "version": csms.version}},
        arguments=("--processes", "2"),
    )
    await both_ready(gateway)
    return csms, gateway


@pytest.mark.slow
async def test_the_death_of_one_process_is_not_felt_at_the_other(
    pair: tuple[RawCsms, Gateway], plug_in: Connect
) -> None:
    csms, gateway = pair
    pids = children(gateway)
    assert len(pids) == 2
    chargers = [await plug_in(Charger16, gateway.url, f"CP{number}") for number in range(CHARGERS)]
    for charger in chargers:
        await charger.boot()
    held = {charger: holder(local_port(charger), pids) for charger in chargers}
    assert set(held.values()) == set(pids), "the kernel spreads them"
    os.kill(pids[0], signal.SIGKILL)
    left = [charger for charger in chargers if held[charger] == pids[1]]
    async with asyncio.timeout(10):  # less than the 15 s of a lease: the parent ends those of the dead
        for charger in left:
            await charger.heartbeat()
    await until("new process", lambda: len(children(gateway)) == 2)
    await both_ready(gateway)
    gone = [charger for charger in chargers if held[charger] == pids[0]]
    for charger in gone:
        await charger.lost()
        await charger.connect()
        await charger.heartbeat()
    assert len(csms.said("Heartbeat")) == CHARGERS


@pytest.mark.slow
async def test_sigterm_drains_all_and_a_reload_reaches_all(pair: tuple[RawCsms, Gateway], plug_in: Connect) -> None:
    _, gateway = pair
    chargers = [await plug_in(Charger16, gateway.url, f"CP{number}") for number in range(CHARGERS)]
    for charger in chargers:
        await charger.boot()
    assert gateway.process is not None
    gateway.process.send_signal(signal.SIGHUP)
    await until("two reloads", lambda: gateway.log.read_text().count("config_reloaded") == 2)
    pids = children(gateway)
    assert await gateway.stop() == 0
    for charger in chargers:
        await charger.lost()
        assert charger.close_code == 1012
    assert not any(map(lives, pids))
    assert await handshake(gateway.url, "CP1") == 0


@pytest.mark.slow
async def test_children_of_a_killed_parent_drain(pair: tuple[RawCsms, Gateway]) -> None:
    _, gateway = pair
    pids = children(gateway)
    await gateway.kill()
    await until("end of the children", lambda: not any(map(lives, pids)), 60)
    await gateway.start(until_ready=False)
    await both_ready(gateway)


async def test_a_free_port_cannot_be_shared(tmp_path: Path) -> None:
    gateway = Gateway(
        tmp_path,
        {
            "listen": {"host": "127.0.0.1", "port": 0},
            "upstreams": {"a": {"url": "ws://127.0.0.1:9/x", "version": "ocpp1.6"}},
        },
    )
    with pytest.raises(AssertionError, match="ended with 1"):
        await gateway.start(arguments=("--processes", "2"))
    assert "--processes needs a fixed one" in gateway.tail()
