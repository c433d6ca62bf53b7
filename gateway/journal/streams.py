"""The hub's side of the journal streams: what is pending, what is new, wake-ups, trimming."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import structlog

from gateway.journal import keys, ringing
from gateway.journal.entry import FORMAT, Entry, Head, Kind
from gateway.journal.errors import StoreDown, UnsafeStore
from gateway.journal.store import Store

log = structlog.get_logger(__name__)

SESSION = "session"
"""The group that wants everything but calls, at live pace and without a pending list."""

_decode_head = msgspec.msgpack.Decoder(Head).decode
_KINDS: dict[bytes, Kind] = {kind.encode(): kind for kind in ("open", "call", "answer", "repeat", "close")}


class Batch(dict[str, list[Entry]]):
    """Entries per group, as `peek` and `pending` give them."""

    position: str = ""
    """Where to `wait` next: the newest id that was found; empty: these were pending."""
    run: int = -1
    """Number of the newest entry of the partition at the time of a `peek`."""
    more: frozenset[str] = frozenset()
    """Groups that had more than fits: ask again without waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.all: dict[str, list[Entry]] = {}
        """Of a `peek`: everything that was found behind the place of the group, also what it does not want."""
        self.gone: dict[str, int] = {}
        """Group -> entries that were pending there and that somebody has deleted or trimmed: they are lost."""


class Lag(msgspec.Struct, frozen=True):
    """How far a group is behind."""

    pending: int
    """Entries read and not acknowledged."""
    undelivered: str
    """Id of the oldest entry not read, of those that the group wants; empty: none."""
    age_ms: int
    """Age of the oldest entry that is not acknowledged, read or not; 0: none."""
    unread: int = 0
    """Entries that the group wants and has not read; -1: not known."""
    oldest: str = ""
    """Id of the oldest entry that was read and is not acknowledged; empty: none."""
    length: int = 0
    """Of the whole stream."""

    @property
    def waiting(self) -> int:
        """Entries that the group wants and has not done with, as far as that is known."""
        return self.pending + max(0, self.unread)


