"""The edge in the store: its lease, without which its chargers count as gone, and its inbox."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Callable
from typing import Final

from gateway.journal.entry import ToCharger
from gateway.journal.errors import StoreDown
from gateway.journal.journal import Journal
from gateway.wheel import Wheel

LEASE_SECONDS: Final = 15.0
"""How long it is there without renewing."""
RENEW_SECONDS: Final = 5.0
BLOCK_MS: Final = 2_000


class Presence:
    """`hold` and `read` in tasks. `on_lost` is told when the lease may have ended; `id` is a new one then."""

    def __init__(
        self, journal: Journal, wheel: Wheel, take: Callable[[ToCharger], None], on_lost: Callable[[], None]
    ) -> None:
        """`take`: given what hubs want done."""
        self.id = _incarnation()
        """Names this incarnation of the edge."""
        self._journal = journal
        self._wheel = wheel
        self._take = take
        self._on_lost = on_lost
        self._leased_at = 0.0

    def begin(self) -> None:
        """Nobody knows this edge yet: there is nothing to lose for the time of a lease."""
        self._leased_at = self._wheel.loop.time()

    async def renew(self) -> None:
        """Raises StoreDown."""
        before = self._wheel.loop.time()
        await self._journal.edge_alive(self.id)
        self._leased_at = before

    async def hold(self) -> None:
        """Renew the lease, until cancelled."""
        while True:
            await asyncio.sleep(RENEW_SECONDS if self._journal.healthy else 0.5)
            # A pause of the whole process shows here first: the lease may have ended while nothing ran.
            if self._wheel.loop.time() - self._leased_at > LEASE_SECONDS:
                self.lose()
            try:
                # Not wait_for: that of Python 3.11 may swallow a cancellation, and the drain would wait for this task for ever.
                async with asyncio.timeout(RENEW_SECONDS):
                    await self.renew()
            except (StoreDown, TimeoutError):
                continue

    def lose(self) -> None:
        """Hubs count this edge's chargers as gone."""
        self.id = _incarnation()
        self.begin()
        self._on_lost()

    async def read(self) -> None:
        """Take what comes to the inbox, until cancelled."""
        edge, after = self.id, "0"
        while True:
            if edge != self.id:
                edge, after = self.id, "0"
            try:
                items = await self._journal.read_inbox(edge, after, BLOCK_MS)
            except StoreDown:
                await asyncio.sleep(0.2)
                continue
            for after, item in items:  # noqa: B007  the next read starts after the last one
                self._take(item)


def _incarnation() -> str:
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
