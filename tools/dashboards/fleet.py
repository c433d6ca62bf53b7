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
                            'sum(ocppgw_upstream_sessions{$s, state="connected"})'
                            ' / sum(ocppgw_upstream_sessions{$s, state!="disabled"})'
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
                    (
                        Query(
                            'sum(increase(ocppgw_messages_dropped_total{$s, class="transaction", reason!="policy"}[$__range]))'
                        ),
                    ),
                    "stat",
                    4,
                    bad=1,
                ),
                Panel(
                    "Active transactions",
                    "That have begun and not ended, as far as the gateway knows.",
                    "short",
                    (Query("sum(ocppgw_transactions_active{$s}) or vector(0)"),),
                    "stat",
                    6,
                ),
                Panel(
                    "Faulted connectors",
                    "By the last status that their chargers told.",
                    "short",
                    (Query('sum(ocppgw_connectors{$s, status="Faulted"})'),),
                    "stat",
                    6,
                ),
                Panel(
                    "Billing at risk",
                    "Transaction messages that a CSMS has not got yet, over all CSMSs.",
                    "short",
                    (Query("sum(ocppgw_undelivered_transaction_messages{$s})"),),
                    "stat",
                    6,
                ),
                Panel(
                    "Oldest billing message",
                    "For how long the oldest of them has waited.",
                    "s",
                    (Query("max(ocppgw_undelivered_transaction_oldest_age_seconds{$s})"),),
                    "stat",
                    6,
                    bad=3600,
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
                Panel(
                    "Handshake and ping",
                    "Time to let a charger in, and time a charger takes to answer a ping, 99th percentile.",
                    "s",
                    (
                        Query(quantile(0.99, "ocppgw_handshake_duration_seconds"), "handshake"),
                        Query(quantile(0.99, "ocppgw_ping_rtt_seconds"), "ping"),
                    ),
                ),
                Panel(
                    "Connectors by status",
                    "The last status of each, of all chargers that are known to this gateway now.",
                    "short",
                    (Query("sum by (status) (ocppgw_connectors{$s})", "{{status}}"),),
                    stacked=True,
                ),
                Panel(
                    "Clocks of chargers",
                    "How far their time stamps are from ours. Wrong clocks make wrong bills.",
                    "short",
                    (
                        Query(
                            "sum by (le) (increase(ocppgw_charger_clock_skew_seconds_bucket{$s}[$__rate_interval]))",
                            "{{le}}",
                        ),
                    ),
                    "heatmap",
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
                    "Boots by answer",
                    "pending and rejected chargers may not charge.",
                    "ops",
                    (Query(rate("ocppgw_boot_notifications_total", "status"), "{{status}}"),),
                ),
                Panel(
                    "Transactions",
                    "orphaned: an end without a known begin; replayed: told to a CSMS after it was away.",
                    "ops",
                    (Query(rate("ocppgw_transactions_total", "event"), "{{event}}"),),
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
