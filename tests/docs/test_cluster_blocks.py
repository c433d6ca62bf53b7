"""What needs a cluster is taken as far as it goes without one: helm renders what would be installed, and knows every flag."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from ..chart.rendering import CHART, helm
from .blocks import Block, blocks, words
from .parser import segments

pytestmark = pytest.mark.chart
_CLUSTER = [block for block in blocks() if block.said.get("not run") == "cluster"]
_ONLY_INSTALLING = ("--create-namespace", "--wait")


@cache
def _help(command: str) -> str:
    return helm(command, "--help")


def _rendered(arguments: list[str], directory: Path) -> str:
    kept = [part for part in arguments[1:] if part not in _ONLY_INSTALLING]
    kept = [str(directory / part) if (directory / part).is_file() else part for part in kept]
    return helm("template", *(str(CHART) if part == "helm/ocpp-gateway" else part for part in kept))


@pytest.mark.parametrize("block", _CLUSTER, ids=lambda block: block.name)
def test_helm_renders_what_a_page_installs(block: Block, tmp_path: Path) -> None:
    for each in blocks():
        if each.page == block.page and "file" in each.said:
            (tmp_path / each.said["file"]).write_text(each.text)
    calls = [part for command in block.commands for part in segments(words(command.text))]
    assert {call[0] for call in calls} <= {"helm", "kubectl"}
    for call in calls:
        if call[0] == "helm":
            known = _help(call[1])
            flags = [flag.partition("=")[0] for flag in call if flag.startswith("--")]
            assert [flag for flag in flags if not re.search(rf"{flag}\b", known)] == []
            if call[1] in ("install", "upgrade"):
                assert "kind: Deployment" in _rendered(call[1:], tmp_path)


def test_objects_that_pages_name_are_rendered(tmp_path: Path) -> None:
    page = "docs/how-to/kubernetes.md"
    (tmp_path / "values.yaml").write_text(
        next(each.text for each in blocks() if each.page == page and "file" in each.said)
    )
    arguments = ["install", "gateway", "helm/ocpp-gateway", "--values", "values.yaml"]
    text = _rendered(arguments, tmp_path)
    named = {name for block in _CLUSTER for name in re.findall(r"deploy/([a-z-]+)", block.text)}
    assert named
    for name in named:
        assert re.search(rf"kind: Deployment\nmetadata:\n  name: {name}\n", text), name
    created = {
        name for block in _CLUSTER for name in re.findall(r"create secret (?:tls|generic) ([a-z-]+)", block.text)
    }
    wanted = set(re.findall(r"secretName: (\S+)|(?<=secretKeyRef:\n)[ ]*name: (\S+)", text))
    assert created <= {name for pair in wanted for name in pair} | set(re.findall(r"secret:\n +name: (\S+)", text))
