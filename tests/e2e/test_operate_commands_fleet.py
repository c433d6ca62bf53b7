"""Two edges and two hubs: a command says the same, and does the same, whichever process it is given."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.capture import read
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


async def test_commands_that_act_at_any_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refusing = True

    def mood(_dice: random.Random, action: str) -> str:
        return "error NotSupported" if refusing and action == "TransactionEvent" else "answer"

    fleet = Fleet(tmp_path)
    await fleet.backend("main", "ocpp1.6")
    once = {"options": {"tx_attempts": 1, "tx_retry_interval": 0.1}}
    new = await fleet.backend("new", "ocpp2.0.1", mood=mood, settings=once)

    async def same(*words: str) -> Any:
        """What all processes say to a command, which is the same."""
        answers = [lasting(json.loads((await run(node, *words, "-o", "json")).stdout)) for node in fleet.nodes]
        assert all(each == answers[0] for each in answers), answers
        return answers[0]

    try:
        await fleet.start(edges=2, hubs=2)
        edges, hubs = fleet.edges, fleet.hubs
        chargers = [await fleet.booted(f"CP{number}", urls=[fleet.urls[0]]) for number in range(CHARGERS)]

        async def told() -> bool:
            found = (await ask(fleet.nodes[0], "GET", "/api/v1/upstreams"))[1]
            return all(each["sessions"]["connected"] == CHARGERS for each in found["upstreams"])

        await until("sockets to both", told, 30)

        # Frames of chargers that other processes have.
        file = tmp_path / "fleet.jsonl"
        capture = await spawn(hubs[1], "capture", "*", "--file", str(file), "--for", "30s", "--count", "6")
        trace = await spawn(edges[1], "trace", "CP1", "--count", "6", "--for", "30s")
        await chargers[1].status("Preparing")
        assert "new hears StatusNotification" in (told_of := await trace()), told_of
        assert f"written: {file}" in await capture()
        kept = list(read(file.read_text().splitlines()))
        assert {each.upstream for each in kept if each.source == "csms"} == {"main", "new"}

        # A route.
        switched = await run(hubs[0], "routes", "switch", "--match", "CP1", "--primary", "new")
        assert switched.stdout.startswith("override  match CP1; primary new"), switched.stdout

        async def follow(primary: str) -> bool:
            shown = [
                json.loads((await run(each, "routes", "show", "CP1", "-o", "json")).stdout) for each in fleet.nodes
            ]
            return {each["primary"] for each in shown} == {primary}

        await until("a switch", lambda: follow("new"), 20)
        assert (await same("routes", "list"))["overrides"][0]["primary"] == "new"
        assert "no overrides" in (await run(edges[1], "routes", "switch", "--reset")).stdout
        await until("the old primary", lambda: follow("main"), 20)

        # Dead letters, for which a command goes to the store itself.
        await chargers[2].start()
        await chargers[2].stop()

        store = ("--config", str(hubs[0].file))

        async def letters() -> list[Any]:
            listed = await run(hubs[0], "dlq", "list", "new", *store, "-o", "json")
            return [each["id"] for each in json.loads(listed.stdout)]

        await until("two dead letters", lambda: has(letters, 2), 30)
        refusing, ids, heard = False, await letters(), len(new.heard("start"))
        assert "1 queued again for new" in (await run(hubs[0], "dlq", "requeue", "new", ids[0], *store)).stdout
        await until("it again", lambda: len(new.heard("start")) == heard + 1, 30)
        assert "1 discarded" in (await run(hubs[0], "dlq", "discard", "new", "--all", "--yes", *store)).stdout
        await until("none", lambda: has(letters, 0))

        # What a CSMS has already heard, again.
        await run(edges[1], "upstreams", "pause", "new")

        async def paused() -> bool:
            return bool((await ask(fleet.nodes[0], "GET", "/api/v1/upstreams/new"))[1]["sessions"]["connected"] == 0)

        await until("a pause", paused, 20)
        for each in chargers:
            await each.status("Faulted")
        again = ("queue", "replay", "main", "--from", "2020-01-01")
        found = await same(*again, "--dry-run")
        assert found["found"] >= CHARGERS
        monkeypatch.setattr("gateway.cli.progress.LINE_SECONDS", 0.0)
        heard = len(fleet.backends["main"].heard())
        replayed = await run(hubs[1], *again, "--yes", "--rate", "500")
        counted = re.match(r"(\d+) messages found, \1 told again\n", replayed.stdout)  # others may be trimmed by now
        assert counted and int(counted[1]) >= CHARGERS, replayed.stdout
        progress = [line for line in replayed.stderr.splitlines() if " partitions, " in line]
        assert progress[-1].split()[0] == progress[-1].split()[2] == str(len(progress)), replayed.stderr
        assert progress[-1].endswith(f"{counted[1]} told again")
        await until("it again", lambda: len(fleet.backends["main"].heard()) > heard, 30)
        await run(edges[1], "upstreams", "resume", "new")

        # Half of the chargers of one edge leave it; a hub ends.
        plan = await same("rebalance", "--dry-run")
        assert plan["moves"] == CHARGERS // 2
        for each in chargers:
            each.urls = [fleet.urls[1]]
        assert "2 chargers are sent away" in (await run(hubs[0], "rebalance", "--rate", "50")).stdout
        await until("two that leave", lambda: sum(not each.connected for each in chargers) == CHARGERS // 2, 30)
        listed = (await same("processes"))["processes"]
        hub = next(each["name"] for each in listed if each["roles"] == ["hub"])
        assert f"{hub} drains" in (await run(edges[0], "drain", hub, "--yes")).stdout
        await until("an end", lambda: sum(node.running for node in fleet.hubs) == 1, 30)
    finally:
        await fleet.stop()


async def has(letters: Callable[[], Awaitable[list[Any]]], count: int) -> bool:
    return len(await letters()) == count
