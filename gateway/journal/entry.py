"""What the journal stores: one `Entry` per thing a charger did, as received."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

FORMAT = 1
"""Number of the entry format; a reader refuses anything newer (architecture: formats)."""

Kind: TypeAlias = Literal["open", "call", "answer", "repeat", "close"]
Class: TypeAlias = Literal["K0", "K1", "K2", "K3"]
"""Delivery class of a charger CALL: billing, must arrive, perishable, live query (reliability 5.2)."""


class Head(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The part of an entry that is not the frame; stored as a MessagePack array, extended only at the end."""

    charger: str
    """Identity in the charger's own spelling; keys use its casefolded form."""
    epoch: int
    """Number of the charger's connection (INCR at connect). Newest wins."""
    seq: int
    """Counter of the frames of that connection, from 1; answers are addressed by (epoch, seq)."""
    version: str
    """Subprotocol of the connection, e.g. `ocpp1.6`."""
    home: str
    """Edge incarnation that holds the socket and whose inbox takes what goes to the charger."""
    received_at: int
    """Wall clock at the edge, milliseconds since 1970."""
    action: str = ""
    message_id: str = ""
    cls: Class = "K1"
    deadline: int = 0
    """Wall clock, ms, after which the charger no longer waits for the answer; 0: none."""
    dedup: str = ""
    """Key under which the answer is stored for a retry; empty: never deduplicated."""
    of: str = ""
    """Of a repeat: the stream id of the entry that it repeats."""
    reason: str = ""
    """Of a close: why (the `reason` label of ocppgw_disconnects_total)."""
    trace: str = ""
    """W3C traceparent of a CALL that is traced, else empty."""
    format: int = FORMAT


def exchange_of(head: Head) -> str:
    """What all lines of the log about a charger's CALL have in common, on both legs."""
    return f"{head.epoch}-{head.seq}"


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A journal entry as read."""

    id: str
    """Stream id."""
    kind: Kind
    head: Head
    frame: bytes = b""
    """The raw frame of a call, repeat or answer; never re-encoded."""
    tx: int = 0
    """Of a 1.x StartTransaction: the number the charger is given unless the primary gives one."""


class Dead(msgspec.Struct, frozen=True, gc=False):
    """An entry on its way to the dead letters of `upstream`."""

    upstream: str
    entry: Entry
    why: str
    """refused, attempts, poisoned, retention, ..."""
    attempts: int = 0
    """How often it was tried."""
    trace: str = ""
    """Of an error of our own: hash of its traceback, the same for the same error."""


class ToCharger(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An inbox item: what a hub wants an edge to do on one charger connection.

    `answer`: answers the open CALL `seq` with a CALLRESULT whose payload is `body`.
    `error`: the same with a CALLERROR; `body` is the JSON text `"code","description",{details}`.
    `call`: writes the complete frame `body`, a CALL whose message id is `message_id`; empty: what nobody answers.
    `close`: closes the socket with `code`; `body` is the reason.
    `treat`: `body` says how this charger is treated (gateway/treatment.py).
    Items for another epoch than the live one are dropped.
    """

    charger: str
    epoch: int
    kind: Literal["answer", "error", "call", "close", "treat"]
    body: bytes
    seq: int = 0
    message_id: str = ""
    code: int = 0
    trace: str = ""
    """Of a call, while traces are made: W3C traceparent."""
    outcome: str = ""
    """Of an error that is not the upstream's own: what the CALL counts as (`calls_total`)."""
