"""What a registered charger names must be in the configuration."""

from __future__ import annotations

from gateway.config import Config
from gateway.quirk_profiles import shipped
from gateway.registry import Charger


def unknown(charger: Charger, config: Config) -> str:
    """What is wrong with the route or the quirk profile that the registry gives a charger; empty: nothing."""
    if charger.route and charger.route not in [each.name for each in config.routes]:
        return f"no route has the name {charger.route}"
    if charger.quirks and charger.quirks not in {**shipped(), **config.quirks}:
        return f"no quirk profile has the name {charger.quirks}"
    return ""
