from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import FAILED, plug_in, pytest_runtest_makereport, start_csms, start_gateway

from .fleet import Fleet

__all__ = ["plug_in", "pytest_runtest_makereport", "start_csms", "start_gateway"]

MakeFleet = Callable[..., Fleet]
Start = Callable[..., Awaitable[None]]


@pytest.fixture
async def fleet(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Fleet]:
    """Nothing runs yet; whatever the test starts is ended with it, and must end well."""
    fleet = Fleet(tmp_path)
    try:
        yield fleet
    finally:
        codes = await fleet.stop()
    if request.node.stash.get(FAILED, False):
        print(fleet.tails())
    else:
        assert all(code == 0 for code in codes), f"{codes}\n{fleet.tails()}"
