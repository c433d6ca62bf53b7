"""The metrics the program exports: names, labels with their value sets, meaning. docs/metrics.md is made from this.

Rules (kubernetes-observability 3.2): no label takes a value that a charger or a CSMS can invent; no identities; base
units; `_total` on counters; actions on counters only, action groups on histograms.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from gateway.metrics_actions import ACTION_GROUPS, ACTIONS
from gateway.readiness import KINDS
from translators.losses import names
from translators.quirks import LABELS as QUIRKS

PREFIX = "ocppgw_"
OTHER = "other"
"""The value of a label that has no place in its set."""

UPSTREAMS: tuple[str, ...] = ("<name of an upstream>",)
"""Stands for the names in the configuration."""

VERSIONS = ("1.5", "1.6", "2.0.1", "2.1")
SIDES = ("charger", "csms")
TYPES = ("call", "result", "error", "send")

CALL_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
TRANSLATION_SECONDS = (0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.01, 0.1)
WAIT_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 20.0, 60.0, 300.0, 1800.0, 3600.0)
PROCESSING_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
STORE_SECONDS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0)
REPLY_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SKEW_SECONDS = (1.0, 5.0, 15.0, 60.0, 300.0, 3600.0, 86400.0)
FRAME_BYTES = tuple(float(2**exponent) for exponent in range(7, 21))
CONNECTION_SECONDS = (1.0, 10.0, 60.0, 300.0, 1800.0, 3600.0, 21600.0, 86400.0, 604800.0)
LAG_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)


class Label(msgspec.Struct, frozen=True):
    """A label and the values that it may take."""

    name: str
    values: tuple[str, ...]

    @property
    def folds(self) -> bool:
        """Whether a value outside of the set, or too many series, become `other`."""
        return OTHER in self.values


class Spec(msgspec.Struct, frozen=True):
    """One metric."""

    name: str
    """Without the prefix."""
    kind: Literal["counter", "gauge", "histogram"]
    meaning: str
    query: str
    """A typical query; `$m` stands for the full name."""
    labels: tuple[Label, ...] = ()
    buckets: tuple[float, ...] = ()
    limit: int = 100
    """Label combinations before further ones fold into `other` (series budget)."""
    zero: dict[str, tuple[str, ...]] | None = None
    """For a counter by upstream: its series exist from the start, for these values of its other labels (those not named: all).
    The first event is then an increase, which an alert sees."""


def _label(name: str, *values: str) -> Label:
    return Label(name, values)


VERSION = _label("ocpp_version", *VERSIONS, OTHER)
FROM, TO = _label("from_version", *VERSIONS, OTHER), _label("to_version", *VERSIONS, OTHER)
ACTION, GROUP = Label("action", (*ACTIONS, OTHER)), Label("action_group", ACTION_GROUPS)
SIDE, INITIATOR = Label("side", SIDES), Label("initiator", SIDES)
UPSTREAM = Label("upstream", UPSTREAMS)
ROW = _label("row", *(f"{kind}{number:02}" for kind in "RPW" for number in range(1, 51)), OTHER)

DISCONNECT_REASONS = (
    "client_close",
    "ping_timeout",
    "duplicate_identity",
    "protocol_error",
    "frame_too_large",
    "slow_consumer",
    "upstream_down",
    "store_down",
    "drain",
    "rebalance",
    "kicked",
    "wrong_serial",
    "chatty",
    "memory",
    "transport_error",
    OTHER,
)
ATTEMPT_OUTCOMES = (
    "accepted",
    "auth_failed",
    "unknown_identity",
    "subprotocol_mismatch",
    "bad_request",
    "rate_limited",
    "over_capacity",
    "store_down",
    "upstream_down",
    "draining",
    "tls_failed",
    "blocked",
    "duplicate_identity",
    OTHER,
)
SECURITY_EVENTS = ("lockout", "certificate", "serial", "downgrade", "identity_conflict")
LIMITS = (
    "pending",
    "source_rate",
    "accept_rate",
    "connections",
    "frame_rate",
    "send_rate",
    "heartbeat_rate",
    "pause_longest",
    "write_buffer",
    "write_stall",
    "memory_refuse",
    "memory_shed",
    "memory_close",
)
CALL_OUTCOMES = (
    "ok",
    "call_error",
    "timeout",
    "abandoned",
    "gateway_error",
    "rejected_policy",
    "charger_offline",
    OTHER,
)
CLOSE_CODES = ("1000", "1001", "1002", "1006", "1007", "1008", "1009", "1011", "1012", "1013", OTHER)
COMMAND_OUTCOMES = ("accepted", "rejected", "call_error", "charger_offline", "timeout", "forbidden", "conflict")
SESSION_STATES = ("connected", "connecting", "backoff", "auth_failed", "disabled")
CONNECTOR_STATUSES = (
    "Available",
    "Preparing",
    "Charging",
    "SuspendedEVSE",
    "SuspendedEV",
    "Finishing",
    "Occupied",
    "Reserved",
    "Unavailable",
    "Faulted",
    OTHER,
)
STATE_KINDS = ("transactions", "remote_starts", "given", "early", "connectors")
STORE_COMMANDS = ("append", "peek", "commit", "deliver", "ping", OTHER)
STORE_STAGES = {"append": "enqueue", "commit": "send"}
"""Command of the store -> the stage of a message's processing that waits for it."""
CONNECT_OUTCOMES = (
    "connected",
    "refused",
    "timeout",
    "tls_failed",
    "auth_failed",
    "unknown_identity",
    "subprotocol_mismatch",
    OTHER,
)

