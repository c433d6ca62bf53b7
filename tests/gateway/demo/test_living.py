"""`demo --console` as a newcomer starts it: everything is there within seconds, commands reach chargers, and Ctrl-C leaves nothing."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .test_demo import COMMAND, home, survivors

pytestmark = [
    pytest.mark.full,
    pytest.mark.timeout(150),
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc"),
]
__all__ = ["home", "survivors"]


class Started:
    """A command that runs, and what it has said."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said: list[str] = []
        assert process.stdout is not None and process.stdin is not None
        self._in, out = process.stdin, process.stdout
        self._hearing = threading.Thread(target=lambda: self.said.extend(iter(out.readline, "")))
        self._hearing.start()

    def type(self, text: str) -> None:
        self._in.write(text)
        self._in.flush()

    def ended(self) -> int:
        """Its exit code."""
        code = self.process.wait(30)
        self._hearing.join(10)
        return code


@contextlib.contextmanager
def started(home: dict[str, str], *words: str) -> Iterator[Started]:
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [COMMAND, *words], env=home, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True
    ) as process:
        running = Started(process)
        try:
            yield running
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            running.ended()


def until(what: str, happens: Callable[[], Any]) -> Any:
    end = time.monotonic() + 45
    while time.monotonic() < end:
        if found := happens():
            return found
        time.sleep(0.2)
    raise AssertionError(f"no {what}")


def test_a_living_system(home: dict[str, str]) -> None:
    with started(home, "demo", "--console", "--no-browser", "--chargers", "8", "--speed", "120") as demo:
        address = until("address", lambda: re.search(r"console +(http\S+/console/)#token=(\S+)", "".join(demo.said)))
        base, token = address[1].removesuffix("/console/"), address[2]

        def ask(path: str, **headers: str) -> Any:
            with urllib.request.urlopen(urllib.request.Request(base + path, headers=headers), timeout=10) as answer:
                return json.load(answer)

        def told(path: str) -> Any:
            return ask(path, Authorization=f"Bearer {token}")

        with urllib.request.urlopen(address[1], timeout=10) as page:
            assert b"<html" in page.read()
        with pytest.raises(urllib.error.HTTPError) as refused:
            ask("/api/v1/chargers")
        refused.value.close()
        until("fleet", lambda: told("/api/v1/chargers?state=connected")["total"] == 8)
        versions = {each["version"] for each in told("/api/v1/chargers")["chargers"]}
        assert versions == {"ocpp1.5", "ocpp1.6", "ocpp2.0.1"}
        until("sessions", lambda: any(each["transactions"] for each in told("/api/v1/chargers")["chargers"]))
        until("comparison", lambda: '"compared":' in json.dumps(told("/api/v1/shadow")).replace(" ", ""))
        demo.type("list\nreset HIGHWAY-00001\n")
        until("list", lambda: any("DEPOT-00001  ocpp2.0.1  Yard Mast 50" in line for line in demo.said))
        until("reset", lambda: any(line.startswith("Reset: {") for line in demo.said))
    assert demo.process.returncode == 0 and "Traceback" not in "".join(demo.said), demo.said


def test_the_demo_csms_by_itself(home: dict[str, str]) -> None:
    cards = ("--card", "TAG00001", "--card", "TAG00002=Blocked")
    with started(home, "demo-csms", "--port", "0", *cards) as csms:
        address = until("address", lambda: re.search(r"ws://\S+", "".join(csms.said)))[0]
        command = [COMMAND, "simulate", "--to", address, "--chargers", "2", "--for", "4s", "--speed", "600"]
        command += ["-o", "json", "--version", "ocpp2.0.1", "--version", "ocpp1.6"]
        done = subprocess.run(command, env=home, capture_output=True, text=True, timeout=60)
        found = json.loads(done.stdout)
        assert done.returncode == 0 and found["refused_tags"] and not found["call_errors"], done
        csms.type("cards\nquit\n")
        assert csms.ended() == 0
    told = "".join(csms.said)
    assert "SIM00001 boots: Swift Post 150" in told and "tag00002 Blocked" in told, told
