from __future__ import annotations

from tools.dashboards.panels import Dashboard, Panel, Query, quantile, rate

TRANSLATION = Dashboard(
    uid="ocppgw-translation",
    title="OCPP gateway / Translation and migration",
    description="What is translated between which versions, what is lost on the way, and how far a migration is.",
    rows=(
        (
            "Volume",
            (
                Panel(
                    "Messages by versions",
                    "Translated messages, from version to version.",
                    "ops",
                    (
                        Query(
                            rate("ocppgw_translations_total", "from_version, to_version"),
                            "{{from_version}} to {{to_version}}",
                        ),
                    ),
                    stacked=True,
                ),
                Panel(
                    "By outcome",
                    "lossy: members were dropped or folded; synthesized: some were invented; unsupported, error: refused.",
                    "ops",
                    (Query(rate("ocppgw_translations_total", "outcome"), "{{outcome}}"),),
                ),
                Panel(
                    "Time of one step",
                    "What the translation itself takes, 99th percentile.",
                    "s",
                    (
                        Query(
                            quantile(0.99, "ocppgw_translation_duration_seconds", "$s", "from_version, to_version"),
                            "{{from_version}} to {{to_version}}",
                        ),
                    ),
                ),
            ),
        ),
        (
            "Losses",
            (
                Panel(
                    "Share of lossy messages",
                    "By action, the ten largest.",
                    "percentunit",
                    (
                        Query(
                            'topk(10, sum by (action) (rate(ocppgw_translations_total{$s, outcome="lossy"}[$__rate_interval]))'
                            " / on (action) sum by (action) (rate(ocppgw_translations_total{$s}[$__rate_interval])))",
                            "{{action}}",
                        ),
                    ),
                    width=12,
                ),
                Panel(
                    "Lost fields",
                    "The fifteen most frequent in the time that is shown.",
                    "short",
                    (
                        Query(
                            "topk(15, sum by (action, field) (increase(ocppgw_translation_lossy_fields_total{$s}[$__range])))",
                            "{{action}} {{field}}",
                        ),
                    ),
                    "bars",
                    12,
                ),
                Panel(
                    "Unsupported actions",
                    "Refused because the other version has nothing like it, in the time that is shown.",
                    "short",
                    (
                        Query(
                            'topk(10, sum by (action) (increase(ocppgw_translations_total{$s, outcome="unsupported"}[$__range])))'
                            " or vector(0)",
                            "{{action}}",
                        ),
                    ),
                    "bars",
                ),
                Panel(
                    "Payloads against the schema",
                    "CALLs refused because of their form, in the time that is shown.",
                    "short",
                    (
                        Query(
                            "topk(10, sum by (side, action) (increase(ocppgw_schema_violations_total{$s}[$__range])))"
                            " or vector(0)",
                            "{{side}} {{action}}",
                        ),
                    ),
                    "bars",
                ),
                Panel(
                    "What is remembered",
                    "Facts that translations rest on, by kind.",
                    "short",
                    (Query("sum by (kind) (ocppgw_translation_state_entries{$s})", "{{kind}}"),),
                ),
            ),
        ),
        (
            "Migration",
            (
                Panel(
                    "Chargers by version",
                    "What the fleet speaks.",
                    "short",
                    (Query("sum by (ocpp_version) (ocppgw_connections{$s})", "{{ocpp_version}}"),),
                    stacked=True,
                ),
                Panel(
                    "Messages at the CSMSs by version",
                    "What the CSMSs speak.",
                    "ops",
                    (
                        Query(
                            'sum by (ocpp_version) (rate(ocppgw_messages_total{$s, side="csms"}[$__rate_interval]))',
                            "{{ocpp_version}}",
                        ),
                    ),
                    stacked=True,
                ),
                Panel(
                    "Sockets by CSMS",
                    "How many chargers each CSMS has: a switch moves them.",
                    "short",
                    (Query('sum by (upstream) (ocppgw_upstream_sessions{$s, state="connected"})', "{{upstream}}"),),
                    stacked=True,
                ),
            ),
        ),
    ),
)
