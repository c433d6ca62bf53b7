"""What nobody answers in 2.1: SENDs of chargers (message type 6), and what either side says of an answer that it cannot use
(CALLRESULTERROR, message type 5). Rows R10 and R11 of the table of bad inputs. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from gateway.journal.entry import Entry, ToCharger
from translators.frames import ResultError, encode
from translators.untouched import Untouched

if TYPE_CHECKING:
    from .backlog import Exchange
    from .link import Link

MARKS: Final = (b"[5,", b"[6,")
"""How such a frame begins in the journal."""

_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode


def pass_on(link: Link, entry: Entry) -> None:
    """Told at once to an upstream of the same version that is there; it is perishable, so any other never hears it."""
    owner, action = link.owner, entry.head.action
    owner.effects.acks.setdefault(link.name, []).append(entry.id)
    if entry.frame.startswith(MARKS[0]):
        _rejected(link, entry)
        return
    heard = link.intake is None or link.intake.hears(action)
    if not heard or not link.up or link.versions[0] != link.versions[1]:
        owner.observer.dropped(link, entry, "expired" if heard and link.versions[0] == link.versions[1] else "policy")
        return
    payload = _elements(entry.frame)[3]
    frame = b'[6,"%b","%b",%b]' % (entry.id.encode(), action.encode(), bytes(payload))
    owner.effects.to_upstream.append((link, frame))
    owner.observer.passed_on(link, action)


def given(link: Link, exchange: Exchange) -> None:
    """The charger gets this upstream's result: it knows its CALL by its own id, the translator by that of the entry."""
    answered = link.translator.answered if isinstance(link.translator, Untouched) else None
    if answered and (last := answered.get("charger")) and last[0] == exchange.entry.id:
        answered["charger"] = exchange.entry.head.message_id, last[1]


def _rejected(link: Link, entry: Entry) -> None:
    """The charger cannot use an answer: whose it was hears so, if it is there."""
    frame = msgspec.json.decode(entry.frame, type=ResultError)
    id = link.translator.rejected("charger", frame.id) if isinstance(link.translator, Untouched) else ""
    if id and link.up:
        told = encode(ResultError(id, frame.code, frame.description, frame.details))
        link.owner.effects.to_upstream.append((link, told))


def reject(link: Link, frame: ResultError, edge: str, epoch: int) -> None:
    """A CSMS cannot use an answer of the charger, which hears so if it is there."""
    id = link.translator.rejected("csms", frame.id) if isinstance(link.translator, Untouched) else ""
    if id and edge:
        told = encode(ResultError(id, frame.code, frame.description, frame.details))
        link.owner.effects.to_charger.append((edge, ToCharger(link.charger, epoch, "call", told)))
