"""How well the answers of a shadow agree with those that count: what is kept for a charger, and the score made of it. Pure.

Everything is bounded: per charger and shadow the last 1,000 comparisons in a byte each, and the last 20 differences.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Final, Literal, TypeAlias, get_args

import msgspec

Kind: TypeAlias = Literal["verdict", "boot_status", "interval", "error", "missing", "latency"]
Class: TypeAlias = Literal["decision", "billing", "other"]

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
CLASSES: Final[tuple[Class, ...]] = get_args(Class)

FIELD: Final = "shadow"
"""Of the charger's facts."""
LISTED: Final = "shadow:"
"""Begins the fields of the summaries, in the facts of the partition (those of the charger without a name)."""
FORMAT: Final = 1
RECENT_MOST: Final = 20
"""The most differences that are kept."""
ENOUGH: Final = 20
"""With fewer comparisons there is no score."""
READY: Final = 99
"""A charger with this score is called ready."""

WINDOW: Final[dict[Class, int]] = {"decision": 400, "billing": 300, "other": 300}
"""How many of the last comparisons count: of each class, so that heartbeats never push a refused token out of sight."""
WEIGHT: Final[dict[Class, int]] = {"decision": 6, "billing": 3, "other": 1}
HALF: Final[frozenset[Kind]] = frozenset(("interval", "latency"))
"""What costs half: nobody is refused."""

_BIT: Final = {kind: 1 << at for at, kind in enumerate(KINDS)}
_COST: Final = bytes(
    0 if not mask else 1 if not any(mask & bit for kind, bit in _BIT.items() if kind not in HALF) else 2
    for mask in range(256)
)
"""Kinds of a comparison as bits -> what it costs, in halves."""


class Noted(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A difference that was found."""

    at: int
    """ms"""
    action: str
    entry: str
    """Id of the charger's message in the journal."""
    kind: Kind
    answer: str
    shadow: str


class Record(msgspec.Struct, omit_defaults=True):
    """What one shadow's answers to one charger were like."""

    since: int = 0
    """First comparison, ms."""
    at: int = 0
    """Last comparison, ms."""
    compared: int = 0
    agreed: int = 0
    kinds: dict[str, int] = {}
    """How many differences of each kind since the beginning."""
    windows: dict[str, bytes] = {}
    """Class -> kinds of each of the last comparisons, as bits, the newest last."""
    recent: list[Noted] = []
    """The newest last."""

    def add(self, kind_of_message: Class, noted: list[Noted], at: int) -> None:
        """A message was compared, with these differences."""
        self.since, self.at = self.since or at, at
        self.compared += 1
        mask = 0
        if noted:
            for each in noted:
                self.kinds[each.kind] = self.kinds.get(each.kind, 0) + 1
                mask |= _BIT[each.kind]
            self.recent = [*self.recent, *noted][-RECENT_MOST:]
        else:
            self.agreed += 1
        window = self.windows.get(kind_of_message, b"") + bytes((mask,))
        self.windows[kind_of_message] = window[-WINDOW[kind_of_message] :]

    def shares(self) -> dict[Class, tuple[int, Fraction]]:
        """Class -> how many comparisons count, and which share of them agreed; classes without any are absent."""
        found: dict[Class, tuple[int, Fraction]] = {}
        for each in CLASSES:
            if window := self.windows.get(each):
                cost = sum(window.translate(_COST))
                found[each] = len(window), 1 - Fraction(cost, 2 * len(window))
        return found

    @property
    def score(self) -> int | None:
        """0 to 100, rounded down: 100 only if nothing differed among what counts. None: not enough data."""
        shares = self.shares()
        if sum(count for count, _ in shares.values()) < ENOUGH:
            return None
        total = sum(WEIGHT[each] for each in shares)
        return int(100 * sum(WEIGHT[each] * share for each, (_, share) in shares.items()) / total)


class Records(msgspec.Struct, omit_defaults=True):
    """The field `shadow` of a charger's facts."""

    format: int = FORMAT
    upstreams: dict[str, Record] = {}


class Line(msgspec.Struct, omit_defaults=True):
    """A record in short."""

    score: int | None = None
    compared: int = 0
    agreed: int = 0
    at: int = 0
    kinds: dict[str, int] = {}


class Summary(msgspec.Struct, omit_defaults=True):
    """All records of a charger in short, for lists."""

    charger: str
    format: int = FORMAT
    upstreams: dict[str, Line] = {}


_encoder = msgspec.msgpack.Encoder()
_records = msgspec.msgpack.Decoder(Records)
_summary = msgspec.msgpack.Decoder(Summary)


def encode(records: Records) -> bytes:
    """For the store."""
    return _encoder.encode(records)


def decode(state: bytes) -> Records:
    """Load; new if `state` is empty, cannot be read or was written by a newer release: nobody depends on it."""
    if not state:
        return Records()
    try:
        records = _records.decode(state)
    except msgspec.MsgspecError:
        return Records()
    return records if records.format <= FORMAT else Records()


def summarise(charger: str, records: Records) -> bytes:
    """For the store."""
    lines = {
        name: Line(each.score, each.compared, each.agreed, each.at, each.kinds)
        for name, each in records.upstreams.items()
    }
    return _encoder.encode(Summary(charger, FORMAT, lines))


def summaries(facts: Mapping[str, bytes]) -> list[Summary]:
    """Those among the facts of a partition."""
    found = []
    for field, value in facts.items():
        if field.startswith(LISTED):
            try:
                summary = _summary.decode(value)
            except msgspec.MsgspecError:
                continue
            if summary.format <= FORMAT:
                found.append(summary)
    return found
