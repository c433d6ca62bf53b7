"""What the processes of a fleet say to each other for their operators: one mailbox per process, forgotten once read.

Nothing that chargers or CSMSs rely on goes this way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from gateway.journal import keys
from gateway.journal.inbox import INBOX_TTL, following
from gateway.journal.leases import LEASE_TTL
from gateway.journal.store import Store

MOST = 2000
"""Messages that wait in one mailbox."""


class Mail:
    """Part of Journal. Every method raises StoreDown."""

    _store: Store
    _list: Callable[[str, str, Awaitable[Any]], Awaitable[None]]
    _living: Callable[[str, Callable[[str], str]], Awaitable[set[str]]]

    async def process_alive(self, name: str) -> None:
        """Takes or renews the lease of a process, and of its mailbox."""
        lease = self._store.run("alive", (keys.process(name), keys.mailbox(name)), LEASE_TTL, INBOX_TTL)
        await self._list(keys.PROCESSES, name, lease)

    async def process_gone(self, name: str) -> None:
        """It has ended."""
        ended = [self._store.call("DEL", keys.process(name)), self._store.call("DEL", keys.mailbox(name))]
        await self._store.call("SREM", keys.PROCESSES, name)
        await asyncio.gather(*ended)

    async def processes(self) -> set[str]:
        """The processes that live."""
        return await self._living(keys.PROCESSES, keys.process)

    def post(self, name: str, messages: list[bytes], most: int = MOST) -> asyncio.Future[int]:
        """Puts messages into the mailbox of a process, in order, as long as fewer than `most` wait there; the future gives how
        many were put, -1 when the process is gone. Raises StoreDown in the future."""
        return self._store.run("post", (keys.process(name), keys.mailbox(name)), INBOX_TTL, most, *messages)

    async def read_mail(self, name: str, after: str, block_ms: int) -> list[tuple[str, bytes]]:
        """Messages after the id `after` ("0" at first), waiting up to `block_ms` (> 0); forgets everything up to `after`."""
        mailbox = keys.mailbox(name)
        if after != "0":
            self._store.call("XTRIM", mailbox, "MINID", "=", following(after))
        args = ("XREAD", "COUNT", 500, "BLOCK", block_ms, "STREAMS", mailbox, after)
        reply = await self._store.block(*args, block_ms=block_ms)
        return [(id.decode(), fields[1]) for id, fields in reply[0][1]] if reply else []
