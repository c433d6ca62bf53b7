"""What is remembered of the commands of several upstreams for one charger. Pure. Only ever extended, always with defaults."""

from __future__ import annotations

from typing import Any, Final

import msgspec

FIELD: Final = "terms"
"""Of the charger's facts."""
FORMAT: Final = 1
"""A reader refuses facts with a newer number."""
OWN_MOST: Final = 256
"""The most profiles, reservations or keys of one upstream that are remembered; the oldest go first."""
RUNNING_MOST: Final = 64


class Profile(msgspec.Struct, omit_defaults=True):
    """A charging profile that an upstream has set."""

    id: int
    """What the charger calls it."""
    place: int
    """Connector (2.x: EVSE) it is for; 0: all."""
    purpose: str = ""
    level: int = 0
    """Stack level as the upstream says it."""
    body: dict[str, Any] | None = None
    """The profile as the upstream says it, where the charger gets the minimum of all."""


class Key(msgspec.Struct, omit_defaults=True):
    """A configuration key that is kept for an upstream."""

    name: str
    value: str


class Own(msgspec.Struct, omit_defaults=True):
    """What belongs to one upstream. Ids are those that it uses itself."""

    profiles: dict[int, Profile] = {}
    reservations: dict[int, int] = {}
    """Its id -> the charger's."""
    keys: dict[str, Key] = {}
    """Folded name -> what it wrote."""


class Lease(msgspec.Struct, omit_defaults=True):
    """Who controls a connector."""

    holder: str
    at: int
    """Its last command there, ms."""
    transaction: str = ""
    """The transaction that has begun since."""
    strong: bool = False
    """By a start or a reservation; otherwise by a charging profile."""


class Terms(msgspec.Struct, omit_defaults=True):
    """The field `terms` of a charger's facts."""

    format: int = FORMAT
    upstreams: dict[str, Own] = {}
    next_id: int = 1_000_000
    """For a profile or reservation whose own id is taken."""
    leases: dict[int, Lease] = {}
    """By connector (2.x: EVSE); 0: a start without one, until its transaction begins."""
    running: dict[str, int] = {}
    """Transaction -> its connector (2.x: EVSE)."""
    since: dict[str, int] = {}
    """Transaction -> when it began, ms."""
    composed: dict[int, bytes] = {}
    """Id of a composite profile that the charger has -> what it was told."""
    renew_at: int = 0
    """When the composite profiles have to be made anew, ms; 0: never."""

    def of(self, upstream: str) -> Own:
        """What belongs to an upstream."""
        return self.upstreams.setdefault(upstream, Own())


NO_TERMS: Final = Terms()
"""Of all chargers that no arbiter has remembered anything of; never changed."""


def trim(kept: dict[Any, Any], most: int) -> None:
    """Forget the oldest."""
    while len(kept) > most:
        del kept[next(iter(kept))]


_encoder = msgspec.msgpack.Encoder(decimal_format="string")


def encode(terms: Terms) -> bytes:
    """For the store."""
    return _encoder.encode(terms)


def decode(state: bytes) -> Terms:
    """Load; new if `state` is empty. Raises ValueError if a newer release wrote it."""
    if not state:
        return Terms()
    terms = msgspec.msgpack.decode(state, type=Terms)
    if terms.format > FORMAT:
        raise ValueError(f"terms have format {terms.format}, this release reads up to {FORMAT}")
    return terms
