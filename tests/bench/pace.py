"""Other ways in which the chargers of a load generator speak: a number of messages, or a steady conversation."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .load import Charger, Load

FILL_S = 60.0
"""What has not been sent by then is not sent."""
AGAIN_S = 2.0
"""Before a charger that was refused tries again."""
NOTED_S = 1.0
"""Shorter waits for an answer are no outage."""


async def fill(load: Load, count: int) -> dict[str, Any]:
    """Sends `count` MeterValues, each charger as soon as it is answered; returns after the last answer."""
    load.errors, load.lost, load.closed = {}, 0, True
    left, done = count, asyncio.Event()
    began = last = time.perf_counter()

    def go_on(charger: Charger, now: float) -> None:
        nonlocal left, last
        last = now
        if left:
            left -= 1
            charger.meter_values(now)
        else:
            done.set()

    load.repeat = go_on
    for charger in load.chargers:
        go_on(charger, began)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(done.wait(), FILL_S)
    sent, left = count - left, 0
    silent = await load.settle()
    load.closed = False
    found = {"sent": sent, "seconds": last - began}
    return {**found, "errors": load.errors, "lost": load.lost, "silent": silent}


class Watch:
    """Each charger sends a MeterValues `pause` seconds after it was answered, until the process ends."""

    def __init__(self, load: Load, pause: float) -> None:
        self._load = load
        self._loop = asyncio.get_running_loop()
        self._pause = pause
        self._answered: list[tuple[float, float]] = []
        """Of each round trip the times of the CALL and of its answer."""
        self._came_back = 0
        load.errors, load.lost, load.closed, load.repeat = {}, 0, True, self._next
        for at, charger in enumerate(load.chargers):
            self._loop.call_later(pause * at / len(load.chargers), self._send, charger)

    def _send(self, charger: Charger) -> None:
        if not charger.transport.is_closing():
            charger.meter_values(time.perf_counter())

    async def churn(self, url: str, rate: float) -> None:
        """So many chargers a second lose their connection and come back."""
        load, turn, coming = self._load, 0, set()
        while True:
            await asyncio.sleep(1 / rate)
            turn = (turn + 1) % len(load.chargers)
            gone = load.chargers[turn]
            gone.expect = b""
            gone.transport.abort()
            task = asyncio.create_task(self._again(url, gone, turn))
            coming.add(task)
            task.add_done_callback(coming.discard)

    async def _again(self, url: str, gone: Charger, at: int) -> None:
        load = self._load
        while True:
            try:
                charger = await load.open(url, gone.identity.decode())
                charger.transaction, charger.count, charger.millis = gone.transaction, gone.count, gone.millis
                await charger.boot(transactions=True)
                break
            except (OSError, RuntimeError, TimeoutError) as error:  # e.g. its old connection is still held to be there
                text = str(error).replace(gone.identity.decode(), "charger") or repr(error)
                load.errors[text] = load.errors.get(text, 0) + 1
                await asyncio.sleep(AGAIN_S)
        self._came_back += 1
        load.chargers[at] = charger
        self._loop.call_later(self._pause, self._send, charger)

    def _next(self, charger: Charger, now: float) -> None:
        self._answered.append((charger.sent, now))
        self._loop.call_later(self._pause, self._send, charger)

    def seen(self, since: float) -> dict[str, Any]:
        """What has happened since a time of `perf_counter`, in s: `waits` are those of the round trips that were long."""
        now = time.perf_counter()
        later = [(sent, at) for sent, at in self._answered if at >= since]
        late = [(sent, at) for sent, at in later if at - sent > NOTED_S]
        return {
            "answered": len(self._answered),
            "came_back": self._came_back,
            "waiting": sum(bool(c.expect) and now - c.sent > NOTED_S for c in self._load.chargers),
            "waits": [at - sent for sent, at in late],
            "back": max((at - since for _, at in late), default=0.0),
            "errors": self._load.errors,
            "lost": self._load.lost,
        }
