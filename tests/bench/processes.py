"""Starting, pinning, measuring and ending the processes of a measurement. Linux only: it reads /proc."""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
GATEWAY_CORE, LOAD_CORE = 0, 1
"""What is measured, its store included, has the first to itself; load and CSMS share the other."""

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class Failed(Exception):
    """A process of the measurement ended, was silent or refused; the message says which and why."""


class Process:
    """A child pinned to one core, told and asked in lines of JSON. Its own children inherit the core."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        core: int,
        *,
        log: Path | None = None,
        cwd: Path = ROOT,
        quiet: bool = False,
    ) -> None:
        """`quiet`: what it says on standard error is thrown away, not shown."""
        self.name = name
        self.core = core
        self._log = log
        self._pending = b""

        def prepare() -> None:
            os.sched_setaffinity(0, {core})
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)  # nothing outlives a killed measurement

        error = log.open("wb") if log else None
        shown = subprocess.DEVNULL if quiet else error
        self.popen = subprocess.Popen(
            argv, cwd=cwd, stdin=subprocess.PIPE, stdout=error or subprocess.PIPE, stderr=shown, preexec_fn=prepare
        )
        if error:
            error.close()

    @classmethod
    def module(cls, name: str, core: int, *args: str, quiet: bool = False) -> Process:
        """One of our own modules, e.g. `load`."""
        return cls(name, [sys.executable, "-m", f"tests.bench.{name}", *args], core, quiet=quiet)

    def hear(self, timeout: float) -> dict[str, Any]:
        """The next line of output. Raises Failed when none comes in `timeout` seconds or it reports a failure."""
        assert self.popen.stdout is not None
        deadline = time.monotonic() + timeout
        while b"\n" not in self._pending:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.popen.stdout], [], [], left)[0]:
                raise Failed(f"{self.name}: silent for {timeout:.0f} s")
            if not (chunk := os.read(self.popen.stdout.fileno(), 65536)):
                raise Failed(f"{self.name}: ended with {self.popen.wait()}")
            self._pending += chunk
        line, self._pending = self._pending.split(b"\n", 1)
        message: dict[str, Any] = json.loads(line)
        if "failed" in message:
            raise Failed(f"{self.name}: {message['failed']}")
        return message

    def ask(self, message: dict[str, Any] | None = None, timeout: float = 90.0) -> dict[str, Any]:
        self.say(message or {})
        return self.hear(timeout)

    def say(self, message: dict[str, Any]) -> None:
        assert self.popen.stdin is not None
        try:
            self.popen.stdin.write(json.dumps(message).encode() + b"\n")
            self.popen.stdin.flush()
        except OSError:
            raise Failed(f"{self.name}: ended with {self.popen.wait()}") from None

    def last_words(self) -> str:
        """The last line of its log that says something."""
        if self._log is None:
            return ""
        lines = [line.strip(" |+-") for line in self._log.read_text(errors="replace").splitlines()]
        return next((line[-300:] for line in reversed(lines) if line), "")

    def stop(self) -> None:
        """Ends the process and what is left of its tree, by pid."""
        pids = tree(self.popen.pid)
        if self.popen.stdin is not None:
            with contextlib.suppress(OSError):
                self.popen.stdin.close()
        self.popen.terminate()
        try:
            self.popen.wait(5)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        for pid in pids[1:]:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if self.popen.stdout is not None:
            self.popen.stdout.close()


def _parents() -> dict[int, int]:
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                stat = Path(f"/proc/{name}/stat").read_text()
                parents[int(name)] = int(stat.rpartition(")")[2].split()[1])
    return parents


def tree(root: int) -> list[int]:
    """`root` and all its descendants, `root` first."""
    parents = _parents()
    found = [root]
    for pid in found:
        found.extend(child for child, parent in parents.items() if parent == pid)
    return found


def cpu_ns(pids: Sequence[int]) -> int:
    """CPU time of all threads of these processes, in ns, from the scheduler's own clocks."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for thread in os.listdir(f"/proc/{pid}/task"):
                with contextlib.suppress(OSError):
                    total += int(Path(f"/proc/{pid}/task/{thread}/schedstat").read_text().split()[0])
    return total


def is_store(pid: int) -> bool:
    try:
        name = Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return False
    return "valkey" in name or "redis" in name


def pss_kib(pids: Sequence[int]) -> int:
    """Proportional set size of these processes together. Raises Failed when one has ended."""
    total = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            raise Failed(f"process {pid} ended while it was measured") from None
        for line in lines:
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def raise_descriptor_limit(wanted: int = 16384) -> int:
    """Raises the soft limit towards `wanted`; children inherit it. The limit now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft


def wait_ready(process: Process, admin_port: int, timeout: float, pause: float = 0.05) -> None:
    """Waits for `/readyz` to answer 200, asking every `pause` seconds. Raises Failed."""
    deadline = time.monotonic() + timeout
    state = "not listening"
    while time.monotonic() < deadline:
        if process.popen.poll() is not None:
            code, words = process.popen.returncode, process.last_words()
            raise Failed(f"{process.name}: ended with {code} before it was ready: {words or 'nothing said'}")
        connection = http.client.HTTPConnection("127.0.0.1", admin_port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            state = f"readyz {connection.getresponse().status}"
            if state == "readyz 200":
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(pause)
    raise Failed(f"{process.name}: {state} after {timeout:.0f} s: {process.last_words()}")


@contextlib.contextmanager
def running(process: Process) -> Iterator[Process]:
    try:
        yield process
    finally:
        process.stop()
