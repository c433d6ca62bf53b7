"""How simulated chargers are used. Pure."""

from __future__ import annotations

from typing import Final

import msgspec


class Profile(msgspec.Struct, frozen=True):
    """Times in seconds before they are divided by the speed; each is drawn from half of it to one and a half."""

    about: str
    connectors: int
    idle: float
    """Between two cars at a connector."""
    charging: float
    """A session."""
    watts: float
    meter: float
    """Between two meter values of a session."""
    heartbeat: float
    stays: float
    """A connection, before it breaks."""
    away: float
    """Before it comes back; what happens meanwhile is told later."""
    vendor: str
    model: str


PROFILES: Final = {
    "home": Profile(
        "one connector, a car every evening, 11 kW for four hours, a shaky connection",
        1, 20 * 3600, 4 * 3600, 11_000, 300, 300, 4 * 3600, 120, "Hearth", "Wall 11",
    ),
    "depot": Profile(
        "two connectors, buses that charge all night with 50 kW, a good connection",
        2, 3 * 3600, 6 * 3600, 50_000, 60, 300, 48 * 3600, 20, "Yard", "Mast 50",
    ),
    "highway": Profile(
        "four connectors, 20 minutes with 150 kW, one car after the other, by mobile network",
        4, 600, 1200, 150_000, 15, 60, 2 * 3600, 45, "Swift", "Post 150",
    ),
}  # fmt: skip
