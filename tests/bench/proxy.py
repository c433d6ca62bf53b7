"""The yardstick: what a bare OCPP proxy on the websockets asyncio API costs, nothing logged, stored or translated.

Usage: `python -m tests.bench.proxy UPSTREAM_URL`. Prints `{"port": n}` and serves until standard input is closed.
"""

from __future__ import annotations

import asyncio
import sys

import uvloop
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from .csms import SUBPROTOCOLS


async def _pump(source: ServerConnection | ClientConnection, sink: ServerConnection | ClientConnection) -> None:
    try:
        async for message in source:
            await sink.send(message)
    except ConnectionClosed:
        pass
    await sink.close()


async def main(upstream: str) -> None:
    async def forward(charger: ServerConnection) -> None:
        assert charger.request is not None
        chosen = [charger.subprotocol] if charger.subprotocol else None
        async with connect(upstream + charger.request.path, subprotocols=chosen, compression=None) as csms:
            await asyncio.gather(_pump(charger, csms), _pump(csms, charger))

    # The default backlog of 100 would measure SYN retransmissions when thousands connect at once.
    async with serve(forward, "127.0.0.1", 0, subprotocols=SUBPROTOCOLS, compression=None, backlog=4096) as server:
        print(f'{{"port":{next(iter(server.sockets)).getsockname()[1]}}}', flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
