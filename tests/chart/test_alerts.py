"""The alerts that the chart ships: promtool fires each, and does not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.metrics_catalogue import CATALOGUE, PREFIX

from .cases import CASES, PODS
from .promtool import ALERTS, alerts, groups, metrics_of, promtool
from .rendering import ROOT, of, render

RUNBOOKS = ROOT / "docs" / "runbooks"
fast = pytest.mark.fast
SCRAPE = 'namespace="ocpp", job="gateway"'


def with_pod(series: str, pod: str) -> str:
    name, _, labels = series.partition("{")
    return f"{name}{{{', '.join(filter(None, (labels.removesuffix('}'), SCRAPE, pod)))}}}"


@pytest.mark.parametrize("step", ["1m", "10m"])
def test_every_alert_fires_and_does_not(step: str, tmp_path: Path) -> None:
    tests: list[dict[str, Any]] = []
    for case in [case for case in CASES if case.step == step]:
        expected = [{"labels": "{}", "value": 1}] if case.fires else []
        name = f"OcppGateway{case.alert}"
        tests.append(
            {
                "name": f"{name} {'fires' if case.fires else 'is silent'}",
                "interval": step,
                "input_series": [
                    {"series": with_pod(series, pod), "values": values}
                    for series, values in case.series.items()
                    for pod in PODS
                ],
                "promql_expr_test": [
                    {
                        "expr": f'count(count by (alertname) (ALERTS{{alertname="{name}", alertstate="firing"}}))',
                        "eval_time": case.at,
                        "exp_samples": expected,
                    }
                ],
            }
        )
    run(tests, tmp_path, step)


def run(tests: list[dict[str, Any]], directory: Path, step: str = "1m") -> None:
    file = directory / "tests.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [str(ALERTS)], "evaluation_interval": step, "tests": tests}))
    promtool("test", "rules", file)


def test_cases_are_complete() -> None:
    for name in alerts():
        outcomes = {case.fires for case in CASES if f"OcppGateway{case.alert}" == name}
        assert outcomes == {True, False}, name
    assert {f"OcppGateway{case.alert}" for case in CASES} == set(alerts())


def test_a_rolling_update_is_silent(tmp_path: Path) -> None:
    """Pods a and b become c and d, one after the other; the chargers move within a minute."""
    life = {"a": "1x20 _x60", "b": "1x22 _x58", "c": "_x20 1x60", "d": "_x22 1x58"}
    chargers = {"a": "500x19 0 _x60", "b": "500x19 1000x2 0 _x58", "c": "_x20 0x2 1000x58", "d": "_x22 0x58"}
    calls = {"a": "0+300x20 _x60", "b": "0+300x22 _x58", "c": "_x20 0+300x60", "d": "_x22 0+300x58"}
    tries = {"a": "500x20 _x60", "b": "500x19 1000x2 _x58", "c": "_x20 0x2 1000x58", "d": "_x22 0x58"}
    series: list[dict[str, str]] = []

    def add(name: str, values: dict[str, str]) -> None:
        for pod, value in values.items():
            series.append({"series": with_pod(name, f'pod="{pod}", instance="{pod}:9001"'), "values": value})

    add('ocppgw_build_info{version="1"}', life)
    add("ocppgw_redis_up", life)
    add("ocppgw_config_last_reload_successful", life)
    add('ocppgw_connections{ocpp_version="1.6"}', chargers)
    add("ocppgw_connections_limit", {pod: value.replace("1x", "10000x") for pod, value in life.items()})
    add('ocppgw_connection_attempts_total{ocpp_version="1.6", outcome="accepted"}', tries)
    add('ocppgw_calls_total{initiator="charger", action="Heartbeat", outcome="ok"}', calls)
    add('ocppgw_calls_total{initiator="charger", action="Heartbeat", outcome="abandoned"}', tries)
    add('ocppgw_upstream_sessions{upstream="main", state="connected"}', chargers)
    add(
        'ocppgw_upstream_sessions{upstream="main", state="connecting"}',
        {pod: value.replace("1x", "5x") for pod, value in life.items()},
    )
    add('ocppgw_stream_acked_total{upstream="main"}', calls)
    add('ocppgw_stream_delivered_total{upstream="main"}', calls)
    add('ocppgw_stream_pending_messages{upstream="main"}', life)
    add('ocppgw_stream_oldest_undelivered_age_seconds{upstream="main"}', life)
    add('ocppgw_processing_duration_seconds_count{stage="dequeue"}', calls)
    add('ocppgw_processing_duration_seconds_bucket{stage="dequeue", le="0.05"}', calls)
    add(
        'ocppgw_messages_dropped_total{upstream="main", class="transaction", reason="retention"}',
        {pod: value.replace("1x", "0x") for pod, value in life.items()},
    )
    quiet = [
        {"expr": 'ALERTS{alertstate="firing"}', "eval_time": f"{minute}m", "exp_samples": []} for minute in range(1, 60)
    ]
    run([{"interval": "1m", "input_series": series, "promql_expr_test": quiet}], tmp_path)


def test_texts_are_filled_in(tmp_path: Path) -> None:
    rule = alerts()["OcppGatewayDeadLetters"]
    told = {
        "exp_labels": {"severity": "warning", "namespace": "ocpp", "job": "gateway", "upstream": "main"},
        "exp_annotations": rule["annotations"]
        | {"description": "3 messages for main were put aside; look at them with ocpp-gateway dlq."},
    }
    run(
        [
            {
                "interval": "1m",
                "input_series": [
                    {"series": with_pod('ocppgw_dead_letters_kept{upstream="main"}', PODS[0]), "values": "3x20"}
                ],
                "alert_rule_test": [{"eval_time": "10m", "alertname": "OcppGatewayDeadLetters", "exp_alerts": [told]}],
            }
        ],
        tmp_path,
    )


def test_lint() -> None:
    assert "SUCCESS" in promtool("check", "rules", "--lint=all", "--lint-fatal", ALERTS)


def test_rendered_rules_are_those_of_the_file_with_the_changes_of_the_values(tmp_path: Path) -> None:
    spec = of(render("production-values.yaml"), "PrometheusRule")["spec"]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(spec))
    promtool("check", "rules", "--lint=all", "--lint-fatal", tmp_path / "rules.yaml")
    shipped = {rule["alert"]: rule for group in spec["groups"] for rule in group["rules"] if "alert" in rule}
    assert set(alerts()) - set(shipped) == {"OcppGatewayTranslationErrors"}
    old = shipped["OcppGatewayUpstreamQueueOld"]
    assert old["expr"].endswith("> 120") and old["for"] == "10m" and old["labels"]["severity"] == "warning"
    for name, rule in shipped.items():
        assert rule["annotations"]["runbook_url"] == f"https://docs.example/docs/runbooks/{name}.md"
        assert rule["annotations"]["dashboard_url"].startswith("https://grafana.example/d/ocppgw-")
        if name != "OcppGatewayUpstreamQueueOld":
            assert rule["expr"] == alerts()[name]["expr"]


@fast
def test_form() -> None:
    assert len(alerts()) >= 17
    for name, rule in alerts().items():
        assert re.fullmatch(r"OcppGateway[A-Z][A-Za-z]+", name)
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert {"summary", "description", "runbook_url", "dashboard_url"} == set(rule["annotations"])
        assert re.search(r"\n[<>] [0-9.]+$", rule["expr"]), (
            f"{name}: the threshold must be a line of its own, at the end"
        )


@fast
def test_each_alert_has_its_page_and_each_page_its_alert() -> None:
    pages = {path.stem: path.read_text(encoding="utf-8") for path in RUNBOOKS.glob("OcppGateway*.md")}
    assert set(pages) == set(alerts())
    for name, text in pages.items():
        assert text.startswith(f"# {name}\n")
        headings = re.findall(r"^## (.+)$", text, re.M)
        assert headings == ["What it means", "How to confirm", "What to do"], name
        assert alerts()[name]["annotations"]["runbook_url"] == f"docs/runbooks/{name}.md"
        assert f"]({name}.md)" in (RUNBOOKS / "README.md").read_text(encoding="utf-8")


@fast
def test_every_metric_named_anywhere_exists() -> None:
    known = {PREFIX + spec.name for spec in CATALOGUE}
    texts = [ALERTS, *RUNBOOKS.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "README.md"]
    texts += [*(ROOT / "helm").rglob("*.yaml"), *(ROOT / "helm").rglob("*.json"), *(ROOT / "helm").rglob("*.tpl")]
    for path in texts:
        assert metrics_of(path.read_text(encoding="utf-8")) <= known, path.name


@fast
def test_recorded_series_are_the_only_ones_used() -> None:
    recorded = {rule["record"] for group in groups() for rule in group["rules"] if "record" in rule}
    used = set(re.findall(r"ocppgw:[a-z_:0-9]+", ALERTS.read_text()))
    assert used == recorded
