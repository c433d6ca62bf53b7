"""How long a drain takes at most: what an orchestrator has to wait between SIGTERM and SIGKILL."""

from __future__ import annotations

from math import ceil
from typing import Final

from gateway.config import Config

CLOSING_SECONDS: Final = 5
"""For the answers of the last chargers to the closing of their sockets."""
LEAVING_SECONDS: Final = 10
"""For leases that are handed over, what is still on its way to the store, and an embedded store that writes its files."""


def grace(config: Config, roles: frozenset[str]) -> int:
    """Whole seconds from the first signal to the end of the process, with as many chargers as may connect."""
    drain = config.drain
    seconds = drain.timeout + LEAVING_SECONDS
    if "edge" in roles:
        seconds += drain.delay + config.max_connections / drain.close_rate + CLOSING_SECONDS
    return ceil(seconds)
