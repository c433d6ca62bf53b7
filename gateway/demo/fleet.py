"""Peers to play with, for deploy/compose.yaml: `python -m gateway.demo.fleet csms` and `... chargers`. Until SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import signal

from ocpp.exceptions import OCPPError
from websockets.exceptions import WebSocketException

from gateway.demo.charger import Charger
from gateway.demo.csms import Csms
from gateway.demo.tap import Seen

AGAIN = (5.0, 30.0)
"""Seconds after which a charger that lost its connection comes back."""


def _nothing(_: Seen) -> None:
    pass


async def csms(host: str, port: int) -> None:
    """A 2.0.1 CSMS that accepts everything."""
    server = Csms(_nothing, host, port)
    await server.start()
    print(f"CSMS for ocpp2.0.1 on ws://{host}:{server.port}", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        await server.stop()


async def chargers(url: str, count: int, pace: float) -> None:
    """1.6 chargers that charge and rest. `pace` is the seconds between two of their messages."""
    async with asyncio.TaskGroup() as tasks:
        for number in range(1, count + 1):
            tasks.create_task(_charger(Charger(url, f"DEMO-{number:03}", _nothing), pace))


async def _charger(charger: Charger, pace: float) -> None:
    while True:
        try:
            await asyncio.sleep(random.random() * pace)
            await charger.connect()
            print(f"{charger.identity}: {await charger.boot()}", flush=True)
            await _charging(charger, pace)
        except (OSError, TimeoutError, WebSocketException, OCPPError) as error:
            print(f"{charger.identity}: {error or type(error).__name__}", flush=True)
        with contextlib.suppress(OSError, WebSocketException):
            await charger.close()
        await asyncio.sleep(random.uniform(*AGAIN))


async def _charging(charger: Charger, pace: float) -> None:
    """Sessions one after the other; ends by an exception when the connection is lost."""
    while True:
        await charger.status(1, "Available")
        await asyncio.sleep(pace)
        await charger.heartbeat()
        tag = f"TAG-{random.randrange(100)}"
        if await charger.authorize(tag) != "Accepted":
            continue
        await charger.status(1, "Charging")
        await charger.start(tag)
        for sample in range(random.randint(3, 8)):
            await asyncio.sleep(pace)
            charger.register += 500
            await charger.meter_values(power=11.0, soc=20 + 5 * sample)
        await charger.stop("Local", tag)
        await charger.status(1, "Finishing")
        await asyncio.sleep(pace)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m gateway.demo.fleet", description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True)
    server = kinds.add_parser("csms")
    server.add_argument("--host", default="0.0.0.0")
    server.add_argument("--port", type=int, default=9100)
    fleet = kinds.add_parser("chargers")
    fleet.add_argument("--url", required=True, help="ws://host:port/ocpp")
    fleet.add_argument("--count", type=int, default=20)
    fleet.add_argument("--pace", type=float, default=5.0, metavar="SECONDS")
    chosen = parser.parse_args()
    work = csms(chosen.host, chosen.port) if chosen.kind == "csms" else chargers(chosen.url, chosen.count, chosen.pace)

    async def run() -> None:
        task = asyncio.ensure_future(work)
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(run())


if __name__ == "__main__":
    main()
