"""Which upstreams serve a charger. Pure: the configuration's routes as a function of the identity."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import translate
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from gateway.config import RouteConfig


class Route(msgspec.Struct, frozen=True):
    """The upstreams of a charger and what happens without its primary."""

    primary: str
    mirrors: tuple[str, ...] = ()
    primary_down: Literal["close", "buffer", "local"] = "close"
    hold: float = 20.0
    """Seconds that the primary may be unreachable before `close` closes."""

    @property
    def upstreams(self) -> tuple[str, ...]:
        """The primary, then the mirrors."""
        return (self.primary, *self.mirrors)

    def role(self, name: str) -> Literal["only", "primary", "mirror"]:
        """What an upstream of this route is to the charger."""
        if name != self.primary:
            return "mirror"
        return "primary" if self.mirrors else "only"


class NoRoute(LookupError):
    """No route fits this identity; the charger is to be refused like an unknown one (404)."""


class Routes:
    """First match wins; identities are compared without regard to case (OCPP 2.0.1 part 4: identifierString)."""

    def __init__(self, routes: Iterable[RouteConfig]) -> None:
        self._routes = [
            (
                re.compile(translate(route.match.casefold())).match,
                Route(route.primary, route.mirrors, route.primary_down, route.hold),
            )
            for route in routes
        ]

    def of(self, charger: str) -> Route:
        """The route of `charger`. Raises NoRoute."""
        folded = charger.casefold()
        for match, route in self._routes:
            if match(folded):
                return route
        raise NoRoute(charger)
