"""What an operator sees of a running gateway, and what he can do to it, over the admin port."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from ocpp.v16 import call as call16
from ocpp.v201 import call as call201

from .charger import Charger16
from .conftest import Connect, StartCsms, StartGateway
from .csms import Csms, now
from .operator import ask, until
from .process import Gateway
from .wire import PATIENCE

TAG = "04A1B2C3"


class Watching:
    """The events of a stream so far."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def of(self, name: str, **members: Any) -> list[dict[str, Any]]:
        """Events of a kind with these members."""
        return [
            data
            for kind, data in self.events
            if kind == name and all(data.get(key) == value for key, value in members.items())
        ]


@asynccontextmanager
async def watch(gateway: Gateway, path: str) -> AsyncIterator[Watching]:
    """Reads a stream of events in the background."""
    watching = Watching()
    url = f"http://127.0.0.1:{gateway.admin_port}/api/v1/{path}"
    async with aiohttp.ClientSession() as client, client.get(url) as response:
        assert response.status == 200, await response.text()

        async def read() -> None:
            name = ""
            async for raw in response.content:
                line = raw.decode().rstrip("\n")
                if line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("data: "):
                    watching.events.append((name, json.loads(line[6:])))

        reading = asyncio.create_task(read())
        await until("a stream", lambda: bool(watching.of("begin")))
        yield watching
        reading.cancel()
        await asyncio.wait([reading])


async def two(start_csms: StartCsms, start_gateway: StartGateway, **config: Any) -> tuple[Csms, Csms, Gateway]:
    """A 2.0.1 primary and a 1.6 mirror behind one process."""
    main, old = await start_csms("ocpp2.0.1"), await start_csms("ocpp1.6")
    routes = [{"match": "*", "primary": "main", "mirrors": ["old"]}]
    return main, old, await start_gateway({"main": main, "old": old}, routes=routes, **config)


async def test_both_legs_side_by_side(start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect) -> None:
    main, _, gateway = await two(start_csms, start_gateway)
    async with watch(gateway, "chargers/cp1/frames") as watching:
        charger = await plug_in(Charger16, gateway.url, "CP1")
        await charger.boot()
        transaction = await charger.start(1, TAG)
        await charger.stop(transaction)
        await until("an end", lambda: len(watching.of("frame", leg="charger", action="StopTransaction")) == 2)

        assert watching.of("state", leg="charger", note="connected")
        assert watching.of("state", leg="csms", upstream="main", note="connected")
        start = watching.of("frame", leg="charger", action="StartTransaction", kind="call")[0]
        assert start["version"] == "ocpp1.6" and start["direction"] == "in"
        assert TAG not in json.dumps(watching.events), "tokens are hidden"
        same = watching.of("frame", exchange=start["exchange"])
        assert {(each["leg"], each["upstream"], each["kind"]) for each in same} >= {
            ("charger", "", "call"), ("csms", "main", "call"), ("csms", "main", "result"),
            ("csms", "old", "call"), ("csms", "old", "result"), ("charger", "", "result"),
        }  # fmt: skip
        told = next(each for each in same if each["upstream"] == "main" and each["kind"] == "call")
        assert told["action"] == "TransactionEvent" and told["frame"][3]["eventType"] == "Started"
        answer = next(each for each in same if each["leg"] == "charger" and each["kind"] == "result")
        assert answer["id"] == start["id"] and answer["ms"] >= 0 and answer["frame"][2]["transactionId"] == transaction
        main.verdict = lambda _action, _token: "NoCredit"
        assert (await charger.call(call16.Authorize(id_tag="OTHER"))).id_tag_info["status"] == "Blocked"
        await until("a verdict", lambda: len(watching.of("frame", leg="charger", action="Authorize")) == 2)
        verdict = watching.of("frame", leg="charger", action="Authorize", kind="result")[0]
        assert {"field": "idTokenInfo.status", "kind": "folded"} in verdict["losses"]

        station = main.station("CP1")
        await station.call(call201.UnlockConnector(evse_id=1, connector_id=1))
        await until("a command", lambda: len(watching.of("frame", leg="csms", action="UnlockConnector")) == 2)
        asked = watching.of("frame", leg="csms", action="UnlockConnector", kind="call")[0]
        legs = [
            (each["leg"], each["direction"], each["kind"]) for each in watching.of("frame", exchange=asked["exchange"])
        ]
        assert legs == [
            ("csms", "in", "call"), ("charger", "out", "call"), ("charger", "in", "result"), ("csms", "out", "result"),
        ]  # fmt: skip
        # What no hub hears of: a message that came before, and one that is none.
        await charger.say(
            "StopTransaction", stop := json.dumps({"transactionId": 7, "meterStop": 9, "timestamp": now()})
        )
        assert (await charger.say("StopTransaction", stop)).answer is not None
        await until("a stored answer", lambda: bool(watching.of("frame", note="the stored answer")))
        await charger.peer._connection.send('[2,"no message"]')
        await until("a refusal", lambda: any("answered here" in each["note"] for each in watching.of("frame")))
        await until("the refusal", lambda: bool(charger.recorder.faults))
        charger.recorder.faults.clear()
    assert not watching.of("gap")


