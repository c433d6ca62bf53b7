"""For every alert: time series with which it fires, and some with which it must not."""

from __future__ import annotations

import msgspec

PODS = ('pod="a", instance="a:9001"', 'pod="b", instance="b:9001"')


class Case(msgspec.Struct, frozen=True):
    """One situation. `series` maps a metric with labels (without those of the scrape) to promtool's notation, for each of two pods."""

    alert: str
    fires: bool
    series: dict[str, str]
    at: str = "30m"
    step: str = "1m"
    """Between two samples, and two looks at the rules."""


def _calls(good: str, bad: str) -> dict[str, str]:
    return {
        'ocppgw_calls_total{initiator="charger", action="Heartbeat", outcome="ok"}': good,
        'ocppgw_calls_total{initiator="charger", action="Heartbeat", outcome="timeout"}': bad,
    }


def _stages(near: str) -> dict[str, str]:
    """Of two stages, each 100 messages a minute: one is fast, of the other so many are."""
    name = "ocppgw_processing_duration_seconds"
    fast = {
        f'{name}_bucket{{stage="translate", le="0.05"}}': "0+100x145",
        f'{name}_count{{stage="translate"}}': "0+100x145",
    }
    slow = {f'{name}_bucket{{stage="dequeue", le="0.05"}}': near, f'{name}_count{{stage="dequeue"}}': "0+100x145"}
    return fast | slow


def _upstream(name: str, labels: str = "") -> str:
    return f'ocppgw_{name}{{upstream="main"{", " + labels if labels else ""}}}'


CONNECTED, BACKOFF = (
    _upstream("upstream_sessions", 'state="connected"'),
    _upstream("upstream_sessions", 'state="backoff"'),
)
DISABLED = _upstream("upstream_sessions", 'state="disabled"')
PENDING, ACKED = _upstream("stream_pending_messages"), _upstream("stream_acked_total")
AGE, DELIVERED = _upstream("stream_oldest_undelivered_age_seconds"), _upstream("stream_delivered_total")
UNBILLED = _upstream("undelivered_transaction_oldest_age_seconds")
DROPPED = _upstream("messages_dropped_total", 'class="transaction", reason="retention"')
FILTERED = _upstream("messages_dropped_total", 'class="transaction", reason="policy"')
METERS = _upstream("messages_dropped_total", 'class="meter", reason="retention"')
POISONED = _upstream("dead_letters_total", 'reason="poisoned"')
REFUSED = _upstream("dead_letters_total", 'reason="refused"')
FLEET = 'ocppgw_connections{ocpp_version="1.6"}'
TRIES = 'ocppgw_connection_attempts_total{ocpp_version="1.6", outcome="accepted"}'
UNKNOWN = 'ocppgw_connection_attempts_total{ocpp_version="1.6", outcome="unknown_identity"}'
CONFLICT, LOCKOUT = (f'ocppgw_security_events_total{{type="{each}"}}' for each in ("identity_conflict", "lockout"))
LIFELINE = {
    "address": _upstream("lifeline_commands_total", 'subject="address", policy="deny"'),
    "firmware": _upstream("lifeline_commands_total", 'subject="firmware", policy="alert"'),
}
LAG = {"0.1": 'ocppgw_event_loop_lag_seconds_bucket{le="0.1"}', "0.5": 'ocppgw_event_loop_lag_seconds_bucket{le="0.5"}',
       "all": 'ocppgw_event_loop_lag_seconds_bucket{le="+Inf"}'}  # fmt: skip
BUSY = _calls("0+600x120", "0+0x120")
END, SECOND = (
    f'ocppgw_tls_certificate_not_after_timestamp_seconds{{listener="0.0.0.0:{port}"}}' for port in (9000, 9443)
)
STEADY = "100x1000"

