"""Entries of one charger that its upstream cannot take now, kept apart so that they hold nobody else's.

They are sorted by id, whenever they are put there, and bear the id under which they were appended. A commit moves them
(`Commit.parks`) and removes them (`Commit.unparks`).
"""

from __future__ import annotations

import asyncio

from gateway.config import RedisConfig
from gateway.journal import keys
from gateway.journal.connection import Argument
from gateway.journal.entry import Entry
from gateway.journal.packed import place, unpack
from gateway.journal.store import Store
from gateway.journal.streams import order


class Parking:
    """Part of Journal."""

    _store: Store
    _config: RedisConfig

    async def parked(self, partition: int) -> dict[tuple[str, str], int]:
        """(upstream, casefolded charger) -> bytes parked, for everyone in the partition who has any. Raises StoreDown."""
        reply = await self._store.call("HGETALL", keys.parked_index(partition))
        found = {}
        for field, size in zip(reply[::2], reply[1::2], strict=True):
            upstream, _, charger = field.decode().partition("\n")
            found[upstream, charger] = int(size)
        return found

    async def fullness(self, partitions: list[int]) -> float:
        """Part of the memory that is in use, 0 to 1, of the fullest node with any of these partitions; 0 if there is no limit.

        Raises StoreDown.
        """
        asked = partitions if self._config.cluster else partitions[:1]
        told = await asyncio.gather(*(self._store.run("memory", (keys.stream(number),)) for number in asked))
        return max(map(_fullness, told), default=0.0)

    async def read_parked(
        self, partition: int, upstream: str, charger: str, *, after: str = "", count: int = 100
    ) -> list[Entry]:
        """The oldest `count` parked entries, or the oldest after the id `after`. Changes nothing.

        Raises StoreDown, and UnsafeStore for an entry that a newer release wrote.
        """
        least: Argument = b"(" + place(after) + b"\xff" if after else "-"
        made = keys.parked(partition, upstream, charger)
        reply = await self._store.call("ZRANGEBYLEX", made, least, "+", "LIMIT", 0, count)
        return [unpack(member) for member in reply]

    async def oldest_parked(
        self, partition: int, upstream: str, count: int, *, after: str = "", charger: str = ""
    ) -> list[Entry]:
        """The oldest `count` entries parked for an upstream, of all chargers or of one, oldest first. Raises as `read_parked`."""
        names = [
            name
            for owner, name in await self.parked(partition)
            if owner == upstream and keys.fold(charger) in ("", name)
        ]
        read = self.read_parked
        heads = await asyncio.gather(*(read(partition, upstream, name, after=after, count=1) for name in names))
        begins = sorted((order(head[0].id), name) for head, name in zip(heads, names, strict=True) if head)
        # Nothing of a charger whose first entry is younger than `count` others can be among them.
        found = await asyncio.gather(
            *(read(partition, upstream, name, after=after, count=count) for _, name in begins[:count])
        )
        return sorted((entry for each in found for entry in each), key=lambda entry: order(entry.id))[:count]


def _fullness(info: bytes) -> float:
    told = dict(line.split(":", 1) for line in info.decode().splitlines() if ":" in line)
    limit = int(told.get("maxmemory", "0"))
    return int(told.get("used_memory", "0")) / limit if limit else 0.0
