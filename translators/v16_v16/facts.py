"""What one 1.6 upstream among several calls the transactions of a charger. Only ever extended, always with defaults."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import msgspec

FORMAT: Final = 1
"""A reader refuses facts with a newer number."""
PAIR: Final = "v16_v16"
OPEN_MOST: Final = 1000
"""The most transactions that are remembered without having ended: those of chargers that never tell the end."""
ENDED_MOST: Final = 16
"""Ended transactions that are remembered, for what a charger tells of them late."""


class Transaction(msgspec.Struct, omit_defaults=True):
    """A transaction, kept under the journal entry of its StartTransaction."""

    number: int | None = None
    """What the charger calls it; None: it was not answered yet."""
    own: int | None = None
    """What this upstream calls it; None: it has not answered, or has refused."""
    deauthorised: bool = False
    """It was accepted here, and this upstream has refused it: the charger was told to stop."""
    denied: bool = False
    """The charger was told here, in this upstream's place, that its tag is not accepted."""
    ended: bool = False
    """This upstream has acknowledged its end."""
    answer: bytes = b""
    """What answers the charger when it repeats its StartTransaction; empty: the upstream's own answer does."""


class Facts(msgspec.Struct, omit_defaults=True, tag_field="pair", tag=PAIR):
    """Everything that such a link remembers. The tag tells these facts from those of other pairs."""

    format: int = FORMAT
    early_until: str = ""
    """Journal entry up to which the charger was answered while the upstream was away."""
    transactions: dict[str, Transaction] = {}
    """By journal entry of the StartTransaction."""


class _Stored(msgspec.Struct):
    format: int = 1
    pair: str = ""


_encoder = msgspec.msgpack.Encoder()


def encode(facts: Facts) -> bytes:
    """For the store; empty if there is nothing to remember."""
    return _encoder.encode(facts) if facts.transactions or facts.early_until else b""


def decode(state: bytes) -> Facts:
    """Load facts; new ones if `state` is empty or of another pair. Raises ValueError if a newer release wrote them."""
    if not state or msgspec.msgpack.decode(state, type=_Stored).pair != PAIR:
        return Facts()
    facts = msgspec.msgpack.decode(state, type=Facts)
    if facts.format > FORMAT:
        raise ValueError(f"facts have format {facts.format}, this release reads up to {FORMAT}")
    return facts


@lru_cache(
    maxsize=256
)  # asked for every message, about that message and the start of its transaction, by every upstream
def order(entry: str) -> tuple[int, int]:
    """The id of a journal entry as numbers that compare."""
    first, _, second = entry.partition("-")
    return (int(first), int(second or 0)) if first.isdigit() else (0, 0)
