"""What chargers said before somebody began to watch, as far as the streams still have it."""

from __future__ import annotations

import time
from typing import Final

import msgspec

from gateway import tap
from gateway.journal.entry import Entry
from gateway.journal.errors import StoreDown
from gateway.journal.journal import Journal
from gateway.routes import matcher
from translators.frames import decode

MOST: Final = 1000
"""Frames, and of each partition."""
GLOB: Final = frozenset("*?[")


async def earlier(journal: Journal, partitions: int, match: str, seconds: float) -> list[tap.Seen]:
    """Oldest first, the newest of them when there are too many; nothing while the store is away."""
    matches = matcher((match,))
    one = not match.startswith("re:") and not GLOB & set(match)
    numbers = [journal.partition(match)] if one else range(partitions)
    begin = time.time_ns() // 1_000_000 - round(seconds * 1000)
    found: list[Entry] = []
    try:
        for partition in numbers:
            found += await journal.still(partition, begin, lambda charger: matches(charger.casefold()), MOST)
    except StoreDown:
        pass
    found.sort(key=lambda entry: entry.head.received_at)
    return [_seen(entry) for entry in found[-MOST:]]


def _seen(entry: Entry) -> tap.Seen:
    head = entry.head
    if entry.kind in ("open", "close"):
        note = "connected" if entry.kind == "open" else f"disconnected: {head.reason}"
        return tap.Seen(head.received_at, head.charger, "charger", version=head.version, note=note)
    exchange = f"{head.epoch}-{head.seq}" if entry.kind != "answer" else ""
    return tap.Seen(
        head.received_at, head.charger, "charger", "", "in", head.version, entry.frame[: tap.LARGEST], len(entry.frame),
        head.action, head.message_id or _id(entry.frame), exchange, note="earlier",
    )  # fmt: skip


def _id(frame: bytes) -> str:
    try:
        return decode(frame).id
    except msgspec.MsgspecError:
        return ""
