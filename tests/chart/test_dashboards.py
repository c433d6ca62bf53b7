"""Form of the dashboards, after the rules of Grafana's dashboard-linter."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml

from gateway.metrics_catalogue import CATALOGUE, PREFIX
from tools.dashboards import links

from .boards import boards, filled, panels, queries
from .promtool import alerts, metrics_of, promtool
from .rendering import ROOT, TOOLS, of, render

fast = pytest.mark.fast
COUNTERS = {PREFIX + spec.name for spec in CATALOGUE if spec.kind == "counter"}
HISTOGRAMS = {PREFIX + spec.name for spec in CATALOGUE if spec.kind == "histogram"}


def test_they_are_those_of_the_code() -> None:
    command = [TOOLS / "python" / "bin" / "python", "-m", "tools.dashboards", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@fast
def test_form() -> None:
    assert len(boards()) == 4
    for name, board in boards().items():
        assert board["uid"] == name and board["title"].startswith("OCPP gateway / ") and board["description"]
        assert board["editable"] is False
        variables = {each["name"]: each for each in board["templating"]["list"]}
        assert list(variables)[:3] == ["datasource", "namespace", "job"]
        assert variables["datasource"]["type"] == "datasource"
        assert (variables["logs"]["query"], variables["traces"]["query"]) == ("loki", "tempo")
        ids = [panel["id"] for panel in board["panels"]]
        assert len(set(ids)) == len(ids) and 0 not in ids
        places = set()
        for panel in panels(board):
            where = f"{name} / {panel['title']}"
            assert panel["title"] and panel["description"].endswith("."), where
            assert panel["fieldConfig"]["defaults"]["unit"], where
            assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, where
            assert panel["targets"], where
            names = [target["refId"] for target in panel["targets"]]
            assert len(set(names)) == len(names) and all(names), where
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= 24, where
            cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
            assert not cells & places, f"{where} lies over another panel"
            places |= cells


@fast
def test_expressions() -> None:
    for name, expression in queries():
        for selector in re.findall(r"(?:ocppgw|process)_\w+(\{[^}]*\})?", expression):
            assert 'namespace=~"$namespace", job=~"$job"' in selector, name
        for window in re.findall(r"\[([^\]]+)\]", expression):
            assert window in ("$__rate_interval", "$__range"), name
        for metric in re.findall(r"(ocppgw_\w+)\{", expression):
            if metric in COUNTERS or metric.endswith("_bucket"):
                assert re.search(rf"(rate|increase)\({metric}\{{", expression), f"{name}: a counter without rate()"


@fast
def test_every_metric_exists() -> None:
    known = {PREFIX + spec.name for spec in CATALOGUE}
    for name, expression in queries():
        assert metrics_of(expression) <= known, name


@fast
def test_panels_lead_to_log_lines_and_traces_that_exist() -> None:
    """Events are those of the code, attributes those of the spans; every entry of the table has its panel."""
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "gateway").rglob("*.py"))
    spans = (ROOT / "gateway" / "tracing.py").read_text(encoding="utf-8")
    kinds: dict[str, set[str]] = {"Log": set(), "Traces": set()}
    for name, board in boards().items():
        for panel in panels(board):
            for link in panel["fieldConfig"]["defaults"].get("links") or []:
                kinds[link["title"]].add(f"{name}/{panel['title']}")
                address = unquote(link["url"]).replace("${logs}", "L").replace("${traces}", "T")
                [query] = json.loads(address.partition("panes=")[2])["a"]["queries"]
                if link["title"] == "Log":
                    assert query["datasource"] == {"type": "loki", "uid": "L"}
                    events = re.search(r'event=~"([a-z_|]+)"', query["expr"])
                    assert events is not None
                    for event in events[1].split("|"):
                        assert f'"{event}"' in source, f"{panel['title']}: {event}"
                else:
                    assert query["datasource"] == {"type": "tempo", "uid": "T"}
                    for attribute in re.findall(r'span\."([a-z._]+)"', query["query"]):
                        assert f'"{attribute}"' in spans, f"{panel['title']}: {attribute}"
    assert kinds == {"Log": set(links.LOGS), "Traces": set(links.TRACES)}


@fast
def test_alerts_lead_to_dashboards() -> None:
    assert {rule["annotations"]["dashboard_url"] for rule in alerts().values()} == {f"d/{name}" for name in boards()}


def test_expressions_parse(tmp_path: Path) -> None:
    rules = [{"record": f"query:{index}", "expr": filled(expr)} for index, (_, expr) in enumerate(queries())]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": rules}]}))
    promtool("check", "rules", tmp_path / "rules.yaml")


def test_each_is_a_configmap_that_the_sidecar_finds() -> None:
    docs = render("production-values.yaml")
    for name in boards():
        found = of(docs, "ConfigMap", name.removeprefix("ocppgw"))
        assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert found["metadata"]["namespace"] == "monitoring"
        assert list(found["data"]) == [f"{name}.json"]
