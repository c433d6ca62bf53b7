"""The demo CSMS by itself, told what to do on standard input. It lives on when that ends."""

from __future__ import annotations

import asyncio
import signal

from websockets.exceptions import ConnectionClosed

from gateway.demo.living import typed
from gateway.simulator.csms import DemoCsms, NoStation
from gateway.simulator.orders import BadOrder, obeyed

PATIENCE = 30.0
"""Seconds for a charger to come that an order is for."""


async def serve(versions: list[str], host: str, port: int, cards: dict[str, str], *, quiet: bool) -> None:
    """Until SIGINT, SIGTERM or `quit`. Raises OSError when it cannot listen."""
    csms = DemoCsms(
        versions,
        host=host,
        port=port,
        cards=cards,
        told=(lambda _: None) if quiet else lambda line: print(line, flush=True),
    )
    await csms.start()
    task = asyncio.current_task()
    assert task is not None
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, task.cancel)
    print(f"CSMS for {', '.join(versions)} at ws://{host}:{csms.port}", flush=True)
    try:
        async for line in typed():
            if line.strip() == "quit":
                break
            print(await answer(csms, line), flush=True)
    except asyncio.CancelledError:
        pass
    finally:
        await csms.stop()


async def answer(csms: DemoCsms, line: str) -> str:
    """What is to be told of an order; one for a charger that is not there waits for it."""
    for _ in range(round(PATIENCE * 5)):
        try:
            return await obeyed(csms, line)
        except NoStation as error:
            told = str(error)
            await asyncio.sleep(0.2)
        except BadOrder as error:
            return str(error)
        except (TimeoutError, ConnectionClosed):
            return "no answer"
    return told
