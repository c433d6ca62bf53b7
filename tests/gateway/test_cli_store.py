"""`dlq` and `upstreams` on a real embedded store, while a gateway has it open and while none has."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.config import RedisConfig
from gateway.journal import Commit, Dead, Journal
from gateway.journal.entry import Entry, Head
from tests.gateway.journal.conftest import now_ms

CONFIG = """
upstreams:
  main: {url: "ws://127.0.0.1:1/", version: ocpp1.6}
redis: {data_dir: store}
"""
HEAD = Head("CP-1", 1, 1, "ocpp1.6", "edge-1", 1_700_000_000_000, "StartTransaction", cls="K0")


def run(*arguments: str, cwd: Path, answer: str = "") -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=60,
        input=answer,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def entry(n: int, charger: str = "CP-1") -> Entry:
    frame = [2, str(n), "StartTransaction", {"connectorId": n, "idTag": "SECRET-TAG", "meterStart": 0}]
    return Entry(f"{n}-0", "call", replace(HEAD, charger=charger), json.dumps(frame).encode())


class Store:
    """The embedded store of the directory, as a gateway has it."""

    def __init__(self, directory: Path) -> None:
        self.journal = Journal(RedisConfig(data_dir=str(directory / "store")), now_ms=now_ms)

    async def __aenter__(self) -> Journal:
        await self.journal.start()
        return self.journal

    async def __aexit__(self, *_: Any) -> None:
        await self.journal.stop()


async def fill(journal: Journal) -> None:
    for charger, numbers in {"CP-1": (1, 2), "CP-2": (3,)}.items():
        number = journal.partition(charger)
        token = await journal.acquire(number, "hub-1")
        assert token is not None
        await journal.ensure_groups(number, ["session", "main", "gone"])
        dead = [Dead("main", entry(n, charger), "attempts", 5) for n in numbers]
        await journal.commit(number, token, Commit(dead=[*dead, Dead("gone", entry(9, charger), "refused")]))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "gateway.yaml").write_text(CONFIG)

    async def prepare() -> None:
        async with Store(tmp_path) as journal:
            await fill(journal)

    asyncio.run(prepare())
    return tmp_path


@pytest.mark.slow
def test_letters_are_listed_shown_and_discarded(place: Path) -> None:
    assert json.loads(run("dlq", "list", "-o", "json", cwd=place).stdout) == {"main": 3, "gone": 2}
    letters = json.loads(run("dlq", "list", "main", "--output", "json", cwd=place).stdout)
    assert sorted(each["entry"] for each in letters) == ["1-0", "2-0", "3-0"]
    assert {each["why"] for each in letters} == {"attempts"}
    table = run("dlq", "list", "main", "-n", "2", cwd=place)
    assert len(table.stdout.splitlines()) == 3 and "more: --after" in table.stderr
    id = letters[0]["id"]
    shown = run("dlq", "show", "main", id, cwd=place).stdout
    assert "StartTransaction" in shown and "5" in shown
    for text in (table.stdout, shown, json.dumps(letters)):
        assert "SECRET-TAG" not in text
    assert run("dlq", "show", "main", "1-1.0", cwd=place).returncode == 2
    assert "no id of a dead letter" in run("dlq", "show", "main", "x", cwd=place).stderr
    assert run("dlq", "discard", "main", id, cwd=place).stdout == "1 discarded\n"
    assert run("dlq", "discard", "main", "--all", cwd=place, answer="n\n").returncode == 1
    assert run("dlq", "discard", "main", "--all", "--yes", cwd=place).stdout == "2 discarded\n"
    assert run("dlq", "discard", "main", cwd=place).returncode == 2


async def test_quarantined_frames_are_listed_without_their_secrets(place: Path) -> None:
    broken = b'[2,"7","StopTransaction",{"idTag":"SECRET-TAG","meterStop":99'
    async with Store(place) as journal:
        for charger in ("CP-1", "CP-2"):
            await journal.quarantine(charger, "ocpp1.6", "R03", broken)
        frames = await journal.quarantined()
        assert [each.charger for each in frames] == ["CP-1", "CP-2"]
        assert await journal.quarantined(after=frames[0].id) == frames[1:]
        done = await asyncio.to_thread(run, "dlq", "quarantined", "-n", "1", cwd=place)
        assert "CP-1" in done.stdout and "R03" in done.stdout and "SECRET" not in done.stdout
        assert f"more: --after {frames[0].id}" in done.stderr
        done = await asyncio.to_thread(run, "dlq", "quarantined", frames[1].id, cwd=place)
        assert done.stdout == broken.decode() + "\n"


async def test_letters_are_requeued_while_a_gateway_runs(place: Path) -> None:
    async with Store(place) as journal:
        done = await asyncio.to_thread(run, "dlq", "requeue", "main", "--all", cwd=place)
        assert done.stdout == "3 queued again for main\n", done.stderr
        assert await journal.letters("main") == []
        number = journal.partition("CP-1")
        assert await journal.read_parked(number, "main", "CP-1") == [entry(1), entry(2)]
        refused = await asyncio.to_thread(run, "dlq", "requeue", "gone", "--all", cwd=place)
        assert refused.returncode == 2 and "not in the configuration" in refused.stderr


@pytest.mark.slow
def test_an_upstream_that_is_gone_is_forgotten(place: Path) -> None:
    found = json.loads(run("upstreams", "list", "-o", "json", cwd=place).stdout)
    assert (found["gone"]["orphan"], found["main"]["orphan"]) == (True, False)
    assert found["gone"]["dead_letters"] == 2
    assert "orphan" in run("upstreams", "list", cwd=place).stdout
    assert "is in the configuration" in run("upstreams", "remove", "main", "--yes", cwd=place).stderr
    done = run("upstreams", "remove", "gone", "--yes", cwd=place)
    assert "2 partitions" in done.stdout and "kept: 2 dead letters" in done.stdout
    done = run("upstreams", "remove", "gone", "--dead-letters", cwd=place, answer="y\n")
    assert "2 dead letters" in done.stdout
    assert set(json.loads(run("upstreams", "list", "-o", "json", cwd=place).stdout)) == {"main"}
    assert run("upstreams", "remove", "gone", "--yes", cwd=place).returncode == 2
