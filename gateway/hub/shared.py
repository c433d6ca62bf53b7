"""What is known of a charger whatever its upstreams are: so that one can be added, or the primary switched, at any time. Pure.

It is learned from what the primary was asked and what the charger was answered, and stored in the commit of that answer.
Payloads are kept as the charger sent them, in the version it speaks.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from sys import intern
from typing import Final

import msgspec

from translators.frames import Call, Result

FIELD: Final = "shared"
"""Of the charger's facts."""
LINK: Final = "link:"
"""Begins the fields of the links' facts."""
FORMAT: Final = 1
"""A reader refuses facts with a newer number."""
OPEN_MOST: Final = 32
"""The most open transactions that are kept: a charger that never tells the end of one does not add up."""
STATUSES_MOST: Final = 256

LEARNED_FROM: Final = frozenset(
    ("BootNotification", "StatusNotification", "StartTransaction", "StopTransaction", "TransactionEvent")
)


class Open(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A transaction that has not ended."""

    entry: str
    """Journal entry of its StartTransaction, or of the TransactionEvent with which it began."""
    number: int
    """What a 1.x charger calls it; 0 for a 2.x charger."""
    by: str
    """The upstream whose answer that was."""
    minted: bool
    """The number is the gateway's, not the upstream's."""
    start: bytes
    """Payload of the StartTransaction or TransactionEvent."""
    id: str = ""
    """What a 2.x charger calls it."""


class Accepted(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An upstream's last word on a boot, if that was to accept it."""

    at: int
    """When, ms."""
    who: tuple[str, str, str]
    """Vendor, model and serial number that it accepted."""
    interval: int


class Remote(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A transaction that a 2.x charger was asked to begin."""

    id: int
    """Its remoteStartId."""
    by: str
    """The upstream that asked."""
    token: bytes
    """The idToken, as JSON."""


class Shared(msgspec.Struct, omit_defaults=True):
    """The field `shared` of a charger's facts."""

    format: int = FORMAT
    id: str = ""
    """The charger as it spells itself: everything else goes by the casefolded identity."""
    version: str = ""
    """OCPP version of the payloads."""
    boot: bytes = b""
    """Payload of the last BootNotification that was answered."""
    statuses: dict[str, bytes] = {}
    """Connector (1.x: `1`; 2.x: `<evse>/<connector>`) -> payload of its last StatusNotification."""
    open: list[Open] = []
    accepted: dict[str, Accepted] = {}
    """Upstream -> the boot that it has accepted."""
    remotes: list[Remote] = []
    """The last transactions that upstreams have begun, where there are several."""
    linked: dict[str, str] | None = None
    """Upstream that serves the charger -> journal id up to which it is still to be told of what was there before it came;
    "" when it has been. None: the upstreams have been the same from the beginning."""


class _Connector(msgspec.Struct):
    connectorId: int = -1
    evseId: int = -1


class _Transaction(msgspec.Struct):
    transactionId: int


class _Info(msgspec.Struct):
    transactionId: str


class _Event(msgspec.Struct):
    eventType: str
    transactionInfo: _Info


_connector = msgspec.json.Decoder(_Connector, strict=False)
_transaction = msgspec.json.Decoder(_Transaction, strict=False)
_event = msgspec.json.Decoder(_Event)
_encoder = msgspec.msgpack.Encoder()


def teaches(call: Call) -> bool:
    """Whether anything may be learned from a CALL. Of transactions only the begin and the end count."""
    if call.action != "TransactionEvent":
        return call.action in LEARNED_FROM
    payload = bytes(call.payload)
    return b"Started" in payload or b"Ended" in payload


def learn(shared: Shared, version: str, by: str, entry: str, tx: int, call: Call, answer: Result) -> int | None:
    """The charger was answered with what upstream `by` had to say to the CALL of a journal entry, or with what was said in
    its place; `call.action` is one of LEARNED_FROM.

    Gives the number of the transaction that has begun; None if none has. A payload that cannot be read teaches nothing.
    """
    payload = bytes(call.payload)
    if shared.version != version:
        shared.version, shared.boot, shared.statuses = intern(version), b"", {}
    try:
        match call.action:
            case "BootNotification":
                shared.boot = payload
            case "StatusNotification":
                where = place_of(payload)
                if where in shared.statuses or len(shared.statuses) < STATUSES_MOST:
                    shared.statuses[where] = payload
            case "StartTransaction":
                number = _transaction.decode(answer.payload).transactionId
                shared.open = [each for each in shared.open if each.entry != entry and each.number != number]
                shared.open.append(Open(entry, number, by, number == tx, payload))
                del shared.open[:-OPEN_MOST]
                return number
            case "TransactionEvent":
                event = _event.decode(payload)
                id = event.transactionInfo.transactionId
                if event.eventType in ("Started", "Ended"):
                    shared.open = [each for each in shared.open if each.id != id]
                if event.eventType == "Started":
                    shared.open.append(Open(entry, 0, by, False, payload, id))
                    del shared.open[:-OPEN_MOST]
            case "StopTransaction":
                number = _transaction.decode(payload).transactionId
                shared.open = [each for each in shared.open if each.number != number]
    except msgspec.MsgspecError:
        pass
    return None


def place_of(status: bytes) -> str:
    """Where a StatusNotification is about: its key in `Shared.statuses`. Raises msgspec.MsgspecError."""
    place = _connector.decode(status)
    return f"{place.connectorId}" if place.evseId < 0 else f"{place.evseId}/{place.connectorId}"


@lru_cache(4096)
def field_of(upstream: str, part: str) -> str:
    """The field of a part of a link's facts; the part that has no name is what most messages change."""
    return f"{LINK}{upstream}#{part}" if part else LINK + upstream


def parts_of(upstream: str, facts: Mapping[str, bytes]) -> dict[str, bytes]:
    """A link's facts, by part, among all of a charger."""
    begin = field_of(upstream, "")
    parts = {name[len(begin) + 1 :]: value for name, value in facts.items() if name.startswith(begin + "#")}
    if begin in facts:
        parts[""] = facts[begin]
    return parts


def encode(shared: Shared) -> bytes:
    """For the store."""
    return _encoder.encode(shared)


def decode(state: bytes) -> Shared:
    """Load; new if `state` is empty. Raises ValueError if a newer release wrote it."""
    if not state:
        return Shared()
    shared = msgspec.msgpack.decode(state, type=Shared)
    if shared.format > FORMAT:
        raise ValueError(f"shared facts have format {shared.format}, this release reads up to {FORMAT}")
    return shared
