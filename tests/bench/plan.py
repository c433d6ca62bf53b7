"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Times in seconds; numbers of chargers and messages. As it is: `make bench`."""

    chargers: int = 200
    repeats: int = 3
    seconds: float = 2.0
    rates: tuple[float, ...] = (1000.0,)
    """Messages per second of the open loop."""
    low_seconds: float = 2.0
    idle_first: int = 1000
    idle: int = 1500
    aging: float = 33.0
    """How long idle chargers are left alone before their memory is read: what was confirmed lately is kept for 30 s."""
    storm: int = 5000
    handshakes: int = 300
    starts: int = 3
    appends: int = 40_000
    rounds: int = 1000
    pairs: int = 3
    """Repeats of the mirrors, each of `mirrored` messages."""
    mirrored: int = 2000
    backlog: int = 10_000
    """Messages that wait for a CSMS that was away."""
    queued: int = 50_000
    settle: float = 11.0
    """How long what is queued is left alone: streams are trimmed every 10 s."""
    name: str = "make bench"


FULL = Plan(
    repeats=7, seconds=4.0, rates=(100.0, 1000.0), low_seconds=4.0, idle=3000, handshakes=1000, starts=7, appends=200_000,
    rounds=3000, pairs=7, backlog=20_000, queued=100_000, name="make bench-full",
)  # fmt: skip
QUICK = Plan(
    chargers=40, repeats=1, seconds=0.5, rates=(100.0,), low_seconds=0.5, idle_first=20, idle=100, aging=0.5, storm=200,
    handshakes=40, starts=1, appends=2000, rounds=100, pairs=1, mirrored=200, backlog=400, queued=2000, settle=1.0, name="quick",
)  # fmt: skip
