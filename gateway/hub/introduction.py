"""What an upstream is told of a charger that was there before it: its boot, the statuses, the open transactions. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

import msgspec

from gateway.journal.entry import Class, Entry, Head
from translators import NUMBERED
from translators.frames import Call

from .backlog import Exchange, behind, order
from .shared import Open, Shared

if TYPE_CHECKING:
    from .link import Link


def introduction(
    shared: Shared,
    opened: Iterable[Open],
    charger: str,
    name: str,
    version: str,
    until: str,
    now: int,
    held: Collection[str] = (),
) -> list[Exchange]:
    """CALLs for upstream `name` (of OCPP `version`) as if the charger had just said them, though it will hear no answer.

    `opened`: the transactions whose end it will hear. `until`: journal id up to which transactions have begun before the
    upstream came. One that was begun with its own answer is known to it. `held`: places whose statuses it hears after this. Times
    are milliseconds since 1970.
    """
    told: list[Exchange] = []

    def tell(id: str, action: str, payload: bytes, cls: Class, at: int, tx: int = 0) -> None:
        frame = b'[2,"%s","%s",%s]' % (id.encode(), action.encode(), payload)
        head = Head(charger, 0, 0, shared.version, "", at, action=action, message_id=id, cls=cls)
        told.append(behind(Exchange(Entry(id, "call", head, frame, tx), Call(id, action, msgspec.Raw(payload)))))

    if shared.boot:
        tell("0-1", "BootNotification", shared.boot, "K1", now)
    for number, (where, payload) in enumerate(shared.statuses.items(), 2):
        if where in held:
            continue  # it comes in its turn: it may be younger than the transactions
        tell(f"0-{number}", "StatusNotification", payload, "K1", now)
    for each in opened:
        if order(each.entry) > order(until):
            continue
        at = order(each.entry)[0]
        if each.id and (each.by != name or version != shared.version):
            tell(each.entry, "TransactionEvent", each.start, "K0", at)
        elif not each.id and (each.by != name or each.minted or version not in NUMBERED):
            tell(each.entry, "StartTransaction", each.start, "K0", at, each.number)
    return told


def catch_up(link: Link, exchange: Exchange, now: int) -> None:
    """Tell an upstream that came later what the charger had said before, and has been answered since through another link."""
    link.unheard.discard(exchange.entry.id)
    link.introducing = {*link.introducing, exchange.entry.id}
    link.backlog.put(behind(exchange))
    link.pump(now)
