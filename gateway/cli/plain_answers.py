"""The plainest valid answer to a CALL: what a CSMS or charger that agrees with everything says."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from msgspec import inspect

from gateway.admin.commands import MODELS


def plain_answer(version: str, action: str, payload: dict[str, Any], number: int = 1) -> dict[str, Any] | None:
    """Payload of a CALLRESULT; None if this version has no such action. `number`: for what has to be numbered."""
    request = MODELS.get(version, {}).get(action)
    if request is None:
        return None
    found = dict(_shape(request.response, number))
    if action in ("TransactionEvent", "Authorize") and "idToken" in payload:
        found["idTokenInfo"] = {"status": "Accepted"}
    if action == "BootNotification":
        found["heartbeatInterval" if version == "ocpp1.5" else "interval"] = 300
    return found


def _shape(cls: Any, number: int) -> dict[str, Any]:
    shape = {}
    for field in _required(cls):
        shape[field.encode_name] = _value(field.encode_name, field.type, number)
    return shape


@cache
def _required(cls: Any) -> tuple[inspect.Field, ...]:
    found = inspect.type_info(cls)
    assert isinstance(found, inspect.StructType)
    return tuple(field for field in found.fields if field.required)


def _value(name: str, kind: inspect.Type, number: int) -> Any:
    match kind:
        case inspect.StructType(cls=cls):
            return _shape(cls, number)
        case inspect.LiteralType(values=values):
            agreed = ("Accepted", "Unlocked", "Scheduled", "AcceptedCanceled", "Idle")
            return next((each for each in agreed if each in values), values[0])
        case inspect.StrType():
            return _now() if "time" in name.casefold() or "date" in name.casefold() else "-"
        case inspect.IntType():
            return number
        case inspect.BoolType():
            return True
        case inspect.ListType(item_type=item):
            return [_value(name, item, number)]
        case inspect.UnionType(types=types):
            return _value(name, types[0], number)
        case inspect.Metadata(type=inner):
            return _value(name, inner, number)
        case inspect.DecimalType() | inspect.FloatType():
            return 0
    return {}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Numbers:
    """Transaction ids of a recording, and those that the charger is given this time."""

    def __init__(self) -> None:
        self._given: dict[Any, Any] = {}

    def learn(self, recorded: Any, given: Any) -> None:
        """Payloads of the recorded and of the given answer to the same StartTransaction."""
        if isinstance(recorded, dict) and isinstance(given, dict) and "transactionId" in recorded:
            self._given[recorded["transactionId"]] = given.get("transactionId", recorded["transactionId"])

    def knows(self, recorded: Any) -> bool:
        """Whether a transaction of the recording was heard to begin."""
        return isinstance(recorded, int | str) and recorded in self._given

    def live(self, payload: Any) -> Any:
        """A recorded payload with the ids of this time."""
        if not isinstance(payload, dict) or "transactionId" not in payload:
            return payload
        recorded = payload["transactionId"]
        return {**payload, "transactionId": self._given[recorded]} if self.knows(recorded) else payload
