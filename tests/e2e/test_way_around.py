"""The gateway is taken out of the path, and put back, while transactions run: docs/upgrading.md."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal

import pytest

from .charger import Charger16, Charger201
from .charges import charges_16, charges_201
from .conftest import Connect, StartCsms, StartGateway
from .operator import until
from .plug import Charger
from .process import COMMAND, Gateway

pytestmark = pytest.mark.full

TAG = "04A1B2C3"


async def nothing_waits(gateway: Gateway) -> bool:
    """The second step of the page."""
    arguments = ("upstreams", "list", "--config", str(gateway.file), "--output", "json")
    done = await asyncio.create_subprocess_exec(COMMAND, *arguments, stdout=asyncio.subprocess.PIPE)
    out, _ = await done.communicate()
    main = json.loads(out)["main"]
    return {main[key] for key in ("pending", "parked_bytes", "dead_letters")} == {0}


async def move(charger: Charger, url: str) -> None:
    """The address behind its name changes: it was let go, and its next connection goes there."""
    await charger.lost()
    assert charger.close_code == 1012
    charger.url = f"{url}/{charger.identity}"
    await charger.close()
    await charger.connect()


async def test_a_16_charger_goes_around_and_comes_back(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    """Its transactions keep the numbers of the CSMS: one that began behind the gateway ends without it, and the reverse."""
    csms = await start_csms("ocpp1.6")
    gateway = await start_gateway({"main": csms})
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    transaction = await charger.start(1, TAG)
    charger.meter += 100
    await charger.meter_values(1, transaction)

    async def quiet() -> bool:
        return await nothing_waits(gateway)

    await until("nothing waits", quiet)
    assert await gateway.stop() == 0
    await move(charger, csms.url)
    charger.meter += 300
    await charger.meter_values(1, transaction)
    await charger.stop(transaction, tag=TAG)
    other = await charger.start(1, TAG)
    charger.meter += 50
    await charger.meter_values(1, other)

    await gateway.start()
    await charger.close()
    charger.url = f"{gateway.url}/CP1"
    await charger.connect()
    charger.meter += 150
    await charger.meter_values(1, other)
    await charger.stop(other, tag=TAG)
    first, second = charges_16(csms.station("CP1").recorder)
    assert (first.id, first.energy) == (str(transaction), Decimal(400))
    assert (second.id, second.energy) == (str(other), Decimal(200))
    assert csms.faults == []


async def test_a_201_charger_goes_around_and_comes_back(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms = await start_csms("ocpp2.0.1")
    gateway = await start_gateway({"main": csms})
    charger = await plug_in(Charger201, gateway.url, "CP1")
    await charger.boot()
    transaction = await charger.started(1, {"idToken": TAG, "type": "ISO14443"})
    assert await gateway.stop() == 0
    await move(charger, csms.url)
    charger.meter += 100
    await charger.updated(transaction)
    await gateway.start()
    await charger.close()
    charger.url = f"{gateway.url}/CP1"
    await charger.connect()
    charger.meter += 100
    await charger.ended(transaction)
    [charge] = charges_201(csms.station("CP1").recorder)
    assert (charge.id, charge.kinds, charge.energy) == (transaction, ["Started", "Updated", "Ended"], Decimal(200))
    assert csms.faults == []
