"""Two edges and two hubs: whatever an operator asks, any process answers for all of them, and acts in all of them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.faults.fleet import Fleet

from .operator import ask, until, write
from .test_commands import run
from .test_operate import watch

pytestmark = [pytest.mark.full, pytest.mark.timeout(180)]

CHARGERS = 8


async def test_every_process_answers_for_all(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    await fleet.backend("main", "ocpp1.6")
    await fleet.backend("new", "ocpp2.0.1")
    try:
        await fleet.start(edges=2, hubs=2)
        chargers = [await fleet.booted(f"CP{number}") for number in range(CHARGERS)]
        for each in chargers:
            await each.status("Available")

        async def everywhere(path: str) -> list[Any]:
            """The answers of all processes, which are the same."""
            answers = [await ask(node, "GET", path) for node in fleet.nodes]
            assert {status for status, _ in answers} == {200}, answers
            return [found for _, found in answers]

        async def told() -> bool:
            found = (await everywhere("/api/v1/upstreams"))[0]
            return all(each["sessions"]["connected"] == CHARGERS for each in found["upstreams"])

        await until("sockets to both", told, 30)
        lists = await everywhere("/api/v1/chargers?limit=5")
        assert [each["total"] for each in lists] == [each["connected"] for each in lists] == [CHARGERS] * 4
        assert all(each["chargers"] == lists[0]["chargers"] and each["next"] for each in lists)
        rest = await everywhere(f"/api/v1/chargers?limit=5&cursor={lists[0]['next']}")
        assert len(rest[0]["chargers"]) == CHARGERS - 5 and rest[0]["next"] == ""
        for number in range(CHARGERS):
            details = await everywhere(f"/api/v1/chargers/CP{number}")
            assert len({each["hub"] for each in details}) == 1 and details[0]["hub"], details
            assert all(each["upstreams"].keys() == {"main", "new"} and not each["silent"] for each in details)
        processes = await everywhere("/api/v1/processes")
        assert all(len(each["processes"]) == 4 and not each["silent"] for each in processes)
        assert sorted(each["roles"] for each in processes[0]["processes"]) == [["edge"], ["edge"], ["hub"], ["hub"]]
        assert sum(each["chargers"] for each in processes[0]["processes"]) == CHARGERS
        figures = await everywhere("/api/v1/fleet")
        assert all((each["processes"], each["silent"]) == (4, []) for each in figures)
        assert all(each["connected"] == {"1.6": CHARGERS} for each in figures)
        owned = [number for each in processes[0]["processes"] for number in each["partitions"]]
        assert sorted(owned) == list(range(fleet.partitions))

        # Frames of all chargers, seen from a process that has none of them.
        async with watch(fleet.edges[0], "frames?match=CP*&action=StatusNotification") as watching:
            for each in chargers:
                await each.status("Preparing")
            await until(
                "frames of all",
                lambda: (
                    {each["charger"] for each in watching.of("frame", leg="csms", upstream="new", kind="result")}
                    == {f"CP{number}" for number in range(CHARGERS)}
                ),
                20,
            )
            assert not watching.of("gap")
            for each in watching.of("frame", leg="charger", kind="call"):
                same = watching.of("frame", charger=each["charger"], exchange=each["exchange"])
                assert {(one["leg"], one["upstream"]) for one in same} == {
                    ("charger", ""),
                    ("csms", "main"),
                    ("csms", "new"),
                }

        # What is done in one process counts in all.
        assert (await ask(fleet.edges[1], "POST", "/api/v1/upstreams/new/pause"))[0] == 200

        async def paused() -> bool:
            found = (await everywhere("/api/v1/upstreams/new"))[0]
            return bool(found["paused_at"]) and found["sessions"]["connected"] == 0

        await until("a pause", paused, 20)
        assert (await ask(fleet.hubs[0], "POST", "/api/v1/upstreams/new/resume"))[0] == 200
        await until("sockets to both", told, 30)
        status, sent = await ask(fleet.edges[0], "POST", "/api/v1/chargers/CP3/call", {"action": "ClearCache"})
        assert status in (200, 504) and ("ms" in sent or "in time" in sent["errors"][0]), sent
        status, trial = await ask(fleet.edges[0], "POST", "/api/v1/upstreams/main/test", {"charger": "nobody"})
        assert status == 200 and trial["ok"] and len(trial["results"]) == 2, trial
        status, changed = await ask(fleet.edges[0], "PUT", "/api/v1/log-level", {"level": "warning"})
        assert status == 200 and len(changed["processes"]) == 4
        audit = await everywhere("/api/v1/audit?count=2")
        assert [each["path"] for each in audit[3]["deeds"]] == ["/api/v1/log-level", "/api/v1/upstreams/main/test"]

        # A process that hangs is named, and the others answer for the rest.
        fleet.hubs[1].signal(19)
        try:
            found = (await ask(fleet.edges[0], "GET", "/api/v1/processes"))[1]
            assert len(found["silent"]) == 1 and len(found["processes"]) == 3
        finally:
            fleet.hubs[1].signal(18)
        names = {each["name"]: each["roles"] for each in processes[0]["processes"]}
        hub = next(name for name, roles in names.items() if roles == ["hub"])
        assert (await ask(fleet.edges[0], "POST", f"/api/v1/processes/{hub}/drain"))[0] == 202
        await until("an end", lambda: sum(node.running for node in fleet.hubs) == 1, 30)
        await asyncio.sleep(0)
    finally:
        await fleet.stop()


async def test_a_reload_reaches_every_process(tmp_path: Path) -> None:
    """Each reads its own file, and the answer says of each what it has."""
    fleet = Fleet(tmp_path)
    await fleet.backend("main", "ocpp1.6")
    await fleet.backend("new", "ocpp2.0.1")
    try:
        await fleet.start(edges=2, hubs=2)

        async def told(node: Any, method: str, path: str, status: int) -> Any:
            code, found = await ask(node, method, f"/api/v1/config{path}")
            assert code == status and not found.get("silent"), found
            return found

        shown = [await told(node, "GET", "", 200) for node in fleet.nodes]
        names = [each["process"] for each in shown]
        assert len(set(names)) == 4 and [sorted(each["config"]) for each in shown] == [sorted(shown[0]["config"])] * 4
        assert all(each["processes"] == shown[0]["processes"] for each in shown)
        [digest] = {each["digest"] for each in shown[0]["processes"]}
        other = await told(fleet.nodes[0], "GET", f"?process={names[3]}", 200)
        assert (other["process"], other["config"]) == (names[3], shown[3]["config"])
        await told(fleet.nodes[0], "GET", "?process=nobody", 404)

        # Whichever is asked: each would have looked by itself half a second later.
        for asked, linger in zip(fleet.nodes, (31, 32, 33, 34), strict=True):
            for node in fleet.nodes:
                node.config["upstreams"]["new"]["linger"] = linger
                write(node)
            found = await told(asked, "POST", "/reload", 200)
            assert found["reloaded"] and found["errors"] == []
            assert [each["name"] for each in found["processes"]] == sorted(names)
            assert all(each["reloaded"] for each in found["processes"])
            [now] = {each["digest"] for each in found["processes"]}
            assert now != digest
            digest = now
            shown = [await told(node, "GET", "", 200) for node in fleet.nodes]
            assert {each["config"]["upstreams.new.linger"] for each in shown} == {f"{linger}s"}

        # One has another file, and one a bad one.
        hubs = {names[2]: fleet.hubs[0], names[3]: fleet.hubs[1]}
        fleet.hubs[0].config["upstreams"]["new"]["linger"] = 40
        write(fleet.hubs[0])
        write(fleet.hubs[1], "routes: [")
        checked = await told(fleet.edges[0], "GET", "/check", 200)
        assert not checked["ok"] and {each["name"] for each in checked["processes"] if not each["ok"]} == {names[3]}
        found = await told(fleet.edges[1], "POST", "/reload", 422)
        assert not found["reloaded"] and all(each.startswith(f"{names[3]}: ") for each in found["errors"]), found
        assert {each["name"] for each in found["processes"] if not each["reloaded"]} == {names[3]}
        digests = {each["name"]: each["digest"] for each in found["processes"]}
        assert digests[names[0]] == digests[names[1]] == digests[names[3]] == digest != digests[names[2]]
        shown_to_people = await run(fleet.edges[0], "config", "reload", code=2)
        lines = {line.split()[0]: line for line in shown_to_people.stdout.splitlines()}
        assert "keeps what it had" in lines[names[3]] and digests[names[2]] in lines[names[2]], lines
        assert all("reloaded" in lines[name] for name in names[:3]), lines
        assert names[3] in shown_to_people.stderr

        # One that hangs is named.
        for node in hubs.values():
            node.config["upstreams"]["new"]["linger"] = 40
            write(node)
        fleet.hubs[1].signal(19)
        try:
            code, found = await ask(fleet.edges[0], "POST", "/api/v1/config/reload")
            assert (code, found["silent"], found["reloaded"]) == (504, [names[3]], False), found
            assert names[3] in found["errors"][0] and len(found["processes"]) == 3
        finally:
            fleet.hubs[1].signal(18)
        assert "reloaded" in (await run(fleet.edges[0], "config", "reload", "-o", "json")).stdout
    finally:
        await fleet.stop()
