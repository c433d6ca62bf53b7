"""Rules through the real promtool."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from .rendering import CHART

ALERTS = CHART / "files" / "alerts.yaml"


def groups() -> list[dict[str, Any]]:
    loaded: dict[str, list[dict[str, Any]]] = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))
    return loaded["groups"]


def alerts() -> dict[str, dict[str, Any]]:
    """The alerts by name."""
    return {rule["alert"]: rule for group in groups() for rule in group["rules"] if "alert" in rule}


def promtool(*arguments: str | Path) -> str:
    """Its output. Raises AssertionError when it is not content."""
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


_NAME = re.compile(r"\b(ocppgw_[a-z0-9_]+)")
_SUFFIX = re.compile(r"_(bucket|sum|count)$")


def metrics_of(text: str) -> set[str]:
    """The gateway's metrics that a text names, without the suffixes of histograms."""
    from gateway.metrics_catalogue import CATALOGUE, PREFIX

    histograms = {PREFIX + spec.name for spec in CATALOGUE if spec.kind == "histogram"}
    found = set()
    for name in _NAME.findall(text):
        short = _SUFFIX.sub("", name)
        found.add(short if short in histograms else name)
    return found
