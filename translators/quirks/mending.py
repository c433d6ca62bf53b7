"""Repairs what is between a charger and a CSMS of the same version, where nothing is translated.

A payload that is as its schema wants it leaves as it came, byte for byte, after one strict decode. The frame in the journal
is never changed: this happens on its way to an upstream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Literal, Protocol, TypeAlias, cast

import msgspec
from msgspec import Raw

from ..frames import Call
from ..models import lenient, v15, v16, v201
from ..models.base import decoder
from ..models.rewriting import rewrite
from ..values import format_time
from .signs import answer_signs, signs, tidied

Level: TypeAlias = Literal["off", "safe", "full"]
"""`off`: nothing is repaired; `safe`: what cannot change the meaning; `full`: also what loses something by it."""

Told: TypeAlias = Callable[[str, str], None]
"""Called with the label of a quirk and the version of the frame that has it."""

_DIALECTS: Final = frozenset(("MeterValues", "StopTransaction"))
"""1.5 chargers have meter values of several shapes; between two peers of 1.5 they stay as they are."""
_ACTIONS: Final[dict[str, dict[str, Any]]] = {
    "ocpp1.5": {name: type_ for name, type_ in v15.ACTIONS.items() if name not in _DIALECTS},
    "ocpp1.6": dict(v16.ACTIONS),
    "ocpp2.0.1": dict(v201.ACTIONS),
}
_LABELS: Final = {"empty_list": "empty_samples", "old_names": "cross_version_frame"}
"""Of lenient reading -> of the table of quirks, where they differ."""
_TIMED: Final = frozenset(("StartTransaction", "StopTransaction", "TransactionEvent", "MeterValues"))
"""Their time is the time of receipt if they tell none."""
_UNTIDY: Final = frozenset(("value_blank", "empty_samples", "idtag_repair"))


class Begun(Protocol):
    """A transaction that has not ended."""

    @property
    def number(self) -> int: ...


class Mending(Protocol):
    """Changes what a charger says on its way to an upstream."""

    def call(self, call: Call, received: int, begun: Sequence[Begun] = ()) -> Call: ...


def labels_of(repairs: Iterable[str]) -> list[str]:
    """The quirks behind the repairs of lenient reading (`label path`), each once."""
    found = (each.partition(" ")[0] for each in repairs)
    return list(dict.fromkeys(_LABELS.get(each, each) for each in found))


class Mend:
    """The repairs of one version at one level. Chargers share it."""

    __slots__ = ("_actions", "_drastic", "_told", "_version")

    def __init__(self, version: str, level: Level, told: Told | None = None) -> None:
        """`told`: None: nobody counts, for all but one of several upstreams."""
        self._version = version
        self._actions = _ACTIONS.get(version, {})
        self._drastic = level == "full"
        self._told = told

    def call(self, call: Call, received: int, begun: Sequence[Begun] = ()) -> Call:
        """A charger's CALL, received at (ms), as the upstream gets it: itself if there is nothing to repair, or if it is past
        repair. `begun`: the charger's open transactions."""
        type_ = self._actions.get(call.action)
        if type_ is None:
            return call
        raw = text = bytes(call.payload)
        strict = decoder(type_).decode
        payload: msgspec.Struct | None = None
        found: list[str] = []
        try:
            payload = strict(raw)
        except (msgspec.MsgspecError, UnicodeError):
            pass
        if payload is None or self._drastic or b"null" in raw:
            try:
                time = format_time(received) if call.action in _TIMED else None
                text, repairs = lenient.repair(type_, raw, timestamp=time, drastic=self._drastic)
            except lenient.Invalid:
                return call
            found = labels_of(repairs)
            try:
                payload = strict(text)
            except msgspec.MsgspecError:
                payload = lenient.decode(type_, text)[0]
        seen = signs(call.action, payload)
        if seen:
            if not _UNTIDY.isdisjoint(seen):
                text = rewrite(text, tidied(call.action, payload, drastic=self._drastic))
            if "tx_orphan" in seen and self._drastic and len(begun) == 1:
                text = rewrite(text, {"transactionId": str(begun[0].number).encode()})
            found = list(dict.fromkeys([*found, *seen]))
        if found and self._told is not None:
            for label in found:
                self._told(label, self._version)
        return call if text == raw else Call(call.id, call.action, Raw(text))

    def answer(self, action: str, payload: Raw) -> Raw:
        """A charger's answer to a CSMS's CALL `action`."""
        type_ = self._actions.get(action)
        if type_ is None:
            return payload
        raw = bytes(payload)
        response = cast("type[msgspec.Struct]", type_.response)
        try:
            read = decoder(response).decode(raw)
        except (msgspec.MsgspecError, UnicodeError):
            pass
        else:
            if self._told is not None and action == "GetConfiguration":
                for label in answer_signs(read):
                    self._told(label, self._version)
            if b"null" not in raw and not self._drastic:
                return payload
        try:
            text, repairs = lenient.repair(response, raw, drastic=self._drastic)
        except lenient.Invalid:
            return payload
        if self._told is not None:
            for label in labels_of(repairs):
                self._told(label, self._version)
        return payload if text == raw else Raw(text)
