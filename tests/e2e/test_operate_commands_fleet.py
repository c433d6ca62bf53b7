"""Two edges and two hubs: a command says the same, and does the same, whichever process it is given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.faults.fleet import Fleet

from .operator import ask, until
from .test_commands import run, spawn

pytestmark = [pytest.mark.full, pytest.mark.timeout(180)]

CHARGERS = 4
SAME = (
    ("chargers", "ls"), ("chargers", "show", "CP1"), ("upstreams", "ls"), ("upstreams", "show", "new"), ("queue", "ls"),
    ("routes", "list"), ("routes", "show", "CP1"), ("shadow",), ("processes",),
)  # fmt: skip
PASSING = frozenset(("seconds", "at", "since", "uptime", "now", "age", "oldest", "lag"))
"""Members whose values differ from one moment to the next."""


def lasting(found: Any) -> Any:
    """Without what passes."""
    if isinstance(found, dict):
        return {k: lasting(v) for k, v in found.items() if not any(each in k.split("_") for each in PASSING)}
    return [lasting(each) for each in found] if isinstance(found, list) else found


async def test_commands_at_any_process(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    await fleet.backend("main", "ocpp1.6")
    await fleet.backend("new", "ocpp2.0.1")
    try:
        await fleet.start(edges=2, hubs=2)
        chargers = [await fleet.booted(f"CP{number}") for number in range(CHARGERS)]

        async def told() -> bool:
            found = (await ask(fleet.nodes[0], "GET", "/api/v1/upstreams"))[1]
            return all(each["sessions"]["connected"] == CHARGERS for each in found["upstreams"])

        await until("sockets to both", told, 30)
        for words in SAME:
            answers = []
            for node in fleet.nodes:
                shown = (await run(node, *words, "-o", "json")).stdout
                answers.append(lasting(json.loads(shown)))
            assert all(each == answers[0] for each in answers), (words, answers)
            table = (await run(fleet.nodes[0], *words)).stdout
            assert table and "Traceback" not in table and "{" not in table.splitlines()[0]
            lines = (await run(fleet.nodes[0], *words, "-o", "ndjson")).stdout
            assert all(json.loads(line) is not None for line in lines.splitlines())
            assert (await run(fleet.nodes[0], *words, "-o", "yaml")).stdout
        assert "CP2" in (await run(fleet.hubs[1], "chargers", "ls", "--state", "connected")).stdout

        # What one process is asked to watch is seen by others.
        watching = await spawn(fleet.hubs[0], "tail", "CP1", "--both-sides", "-n", "6", "-o", "ndjson")
        await chargers[1].status("Preparing")
        frames = [json.loads(line) for line in (await watching()).splitlines() if line.startswith("{")]
        assert {each["upstream"] for each in frames if each["event"] == "frame"} == {"", "main", "new"}, frames

        # What one process is told is done where it belongs.
        sent = await run(fleet.edges[1], "send", "CP0", "ClearCache", "-o", "json")
        assert '"status"' in sent.stdout
        for node in fleet.nodes:
            await run(node, "upstreams", "pause", "new")
            assert json.loads((await run(fleet.nodes[0], "upstreams", "show", "new", "-o", "json")).stdout)["paused_at"]
            await run(node, "upstreams", "resume", "new")
        await run(fleet.hubs[1], "chargers", "kick", "CP3")
        await run(fleet.edges[0], "chargers", "show", "NOBODY", code=2)
        await run(fleet.edges[0], "chargers", "ls", "--server", "http://127.0.0.1:1", code=1)
    finally:
        await fleet.stop()
