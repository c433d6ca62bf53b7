"""Every action of an operator is kept: who, what, what was before and is after, without secrets (reliability 2.8)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from gateway.admin.api import AdminApi
from gateway.admin.auditing import Auditing
from gateway.admin.importing import MOST, Importing
from gateway.admin.table import CHANGE
from gateway.journal import Journal
from gateway.journal.audit import Deed
from gateway.metrics import Metrics
from tests.gateway.test_admin_chargers import CONFIG, chargers, journal
from tests.gateway.test_cli_store import Store, run

__all__ = ["journal"]

CANARY = "CANARY-secret-16"


@pytest.fixture
async def deeds(journal: Journal) -> list[Deed]:
    return []


@pytest.fixture
async def client(journal: Journal, deeds: list[Deed]) -> AsyncIterator[aiohttp.ClientSession]:
    def noted(who: str, request: web.Request, status: int) -> None:
        deeds.append(Deed(who, request.method, request.path, status, change=request[CHANGE]))

    parts = [chargers(journal, CONFIG), Importing(journal, CONFIG, lambda: None), Auditing(journal)]
    api = AdminApi("127.0.0.1", 0, metrics=Metrics(), checks=dict, parts=parts, noted=noted)
    await api.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{api.port}/api/v1/") as client:
        yield client
    await api.stop()


async def test_what_changed_is_kept(client: aiohttp.ClientSession, journal: Journal, deeds: list[Deed]) -> None:
    await client.put("chargers/CP1", json={"password": CANARY, "group": "north"})
    await client.put("chargers/CP1", json={"group": "south"})
    await client.delete("chargers/CP1")
    await client.get("chargers")
    north, south = {"id": "CP1", "password": True, "group": "north"}, {"id": "CP1", "password": True, "group": "south"}
    assert [(each.who, each.method, each.status) for each in deeds] == [
        ("local", "PUT", 201), ("local", "PUT", 200), ("local", "DELETE", 204)
    ]  # fmt: skip
    assert deeds[0].change == {"before": None, "after": north, "asked": {"password": "***(<=16)", "group": "north"}}
    assert deeds[1].change == {"before": north, "after": south, "asked": {"group": "south"}}
    assert deeds[2].change == {"before": south, "after": None}
    for each in deeds:
        await journal.note(each)
    async with client.get("audit") as response:
        shown: list[dict[str, Any]] = (await response.json())["deeds"]
    assert [each["change"] for each in shown] == [each.change for each in reversed(deeds)]
    assert CANARY not in json.dumps(shown)


async def test_an_import_is_whole_or_nothing(
    client: aiohttp.ClientSession, journal: Journal, deeds: list[Deed]
) -> None:
    rows = [{"id": "CP1", "password": CANARY, "group": "a"}, {"id": "CP2", "serial": "S"}]
    answer = await client.post("chargers", json={"chargers": rows})
    assert (answer.status, await answer.json()) == (200, {"created": 2, "changed": 0})
    first = (await journal.registered(["cp1"]))["cp1"]
    answer = await client.post("chargers", json={"chargers": [{"id": "cp1", "group": "b"}, {"id": "CP3"}]})
    assert await answer.json() == {"created": 1, "changed": 1}
    second = (await journal.registered(["cp1"]))["cp1"]
    assert first is not None and second is not None
    assert second.group == "b" and second.password == first.password, "a password that is not given stays"
    bad = [
        {"id": "CP8"},
        {"id": "a/b"},
        {"id": "CP9", "route": "none"},
        {"id": "cp8"},
        {"id": "CP7", "what": 1},
        {"id": "CP6", "quirks": "none"},
    ]
    answer = await client.post("chargers", json={"chargers": bad})
    assert answer.status == 422 and [each.split(":")[0] for each in (await answer.json())["errors"]] == [
        "chargers[1]", "chargers[2]", "chargers[3]", "chargers[4]", "chargers[5]"
    ]  # fmt: skip
    assert (await journal.registered(["CP8"]))["cp8"] is None
    assert (await client.put("chargers/CP8", json={"id": "CP9"})).status == 400
    assert (await client.post("chargers", json={"chargers": [{"id": f"C{n}"} for n in range(MOST + 1)]})).status == 422
    assert CANARY not in repr(deeds)


async def test_commands_that_go_to_the_store_are_kept_too(tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_text(
        'upstreams:\n  main: {url: "ws://127.0.0.1:1/", version: ocpp1.6}\nredis: {data_dir: store}\nregistry: {source: redis}\n'
    )
    async with Store(tmp_path) as journal:
        added = run("chargers", "add", "CP1", "--password", cwd=tmp_path, answer=CANARY + "\n")
        assert (added.returncode, added.stdout, added.stderr) == (0, "CP1 is registered\n", "")
        (deed,) = await journal.deeds(10)
    assert deed.who.startswith("cli:") and (deed.method, deed.path) == ("CLI", "chargers add CP1")
    assert CANARY not in repr(deed)
