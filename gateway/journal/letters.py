"""Dead letters: what an upstream was not given, kept until a person has looked at it or its retention is over.

They lie with the charger's partition, so that a commit moves an entry there in the same transaction that acknowledges it.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import msgspec

from gateway.config import RedisConfig
from gateway.journal import keys
from gateway.journal.connection import Argument
from gateway.journal.entry import Dead, Entry
from gateway.journal.packed import pack
from gateway.journal.store import Store
from gateway.journal.streams import order, read_entry

LOOKED_THROUGH = 10_000
"""Dead letters of a partition and upstream that are looked through for those of one charger."""

_encode = msgspec.msgpack.Encoder().encode


class Letter(msgspec.Struct, frozen=True):
    """A dead letter as kept."""

    id: str
    """`<stream id>.<partition>`."""
    upstream: str
    entry: Entry
    """With the id under which it was appended to the journal."""
    why: str
    at: int
    """When it was put aside, ms."""
    attempts: int = 0
    trace: str = ""


class Unreadable(msgspec.Struct, frozen=True):
    """A billing frame that an edge could not accept."""

    id: str
    """`<stream id>.<partition>`."""
    charger: str
    version: str
    row: str
    """Of the table of bad inputs: what is wrong with it."""
    frame: bytes
    """As received."""
    at: int
    """When it came, ms."""


class Letters:
    """Part of Journal."""

    _store: Store
    _config: RedisConfig

    def quarantine(self, charger: str, version: str, row: str, frame: bytes) -> asyncio.Future[None]:
        """Keeps a billing frame that an edge could not accept; `row`: of the table of bad inputs, why not.

        Raises StoreDown in the future.
        """
        number = keys.partition(charger, self._config.partitions)
        args = ("c", charger, "v", version, "r", row, "f", frame)
        return self._store.call("XADD", keys.quarantine(number), "*", *args, convert=_nothing)

    async def quarantined(self, *, after: str = "", count: int = 50) -> list[Unreadable]:
        """Up to `count` quarantined frames in the order in which they came, those after the frame `after`.

        Raises StoreDown; ValueError for an `after` that is no frame's id.
        """
        return [_unreadable(*found) for found in await self._merged(keys.quarantine, after, count)]

    async def unreadable(self, id: str) -> Unreadable | None:
        """One quarantined frame; None if there is none with this id. Raises StoreDown, ValueError."""
        at, number = _parse(id, self._config.partitions)
        reply = await self._store.call("XRANGE", keys.quarantine(number), at, at)
        return _unreadable(number, reply[0]) if reply else None

    async def letters(self, upstream: str, *, after: str = "", count: int = 50) -> list[Letter]:
        """Up to `count` dead letters in the order in which they were put aside, those after the letter `after`.

        Raises StoreDown; ValueError for an `after` that is no letter's id.
        """
        found = await self._merged(lambda number: keys.dead_letters(number, upstream), after, count)
        return [_letter(upstream, number, raw) for number, raw in found]

    async def _merged(self, stream: Callable[[int], str], after: str, count: int) -> list[tuple[int, Any]]:
        """(partition, entry) of the first entries of the streams of all partitions."""
        id, past = _parse(after, self._config.partitions) if after else ("", -1)
        calls = []
        for number in range(self._config.partitions):
            least = "-" if not id else f"({id}" if number <= past else id
            calls.append(self._store.call("XRANGE", stream(number), least, "+", "COUNT", count))
        replies = await asyncio.gather(*calls)
        each = [
            [(order(raw[0].decode()), number, raw) for raw in reply] for number, reply in enumerate(replies) if reply
        ]
        merged = heapq.merge(*each, key=lambda found: found[:2])
        return [(number, raw) for (_, number, raw), _ in zip(merged, range(count), strict=False)]

    async def letter(self, upstream: str, id: str) -> Letter | None:
        """One dead letter; None if there is none with this id. Raises StoreDown, ValueError."""
        at, number = _parse(id, self._config.partitions)
        reply = await self._store.call("XRANGE", keys.dead_letters(number, upstream), at, at)
        return _letter(upstream, number, reply[0]) if reply else None

    async def requeue(self, upstream: str, ids: list[str]) -> int:
        """Gives dead letters to their upstream again, and to no other; gives how many were still there.

        They are parked for their charger under the ids that they had, so that deciding them gives what it gave before, and
        go ahead of what came later. The hub that owns the partition finds them within seconds. Raises StoreDown, ValueError.
        """
        chosen: dict[tuple[int, str], list[Argument]] = defaultdict(list)
        for id in dict.fromkeys(ids):
            letter = await self.letter(upstream, id)
            if letter is not None:
                at, number = _parse(id, self._config.partitions)
                chosen[number, letter.entry.head.charger] += (at, pack(letter.entry))
        moved = 0
        for (number, charger), pairs in chosen.items():
            made = (
                keys.dead_letters(number, upstream),
                keys.parked(number, upstream, charger),
                keys.parked_index(number),
            )
            moved += await self._store.run("requeue", made, f"{upstream}\n{keys.fold(charger)}", *pairs)
        return moved

    async def discard(self, upstream: str, ids: list[str]) -> int:
        """Deletes dead letters for good; gives how many were still there. Raises StoreDown, ValueError."""
        chosen: dict[int, list[str]] = defaultdict(list)
        for id in ids:
            at, number = _parse(id, self._config.partitions)
            chosen[number].append(at)
        calls = [
            self._store.call("XDEL", keys.dead_letters(number, upstream), *some) for number, some in chosen.items()
        ]
        return sum(await asyncio.gather(*calls))

    async def letter_counts(self, partition: int) -> dict[str, int]:
        """Upstream -> dead letters in a partition. Raises StoreDown."""
        names = [name.decode() for name in await self._store.call("SMEMBERS", keys.dead_letter_index(partition))]
        calls = [self._store.call("XLEN", keys.dead_letters(partition, name)) for name in names]
        return dict(zip(names, await asyncio.gather(*calls), strict=True))

    async def letters_of(self, partition: int, charger: str) -> dict[str, int]:
        """Upstream -> dead letters of one charger, of the first 10,000 of its partition. Raises StoreDown."""
        found = {}
        for upstream in await self.letter_counts(partition):
            reply = await self._store.call(
                "XRANGE", keys.dead_letters(partition, upstream), "-", "+", "COUNT", LOOKED_THROUGH
            )
            letters = (_letter(upstream, partition, raw) for raw in reply)
            found[upstream] = sum(keys.fold(each.entry.head.charger) == keys.fold(charger) for each in letters)
        return found

    async def expire_letters(self, partition: int, token: int, upstream: str, before: int, count: int = 500) -> int:
        """Deletes up to `count` dead letters put aside before `before` (ms), under the partition's lease; gives how many.

        Raises Fenced, StoreDown.
        """
        return await self._expire(partition, token, keys.dead_letters(partition, upstream), before, count)

    async def expire_quarantine(self, partition: int, token: int, before: int, count: int = 500) -> int:
        """The same for quarantined frames. Raises Fenced, StoreDown."""
        return await self._expire(partition, token, keys.quarantine(partition), before, count)

    async def _expire(self, partition: int, token: int, stream: str, before: int, count: int) -> int:
        made = (keys.lease(partition), stream)
        return int(await self._store.run("expire", made, token, f"({max(0, before)}-0", count))


def letter_fields(dead: Dead) -> list[Argument]:
    """The fields and values of its stream entry."""
    entry = dead.entry
    fields: list[Argument] = [
        "k",
        entry.kind,
        "h",
        _encode(entry.head),
        "f",
        entry.frame,
        "id",
        entry.id,
        "why",
        dead.why,
    ]
    if entry.tx:
        fields += ("x", entry.tx)
    if dead.attempts:
        fields += ("n", dead.attempts)
    if dead.trace:
        fields += ("t", dead.trace)
    return fields


def _nothing(_: Any) -> None:
    return None


def _parse(id: str, partitions: int) -> tuple[str, int]:
    at, dot, number = id.rpartition(".")
    ms, dash, seq = at.partition("-")
    if not (dot and dash and ms.isdigit() and seq.isdigit() and number.isdigit()) or int(number) >= partitions:
        raise ValueError(f"{id!r} is no id of a dead letter")
    return at, int(number)


def _unreadable(partition: int, raw: list[Any]) -> Unreadable:
    at, told = raw[0].decode(), dict(zip(raw[1][::2], raw[1][1::2], strict=True))
    charger, version, row = (told[name].decode() for name in (b"c", b"v", b"r"))
    return Unreadable(f"{at}.{partition}", charger, version, row, told[b"f"], order(at)[0])


def _letter(upstream: str, partition: int, raw: list[Any]) -> Letter:
    at = raw[0].decode()
    rest = dict(zip(raw[1][::2], raw[1][1::2], strict=True))
    entry = msgspec.structs.replace(read_entry(partition, raw), id=rest[b"id"].decode())
    return Letter(
        f"{at}.{partition}",
        upstream,
        entry,
        rest[b"why"].decode(),
        order(at)[0],
        int(rest.get(b"n", 0)),
        rest.get(b"t", b"").decode(),
    )
