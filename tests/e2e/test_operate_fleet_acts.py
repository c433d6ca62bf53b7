"""Two edges and two hubs: what is done at one process is done, and every process says so."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.fleet import Fleet

from .operator import ask, until, write
from .test_operate_commands_fleet import lasting

pytestmark = [pytest.mark.full, pytest.mark.timeout(240)]

CHARGERS = 4
BEGUN = "2020-01-01T00:00:00Z"
HASHED = re.compile(r"tok:[0-9a-f]{12}")
"""A token that is hidden: each process has a key of its own."""


async def test_what_is_done_at_one_process(tmp_path: Path) -> None:
    refusing = True

    def mood(_dice: random.Random, action: str) -> str:
        return "error NotSupported" if refusing and action == "TransactionEvent" else "answer"

    fleet = Fleet(tmp_path)
    fleet.config = {"registry": {"source": "redis"}, "drain": {"close_rate": 50, "timeout": 2}}
    await fleet.backend("main", "ocpp1.6")
    once = {"options": {"tx_attempts": 1, "tx_retry_interval": 0.1}, "shadow": True}
    new = await fleet.backend("new", "ocpp2.0.1", mood=mood, settings=once)

    async def everywhere(path: str, status: int = 200) -> Any:
        """What all processes say, which is the same."""
        answers = [await ask(node, "GET", f"/api/v1/{path}") for node in fleet.nodes]
        assert {code for code, _ in answers} == {status}, answers
        found = [lasting(json.loads(HASHED.sub("tok:", json.dumps(said)))) for _, said in answers]
        assert all(each == found[0] for each in found), found
        return found[0]

    def soon(path: str, holds: Callable[[Any], bool]) -> Callable[[], Awaitable[bool]]:
        """Whether every process says so by now."""

        async def said() -> bool:
            answers = [await ask(node, "GET", f"/api/v1/{path}") for node in fleet.nodes]
            return all(code == 200 and holds(each) for code, each in answers)

        return said

    async def do(node: Any, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        code, found = await ask(node, method, f"/api/v1/{path}", body)
        assert code == status, found
        return found

    try:
        await fleet.start(edges=2, hubs=2)
        edges, hubs = fleet.edges, fleet.hubs
        for number in range(CHARGERS):
            await do(fleet.nodes[number], "PUT", f"chargers/CP{number}", {}, 201)
        chargers = [await fleet.booted(f"CP{number}", urls=[fleet.urls[0]]) for number in range(CHARGERS)]
        connected = lambda count: lambda said: all(x["sessions"]["connected"] == count for x in said["upstreams"])  # noqa: E731
        await until("sockets to both", soon("upstreams", connected(CHARGERS)), 30)

        # Half of the chargers of one edge go to the other: a hub plans, any process says how.
        for each in chargers:
            each.urls = [fleet.urls[1]]
        plans = [lasting(await do(node, "POST", "rebalance", {"dry_run": True})) for node in fleet.nodes]
        assert plans == [plans[0]] * 4 and plans[0]["moves"] == CHARGERS // 2
        await do(hubs[1], "POST", "rebalance", {}, 202)
        await until("two that leave", lambda: sum(not each.connected for each in chargers) == CHARGERS // 2, 20)
        for each in chargers:
            if not each.connected:
                await each.connect()
        spread = soon("processes", lambda said: sorted(x["chargers"] for x in said["processes"]) == [0, 0, 2, 2])
        await until("a spread", spread, 20)

        # Blocked by a hub, it is gone from its edge, and let in nowhere.
        said = await do(hubs[1], "POST", "chargers/CP0/block")
        assert (said["id"], said["blocked"]) == ("CP0", True)
        await until("a farewell", lambda: not chargers[0].connected, 20)
        assert [await chargers[0].dial(url) for url in fleet.urls] == [403, 403]
        await until("no connection", soon("chargers/CP0", lambda said: not said["connected"]), 20)
        assert (await everywhere("chargers/CP0"))["registration"]["blocked"]
        await do(edges[0], "POST", "chargers/NOBODY/block", status=404)
        assert not (await do(edges[1], "POST", "chargers/CP0/unblock"))["blocked"]
        await chargers[0].connect()
        assert await chargers[0].boot()

        # Routes: a charger gets another primary, and its own again.
        await do(edges[0], "POST", "routes/switch", {"match": "CP1", "primary": "new"})
        await until("a switch", soon("routes/CP1", lambda said: said["primary"] == "new"), 20)
        assert (await everywhere("routes"))["overrides"][0]["match"] == "CP1"
        assert (await everywhere("routes/CP0"))["primary"] == "main"
        await do(hubs[0], "POST", "routes/switch", {"reset": True, "match": "CP1"})
        await until("the old primary", soon("routes/CP1", lambda said: said["primary"] == "main"), 20)

        # Dead letters: one is told again, one is thrown away.
        for each in chargers[2:]:
            await each.start()
            await each.stop()
        counted = lambda count: soon("dead-letters", lambda said: said["counts"]["new"] == count)  # noqa: E731
        await until("dead letters", counted(4), 30)
        letters = (await everywhere("dead-letters/new"))["dead_letters"]
        assert {each["action"] for each in letters} == {"StartTransaction", "StopTransaction"}
        assert (await everywhere(f"dead-letters/new/{letters[0]['id']}"))["charger"] == letters[0]["charger"]
        refusing = False
        heard = len(new.heard("start"))
        begins = [each["id"] for each in letters if each["action"] == "StartTransaction"]
        assert (await do(hubs[0], "POST", "dead-letters/new/requeue", {"ids": begins[:1]}))["count"] == 1
        await until("it again", lambda: len(new.heard("start")) == heard + 1, 30)
        await until("one less", counted(3))
        assert (await do(edges[1], "POST", "dead-letters/new/discard", {"all": True}))["count"] == 3
        assert (await everywhere("dead-letters"))["counts"] == {"main": 0, "new": 0}

        # Shadow: each hub compares its own; everybody tells of all.
        compared = soon("shadow", lambda said: {x["charger"] for x in said["chargers"]} >= {"CP1", "CP2", "CP3"})
        await until("comparisons", compared, 30)
        await everywhere("shadow")
        assert await everywhere("shadow/CP2")

        # Telling again what the streams still have.
        await do(edges[1], "POST", "upstreams/new/pause")
        await until("a pause", soon("upstreams/new", lambda said: said["sessions"]["connected"] == 0), 20)
        await chargers[1].status("Faulted")
        wanted = {"upstream": "main", "from": BEGUN, "charger": "CP1"}
        dry = [lasting(await do(node, "POST", "journal/replay", wanted | {"dry_run": True})) for node in fleet.nodes]
        assert dry == [dry[0]] * 4 and dry[0]["found"] > 0
        await everywhere("journal/new/waiting?charger=CP1")
        heard = len(fleet.backends["main"].heard(charger="CP1"))
        assert (await do(edges[1], "POST", "journal/replay", wanted))["replayed"] == dry[0]["found"]
        await until("it again", lambda: len(fleet.backends["main"].heard(charger="CP1")) > heard, 20)
        await do(hubs[1], "POST", "upstreams/new/resume")
        await until("sockets to both", soon("upstreams", connected(CHARGERS)), 30)

        # Frames in the logs of all; a translation.
        logs = (await do(hubs[0], "PUT", "wire-logs", {"match": "CP1", "seconds": 60}))["wire_logs"]
        assert len({each["process"] for each in logs}) == 4
        assert len((await everywhere("wire-logs"))["wire_logs"]) == 4
        await do(edges[1], "PUT", "wire-logs", {"match": "CP1", "seconds": 0})
        assert (await everywhere("wire-logs"))["wire_logs"] == []
        step = {"from": "charger", "frame": [2, "1", "Authorize", {"idTag": "T"}]}
        question = {
            "charger": "ocpp1.6", "csms": "ocpp2.0.1", "steps": [step],
            "options": {"registered": True},
        }  # fmt: skip
        told = [await do(node, "POST", "translate", question) for node in fleet.nodes]
        assert told == [told[0]] * 4 and told[0]["steps"][0][0]["frame"][2] == "Authorize"

        # Forgotten, and gone from the registry: nobody has ever heard of it.
        await do(hubs[0], "POST", "chargers/CP3/forget", status=409)
        await chargers[3].close()
        await until("its end", soon("chargers/CP3", lambda said: not said["connected"]), 20)
        await do(hubs[0], "POST", "chargers/CP3/forget")
        await do(edges[1], "DELETE", "chargers/CP3", status=204)
        await everywhere("chargers/CP3", 404)

        # A CSMS that is in no configuration any more leaves nothing behind.
        await do(edges[0], "DELETE", "upstreams/new", status=409)
        for node in fleet.nodes:
            del node.config["upstreams"]["new"]
            node.config["routes"][0]["mirrors"] = []
            write(node)
        await do(edges[0], "POST", "config/reload")
        orphan = soon("upstreams", lambda said: [(x["name"], x["orphan"]) for x in said["upstreams"]] == ORPHAN)
        await until("an orphan", orphan)
        removed = await do(hubs[1], "DELETE", "upstreams/new")
        assert removed["groups"] > 0, removed
        assert [each["name"] for each in (await everywhere("upstreams"))["upstreams"]] == ["main"]
        await do(edges[1], "DELETE", "upstreams/new", status=404)
        audit = (await everywhere("audit?count=200"))["deeds"]
        assert {"POST", "PUT", "DELETE"} == {each["method"] for each in audit}
    finally:
        await fleet.stop()


ORPHAN = [("main", False), ("new", True)]
