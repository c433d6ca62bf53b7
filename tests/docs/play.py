"""Plays a page: what a reader would do with it, in order, in a directory of its own, on free ports."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import sys
import sysconfig
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from gateway.simulator.charger import SimulatedCharger, Stats
from gateway.simulator.profile import Profile

from ..e2e.csms import Csms
from ..e2e.process import COMMAND, free_port
from ..e2e.redis_server import RedisServer
from .blocks import COMMANDS, ROOT, Block
from .shown import pattern, plain

PATIENCE = 120.0
"""Of a command, s."""
SHORT = {"m": "5s", "h": "8s", "d": "8s"}
"""In place of the minutes, hours and days that a page gives to a command (`--for`)."""
NOT_COPIED = (".*", "node_modules", "__pycache__", "dist")
LOOKS = re.compile(r"ocpp-gateway ((chargers|upstreams|routes|queue|dlq) (ls|list|show)|shadow|processes)\b")
"""Commands that change nothing: one looks again when something has not happened yet."""
AGAIN = 20.0
QUICK = Profile("for pages: a car every few seconds", 1, 1, 4, 22_000, 1, 5, 1e9, 1, "Acme", "Wallbox 22")
DEFAULT = "upstreams: {main: {url: ws://csms.example:9100/ocpp, version: ocpp2.0.1}}\n"


@dataclass(frozen=True)
class World:
    """What is there before a page begins.

    `csms`: addresses as the page writes them -> the version spoken there. `config`: of a gateway that runs; empty: none does.
    `chargers`: identity -> version of those that try to connect until the end. `files`: name -> text.
    """

    csms: dict[str, str] = field(default_factory=lambda: {"ws://csms.example:9100/ocpp": "ocpp2.0.1"})
    config: str = ""
    chargers: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    checkout: bool = False
    """Commands run in a copy of this repository."""
    venv: bool = False
    """A virtual environment is active, in which nothing but our own package is missing."""
    sessions: int = 1
    """Cars that each charger has charged before the page begins."""
    refuses: str = ""
    """One of `csms`, which does not know any token."""
    redis: str = ""
    """Address of a Redis that is there."""
    looks: Callable[[str, Path], Awaitable[None]] | None = None
    """What somebody sees in the browser where the page says `looks`; gets the operators' address and a folder for pictures."""


