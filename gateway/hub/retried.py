"""A CALL that the charger sends again, and that has no stored answer. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw

from gateway.journal.entry import Entry
from translators.frames import EMPTY, Call, Result

from .answering import answer_away, outlast
from .backlog import Exchange, order

if TYPE_CHECKING:
    from .link import Link
    from .partition import Partition
    from .session import Session


def unknown(session: Session, entry: Entry) -> bool:
    """Whether nothing is known here of what the charger sends again: the hub that owned its partition before may have answered it
    after this repeat was stored."""
    return not any(_knows(link, entry.head.of) for link in session.links.values() if link.counts(entry.head.action))


def unread(partition: Partition, session: Session, entry: Entry) -> bool:
    """Whether what `entry` repeats is still to be read: the repeat came through another group, which was faster."""
    if partition.failed or partition.sessions.get(session.charger.casefold()) is not session:
        return False
    original = order(entry.head.of)
    return any(
        link.counts(entry.head.action) and original > order(partition.positions.get(name, "0-0"))
        for name, link in session.links.items()
    )


def _knows(link: Link, entry: str) -> bool:
    if link.told is not None and link.told[0] == entry:
        return True
    return any(exchange.entry.id == entry for exchange in (*link.under_way, *link.backlog))


def answered_before(session: Session, entry: Entry, payload: bytes) -> None:
    """`entry` repeats what was answered with this payload."""
    for link in session.links.values():
        if link.counts(entry.head.action):
            session.answer(
                link, Exchange(entry, Call(entry.id, entry.head.action, EMPTY)), Result(entry.id, Raw(payload))
            )
            return


def superseded(link: Link, entry: Entry) -> None:
    """Another upstream answers the charger now: what this one says of what `entry` repeats comes too late."""
    for exchange in [*link.under_way, *link.backlog]:
        if exchange.entry.id == entry.head.of:
            exchange.counts = False


def retried(link: Link, entry: Entry, call: Call, now: int) -> None:
    """Re-target the open one, or send again under the same ids. `entry` is the repeat."""
    for exchange in [*link.under_way, *link.backlog]:
        if exchange.entry.id == entry.head.of:
            exchange.target = (entry.head.epoch, entry.head.seq)
            exchange.answered = False
            exchange.not_before = 0
            if exchange.early:
                answer_away(link, exchange, now)
            return
    if link.told is not None and link.told[0] == entry.head.of:
        link.owner.answer(link, Exchange(entry, call), Result(entry.id, Raw(link.told[1])))
        return
    link.unheard.discard(entry.head.of)
    original = msgspec.structs.replace(entry, id=entry.head.of, kind="call")
    again = Exchange(original, msgspec.structs.replace(call, id=original.id))
    again.counts = True
    if link.lot is not None and link.lot.takes(link, again, now):
        return
    again.unstored = entry.head.cls == "K0"
    link.backlog.append(again)
    if not link.up and link.down_since:
        outlast(link, again, now)