CASES = (
    Case("ErrorBudgetFastBurn", True, _calls("0+590x120", "0+10x120"), "90m"),  # 1.7 % of 20 a second
    Case("ErrorBudgetFastBurn", False, _calls("0+600x120", "0+0x120"), "90m"),
    Case("ErrorBudgetFastBurn", False, _calls("0+1x120", "0+1x120"), "90m"),  # hardly any traffic
    Case("ErrorBudgetFastBurn", False, _calls("0+590x60 35990+600x60", "0+10x60 610+0x60"), "70m"),  # it is over
    Case("ErrorBudgetSlowBurn", True, _calls("0+5950x70", "0+50x70"), "11h", "10m"),
    Case("ErrorBudgetSlowBurn", False, _calls("0+5990x70", "0+10x70"), "11h", "10m"),
    Case("ErrorBudgetLeak", True, _calls("0+5990x440", "0+10x440"), "73h", "10m"),
    Case("ErrorBudgetLeak", False, _calls("0+60000x440", "0+10x440"), "73h", "10m"),
    Case("OverheadHigh", True, _stages("0+97x100") | BUSY, "90m"),
    Case("OverheadHigh", False, _stages("0+99.5x100") | BUSY, "90m"),
    Case("OverheadHigh", False, _stages("0+97x45 4365+100x100") | BUSY, "90m"),  # it is over
    Case("OverheadHigh", False, _stages("0+97x100") | _calls("0+1x120", "0+0x120"), "90m"),  # hardly any traffic
    Case("FleetDropped", True, {FLEET: "100x30 60x60"}, "50m"),
    Case("FleetDropped", False, {FLEET: "100x30 90x60"}, "50m"),
    Case("FleetDropped", False, {FLEET: "10x30 3x60"}, "50m"),  # a small fleet
    Case("ReconnectStorm", True, {FLEET: STEADY, TRIES: "0+900x100"}),
    Case("ReconnectStorm", False, {FLEET: STEADY, TRIES: "0+60x100"}),
    Case("ReconnectStorm", False, {FLEET: "5000x1000", TRIES: "0+900x100"}),  # many, of a large fleet
    Case("AuthFailures", True, {TRIES: "0+10x100", UNKNOWN: "0+10x100"}),
    Case("AuthFailures", False, {TRIES: "0+100x100", UNKNOWN: "0+10x100"}),
    Case("AuthFailures", False, {TRIES: "0+0x100", UNKNOWN: "0+1x2 2+0x100"}),  # a single one
    Case("SecurityEvent", True, {CONFLICT: "0x10 1x10"}, "15m"),
    Case("SecurityEvent", False, {CONFLICT: "1x100", LOCKOUT: "0+1x100"}),
    Case("LifelineCommand", True, {LIFELINE["address"]: "0x10 2x10"}, "15m"),
    Case("LifelineCommand", False, {LIFELINE["address"]: "2x100", LIFELINE["firmware"]: "0+1x100"}),
    Case("NearCapacity", True, {FLEET: "900x100", "ocppgw_connections_limit": "1000x100"}),
    Case("NearCapacity", False, {FLEET: "800x100", "ocppgw_connections_limit": "1000x100"}),
    Case("QuarantinedFrames", True, {"ocppgw_quarantined_frames_total": "0x10 1x100"}),
    Case("QuarantinedFrames", False, {"ocppgw_quarantined_frames_total": "7x110"}),
    Case("CertificateExpiresSoon", True, {END: "0x10 1200000x200"}, "90m"),
    Case("CertificateExpiresSoon", True, {END: "5000000x200", SECOND: "1200000x200"}, "90m"),  # one of two listeners
    Case("CertificateExpiresSoon", False, {END: "5000000x200"}, "90m"),
    Case("CertificateExpiresSoon", False, {END: "0x200"}, "90m"),  # no TLS
    Case("UpstreamDisconnected", True, {CONNECTED: "40x100", BACKOFF: "60x100"}),
    Case("UpstreamDisconnected", False, {CONNECTED: "60x100", BACKOFF: "40x100"}),
    Case("UpstreamDisconnected", False, {CONNECTED: "0x100", BACKOFF: "0x100"}),  # no charger, no socket
    Case("UpstreamDisconnected", False, {CONNECTED: "0x100", DISABLED: "100x100"}),  # an operator has paused it
    Case("UpstreamQueueOld", True, {AGE: "90x100", CONNECTED: "5x100"}),
    Case("UpstreamQueueOld", False, {AGE: "20x100", CONNECTED: "5x100"}),
    Case("UpstreamQueueOld", False, {AGE: "90x100", CONNECTED: "0x100"}),  # it is away: another alert says so
    Case("BillingAtRisk", True, {UNBILLED: "0+60x100"}, "90m"),
    Case("BillingAtRisk", False, {UNBILLED: "0+60x50 0x50"}, "90m"),
    Case("UpstreamPendingStuck", True, {PENDING: "7x100", ACKED: "50x100"}),
    Case("UpstreamPendingStuck", False, {PENDING: "7x100", ACKED: "0+5x100"}),
    Case("UpstreamPendingStuck", False, {PENDING: "0x100", ACKED: "50x100"}),  # nothing to do
    Case("MessagesLost", True, {DROPPED: "0x10 2x100"}),
    Case("MessagesLost", False, {DROPPED: "0x110", METERS: "0+5x110"}),
    Case("MessagesLost", False, {FILTERED: "0+5x110"}),  # its `forward` wants it so
    Case("DeadLetters", True, {_upstream("dead_letters_kept"): "1x100"}),
    Case("DeadLetters", False, {_upstream("dead_letters_kept"): "0x100"}),
    Case("OrphanGroup", True, {"ocppgw_orphan_groups": "1x200"}, "90m"),
    Case("OrphanGroup", False, {"ocppgw_orphan_groups": "1x30 0x200"}, "90m"),
    Case("TranslationErrors", True, {POISONED: "0+2x100", DELIVERED: "0+100x100"}),
    Case("TranslationErrors", False, {POISONED: "0+2x100", DELIVERED: "0+1000x100"}),
    Case("TranslationErrors", False, {REFUSED: "0+20x100", DELIVERED: "0+100x100"}),  # the CSMS's word, not ours
    Case("StoreDown", True, {"ocppgw_redis_up": "1x10 0x100"}),
    Case("StoreDown", False, {"ocppgw_redis_up": "1x100"}),
    Case("StoreReset", True, {"ocppgw_store_resets_total": "0x10 1x100"}),
    Case("StoreReset", False, {"ocppgw_store_resets_total": "1x110"}),
    Case("ClockSuspect", True, {"ocppgw_clock_skew_seconds": "-3x100"}),
    Case("ClockSuspect", False, {"ocppgw_clock_skew_seconds": "1.5x100"}),
    Case("ClockSuspect", False, {"ocppgw_clock_skew_seconds": "5x3 0x100"}),
    Case("EventLoopStalled", True, {LAG["0.1"]: "0+200x100", LAG["0.5"]: "0+240x100", LAG["all"]: "0+240x100"}),
    Case("EventLoopStalled", False, {LAG["0.1"]: "0+240x100", LAG["0.5"]: "0+240x100", LAG["all"]: "0+240x100"}),
    Case("ConfigReloadFailed", True, {"ocppgw_config_last_reload_successful": "1x10 0x100"}),
    Case("ConfigReloadFailed", False, {"ocppgw_config_last_reload_successful": "1x10 0x2 1x100"}),
    Case("Absent", True, {"ocppgw_redis_up": "1x100"}),
    Case("Absent", False, {'ocppgw_build_info{version="1"}': "1x100"}),
)
