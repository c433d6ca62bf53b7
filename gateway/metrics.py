"""The program's metrics.

The hot path adds to plain ints of cells that it obtained once; one collector reads them at scrape time, so nothing
calls prometheus-client per message. Example:

    metrics = Metrics(upstreams=config.upstreams)
    heartbeats = metrics.messages.cell("charger", "in", "call", "Heartbeat", "1.6")     # once
    heartbeats.n += 1                                                                   # per message
    metrics.call_duration.cell("charger", "heartbeat").observe(seconds)
"""

from __future__ import annotations

import asyncio
import platform
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import Any, Generic, TypeVar

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST as OPENMETRICS
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from gateway import __version__
from gateway.exposition import Heads
from gateway.metrics_actions import action_group
from gateway.metrics_catalogue import (
    CATALOGUE,
    OTHER,
    PREFIX,
    STORE_COMMANDS,
    STORE_STAGES,
    UPSTREAMS,
    VERSIONS,
    Label,
    Spec,
)
from gateway.traffic import buckets

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

__all__ = ["CONTENT_TYPE", "OPENMETRICS", "Cell", "Family", "HistogramCell", "Metrics", "action_group", "store_timer"]


REMEMBERED_SECONDS = 900.0
"""For so long what an upstream has counted is exported after it has left the configuration: its end is seen."""


class Cell:
    """One series of a counter or gauge. Counters only ever grow."""

    __slots__ = ("n",)

    def __init__(self) -> None:
        self.n: float = 0


