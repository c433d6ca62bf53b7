"""GetReport of the CSMS: a selection of the charger's variables (spec 5.20, config-keys 4.3)."""

from __future__ import annotations

from ..config_keys import LEGACY, unescape
from ..dialogue import Dialogue, Row, Rule, Talk
from ..models import v201
from .charger import facts_of
from .configuration import FRESH, Unread, read, refresh, report
from .device_model import PASSWORD, VENDOR, spelling, tables
from .inventory import Item, inventory

_CRITERIA = ("Active", "Available", "Enabled", "Problem")


def get_report(d: Dialogue, request: v201.GetReportRequest) -> Rule:
    """The answer first if the charger has to be read; only a selection that cannot hit anything is empty at once."""
    criteria = request.componentCriteria or []
    if any(criterion not in _CRITERIA for criterion in criteria):
        return v201.GetReportResponse(status="NotSupported")
    # No key tells of a problem: the gateway knows them all.
    keys = [] if criteria and set(criteria) == {"Problem"} else _keys(d, request.componentVariable)
    facts = facts_of(d)
    fresh = bool(facts.keys_read_at) and 0 <= d.clock - facts.keys_read_at <= FRESH
    if keys == [] or fresh:
        items = _select(d, request)
        if not items:
            return v201.GetReportResponse(status="EmptyResultSet")
        yield from d.answer(v201.GetReportResponse(status="Accepted"))
    else:
        yield from d.answer(v201.GetReportResponse(status="Accepted"))
        if keys is None:
            yield from refresh(d)
        else:
            try:
                yield from read(d, keys, {})
            except Unread:
                pass
        items = _select(d, request)
    yield from report(d, request.requestId, items)
    return None


def _keys(d: Dialogue, wanted: list[v201.ComponentVariable] | None) -> list[str] | None:
    """The charger's keys that the selection touches; None: it may touch any."""
    if not wanted:
        return None
    keys: dict[str, str] = {}
    for each in wanted:
        component, variable = each.component.name.casefold(), each.variable
        if component in (LEGACY.casefold(), VENDOR.casefold()):
            if variable is None:
                return None
            name = variable.name + (variable.instance or "")
            name = unescape(name) if component == VENDOR.casefold() else name
            keys.setdefault(name.casefold(), spelling(d, name))
            continue
        for place, row in tables().keys.items():
            if place.component != component or (variable is not None and place.variable != variable.name.casefold()):
                continue
            if "<" in row.key:
                return None
            if place not in tables().locals and row.key.casefold() != PASSWORD:
                keys.setdefault(row.key.casefold(), spelling(d, row.key))
    return list(keys.values())


def _select(d: Dialogue, request: v201.GetReportRequest) -> list[Item]:
    everything = list(inventory(d))
    wanted = request.componentVariable
    items = [item for item in everything if not wanted or any(_matches(item, each) for each in wanted)]
    criteria = request.componentCriteria
    if not criteria:
        return items
    states: dict[tuple[str, str, tuple[int, int | None]], dict[str, str]] = {}
    for item in everything:
        states.setdefault(_component(item), {})[item.variable] = item.value or ""
    return [item for item in items if any(_meets(states[_component(item)], each) for each in criteria)]


def _component(item: Item) -> tuple[str, str, tuple[int, int | None]]:
    evse = item.evse
    return item.component, item.component_instance, (evse.id, evse.connectorId) if evse is not None else (0, None)


def _meets(variables: dict[str, str], criterion: str) -> bool:
    """A component without the variable counts as active, available and enabled, but not as a problem."""
    return variables.get(criterion, "false" if criterion == "Problem" else "true") == "true"


def _matches(item: Item, wanted: v201.ComponentVariable) -> bool:
    """Without a variable all of them, without an instance all instances, without an EVSE all tiers."""
    component, variable, evse = wanted.component, wanted.variable, wanted.component.evse
    if item.component.casefold() != component.name.casefold():
        return False
    if component.instance is not None and item.component_instance.casefold() != component.instance.casefold():
        return False
    if evse is not None:
        if item.evse is None or item.evse.id != evse.id:
            return False
        if evse.connectorId is not None and item.evse.connectorId != evse.connectorId:
            return False
    if variable is None:
        return True
    if item.variable.casefold() != variable.name.casefold():
        return False
    return variable.instance is None or item.variable_instance.casefold() == variable.instance.casefold()


FROM_CSMS: dict[str, Row] = {"GetReport": Talk(get_report)}
