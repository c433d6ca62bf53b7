"""What a charger's frame is worth: taken into the journal, or going no further. Pure."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from gateway.journal.entry import Class


class Take(msgspec.Struct, frozen=True, gc=False):
    """A frame to append to the journal."""

    kind: Literal["call", "answer", "send"]
    """`send`: a message of 2.1 that nobody answers; without an action: what is wrong with an answer."""
    seq: int
    frame: bytes
    """As received; where a defect was tolerated, in the shape the specification wants, the payload's bytes unchanged."""
    message_id: str
    """Of a call: the charger's id as text. Of an answer: the id of our CALL."""
    action: str = ""
    """Of an answer: the action of our CALL."""
    cls: Class = "K1"
    payload: bytes = b"{}"
    deadline: int = 0
    row: str = ""
    """Which defect was tolerated."""


class Refuse(msgspec.Struct, frozen=True, gc=False):
    """A frame that goes no further."""

    row: str
    reply: bytes = b""
    """What to write to the charger; empty: nothing."""
    close: int = 0
    """Close code; 0: the connection lives on."""


Verdict: TypeAlias = Take | Refuse
