"""Closing many sockets, gently: for a drain, or to make room."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gateway.edge.connection import ChargerConnection
    from gateway.edge.listener import Edge

CLOSING_SECONDS: Final = 5.0
"""For the chargers' part in the closing of the last sockets."""
TICK: Final = 0.05
"""Seconds between two rounds of closing."""


async def drain(edge: Edge, sockets: Collection[ChargerConnection], timeout: float, rate: float) -> None:  # noqa: ASYNC109
    """Close all sockets with 1012 within `timeout` seconds, `rate` per second (or `edge.close_rate`, if that is set); those without
    an open exchange go first, in random order, and those last that are slow to come back. `edge.hurried` ends both restraints."""
    rate = edge.close_rate or rate
    clock = edge.wheel.loop.time
    end, all_told = clock() + timeout, 0.0
    before, left = clock(), 1.0
    while sockets:
        now = clock()
        late = edge.hurried or now >= end
        ready = [wire for wire in sockets if wire.is_open and (late or wire.idle)]
        # What a round takes longer than a tick counts, and so do fractions: `grace.py` promises when the last one is closed.
        step = len(ready) if edge.hurried else rate * (now - before)
        before, allowed = now, step + left
        random.shuffle(ready)
        ready.sort(key=_slow_to_return)  # stable: otherwise in random order
        for wire in ready[: int(allowed)]:
            wire.part("drain", 1012, "service restart")
            allowed -= 1
        left = min(allowed, 1.0)
        if late and not ready:
            for wire in [wire for wire in sockets if not wire.opened]:
                wire.abort()
            all_told = all_told or clock()
            if clock() - all_told > CLOSING_SECONDS:
                break
        await asyncio.sleep(TICK)


def _slow_to_return(wire: ChargerConnection) -> bool:
    """Who is given long silences is also slow to come back, or does not (Q15): its connection ends last."""
    return wire.manners.silence > 0


def make_room(sockets: Collection[ChargerConnection], most: int) -> int:
    """Close up to so many idle sockets with 1013, those that came last first; gives how many."""
    idle = [wire for wire in sockets if wire.is_open and wire.idle]
    idle.sort(key=lambda wire: (_slow_to_return(wire), -wire.since))
    for wire in idle[:most]:
        wire.part("memory", 1013, "short of memory")
    return len(idle[:most])
