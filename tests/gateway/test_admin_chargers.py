"""/api/v1/chargers over a real socket and a real store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from msgspec.structs import replace

from gateway import passwords
from gateway.admin.api import AdminApi
from gateway.admin.chargers import Chargers
from gateway.admin.directory import Directory
from gateway.config import Config, RedisConfig, RegistryConfig, RouteConfig
from gateway.fleet import Fleet
from gateway.hub.operations import KNOWN, known
from gateway.hub.shared import FIELD, Shared, encode
from gateway.journal import Commit, Journal
from gateway.journal.entry import Head
from gateway.live import Live
from gateway.metrics import Metrics
from gateway.registry import Registry
from tests.gateway.journal.conftest import now_ms

CONFIG = Config(registry=RegistryConfig(source="redis"), routes=(RouteConfig(primary="main", name="special"),))


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    journal = Journal(RedisConfig(data_dir=str(tmp_path)), now_ms=now_ms)
    await journal.start()
    yield journal
    await journal.stop()


def chargers(journal: Journal, config: Config) -> Chargers:
    registry = Registry()
    live = Live(config, journal, Metrics(), registry=registry)
    return Chargers(journal, config, Directory(journal, live, registry, known, KNOWN), Fleet(journal))


@pytest.fixture
async def client(journal: Journal) -> AsyncIterator[aiohttp.ClientSession]:
    api = AdminApi("127.0.0.1", 0, metrics=Metrics(), checks=dict, parts=[chargers(journal, CONFIG)])
    await api.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{api.port}/api/v1/") as client:
        yield client
    await api.stop()


async def test_a_charger_comes_and_goes(client: aiohttp.ClientSession, journal: Journal) -> None:
    made = await client.put("chargers/CP%201", json={"password": "s3cret", "group": "north", "versions": ["ocpp1.6"]})
    shown = {
        "id": "CP 1",
        "password": True,
        "serial": "",
        "group": "north",
        "route": "",
        "versions": ["ocpp1.6"],
        "blocked": False,
        "strict": False,
        "quirks": "",
    }
    assert (made.status, await made.json()) == (201, shown)
    changed = await client.put("chargers/cp%201", json={"blocked": True})
    assert (changed.status, await changed.json()) == (200, shown | {"blocked": True})
    detail = await (await client.get("chargers/CP%201")).json()
    assert (detail["registration"], detail["connected"], detail["hub"]) == (shown | {"blocked": True}, False, "")
    page = await (await client.get("chargers?group=north")).json()
    assert [each["registration"] for each in page["chargers"]] == [shown | {"blocked": True}]
    assert (page["total"], page["connected"], page["next"]) == (1, 0, "")
    assert (await (await client.get("chargers?state=blocked&q=p%201")).json())["total"] == 1
    assert (await (await client.get("chargers?cursor=cp%201")).json())["chargers"] == []
    assert (await (await client.get("chargers?group=south")).json())["chargers"] == []
    stored = (await journal.registered(["CP 1"]))["cp 1"]
    assert stored is not None and passwords.matches(stored.password, b"s3cret")
    assert (await client.delete("chargers/CP%201")).status == 204
    assert (await client.get("chargers/CP%201")).status == (await client.delete("chargers/CP%201")).status == 404


async def test_an_absent_charger_is_called_as_it_spells_itself(client: aiohttp.ClientSession, journal: Journal) -> None:
    await client.put("chargers/Registered", json={})
    for id in ("Learned", "rEGISTERED", "Silent"):
        head = Head(id, 0, 1, "ocpp1.6", "edge-1", now_ms())
        epoch, _ = await journal.connect(head)
        await journal.close_charger(replace(head, epoch=epoch))
    number = journal.partition("Learned")
    token = await journal.acquire(number, "hub-1")
    assert token is not None
    await journal.commit(number, token, Commit(facts={("Learned", FIELD): encode(Shared(id="Learned"))}))
    page = await (await client.get("chargers")).json()
    assert [each["id"] for each in page["chargers"]] == ["Learned", "Registered", "silent"]
    assert (await (await client.get("chargers/LEARNED")).json())["id"] == "Learned"


async def test_the_list_in_order(client: aiohttp.ClientSession) -> None:
    for id in ("b", "A", "c"):
        assert (await client.put(f"chargers/{id}", json={})).status == 201

    async def ids(query: str) -> list[str]:
        return [each["id"] for each in (await (await client.get(f"chargers?{query}")).json())["chargers"]]

    assert await ids("") == await ids("sort=id") == await ids("sort=model") == ["A", "b", "c"]
    first = await (await client.get("chargers?sort=-id&limit=2")).json()
    assert [each["id"] for each in first["chargers"]] == ["c", "b"] and first["total"] == 3
    assert await ids(f"sort=-id&cursor={first['next']}") == ["A"]
    refused = await client.get("chargers?sort=colour")
    assert refused.status == 400 and "sort: id, state" in (await refused.json())["errors"][0]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"colour": "red"}, 400),
        ({"versions": ["ocpp9"]}, 400),
        ([], 400),
        ({"route": "none"}, 422),
        ({"quirks": "none"}, 422),
        ({"password_hash": "x"}, 400),
    ],
)
async def test_what_is_wrong_is_told(body: object, status: int, client: aiohttp.ClientSession) -> None:
    answer = await client.put("chargers/CP1", json=body)
    assert answer.status == status
    assert len((await answer.json())["errors"]) == 1


async def test_a_registry_that_is_elsewhere(journal: Journal) -> None:
    api = AdminApi("127.0.0.1", 0, metrics=Metrics(), checks=dict, parts=[chargers(journal, Config())])
    await api.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{api.port}/api/v1/") as client:
        assert (await client.put("chargers/CP1", json={})).status == 409
        assert (await client.delete("chargers/CP1")).status == 409
    await api.stop()
