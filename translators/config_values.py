"""Values of 1.6 configuration keys as values of 2.x variables, and back (data/config_keys.csv, column `conversion`).

`up` never fails: what cannot be read passes as it is. `down` refuses what a 1.6 charger could not be asked for; it is
given the charger's present value, to keep the charger's own spelling and the rest of a value that holds several variables.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from math import inf
from typing import Any, Final

from .enums import RATE_UNIT_KEY
from .values import tidy_time


class Unfit(Exception):
    """A value that a 1.6 charger cannot be given."""


_AROUND: Final = " \t\r\n\"'"
_TRUE = ("true", "1", "yes", "on")
_FALSE = ("false", "0", "no", "off")
_INTEGER = re.compile(r"([+-]?)0*(\d+)(?:\.0+)?", re.ASCII)

NOT_IN_201: Final = ("Temperature", "RPM")
"""Measurands of 1.6 that 2.0.1 does not have."""
_ONLY_201 = frozenset(
    (
        "Energy.Active.Net",
        "Energy.Reactive.Net",
        "Energy.Apparent.Net",
        "Energy.Apparent.Import",
        "Energy.Apparent.Export",
    )
)
ONLY_IN_201: Final = _ONLY_201
"""Measurands of 2.0.1 that 1.6 does not have."""
_ROTATIONS = ("RST", "RTS", "SRT", "STR", "TRS", "TSR")


def items(text: str) -> list[str]:
    """The items of a comma separated list: trimmed, without quotes, empties and duplicates."""
    return list(dict.fromkeys(item for item in (part.strip(_AROUND) for part in text.split(",")) if item))


def is_boolean(text: str) -> bool:
    return text.strip().casefold() in (*_TRUE, *_FALSE)


def _bool_up(text: str) -> str:
    folded = text.strip().casefold()
    return "true" if folded in _TRUE else "false" if folded in _FALSE else text


def _bool_down(value: str, present: str) -> str:
    wanted = _bool_up(value)
    if wanted not in ("true", "false"):
        raise Unfit(value)
    own = present.strip()
    words = next((pair for pair in zip(_TRUE, _FALSE, strict=True) if own.casefold() in pair), (_TRUE[0], _FALSE[0]))
    word = words[0] if wanted == "true" else words[1]
    if own[:1].isupper():
        return word.upper() if own.isupper() else word.title()
    return word


def _int_up(text: str) -> str:
    match = _INTEGER.fullmatch(text.strip())
    return text.strip() if match is None else ("-" if match[1] == "-" and match[2] != "0" else "") + match[2]


def _int_down(value: str, present: str) -> str:
    number = _int_up(value)
    if _INTEGER.fullmatch(number) is None:
        raise Unfit(value)
    return number


def _int_from_1_down(value: str, present: str) -> str:
    number = _int_down(value, present)
    if int(number) < 1:
        raise Unfit(value)
    return number


def _natural_down(value: str, present: str) -> str:
    number = _int_down(value, present)
    if int(number) < 0:
        raise Unfit(value)
    return number


def _list_up(text: str) -> str:
    return ",".join(items(text))


def _list_down(value: str, present: str) -> str:
    return _list_up(value)


def _measurands_up(text: str) -> str:
    """Without Temperature and RPM, whose values cannot be sent; a phase suffix stays."""
    return ",".join(item for item in items(text) if item.split(".")[0] not in NOT_IN_201)


def _measurands_down(value: str, present: str) -> str:
    """One unsupported measurand makes a 1.6 charger reject the list, so it is refused here."""
    wanted = items(value)
    if any(item in _ONLY_201 for item in wanted):
        raise Unfit(value)
    return ",".join(wanted)


def _rate_unit_up(text: str) -> str:
    return ",".join(dict.fromkeys(RATE_UNIT_KEY.up_or(item, item) for item in items(text)))


def _rate_unit_down(value: str, present: str) -> str:
    return ",".join(dict.fromkeys(RATE_UNIT_KEY.down_or(item, item) for item in items(value)))


def _same_up(text: str) -> str:
    return text


def _same_down(value: str, present: str) -> str:
    return value


def _time_up(text: str) -> str:
    return tidy_time(text) or text


CONVERSIONS: Final[dict[str, tuple[Callable[[str], str], Callable[[str, str], str]]]] = {
    "bool": (_bool_up, _bool_down),
    "int": (_int_up, _int_down),
    "int(min=1)": (_int_up, _int_from_1_down),
    "natural": (_int_up, _natural_down),
    "csl": (_list_up, _list_down),
    "values_list": (_list_up, _list_down),
    "measurands": (_measurands_up, _measurands_down),
    "rate_unit": (_rate_unit_up, _rate_unit_down),
    "dateTime": (_time_up, _same_down),
    "max_limit": (_int_up, _int_down),
    "max_elements": (_same_up, _same_down),
    "legacy": (_same_up, _same_down),
    "identity": (_same_up, _same_down),
    "security_profile": (_int_up, _int_down),
}
"""Conversion -> (1.6 value to 2.x, (2.x value, present 1.6 value) to 1.6). Values for one of several places: see below."""


_SUFFIX = re.compile(r"(.+)\.(?:L1|L2|L3|N|L1-N|L2-N|L3-N|L1-L2|L2-L3|L3-L1)")


def measurand_of(item: str) -> str:
    """A measurand without the phase that 1.6 may append to it (config-keys 3.3)."""
    match = _SUFFIX.fullmatch(item)
    return match[1] if match is not None else item


def up(conversion: str, text: str) -> str:
    """The 2.x value of a 1.6 value by the name of its conversion; one without a conversion stays."""
    known = CONVERSIONS.get(conversion)
    return known[0](text) if known is not None else text


# Values that hold one variable per connector or per path


def rotation_up(text: str, connector: int) -> str | None:
    """PhaseRotation of a connector (0: the station) from `0.RST,1.RTS`; None if the list does not name it."""
    own = _rotations(text).get(connector)
    if own is None:
        return None
    return own if own.upper() in _ROTATIONS else "" if own.casefold() in ("unknown", "notapplicable") else own


def rotation_down(value: str, present: str, connector: int, every: Iterable[int] = ()) -> str:
    """The whole list with one connector's entry replaced; 2.x means by "" unknown or not applicable. `every`: the numbers
    that an entry without one holds for."""
    for_all = rotation_for_all(present)
    entries = _rotations(present) if for_all is None else dict.fromkeys(every, for_all)
    old = entries.get(connector, "")
    if not value.strip():
        word = old if old.casefold() in ("unknown", "notapplicable") else "Unknown"
    elif value.upper() in _ROTATIONS:
        word = value.upper()
    elif "x" in value.casefold():
        word = "NotApplicable"
    else:
        raise Unfit(value)
    entries[connector] = word
    return ",".join(f"{number}.{entry}" for number, entry in sorted(entries.items()))


def rotation_from(value: str) -> str:
    """The 1.6 word for a PhaseRotation of a 2.x charger."""
    text = value.strip()
    if text.upper() in _ROTATIONS:
        return text.upper()
    return "NotApplicable" if "x" in text.casefold() else text or "Unknown"


def _rotations(text: str) -> dict[int, str]:
    """Also the field's dialects: `;` between entries, and one entry without a number for every connector."""
    entries: dict[int, str] = {}
    for item in items(text.replace(";", ",")):
        number, dot, word = item.partition(".")
        if dot and number.strip().isdecimal():
            entries[int(number)] = word.strip()
    return entries


