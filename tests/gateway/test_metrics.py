"""Metrics: closed labels, a bounded number of series, an exposition that Prometheus reads."""

from __future__ import annotations

import ast
import itertools
import re
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

import gateway
from gateway.journal.lua import scripts
from gateway.metrics import Family, Metrics, action_group
from gateway.metrics_catalogue import CATALOGUE, OTHER, PREFIX, STORE_COMMANDS, STORE_STAGES, UPSTREAMS, VERSIONS

NAMES = ("main", "legacy")


def samples(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(metrics.render().decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return samples(metrics)[PREFIX + name, frozenset(labels.items())]


def test_cells_count() -> None:
    metrics = Metrics(NAMES)
    cell = metrics.messages.cell("charger", "in", "call", "Heartbeat", "ocpp1.6")
    cell.n += 1
    assert metrics.messages.cell("charger", "in", "call", "Heartbeat", "1.6") is cell
    labels = {"side": "charger", "direction": "in", "type": "call", "action": "Heartbeat", "ocpp_version": "1.6"}
    assert value(metrics, "messages_total", **labels) == 1


def test_histograms_are_cumulative() -> None:
    metrics = Metrics(NAMES)
    cell = metrics.call_duration.cell("charger", action_group("StartTransaction"))
    for seconds in (0.01, 0.02, 100):
        cell.observe(seconds)
    labels = {"initiator": "charger", "action_group": "transaction"}
    assert value(metrics, "call_duration_seconds_bucket", le="0.01", **labels) == 1
    assert value(metrics, "call_duration_seconds_bucket", le="0.025", **labels) == 2
    assert value(metrics, "call_duration_seconds_bucket", le="+Inf", **labels) == 3
    assert value(metrics, "call_duration_seconds_count", **labels) == 3
    assert value(metrics, "call_duration_seconds_sum", **labels) == pytest.approx(100.03)


def test_what_a_peer_invents_is_other() -> None:
    metrics = Metrics(NAMES)
    cell = metrics.calls.cell("charger", "Invented", "ok")
    assert cell is metrics.calls.cell("charger", "AlsoInvented", "ok") is metrics.calls.cell("charger", "other", "ok")
    assert metrics.disconnects.cell("1234", "999") is metrics.disconnects.cell("other", "other")


def test_what_the_program_invents_is_an_error() -> None:
    metrics = Metrics(NAMES)
    with pytest.raises(ValueError, match="label upstream has no value 'unknown'"):
        metrics.stream_acked.cell("unknown")
    with pytest.raises(ValueError, match="has the labels"):
        metrics.stream_acked.cell()
    with pytest.raises(ValueError, match="label side"):
        metrics.sent_bytes.cell("backend")


def test_unknown_gauges_can_be_dropped() -> None:
    metrics = Metrics(NAMES)
    metrics.stream_oldest_undelivered_age.cell("main").n = 3
    metrics.stream_oldest_undelivered_age.drop("main")
    assert b'oldest_undelivered_age_seconds{upstream="main"}' not in metrics.render()


def test_counters_exist_before_the_first_event() -> None:
    metrics = Metrics(NAMES)
    assert value(metrics, "stream_published_total") == 0
    assert value(metrics, "stream_acked_total", upstream="legacy") == 0
    assert value(metrics, "transactions_total", event="orphaned") == 0
    metrics.know([*NAMES, "later"])
    for upstream in ("legacy", "later"):
        lost = {"upstream": upstream, "class": "transaction", "reason": "retention"}
        assert value(metrics, "messages_dropped_total", **lost) == 0
        assert value(metrics, "dead_letters_total", upstream=upstream, reason="poisoned") == 0


def test_what_a_removed_upstream_has_counted_is_exported_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = Metrics(NAMES)
    acked, wait = metrics.stream_acked.cell("legacy"), metrics.stream_wait.cell("legacy")
    acked.n, metrics.parked_bytes.cell("legacy").n = 3, 7
    wait.observe(1)
    metrics.know(["main"])
    assert value(metrics, "stream_acked_total", upstream="legacy") == 3, "its end is seen"
    assert b'parked_bytes{upstream="legacy"}' not in metrics.render(), "a state of now is none any more"
    monkeypatch.setattr("gateway.metrics.REMEMBERED_SECONDS", -1)
    assert b"legacy" not in metrics.render() and b"legacy" not in metrics.render(exemplars=True)
    assert value(metrics, "stream_acked_total", upstream="main") == 0
    acked.n += 1  # it is removed and added again; whoever counts has kept the cell
    metrics.know(NAMES)
    assert value(metrics, "stream_acked_total", upstream="legacy") == 4
    assert value(metrics, "stream_wait_seconds_count", upstream="legacy") == 1


def families(metrics: Metrics) -> list[Family]:
    return [each for each in vars(metrics).values() if isinstance(each, Family)]


def test_the_lost_fields_are_a_closed_set() -> None:
    lossy = Metrics(NAMES).translation_lossy_fields
    lossy.cell("1.6", "2.0.1", "StatusNotification", "vendorId").n += 1
    lossy.cell("1.6", "2.0.1", "StatusNotification", "invented by a peer").n += 1
    assert [values[3] for values, _ in lossy.items()] == ["vendorId", "other"]


def test_series_budget() -> None:
    """At most 3,000 series with two upstreams, whatever happens."""
    metrics = Metrics(NAMES)
    for family in families(metrics):
        if family.spec.name == "build_info":
            continue
        values = [
            NAMES if label.values is UPSTREAMS else label.values[:40] if label.name == "field" else label.values
            for label in family.spec.labels
        ]
        for combination in itertools.product(*values):
            family.cell(*combination)
    lines = [line for line in metrics.render().splitlines() if not line.startswith(b"#")]
    assert 1500 < len(lines) <= 3000


def test_our_text_is_the_librarys() -> None:
    """What is written fast says what prometheus-client would have said."""
    metrics = Metrics(NAMES)
    metrics.build_info.cell('1"x', "back\\slash\n", "3").n = 1
    metrics.stream_oldest_undelivered_age.cell("main").n = float("nan")
    metrics.config_last_reload_success.cell().n = 1.7e9 + 0.25
    metrics.received_bytes.cell("csms").n = 12345678901234567890
    metrics.call_duration.cell("charger", "boot").observe(0.3)
    metrics.event_loop_lag.cell().observe(99)

    def read(text: str) -> dict[str, tuple[str, str, dict]]:
        return {
            family.name: (
                family.type,
                family.documentation,
                {(each.name, tuple(sorted(each.labels.items()))): repr(float(each.value)) for each in family.samples},
            )
            for family in text_string_to_metric_families(text)
            if family.name.startswith(PREFIX)
        }

    assert read(metrics.render().decode()) == read(generate_latest(metrics.registry).decode())


def test_every_metric_of_the_catalogue_has_an_attribute() -> None:
    assert [family.spec for family in families(Metrics(NAMES))] == list(CATALOGUE)


def test_every_metric_of_the_catalogue_has_a_writer() -> None:
    """Somewhere in gateway/ the attribute is used: by more than what declares metrics, or only reads them."""
    source = Path(gateway.__file__).parent
    readers = {source / "metrics.py", source / "counting.py"}
    used = {
        node.attr
        for path in source.rglob("*.py")
        if path not in readers
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and _of_metrics(node.value)
    }
    written_here = {"build_info", "tasks", "redis_command_duration", "processing_duration"}
    assert {name for name, each in vars(Metrics()).items() if isinstance(each, Family)} - used == written_here - used


def test_every_value_of_a_label_is_said_somewhere() -> None:
    """A value that no line of the program or of its tables says is one that an alert or a dashboard waits for in vain."""
    source, said = Path(gateway.__file__).parent, set[str]()
    for path in [*source.rglob("*.py"), *(source.parent / "translators").rglob("*.py")]:
        if path.name != "metrics_catalogue.py":
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant):
                    said.add(str(node.value))
                elif isinstance(node, ast.Name | ast.Attribute):
                    said.add(node.id if isinstance(node, ast.Name) else node.attr)
    for spec in CATALOGUE:
        for label in spec.labels:
            if label.name in ("row", "field", "quirk", "action") or label.values[0].startswith("<"):
                continue
            unsaid = {value for value in label.values if not {value, value.upper(), f"ocpp{value}"} & said}
            assert unsaid <= set(STORE_STAGES.values()), (spec.name, label.name)


def test_every_command_that_is_timed_is_sent() -> None:
    assert set(STORE_COMMANDS) - {"ping", OTHER} <= set(scripts((7, 0)))


def _of_metrics(node: ast.expr) -> bool:
    """Whether an expression is what the code calls its metrics."""
    return (isinstance(node, ast.Name) and "metrics" in node.id) or (
        isinstance(node, ast.Attribute) and "metrics" in node.attr
    )


def test_names_follow_the_conventions() -> None:
    metrics = Metrics(NAMES)
    for spec in CATALOGUE:
        assert re.fullmatch(r"[a-z][a-z0-9_]*[a-z0-9]", spec.name)
        assert spec.name.endswith("_total") == (spec.kind == "counter"), spec.name
        assert not spec.name.endswith(("_count", "_sum", "_bucket", "_created")), spec.name
        assert spec.name.endswith(("_seconds", "_bytes")) or spec.kind != "histogram", spec.name
        assert spec.meaning.endswith(".")
        assert "$m" in spec.query
        assert not {label.name for label in spec.labels} & {"charger", "charger_id", "pod", "job", "instance", "le"}
    text = metrics.render().decode()
    assert "_created" not in text
    for family in text_string_to_metric_families(text):
        assert family.documentation, family.name
        assert family.type in ("counter", "gauge", "histogram"), family.name
    assert "process_cpu_seconds_total" in text


def test_every_action_has_a_group() -> None:
    from ocpp.v16.enums import Action as Action16
    from ocpp.v21.enums import Action as Action21
    from ocpp.v201.enums import Action as Action201

    from gateway.metrics_actions import ACTION_GROUP

    for enum in (Action16, Action201, Action21):
        assert {action.value for action in enum} <= set(ACTION_GROUP)


def test_versions_are_those_of_the_configuration() -> None:
    from gateway import config

    assert {f"ocpp{version}" for version in VERSIONS} == set(config.VERSIONS)
