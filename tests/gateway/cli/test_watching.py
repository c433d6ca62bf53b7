"""What `chargers watch` says of two looks at a fleet."""

from __future__ import annotations

from typing import Any

from gateway.cli.watching import Fleet, changes


def fleet(*chargers: dict[str, Any]) -> Fleet:
    usual = {"connected": True, "epoch": 1, "edge": "e1", "version": "ocpp1.6", "connectors": {}, "transactions": []}
    return {each["id"].casefold(): usual | each for each in chargers}


def events(before: Fleet, after: Fleet) -> list[tuple[str, ...]]:
    return [tuple(each[key] for key in ("charger", "event", "what", "was", "is")) for each in changes(before, after)]


def test_who_comes_and_goes() -> None:
    one = fleet({"id": "CP1"})
    gone = fleet({"id": "CP1", "connected": False, "epoch": 0, "edge": ""})
    again = fleet({"id": "CP1", "epoch": 2, "edge": "e2"})
    assert events(one, one) == []
    assert events({}, one) == [("CP1", "connected", "ocpp1.6", "", "e1")]
    assert events(one, gone) == [("CP1", "disconnected", "", "e1", "")]
    assert events(one, again) == [
        ("CP1", "disconnected", "", "e1", ""),
        ("CP1", "connected", "ocpp1.6", "", "e2"),
    ]  # it was away between two looks
    assert events(gone, {}) == [("CP1", "forgotten", "", "", "")]


def test_connectors_and_transactions() -> None:
    before = fleet({"id": "CP1", "connectors": {"1": {"status": "Preparing"}}, "transactions": [{"id": 7}]})
    after = fleet(
        {
            "id": "CP1",
            "connectors": {"1": {"status": "Charging"}, "2": {"status": "Available"}},
            "transactions": [{"id": 8}],
        }
    )
    assert events(before, after) == [
        ("CP1", "connector", "1", "Preparing", "Charging"),
        ("CP1", "connector", "2", "", "Available"),
        ("CP1", "ended", "7", "", ""),
        ("CP1", "begun", "8", "", ""),
    ]
