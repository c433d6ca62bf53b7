"""Mirrors that come late or stay away too long: what they are told, what they miss, and who hears of that."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from ocpp.v16 import call as call16

from .charger import Charger16
from .conftest import Connect, StartCsms, StartGateway
from .csms import Csms
from .operator import ask, metric, until, write

pytestmark = [pytest.mark.full, pytest.mark.timeout(120)]

TAG = "04A1B2C3"


def settings(csms: Csms, **more: Any) -> dict[str, Any]:
    return {"url": csms.url, "version": csms.version, "reconnect_max": 1, **more}


async def charge(charger: Charger16, readings: int) -> None:
    transaction = await charger.start(1, TAG)
    for _ in range(readings):
        charger.meter += 100
        await charger.meter_values(1, transaction)
    await charger.stop(transaction, tag=TAG)


def actions(csms: Csms) -> list[str]:
    return [x.action for x in csms.station("CP1").recorder.calls()]


@pytest.mark.parametrize("replay_from", ["7d", "tail"])
async def test_one_that_is_added_later_begins_where_it_is_told(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect, tmp_path: Path, replay_from: str
) -> None:
    """Everybody has been told what is replayed, long ago."""
    main, late = await start_csms("ocpp1.6"), await start_csms("ocpp2.0.1")
    gateway = await start_gateway(
        {"main": settings(main)},
        routes=[{"primary": "main"}],
        redis={"keep": "10m", "data_dir": str(tmp_path / "kept")},
    )
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    await charger.status(1, "Available")
    await charge(charger, 2)
    await asyncio.sleep(11)  # it is trimmed every 10 s
    gateway.config["upstreams"]["late"] = settings(late, replay_from=replay_from)
    gateway.config["routes"] = [{"primary": "main", "mirrors": ["late"]}]
    write(gateway)
    await until("it is there", lambda: late.station("CP1").peer is not None)
    await charge(charger, 1)

    def told() -> list[str]:
        return [x.payload["eventType"] for x in late.station("CP1").recorder.calls("TransactionEvent")]

    second = ["Started", "Updated", "Ended"]
    first = ["Started", "Updated", "Updated", "Ended"] if replay_from == "7d" else []
    await until("all is told", lambda: told()[-1:] == ["Ended"] and told().count("Ended") == 1 + bool(first))
    assert told() == first + second
    assert actions(late)[0] == "BootNotification"
    assert actions(main).count("StopTransaction") == 2


async def test_what_waits_longer_than_its_retention_is_dropped_counted_and_told(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    main, copy = await start_csms("ocpp1.6"), await start_csms("ocpp1.6")
    gateway = await start_gateway(
        {"main": settings(main), "copy": settings(copy, retention=5)}, routes=[{"primary": "main", "mirrors": ["copy"]}]
    )
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    await until("the copy has it", lambda: "BootNotification" in actions(copy))
    await copy.stop()
    await charge(charger, 3)
    assert actions(main).count("MeterValues") == 3

    async def dropped() -> bool:
        labels = '{class="meter",reason="retention",upstream="copy"}'
        return await metric(gateway, f"ocppgw_messages_dropped_total{labels}") == 3

    async with asyncio.timeout(60):
        while not await dropped():  # noqa: ASYNC110
            await asyncio.sleep(0.5)
    assert await metric(gateway, 'ocppgw_dead_letters_total{reason="retention",upstream="copy"}') == 2
    told = [json.loads(line) for line in gateway.tail(1000).splitlines() if '"retention_drop"' in line]
    assert told and all(each["level"] in ("warning", "error") and each["upstream"] == "copy" for each in told)
    _, letters = await ask(gateway, "GET", "/api/v1/dead-letters/copy")
    assert sorted(each["action"] for each in letters["dead_letters"]) == ["StartTransaction", "StopTransaction"]
    await copy.start()
    await charge(charger, 1)
    await until("it goes on", lambda: actions(copy).count("StopTransaction") == 1)
    assert actions(copy).count("MeterValues") == 1
    assert (await main.station("CP1").call(call16.ClearCache())).status == "Accepted"
