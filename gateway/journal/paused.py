"""Upstreams that operators have paused: one hash that every hub of the fleet reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.journal.journal import Journal

KEY = "upstreams:paused"
"""Hash: upstream -> since when, ms."""


async def read(journal: Journal) -> dict[str, int]:
    """Upstream -> since when it is paused, ms. Raises StoreDown."""
    reply = await journal._store.call("HGETALL", KEY)
    return {name.decode(): int(at) for name, at in zip(reply[::2], reply[1::2], strict=True)}


async def pause(journal: Journal, name: str, at: int) -> None:
    """No hub keeps a socket to it until `resume`. Raises StoreDown."""
    await journal._store.call("HSETNX", KEY, name, at)


async def resume(journal: Journal, name: str) -> bool:
    """Whether it was paused. Raises StoreDown."""
    return bool(await journal._store.call("HDEL", KEY, name))
