from __future__ import annotations

from tools.dashboards.panels import Dashboard, Panel, Query, quantile, rate

INTERNALS = Dashboard(
    uid="ocppgw-internals",
    title="OCPP gateway / Internals",
    description="The processes and their store.",
    rows=(
        (
            "Processes",
            (
                Panel(
                    "Versions",
                    "What runs.",
                    "short",
                    (Query("count by (version, revision) (ocppgw_build_info{$s})", "{{version}} {{revision}}"),),
                    "stat",
                    4,
                ),
                Panel(
                    "Draining",
                    "Pods that are about to end.",
                    "short",
                    (Query("sum(ocppgw_draining{$s})"),),
                    "stat",
                    4,
                ),
                Panel(
                    "Chargers to drain",
                    "Still connected to pods that are about to end.",
                    "short",
                    (Query("sum(ocppgw_drain_remaining_connections{$s})"),),
                    "stat",
                    4,
                ),
                Panel(
                    "Partitions",
                    "Of the journal, owned by some hub. Fewer than configured: nobody reads the others.",
                    "short",
                    (Query("sum(ocppgw_partitions{$s})"),),
                    "stat",
                    4,
                ),
                Panel(
                    "Event loop lag",
                    "How late a process reacts, 99th percentile. Above 250 ms chargers wait.",
                    "s",
                    (Query(quantile(0.99, "ocppgw_event_loop_lag_seconds", "$s", "instance"), "{{instance}}"),),
                    bad=0.25,
                ),
                Panel(
                    "Clock",
                    "How far a process's clock is ahead of the store's. Beyond 2 s it goes by the store's.",
                    "s",
                    (Query("max by (instance) (ocppgw_clock_skew_seconds{$s})", "{{instance}}"),),
                ),
                Panel(
                    "CPU",
                    "Cores per process; a process uses one at most.",
                    "short",
                    (
                        Query(
                            "sum by (instance) (rate(process_cpu_seconds_total{$s}[$__rate_interval]))", "{{instance}}"
                        ),
                    ),
                    bad=0.9,
                ),
                Panel(
                    "Memory",
                    "Resident, per process.",
                    "bytes",
                    (Query("sum by (instance) (process_resident_memory_bytes{$s})", "{{instance}}"),),
                ),
                Panel(
                    "Chargers per process",
                    "After a scale-up they stay where they are until ocpp-gateway rebalance.",
                    "short",
                    (Query("sum by (instance) (ocppgw_connections{$s})", "{{instance}}"),),
                ),
                Panel(
                    "Memory per charger",
                    "Resident bytes of the processes by chargers connected to them.",
                    "bytes",
                    (
                        Query(
                            "sum by (instance) (process_resident_memory_bytes{$s})"
                            " / (sum by (instance) (ocppgw_connections{$s}) > 0)",
                            "{{instance}}",
                        ),
                    ),
                ),
                Panel(
                    "Tasks and send queues",
                    "Tasks of the event loop, and bytes that peers have not taken.",
                    "short",
                    (
                        Query("max by (instance) (ocppgw_tasks{$s})", "{{instance}} tasks"),
                        Query("sum by (side) (ocppgw_send_queue_bytes{$s})", "bytes for {{side}}"),
                    ),
                ),
                Panel(
                    "Open files",
                    "A charger costs one, in a process with both roles two.",
                    "short",
                    (Query("sum by (instance) (process_open_fds{$s})", "{{instance}}"),),
                ),
            ),
        ),
        (
            "Way of a message",
            (
                Panel(
                    "Wait between edge and hub",
                    "Seconds from append to delivery: most of what the gateway adds.",
                    "s",
                    (
                        Query(
                            "sum by (le) (increase(ocppgw_stream_wait_seconds_bucket{$s}[$__rate_interval]))", "{{le}}"
                        ),
                    ),
                    "heatmap",
                    12,
                ),
                Panel(
                    "Own time by stage",
                    "decode, enqueue (stored), dequeue (arrival to hub), translate, send (stored before it leaves): 99th percentile. "
                    "The objective is 50 ms.",
                    "s",
                    (Query(quantile(0.99, "ocppgw_processing_duration_seconds", "$s", "stage"), "{{stage}}"),),
                    width=12,
                    bad=0.05,
                ),
                Panel(
                    "Frame sizes",
                    "99th percentile, in and out.",
                    "bytes",
                    (Query(quantile(0.99, "ocppgw_frame_size_bytes", "$s", "side"), "{{side}}"),),
                    width=12,
                ),
                Panel(
                    "Bytes",
                    "Frames of chargers and CSMSs.",
                    "Bps",
                    (
                        Query(rate("ocppgw_received_bytes_total", "side"), "{{side}} received"),
                        Query(rate("ocppgw_sent_bytes_total", "side"), "{{side}} sent"),
                    ),
                    width=6,
                ),
                Panel(
                    "CALLs in flight",
                    "That wait for their answer, and answers that nobody waits for.",
                    "short",
                    (
                        Query("sum by (initiator) (ocppgw_calls_in_flight{$s})", "{{initiator}}"),
                        Query(rate("ocppgw_unmatched_responses_total", "side"), "unmatched of {{side}} per second"),
                    ),
                    width=6,
                ),
            ),
        ),
        (
            "Store",
            (
                Panel(
                    "Store reached",
                    "Processes that reach a store that is safe.",
                    "percentunit",
                    (Query("avg(ocppgw_redis_up{$s})"),),
                    "stat",
                    4,
                    bad=1,
                    bad_below=True,
                ),
                Panel(
                    "Durability",
                    "0 nothing, 1 the death of any process, 2 a power loss, 3 the loss of the primary is survived.",
                    "short",
                    (Query("min(ocppgw_store_durability_level{$s})"),),
                    "stat",
                    4,
                    bad=1,
                    bad_below=True,
                ),
                Panel(
                    "Appended",
                    "Entries of the journal.",
                    "ops",
                    (Query(rate("ocppgw_stream_published_total"), "appended"),),
                ),
                Panel(
                    "Time of commands",
                    "What the store takes, 99th percentile.",
                    "s",
                    (Query(quantile(0.99, "ocppgw_redis_command_duration_seconds", "$s", "command"), "{{command}}"),),
                ),
                Panel(
                    "Streams and connections",
                    "Entries in the store, connections to it, partitions taken over.",
                    "short",
                    (
                        Query("sum(ocppgw_stream_length_messages{$s})", "entries"),
                        Query("sum by (state) (ocppgw_redis_pool_connections{$s})", "connections {{state}}"),
                        Query("sum(increase(ocppgw_partition_takeovers_total{$s}[$__rate_interval]))", "taken over"),
                    ),
                ),
                Panel(
                    "Errors",
                    "Failed commands by kind.",
                    "ops",
                    (Query(rate("ocppgw_redis_errors_total", "kind"), "{{kind}}"),),
                ),
                Panel(
                    "Resets and repairs",
                    "Times that the store was found emptied, and entries that it was given back.",
                    "short",
                    (
                        Query("sum(increase(ocppgw_store_resets_total{$s}[$__rate_interval]))", "resets"),
                        Query("sum(increase(ocppgw_store_reappended_total{$s}[$__rate_interval]))", "given back"),
                    ),
                ),
                Panel(
                    "Orphan groups",
                    "Groups without an upstream, which keep what they have not read.",
                    "short",
                    (Query("max(ocppgw_orphan_groups{$s})"),),
                    "stat",
                    4,
                    bad=1,
                ),
                Panel(
                    "Configuration in force",
                    "0: a pod could not take the last change.",
                    "short",
                    (Query("min(ocppgw_config_last_reload_successful{$s})"),),
                    "stat",
                    4,
                    bad=1,
                    bad_below=True,
                ),
                Panel(
                    "Certificate ends",
                    "When the first certificate of each listener ends; 1970 without TLS.",
                    "dateTimeAsIso",
                    (
                        Query(
                            "min by (listener) (ocppgw_tls_certificate_not_after_timestamp_seconds{$s}) * 1000",
                            "{{listener}}",
                        ),
                    ),
                    "stat",
                    4,
                ),
                Panel(
                    "Last reload",
                    "Time since the configuration was read.",
                    "s",
                    (Query("time() - min(ocppgw_config_last_reload_success_timestamp_seconds{$s})"),),
                    "stat",
                    4,
                ),
            ),
        ),
    ),
)
