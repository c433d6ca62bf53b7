"""What the edge counts: plain ints and dicts, read by whoever exports metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gateway.traffic import SIZES

SAMPLE: Final = 15
"""Frames whose number has one of these bits are not timed."""
OURS: Final = frozenset(("store_down", "memory", "other"))
"""Reasons of a disconnect that are trouble of the gateway: the CALLs that are open then have failed because of it."""


class EdgeCounters:
    """Counts since the start of the process, but for `connections` and `pending`, which are of now. Versions are
    subprotocol names, `""` where none was negotiated; the label values are those of the metric catalogue."""

    __slots__ = (
        "appended",
        "attempts",
        "binary",
        "calls",
        "closings",
        "connections",
        "hex_passwords",
        "in_flight",
        "late_answers",
        "limits",
        "malformed",
        "memory",
        "memory_limit",
        "messages",
        "observe_call",
        "observe_connection",
        "observe_decoding",
        "observe_handshake",
        "observe_ping",
        "paused",
        "pending",
        "quarantined",
        "quirks",
        "quirks_told",
        "received",
        "received_bytes",
        "refused",
        "security",
        "sent_bytes",
        "sizes",
        "unmatched",
        "unmatched_told",
    )

    def __init__(self) -> None:
        self.connections: dict[tuple[str, int], int] = {}
        """(version, security profile) -> open charger sockets."""
        self.pending = 0
        """Accepted sockets whose handshake is not complete."""
        self.attempts: dict[tuple[str, str], int] = {}
        """(version, outcome) -> handshakes."""
        self.closings: dict[tuple[str, int], int] = {}
        """(reason, close code) -> sockets that ended."""
        self.limits: dict[str, int] = {}
        """Limit -> how often it was hit."""
        self.paused = 0
        """Chargers that send too fast and are not read now."""
        self.memory = self.memory_limit = 0
        """Bytes in use, and at which the process is full; 0: not known, none."""
        self.security: dict[str, int] = {}
        """Type of security event -> how often."""
        self.hex_passwords = 0
        """Handshakes of 1.x chargers that sent the hex digits of their AuthorizationKey instead of its bytes."""
        self.messages: dict[tuple[str, str, str, str], int] = {}
        """(direction in/out, type call/result/error, action, version) -> frames."""
        self.malformed: dict[str, int] = {}
        """Row of reliability 6.3 (R01...) -> frames, tolerated ones included."""
        self.quirks: dict[tuple[str, str], int] = {}
        """(label of translators/quirks/table.yaml, version) -> what chargers did."""
        self.quirks_told: dict[tuple[str, str], int] = {}
        """Of those, what the metric has."""
        self.received = 0
        """Frames that came: each is a CALL that has ended or is in flight, an answer, refused or quarantined."""
        self.refused = 0
        """Frames that were answered or dropped because of their form."""
        self.quarantined = 0
        """Billing frames of those that were kept for a person to look at."""
        self.received_bytes = 0
        self.sent_bytes = 0
        """Payload bytes of text messages, without pings and handshakes."""
        self.sizes = [0] * SIZES
        """By n, frames in and out of more than 2**(n-1) and at most 2**n bytes."""
        self.binary = 0
        """Messages that came in binary frames (row W01)."""
        self.calls: dict[tuple[str, str], int] = {}
        """(action, outcome ok/call_error/timeout/abandoned/gateway_error/rejected_policy) -> chargers' CALLs that ended."""
        self.in_flight = 0
        """Chargers' CALLs that wait for their answer."""
        self.appended: dict[str, int] = {}
        """Outcome new/repeat/answered/stale -> appends to the journal."""
        self.unmatched = 0
        """Chargers' answers to no open CALL of ours."""
        self.unmatched_told = 0
        """Of those, what the metric has."""
        self.late_answers = 0
        """Answers of hubs that came after the deadline or for a CALL that is not open, dropped."""
        self.observe_call: Callable[[str, float], None] | None = None
        """Called with action and seconds when a charger's CALL has been answered."""
        self.observe_connection: Callable[[float], None] | None = None
        """Called with seconds when a charger's socket has ended."""
        self.observe_handshake: Callable[[float], None] | None = None
        """Called with seconds when a charger is let in."""
        self.observe_ping: Callable[[float], None] | None = None
        """Called with seconds when a charger has answered a ping."""
        self.observe_decoding: Callable[[float], None] | None = None
        """Called for one frame in `SAMPLE` + 1 with the seconds until it was understood."""

    @property
    def disconnects(self) -> dict[str, int]:
        """Reason -> sockets that ended."""
        sums: dict[str, int] = {}
        for (reason, _), n in list(self.closings.items()):
            sums[reason] = sums.get(reason, 0) + n
        return sums


def count(table: dict[str, int], key: str) -> None:
    table[key] = table.get(key, 0) + 1


def odd(counters: EdgeCounters, quirk: str, version: str = "") -> None:
    """A charger has shown a quirk."""
    key = (quirk, version)
    counters.quirks[key] = counters.quirks.get(key, 0) + 1
