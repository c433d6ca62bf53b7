"""`ocpp-gateway run --processes N`: so many gateways on one machine, all on the same port, under one parent.

Each child is a whole gateway (one event loop, one core) with the roles that were asked for; the kernel spreads new connections over
the edges (SO_REUSEPORT), the hubs share the partitions, and all of them share one store. The parent serves nobody: it
runs the embedded store, starts children again, passes signals on, and ends when they have ended. Child `n`, from 0, has the
operators' port `admin.port + n`; any of them answers for the whole fleet.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from gateway import logs
from gateway.config import Config
from gateway.journal.embedded import Embedded
from gateway.journal.errors import StoreDown, UnsafeStore
from gateway.journal.journal import Journal
from gateway.systemd import Systemd

log = structlog.get_logger(__name__)

PARENT = "OCPP_GATEWAY_PARENT"
"""Environment of a child: process id of its parent."""
BACK_OFF = (0.2, 10.0)
"""Shortest and longest pause in seconds before a child that died is started again; doubled each time."""
STABLE_SECONDS = 30.0
"""A child that lived longer begins with the shortest pause again."""
UNABLE = 1
"""Exit code of a gateway that could not start: again would not help while none of them has ever served."""
LOOK_SECONDS = 0.2


@dataclass
class Child:
    """One gateway of them."""

    number: int
    process: asyncio.subprocess.Process | None = None
    pause: float = BACK_OFF[0]
    ready: bool = False


def follow() -> None:
    """In a child: drain when the parent is gone, even by SIGKILL."""
    parent = int(os.environ[PARENT])

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def run(config: Config, count: int, arguments: Sequence[str]) -> int:
    """Until SIGTERM or SIGINT and the end of all children; `arguments` are those of each child's `run`. The exit code."""
    logs.configure(config.log)
    if any(each.port == 0 for each in config.listen):
        log.error(
            "cannot_start", reason="listen.port: 0 is another port for each process; --processes needs a fixed one"
        )
        return UNABLE
    try:
        return asyncio.run(Parent(config, count, arguments).run())
    except UnsafeStore as unsafe:
        log.error("store_unsafe", reason=str(unsafe))
    except StoreDown as down:
        log.error("cannot_start", reason=str(down))
    return UNABLE


class Parent:
    """Starts the children and waits for them."""

    def __init__(self, config: Config, count: int, arguments: Sequence[str]) -> None:
        self._config = config
        self._arguments = list(arguments)
        self._children = [Child(number) for number in range(count)]
        self._ending = asyncio.Event()
        self._served = False
        """One of them has been ready."""
        self._code = 0
        self._systemd = Systemd()
        embedded = config.redis.url == "embedded"
        self._store = Journal(config.redis, now_ms=lambda: time.time_ns() // 1_000_000) if embedded else None

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self._end)
        loop.add_signal_handler(signal.SIGHUP, self._pass_on, signal.SIGHUP)
        try:
            if self._store is not None:
                await self._store.start()
                await self._store.nobody_else(self._config.redis.partitions, "")
            async with asyncio.TaskGroup() as tasks:
                watched = tasks.create_task(self._systemd.watch(self._unready))
                looking = tasks.create_task(self._look())
                keeping = [tasks.create_task(self._keep(child)) for child in self._children]
                await asyncio.wait(keeping)
                watched.cancel()
                looking.cancel()
        finally:
            if self._store is not None:
                await self._store.stop()
            self._systemd.close()
        log.info("processes_ended")
        return self._code

    def _end(self) -> None:
        """The first signal drains the children, the second one hurries them."""
        self._ending.set()
        self._pass_on(signal.SIGTERM)

    def _pass_on(self, number: int) -> None:
        for child in self._children:
            if child.process is not None and child.process.returncode is None:
                child.process.send_signal(number)

    async def _keep(self, child: Child) -> None:
        while not self._ending.is_set():
            began = time.monotonic()
            child.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "gateway", "run", *self._arguments),
                env=self._environment(child),
                start_new_session=True,  # a Ctrl-C in the terminal is passed on once, not twice
            )
            if self._ending.is_set():  # the signal came while it was being started
                child.process.terminate()
            code = await child.process.wait()
            child.ready = False
            if self._ending.is_set():
                return
            if code == UNABLE and not self._served:
                self._code = code
                self._end()
                return
            if self._store is not None:
                await self._bury(child.process.pid)
            child.pause = BACK_OFF[0] if time.monotonic() - began > STABLE_SECONDS else child.pause
            log.error("process_ended", process=child.number, code=code, again_in=child.pause)
            try:
                await asyncio.wait_for(self._ending.wait(), child.pause)
            except TimeoutError:
                child.pause = min(2 * child.pause, BACK_OFF[1])

    def _environment(self, child: Child) -> dict[str, str]:
        """The store is the parent's; the operators' ports follow one another."""
        made = {**os.environ, PARENT: str(os.getpid())}
        for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
            made.pop(name, None)
        if self._store is not None:
            redis = self._config.redis
            made["OCPPGW_REDIS__URL"] = f"unix://{Embedded(redis.data_dir, redis.fsync).socket}"
        if self._config.admin.port:
            made["OCPPGW_ADMIN__PORT"] = str(self._config.admin.port + child.number)
        return made

    async def _bury(self, pid: int) -> None:
        """A child is dead for certain: the others need not wait for its leases to end."""
        assert self._store is not None
        try:
            await self._store.buried(self._config.redis.partitions, f"{socket.gethostname()}-{pid}-")
        except StoreDown:
            pass  # then they do

    async def _look(self) -> None:
        """Which children are ready."""
        while True:
            for child in self._children:
                child.ready = bool(self._config.admin.port) and await self._asked(child)
                self._served = self._served or child.ready
            await asyncio.sleep(LOOK_SECONDS if not all(child.ready for child in self._children) else 1.0)

    async def _asked(self, child: Child) -> bool:
        admin = self._config.admin
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(admin.host, admin.host)
        try:
            async with asyncio.timeout(2):
                reader, writer = await asyncio.open_connection(host, admin.port + child.number)
                writer.write(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n")
                line = await reader.readline()
                writer.close()
        except (OSError, TimeoutError):
            return False
        return b" 200 " in line

    def _unready(self) -> list[str]:
        return [f"process {child.number} is not ready" for child in self._children if not child.ready]