async def test_what_was_said_earlier(start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect) -> None:
    """As long as a CSMS has not got it; then it goes on live, and nothing comes twice."""
    _, _, gateway = await two(start_csms, start_gateway)
    assert (await ask(gateway, "POST", "/api/v1/upstreams/old/pause"))[0] == 200
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    await charger.call(call16.Authorize(id_tag=TAG))
    async with watch(gateway, "chargers/cp1/frames?since=60&leg=charger") as watching:
        await charger.call(call16.Heartbeat())
        await until("life", lambda: len(watching.of("frame", action="Heartbeat")) == 2)
    said = [(each["action"], each["note"]) for each in watching.of("frame", direction="in", kind="call")]
    assert said[0] == ("BootNotification", "earlier") and said[-1] == ("Heartbeat", "")
    assert [each for each in said if each[0] == "Authorize"] == [("Authorize", "earlier")]
    assert len(said) == len(set(said)) and watching.of("state", note="connected"), said
    assert TAG not in json.dumps(watching.events), "tokens are hidden"
    assert (await ask(gateway, "GET", "/api/v1/frames?since=x"))[0] == 400


async def test_chargers_and_commands(start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect) -> None:
    _, _, gateway = await two(start_csms, start_gateway)
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    transaction = await charger.start(1, TAG)
    status, page = await ask(gateway, "GET", "/api/v1/chargers?state=connected&version=ocpp1.6&upstream=old")
    [line] = page["chargers"]
    assert (status, page["total"], page["connected"]) == (200, 1, 1)
    assert (line["id"], line["primary"], line["mirrors"]) == ("CP1", "main", ["old"])
    assert line["vendor"] and line["transactions"][0]["id"] == transaction
    assert (await ask(gateway, "GET", "/api/v1/chargers?q=nobody"))[1]["chargers"] == []
    status, detail = await ask(gateway, "GET", "/api/v1/chargers/cp1?remembered=true")
    assert status == 200 and detail["hub"] and detail["remembered"] >= 1
    assert detail["upstreams"]["main"]["state"] == detail["upstreams"]["old"]["state"] == "connected"
    assert (detail["upstreams"]["main"]["role"], detail["upstreams"]["old"]["role"]) == ("primary", "mirror")
    assert (await ask(gateway, "GET", "/api/v1/chargers/NOBODY"))[0] == 404

    call = "/api/v1/chargers/CP1/call"
    status, sent = await ask(gateway, "POST", call, {"action": "UnlockConnector", "payload": {"connectorId": 1}})
    assert (status, sent["payload"], sent["version"]) == (200, {"status": "Unlocked"}, "ocpp1.6"), sent
    as_main = {"action": "UnlockConnector", "payload": {"evseId": 1, "connectorId": 1}, "upstream": "main"}
    status, sent = await ask(gateway, "POST", call, as_main)
    assert (status, sent["payload"]["status"], sent["version"]) == (200, "OngoingAuthorizedTransaction", "ocpp2.0.1")
    status, sent = await ask(gateway, "POST", call, {"action": "UnlockConnector", "payload": {}, "dry_run": True})
    assert status == 200 and "connectorId" in sent["errors"][0]
    for body, refused in (
        ({"action": "UnlockConnector", "payload": {}}, 422),
        ({"action": "Heartbeat"}, 422),
        ({"action": "GetVariables"}, 422),
        ({"action": "Reset", "payload": {"type": "Soft"}, "upstream": "nobody"}, 422),
        ({"action": "Reset", "timeout": 0}, 400),
        ({"action": 3}, 400),
    ):
        status, said = await ask(gateway, "POST", call, body)
        assert (status, list(said)) == (refused, ["errors"]), said

    assert (await ask(gateway, "POST", "/api/v1/chargers/CP1/forget"))[0] == 409
    assert (await ask(gateway, "POST", "/api/v1/chargers/CP1/kick", {"reason": "test"}))[0] == 200
    await until("a farewell", lambda: charger.close_code is not None)
    assert charger.close_code == 1000
    await until("an absent charger", lambda: _absent(gateway, "CP1"))
    assert (await ask(gateway, "GET", "/api/v1/chargers/cp1"))[1]["id"] == "CP1"
    assert (await ask(gateway, "GET", "/api/v1/names?prefix=cp"))[1]["names"] == ["CP1"]
    assert (await ask(gateway, "POST", "/api/v1/chargers/CP1/kick"))[0] == 409
    assert (await ask(gateway, "POST", call, {"action": "ClearCache"}))[0] == 409
    status, forgot = await ask(gateway, "POST", "/api/v1/chargers/CP1/forget")
    assert status == 200 and forgot["facts"] == 1 and forgot["answers"] >= 1, forgot
    assert (await ask(gateway, "GET", "/api/v1/chargers/CP1"))[0] == 404


