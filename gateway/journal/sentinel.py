"""Who the primary is, according to the Sentinels."""

from __future__ import annotations

import asyncio

from gateway.journal.address import Address, Place
from gateway.journal.connection import connect
from gateway.journal.errors import StoreDown

WITHIN = 0.5
"""Seconds that one Sentinel has to answer."""


async def primary(address: Address) -> Place:
    """Asks the Sentinels of `address` in their order until one knows. Raises StoreDown with what each of them said."""
    said = []
    for place in address.seeds:
        try:
            found = await _ask(address.sentinel(place), address.service)
        except StoreDown as error:
            said.append(str(error))
            continue
        if found is not None:
            return found
        said.append(f"{place[0]}:{place[1]} does not know {address.service}")
    raise StoreDown("no Sentinel tells the primary: " + "; ".join(said))


async def _ask(sentinel: Address, service: str) -> Place | None:
    connection = await connect(sentinel, "ocpp-gateway-sentinel", within=WITHIN)
    try:
        async with asyncio.timeout(WITHIN):
            reply = await connection.call(("SENTINEL", "GET-MASTER-ADDR-BY-NAME", service))
    except TimeoutError as error:
        raise StoreDown(f"the Sentinel at {sentinel} does not answer") from error
    finally:
        connection.close()
    return None if reply is None else (reply[0].decode(), int(reply[1]))
