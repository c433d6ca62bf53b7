"""SENDs of 2.1 chargers (message type 6), which nobody answers: row R11 of the table of bad inputs. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from gateway.journal.entry import Entry

if TYPE_CHECKING:
    from .link import Link

MARK: Final = b"[6,"
"""How the frame of a SEND begins in the journal."""

_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode


def pass_on(link: Link, entry: Entry) -> None:
    """Told at once to an upstream of the same version that is there; it is perishable, so any other never hears it."""
    owner, action = link.owner, entry.head.action
    owner.effects.acks.setdefault(link.name, []).append(entry.id)
    heard = link.intake is None or link.intake.hears(action)
    if not heard or not link.up or link.versions[0] != link.versions[1]:
        owner.observer.dropped(link, entry, "expired" if heard and link.versions[0] == link.versions[1] else "policy")
        return
    payload = _elements(entry.frame)[3]
    frame = b'[6,"%b","%b",%b]' % (entry.id.encode(), action.encode(), bytes(payload))
    owner.effects.to_upstream.append((link, frame))
    owner.observer.passed_on(link, action)
