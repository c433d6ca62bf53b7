"""The unit for a plain machine: what systemd itself says of it, and the notifications of a real process."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.systemd import Systemd
from tests.e2e.process import COMMAND, Gateway, free_port

UNIT = Path(__file__).parents[2] / "deploy" / "systemd" / "ocpp-gateway.service"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/ocpp-gateway/bin/ocpp-gateway", str(COMMAND)))
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if unit.name in line]) == (0, [])


def test_the_unit_drains_by_itself() -> None:
    lines = UNIT.read_text().splitlines()
    assert {"Type=notify", "KillMode=mixed", "Restart=always", "DynamicUser=yes", "NoNewPrivileges=yes"} <= set(lines)


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The socket of systemd."""
    address = f"@ocpp-gateway-test-{os.getpid()}-{free_port()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + address[1:])
        listening.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        yield listening


async def heard(told: socket.socket, wanted: str, patience: float = 15) -> list[str]:
    """Lines up to the wanted one."""
    lines: list[str] = []
    async with asyncio.timeout(patience):
        while wanted not in lines:
            lines += (await asyncio.get_running_loop().sock_recv(told, 4096)).decode().splitlines()
    return lines


async def test_ready_reloaded_draining(told: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "400000")
    gateway = Gateway(tmp_path / "gateway", {"upstreams": {"main": {"url": "ws://127.0.0.1:1/", "version": "ocpp1.6"}}})
    await gateway.start()
    try:
        lines = await heard(told, "READY=1")
        assert any(line.startswith("STATUS=") and line != "STATUS=serving" for line in lines), "why it was not ready"
        assert "WATCHDOG=1" in await heard(told, "WATCHDOG=1")
        assert gateway.process is not None
        os.kill(gateway.process.pid, signal.SIGHUP)
        lines = await heard(told, "RELOADING=1")
        assert any(line.startswith("MONOTONIC_USEC=") for line in lines)
        await heard(told, "READY=1")
        gateway.process.terminate()
        lines = await heard(told, "STOPPING=1")
        assert "EXTEND_TIMEOUT_USEC=225000000" in lines
        assert await gateway.stop() == 0
    finally:
        await gateway.stop()


async def test_nobody_listens() -> None:
    quiet = Systemd({})
    quiet.say("READY=1")
    assert not quiet.listens
    await quiet.watch(list)
    gone = Systemd({"NOTIFY_SOCKET": "/nonexistent/socket"})
    gone.say("READY=1")
    assert gone.listens
    gone.close()
    assert not gone.listens
