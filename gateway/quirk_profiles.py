"""Which quirk profile a charger has: named by the registry, or by what its last BootNotification said. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec

from gateway.config_quirks import QuirkProfile
from gateway.routes import Facts
from translators.tables import table


class Profiles:
    """Those of the configuration, then those that ship."""

    def __init__(self, own: Mapping[str, QuirkProfile]) -> None:
        """Raises re.error."""
        self._named = {**shipped(), **own}
        order = [*own, *(name for name in shipped() if name not in own)]
        self._rules = [rule for name in order if (rule := _rule(self._named[name])) is not None]

    def of(self, named: str, facts: Facts | None) -> QuirkProfile | None:
        """The profile of a charger; None: it has none. `named`: by the registry; `facts`: what it said of itself."""
        if named in self._named:
            return self._named[named]
        if facts is None:
            return None
        said = (facts.vendor.strip(), facts.model.strip(), facts.firmware.strip())
        for patterns, profile in self._rules:
            if all(pattern is None or pattern.fullmatch(text) for pattern, text in zip(patterns, said, strict=True)):
                return profile
        return None


def _rule(profile: QuirkProfile) -> tuple[list[re.Pattern[str] | None], QuirkProfile] | None:
    texts = (profile.vendor, profile.model, profile.firmware)
    if not any(texts):
        return None
    return [re.compile(text, re.IGNORECASE) if text else None for text in texts], profile


@cache
def shipped() -> dict[str, QuirkProfile]:
    """The profiles of quirk_profiles.yaml, by name."""
    return {
        name: msgspec.convert({key: _plain(value) for key, value in each.items() if key != "seen"}, QuirkProfile)
        for name, each in sources().items()
    }


@cache
def sources() -> dict[str, dict[str, Any]]:
    """The same as they are written, with `seen`."""
    found: dict[str, dict[str, Any]] = table("gateway", "quirk_profiles.yaml")
    return found


def _plain(value: Any) -> Any:
    """`1h` as seconds."""
    units = {"s": 1, "m": 60, "h": 3600}
    if isinstance(value, str) and (match := re.fullmatch(r"(\d+)([smh])", value)):
        return int(match[1]) * units[match[2]]
    return value
