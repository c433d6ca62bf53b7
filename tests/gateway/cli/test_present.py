"""How chargers are shown."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.cli.present import state_of


@pytest.mark.parametrize(
    ("connected", "registration", "state"),
    [
        (True, None, "connected"),
        (True, {"blocked": True}, "connected"),  # for another second
        (False, {"blocked": True}, "blocked"),
        (False, {"blocked": False}, "absent"),
        (False, None, "absent"),
    ],
)
def test_the_state_says_why_a_charger_is_not_there(
    connected: bool, registration: dict[str, Any] | None, state: str
) -> None:
    assert state_of({"connected": connected, "registration": registration}) == state
