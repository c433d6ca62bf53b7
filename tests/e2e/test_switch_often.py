"""Chargers charge while an operator switches their primary back and forth: the books of both CSMSs say the same in the end."""

from __future__ import annotations

import asyncio
import contextlib
import random
from decimal import Decimal

import pytest

from .charger import Charger16
from .charges import charges_16, charges_201
from .conftest import Connect, StartCsms, StartGateway
from .csms import Csms
from .operator import ask, until

TAG = "04A1B2C3"
CHARGERS = 5
SESSIONS = 6


def books(csms: Csms, identity: str) -> list[Decimal | None]:
    heard = csms.station(identity).recorder
    return [each.energy for each in (charges_16(heard) if csms.version == "ocpp1.6" else charges_201(heard))]


async def charge(charger: Charger16, chance: random.Random) -> list[Decimal]:
    """Sessions one after the other; gives their energies."""
    energies = []
    for number in range(SESSIONS):
        connector = 1 + number % 2
        begin = charger.meter
        transaction = await charger.start(connector, TAG, f"2026-11-22T10:{number:02}:00.000Z")
        for _ in range(chance.randrange(3)):
            await asyncio.sleep(chance.uniform(0, 0.15))
            charger.meter += chance.randrange(1, 500)
            await charger.meter_values(connector, transaction)
        await asyncio.sleep(chance.uniform(0, 0.15))
        charger.meter += 100
        await charger.stop(transaction, tag=TAG)
        energies.append(Decimal(charger.meter - begin))
    return energies


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3, 4))])
@pytest.mark.parametrize("version", ["ocpp1.6", "ocpp2.0.1"])
async def test_books_are_the_same(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect, version: str, seed: int
) -> None:
    old, new = await start_csms("ocpp1.6"), await start_csms(version, first_transaction_id=40)
    gateway = await start_gateway(
        {
            "old": {"url": old.url, "version": old.version, "reconnect_max": 1},
            "new": {"url": new.url, "version": new.version, "reconnect_max": 1},
        },
        routes=[{"primary": "old", "mirrors": ["new"] if seed % 2 else [], "primary_down": "buffer"}],
    )
    chance = random.Random(seed)
    chargers = [await plug_in(Charger16, gateway.url, f"CP{number}") for number in range(CHARGERS)]
    for charger in chargers:
        await charger.boot()

    async def switching() -> None:
        primary = "old"
        while True:
            await asyncio.sleep(chance.uniform(0.05, 0.3))
            primary = "new" if primary == "old" else "old"
            body = {"match": "*", "primary": primary}
            status, found = await ask(gateway, "POST", "/api/v1/routes/switch", body)
            assert status == 200, found

    first = {"match": "*", "primary": "new"}  # from here on both are upstreams of every charger
    assert (await ask(gateway, "POST", "/api/v1/routes/switch", first))[0] == 200
    for charger in chargers:
        heard = new.station(charger.identity).recorder
        await heard.until("BootNotification", lambda heard=heard: bool(heard.calls("BootNotification")))  # type: ignore[misc]
    operator = asyncio.create_task(switching())
    try:
        energies = await asyncio.gather(
            *(charge(charger, random.Random(f"{seed} {charger.identity}")) for charger in chargers)
        )
    finally:
        operator.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await operator
    for charger, expected in zip(chargers, energies, strict=True):
        for csms in (old, new):
            await until(
                f"{charger.identity}: {expected} at {csms.version}, but {books(csms, charger.identity)}",
                lambda csms=csms, charger=charger, expected=expected: books(csms, charger.identity) == expected,  # type: ignore[misc]
                10,
            )
        assert charger.recorder.connections == 1
