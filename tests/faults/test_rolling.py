"""Rolling updates behind an ingress of others: every process is replaced while 200 chargers charge.

The store is that of `Fleet`; two edges and two hubs, then four new ones. Nothing may be lost, and nothing may come to a CSMS
twice: no fault is noted, so the checker excuses nothing. With "mixed" the processes that are replaced are those of an earlier
release: `PREVIOUS_RELEASE`, a command or a revision of this repository, or else the revision below.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .fleet import Fleet
from .ingress import LOOK_SECONDS, ingress, needs_haproxy
from .nodes import Node
from .swarm import Charger

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), needs_haproxy]

CHARGERS = 200
PACE = 1.0
"""Mean seconds between two messages of a charger."""
GAP_SECONDS = 5.0
PREVIOUS = "d637293"
"""Stands for the release before this one until there is one: the formats of entries and facts are this one's."""
ROOT = Path(__file__).parents[2]
MAIN = "import sys; from gateway.cli import main; sys.argv[0] = 'ocpp-gateway'; sys.exit(main())"


def previous(directory: Path) -> Path:
    """The command of the earlier release, with the packages of this one. Skips where its files are not to be had."""
    wanted = os.environ.get("PREVIOUS_RELEASE", PREVIOUS)
    if (found := shutil.which(wanted)) is not None:
        return Path(found)
    source, command = directory / "previous", directory / "ocpp-gateway"
    archive = subprocess.run(
        ["git", "archive", wanted, "gateway", "translators"], cwd=ROOT, capture_output=True, check=False
    )
    if archive.returncode:
        pytest.skip(f"no revision {wanted} here: {archive.stderr.decode(errors='replace').strip()}")
    source.mkdir()
    subprocess.run(["tar", "-x"], cwd=source, input=archive.stdout, check=True)
    command.write_text(f'#!/bin/sh\nPYTHONPATH={source} exec {sys.executable} -c "{MAIN}" "$@"\n')
    command.chmod(0o755)
    return command


class Stationed(Charger):
    """A charger that connects again at once, whether it has something to say or not, and stays in one transaction."""

    connecting: asyncio.Lock

    async def connect(self, patience: float = 60.0) -> None:
        async with self.connecting:
            await super().connect(patience)

    async def keep(self) -> None:
        """Stays connected, until cancelled."""
        while True:
            await self.connect()
            await self.lost(patience=3600)

    async def live(self, enough: asyncio.Event) -> None:
        await self.boot()
        await self.status("Preparing")
        await self.start()
        while not enough.is_set():
            await self.meter()
            await self._rest()
        await self.stop()
        await self.status("Available")


def gaps(fleet: Fleet) -> list[float]:
    """Seconds from the end of each connection to the next one of the same charger, shortest first."""
    opened = {(each.charger, each.connection): each.at for each in fleet.history.opened}
    ends = [(opened.get((each.charger, each.connection + 1)), each.at) for each in fleet.history.closed]
    return sorted(again - end for again, end in ends if again is not None)


def waits(fleet: Fleet) -> list[float]:
    """Seconds from the first attempt of each message to its answer, shortest first."""
    first: dict[tuple[str, str, str], float] = {}
    calls = {}
    for sent in fleet.history.sent:
        first.setdefault(sent.message.key, sent.at)
        calls[sent.message.charger, sent.connection, sent.call] = sent.message.key
    answered = [(calls.get((each.charger, each.connection, each.call)), each.at) for each in fleet.history.answered]
    return sorted(at - first[key] for key, at in answered if key is not None)


def p99(values: list[float]) -> float:
    return values[int(len(values) * 0.99)]


async def replace(fleet: Fleet, old: Node, new: Node | None) -> None:
    """Kubernetes' way: the new one is ready, then the old one gets SIGTERM. Without a new one the old one starts again."""
    if new is not None:
        await new.run()
        await asyncio.sleep(4 * LOOK_SECONDS)
    assert await old.stop() == 0
    if new is None:
        old.command = Node.command
        await old.run()
        await asyncio.sleep(4 * LOOK_SECONDS)
    if old.role == "hub":
        await fleet.balanced(2)


@pytest.mark.parametrize("way", ["surge", "in place", "mixed"])
async def test_a_rolling_update_loses_nothing(fleet: Fleet, tmp_path: Path, way: str) -> None:
    surge, before = way != "in place", previous(tmp_path) if way == "mixed" else Node.command
    await fleet.backend("main", "ocpp2.0.1")
    await fleet.backend("copy", "ocpp1.6")
    fleet.config["drain"] = {"delay": 4 * LOOK_SECONDS, "timeout": 5, "close_rate": 50}
    await fleet.store.start()
    old = [await fleet.prepare(role) for role in ("edge", "edge", "hub", "hub")]
    new = [await fleet.prepare(each.role) for each in old] if surge else []
    for node in old:
        node.command = before
    await asyncio.gather(*(node.run() for node in old))
    await fleet.balanced(2)
    async with ingress(tmp_path, fleet.edges) as url:
        chargers = [Stationed(fleet.history, f"CP{each}", [url], seed=each, pace=PACE) for each in range(CHARGERS)]
        fleet.chargers += chargers
        enough = asyncio.Event()
        for each in chargers:
            each.connecting = asyncio.Lock()
        tasks = [asyncio.create_task(each.keep()) for each in chargers]
        lives = [asyncio.create_task(each.live(enough)) for each in chargers]
        try:
            async with asyncio.timeout(60):
                while any(each.told < 6 for each in chargers):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            for index, node in enumerate(old):
                already = [each.connection for each in chargers]
                await replace(fleet, node, new[index] if surge else None)
                moved = [each.connection - was for each, was in zip(chargers, already, strict=True)]
                assert max(moved) <= (node.role == "edge"), f"{node.name}: {max(moved)} moves of one charger"
            await asyncio.sleep(3)
            enough.set()
            await asyncio.wait_for(asyncio.gather(*lives), 60)
        finally:
            for task in (*tasks, *lives):
                task.cancel()
            await asyncio.gather(*tasks, *lives, return_exceptions=True)
        moves = [each.connection - 1 for each in chargers]
        print(
            f"moves {min(moves)} to {max(moves)}, {sum(moves)} in all; gap p99 {p99(gaps(fleet)):.3f} s, longest "
            f"{gaps(fleet)[-1]:.3f} s; wait for an answer p99 {p99(waits(fleet)):.3f} s, longest {waits(fleet)[-1]:.3f} s"
        )
        if surge:
            assert set(moves) == {1}, "each charger moves once, for its edge went"
        assert p99(gaps(fleet)) < GAP_SECONDS
        assert p99(waits(fleet)) < GAP_SECONDS
        assert not [each.refusals for each in chargers if each.refusals], "none was refused on its way"
        for each in chargers:
            await each.close()
    for backend in fleet.backends.values():
        for kind in ("start", "stop"):
            assert len(backend.heard(kind)) == CHARGERS, f"{backend.name}: {kind}"
    await fleet.right(8 * CHARGERS)
