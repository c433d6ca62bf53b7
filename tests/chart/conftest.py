from __future__ import annotations

from pathlib import Path

import pytest

from .rendering import HELMS, TOOLS, helm

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests here need the tools, but those that are marked otherwise."""
    for item in items:
        if HERE in item.path.parents and not any(map(item.get_closest_marker, ("fast", "cluster"))):
            item.add_marker(pytest.mark.chart)


@pytest.fixture(scope="session", autouse=True)
def tools(request: pytest.FixtureRequest) -> None:
    needed = any(item.get_closest_marker("chart") for item in request.session.items)
    if needed and not all((TOOLS / name).is_file() for name in HELMS):
        pytest.fail("the tools are missing: run tests/chart/install.sh", pytrace=False)
    if needed:
        try:
            helm("version")
        except OSError as error:
            pytest.skip(f"the helm of PyPI does not run on this machine: {error}")
