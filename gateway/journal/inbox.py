"""What hubs want edges to do: one stream per edge incarnation, read in order, forgotten once read."""

from __future__ import annotations

import asyncio

import msgspec

from gateway.journal import keys
from gateway.journal.entry import ToCharger
from gateway.journal.store import Store

INBOX_TTL = 60
"""Seconds after which the inbox of a dead edge disappears; a living one renews it."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ToCharger).decode


class Inbox:
    """Part of Journal."""

    _store: Store

    def deliver(self, edge: str, items: list[ToCharger]) -> asyncio.Future[None]:
        """Hands items to an edge, in order; dropped if the edge lives no more. Raises StoreDown in the future."""
        made = (keys.edge(edge), keys.inbox(edge))
        return self._store.run("deliver", made, INBOX_TTL, *map(_encode, items), convert=_nothing)

    async def read_inbox(self, edge: str, after: str, block_ms: int) -> list[tuple[str, ToCharger]]:
        """Items after the id `after` ("0" at first), waiting up to `block_ms` (> 0); forgets everything up to `after`.

        Gives (id, item) in order, at most 1000. Raises StoreDown.
        """
        inbox = keys.inbox(edge)
        if after != "0":
            self._store.call("XTRIM", inbox, "MINID", "=", following(after))
        args = ("XREAD", "COUNT", 1000, "BLOCK", block_ms, "STREAMS", inbox, after)
        reply = await self._store.block(*args, block_ms=block_ms)
        return [(id.decode(), _decode(fields[1])) for id, fields in reply[0][1]] if reply else []


def following(id: str) -> str:
    """The smallest stream id after `id`."""
    ms, _, seq = id.partition("-")
    return f"{ms}-{int(seq or 0) + 1}"


def _nothing(_: object) -> None:
    return None
