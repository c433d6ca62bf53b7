"""Times without a zone, of a charger whose zone is known (Q39)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from msgspec import Raw

from ..frames import Call
from .mending import Begun

_BARE: Final = re.compile(rb'("timestamp"\s*:\s*"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)"')


class Zone:
    """Takes the place of a `Mend` where a translation follows."""

    __slots__ = ("_offset",)

    def __init__(self, offset: str) -> None:
        """`offset`: such as `+02:00`."""
        self._offset = rb"\1" + offset.encode() + b'"'

    def call(self, call: Call, received: int, begun: Sequence[Begun] = ()) -> Call:
        """A charger's CALL with its zone in every time that has none."""
        raw = bytes(call.payload)
        text = _BARE.sub(self._offset, raw)
        return call if text == raw else Call(call.id, call.action, Raw(text))
