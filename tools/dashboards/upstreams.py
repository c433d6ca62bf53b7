from __future__ import annotations

from tools.dashboards.panels import Dashboard, Panel, Query, quantile, rate

UPSTREAMS = Dashboard(
    uid="ocppgw-upstreams",
    title="OCPP gateway / Upstreams",
    description="Is each CSMS reached, does it answer, and how far is it behind?",
    by_upstream=True,
    rows=(
        (
            "Sockets",
            (
                Panel(
                    "Sockets by state",
                    "One socket per charger and CSMS.",
                    "short",
                    (Query("sum by (upstream, state) (ocppgw_upstream_sessions{$u})", "{{upstream}} {{state}}"),),
                ),
                Panel(
                    "Dials by outcome",
                    "How attempts to connect ended.",
                    "ops",
                    (
                        Query(
                            rate("ocppgw_upstream_connect_attempts_total", "upstream, outcome", "$u"),
                            "{{upstream}} {{outcome}}",
                        ),
                    ),
                ),
                Panel(
                    "Ends by reason",
                    "Sockets to a CSMS that ended.",
                    "ops",
                    (
                        Query(
                            rate("ocppgw_upstream_disconnects_total", "upstream, reason", "$u"),
                            "{{upstream}} {{reason}}",
                        ),
                    ),
                ),
            ),
        ),
        (
            "Answers",
            (
                Panel(
                    "Messages finished",
                    "Journal entries that a CSMS is done with.",
                    "ops",
                    (Query(rate("ocppgw_stream_acked_total", "upstream", "$u"), "{{upstream}}"),),
                ),
                Panel(
                    "Time to answer",
                    "How long a CSMS takes, median and 99th percentile.",
                    "s",
                    (
                        Query(
                            quantile(0.5, "ocppgw_upstream_call_duration_seconds", "$u", "upstream"), "{{upstream}} p50"
                        ),
                        Query(
                            quantile(0.99, "ocppgw_upstream_call_duration_seconds", "$u", "upstream"),
                            "{{upstream}} p99",
                        ),
                    ),
                ),
                Panel(
                    "Time to answer by kind",
                    "99th percentile over all CSMSs that are chosen.",
                    "s",
                    (
                        Query(
                            quantile(0.99, "ocppgw_upstream_call_duration_seconds", "$u", "action_group"),
                            "{{action_group}}",
                        ),
                    ),
                ),
            ),
        ),
        (
            "Commands",
            (
                Panel(
                    "Commands by outcome",
                    "CALLs of each CSMS to chargers. forbidden: by the configuration; conflict: because of another CSMS.",
                    "ops",
                    (Query(rate("ocppgw_commands_total", "upstream, outcome", "$u"), "{{upstream}} {{outcome}}"),),
                    width=12,
                ),
                Panel(
                    "Conflicts",
                    "Commands refused because of what another CSMS may do or has done with the charger.",
                    "short",
                    (
                        Query(
                            "sum by (policy) (increase(ocppgw_command_conflicts_total{$s}[$__rate_interval]))",
                            "{{policy}}",
                        ),
                    ),
                    width=12,
                ),
            ),
        ),
        (
            "Backlog",
            (
                Panel(
                    "Billing at risk",
                    "Transaction messages that a CSMS has not got, parked ones included.",
                    "short",
                    (Query("sum by (upstream) (ocppgw_undelivered_transaction_messages{$u})", "{{upstream}}"),),
                ),
                Panel(
                    "Age of the oldest billing message",
                    "While it waits nobody can be billed for it.",
                    "s",
                    (
                        Query(
                            "max by (upstream) (ocppgw_undelivered_transaction_oldest_age_seconds{$u})", "{{upstream}}"
                        ),
                    ),
                    bad=3600,
                ),
                Panel(
                    "Buffer",
                    "All messages that wait for a CSMS, and their size.",
                    "short",
                    (
                        Query("sum by (upstream) (ocppgw_offline_buffer_messages{$u})", "{{upstream}} messages"),
                        Query("sum by (upstream) (ocppgw_offline_buffer_bytes{$u})", "{{upstream}} bytes"),
                    ),
                ),
                Panel(
                    "Age of the oldest message",
                    "That a CSMS has not got. The objective is under 60 s while it is connected.",
                    "s",
                    (Query("max by (upstream) (ocppgw_stream_oldest_undelivered_age_seconds{$u})", "{{upstream}}"),),
                    bad=60,
                ),
                Panel(
                    "Messages under way",
                    "Handed to a CSMS and not finished; not read yet by any hub.",
                    "short",
                    (
                        Query("max by (upstream) (ocppgw_stream_pending_messages{$u})", "{{upstream}}"),
                        Query("sum by (upstream) (ocppgw_stream_lag_messages{$u})", "{{upstream}} not read"),
                    ),
                ),
                Panel(
                    "Parked",
                    "Messages of chargers that a CSMS blocks, put aside.",
                    "bytes",
                    (Query("sum by (upstream) (ocppgw_parked_bytes{$u})", "{{upstream}}"),),
                ),
                Panel(
                    "Delivered against finished",
                    "A gap that grows is a CSMS that does not keep up.",
                    "ops",
                    (
                        Query(rate("ocppgw_stream_delivered_total", "upstream", "$u"), "{{upstream}} delivered"),
                        Query(rate("ocppgw_stream_acked_total", "upstream", "$u"), "{{upstream}} finished"),
                        Query(rate("ocppgw_stream_redelivered_total", "upstream", "$u"), "{{upstream}} again"),
                        Query(rate("ocppgw_stream_claimed_total", "upstream", "$u"), "{{upstream}} taken over"),
                    ),
                ),
                Panel(
                    "Dead letters",
                    "Messages put aside that wait for a person, and how fast they become more.",
                    "short",
                    (
                        Query("sum by (upstream) (ocppgw_dead_letters_kept{$u})", "{{upstream}} kept"),
                        Query(
                            "sum by (upstream, reason) (increase(ocppgw_dead_letters_total{$u}[$__rate_interval])) > 0"
                            " or sum by (upstream) (ocppgw_dead_letters_kept{$u}) * 0",
                            "{{upstream}} new {{reason}}",
                        ),
                    ),
                    bad=1,
                ),
                Panel(
                    "Dropped",
                    "Messages that a CSMS will never get, by kind and reason.",
                    "short",
                    (
                        Query(
                            "sum by (upstream, class) (increase(ocppgw_messages_dropped_total{$u}[$__rate_interval]))",
                            "{{upstream}} {{class}}",
                        ),
                    ),
                    bad=1,
                ),
            ),
        ),
    ),
)