class HistogramCell:
    """One histogram."""

    __slots__ = ("bounds", "counts", "exemplars", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0
        self.exemplars: dict[int, Exemplar] | None = None
        """Number of a bucket -> a trace of an observation in it."""

    def observe(self, value: float) -> None:
        """Adds one observation, in seconds."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def remember(self, value: float, trace: str) -> None:
        """An observation belongs to this trace (32 hex digits)."""
        if self.exemplars is None:
            self.exemplars = {}
        self.exemplars[bisect_left(self.bounds, value)] = Exemplar({"trace_id": trace}, value, time.time())

    def copy(self, sizes: list[int], total: float) -> None:
        """Takes over sizes that were counted by powers of two (see `traffic`); the bounds are powers of two."""
        smallest, largest = (int(bound).bit_length() - 1 for bound in (self.bounds[0], self.bounds[-1]))
        self.counts[:] = buckets(sizes, smallest, largest)
        self.total = total


C = TypeVar("C", Cell, HistogramCell)


class Family(Generic[C]):
    """A metric with its cells by label values.

    Values outside of a label's set become `other`; where the set has no `other` they are a programming error. A family
    that has reached its limit gives out `other` cells for what is new.
    """

    def __init__(self, spec: Spec, new: Callable[[], C], upstreams: frozenset[str], gone: dict[str, float]) -> None:
        """`gone`: upstreams that are not configured any more -> since when (monotonic clock)."""
        self.spec = spec
        self._gone = gone
        self._place = next((i for i, label in enumerate(spec.labels) if label.values is UPSTREAMS), -1)
        self._new: Callable[[], C] = new
        self.upstreams = upstreams
        """Names that the label `upstream` may have."""
        self._cells: dict[tuple[str, ...], C] = {}
        labels = tuple(label.name for label in spec.labels)
        self.heads = Heads(PREFIX + spec.name, spec.kind, spec.meaning, labels, spec.buckets)
        self._allowed = [_allowed(label) for label in spec.labels]

    def cell(self, *values: str) -> C:
        """The cell of these label values, in the order of the catalogue. Keep it: this is not for the hot path.

        Versions may be written `1.6` or `ocpp1.6`. Raises ValueError for a wrong number of values or one that its
        label does not know.
        """
        cell = self._cells.get(values)
        return cell if cell is not None else self._find(values)

    def drop(self, *values: str) -> None:
        """Stops exporting a series, for a gauge whose value is not known any more. Its cells must not be used on."""
        self._cells.pop(self._closed(values), None)

    def items(self) -> list[tuple[tuple[str, ...], C]]:
        """What is exported: label values and cell."""
        series = list(self._cells.items())
        if not self._gone or self._place < 0:
            return series
        before = time.monotonic() - REMEMBERED_SECONDS
        forgotten = {name for name, since in list(self._gone.items()) if since < before}
        # The cells stay: whoever counts has them at hand, and goes on if the upstream comes back.
        return [(values, cell) for values, cell in series if values[self._place] not in forgotten]

    def forget(self) -> None:
        """Stops exporting the present state of upstreams that are gone. These cells must not be used on."""
        if self._place >= 0:
            self._cells = {
                values: cell for values, cell in self._cells.items() if values[self._place] not in self._gone
            }

    def _find(self, values: tuple[str, ...]) -> C:
        key = self._closed(values)
        if key not in self._cells and len(self._cells) >= self.spec.limit:
            key = tuple(OTHER if label.folds else value for label, value in zip(self.spec.labels, key, strict=True))
        cell = self._cells.get(key)
        if cell is None:
            cell = self._cells[key] = self._new()
        return cell

    def _closed(self, values: tuple[str, ...]) -> tuple[str, ...]:
        if len(values) != len(self.spec.labels):
            names = ", ".join(label.name for label in self.spec.labels)
            raise ValueError(f"{self.spec.name} has the labels ({names}), got {values}")
        return tuple(map(self._value, self.spec.labels, self._allowed, values))

    def _value(self, label: Label, allowed: dict[str, str] | None, value: str) -> str:
        if allowed is None:
            if label.values is not UPSTREAMS:
                return value
            allowed = {name: name for name in self.upstreams}
        known = allowed.get(value)
        if known is None:
            if not label.folds:
                raise ValueError(f"{self.spec.name}: label {label.name} has no value {value!r}")
            return OTHER
        return known


def _allowed(label: Label) -> dict[str, str] | None:
    """Accepted spelling -> label value; None where the set is not known beforehand."""
    if label.values is UPSTREAMS or label.values[0].startswith("<"):
        return None
    allowed = {value: value for value in label.values}
    if set(VERSIONS) <= set(allowed):
        allowed |= {f"ocpp{version}": version for version in VERSIONS}
    return allowed


_SPECS = {spec.name: spec for spec in CATALOGUE}


class Metrics(Collector):
    """Every metric of the process; one attribute per metric, named like it without `_total` and unit."""

    def __init__(self, upstreams: Iterable[str] = (), *, revision: str = "") -> None:
        self._upstreams = frozenset(upstreams)
        self._gone: dict[str, float] = {}
        self._families: list[Family[Cell] | Family[HistogramCell]] = []
        self.sources: list[Callable[[], None]] = []
        """Called before each exposition, to copy what is counted elsewhere; in the scrape's thread."""
        self.looks: list[Callable[[], None]] = []
        """The same for what only the event loop may look at: called there before each exposition, and quick."""
        self.build_info = self._plain("build_info")
        self.connections = self._plain("connections")
        self.connections_limit = self._plain("connections_limit")
        self.connection_attempts = self._plain("connection_attempts_total")
        self.disconnects = self._plain("disconnects_total")
        self.connection_duration = self._histogram("connection_duration_seconds")
        self.handshake_duration = self._histogram("handshake_duration_seconds")
        self.ping_rtt = self._histogram("ping_rtt_seconds")
        self.security_events = self._plain("security_events_total")
        self.limit_hits = self._plain("limit_hits_total")
        self.handshakes_pending = self._plain("handshakes_pending")
        self.chargers_paused = self._plain("chargers_paused")
        self.memory_used = self._plain("memory_used_bytes")
        self.memory_limit = self._plain("memory_limit_bytes")
        self.hex_passwords = self._plain("hex_passwords_total")
        self.tls_certificate_not_after_timestamp = self._plain("tls_certificate_not_after_timestamp_seconds")
        self.received_bytes = self._plain("received_bytes_total")
        self.sent_bytes = self._plain("sent_bytes_total")
        self.frame_size = self._histogram("frame_size_bytes")
        self.send_queue = self._plain("send_queue_bytes")
        self.messages = self._plain("messages_total")
        self.malformed_frames = self._plain("malformed_frames_total")
        self.quirks = self._plain("quirks_total")
        self.refused_frames = self._plain("refused_frames_total")
        self.quarantined_frames = self._plain("quarantined_frames_total")
        self.calls = self._plain("calls_total")
        self.call_duration = self._histogram("call_duration_seconds")
        self.processing_duration = self._histogram("processing_duration_seconds")
        self.calls_in_flight = self._plain("calls_in_flight")
        self.local_answers = self._plain("local_answers_total")
        self.replays_stopped = self._plain("replays_stopped_total")
        self.commands = self._plain("commands_total")
        self.command_conflicts = self._plain("command_conflicts_total")
        self.schema_violations = self._plain("schema_violations_total")
        self.unmatched_responses = self._plain("unmatched_responses_total")
        self.translations = self._plain("translations_total")
        self.translation_lossy_fields = self._plain("translation_lossy_fields_total")
        self.translation_duration = self._histogram("translation_duration_seconds")
        self.translation_state_entries = self._plain("translation_state_entries")
        self.stream_published = self._plain("stream_published_total")
        self.stream_delivered = self._plain("stream_delivered_total")
        self.stream_acked = self._plain("stream_acked_total")
        self.stream_redelivered = self._plain("stream_redelivered_total")
        self.stream_claimed = self._plain("stream_claimed_total")
        self.stream_pending = self._plain("stream_pending_messages")
        self.stream_length = self._plain("stream_length_messages")
        self.stream_lag = self._plain("stream_lag_messages")
        self.stream_lag_known = self._plain("stream_lag_known")
        self.stream_oldest_undelivered_age = self._plain("stream_oldest_undelivered_age_seconds")
        self.stream_oldest_pending_age = self._plain("stream_oldest_pending_age_seconds")
        self.undelivered_transactions = self._plain("undelivered_transaction_messages")
        self.undelivered_transaction_age = self._plain("undelivered_transaction_oldest_age_seconds")
        self.offline_buffer = self._plain("offline_buffer_messages")
        self.offline_buffer_bytes = self._plain("offline_buffer_bytes")
        self.offline_buffer_age = self._plain("offline_buffer_oldest_age_seconds")
        self.stream_wait = self._histogram("stream_wait_seconds")
        self.messages_dropped = self._plain("messages_dropped_total")
        self.dead_letters = self._plain("dead_letters_total")
        self.dead_letters_kept = self._plain("dead_letters_kept")
        self.parked_bytes = self._plain("parked_bytes")
        self.orphan_groups = self._plain("orphan_groups")
        self.lifeline_commands = self._plain("lifeline_commands_total")
        self.upstream_sessions = self._plain("upstream_sessions")
        self.upstream_connect_attempts = self._plain("upstream_connect_attempts_total")
        self.upstream_disconnects = self._plain("upstream_disconnects_total")
        self.upstream_call_duration = self._histogram("upstream_call_duration_seconds")
        self.shadow_comparisons = self._plain("shadow_comparisons_total")
        self.shadow_differences = self._plain("shadow_differences_total")
        self.shadow_latency_difference = self._histogram("shadow_latency_difference_seconds")
        self.transactions_active = self._plain("transactions_active")
        self.transactions = self._plain("transactions_total")
        self.boot_notifications = self._plain("boot_notifications_total")
        self.connectors = self._plain("connectors")
        self.chargers = self._plain("chargers")
        self.charger_clock_skew = self._histogram("charger_clock_skew_seconds")
        self.partitions = self._plain("partitions")
        self.partition_takeovers = self._plain("partition_takeovers_total")
        self.redis_up = self._plain("redis_up")
        self.store_durability = self._plain("store_durability_level")
        self.clock_skew = self._plain("clock_skew_seconds")
        self.store_resets = self._plain("store_resets_total")
        self.store_reappended = self._plain("store_reappended_total")
        self.redis_errors = self._plain("redis_errors_total")
        self.redis_command_duration = self._histogram("redis_command_duration_seconds")
        self.redis_pool_connections = self._plain("redis_pool_connections")
        self.tasks = self._plain("tasks")
        self.drain_remaining = self._plain("drain_remaining_connections")
        self.event_loop_lag = self._histogram("event_loop_lag_seconds")
        self.draining = self._plain("draining")
        self.config_last_reload_successful = self._plain("config_last_reload_successful")
        self.config_last_reload_success = self._plain("config_last_reload_success_timestamp_seconds")

        self.build_info.cell(__version__, revision, platform.python_version()).n = 1
        for family in self._families:
            self._begin(family)
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(self)
        self._process = CollectorRegistry(auto_describe=False)
        for registry in (self.registry, self._process):
            ProcessCollector(registry=registry)
            GCCollector(registry=registry)

    def know(self, upstreams: Iterable[str]) -> None:
        """These upstreams are configured now: new names may be label values from now on. Of one that is not configured any
        more the present state is not exported further, and what it has counted only for a while."""
        now = frozenset(upstreams)
        for name in self._upstreams - now:
            self._gone.setdefault(name, time.monotonic())
        for name in now:
            self._gone.pop(name, None)
        self._upstreams |= now
        for family in self._families:
            family.upstreams = self._upstreams
            if family.spec.kind == "gauge":
                family.forget()
            if family.spec.kind == "counter":
                self._begin(family)

    def look(self) -> None:
        """What has to be done in the event loop before `render`."""
        self.tasks.cell().n = len(asyncio.all_tasks())
        for look in self.looks:
            look()

    def render(self, *, exemplars: bool = False) -> bytes:
        """The exposition in Prometheus' text format, or with exemplars as OpenMetrics. Takes milliseconds: call it in a thread."""
        if exemplars:
            return bytes(openmetrics(self.registry))  # type: ignore[no-untyped-call]
        for source in self.sources:
            source()
        return "".join(map(_text, self._families)).encode() + generate_latest(self._process)

    def collect(self) -> Iterator[Metric]:
        """Called by the registry at scrape time."""
        for source in self.sources:
            source()
        for family in self._families:
            yield _exposed(family)

    def _plain(self, name: str) -> Family[Cell]:
        family = Family(_SPECS[name], Cell, self._upstreams, self._gone)
        self._families.append(family)
        return family

    def _histogram(self, name: str) -> Family[HistogramCell]:
        spec = _SPECS[name]
        family = Family(spec, lambda: HistogramCell(spec.buckets), self._upstreams, self._gone)
        self._families.append(family)
        return family

    def _begin(self, family: Family[Cell] | Family[HistogramCell]) -> None:
        """Series that must exist before the first event, so that rate() and absent() see it."""
        labels = family.spec.labels
        if not labels:
            family.cell()
        elif len(labels) == 1 and family.spec.kind == "counter" and len(labels[0].values) < 20:
            values = sorted(self._upstreams) if labels[0].values is UPSTREAMS else labels[0].values
            for value in values:
                family.cell(value)
        elif (zero := family.spec.zero) is not None:
            known = {"upstream": tuple(sorted(self._upstreams)), **zero}
            for each in product(*(known.get(label.name, label.values) for label in labels)):
                family.cell(*each)


def store_timer(metrics: Metrics) -> Callable[[str, float], None]:
    """For `Journal.observe`. What a message waits for is a stage of its processing too."""
    known = {command: metrics.redis_command_duration.cell(command) for command in STORE_COMMANDS}
    stages = {command: metrics.processing_duration.cell(stage) for command, stage in STORE_STAGES.items()}
    other = known[OTHER]

    def observe(name: str, seconds: float) -> None:
        known.get(name, other).observe(seconds)
        if (stage := stages.get(name)) is not None:
            stage.observe(seconds)

    return observe


def _text(family: Family[Any]) -> str:
    """In the text format."""
    heads, series = family.heads, family.items()
    return heads.title + (heads.histograms(series) if family.spec.kind == "histogram" else heads.plain(series))


def _exposed(family: Family[Cell] | Family[HistogramCell]) -> Metric:
    spec = family.spec
    name, labels = PREFIX + spec.name, [label.name for label in spec.labels]
    if spec.kind == "histogram":
        histogram = HistogramMetricFamily(name, spec.meaning, labels=labels)
        bounds = [*map(str, spec.buckets), "+Inf"]
        for values, cell in family.items():
            assert isinstance(cell, HistogramCell)
            count, exemplars, rows = 0, cell.exemplars or {}, []
            for place, (bound, number) in enumerate(zip(bounds, cell.counts, strict=True)):
                count += number
                rows.append((bound, count, exemplars[place]) if place in exemplars else (bound, count))
            histogram.add_metric(values, rows, cell.total)
        return histogram
    plain: CounterMetricFamily | GaugeMetricFamily
    if spec.kind == "counter":
        plain = CounterMetricFamily(name, spec.meaning, labels=labels)
    else:
        plain = GaugeMetricFamily(name, spec.meaning, labels=labels)
    for values, cell in family.items():
        assert isinstance(cell, Cell)
        plain.add_metric(values, cell.n)
    return plain
