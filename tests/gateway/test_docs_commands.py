"""Every command and option of ocpp-gateway that a page, a runbook, an alert or the chart names exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from gateway.cli.commands import app

ROOT = Path(__file__).parents[2]
PROGRAM: Any = typer.main.get_command(app)
CALL = re.compile(r"(?<![\w/.-])ocpp-gateway((?: +[^\s`|;#&)>]+)+)")
"""A call in a sentence, a table or a script, up to what cannot belong to it."""


def pages() -> Iterator[Path]:
    for folder in ("docs", "helm", "deploy"):
        yield from (path for path in (ROOT / folder).rglob("*.md") if path.name != "cli.md")
    yield from (ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"))
    yield ROOT / "helm" / "ocpp-gateway" / "templates" / "NOTES.txt"
    yield ROOT / "helm" / "ocpp-gateway" / "files" / "alerts.yaml"


def wrong(words: list[str]) -> str:
    """What is wrong with a call; empty: nothing, or it is prose."""
    at = PROGRAM
    named = False
    for index, word in enumerate(words):
        word = word.strip("\"'.,:")
        if hasattr(at, "commands") and word in at.commands:
            at, named = at.commands[word], True
        elif hasattr(at, "commands") and re.fullmatch(r"[a-z-]{3,}", word) and named:
            return f"no command {' '.join(words[: index + 1])}"
        elif word.startswith("--") and named:
            option = word.partition("=")[0].partition("/")[0]
            known = {each for parameter in at.params for each in (*parameter.opts, *parameter.secondary_opts)}
            if option not in known | {"--help"}:
                return f"no option {option} of {' '.join(words[:index])}"
    return ""


@pytest.mark.parametrize("path", sorted(pages()), ids=lambda path: str(path.relative_to(ROOT)))
def test_calls_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    assert [found for call in CALL.findall(text) if (found := wrong(call.split()))] == []


def test_wrong_ones_are_found() -> None:
    assert wrong(["queue", "explode"]) and wrong(["upstreams", "list", "--loud"])
    assert not wrong(["upstreams", "list", "--output", "json"]) and not wrong(["is", "a", "program"])
