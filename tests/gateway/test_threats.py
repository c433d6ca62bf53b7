"""The table of threats names keys, metrics and tests that exist."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from msgspec import inspect

from gateway.config import Config
from gateway.metrics_catalogue import CATALOGUE
from tools.threat_docs import Threat, sections

TESTS = Path(__file__).parent.parent
ROWS = [row for section in sections() for row in section.rows]


@cache
def functions(file: str) -> frozenset[str]:
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    return frozenset(
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not any("skip" in ast.unparse(each) for each in node.decorator_list)
    )


def is_key(path: str) -> bool:
    kind: Any = inspect.type_info(Config)
    for part in path.split("."):
        while not isinstance(kind, inspect.StructType):
            kind = getattr(kind, "type", None) or getattr(kind, "item_type", None) or kind.value_type
        found = [field for field in kind.fields if field.encode_name == part]
        if not found:
            return False
        kind = found[0].type
    return True


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.threat)
def test_what_is_named_exists(row: Threat) -> None:
    assert row.tests, "a control that no test shows is a wish"
    for name in row.tests:
        file, _, function = name.partition("::")
        assert function in functions(file), name
    assert [key for key in row.keys if not is_key(key)] == []
    names = {spec.name for spec in CATALOGUE}
    assert [metric for metric in row.metrics if metric not in names] == []


def test_what_is_no_key() -> None:
    assert is_key("listen.tls.cert") and is_key("upstreams.url") and not is_key("listen.nothing")