def rotation_for_all(text: str) -> str | None:
    """The one entry without a number (`RST` alone), which holds for every connector."""
    words = items(text.replace(";", ","))
    return words[0] if len(words) == 1 and "." not in words[0] else None


def path_up(text: str, path: str) -> str | None:
    """One member of a JSON value, `chargingPrice.kWhPrice` style; None if it is not there."""
    value: Any = _json(text)
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    if value is None:
        return None
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def path_down(value: str, present: str, path: str, number: bool) -> str:
    """The whole JSON value with one member replaced."""
    whole = _json(present)
    if not isinstance(whole, dict):
        whole = {}
    inner = whole
    *parents, last = path.split(".")
    for name in parents:
        child = inner.get(name)
        inner[name] = inner = child if isinstance(child, dict) else {}
    try:
        inner[last] = json.loads(value) if number else value
    except ValueError:
        raise Unfit(value) from None
    amount = inner[last]
    if number and (isinstance(amount, bool) or not isinstance(amount, int | float) or not abs(amount) < inf):
        raise Unfit(value)
    return json.dumps(whole, separators=(",", ":"), ensure_ascii=False)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return {}


def item_up(text: str, index: int) -> str | None:
    """Item `index` (from 1) of a list with one item per connector; None if it is shorter."""
    parts = [part.strip() for part in text.split(",")]
    return parts[index - 1] if 0 < index <= len(parts) and text.strip() else None


def item_down(value: str, present: str, index: int) -> str:
    """The whole list with one item replaced; it grows as needed."""
    parts = [part.strip() for part in present.split(",")] if present.strip() else []
    parts.extend([""] * (index - len(parts)))
    if "," in value:
        raise Unfit(value)
    parts[index - 1] = value.strip()
    return ",".join(parts)
