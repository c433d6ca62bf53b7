"""What time it is: by this machine's clock, or by the store's when the two are far apart (reliability 5.7).

All processes write times into the store and compare them with those of others; chargers set their clocks by what they are told.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final, Protocol

import structlog

from gateway.journal.errors import StoreDown

log = structlog.get_logger(__name__)

SUSPECT_SECONDS: Final = 2.0
"""A clock that is further than this from the store's is not believed any more, until it is half as far."""
LOOK_SECONDS: Final = 5.0
SLOW_SECONDS: Final = 1.0
"""A store that takes longer to answer says too little about the time."""

_ahead_ms = 0
"""What has to be taken off this machine's clock; 0 while it is believed."""


def now_ms() -> int:
    """Wall clock, milliseconds since 1970."""
    return time.time_ns() // 1_000_000 - _ahead_ms


class Timed(Protocol):
    async def clock(self) -> int: ...


class Clock:
    """Compares this machine's clock with the store's."""

    def __init__(self, store: Timed) -> None:
        self._store = store
        self.ahead = 0.0
        """Seconds by which this machine's clock was ahead of the store's when it was looked last."""
        self.suspect = False

    async def watch(self) -> None:
        """Compare again and again, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Compare once, if the store answers."""
        global _ahead_ms
        begun, asked = time.time_ns() / 1e9, time.monotonic()
        try:
            theirs = await self._store.clock() / 1000
        except StoreDown:
            return
        took = time.monotonic() - asked
        if took > SLOW_SECONDS:
            return
        self.ahead = begun + took / 2 - theirs
        far = abs(self.ahead) > SUSPECT_SECONDS / (2 if self.suspect else 1)
        if far and not self.suspect:
            log.error("clock_suspect", ahead_seconds=round(self.ahead, 3), instead="the store's clock counts")
        elif self.suspect and not far:
            log.warning("clock_good", ahead_seconds=round(self.ahead, 3))
        self.suspect = far
        _ahead_ms = round(self.ahead * 1000) if far else 0
