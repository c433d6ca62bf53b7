"""Chargers in certification runs (`strict` in the registry): nothing is tolerated, and payloads must conform to the schema.

A schema is read when the first strict charger sends an action for the first time; a check takes up to a millisecond.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from gateway.edge.guard import Guard
from gateway.edge.jsontext import BOUNDS, Bounds, doubled
from gateway.edge.reactions import STRICT
from gateway.edge.verdict import Verdict
from gateway.journal.entry import Class
from gateway.schemas import validator

_ROWS: Final = {
    "required": "P01",
    "additionalProperties": "P03",
    "type": "P05",
    "enum": "P07",
    "maxLength": "P09",
    "minItems": "P11",
    "maxItems": "P11",
}
_OTHER: Final = "P17"
"""What is left: limits of numbers."""


class StrictGuard(Guard):
    """The two directions of a connection of a strict charger."""

    __slots__ = ()
    strict = True

    def __init__(self, version: str, budget_ms: int = 25_000, bounds: Bounds = BOUNDS) -> None:
        super().__init__(version, budget_ms, bounds)
        self._reactions = STRICT[version]

    def _call(
        self, data: bytes, frame: bytes, id: bytes, action: str, cls: Class, payload: bytes, now: int, row: str
    ) -> Verdict:
        if not row and doubled(payload):
            row = "R38"
        if row and self._reactions[row].kind != "accept":
            return self._refuse(row, now, id)
        broken = violation(self.version, action, payload)
        if broken is None:
            return super()._call(data, frame, id, action, cls, payload, now, row)
        return self._refuse(broken[0], now, id, broken[1])


def violation(version: str, action: str, payload: bytes) -> tuple[str, str] | None:
    """The row of the first thing that is wrong with a payload, and what it is; None: it conforms.

    Members that are null count as absent (P04).
    """
    schema = validator(version, action)
    if schema is None:
        return None  # a signed message, or one without a schema
    try:
        value = _without_nulls(json.loads(payload, parse_float=Decimal))
    except (ValueError, ArithmeticError):
        return "R40", "a number that is out of every range"
    errors: Iterator[Any] = schema.iter_errors(value)
    error = min(errors, key=lambda each: (len(each.path), list(map(str, each.path))), default=None)
    if error is None:
        return None
    row = _ROWS.get(error.validator, _OTHER)
    if row == "P05":
        row = "P12" if error.validator_value == "array" else "P06" if isinstance(error.instance, dict | list) else row
    return row, f"{error.json_path.removeprefix('$.')}: {error.message}"[:255]


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_without_nulls(each) for each in value]
    return value