async def _absent(gateway: Gateway, charger: str) -> bool:
    return not (await ask(gateway, "GET", f"/api/v1/chargers/{charger}"))[1]["connected"]


async def test_upstreams(start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect) -> None:
    main, old, gateway = await two(start_csms, start_gateway)
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()

    async def upstream(name: str) -> dict[str, Any]:
        status, found = await ask(gateway, "GET", f"/api/v1/upstreams/{name}")
        assert status == 200
        return dict(found)

    def connected(name: str, count: int) -> Callable[[], Any]:
        async def happens() -> bool:
            return (await upstream(name))["sessions"]["connected"] == count

        return happens

    await until("two sockets", connected("old", 1))
    status, found = await ask(gateway, "GET", "/api/v1/upstreams")
    assert [each["name"] for each in found["upstreams"]] == ["main", "old"] and found["silent"] == []
    assert (await ask(gateway, "POST", "/api/v1/upstreams/old/pause"))[1]["paused_at"]
    await until("no socket", connected("old", 0))
    await charger.start(1, TAG)
    await asyncio.sleep(0.3)
    paused = await upstream("old")
    assert paused["pending"] >= 1 and paused["paused_at"]
    heard = len(old.station("CP1").recorder.calls(mine=False))
    assert (await ask(gateway, "POST", "/api/v1/upstreams/old/resume"))[0] == 200
    await until("what waited", lambda: len(old.station("CP1").recorder.calls(mine=False)) > heard)
    assert (await ask(gateway, "POST", "/api/v1/upstreams/old/resume"))[0] == 409
    status, again = await ask(gateway, "POST", "/api/v1/upstreams/main/reconnect")
    assert (status, again["sockets"]) == (200, 1)
    await until("a new socket", lambda: main.station("CP1").recorder.connections == 2)
    status, trial = await ask(gateway, "POST", "/api/v1/upstreams/main/test", {"charger": "nobody"})
    assert (status, trial["ok"], trial["results"][0]["kind"]) == (200, True, "connected"), trial
    await main.stop()
    status, trial = await ask(gateway, "POST", "/api/v1/upstreams/main/test")
    assert (status, trial["ok"], trial["results"][0]["kind"]) == (200, False, "refused"), trial
    await main.start()
    assert (await ask(gateway, "DELETE", "/api/v1/upstreams/main"))[0] == 409
    assert (await ask(gateway, "DELETE", "/api/v1/upstreams/nobody"))[0] == 404
    assert (await ask(gateway, "POST", "/api/v1/upstreams/nobody/pause"))[0] == 404


