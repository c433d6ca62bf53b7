from __future__ import annotations

from tools.dashboards.panels import Dashboard, Panel, Query, quantile, rate

_FAILED = 'sum (rate(ocppgw_calls_total{$s, initiator="charger", outcome=~"timeout|gateway_error"}[%s]))'
_ALL = 'sum (rate(ocppgw_calls_total{$s, initiator="charger", outcome!="abandoned"}[%s]))'


def _unanswered(window: str) -> str:
    failed, total = _FAILED % window, _ALL % window
    return f"({failed} or vector(0)) / {total}"


FLEET = Dashboard(
    uid="ocppgw-fleet",
    title="OCPP gateway / Fleet",
    description="Are the chargers there, and do they get their answers?",
    rows=(
        (
            "Now",
            (
                Panel("Chargers", "Connected now.", "short", (Query("sum(ocppgw_connections{$s})"),), "stat", 4),
                Panel(
                    "Capacity used",
                    "Of the connections that the edges take.",
                    "percentunit",
                    (Query("sum(ocppgw_connections{$s}) / sum(ocppgw_connections_limit{$s} > 0)"),),
                    "stat",
                    4,
                    bad=0.85,
                ),
                Panel(
                    "Unanswered CALLs",
                    "Share of the chargers' CALLs without an answer of their CSMS. The objective is 0.1 % over a month.",
                    "percentunit",
                    (Query(_unanswered("$__rate_interval")),),
                    "stat",
                    4,
                    bad=0.001,
                ),
                Panel(
                    "Error budget left",
                    "Of the objective for the time that is shown: 100 % is an unused budget, below 0 it is missed.",
                    "percentunit",
                    (Query(f"1 - {_unanswered('$__range')} / 0.001"),),
                    "stat",
                    4,
                    bad=0.2,
                    bad_below=True,
                ),
                Panel(
                    "CSMSs connected",
                    "Share of the sockets to CSMSs that are connected.",
                    "percentunit",
                    (
                        Query(
                            'sum(ocppgw_upstream_sessions{$s, state="connected"}) / sum(ocppgw_upstream_sessions{$s})'
                        ),
                    ),
                    "stat",
                    4,
                    bad=0.5,
                    bad_below=True,
                ),
                Panel(
                    "Billing messages lost",
                    "Transaction messages that a CSMS will never get, in the time that is shown. The objective is 0.",
                    "short",
                    (Query('sum(increase(ocppgw_messages_dropped_total{$s, class="transaction"}[$__range]))'),),
                    "stat",
                    4,
                    bad=1,
                ),
            ),
        ),
        (
            "Connections",
            (
                Panel(
                    "Chargers by OCPP version",
                    "Connected chargers.",
                    "short",
                    (Query("sum by (ocpp_version) (ocppgw_connections{$s})", "{{ocpp_version}}"),),
                    stacked=True,
                ),
                Panel(
                    "Handshakes by outcome",
                    "accepted, or why a charger was refused.",
                    "ops",
                    (Query(rate("ocppgw_connection_attempts_total", "outcome"), "{{outcome}}"),),
                ),
                Panel(
                    "Ends by reason",
                    "Why charger sockets ended.",
                    "ops",
                    (Query(rate("ocppgw_disconnects_total", "reason"), "{{reason}}"),),
                ),
            ),
        ),
        (
            "Messages",
            (
                Panel(
                    "Chargers' CALLs by outcome",
                    "ok and call_error are answers of the CSMS; timeout and gateway_error count against the objective.",
                    "ops",
                    (
                        Query(
                            'sum by (outcome) (rate(ocppgw_calls_total{$s, initiator="charger"}[$__rate_interval]))',
                            "{{outcome}}",
                        ),
                    ),
                ),
                Panel(
                    "Time to the answer",
                    "From a charger's CALL to the answer's departure, 99th percentile by kind of action.",
                    "s",
                    (
                        Query(
                            quantile(0.99, "ocppgw_call_duration_seconds", '$s, initiator="charger"', "action_group"),
                            "{{action_group}}",
                        ),
                    ),
                ),
                Panel(
                    "Commands by outcome",
                    "CALLs of the CSMSs to chargers.",
                    "ops",
                    (
                        Query(
                            'sum by (outcome) (rate(ocppgw_calls_total{$s, initiator="csms"}[$__rate_interval]))',
                            "{{outcome}}",
                        ),
                    ),
                ),
                Panel(
                    "Boots and statuses",
                    "A wave of boots follows a power cut or a firmware update.",
                    "ops",
                    (
                        Query(
                            'sum by (action) (rate(ocppgw_messages_total{$s, side="charger", direction="in", '
                            'action=~"BootNotification|StatusNotification"}[$__rate_interval]))',
                            "{{action}}",
                        ),
                    ),
                ),
                Panel(
                    "Transaction messages",
                    "Starts, stops and meter values of the chargers.",
                    "ops",
                    (
                        Query(
                            'sum by (action) (rate(ocppgw_messages_total{$s, side="charger", direction="in", '
                            'action=~"StartTransaction|StopTransaction|MeterValues|TransactionEvent"}[$__rate_interval]))',
                            "{{action}}",
                        ),
                    ),
                ),
                Panel(
                    "Length of connections",
                    "Of those that ended. Many of less than a minute are chargers that flap.",
                    "short",
                    (
                        Query(
                            "sum by (le) (increase(ocppgw_connection_duration_seconds_bucket{$s}[$__rate_interval]))",
                            "{{le}}",
                        ),
                    ),
                    "heatmap",
                ),
                Panel(
                    "Security events",
                    "Lock-outs, certificates that let nobody in, other serial numbers, lower security profiles.",
                    "short",
                    (
                        Query(
                            "sum by (type) (increase(ocppgw_security_events_total{$s}[$__rate_interval]))", "{{type}}"
                        ),
                    ),
                ),
                Panel(
                    "Malformed frames",
                    "By row of the table of bad inputs; quarantined are billing frames kept for a person.",
                    "ops",
                    (
                        Query(rate("ocppgw_malformed_frames_total", "row"), "{{row}}"),
                        Query(rate("ocppgw_quarantined_frames_total"), "quarantined"),
                    ),
                ),
            ),
        ),
    ),
)
