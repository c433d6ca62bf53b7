"""Looking into the streams, for operators: what an upstream is still to be told; telling it again what is still there."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable

import msgspec

from gateway.config import RedisConfig
from gateway.journal import keys
from gateway.journal.connection import Argument
from gateway.journal.entry import Entry
from gateway.journal.inbox import following
from gateway.journal.packed import pack
from gateway.journal.store import Store
from gateway.journal.streams import order, read_entry


class Waits(msgspec.Struct, frozen=True):
    """A charger CALL that an upstream has not done with."""

    entry: Entry
    partition: int
    read: bool
    """A hub has it already."""
    deliveries: int = 0


class Replayed(msgspec.Struct):
    """What a replay found in one partition."""

    found: int = 0
    replayed: int = 0
    """The others are still to be told anyway, or are being replayed already."""
    oldest: str = ""
    """Id of the oldest entry of the stream: nothing before it can be replayed."""


class Looking:
    """Part of Journal. Every method raises StoreDown."""

    _store: Store
    _config: RedisConfig

    async def clock(self) -> int:
        """What time it is at the store, ms."""
        seconds, micros = await self._store.run("clock", (keys.stream(0),))
        return int(seconds) * 1000 + int(micros) // 1000

    async def waits(self, partition: int, group: str, count: int, after: str = "") -> list[Waits]:
        """The oldest `count` charger CALLs that a group has not done with, those after an id, oldest first."""
        stream = keys.stream(partition)
        if not await self._store.call("EXISTS", stream):
            return []
        infos = [dict(zip(x[::2], x[1::2], strict=True)) for x in await self._store.call("XINFO", "GROUPS", stream)]
        last = next((x[b"last-delivered-id"].decode() for x in infos if x[b"name"].decode() == group), None)
        if last is None:
            return []
        least = f"({after}" if after else "-"
        pending = await self._store.call("XPENDING", stream, group, least, "+", count)
        found: list[Waits] = []
        raws = await asyncio.gather(*(self._store.call("XRANGE", stream, each[0], each[0]) for each in pending))
        for (_, _, _, deliveries), raw in zip(pending, raws, strict=True):
            if raw:
                found.append(Waits(read_entry(partition, raw[0]), partition, True, deliveries))
        position = max(last, after or "0-0", key=order)
        while len(found) < count:
            portion = await self._store.call("XRANGE", stream, following(position), "+", "COUNT", 200)
            for raw in portion:
                entry = read_entry(partition, raw)
                if entry.kind == "call" and len(found) < count:
                    found.append(Waits(entry, partition, False))
            if len(portion) < 200:
                break
            position = portion[-1][0].decode()
        return found

    async def still(self, partition: int, begin: int, wanted: Callable[[str], bool], most: int) -> list[Entry]:
        """What the stream still has of some chargers from `begin` (ms) on: the newest `most`, oldest first. At most ten times as
        many entries are looked at. `wanted` gets identities as the chargers spell them."""
        stream, end = keys.stream(partition), "+"
        found: list[Entry] = []
        for _ in range(10):
            portion = await self._store.call("XREVRANGE", stream, end, str(begin), "COUNT", most)
            entries = (read_entry(partition, raw) for raw in portion)
            found += [entry for entry in entries if wanted(entry.head.charger)][: most - len(found)]
            if len(portion) < most or len(found) >= most:
                break
            end = "(" + portion[-1][0].decode()
        return found[::-1]

    async def replay(
        self, partition: int, upstream: str, begin: int, end: int, charger: str = "", *, dry_run: bool = False
    ) -> Replayed:
        """Tells an upstream again what chargers (or one) said from `begin` up to `end` (ms), as far as the stream still has it.

        No other upstream hears of it. It goes ahead of what the upstream has not been told yet, under the same ids.
        """
        stream, wanted = keys.stream(partition), keys.fold(charger)
        result = Replayed()
        first = await self._store.call("XRANGE", stream, "-", "+", "COUNT", 1)
        if not first:
            return result
        result.oldest = first[0][0].decode()
        position = str(begin)
        while True:
            portion = await self._store.call("XRANGE", stream, position, end, "COUNT", 200)
            chosen: dict[str, list[Argument]] = defaultdict(list)
            for raw in portion:
                entry = read_entry(partition, raw)
                folded = keys.fold(entry.head.charger)
                if entry.kind == "call" and wanted in ("", folded):
                    result.found += 1
                    chosen[folded] += (entry.id, pack(entry))
            for folded, pairs in ({} if dry_run else chosen).items():
                made = (stream, keys.parked(partition, upstream, folded), keys.parked_index(partition))
                args = (upstream, f"{upstream}\n{folded}", *pairs)
                result.replayed += await self._store.run("replay", made, *args)
            if len(portion) < 200:
                return result
            position = following(portion[-1][0].decode())
