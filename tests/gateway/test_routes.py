"""Routes: first match wins, whatever the case."""

from __future__ import annotations

import pytest

from gateway.config import RouteConfig
from gateway.routes import NoRoute, Routes

ROUTES = Routes(
    [
        RouteConfig(match="DE-*", primary="berlin", mirrors=("archive",), primary_down="buffer"),
        RouteConfig(match="CP[0-9]?", primary="lab"),
        RouteConfig(match="de-berlin-1", primary="never"),
    ]
)


@pytest.mark.parametrize(
    ("charger", "primary"), [("DE-1", "berlin"), ("de-berlin-1", "berlin"), ("cp12", "lab"), ("CP1x", "lab")]
)
def test_first_match_wins(charger: str, primary: str) -> None:
    assert ROUTES.of(charger).primary == primary


def test_policies_come_with_the_route() -> None:
    route = ROUTES.of("DE-1")
    assert (route.upstreams, route.primary_down, route.hold) == (("berlin", "archive"), "buffer", 20)


@pytest.mark.parametrize("charger", ["FR-1", "CP1", "CP123", "", "DE"])
def test_no_route(charger: str) -> None:
    with pytest.raises(NoRoute):
        ROUTES.of(charger)
