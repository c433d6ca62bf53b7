"""For all tests: what Hypothesis measures with a clock says something about this machine, not about the gateway; and no test
leaves the log writing to a stream that ends with it."""

from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("busy")


@pytest.fixture(autouse=True)
def log_as_it_was() -> Iterator[None]:
    yield
    if structlog.is_configured():
        structlog.reset_defaults()
