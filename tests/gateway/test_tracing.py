"""While nothing is traced, tracing costs the tests of a flag, and no more of them than docs/observability.md says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = [path for path in (ROOT / "gateway").rglob("*.py") if path.name not in ("tracing.py", "exporting.py")]
OF_A_CALL = {"said", "stored", "begun", "asked", "done", "answered"}
"""What is told of one CALL of a charger to one upstream."""


def told(node: ast.AST, armed: bool) -> Iterator[tuple[str, bool]]:
    """(method of `tracing.current`, whether `tracing.armed` was tested before)."""
    if isinstance(node, ast.If | ast.IfExp):
        tested = armed or "tracing.armed" in ast.unparse(node.test)
        body = node.body if isinstance(node.body, list) else [node.body]
        other = node.orelse if isinstance(node.orelse, list) else [node.orelse]
        for each in body:
            yield from told(each, tested)
        for each in other:
            yield from told(each, armed)
        return
    if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "tracing.current":
        yield node.attr, armed
    for child in ast.iter_child_nodes(node):
        yield from told(child, armed)


def test_the_flag_is_tested_first() -> None:
    found = [each for path in SOURCES for each in told(ast.parse(path.read_text(encoding="utf-8")), False)]
    assert {name for name, _ in found} >= OF_A_CALL
    assert [name for name, armed in found if not armed] == []
    assert len([name for name, _ in found if name in OF_A_CALL]) == len(OF_A_CALL), "each is told at one place"
    text = (ROOT / "docs" / "observability.md").read_text(encoding="utf-8")
    counts = re.findall(r"a CALL costs (\w+) tests of\s+a flag", text)
    assert counts == ["six"] and len(OF_A_CALL) == 6
