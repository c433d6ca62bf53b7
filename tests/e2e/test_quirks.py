"""Quirks through the real gateway: what the CSMS hears, and what is counted."""

from __future__ import annotations

import asyncio
import urllib.request

from .charger import Charger16, Charger201
from .conftest import Connect, StartCsms, StartGateway
from .process import Gateway


async def quirks(gateway: Gateway) -> set[str]:
    """The lines of ocppgw_quirks_total that are not zero."""

    def scrape() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{gateway.admin_port}/metrics", timeout=5) as page:
            return str(page.read().decode())

    lines = (await asyncio.to_thread(scrape)).splitlines()
    return {line.split('quirk="')[1].split('"')[0] for line in lines if line.startswith("ocppgw_quirks_total{")}


async def test_q07_another_version(start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect) -> None:
    csms = await start_csms("ocpp2.0.1")
    gateway = await start_gateway({"main": csms})
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    await charger.close()
    charger = await plug_in(Charger201, gateway.url, "CP1")
    await charger.boot()
    await charger.close()
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.status(1, "Available")
    assert await quirks(gateway) == {"ver_flip", "boot_absent"}