_BY_UPSTREAM = "sum by (upstream) (rate($m[5m]))"
_P99 = "histogram_quantile(0.99, sum by (le) (rate($m_bucket[5m])))"

CATALOGUE: tuple[Spec, ...] = (
    Spec("build_info", "gauge", "Always 1; what runs.", "count by (version) ($m)",
         (Label("version", ("<release>",)), Label("revision", ("<commit>",)), Label("python", ("<version>",)))),
    Spec("connections", "gauge", "Chargers connected now.", "sum by (ocpp_version) ($m)",
         (VERSION, _label("security_profile", "0", "1", "2", "3"))),
    Spec("connections_limit", "gauge", "listen.max_connections.", "sum(ocppgw_connections) / sum($m)"),
    Spec("connection_attempts_total", "counter", "Handshakes of chargers, by how they ended.",
         "sum by (outcome) (rate($m[5m]))", (VERSION, _label("outcome", *ATTEMPT_OUTCOMES)), limit=50),
    Spec("disconnects_total", "counter", "Charger sockets that ended, by reason and close code.",
         "sum by (reason) (rate($m[5m]))", (_label("reason", *DISCONNECT_REASONS), _label("code", *CLOSE_CODES)), limit=40),
    Spec("connection_duration_seconds", "histogram", "How long charger sockets lasted that have ended.",
         'sum(rate($m_bucket{le="60.0"}[15m])) / sum(rate($m_count[15m]))', (), CONNECTION_SECONDS),
    Spec("handshake_duration_seconds", "histogram",
         "From a charger's socket (after TLS) to the end of its handshake, of those that were let in.", _P99, (), REPLY_SECONDS),
    Spec("ping_rtt_seconds", "histogram", "Time a charger took to answer a WebSocket ping.", _P99, (), REPLY_SECONDS),
    Spec("security_events_total", "counter",
         "Lock-outs; certificates that let nobody in; boots with another serial number; chargers on a lower profile than before.",
         "sum by (type) (increase($m[1h]))", (_label("type", *SECURITY_EVENTS, OTHER),)),
    Spec("limit_hits_total", "counter", "How often a limit against floods and hogs was hit, by its key in `limits` or `listen`.",
         "sum by (limit) (increase($m[5m]))", (_label("limit", *LIMITS),)),
    Spec("handshakes_pending", "gauge", "Sockets of chargers whose handshake is not complete.", "sum($m)"),
    Spec("chargers_paused", "gauge", "Chargers that send too fast and are not read now.", "sum($m)"),
    Spec("memory_used_bytes", "gauge", "Memory in use, as `limits.memory` counts it.", "max($m / ocppgw_memory_limit_bytes)"),
    Spec("memory_limit_bytes", "gauge", "Memory at which the process is full; 0: not known.", "min($m)"),
    Spec("hex_passwords_total", "counter", "Handshakes with the hex digits of an AuthorizationKey instead of its bytes.",
         "sum(increase($m[1d]))"),
    Spec("tls_certificate_not_after_timestamp_seconds", "gauge",
         "When the first certificate of a listener ends; 0 without TLS.", "(min by (listener) ($m > 0) - time()) / 86400",
         (Label("listener", ("<host:port of listen>",)),), limit=20),
    Spec("received_bytes_total", "counter", "Bytes of frames received.", "sum by (side) (rate($m[5m]))", (SIDE,)),
    Spec("sent_bytes_total", "counter", "Bytes of frames sent.", "sum by (side) (rate($m[5m]))", (SIDE,)),
    Spec("frame_size_bytes", "histogram", "Size of frames, in and out.",
         "histogram_quantile(0.99, sum by (side, le) (rate($m_bucket[5m])))", (SIDE,), FRAME_BYTES),
    Spec("send_queue_bytes", "gauge", "Bytes written that the peers have not taken yet.", "sum by (side) ($m)", (SIDE,)),
    Spec("messages_total", "counter", "OCPP frames that passed a socket of the gateway.",
         "topk(10, sum by (action) (rate($m[5m])))",
         (SIDE, _label("direction", "in", "out"), Label("type", TYPES), ACTION, VERSION), limit=356),
    Spec("malformed_frames_total", "counter", "Frames refused, by the row of the table of bad inputs.",
         "sum by (row) (rate($m[5m]))", (ROW,), limit=60),
    Spec("quirks_total", "counter", "What peers do that the specification does not say, by the row of [Quirks](quirks.md).",
         "topk(10, sum by (quirk) (increase($m[1d])))", (_label("quirk", *QUIRKS, OTHER), VERSION, SIDE), limit=108),
    Spec("refused_frames_total", "counter", "Frames of chargers answered or dropped because of their form, not kept.",
         "sum(rate($m[5m]))"),
    Spec("quarantined_frames_total", "counter", "Billing frames that could not be accepted, kept for a person to look at.",
         "sum(increase($m[1h]))"),
    Spec("calls_total", "counter",
         "CALLs that ended, by outcome. Of a charger's: the CSMS did not answer in time (timeout), the gateway or its store failed "
         "(gateway_error), `primary_down: local` refused it before a boot (rejected_policy), the connection ended first (abandoned).",
         'sum(rate($m{outcome!~"ok|call_error"}[5m])) / sum(rate($m[5m]))',
         (INITIATOR, ACTION, _label("outcome", *CALL_OUTCOMES)), limit=280),
    Spec("call_duration_seconds", "histogram", "Time from a CALL's arrival to its answer's departure.", _P99,
         (INITIATOR, GROUP), CALL_SECONDS, limit=24),
    Spec("processing_duration_seconds", "histogram",
         "Time the gateway itself needs for a charger's message, one in 16 is timed: to understand it (decode), to store it "
         "(enqueue), from its arrival to the link of an upstream (dequeue), to validate and translate it (translate), to store "
         "what was decided before the frame may leave (send).",
         "histogram_quantile(0.99, sum by (stage, le) (rate($m_bucket[5m])))",
         (_label("stage", "decode", "enqueue", "dequeue", "translate", "send"),), PROCESSING_SECONDS),
    Spec("calls_in_flight", "gauge", "CALLs that wait for their answer.", "sum by (initiator) ($m)", (INITIATOR,)),
    Spec("local_answers_total", "counter",
         "CALLs of chargers that the gateway answered in place of an upstream: by the route's `primary_down`, or `early`.",
         "sum by (policy, action) (rate($m[5m]))", (ACTION, _label("policy", "close", "buffer", "local", "early")), limit=70),
    Spec("replays_stopped_total", "counter",
         "Times that an upstream refused a charger (SecurityError) while it was told what it had missed: the charger has to boot.",
         "sum by (upstream) (increase($m[1h]))", (UPSTREAM,)),
    Spec("commands_total", "counter", "CALLs of a CSMS to a charger that ended, by outcome.",
         "sum by (upstream, outcome) (rate($m[5m]))", (UPSTREAM, ACTION, _label("outcome", *COMMAND_OUTCOMES)), limit=70),
    Spec("command_conflicts_total", "counter",
         "Commands refused because of what another upstream may do or has done with the charger, by kind.",
         "sum by (policy) (increase($m[1h]))",
         (_label("policy", "configuration", "charging_profiles", "reservations", "transactions", "local_list", OTHER),)),
    Spec("schema_violations_total", "counter", "CALLs refused because their payload is not what the schema says.",
         "sum by (side, action) (rate($m[5m]))", (SIDE, VERSION, ACTION, _label("policy", "rejected")), limit=30),
    Spec("unmatched_responses_total", "counter", "Answers to no open CALL: late, doubled or of an unknown id.",
         "sum by (side) (rate($m[5m]))", (SIDE,)),
    Spec("translations_total", "counter", "Messages translated, by outcome.",
         'sum(rate($m{outcome="error"}[5m])) / sum(rate($m[5m]))',
         (FROM, TO, ACTION, _label("outcome", "exact", "lossy", "synthesized", "unsupported", "error")), limit=200),
    Spec("translation_lossy_fields_total", "counter", "Fields dropped, cut or invented by a translation.",
         "topk(10, sum by (action, field) (rate($m[1h])))", (FROM, TO, ACTION, Label("field", (*names(), OTHER))), limit=140),
    Spec("translation_duration_seconds", "histogram",
         "Time one translation step took: the first 16 of a link, then one of 16.", _P99, (FROM, TO),
         TRANSLATION_SECONDS, limit=5),
    Spec("translation_state_entries", "gauge", "What the links remember of their chargers, by kind.", "sum by (kind) ($m)",
         (_label("kind", *STATE_KINDS),)),
    Spec("stream_published_total", "counter", "Entries appended to the journal.", "sum(rate($m[5m]))"),
    Spec("stream_delivered_total", "counter", "Journal entries handed to an upstream's link.", _BY_UPSTREAM,
         (UPSTREAM,)),
    Spec("stream_acked_total", "counter", "Journal entries an upstream is done with.", _BY_UPSTREAM, (UPSTREAM,)),
    Spec("stream_redelivered_total", "counter",
         "Journal entries that may have been told before: read after their hub died, or after trouble with the store.",
         _BY_UPSTREAM, (UPSTREAM,)),
    Spec("stream_claimed_total", "counter", "Those of them that another hub had, or this one in its last life.",
         _BY_UPSTREAM, (UPSTREAM,)),
    Spec("stream_pending_messages", "gauge", "Journal entries not yet acknowledged.", "max by (upstream) ($m)",
         (UPSTREAM,)),
    Spec("stream_length_messages", "gauge", "Journal entries in the store, of the partitions this process owns.", "sum($m)"),
    Spec("stream_lag_messages", "gauge", "Journal entries no hub has read for an upstream; absent while the store cannot say.",
         "sum by (upstream) ($m)", (UPSTREAM,)),
    Spec("stream_lag_known", "gauge", "1 while stream_lag_messages is known.", "min by (upstream) ($m)", (UPSTREAM,)),
    Spec("stream_oldest_undelivered_age_seconds", "gauge", "Age of the oldest journal entry an upstream has not got.",
         "max by (upstream) ($m)", (UPSTREAM,)),
    Spec("stream_oldest_pending_age_seconds", "gauge",
         "Age of the oldest journal entry that was read for an upstream and that it has not finished; 0: none.",
         "max by (upstream) ($m)", (UPSTREAM,)),
    Spec("undelivered_transaction_messages", "gauge",
         "Billing at risk: starts, stops and meter values of transactions that an upstream has not got, parked ones included.",
         "sum by (upstream) ($m)", (UPSTREAM,)),
    Spec("undelivered_transaction_oldest_age_seconds", "gauge", "Age of the oldest of them; 0: none.",
         "max by (upstream) ($m)", (UPSTREAM,)),
    Spec("offline_buffer_messages", "gauge", "Messages that wait in this process for an upstream.",
         "sum by (upstream) ($m)", (UPSTREAM,)),
    Spec("offline_buffer_bytes", "gauge", "Their size, and that of what is parked.", "sum by (upstream) ($m)", (UPSTREAM,)),
    Spec("offline_buffer_oldest_age_seconds", "gauge", "Age of the oldest of them; 0: none.", "max by (upstream) ($m)",
         (UPSTREAM,)),
    Spec("stream_wait_seconds", "histogram", "Time from append to delivery.",
         "histogram_quantile(0.99, sum by (upstream, le) (rate($m_bucket[5m])))", (UPSTREAM,), WAIT_SECONDS),
    Spec("messages_dropped_total", "counter", "Messages an upstream will never get.",
         "sum by (upstream, reason) (increase($m[1h]))",
         (UPSTREAM, _label("class", "transaction", "meter", "status", OTHER),
          _label("reason", "expired", "retention", "memory", "trimmed", "policy", "untranslatable", OTHER)), limit=50,
         zero={"class": ("transaction",)}),
    Spec("dead_letters_total", "counter", "Messages put aside for a person to look at.",
         "sum by (upstream, reason) (increase($m[1h]))",
         (UPSTREAM, _label("reason", "refused", "attempts", "untranslatable", "poisoned", "retention", "memory", OTHER)),
         zero={}),
    Spec("dead_letters_kept", "gauge", "Messages put aside that nobody has requeued or discarded yet.",
         "sum by (upstream) ($m)", (UPSTREAM,)),
    Spec("parked_bytes", "gauge", "Entries of chargers whose link is blocked, put aside so that they hold nobody else's.",
         "sum by (upstream) ($m)", (UPSTREAM,)),
    Spec("orphan_groups", "gauge", "Groups of the journal whose upstream is in no configuration: they keep what they have not read.",
         "max($m)"),
    Spec("lifeline_commands_total", "counter",
         "Commands of a CSMS about what a charger reaches the gateway by, by what became of them (`routes[].lifeline`).",
         "sum by (upstream, subject, policy) (increase($m[1h]))",
         (UPSTREAM, _label("subject", "address", "security_profile", "passwords", "organization", "certificates", "firmware"),
          _label("policy", "deny", "consume", "rewrite", "alert")), limit=16,
         zero={"subject": ("address", "security_profile"), "policy": ("deny",)}),
    Spec("upstream_sessions", "gauge", "Sockets to a CSMS by state.",
         'sum by (upstream) ($m{state="connected"}) / sum by (upstream) ($m)',
         (UPSTREAM, _label("state", *SESSION_STATES))),
    Spec("upstream_connect_attempts_total", "counter", "Dials of a CSMS, by how they ended.",
         "sum by (upstream, outcome) (rate($m[5m]))", (UPSTREAM, _label("outcome", *CONNECT_OUTCOMES)), zero={}),
    Spec("upstream_disconnects_total", "counter", "Sockets to a CSMS that ended, by reason.",
         "sum by (upstream, reason) (rate($m[5m]))",
         (UPSTREAM, _label("reason", "peer_close", "charger_gone", "ping_timeout", "protocol_error", "drain", "paused",
                           "transport_error", OTHER)), zero={}),
    Spec("upstream_call_duration_seconds", "histogram", "Time a CSMS took to answer a CALL.",
         "histogram_quantile(0.99, sum by (upstream, le) (rate($m_bucket[5m])))", (UPSTREAM, GROUP),
         CALL_SECONDS, limit=36),
    Spec("shadow_comparisons_total", "counter", "Answers of a shadow that were compared with those that count.",
         'sum by (upstream) (rate($m{outcome="agreed"}[1h])) / sum by (upstream) (rate($m[1h]))',
         (UPSTREAM, _label("outcome", "agreed", "differed"))),
    Spec("shadow_differences_total", "counter", "Differences between the answers of a shadow and those that count.",
         "topk(10, sum by (upstream, action, kind) (increase($m[1h])))",
         (UPSTREAM, ACTION, _label("kind", *KINDS)), limit=60),
    Spec("shadow_latency_difference_seconds", "histogram", "How much later or earlier a shadow answered.",
         'histogram_quantile(0.95, sum by (upstream, le) (rate($m_bucket{order="later"}[1h])))',
         (UPSTREAM, _label("order", "later", "earlier")), CALL_SECONDS, limit=12),
    Spec("transactions_active", "gauge", "Transactions that have begun and not ended, as far as the gateway knows.",
         "sum by (ocpp_version) ($m)", (VERSION,)),
    Spec("transactions_total", "counter",
         "Transactions that began (started), ended, ended without a known begin (orphaned), were told to a CSMS late (replayed); "
         "of 2.x also events with a hole before their seqNo (gap) and with one that is not above the last (regressed).",
         "sum by (event) (rate($m[5m]))", (_label("event", "started", "ended", "orphaned", "replayed", "gap", "regressed"),)),
    Spec("boot_notifications_total", "counter", "Boots of chargers, by what they were answered.",
         "sum by (status) (rate($m[5m]))", (_label("status", "accepted", "pending", "rejected"),)),
    Spec("connectors", "gauge", "Connectors by their last status; those of the station itself (connector 0) do not count.",
         'sum($m{status="Faulted"})', (_label("status", *CONNECTOR_STATUSES),)),
    Spec("chargers", "gauge", "Connected chargers by vendor and model, of the models in `metrics.models`; none without it.",
         "sum by (vendor, model) ($m)",
         (_label("vendor", "<of metrics.models>", OTHER), _label("model", "<of metrics.models>", OTHER)), limit=51),
    Spec("charger_clock_skew_seconds", "histogram", "How far the time stamps of chargers are from the gateway's clock.",
         "histogram_quantile(0.95, sum by (le) (rate($m_bucket[1h])))", (), SKEW_SECONDS),
    Spec("partitions", "gauge", "Partitions of the journal that this process owns.", "sum($m)"),
    Spec("partition_takeovers_total", "counter", "Partitions that this process took over.", "sum(increase($m[1h]))"),
    Spec("redis_up", "gauge", "1 while the store is reachable and safe.", "min($m)"),
    Spec("store_durability_level", "gauge",
         "What an acknowledged message survives: 0 the end of gateway processes, 1 of any, 2 a power loss, 3 the loss of the primary.",
         "min($m)"),
    Spec("clock_skew_seconds", "gauge",
         "How far this process's clock is ahead of the store's (below 0: behind). Beyond 2 s the store's counts.", "max(abs($m))"),
    Spec("store_resets_total", "counter", "Times that the store, or a group of it, was found to have been emptied.",
         "sum(increase($m[1h]))"),
    Spec("store_reappended_total", "counter",
         "Acknowledged entries that a store had lost, in a failover or a reset, and was given again.",
         "sum(increase($m[1h]))"),
    Spec("redis_errors_total", "counter", "Commands to the store that failed, and attempts to connect to it, by kind.",
         "sum by (kind) (rate($m[5m]))",
         (_label("kind", "connection", "timeout", "loading", "readonly", "oom", "misconf", "fenced", OTHER),)),
    Spec("redis_command_duration_seconds", "histogram", "Time the store took for a command; one in 16 is timed.",
         "histogram_quantile(0.99, sum by (command, le) (rate($m_bucket[5m])))", (_label("command", *STORE_COMMANDS),),
         STORE_SECONDS),
    Spec("redis_pool_connections", "gauge", "Connections to the store: for commands, and those that wait for news.",
         "sum by (state) ($m)", (_label("state", "command", "waiting", "idle"),)),
    Spec("tasks", "gauge", "Tasks of the event loop.", "max($m)"),
    Spec("drain_remaining_connections", "gauge", "Chargers still connected to a process that drains; 0 otherwise.", "sum($m)"),
    Spec("event_loop_lag_seconds", "histogram", "How late the event loop runs what is due.", _P99, (), LAG_SECONDS),
    Spec("draining", "gauge", "1 after SIGTERM, until the process ends.", "sum($m)"),
    Spec("config_last_reload_successful", "gauge", "1 if the configuration, when it was last read, could be put in force.",
         "min($m)"),
    Spec("config_last_reload_success_timestamp_seconds", "gauge", "When that last was so.", "time() - min($m)"),
)  # fmt: skip
