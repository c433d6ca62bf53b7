"""Ids of profiles and reservations that several upstreams draw, each for itself: at the charger no two are the same. Pure."""

from __future__ import annotations

from typing import Literal

from .terms import Own, Profile, Terms

Kind = Literal["profile", "reservation"]


def _known(own: Own, kind: Kind) -> dict[int, int]:
    return {id: each.id for id, each in own.profiles.items()} if kind == "profile" else own.reservations


def at_charger(terms: Terms, upstream: str, kind: Kind, own: int, *, primary: bool) -> int:
    """What the charger calls it: for the primary what it says itself, unless that is taken; else a number of the gateway's."""
    known = _known(terms.of(upstream), kind).get(own)
    if known is not None:
        return known
    taken = {number for each in terms.upstreams.values() for number in _known(each, kind).values()}
    if primary and own not in taken:
        return own
    while terms.next_id in taken:
        terms.next_id += 1
    terms.next_id += 1
    return terms.next_id - 1


def owner(terms: Terms, kind: Kind, number: int) -> tuple[str, int] | None:
    """Whose the charger's number is, and what they call it; None: nobody's that is known."""
    for upstream, own in terms.upstreams.items():
        for id, at in _known(own, kind).items():
            if at == number:
                return upstream, id
    return None


def matching(own: Own, place: int | None, purpose: str | None, level: int | None) -> list[tuple[int, Profile]]:
    """The profiles of an upstream that a ClearChargingProfile without an id means."""
    return [
        (id, each)
        for id, each in own.profiles.items()
        if place in (None, each.place) and purpose in (None, each.purpose) and level in (None, each.level)
    ]
