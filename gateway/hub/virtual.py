"""Configuration that an upstream may not change: it is kept for it alone, and it reads back what it wrote. Pure.

The charger never hears of it. Its interval of meter values becomes the interval in which the gateway passes them on to this
upstream. Secrets and what decides where the charger connects to are refused: an upstream that believes a password is changed
would be wrong about who can connect.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from translators.config_keys import LEGACY, Spot, key_rows

from .arbiter import Payload, Scene, Step
from .terms import OWN_MOST, Key, trim

NEVER_MS: Final = 10 * 365 * 86_400_000
"""Interval of an upstream that wants no periodic meter values at all."""
_INTERVALS: Final = frozenset(("metervaluesampleinterval", "sampleddatactrlr.txupdatedinterval"))
_REFUSED: Final = frozenset(
    ("authorizationkey", "basicauthpassword", "securityprofile", "networkconfigurationpriority")
)


def names(version: str, key: str) -> frozenset[str]:
    """Everything that a configuration may call a key (1.x) or a flat variable (2.x), folded."""
    folded = key.casefold()
    if version in ("ocpp1.5", "ocpp1.6"):
        return frozenset((folded, *_variables().get(folded, ())))
    plain = folded.split("@")[0]
    component, _, variable = plain.partition(".")
    bare = f"{component.split('#')[0].split(':')[0]}.{variable.split('#')[0]}"
    found = {folded, plain, bare, variable, variable.split("#")[0]}
    return frozenset(found | {key for key, places in _variables().items() if bare in places})


@cache
def _variables() -> dict[str, frozenset[str]]:
    """Folded 1.6 key -> `component.variable` of the places that it feeds."""
    found: dict[str, set[str]] = {}
    for row in key_rows():
        if row.component != LEGACY:
            found.setdefault(row.key.casefold(), set()).add(f"{row.component}.{row.variable}".casefold())
    return {key: frozenset(places) for key, places in found.items()}


def _may(s: Scene, key: str) -> bool:
    allowed = s.may.configure
    return allowed if isinstance(allowed, bool) else bool(names(s.arbiter.version, key) & allowed)


def _keep(s: Scene, key: str, value: str) -> bool:
    """Keep a value for this upstream; False: it is one that nobody may believe to have changed."""
    known = names(s.arbiter.version, key)
    if known & _REFUSED:
        return False
    s.own.keys.pop(key.casefold(), None)
    s.own.keys[key.casefold()] = Key(key, value)
    trim(s.own.keys, OWN_MOST)
    s.changed()
    if known & _INTERVALS and (ms := interval_ms(value)) is not None:
        s.arbiter.desk.slow_down(s.link, ms)
    return True


def interval_ms(value: str) -> int | None:
    """A sample interval in seconds as the interval of a throttle; None if it is no number."""
    try:
        seconds = int(value)
    except ValueError:
        return None
    return NEVER_MS if seconds <= 0 else seconds * 1000


def kept_interval(version: str, keys: dict[str, Key]) -> int | None:
    """The interval that an upstream has wished for, from what is kept for it."""
    for each in keys.values():
        if names(version, each.name) & _INTERVALS:
            return interval_ms(each.value)
    return None


def change(s: Scene, request: Payload) -> Step:
    """ChangeConfiguration."""
    key, value = request["key"], request["value"]
    if _may(s, key):
        return (yield from s.ask(s.action, request))
    return {"status": "Accepted" if _keep(s, key, str(value)) else "Rejected"}


def get(s: Scene, request: Payload) -> Step:
    """GetConfiguration: what the charger says, with what is kept in its place."""
    answer = yield from s.ask(s.action, request)
    kept, levels = s.own.keys, s.may.levels
    if not kept and levels is None:
        return answer
    asked = {key.casefold() for key in request.get("key") or ()}
    entries, seen = [], set()
    for entry in answer.get("configurationKey") or []:
        folded = entry["key"].casefold()
        seen.add(folded)
        if folded in kept:
            entry = {**entry, "readonly": False, "value": kept[folded].value}
        elif folded == "chargeprofilemaxstacklevel" and levels is not None:
            entry = {**entry, "value": str(_most(levels, entry.get("value")))}
        entries.append(entry)
    for folded, each in kept.items():
        if folded not in seen and (not asked or folded in asked):
            entries.append({"key": each.name, "readonly": False, "value": each.value})
    unknown = [key for key in answer.get("unknownKey") or [] if key.casefold() not in kept]
    made = {name: value for name, value in answer.items() if name not in ("configurationKey", "unknownKey")}
    if entries:
        made["configurationKey"] = entries
    if unknown:
        made["unknownKey"] = unknown
    return made


def _most(levels: tuple[int, int], value: object) -> int:
    """The highest stack level that an upstream can use, as it says it."""
    text = str(value)
    highest = min(levels[1], int(text)) if text.isdecimal() else levels[1]
    return max(0, highest - levels[0])


def flat(item: Payload) -> str:
    """A variable of a 2.x charger as one name."""
    component, variable = item["component"], item["variable"]
    evse = component.get("evse") or {}
    return Spot(
        component["name"],
        component.get("instance") or "",
        evse.get("id") or 0,
        evse.get("connectorId") or 0,
        variable["name"],
        variable.get("instance") or "",
        item.get("attributeType") or "Actual",
    ).key


def _echo(item: Payload, status: str) -> Payload:
    kept: Payload = {name: item[name] for name in ("attributeType", "component", "variable") if name in item}
    return {**kept, "attributeStatus": status}


def set_variables(s: Scene, request: Payload) -> Step:
    """SetVariables: what it may change goes on, the rest is kept; one answer for all, in their order."""
    items = request["setVariableData"]
    passed = [item for item in items if _may(s, flat(item))]
    said = iter(())
    if passed:
        answer = yield from s.ask(s.action, {**request, "setVariableData": passed})
        said = iter(answer["setVariableResult"])
    results = []
    for item in items:
        if any(item is each for each in passed):
            results.append(next(said, _echo(item, "Rejected")))
        else:
            kept = _keep(s, flat(item), str(item["attributeValue"]))
            results.append(_echo(item, "Accepted" if kept else "Rejected"))
    return {"setVariableResult": results}


def get_variables(s: Scene, request: Payload) -> Step:
    """GetVariables: what is kept is not asked."""
    items, kept = request["getVariableData"], s.own.keys
    passed = [item for item in items if flat(item).casefold() not in kept]
    said = iter(())
    if passed:
        answer = yield from s.ask(s.action, {**request, "getVariableData": passed})
        said = iter(answer["getVariableResult"])
    results = []
    for item in items:
        own = kept.get(flat(item).casefold())
        if own is None:
            results.append(next(said, _echo(item, "Rejected")))
        else:
            results.append({**_echo(item, "Accepted"), "attributeValue": own.value})
    return {"getVariableResult": results}
