"""The edge's counts as metrics, copied at each scrape: the hot path adds to plain ints only."""

from __future__ import annotations

from collections.abc import Callable

from gateway.metrics import HistogramCell, Metrics
from gateway.metrics_actions import action_group

from .counters import EdgeCounters


def export(counters: EdgeCounters, metrics: Metrics) -> None:
    """Copy `counters` into `metrics`; runs in the scrape's thread, so it reads snapshots."""
    for version, open_now in list(counters.connections.items()):
        metrics.connections.cell(version or "other").n = open_now
    for (version, outcome), n in list(counters.attempts.items()):
        metrics.connection_attempts.cell(version or "other", outcome).n = n
    for reason, n in list(counters.disconnects.items()):
        metrics.disconnects.cell(reason).n = n
    for kind, n in list(counters.security.items()):
        metrics.security_events.cell(kind).n = n
    metrics.hex_passwords.cell().n = counters.hex_passwords
    sums: dict[tuple[str, str, str, str, str], int] = {}
    for (direction, kind, action, version), n in list(counters.messages.items()):
        labels = ("charger", direction, kind, action or "other", version or "other")
        sums[labels] = sums.get(labels, 0) + n
    for labels, n in sums.items():
        metrics.messages.cell(*labels).n = n
    rows: dict[str, int] = {}
    for row, n in list(counters.malformed.items()):
        number = row.partition(".")[0]
        rows[number] = rows.get(number, 0) + n
    for row, n in rows.items():
        metrics.malformed_frames.cell(row).n = n
    for (action, outcome), n in list(counters.calls.items()):
        metrics.calls.cell("charger", action or "other", outcome).n = n
    metrics.refused_frames.cell().n = counters.refused
    metrics.quarantined_frames.cell().n = counters.quarantined
    metrics.calls_in_flight.cell("charger").n = counters.in_flight
    metrics.received_bytes.cell("charger").n = counters.received_bytes
    metrics.sent_bytes.cell("charger").n = counters.sent_bytes
    metrics.unmatched_responses.cell("charger").n = counters.unmatched
    metrics.stream_published.cell().n = counters.appended.get("new", 0) + counters.appended.get("repeat", 0)


def call_timer(metrics: Metrics) -> Callable[[str, float], None]:
    """For `EdgeCounters.observe_call`: observes how long a charger waited for an answer."""
    cells: dict[str, HistogramCell] = {}

    def observe(action: str, seconds: float) -> None:
        group = action_group(action)
        cell = cells.get(group)
        if cell is None:
            cell = cells[group] = metrics.call_duration.cell("charger", group)
        cell.observe(seconds)

    return observe
