"""What operators have said about routes while the gateway runs: one hash that every process of the fleet reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from gateway.routes import Override

if TYPE_CHECKING:
    from gateway.journal.journal import Journal

KEY = "routes:overrides"
"""Hash: pattern -> override."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Override).decode


async def read(journal: Journal) -> tuple[Override, ...]:
    """All overrides, the newest first. One that a newer release wrote and that cannot be read is left out. Raises StoreDown."""
    reply = await journal._store.call("HVALS", KEY)
    found = []
    for value in reply:
        try:
            found.append(_decode(value))
        except msgspec.MsgspecError:
            continue
    return tuple(sorted(found, key=lambda each: (-each.at, each.match)))


async def put(journal: Journal, override: Override) -> None:
    """Stores an override in the place of the one with the same pattern. Raises StoreDown."""
    await journal._store.call("HSET", KEY, override.match, _encode(override))


async def remove(journal: Journal, match: str | None) -> None:
    """Forgets the override with this pattern; None: all. Raises StoreDown."""
    if match is None:
        await journal._store.call("DEL", KEY)
    else:
        await journal._store.call("HDEL", KEY, match)
