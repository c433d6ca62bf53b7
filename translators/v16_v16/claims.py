"""Reservations and charging profiles of one 1.x upstream among several that may command: the ids are the upstream's own.

The charger knows each by one id. An id that another upstream uses gets another number towards the charger; every command of
this upstream that names it, and what the charger tells of it, is put into the number that the hearer knows.
"""

from __future__ import annotations

from collections.abc import Collection, Set
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec
from msgspec import Raw

from . import members

Kind: TypeAlias = Literal["reservation", "profile"]
KINDS: Final[tuple[Kind, ...]] = ("reservation", "profile")

Ids: TypeAlias = dict[str, dict[int, int]]
"""By kind: what the upstream calls it -> what the charger calls it."""

MOST: Final = 256
"""The most ids of a kind that are remembered: nobody tells when a profile or a reservation has run out."""
_LAST: Final = 2**31 - 1
RESERVATION: Final = ("reservationId",)


class Command(NamedTuple):
    """A command that names a reservation or a profile."""

    kind: Kind
    path: tuple[str, ...]
    refused: Raw
    """Its answer if it is about one that only another upstream knows; empty: it makes a new one."""
    ended: frozenset[str]
    """Statuses after which there is none of this id."""


COMMANDS: Final = {
    "ReserveNow": Command("reservation", RESERVATION, Raw(b""), frozenset()),
    "CancelReservation": Command("reservation", RESERVATION, Raw(b'{"status":"Rejected"}'), frozenset(("Accepted",))),
    "SetChargingProfile": Command("profile", ("csChargingProfiles", "chargingProfileId"), Raw(b""), frozenset()),
    "RemoteStartTransaction": Command("profile", ("chargingProfile", "chargingProfileId"), Raw(b""), frozenset()),
    "ClearChargingProfile": Command(
        "profile", ("id",), Raw(b'{"status":"Unknown"}'), frozenset(("Accepted", "Unknown"))
    ),
}


class Claim(NamedTuple):
    """A command that is under way to the charger."""

    command: Command
    own: int
    new: bool
    """It has given the charger an id that it did not know."""


class _Answer(msgspec.Struct):
    status: str = ""


_answer = msgspec.json.Decoder(_Answer)


def to_charger(ids: Ids, action: str, payload: bytes, others: Collection[int]) -> tuple[bytes, Claim | None] | None:
    """A command in the charger's numbers, and what to `settle` when it is answered; None if it is to be refused.

    `others`: what the charger calls those of the other upstreams. Changes `ids`.
    """
    command = COMMANDS[action]
    own = members.read(payload, command.path)
    if own is None:
        return payload, None
    mine = ids.setdefault(command.kind, {})
    number, new = mine.get(own), False
    if number is None and command.refused:
        if own in others or own in mine.values():
            return None
        return payload, None
    if number is None:
        new = True
        number = own if own not in others and own not in mine.values() else _free({own, *others, *mine.values()})
        mine[own] = number
        while len(mine) > MOST:
            del mine[next(iter(mine))]
    return members.edit(payload, command.path, lambda _: number), Claim(command, own, new)


def _free(taken: Set[int]) -> int:
    number = max(taken) + 1
    if number <= _LAST:
        return number
    return next(each for each in range(1, len(taken) + 2) if each not in taken)


def settle(ids: Ids, claim: Claim, answer: bytes) -> bool:
    """The charger has answered a command; whether `ids` changed."""
    try:
        status = _answer.decode(answer).status
    except msgspec.MsgspecError:
        return False
    refused = claim.new and status != "Accepted"
    return (refused or status in claim.command.ended) and ids[claim.command.kind].pop(claim.own, None) is not None


def to_csms(ids: Ids, payload: bytes, others: Collection[int]) -> bytes:
    """A StartTransaction with the reservation's number as the upstream knows it; without one if it is another's."""
    number = members.read(payload, RESERVATION)
    if number is None or number <= 0:
        return payload
    mine = ids.get("reservation", {})
    own = next((each for each, known in mine.items() if known == number), None)
    if own is None and number not in others and number not in mine:
        return payload
    if own is None:
        return members.without(payload, "reservationId")
    return members.edit(payload, RESERVATION, lambda _: own)
