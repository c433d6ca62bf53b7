"""For all tests: what Hypothesis measures with a clock says something about this machine, not about the gateway; and no test
leaves the log writing to a stream that ends with it."""

import os
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("busy")


def pytest_xdist_auto_num_workers() -> int:
    """Half of a test's time is waiting, for processes that start and leases that end."""
    return 2 * (os.cpu_count() or 1)


@pytest.fixture(autouse=True)
def log_as_it_was() -> Iterator[None]:
    yield
    if structlog.is_configured():
        structlog.reset_defaults()