async def test_processes(start_csms: StartCsms, start_gateway: StartGateway) -> None:
    _, _, gateway = await two(start_csms, start_gateway)
    status, found = await ask(gateway, "GET", "/api/v1/processes")
    [process] = found["processes"]
    assert status == 200 and process["roles"] == ["edge", "hub"] and process["unready"] == []
    assert len(process["partitions"]) == 64
    status, changed = await ask(gateway, "PUT", "/api/v1/log-level", {"level": "debug"})
    assert (status, changed["processes"]) == (200, [process["name"]])
    assert (await ask(gateway, "PUT", "/api/v1/log-level", {"level": "loud"}))[0] == 400
    assert (await ask(gateway, "GET", "/api/v1/processes"))[1]["processes"][0]["log_level"] == "debug"
    assert (await ask(gateway, "POST", "/api/v1/processes/nobody/drain"))[0] == 404
    assert (await ask(gateway, "POST", f"/api/v1/processes/{process['name']}/drain", {"rate": -1}))[0] == 400
    assert (await ask(gateway, "POST", f"/api/v1/processes/{process['name']}/drain"))[0] == 202
    assert gateway.process is not None
    assert await asyncio.wait_for(gateway.process.wait(), PATIENCE) == 0


async def test_queues(start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect) -> None:
    main, _, gateway = await two(start_csms, start_gateway)
    assert (await ask(gateway, "POST", "/api/v1/upstreams/old/pause"))[0] == 200
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    await asyncio.sleep(1.1)  # the hubs look once a second
    begun = "2020-01-01T00:00:00Z"
    transaction = await charger.start(1, TAG)
    await charger.stop(transaction)

    async def waiting() -> list[str]:
        status, queue = await ask(gateway, "GET", "/api/v1/journal/old/waiting?charger=cp1")
        assert status == 200 and TAG not in json.dumps(queue), queue
        return [each["action"] for each in queue["waiting"]]

    assert {"StartTransaction", "StopTransaction"} <= set(await waiting())
    status, first = await ask(gateway, "GET", "/api/v1/journal/old/waiting?count=1")
    status, rest = await ask(gateway, "GET", f"/api/v1/journal/old/waiting?cursor={first['next']}")
    assert [each["action"] for each in [*first["waiting"], *rest["waiting"]]] == await waiting()
    status, streams = await ask(gateway, "GET", "/api/v1/journal?upstream=old")
    [partition] = [each for each in streams["partitions"] if each["entries"]]
    assert status == 200 and partition["groups"][0]["oldest_seconds"] > 0

    recorder = main.station("CP1").recorder
    heard = len(recorder.calls("TransactionEvent"))
    wanted = {"upstream": "main", "from": begun, "charger": "CP1"}
    status, replayed = await ask(gateway, "POST", "/api/v1/journal/replay", wanted | {"dry_run": True})
    assert (status, replayed["replayed"]) == (200, 0) and replayed["found"] >= 3 and replayed["oldest"]
    status, replayed = await ask(gateway, "POST", "/api/v1/journal/replay", wanted)
    assert status == 200 and replayed["replayed"] == replayed["found"], replayed
    await until("it again", lambda: len(recorder.calls("BootNotification")) == 2, 20)
    assert len(recorder.calls("TransactionEvent")) == heard, "a transaction that it knows is not told twice"
    for body in (wanted | {"from": "soon"}, wanted | {"upstream": "nobody"}, wanted | {"partitions": [99]}):
        assert (await ask(gateway, "POST", "/api/v1/journal/replay", body))[0] == 422
    assert await ask(gateway, "GET", "/api/v1/dead-letters") == (200, {"counts": {"main": 0, "old": 0}})
    assert (await ask(gateway, "GET", "/api/v1/dead-letters/main/1-0.3"))[0] == 404
    assert (await ask(gateway, "POST", "/api/v1/dead-letters/main/requeue", {}))[0] == 422
    status, audit = await ask(gateway, "GET", "/api/v1/audit?count=3")
    assert status == 200 and len(audit["deeds"]) == 3 and audit["deeds"][-1]["who"] == "local", audit


