"""GetConfiguration and ChangeConfiguration over the device model of the charger (spec 7.3, 7.8, config-keys 5)."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any, Final

from ..config_values import (
    NOT_IN_201,
    ONLY_IN_201,
    Unfit,
    item_up,
    items,
    measurand_of,
    path_down,
    path_up,
    rotation_from,
    rotation_up,
    up,
)
from ..dialogue import Ask, Dialogue, Row, Rule, Talk
from ..enums import CONFIGURATION, RATE_UNIT_KEY
from ..models import v16, v201
from ..topology import connectors, place_of
from .device_model import (
    LOCAL,
    ROTATION,
    Local,
    Slot,
    every_key,
    is_owned,
    is_readonly,
    is_secret,
    items_per_message,
    limit_of,
    slots,
    usual_keys,
    wrote,
)
from .peers import command
from .state import facts_of, has, options_of

BATCH: Final = 50
"""Variables per request for a charger that does not say how many it takes."""
VALUE_LIMIT: Final = 500
"""Longest value of a 1.6 configuration key."""
_PROFILES: Final = (
    *("Core", "FirmwareManagement", "LocalAuthListManagement", "Reservation", "SmartCharging", "RemoteTrigger"),
)
_AVAILABLE: Final = {
    "LocalAuthListManagement": "localauthlistctrlr",
    "Reservation": "reservationctrlr",
    "SmartCharging": "smartchargingctrlr",
}

Values = dict[str, v201.GetVariableResult]
"""By folded flat key."""


def get_configuration(d: Dialogue, request: v16.GetConfigurationRequest) -> Rule:
    """Variables are read in as few requests as the charger allows; the order of the request is kept."""
    everything = not request.key
    keys = _distinct(request.key) if request.key else _every(d)
    meant = {key: [] if key.casefold() in LOCAL else slots(d, key) for key in keys}
    values = yield from _read(d, [slot for key in keys for slot in meant[key] if _is_read(slot)])
    found: list[v16.KeyValue] = []
    unknown: list[str] = []
    for key in keys:
        entry = _entry(d, key, meant[key], values)
        if entry is not None:
            found.append(entry)
        elif not everything:
            unknown.append(key)
    return v16.GetConfigurationResponse(configurationKey=found or None, unknownKey=unknown or None)


def _distinct(keys: Iterable[str]) -> list[str]:
    found: dict[str, str] = {}
    for key in keys:
        found.setdefault(key.strip().casefold(), key)
    return list(found.values())


def _every(d: Dialogue) -> list[str]:
    """What the charger reported; one that has reported nothing is asked for what it may have, on a live link."""
    known = every_key(d)
    if not known and options_of(d).post_boot:
        known = usual_keys()
    return [*LOCAL.values(), *known]


def _is_read(slot: Slot) -> bool:
    return not is_secret(slot.spot) and (slot.row is None or slot.row.target == "Actual")


def _read(d: Dialogue, wanted: list[Slot]) -> Generator[Ask, Any, Values]:
    found: Values = {}
    size = items_per_message(d, "GetVariables", BATCH)
    distinct = list({slot.spot.key.casefold(): slot for slot in wanted}.items())
    for start in range(0, len(distinct), size):
        part = distinct[start : start + size]
        asked = [
            v201.GetVariableData(component=_component(slot), variable=_variable(slot), attributeType=_attribute(slot))
            for _, slot in part
        ]
        answer = yield from command(d, v201.GetVariablesRequest(getVariableData=asked))
        results = answer.getVariableResult
        for number, (name, slot) in enumerate(part):
            own = _result_for(slot, results) or (results[number] if number < len(results) else None)
            if own is not None:
                found[name] = own
        if len(results) > len(part):
            d.lose("getVariableResult")
    return found


def _result_for(slot: Slot, results: list[v201.GetVariableResult]) -> v201.GetVariableResult | None:
    """The result of a variable, wherever the charger has put it."""
    component, variable = _component(slot), _variable(slot)
    return next((each for each in results if each.component == component and each.variable == variable), None)


def _attribute(slot: Slot) -> Any:
    return slot.spot.attribute


def _component(slot: Slot) -> v201.Component:
    spot = slot.spot
    evse = v201.EVSE(id=spot.evse, connectorId=spot.connector or None) if spot.evse else None
    return v201.Component(name=spot.component[:50], instance=spot.component_instance[:50] or None, evse=evse)


def _variable(slot: Slot) -> v201.Variable:
    return v201.Variable(name=slot.spot.variable[:50], instance=slot.spot.variable_instance[:50] or None)


def _entry(d: Dialogue, key: str, meant: list[Slot], values: Values) -> v16.KeyValue | None:
    """The key as the CSMS gets it; None if the charger does not have it."""
    local = LOCAL.get(key.casefold())
    if local is not None:
        return v16.KeyValue(key=key, readonly=True, value=_local(d, local))
    if not meant and key.casefold() == ROTATION:
        return v16.KeyValue(key=key, readonly=True, value=_rotation(d, []))
    if not meant:
        return None
    if is_secret(meant[0].spot):
        return v16.KeyValue(key=key, readonly=False)
    readonly = all(is_owned(slot.spot) or is_readonly(d, slot) for slot in meant)
    first = meant[0]
    if first.row is not None and first.row.target != "Actual":
        limit = limit_of(d, first)
        return v16.KeyValue(key=key, readonly=True, value=_cut(d, limit)) if limit is not None else None
    results = [(slot, values[name]) for slot in meant if (name := slot.spot.key.casefold()) in values]
    for _, result in results:
        if result.attributeStatusInfo is not None:
            d.lose("getVariableResult.attributeStatusInfo")
        if result.attributeStatus != "Accepted" and result.attributeValue:
            d.lose("getVariableResult.attributeValue")
    there = [(slot, result) for slot, result in results if result.attributeStatus in ("Accepted", "Rejected")]
    if not there:
        if first.row is not None and first.row.conversion == "phase_rotation":
            return v16.KeyValue(key=key, readonly=True, value=_rotation(d, []))
        return None
    read = [(slot, result.attributeValue or "") for slot, result in there if result.attributeStatus == "Accepted"]
    text = _down(d, key, read) if read else ""
    return v16.KeyValue(key=key, readonly=readonly, value=_cut(d, text) if text else None)


def _cut(d: Dialogue, text: str) -> str:
    if len(text) > VALUE_LIMIT:
        d.lose("getVariableResult.attributeValue", "shortened")
    return text[:VALUE_LIMIT]


def _local(d: Dialogue, key: Local) -> str:
    match key:
        case "NumberOfConnectors":
            return str(len(connectors(d)))
        case "GetConfigurationMaxKeys":
            return str(items_per_message(d, "GetVariables", BATCH))
        case "SupportedFeatureProfiles":
            return ",".join(profile for profile in _PROFILES if _has_profile(d, profile))


def _has_profile(d: Dialogue, profile: str) -> bool:
    """By the device model; before it is known, by the options."""
    facts = facts_of(d)
    if not facts.model_read_at:
        return has(d, profile)
    if profile == "FirmwareManagement":
        return "ocppcommctrlr.filetransferprotocols" in facts.model
    component = _AVAILABLE.get(profile)
    if component is None:
        return True
    available = facts.model.get(f"{component}.available")
    if available is not None and available.value:
        return available.value.casefold() == "true"
    return any(name.startswith(f"{component}.") for name in facts.model)


def _down(d: Dialogue, key: str, read: list[tuple[Slot, str]]) -> str:
    """The value of a key, of the one or the several variables that it is made of."""
    slot, value = read[0]
    conversion = slot.row.conversion if slot.row is not None else ""
    if conversion == "phase_rotation":
        return _rotation(d, read)
    if conversion == "csl_by_evse":
        ids = {slot.spot.evse: text for slot, text in read}
        return ",".join(ids.get(place_of(d, number)[0], "") for number in connectors(d)) if any(ids.values()) else ""
    if conversion.startswith("json_"):
        whole = ""
        for each, text in read:
            assert each.row is not None
            if text:
                whole = path_down(text, whole, _path(each), each.row.datatype == "decimal")
        return whole
    if conversion == "rate_unit":
        return ",".join(dict.fromkeys(RATE_UNIT_KEY.down_or(item, item) for item in items(value)))
    if conversion == "measurands":
        return _measurands(d, key, value)
    return value


def _path(slot: Slot) -> str:
    assert slot.row is not None
    return slot.row.conversion.partition("(")[2].rstrip(")")


def _rotation(d: Dialogue, read: list[tuple[Slot, str]]) -> str:
    """1.6 wants a word for every connector (config-keys 3.2)."""
    words = dict.fromkeys(connectors(d), "Unknown")
    words.update((slot.number, rotation_from(value)) for slot, value in read)
    return ",".join(f"{number}.{word}" for number, word in sorted(words.items()))


def _measurands(d: Dialogue, key: str, value: str) -> str:
    """With the phases that the CSMS wrote; without the measurands that 1.6 does not know."""
    written = items(facts_of(d).phases.get(key.casefold(), ""))
    found: list[str] = []
    for item in items(value):
        if item in ONLY_IN_201:
            d.lose("getVariableResult.attributeValue", "shortened")
            continue
        found.extend([each for each in written if measurand_of(each) == item] or [item])
    return ",".join(found)


# Writing


def change_configuration(d: Dialogue, request: v16.ChangeConfigurationRequest) -> Rule:
    """The variables of one key in one request; the worst of their results is the key's."""
    key = request.key.strip()
    if key.casefold() in LOCAL:
        return v16.ChangeConfigurationResponse(status="Rejected")
    meant = slots(d, key)
    if not meant:
        return v16.ChangeConfigurationResponse(status="Rejected" if key.casefold() == ROTATION else "NotSupported")
    if any(slot.row is not None and slot.row.target != "Actual" for slot in meant) or all(
        is_owned(slot.spot) or is_readonly(d, slot) for slot in meant
    ):
        return v16.ChangeConfigurationResponse(status="Rejected")
    try:
        data = _writes(d, key, meant, request.value)
    except Unfit:
        return v16.ChangeConfigurationResponse(status="Rejected")
    if not data:
        return v16.ChangeConfigurationResponse(status="Rejected")
    answer = yield from command(d, v201.SetVariablesRequest(setVariableData=data))
    if any(result.attributeStatusInfo is not None for result in answer.setVariableResult):
        d.lose("setVariableResult.attributeStatusInfo")
    for slot, asked, result in zip(meant, data, answer.setVariableResult, strict=False):
        if result.attributeStatus == "Accepted" and len(data) == len(meant):
            wrote(d, slot.spot, asked.attributeValue)
    statuses = [_status(result.attributeStatus) for result in answer.setVariableResult]
    if "Rejected" in statuses:
        status: v16.ConfigurationStatus = "Rejected"
    elif statuses[0] == "NotSupported":
        status = "NotSupported"
    else:
        status = "RebootRequired" if "RebootRequired" in statuses else "Accepted"
    row = meant[0].row
    if status in ("Accepted", "RebootRequired") and row is not None and row.conversion == "measurands":
        phases = facts_of(d).phases
        if any(measurand_of(item) != item for item in items(request.value)):
            phases[key.casefold()] = request.value
        else:
            phases.pop(key.casefold(), None)
    return v16.ChangeConfigurationResponse(status=status)


