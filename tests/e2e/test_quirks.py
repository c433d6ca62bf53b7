"""Quirks through the real gateway: what the CSMS hears, and what is counted."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from .charger import Charger16, Charger201
from .conftest import Connect, StartCsms, StartGateway
from .process import Gateway
from .raw import RawCsms, raw_csms

__all__ = ["raw_csms"]


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


async def ask(socket: ClientConnection, id: str, action: str, payload: Any) -> Any:
    """What a charger is answered."""
    await socket.send(json.dumps([2, id, action, payload]))
    kind, answered, *rest = json.loads(await asyncio.wait_for(socket.recv(), 10))
    assert (kind, answered) == (3, id), rest
    return rest[0]


def odd(vendor: str) -> list[tuple[str, Any]]:
    """Messages that no schema takes."""
    sample = {"timestamp": "2025-03-01T10:00:00Z", "sampledValue": {"value": 604.213, "unit": "wh"}}
    return [
        ("BootNotification", {"chargePointVendor": vendor, "chargePointModel": "M", "iccid": None}),
        ("StatusNotification", {"connectorId": "1", "status": "available", "errorCode": "NoError"}),
        ("MeterValues", {"connectorId": 1, "meterValue": sample}),
    ]


async def test_a_strict_csms_hears_nothing_that_its_schema_refuses(
    start_csms: StartCsms, start_gateway: StartGateway, raw_csms: Any
) -> None:
    csms, raw = await start_csms("ocpp1.6"), await raw_csms("ocpp1.6")
    assert isinstance(raw, RawCsms)
    gateway = await start_gateway(
        {"main": csms, "raw": {"url": raw.url, "version": "ocpp1.6"}},
        routes=[{"match": "OFF*", "primary": "raw", "repair": "off"}, {"match": "*", "primary": "main"}],
    )
    for charger, vendor in (("CP1", "ACME"), ("CP2", "Legrand"), ("OFF1", "ACME")):
        messages = odd(vendor)
        async with connect(f"{gateway.url}/{charger}", subprotocols=["ocpp1.6"], proxy=None) as socket:  # type: ignore[list-item]
            for number, (action, payload) in enumerate(messages):
                await ask(socket, str(number), action, payload)
            if vendor == "Legrand":  # whose profile repairs what `safe` leaves alone
                unknown = {"connectorId": 1, "status": "Faulted", "errorCode": "Error"}
                await ask(socket, "profile", "StatusNotification", unknown)
    assert raw.heard == odd("ACME"), "repair: off"
    assert await quirks(gateway) >= {
        "null_member",
        "type_coerced",
        "enum_case",
        "obj_as_list",
        "num_as_string",
        "enum_unknown",
    }
    assert csms.faults == []
