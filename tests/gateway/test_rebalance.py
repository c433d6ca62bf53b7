"""Who has too many; the rest needs processes: tests/e2e/test_rebalance.py."""

from __future__ import annotations

import pytest

from gateway.rebalance import plan


@pytest.mark.parametrize(
    ("chargers", "moves"),
    [
        ({}, {}),
        ({"a": 0}, {}),
        ({"a": 10}, {}),
        ({"a": 10, "b": 0}, {"a": 5}),
        ({"a": 10, "b": 10}, {}),
        ({"a": 103, "b": 97}, {}),
        ({"a": 300, "b": 300, "c": 0}, {"a": 100, "b": 100}),
        ({"a": 1, "b": 0}, {}),
        ({"a": 3, "b": 0, "c": 0}, {"a": 2}),
    ],
)
def test_an_edge_gives_away_what_it_has_above_its_share(chargers: dict[str, int], moves: dict[str, int]) -> None:
    found = plan(chargers)
    assert found.moves == moves and found.total == sum(moves.values())
