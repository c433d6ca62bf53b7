"""The chart through the real helm."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "ocpp-gateway"
TOOLS = ROOT / ".chart"
HELMS = ("helm3", "helm4")
CI = tuple(sorted(path.name for path in (CHART / "ci").glob("*-values.yaml")))
OLDEST, NEWEST = "1.28.0", "1.37.0"

Doc = dict[str, Any]


class HelmError(Exception):
    """What helm said when it failed."""


def helm(*arguments: str | Path, binary: str = "helm4", patience: float = 60) -> str:
    """Standard output of helm. Raises HelmError. It keeps nothing outside of the project."""
    home = TOOLS / "home"
    environment = os.environ | {f"HELM_{name}_HOME": str(home) for name in ("CACHE", "CONFIG", "DATA")}
    done = subprocess.run(
        [TOOLS / binary, *arguments], capture_output=True, text=True, timeout=patience, env=environment, check=False
    )
    if done.returncode:
        raise HelmError(done.stderr)
    if warnings := [line for line in done.stderr.splitlines() if "warning" in line.lower()]:
        raise HelmError("\n".join(warnings))
    return done.stdout


@cache
def text(
    *values: str, sets: tuple[str, ...] = (), binary: str = "helm4", kube: str = NEWEST, lint: bool = False
) -> str:
    """`helm template` with values files of ci/ (or paths) and --set pairs."""
    files = [str(CHART / "ci" / name) if "/" not in name else name for name in values]
    arguments = [part for file in files for part in ("--values", file)]
    arguments += [part for pair in sets for part in ("--set", pair)]
    if lint:
        return helm("lint", "--strict", CHART, *arguments, binary=binary)
    return helm("template", "r", CHART, "--namespace", "ocpp", "--kube-version", kube, *arguments, binary=binary)


def render(*values: str, **options: Any) -> list[Doc]:
    """The objects."""
    return [doc for doc in yaml.safe_load_all(text(*values, **options)) if doc]


def of(docs: list[Doc], kind: str, name: str = "") -> Doc:
    """The only object of a kind, or the one whose name ends with `name`."""
    found = [doc for doc in docs if doc["kind"] == kind and doc["metadata"]["name"].endswith(name)]
    assert len(found) == 1, f"{len(found)} {kind} {name}"
    return found[0]


def pods(docs: list[Doc]) -> list[tuple[str, Doc]]:
    """(name, pod spec) of everything that makes pods."""
    return [
        (doc["metadata"]["name"], doc["spec"] if doc["kind"] == "Pod" else doc["spec"]["template"]["spec"])
        for doc in docs
        if doc["kind"] in ("Deployment", "StatefulSet", "Job", "Pod")
    ]
