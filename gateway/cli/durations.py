"""Times as people write them: 30s, 10m, 2h, 1d."""

from __future__ import annotations

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds_of(text: str) -> float:
    """Seconds; a number without a unit is one of seconds. Raises ValueError."""
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = text[len(number) :] or "s"
    try:
        found = float(number) * _UNITS[unit]
    except (ValueError, KeyError):
        raise ValueError(f"{text!r} is no time; write 30s, 10m, 2h or 1d") from None
    if not 0 < found < 10**8:
        raise ValueError(f"{text!r} is too long, or nothing")
    return found
