"""Which CSMS a charger reaches: by its identity, by what it says of itself, by chance that stays the same; in a fleet as well."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from .charger import Charger16
from .conftest import FAILED, Connect, StartCsms, StartGateway
from .csms import Csms
from .operator import ask, primary_of, routes, until
from .process import Gateway
from .redis_server import RedisServer, redis_server

__all__ = ["redis_server"]

TAG = "04A1B2C3"


def settings(csms: Csms) -> dict[str, Any]:
    return {"url": csms.url, "version": csms.version, "reconnect_max": 1}


async def test_patterns(start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect) -> None:
    one, two, three = [await start_csms("ocpp1.6", first_transaction_id=number) for number in (100, 200, 300)]
    gateway = await start_gateway(
        {"one": one, "two": two, "three": three},
        routes=[
            {"match": ["exact|1", "DE-*"], "primary": "one"},
            {"match": r"re:(FR|IT)-\d{2}", "primary": "two"},
            {"match": "*", "primary": "three"},
        ],
    )
    for identity, csms in [("DE-7", one), ("Exact|1", one), ("fr-12", two), ("FR-123", three), ("CP1", three)]:
        charger = await plug_in(Charger16, gateway.url, identity.replace("|", "%7C"))
        await charger.boot()
        assert await charger.start(1, TAG) // 100 == {one: 1, two: 2, three: 3}[csms], identity


async def test_what_it_says_at_its_boot_chooses_the_route(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    """Its first boot is answered by where it went; the CSMS that is meant for its model is told all of it at once."""
    common, special = await start_csms("ocpp1.6"), await start_csms("ocpp1.6", first_transaction_id=1001)
    gateway = await start_gateway(
        {"common": common, "special": special},
        routes=[
            {"when": {"vendor": "acme", "model": "FastBox*", "version": "ocpp1.6"}, "primary": "special"},
            {"when": {"firmware": "9.*"}, "primary": "common"},
            {"match": "*", "primary": "common"},
        ],
    )
    charger = await plug_in(Charger16, gateway.url, "CP1")
    assert await primary_of(gateway, "CP1") == "common"
    await charger.boot()
    assert len(common.station("CP1").recorder.calls("BootNotification")) == 1
    heard = special.station("CP1").recorder
    await heard.until("BootNotification", lambda: bool(heard.calls("BootNotification")))
    await until("the common socket closes", lambda: common.station("CP1").peer is None)
    assert await charger.start(1, TAG) == 1001
    assert charger.recorder.connections == 1
    _, found = await ask(gateway, "GET", "/api/v1/routes/CP1")
    assert found["learned"] == {
        "vendor": "ACME",
        "model": "FastBox 22",
        "firmware": "1.4.2",
        "version": "ocpp1.6",
    }
    _, shown = await routes(gateway, "show", "CP1")
    assert "learned   vendor ACME, model FastBox 22, firmware 1.4.2, version ocpp1.6" in shown
    await gateway.stop()
    await charger.lost()
    await gateway.start()
    await charger.close()
    await charger.connect()
    await charger.stop(1001)
    assert [x.payload["transactionId"] for x in heard.calls("StopTransaction")] == [1001], "it is known from the start"


async def test_a_canary_of_the_file(start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect) -> None:
    old, new = await start_csms("ocpp1.6"), await start_csms("ocpp1.6", first_transaction_id=1001)
    gateway = await start_gateway(
        {"old": old, "new": new},
        routes=[{"primary": "old", "mirrors": ["new"], "canary": {"upstream": "new", "percent": 50}}],
    )
    identities = [f"CP{number}" for number in range(8)]
    primaries = {identity: await primary_of(gateway, identity) for identity in identities}
    assert set(primaries.values()) == {"old", "new"}
    for identity in identities:
        charger = await plug_in(Charger16, gateway.url, identity)
        await charger.boot()
        assert (await charger.start(1, TAG) >= 1001) is (primaries[identity] == "new")
    _, listed = await routes(gateway, "list")
    assert listed.strip() == "route     match *; primary old; mirrors new; 50 % at new"


@pytest.fixture
async def fleet(
    tmp_path: Path, start_csms: StartCsms, redis_server: RedisServer, request: pytest.FixtureRequest
) -> AsyncIterator[tuple[list[Gateway], Csms, Csms]]:
    """Two edges and two hubs on one store, between two CSMSs `old` and `new`."""
    await redis_server.start()
    old, new = await start_csms("ocpp1.6"), await start_csms("ocpp2.0.1")
    config = {
        "redis": {"url": redis_server.url, "partitions": 8},
        "upstreams": {"old": settings(old), "new": settings(new)},
        "routes": [{"match": "*", "primary": "old"}],
    }
    processes = []
    for number, role in enumerate(("hub", "hub", "edge", "edge")):
        process = Gateway(tmp_path / f"{role}{number}", config)
        processes.append(process)
        await process.start(arguments=("--role", role))
    yield processes, old, new
    await asyncio.gather(*(process.stop() for process in processes))
    if request.node.stash.get(FAILED, False):
        for process in processes:
            print(f"--- {process.directory.name} ---\n{process.tail(100)}")


@pytest.mark.full
async def test_the_whole_fleet_switches_within_two_seconds(
    fleet: tuple[list[Gateway], Csms, Csms], plug_in: Connect
) -> None:
    processes, old, new = fleet
    chargers = {
        f"CP{number}": await plug_in(Charger16, processes[2 + number % 2].url, f"CP{number}") for number in range(8)
    }
    began = {}
    for identity, charger in chargers.items():
        await charger.boot()
        began[identity] = await charger.start(1, TAG)
    code, output = await routes(processes[2], "switch", "--match", "*", "--primary", "new")
    assert code == 0, output
    at = time.monotonic()
    for process in processes:

        async def learned(process: Gateway = process) -> bool:
            return await primary_of(process, "CP1") == "new"

        await until("every process knows", learned)
    assert time.monotonic() - at < 2
    new.verdict = lambda action, _token: "Blocked" if action == "Authorize" else "Accepted"
    for charger in chargers.values():

        async def answered(charger: Charger16 = charger) -> bool:
            return await charger.authorize("X") == "Blocked"

        await until("the new primary answers", answered)
    assert time.monotonic() - at < 4
    for identity, charger in chargers.items():
        charger.meter += 500
        await charger.stop(began[identity], tag=TAG)
        for csms, action in ((old, "StopTransaction"), (new, "TransactionEvent")):
            heard = csms.station(identity).recorder
            await heard.until("the end", lambda heard=heard, action=action: _over(heard.calls(action)))  # type: ignore[misc]
        assert charger.recorder.connections == 1


def _over(calls: list[Any]) -> bool:
    return any(x.payload.get("eventType", "Ended") == "Ended" and x.answer is not None for x in calls)
