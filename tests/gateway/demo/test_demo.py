"""The demo as a newcomer starts it: the real command, a real gateway, a real store."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")

COMMAND = Path(sys.executable).with_name("ocpp-gateway")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment in which every process of the demo can be told by its temporary directory."""
    yield {**os.environ, "TMPDIR": str(tmp_path), "PYTHONIOENCODING": "utf-8", "COLUMNS": "100"}
    assert list(tmp_path.iterdir()) == []
    assert survivors(tmp_path) == []


def survivors(directory: Path) -> list[str]:
    """Command lines of the processes that have the directory in their arguments or their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            about = command + (process / "environ").read_bytes()
        except OSError:
            continue
        if str(directory).encode() in about:
            found.append(command.replace(b"\0", b" ").decode(errors="replace"))
    return found


def test_one_session(home: dict[str, str]) -> None:
    done = subprocess.run([COMMAND, "demo", "--once", "--plain"], env=home, capture_output=True, text=True, timeout=100)
    said = done.stdout
    assert done.returncode == 0, said + done.stderr
    assert done.stderr == ""
    assert "\x1b" not in said
    assert max(map(len, said.splitlines())) <= 100
    for left, right in (
        ("BootNotification Acme Wallbox 11", "──▶ BootNotification Acme Wallbox 11"),
        ("ChangeConfiguration", "◀── SetVariables"),
        ("RemoteStartTransaction connector 1", "◀── RequestStartTransaction EVSE 1"),
        ("Authorize 04A2B9C1D7E5F0", "──▶ Authorize 04A2B9C1D7E5F0"),
        ("StartTransaction connector 1", "──▶ TransactionEvent Started #0, RemoteStart"),
        ("MeterValues 48920 Wh", "──▶ TransactionEvent Updated #2"),
        ("(not for the charger)", "◀── UnlockConnector EVSE 1/1"),
        ("(the gateway answers)", "──▶ OngoingAuthorizedTransaction"),
        ("RemoteStopTransaction transaction", "◀── RequestStopTransaction transaction"),
        ("StopTransaction transaction", "──▶ TransactionEvent Ended #7"),
        ("(the gateway's own)", "──▶ NotifyReport part 0"),
    ):
        assert any(left in line and right in line for line in said.splitlines()), f"{left} {right}\n{said}"
    assert "╰ totalCost dropped" in said
    energies = re.findall(r"(charger|CSMS) +(\d+\.\d{3}) kWh", said)
    assert [side for side, _ in energies] == ["charger", "CSMS"]
    assert energies[0][1] == energies[1][1] == "3.732"
    assert "The same energy on both sides, one transaction" in said


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_nothing(home: dict[str, str], name: signal.Signals) -> None:
    with subprocess.Popen(
        [COMMAND, "demo"], env=home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as demo:
        assert demo.stdout is not None
        said = ""
        for line in demo.stdout:
            said += line
            if "BootNotification" in line:
                break
        demo.send_signal(name)
        said += demo.stdout.read()
        assert demo.wait(40) == 0, said
    assert "Traceback" not in said


def test_the_gateway_dies_with_a_demo_that_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [COMMAND, "demo"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    ) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "Session 1" in line:
                break
        assert survivors(tmp_path)
        demo.kill()
        demo.stdout.read()
    for _ in range(200):
        if not survivors(tmp_path):
            return
        time.sleep(0.1)
    raise AssertionError(survivors(tmp_path))
