"""From a panel to the log lines (Loki) and traces (Tempo) behind it, in Grafana's Explore and for the time that is shown.

Both data sources are variables of each dashboard; without them the links lead nowhere and nothing else changes.
"""

from __future__ import annotations

import json
from typing import Final
from urllib.parse import quote

_FROM = 'span."ocpp.direction" = "from_charger"'
_COMMAND = 'span."ocpp.direction" = "from_csms"'
_TOLD = 'span."ocpp.direction" = "to_csms"'

LOGS: Final[dict[str, tuple[str, ...]]] = {
    "ocppgw-fleet/Handshakes by outcome": ("handshake_refused", "handshake_failed", "tls_failed", "security_event"),
    "ocppgw-fleet/Ends by reason": ("charger_disconnected",),
    "ocppgw-fleet/Malformed frames": ("malformed_frame", "not_accepted"),
    "ocppgw-fleet/Security events": ("security_event",),
    "ocppgw-upstreams/Sockets by state": ("upstream_down", "upstream_up", "upstream_dial_failed"),
    "ocppgw-upstreams/Dials by outcome": ("upstream_dial_failed",),
    "ocppgw-upstreams/Parked": ("charger_parked", "charger_unparked"),
    "ocppgw-upstreams/Dead letters": ("dead_letter", "entry_poisoned"),
    "ocppgw-upstreams/Dropped": ("retention_drop", "entries_lost", "backlog_shortened"),
    "ocppgw-translation/Lost fields": ("translation_losses",),
    "ocppgw-translation/By outcome": ("entry_poisoned", "translation_losses"),
    "ocppgw-internals/Errors": ("store_lost", "store_back", "store_not_ready", "store_full", "commit_failed"),
    "ocppgw-internals/Resets and repairs": ("stream_reset", "store_had_lost_entries"),
    "ocppgw-internals/Configuration in force": ("config_not_reloaded", "config_reloaded"),
    "ocppgw-internals/Certificate ends": ("certificate_expires", "certificates_not_reloaded", "certificates_reloaded"),
}
"""dashboard/panel -> events of the log."""

TRACES: Final[dict[str, str]] = {
    "ocppgw-fleet/Unanswered CALLs": f"{_FROM} && status = error",
    "ocppgw-fleet/Chargers' CALLs by outcome": f"{_FROM} && status = error",
    "ocppgw-fleet/Time to the answer": f"{_FROM} && duration > 1s",
    "ocppgw-fleet/Commands by outcome": f"{_COMMAND} && status = error",
    "ocppgw-upstreams/Time to answer": f"{_TOLD} && duration > 1s",
    "ocppgw-upstreams/Time to answer by kind": f"{_TOLD} && duration > 1s",
    "ocppgw-upstreams/Commands by outcome": f"{_COMMAND} && status = error",
    "ocppgw-internals/Own time by stage": f"{_FROM} && duration > 50ms",
    "ocppgw-internals/Wait between edge and hub": 'span."ocpp.waited_ms" > 50',
}
"""dashboard/panel -> what the spans have in common (TraceQL)."""


def of(uid: str, title: str) -> list[tuple[str, str]]:
    """(name, address) of the links of a panel."""
    found, panel = [], f"{uid}/{title}"
    if events := LOGS.get(panel):
        query = f'{{container="gateway", namespace=~"${{namespace:regex}}"}} | json | event=~"{"|".join(events)}"'
        found.append(("Log", _explore("logs", "loki", {"expr": query})))
    if spans := TRACES.get(panel):
        query = f'{{ resource.service.name = "ocpp-gateway" && {spans} }}'
        found.append(("Traces", _explore("traces", "tempo", {"queryType": "traceql", "query": query})))
    return found


def _explore(variable: str, kind: str, query: dict[str, str]) -> str:
    source = f"${{{variable}}}"
    what = {"refId": "A", "datasource": {"type": kind, "uid": source}, **query}
    shown = {"from": "${__from}", "to": "${__to}"}
    panes = json.dumps({"a": {"datasource": source, "queries": [what], "range": shown}}, separators=(",", ":"))
    return f"/explore?schemaVersion=1&panes={quote(panes, safe='${}:,_')}"