class Streams:
    """Part of Journal."""

    _store: Store
    _now_ms: Callable[[], int]
    _cursors: dict[int, tuple[int, dict[str, str]]]
    """Partition -> token, and how far its owner has taken the pending list of each group."""
    _outages: int = 0
    resets: int
    on_reset: Callable[[int, str], None] | None

    async def wait(self, positions: dict[int, str], block_ms: int) -> list[int]:
        """Waits up to `block_ms` (> 0) until partitions have entries after the given ids ("0-0": any); gives those.

        Raises StoreDown; once after an outage too, however short: what was read before may have to be read again.
        """
        if self._outages != self._store.outages:
            self._outages = self._store.outages
            raise StoreDown("the store was away")
        if not positions:
            await asyncio.sleep(block_ms / 1000)
            return []
        names = {keys.stream(partition): partition for partition in positions}
        news = await self._store.news(dict(zip(names, positions.values(), strict=True)), block_ms)
        return [names[name] for name in news]

    def noticed(self) -> None:
        """The caller knows of every outage until now: `wait` need not tell."""
        self._outages = self._store.outages

    def pending(self, partition: int, token: int, groups: list[str], *, count: int) -> asyncio.Future[Batch]:
        """Gives up to `count` entries per group, of one partition, under its lease, that the group was given and has not acknowledged.
        The group "session" has none.

        A new owner takes them before it looks at anything new, until `more` is empty: each call continues after the one before.
        Raises in the future Fenced, StoreDown, and UnsafeStore for an entry that a newer release wrote.
        """
        held, cursors = self._cursors.get(partition, (token, {}))
        if held != token:
            cursors = {}
        self._cursors[partition] = token, cursors
        starts = [part for group in groups if group != SESSION for part in (group, cursors.get(group, "0-0"))]
        ring = self._store.ring

        def convert(reply: list[Any]) -> Batch:
            batch = Batch()
            for raw_group, entries, last, more, recreated, gone in reply:
                group = raw_group.decode()
                batch[group] = [read_entry(partition, raw) for raw in entries]
                if last:
                    cursors[group] = last.decode()
                if more:
                    batch.more |= {group}
                if gone:
                    batch.gone[group] = gone
                if recreated:
                    self._reset(partition, group)
            if not batch.more:
                cursors.clear()
            if ring is not None:
                ringing.pending(ring, partition, token, batch)
            return batch

        made = (keys.lease(partition), keys.stream(partition), keys.live(partition))
        return self._store.run("pending", made, token, count, *starts, convert=convert)

    def peek(self, partition: int, token: int, positions: dict[str, str], *, count: int) -> asyncio.Future[Batch]:
        """Gives up to `count` entries behind the id of each group, of one partition, under its lease. Nothing changes by that: what a
        group has done with, or has to be told again should its hub die, is told by `commit`.

        Raises in the future Fenced, StoreDown, and UnsafeStore for an entry that a newer release wrote.
        """
        starts = list(dict.fromkeys(positions.values()))
        ring = self._store.ring

        def convert(reply: list[Any]) -> Batch:
            batch = Batch()
            batch.run, batch.position = int(reply[0]), reply[1].decode()
            found = {
                start: [read_entry(partition, raw) for raw in raws]
                for start, raws in zip(starts, reply[2:], strict=True)
            }
            calls = {start: [each for each in entries if each.kind == "call"] for start, entries in found.items()}
            if not batch.position:
                batch.position = max((entries[-1].id for entries in found.values() if entries), key=order)
            for group, start in positions.items():
                entries = batch.all[group] = found[start]
                batch[group] = calls[start] if group != SESSION else [each for each in entries if each.kind != "call"]
                if len(entries) == count:
                    batch.more |= {group}
            if ring is not None:
                ringing.peek(ring, partition, token, batch)
            return batch

        made = (keys.lease(partition), keys.stream(partition), keys.live(partition))
        return self._store.gather("peek", made, (token, count, *starts), convert)

    def _reset(self, partition: int, group: str) -> None:
        self.resets += 1
        log.error("stream_reset", partition=partition, group=group, hint="it was gone; was the store flushed?")
        if self.on_reset is not None:
            self.on_reset(partition, group)
        self._store.suspect(f"partition {partition} had lost its groups (stream_reset)")

    async def trim(self, partition: int, token: int, groups: list[str], *, keep: float = 0) -> int:
        """Removes what every group of the stream has passed and acknowledged and is older than `keep` seconds; gives the number of
        entries removed.

        Nothing is removed while one of `groups` is missing; groups not named there still hold their entries.
        Raises Fenced, StoreDown.
        """
        made = (keys.lease(partition), keys.stream(partition))
        before = max(1, self._now_ms() - round(keep * 1000)) if keep else 0
        return int(await self._store.run("trim", made, token, before, *groups))

    async def lag(self, partition: int, groups: list[str]) -> dict[str, Lag]:
        """How far each group is behind. Raises StoreDown."""
        reply = await self._store.run("lag", (keys.stream(partition),), *groups)
        now, found = self._now_ms(), {}
        for group, (pending, oldest, undelivered, unread) in zip(groups, reply[1:], strict=True):
            first = (oldest or undelivered).decode()
            age = max(0, now - order(first)[0]) if first else 0
            found[group] = Lag(pending, undelivered.decode(), age, unread, oldest.decode(), reply[0])
        return found


def order(id: str) -> tuple[int, int]:
    """A stream id as numbers that compare; the first is the store's clock in ms."""
    ms, _, seq = id.partition("-")
    return int(ms), int(seq or 0)


def read_entry(partition: int, raw: list[Any]) -> Entry:
    """An entry of a stream as the store gives it. Raises UnsafeStore for one that a newer release wrote."""
    id, fields = raw[0].decode(), raw[1]
    head, kind = _decode_head(fields[3]), _KINDS.get(fields[1])
    if head.format > FORMAT or kind is None:
        raise UnsafeStore(
            f"entry {id} of partition {partition} has format {head.format}, this release reads up to {FORMAT}: "
            "run the release that wrote it, or a newer one"
        )
    frame, tx = b"", 0
    for name, value in zip(fields[4::2], fields[5::2], strict=True):
        if name == b"f":
            frame = value
        elif name == b"x":
            tx = int(value)
        elif name == b"e":
            head = msgspec.structs.replace(head, epoch=int(value))
        elif name == b"o":
            head = msgspec.structs.replace(head, of=value.decode())
    return Entry(id, kind, head, frame, tx)
