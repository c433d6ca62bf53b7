"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Times in seconds; numbers of chargers and messages."""

    chargers: int = 200
    repeats: int = 3
    seconds: float = 4.0
    low_chargers: int = 50
    low_rate: float = 100.0
    low_seconds: float = 4.0
    idle_first: int = 200
    idle: int = 2000
    rounds: int = 2000
    pairs: int = 7
    """Repeats of the mirrors, each of `mirrored` messages."""
    mirrored: int = 2000
    backlog: int = 20_000
    """Messages that wait for a CSMS that was away."""
    queued: int = 100_000
    settle: float = 11.0
    """How long what is queued is left alone: streams are trimmed every 10 s."""


QUICK = Plan(40, 1, 0.5, 10, 100.0, 0.5, 20, 100, 100, 1, 200, 400, 2000, 1.0)
