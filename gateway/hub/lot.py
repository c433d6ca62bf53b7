"""What one link has put aside: entries that its upstream cannot take now, kept in the store and told later, in order. Pure.

While a link has a lot, only the oldest of its entries are in memory (`held`); what the charger says meanwhile goes behind the
others. The entries are acknowledged in the stream by the commit that puts them aside, so they hold nobody else's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.journal.entry import Entry
from translators.frames import Call

from .answering import answer_now, keep
from .backlog import Exchange, order
from .local import payload_away, refused_here

if TYPE_CHECKING:
    from .link import Link

WINDOW = 100
"""Entries of one lot that are in memory."""
LOW = 20
"""More are fetched when fewer are left."""


class Lot:
    """Of one (upstream, charger)."""

    __slots__ = ("held", "parking", "size", "thin", "thinned")

    def __init__(self) -> None:
        self.held: set[str] = set()
        """Ids of the entries that the link has, or has done with in a commit that is not confirmed."""
        self.parking = 0
        """Entries on their way to the store."""
        self.size = 0
        """Bytes in the store, as far as known."""
        self.thinned = ""
        """Id up to which meter values have been thinned out this time; empty: none."""
        self.thin = False
        """No meter values are left to be thinned out."""

    def takes(self, link: Link, exchange: Exchange, now: int) -> bool:
        """Put aside what the charger says now; what lies here already (it says it again) is there once. False for what is worth
        nothing later: it goes the usual way."""
        if exchange.perishable or refused_here(link, exchange):
            return False
        self._park(link, exchange, now)
        return True

    def _park(self, link: Link, exchange: Exchange, now: int) -> None:
        effects, entry = link.owner.effects, exchange.entry
        effects.parks.setdefault((link.name, link.charger), []).append(entry)
        effects.acks.setdefault(link.name, []).append(entry.id)
        self.parking += 1
        answer_now(link, exchange, now)
        if exchange.said is not None:
            keep(link, exchange, exchange.said)


def park(link: Link, now: int) -> Lot:
    """Put aside everything that waits in a link, but for what is perishable; the oldest stay in memory as well."""
    lot = link.lot = Lot()
    kept, few = [], WINDOW if link.up else LOW + 1  # enough to begin with; more are fetched when one of them is told
    for exchange in [*link.under_way, *link.backlog]:
        if exchange.perishable or exchange.entry.id in link.introducing:
            continue
        exchange.parked = True
        lot._park(link, exchange, now)
        if len(lot.held) < few:
            lot.held.add(exchange.entry.id)
            kept.append(exchange)
    waiting = [each for each in link.backlog if not each.parked or each.entry.id in lot.held]
    link.backlog.clear()
    link.backlog.extend(waiting)
    return lot


def unpark(link: Link, entry: Entry, call: Call, now: int) -> None:
    """An entry of the lot is to be told in its turn. Its charger has been answered, if it could be."""
    exchange = Exchange(entry, call)
    exchange.parked = True
    exchange.counts = link.counts(call.action)
    exchange.answered = call.action in link.translator.neutral
    if entry.head.cls == "K0" and not exchange.answered:
        exchange.answered = not exchange.counts or payload_away(link, exchange, now) is not None
    exchange.early = exchange.answered or entry.head.cls != "K0"
    assert link.lot is not None
    link.lot.held.add(entry.id)
    link.backlog.put(exchange)
    link.pump(now)


def remove(link: Link, ids: set[str]) -> set[str]:
    """Take entries of the lot out of memory that will never be told; gives those that are under way and must stay."""
    busy = {exchange.entry.id for exchange in link.under_way}
    waiting = [each for each in link.backlog if each.entry.id not in ids]
    link.backlog.clear()
    link.backlog.extend(waiting)
    return ids & busy


def later(a: str, b: str) -> bool:
    """Whether entry `a` was appended after `b`."""
    return order(a) > order(b)
