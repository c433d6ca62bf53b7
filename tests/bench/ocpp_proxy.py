"""An OCPP 1.6 proxy made of the `ocpp` package: each CALL is decoded, made again towards the CSMS, and its answer given back.

Usage: `python -m tests.bench.ocpp_proxy UPSTREAM_URL`. Prints `{"port": n}` and serves until standard input is closed.
Validation is switched off on both sides: the package in its cheapest form.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any

import uvloop
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from .csms import SUBPROTOCOLS

ACTIONS = (
    *("Authorize", "BootNotification", "DataTransfer", "Heartbeat", "MeterValues"),
    *("StartTransaction", "StatusNotification", "StopTransaction"),
)


class Relay(ChargePoint):  # type: ignore[misc]
    """One side of a charger's connection."""

    other: Relay

    async def run(self) -> None:
        try:
            await self.start()
        except ConnectionClosed:
            pass


def _handler(action: str) -> Any:
    async def relay(self: Relay, **payload: Any) -> Any:
        return await self.other.call(getattr(call, action)(**payload), skip_schema_validation=True)

    relay.__name__ = relay.__qualname__ = f"relay_{action}"
    return on(action, skip_schema_validation=True)(relay)


class Charger(Relay):
    """The charger's side."""


for _action in ACTIONS:
    setattr(Charger, f"relay_{_action}", _handler(_action))


async def main(upstream: str) -> None:
    async def forward(socket: ServerConnection) -> None:
        assert socket.request is not None
        path = socket.request.path
        async with connect(upstream + path, subprotocols=[SUBPROTOCOLS[1]], compression=None) as above:
            await _both(path.rpartition("/")[2], socket, above)

    async with serve(forward, "127.0.0.1", 0, subprotocols=SUBPROTOCOLS[1:], compression=None, backlog=4096) as server:
        print(f'{{"port":{next(iter(server.sockets)).getsockname()[1]}}}', flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


async def _both(identity: str, below: ServerConnection, above: ClientConnection) -> None:
    charger, csms = Charger(identity, below), Relay(identity, above)
    charger.other, csms.other = csms, charger
    await asyncio.gather(charger.run(), csms.run())


if __name__ == "__main__":
    logging.getLogger("ocpp").setLevel(logging.ERROR)  # it logs each frame at INFO
    uvloop.run(main(sys.argv[1]))
