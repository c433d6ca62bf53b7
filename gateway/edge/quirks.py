"""The quirks of chargers that show at the edge (translators/quirks/table.yaml), counted where they are met. Pure."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from gateway.edge.counters import EdgeCounters, count, odd

_ROWS: Final = {
    "Q25": "json_salvaged",
    "R03": "json_salvaged",
    "R16": "id_reuse",
    "R23": "enum_case",
    "R25": "cross_version_frame",
    "R27": "payload_null",
    "R28": "answer_unmatched",
    "R29": "answer_unmatched",
    "R31": "callerror_shape",
    "R33": "answer_unmatched",
    "R34": "json_salvaged",
    "R35": "json_salvaged",
}
"""Row of the table of bad inputs -> quirk."""
_BILLS: Final = frozenset(("StartTransaction", "StopTransaction", "TransactionEvent"))
UNESCAPED: Final = "-._~!$&'()*+,;=:@"
"""What needs no escape in a segment of a path, besides letters and digits (RFC 3986)."""


def malformed(counters: EdgeCounters, row: str, version: str) -> None:
    """A frame is not as it should be, whether it was tolerated or not."""
    row = row[:3]
    count(counters.malformed, row)
    if (label := _ROWS.get(row)) is not None:
        odd(counters, label, version)


def again(counters: EdgeCounters, action: str, version: str) -> None:
    """A CALL came that had come before."""
    if action in _BILLS:
        odd(counters, "dup_tx", version)


def handshake(counters: EdgeCounters, path: str, identity: str, offers: bool, version: str) -> None:
    """A handshake that may be accepted. `offers`: it names at least one subprotocol."""
    place = path.partition("?")[0]
    segment = place.rpartition("/")[2]
    if not offers:
        odd(counters, "hs_no_subprotocol", version)
    if "://" in place or not segment:
        odd(counters, "hs_odd_path", version)
    elif segment != quote(identity, safe=UNESCAPED):
        odd(counters, "hs_id_encoding", version)
