"""The edge's counts as metrics, copied at each scrape: the hot path adds to plain ints only."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gateway.metrics import Cell, Family, HistogramCell, Metrics
from gateway.metrics_actions import ACTION_GROUP, action_group
from gateway.metrics_catalogue import CLOSE_CODES

from .counters import EdgeCounters


def export(counters: EdgeCounters, metrics: Metrics) -> None:
    """Copy `counters` into `metrics`; runs in the scrape's thread, so it reads snapshots."""
    _copy(
        metrics.connections,
        (((version or "other", str(profile)), n) for (version, profile), n in list(counters.connections.items())),
    )
    _copy(
        metrics.connection_attempts,
        (((version or "other", outcome), n) for (version, outcome), n in list(counters.attempts.items())),
    )
    _copy(
        metrics.disconnects,
        (
            ((reason, str(code) if str(code) in CLOSE_CODES else "other"), n)
            for (reason, code), n in list(counters.closings.items())
        ),
    )
    for kind, n in list(counters.security.items()):
        metrics.security_events.cell(kind).n = n
    for limit, n in list(counters.limits.items()):
        metrics.limit_hits.cell(limit).n = n
    metrics.handshakes_pending.cell().n = counters.pending
    metrics.chargers_paused.cell().n = counters.paused
    metrics.memory_used.cell().n = counters.memory
    metrics.memory_limit.cell().n = counters.memory_limit
    metrics.hex_passwords.cell().n = counters.hex_passwords
    _copy(
        metrics.messages,
        (
            (("charger", direction, kind, action or "other", version or "other"), n)
            for (direction, kind, action, version), n in list(counters.messages.items())
        ),
    )
    _copy(metrics.malformed_frames, (((row.partition(".")[0],), n) for row, n in list(counters.malformed.items())))
    _copy(
        metrics.calls,
        ((("charger", action or "other", outcome), n) for (action, outcome), n in list(counters.calls.items())),
    )
    metrics.refused_frames.cell().n = counters.refused
    metrics.quarantined_frames.cell().n = counters.quarantined
    metrics.calls_in_flight.cell("charger").n = counters.in_flight
    metrics.received_bytes.cell("charger").n = counters.received_bytes
    metrics.sent_bytes.cell("charger").n = counters.sent_bytes
    metrics.frame_size.cell("charger").copy(counters.sizes, counters.received_bytes + counters.sent_bytes)
    # A hub in this process counts there too.
    metrics.unmatched_responses.cell("charger").n += counters.unmatched - counters.unmatched_told
    counters.unmatched_told = counters.unmatched
    for met, n in list(counters.quirks.items()):
        quirk, version = met
        metrics.quirks.cell(quirk, version or "other", "charger").n += n - counters.quirks_told.get(met, 0)
        counters.quirks_told[met] = n
    metrics.stream_published.cell().n = counters.appended.get("new", 0) + counters.appended.get("repeat", 0)


def _copy(family: Family[Cell], counts: Iterable[tuple[tuple[str, ...], int]]) -> None:
    """Sets the cells to what was counted; adds up what falls into one cell, as a family that is full makes it."""
    sums: dict[Cell, int] = {}
    for values, n in counts:
        cell = family.cell(*values)
        sums[cell] = sums.get(cell, 0) + n
    for cell, n in sums.items():
        cell.n = n


def watch(counters: EdgeCounters, metrics: Metrics) -> None:
    """Have the durations that the edge measures observed."""
    counters.observe_call = call_timer(metrics)
    counters.observe_connection = metrics.connection_duration.cell().observe
    counters.observe_handshake = metrics.handshake_duration.cell().observe
    counters.observe_ping = metrics.ping_rtt.cell().observe
    counters.observe_decoding = metrics.processing_duration.cell("decode").observe


def call_timer(metrics: Metrics) -> Callable[[str, float], None]:
    """For `EdgeCounters.observe_call`: observes how long a charger waited for an answer."""
    cells: dict[str, HistogramCell] = {}

    def observe(action: str, seconds: float) -> None:
        cell = cells.get(action)
        if cell is None:
            cell = metrics.call_duration.cell("charger", action_group(action))
            if action in ACTION_GROUP:
                cells[action] = cell
        cell.observe(seconds)

    return observe