def _status(status: v201.SetVariableStatus) -> v16.ConfigurationStatus:
    return CONFIGURATION.down_or(status, "Rejected")


def _writes(d: Dialogue, key: str, meant: list[Slot], value: str) -> list[v201.SetVariableData]:
    """What to set. Raises Unfit for a value that has no form in 2.0.1."""
    found: list[v201.SetVariableData] = []
    for slot in meant:
        text = _up(d, slot, value)
        if text is None:
            continue
        found.append(
            v201.SetVariableData(
                component=_component(slot),
                variable=_variable(slot),
                attributeType=_attribute(slot),
                attributeValue=text[:1000],
            )
        )
    return found


def _up(d: Dialogue, slot: Slot, value: str) -> str | None:
    """The part of a key's value that a variable gets; None for none."""
    if slot.row is None:
        return value
    conversion = slot.row.conversion
    if conversion == "phase_rotation":
        return rotation_up(value, slot.number)
    if conversion == "csl_by_evse":
        return item_up(value, slot.number)
    if conversion.startswith("json_"):
        return path_up(value, _path(slot))
    if conversion == "measurands":
        wanted = items(value)
        kept = list(dict.fromkeys(measurand_of(item) for item in wanted if measurand_of(item) not in NOT_IN_201))
        if kept != wanted:
            d.lose("value", "folded" if len(kept) == len(wanted) else "shortened")
        return ",".join(kept)
    return up(conversion, value)


FROM_CSMS: dict[str, Row] = {
    "ChangeConfiguration": Talk(change_configuration),
    "GetConfiguration": Talk(get_configuration),
}
