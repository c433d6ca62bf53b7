"""The dashboards that the chart ships."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from .rendering import CHART

Model = dict[str, Any]


@cache
def boards() -> dict[str, Model]:
    """By file name."""
    paths = sorted((CHART / "files" / "dashboards").glob("*.json"))
    return {path.stem: json.loads(Path(path).read_text(encoding="utf-8")) for path in paths}


def panels(board: Model) -> Iterator[Model]:
    """All panels but rows, those of closed rows too."""
    for panel in board["panels"]:
        if panel["type"] == "row":
            yield from panel.get("panels") or []
        else:
            yield panel


def queries() -> list[tuple[str, str]]:
    """(dashboard / panel / query, expression)."""
    return [
        (f"{name} / {panel['title']} / {target['refId']}", target["expr"])
        for name, board in boards().items()
        for panel in panels(board)
        for target in panel["targets"]
    ]


def filled(expression: str, interval: str = "5s", shown: str = "1m") -> str:
    """With Grafana's variables replaced."""
    for name, value in (("__rate_interval", interval), ("__range", shown)):
        expression = expression.replace(f"${name}", value)
    for name in ("namespace", "job", "upstream"):
        expression = expression.replace(f'"${name}"', '".*"')
    return expression
