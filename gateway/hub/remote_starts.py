"""Who pays for a transaction that an upstream has begun: a 2.x charger need not say it, and other upstreams never asked. Pure.

A 1.x upstream cannot be told of a transaction without an idTag (translation spec 3.3): it would never hear of this one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from translators import NUMBERED
from translators.frames import Call

from .shared import Remote

if TYPE_CHECKING:
    from .link import Link
    from .session import Session

COMMAND: Final = "RequestStartTransaction"
MOST: Final = 32
"""The newest commands of a charger that are kept."""


class _Command(msgspec.Struct):
    remoteStartId: int
    idToken: msgspec.Raw


class _Info(msgspec.Struct):
    remoteStartId: int | None = None


class _Event(msgspec.Struct):
    transactionInfo: _Info
    idToken: msgspec.Raw = msgspec.Raw()


_command = msgspec.json.Decoder(_Command)
_event = msgspec.json.Decoder(_Event)


def asked(session: Session, call: Call, source: str) -> None:
    """`source` asks the charger to begin a transaction: keep whose it is, as far as that can be read."""
    if len(session.links) < 2:
        return
    try:
        command = _command.decode(call.payload)
    except msgspec.MsgspecError:
        return
    remote = Remote(command.remoteStartId, source, bytes(command.idToken))
    others = [each for each in session.shared.remotes if each.id != remote.id]
    session.shared.remotes = [*others[1 - MOST :], remote]
    session.effects.shared[session.charger] = session.shared


def named(link: Link, call: Call, remotes: list[Remote]) -> Call:
    """A TransactionEvent as a 1.x upstream is to hear it that did not begin the transaction: with the token of who did."""
    if (
        call.action != "TransactionEvent"
        or link.versions[1] not in NUMBERED
        or b"remoteStartId" not in bytes(call.payload)
    ):
        return call
    try:
        event = _event.decode(call.payload)
    except msgspec.MsgspecError:
        return call
    for remote in remotes:
        if remote.id == event.transactionInfo.remoteStartId and remote.by != link.name and not event.idToken:
            payload = bytes(call.payload).lstrip()[1:]
            return msgspec.structs.replace(call, payload=msgspec.Raw(b'{"idToken":%b,%b' % (remote.token, payload)))
    return call
