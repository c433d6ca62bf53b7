"""Message ids of our own: UUIDs (version 4), never reused: 74 random bits of this process, then a count."""

from __future__ import annotations

from itertools import count
from uuid import uuid4

_OURS = str(uuid4())[:24]
_numbers = count(1)


def new_id() -> str:
    """36 characters, e.g. `0f8fad5b-d9cb-469f-a165-00000000002a`. Much cheaper than uuid.uuid4."""
    return _OURS + next(_numbers).to_bytes(6, "big").hex()
