"""What a dashboard is made of here. In expressions `$s` stands for the selectors of the variables namespace and job, `$u` for
these and upstream."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

SELECT = 'namespace=~"$namespace", job=~"$job"'
SELECT_UPSTREAM = f'{SELECT}, upstream=~"$upstream"'

Kind = Literal["timeseries", "stat", "heatmap", "bars"]


@dataclass(frozen=True)
class Query:
    """An expression and the name of its series in the legend."""

    text: str
    legend: str = ""

    @property
    def expr(self) -> str:
        return self.text.replace("$u", SELECT_UPSTREAM).replace("$s", SELECT)


@dataclass(frozen=True)
class Panel:
    title: str
    description: str
    unit: str
    queries: tuple[Query, ...]
    kind: Kind = "timeseries"
    width: int = 8
    """Of 24."""
    bad: float | None = None
    """From here on a number is red."""
    bad_below: bool = False
    stacked: bool = False


@dataclass(frozen=True)
class Dashboard:
    uid: str
    title: str
    description: str
    rows: tuple[tuple[str, tuple[Panel, ...]], ...]
    by_upstream: bool = False
    tags: tuple[str, ...] = field(default=("ocpp-gateway",))


def quantile(q: float, metric: str, selector: str = "$s", by: str = "") -> str:
    labels = f"{by}, le" if by else "le"
    return f"histogram_quantile({q}, sum by ({labels}) (rate({metric}_bucket{{{selector}}}[$__rate_interval])))"


def rate(metric: str, by: str = "", labels: str = "$s") -> str:
    total = f"sum by ({by})" if by else "sum"
    return f"{total} (rate({metric}{{{labels}}}[$__rate_interval]))"