async def test_translate_and_the_document(start_csms: StartCsms, start_gateway: StartGateway) -> None:
    _, _, gateway = await two(start_csms, start_gateway)
    step = {"from": "charger", "frame": [2, "1", "Authorize", {"idTag": TAG}]}
    options = {"options": {"registered": True}}
    wanted = {"charger": "ocpp1.6", "csms": "ocpp2.0.1", "steps": [step]} | options
    status, told = await ask(gateway, "POST", "/api/v1/translate", wanted)
    [[left]] = told["steps"]
    assert status == 200 and left["to"] == "csms" and left["frame"][2] == "Authorize"
    assert (await ask(gateway, "POST", "/api/v1/translate", wanted | {"steps": [{"from": "csms", "frame": []}]}))[
        0
    ] == 422
    status, atlas = await ask(gateway, "GET", "/api/v1/translate/ocpp1.5/ocpp2.0.1")
    assert status == 200 and [(each["charger"], each["csms"]) for each in atlas["steps"]] == [
        ("1.5", "1.6"),
        ("1.6", "2.0.1"),
    ]
    fates = {each["action"]: each for each in atlas["steps"][1]["messages"] if each["source"] == "charger"}
    assert fates["StartTransaction"]["sends"] == ["TransactionEvent"]
    page = (Path(__file__).parents[2] / "docs" / "translation" / "1.6-2.0.1.md").read_text()
    for member in fates["StatusNotification"]["members"]:
        assert f"`{member['path']}`" in page and set(member["losses"]) <= atlas["kinds"].keys()
    assert (await ask(gateway, "GET", "/api/v1/translate/ocpp1.6/ocpp1.6"))[1]["steps"] == []
    assert (await ask(gateway, "GET", "/api/v1/translate/ocpp1.6/ocpp3"))[0] == 404
    status, document = await ask(gateway, "GET", "/api/v1/openapi.json")
    assert (status, document["openapi"]) == (200, "3.1.0")
    assert document["paths"]["/api/v1/chargers/{charger}/call"]["post"]["x-scope"] == "operate"
    assert "identity" not in document["components"]["schemas"]["Line"]["properties"]["id"]
    status, checked = await ask(gateway, "GET", "/api/v1/config/check")
    assert (status, checked["ok"], checked["errors"], checked["changed"]) == (200, True, [], [])


async def test_figures_and_the_names_of_a_transaction(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    _, _, gateway = await two(start_csms, start_gateway)
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    status, before = await ask(gateway, "GET", "/api/v1/fleet")
    async with watch(gateway, "chargers/CP1/frames?action=StartTransaction&upstream=main") as watching:
        transaction = await charger.start(1, TAG)
        await until("a begin", lambda: bool(watching.of("frame", leg="csms", kind="call")))
        started = watching.of("frame", leg="csms", kind="call")[0]["frame"][3]

    async def named() -> dict[str, Any]:
        _, detail = await ask(gateway, "GET", "/api/v1/chargers/CP1")
        return {name: each["transactions"] for name, each in detail["upstreams"].items()}

    async def known() -> bool:
        return all(each and each[0]["state"] == "open" for each in (await named()).values())

    await until("both names", known)
    ids = await named()
    (at_main,), (at_old,) = ids["main"], ids["old"]
    assert at_main["charger"] == at_old["charger"] == transaction
    assert at_main["upstream"] == started["transactionInfo"]["transactionId"]
    assert at_old["upstream"] == 41, "the first that this CSMS gives"
    after = before

    async def counted() -> bool:
        nonlocal after
        _, after = await ask(gateway, "GET", "/api/v1/fleet")
        return after["transactions"].get("1.6", 0) == 1

    await until("a count", counted)
    assert status == 200 and after["connected"]["1.6"] == 1
    assert after["processes"] == 1 and after["silent"] == []
    assert after["messages"]["charger in"] > before["messages"]["charger in"] > 0
    assert after["messages"]["csms out"] > before["messages"]["csms out"] > 0
    await charger.stop(transaction)

    async def over() -> bool:
        return not any((await named()).values())

    await until("an end", over)
    status, who = await ask(gateway, "GET", "/api/v1/whoami")
    assert (status, who["name"], who["scope"]) == (200, "local", "admin")
