"""What the store needs, measured, against the figures that docs/capacity.md plans with. `-s` shows what was measured."""

from __future__ import annotations

import asyncio
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from .charger import Charger16
from .conftest import Connect, StartCsms, StartGateway
from .operator import until
from .redis_server import RedisServer

pytestmark = [pytest.mark.full, pytest.mark.timeout(180)]

PAGE = (Path(__file__).parents[2] / "docs" / "capacity.md").read_text(encoding="utf-8")
FIRST = 100
"""Chargers that are there before anything is weighed: partitions cost something of their own."""
CHARGERS = 200
MESSAGES = 10
"""Of each charger, outside of a transaction."""
TRANSACTIONS = 2
ENTRIES = """
local entries = 0
for number = 0, 63 do entries = entries + redis.call('XLEN', string.format('{p%02d}:in', number)) end
return entries
"""
"""Of the streams of all partitions."""


def planned(row: str) -> float:
    """KiB in the second column of a row."""
    found = re.search(rf"\| {re.escape(row)}[^|]*\| ([0-9.]+) KiB", PAGE)
    assert found is not None, row
    return float(found[1])


class Scale:
    """`used_memory` of a store without what its streams hold for a moment."""

    def __init__(self, store: RedisServer) -> None:
        self._store = store

    async def weigh(self) -> int:
        """Bytes, once no stream has an entry any more, which takes up to ten seconds."""
        await until("end of trimming", self._trimmed, patience=60)
        info = bytes(await self._store.ask("INFO", "memory")).decode()
        return int(re.findall(r"used_memory:(\d+)", info)[0])

    async def _trimmed(self) -> bool:
        return int(await self._store.ask("EVAL", ENTRIES, 0)) == 0


async def each(chargers: list[Charger16], work: Any) -> None:
    for first in range(0, len(chargers), 20):
        await asyncio.gather(*(work(charger) for charger in chargers[first : first + 20]))


async def test_the_store_needs_what_the_page_says(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect, tmp_path: Path
) -> None:
    main, copy = await start_csms("ocpp2.0.1"), await start_csms("ocpp1.6")
    store = RedisServer(tmp_path / "store")
    await store.start()
    try:
        gateway = await start_gateway(
            {"main": main, "copy": copy},
            redis={"url": store.url},
            routes=[{"match": "B*", "primary": "main", "mirrors": ["copy"]}, {"match": "*", "primary": "main"}],
        )
        scale = Scale(store)

        async def arrive(charger: Charger16) -> None:
            await charger.boot()
            await charger.status(1, "Available")

        async def chat(charger: Charger16) -> None:
            for number in range(MESSAGES):
                charger.meter += number
                await charger.meter_values(1)

        async def charge(charger: Charger16) -> None:
            for _ in range(TRANSACTIONS):
                transaction = await charger.start(1, "TAG")
                charger.meter += 100
                await charger.stop(transaction)

        everyone = [await plug_in(Charger16, gateway.url, f"CP{number:03}") for number in range(FIRST)]
        await each(everyone, arrive)
        weights = [await scale.weigh()]
        chargers = [await plug_in(Charger16, gateway.url, f"CQ{number:03}") for number in range(CHARGERS)]
        for work in (arrive, chat, charge):
            await each(chargers, work)
            weights.append(await scale.weigh())
        idle, chatting, charging = ((after - before) / CHARGERS / 1024 for before, after in pairwise(weights))
        key = chatting / MESSAGES
        facts = charging / TRANSACTIONS - 2 * key
        found = {
            "a charger that is connected": idle,
            "a message that may come again": key,
            "facts of a transaction": facts,
        }
        print({row: f"{kib:.2f} KiB" for row, kib in found.items()})
        for row, kib in found.items():
            assert 0 < kib <= 1.25 * planned(f"store: {row}"), f"{row}: {kib:.2f} KiB"
    finally:
        await store.stop()
