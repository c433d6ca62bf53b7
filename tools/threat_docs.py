"""docs/threats.md from tools/threats.yaml."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import yaml

ROOT = Path(__file__).parent.parent


class Threat(msgspec.Struct, forbid_unknown_fields=True):
    """One row."""

    threat: str
    control: str
    tests: list[str]
    keys: list[str] = []
    metrics: list[str] = []


class Section(msgspec.Struct, forbid_unknown_fields=True):
    """Rows about one thing."""

    about: str
    rows: list[Threat]


def sections() -> list[Section]:
    """The whole table."""
    text = (ROOT / "tools" / "threats.yaml").read_text(encoding="utf-8")
    return msgspec.convert(yaml.safe_load(text), list[Section])


def page() -> str:
    """docs/threats.md."""
    lines = [
        "# Threats",
        "",
        "<!-- Made by `make docs` from the program. Edit the sources, not this file. -->",
        "",
        "What somebody who reaches the gateway may try, what is done about it, and the tests that show it. What to set before",
        "chargers come from the internet: [Hardening](hardening.md). What each malformed input gets: `gateway/edge/malformed.yaml`.",
    ]
    for section in sections():
        lines += ["", f"## {section.about}", "", "| Threat | Control | Keys, metrics | Shown by |", "|---|---|---|---|"]
        for row in section.rows:
            names = [f"`{key}`" for key in row.keys] + [f"`ocppgw_{metric}`" for metric in row.metrics]
            cells = (row.threat, row.control, "<br>".join(names), "<br>".join(map(_test, row.tests)))
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _test(name: str) -> str:
    file, _, function = name.partition("::")
    return f"[{function}](../tests/{file})"


def pages() -> dict[str, Callable[[], str]]:
    """For tools.docs."""
    return {"threats.md": page}
