"""What the engine does around a rule: reads the payload that begins it, makes one for the rows that are none, and checks
what a rule has lost or sent against the tables of its pair."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

import msgspec

from .dialogue import Dialogue, Mapped, Pair, Rule
from .frames import OTHER, Call, Frame, Side
from .losses import Loss, Undeclared, ledger
from .models import lenient
from .models.base import Request
from .quirks.mending import labels_of
from .quirks.signs import signs
from .values import format_time

Noticed: TypeAlias = Callable[[str, Side], None]
"""Called with the label of a quirk (translators/quirks/table.yaml) and the side that showed it."""


_ITEM: Final = re.compile(r"\[\d+\]")
_UNTOLD: Final = re.compile(r"(?i)token\.type$|\.format$|salesTariff|idTokenInfo|idTagInfo|^connectorType$")
"""Members of commands whose words a charger does not hear, or that have a word for what is not known."""
_FULL: Final = ("chargingSchedule", "chargingSchedulePeriod")


def request_of(dialogue: Dialogue, type_: type[Request[Any]], call: Call) -> Request[Any]:
    """The payload of a CALL. A charger's message, or a meter value in it, without its time happened when it was received. Raises
    lenient.Invalid."""
    translator = dialogue.translator
    if dialogue.side in translator.pair.custom_data:
        tell_custom_data(dialogue, dialogue.side, bytes(call.payload))
    noticed = translator.noticed
    try:
        payload, repairs = lenient.decode(type_, call.payload)
        if noticed is not None and dialogue.side is not None:
            seen = signs(call.action, payload) if dialogue.side == "charger" else ()
            if repairs or seen:
                notice(noticed, dialogue.side, repairs, seen)
        if repairs:
            dialogue.mended = True
            if dialogue.side == "csms":
                require_meaning(type_, repairs)
        return payload
    except lenient.Invalid as invalid:
        timed = invalid.path.rpartition(".")[2] == "timestamp" and "OccurrenceC" in invalid.code
        if dialogue.side != "charger" or not timed:
            raise
    payload, repairs = lenient.decode(type_, call.payload, timestamp=format_time(dialogue.now))
    for label, _, path in (each.partition(" ") for each in repairs):
        if label == "default_filled":
            dialogue.lose(_ITEM.sub("", path), "defaulted")
    if noticed is not None:
        notice(noticed, "charger", repairs, signs(call.action, payload))
    return payload


def require_meaning(type_: type[Request[Any]], repairs: Iterable[str]) -> None:
    """A command is not guessed at: raise lenient.Invalid for a word that is none, or for no item where there must be one.

    What the charger is not told may be anything.
    """
    for label, _, path in (each.partition(" ") for each in repairs):
        name = _ITEM.sub("", path)
        if label == "enum_unknown" and not _UNTOLD.search(name):
            raise lenient.Invalid("PropertyConstraintViolation", path)
        if label == "empty_list" and (name.endswith(_FULL) or name in _required(type_)):
            raise lenient.Invalid("OccurrenceConstraintViolation", path)


def _required(type_: type[Request[Any]]) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(type_) if field.required}


def notice(noticed: Noticed, side: Side, repairs: Iterable[str], seen: Iterable[str]) -> None:
    """Tell what had to be repaired in a payload of `side`, and what else is odd about it, each once."""
    if repairs or seen:
        for label in dict.fromkeys([*labels_of(repairs), *seen]):
            noticed(label, side)


def tell_custom_data(dialogue: Dialogue, side: Side, payload: bytes) -> None:
    """Record that a payload of `side` holds customData, wherever it is."""
    if side in dialogue.translator.pair.custom_data and b'"customData"' in payload:
        dialogue.lose("customData")


def after(first: Rule, rule: Rule | None) -> Rule:
    """`rule`, once `first` is done."""
    assert rule is not None
    yield from first
    return (yield from rule)


def same(dialogue: Dialogue, payload: msgspec.Raw) -> Rule:
    """The rule of `Same`: the payload passes unchanged, and so does the answer."""
    assert dialogue.side is not None
    reply = yield from dialogue.ask_raw(OTHER[dialogue.side], dialogue.action, payload)
    return reply


def mapped(dialogue: Dialogue, row: Mapped, request: Any) -> Rule:
    """The rule of `Mapped`."""
    assert dialogue.side is not None
    response = yield from dialogue.ask(OTHER[dialogue.side], row.request(dialogue, request))
    return row.reply(dialogue, response)


def require_declared(pair: Pair, dialogue: Dialogue, frame: Frame | None, losses: tuple[Loss, ...]) -> None:
    """Raise Undeclared unless the pair's tables name what is lost and sent."""
    found = ledger(pair.charger, pair.csms)
    if found is None:
        return
    source = dialogue.side or "gateway"
    about = f"{pair.charger} - {pair.csms}, {source} {dialogue.action}"
    for loss in losses:
        if not found.loses(source, dialogue.action, loss):
            raise Undeclared(f"{about}: {loss}")
    if type(frame) is Call and not found.causes(source, dialogue.action, frame.action):
        raise Undeclared(f"{about}: sends {frame.action}")
