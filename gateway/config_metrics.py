"""The section `metrics` of the configuration."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class MetricsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is measured beyond what always is. Both cost series in Prometheus, one per model or charger."""

    models: Annotated[tuple[str, ...], Meta(max_length=50)] = ()
    """Models that `ocppgw_chargers` counts apart, as `Vendor/Model` or `Vendor/*`; all others are `other`. Case does not matter."""
    per_charger: Annotated[int, Meta(ge=0, le=100_000)] = 0
    """Most chargers of one process that `/metrics/chargers` shows one by one; 0: there is no such page. It names identities, and
    so needs a token like `/api/v1`."""