class Play:
    """One page in one directory."""

    def __init__(self, world: World, directory: Path) -> None:
        self.world = world
        self.cwd = directory / "here"
        self._state = directory / "state"
        self._bin = directory / "bin"
        self._edge, self._admin = free_port(), free_port()
        self._names = {"127.0.0.1:9000": f"127.0.0.1:{self._edge}", "127.0.0.1:9001": f"127.0.0.1:{self._admin}"}
        self._ports = {"9002": free_port(), "9003": free_port(), "9100": free_port(), "9200": free_port()}
        self._csms: list[Csms] = []
        self._redis: RedisServer | None = None
        self._stats = Stats(ms=[], actions={})
        self._charging: list[asyncio.Task[None]] = []
        self._staying: list[tuple[asyncio.subprocess.Process, Path]] = []
        self.told: list[str] = []
        """Commands and what they said, for the report of a failure."""

    async def begin(self) -> None:
        """Makes the world."""
        if self.world.checkout:
            shutil.copytree(ROOT, self.cwd, ignore=shutil.ignore_patterns(*NOT_COPIED))
        else:
            self.cwd.mkdir(parents=True)
        self._bin.mkdir()
        for name, program in (("ocpp-gateway", COMMAND), ("python", sys.executable)):
            (self._bin / name).write_text(f'#!/bin/sh\nexec {program} "$@"\n')
            (self._bin / name).chmod(0o755)
        self._state.write_text("")
        if self.world.venv:
            environment = self.cwd.parent / "environment"
            venv.create(environment, with_pip=True)
            site = next(environment.glob("lib/python*/site-packages"))
            (site / "those-of-the-tests.pth").write_text(sysconfig.get_path("purelib") + "\n")
            self._bin = environment / "bin"
        for url, version in self.world.csms.items():
            csms = Csms(version)
            await csms.start()
            if url == self.world.refuses:
                csms.verdict = lambda _action, _token: "Invalid"
            self._csms.append(csms)
            self._names[url] = csms.url
        if self.world.redis:
            self._redis = RedisServer(self.cwd.parent / "redis")
            await self._redis.start()
            self._names[self.world.redis] = self._redis.url
        for name, text in self.world.files.items():
            (self.cwd / name).write_text(self._real(text))
        if self.world.config:
            (self.cwd / "gateway.yaml").write_text(self._real(self.world.config))
            await self._stay("ocpp-gateway run", [])
        for identity, version in self.world.chargers.items():
            charger = SimulatedCharger(
                f"ws://127.0.0.1:{self._edge}", identity, version, QUICK, self._stats, 1.0, frozenset()
            )
            self._charging.append(asyncio.create_task(charger.run()))
        if self.world.config:
            cars = self.world.sessions * len(self.world.chargers)
            await self._until(lambda: self._stats.sessions >= cars, f"{cars} cars")

    async def block(self, block: Block) -> None:
        """Does what a block says. Raises AssertionError when it does not come out as the page has it."""
        if "looks" in block.said and self.world.looks is not None:
            await self.world.looks(f"http://127.0.0.1:{self._admin}", self.cwd.parent)
        if name := block.said.get("file"):
            assert "/" not in name
            fresh = self.cwd / f".{name}"
            fresh.write_text(self._real(block.text) + "\n")
            fresh.replace(self.cwd / name)
        elif block.language in COMMANDS and "not run" not in block.said:
            commands = block.commands
            for number, command in enumerate(commands, 1):
                last = number == len(commands)
                if last and "stays" in block.said:
                    await self._stay(command.text, command.shown)
                else:
                    await self._run(command.text, command.shown, int(block.said.get("exits", 0)) if last else 0)

    async def end(self) -> None:
        """Stops everything; nobody may have seen a fault."""
        for charging in self._charging:
            charging.cancel()
        await asyncio.gather(*self._charging, return_exceptions=True)
        codes = []
        for process, log in reversed(self._staying):
            codes.append((await self._stop(process), log.read_text(errors="replace")[-2000:]))
        if self._redis is not None:
            await self._redis.stop()
        for csms in self._csms:
            await csms.stop()
        assert [each for each in codes if each[0] not in (0, 130)] == []
        assert [fault for csms in self._csms for fault in csms.faults] == []

    async def _stop(self, process: asyncio.subprocess.Process) -> int:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGINT)
        try:
            return await asyncio.wait_for(process.wait(), 40)
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)
            return await process.wait()

    def _real(self, text: str) -> str:
        """What a page says, on this machine: its hosts and ports, and seconds for hours."""
        for name, real in sorted(self._names.items(), key=lambda each: -len(each[0])):
            text = text.replace(name, real).replace(name.replace("ws://", "wss://"), real)
        for port, free in self._ports.items():
            text = re.sub(rf"(?<!\d){port}(?!\d)", str(free), text)
        # What a page leaves to a default must not be the port that another test, or a real gateway, has.
        text = re.sub(r"(ocpp-gateway simulate)(?!.* --to)", rf"\1 --to ws://127.0.0.1:{self._edge}", text)
        return re.sub(r"--for \d+([hmd])\b", lambda each: f"--for {SHORT[each[1]]}", text)

    def _doc(self, text: str) -> str:
        """The other way round, for what is shown."""
        for name, real in self._names.items():
            text = text.replace(real, name)
        return text

    @property
    def _environment(self) -> dict[str, str]:
        not_theirs = (
            "OCPPGW_",
            "PYTEST",
            "DISPLAY",
            "WAYLAND",
            "BROWSER",
            *(("PYTHONPATH",) if self.world.checkout else ()),
        )
        kept = {name: value for name, value in os.environ.items() if not name.startswith(not_theirs)}
        return kept | {
            "PATH": f"{self._bin}:{os.environ['PATH']}",
            "HOME": str(self.cwd.parent),
            "NO_COLOR": "1",
            "COLUMNS": "120",
            "PYTHONUNBUFFERED": "1",
            "OCPPGW_LISTEN__HOST": "127.0.0.1",
            "OCPPGW_LISTEN__PORT": str(self._edge),
            "OCPPGW_ADMIN__PORT": str(self._admin),
            "OCPPGW_SERVER": f"http://127.0.0.1:{self._admin}",
        }

    async def _start(self, command: str, log: Path) -> asyncio.subprocess.Process:
        """In the shell of the page: what it exported and where it went is as it was."""
        script = f". {self._state}\n{self._real(command)}\n"
        with log.open("wb") as output:
            return await asyncio.create_subprocess_exec(
                "bash", "-c", script, cwd=self.cwd, env=self._environment, stdin=asyncio.subprocess.DEVNULL,
                stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip

    async def _run(self, command: str, shown: list[str], code: int) -> None:
        end = time.monotonic() + AGAIN
        while True:
            ended, said = await self._once(command)
            right = ended == code and (not shown or pattern(shown).fullmatch(said))
            if right or not LOOKS.match(command) or time.monotonic() > end:
                break
            await asyncio.sleep(0.5)
        self.told.append(f"$ {command}\n{said}")
        assert ended == code, f"ended with {ended}, not {code}: {command}\n{said}"
        assert right, f"{command}\n--- said\n{said}\n--- shown\n" + "\n".join(shown)

    async def _once(self, command: str) -> tuple[int | None, str]:
        log = self.cwd.parent / "command.log"
        keep = f"\nended=$?; {{ export -p; echo \"cd '$PWD'\"; }} >{self._state}; exit $ended"
        process = await self._start(command + keep, log)
        try:
            ended: int | None = await asyncio.wait_for(process.wait(), PATIENCE)
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            ended = None
        return ended, plain(self._doc(log.read_text(errors="replace")))

    async def _stay(self, command: str, shown: list[str]) -> None:
        log = self.cwd.parent / f"{len(self.told)}.log"
        process = await self._start(command, log)
        self._staying.append((process, log))
        self.told.append(f"$ {command}     (goes on)\n")
        if " run" in command and "ocpp-gateway" in command:
            await self._until(lambda: process.returncode is not None or self._ready(), "readiness")
        wanted = pattern([*shown, "..."])
        await self._until(
            lambda: process.returncode is not None or wanted.match(plain(self._doc(log.read_text(errors="replace")))),
            f"what is shown of {command}",
            log,
        )
        await asyncio.sleep(0.3)
        assert process.returncode is None, f"ended with {process.returncode}: {command}\n{log.read_text()}"

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._admin}/readyz", timeout=1) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    async def _until(self, happens: object, what: str, log: Path | None = None) -> None:
        assert callable(happens)
        end = time.monotonic() + PATIENCE
        while not await asyncio.to_thread(happens):
            assert time.monotonic() < end, f"no {what} within {PATIENCE:g} s\n{_text(log)}"
            await asyncio.sleep(0.1)


def _text(log: Path | None) -> str:
    return log.read_text(errors="replace") if log else ""
