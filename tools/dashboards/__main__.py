"""Writes the dashboards; `--check` writes nothing and exits with 1 when one is out of date."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tools.dashboards.fleet import FLEET
from tools.dashboards.grafana import made
from tools.dashboards.internals import INTERNALS
from tools.dashboards.translation import TRANSLATION
from tools.dashboards.upstreams import UPSTREAMS

FOLDER = Path(__file__).parents[2] / "helm" / "ocpp-gateway" / "files" / "dashboards"


def main(arguments: list[str]) -> int:
    """The exit code."""
    stale = 0
    for dashboard in (FLEET, UPSTREAMS, TRANSLATION, INTERNALS):
        path = FOLDER / f"{dashboard.uid}.json"
        text = json.dumps(made(dashboard), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        if "--check" in arguments:
            print(f"{path.name} is out of date: run make dashboards")
            stale = 1
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"{path.name} written")
    return stale


sys.exit(main(sys.argv[1:]))
