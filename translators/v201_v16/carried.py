"""What a gateway behind the charger's side has put into customData: 1.6 members without a counterpart in 2.0.1 (spec 10)."""

from __future__ import annotations

from typing import Any, Final, TypeVar, get_args

import msgspec

from ..dialogue import Dialogue
from ..metering import samples_down
from ..models import lenient, v16, v201
from ..values import cut
from .state import options_of

T = TypeVar("T")
_NOTHING: Final[dict[str, Any]] = {}


def own(d: Dialogue, custom: dict[str, Any] | None) -> dict[str, Any] | None:
    """customData that a gateway has written under our vendor; None for that of others, or if nothing is carried here."""
    if custom is None:
        return None
    options = options_of(d)
    vendor = custom.get("vendorId")
    if options.carry_lossy == "off" or not isinstance(vendor, str):
        return None
    return custom if vendor.casefold() == options.vendor_id.casefold() else None


def heed(d: Dialogue, message: msgspec.Struct) -> None:
    """customData of `message` is not lost if all of it is ours."""
    if options_of(d).carry_lossy == "off":
        return
    found = list(_all(message))
    if found and all(own(d, each) is not None for each in found):
        for loss in d.spare():
            if loss.field != "customData":
                d.lose(loss.field, loss.kind)


def _all(node: Any) -> Any:
    if isinstance(node, list):
        for each in node:
            yield from _all(each)
    elif isinstance(node, msgspec.Struct):
        for name in node.__struct_fields__:
            value = getattr(node, name)
            if name == "customData" and value is not None:
                yield value
            elif isinstance(value, (list, msgspec.Struct)):
                yield from _all(value)


def text(custom: dict[str, Any] | None, name: str, length: int) -> str | None:
    """A text of at most `length` characters; None if there is none."""
    value = (custom or _NOTHING).get(name)
    return cut(value, length) if isinstance(value, str) and value else None


def reason(custom: dict[str, Any] | None) -> v16.Reason | None:
    """The reason that a StopTransaction gave."""
    value: Any = text(custom, "reason16", 50)
    return value if value in get_args(v16.Reason) else None


def samples(d: Dialogue, value: v201.MeterValue) -> list[tuple[v201.SampledValue | None, list[v16.SampledValue]]]:
    """The samples of a meter value, each with those that it makes in 1.6, in the order in which the charger sent them."""
    found: list[tuple[v201.SampledValue | None, list[v16.SampledValue]]] = []
    for sample in value.sampledValue:
        if sample.customData is None or (custom := own(d, sample.customData)) is None:
            found.append((sample, samples_down(sample)))
        elif custom.get("meterStop") is not True:  # meterStop says it
            whole = _sample(custom.get("sample"))
            found.append((None, [whole]) if whole is not None else (sample, samples_down(sample)))
    if value.customData is None or (custom := own(d, value.customData)) is None:
        return found
    kept, places = custom.get("samples"), custom.get("at")
    for number, each in enumerate(kept if isinstance(kept, list) else ()):
        whole = _sample(each)
        if whole is not None:
            place = places[number] if isinstance(places, list) and number < len(places) else None
            found.insert(place if isinstance(place, int) and place >= 0 else len(found), (None, [whole]))
    return found


def is_meter_stop(d: Dialogue, value: v201.MeterValue) -> bool:
    """Whether a meter value only says what meterStop says."""
    return all(
        (custom := own(d, each.customData)) is not None and custom.get("meterStop") is True
        for each in value.sampledValue
    )


def _sample(value: Any) -> v16.SampledValue | None:
    try:
        made = msgspec.convert(value, v16.SampledValue)
        lenient.check(made)
    except (msgspec.MsgspecError, ValueError, TypeError):
        return None
    return made
