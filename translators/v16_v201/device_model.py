"""The device model of a 1.6 charger: which configuration key, or which value of the gateway's own, a variable means."""

from __future__ import annotations

from functools import cache
from typing import Final, Literal, NamedTuple

from ..config_keys import LEGACY, Address, KeyRow, LocalRow, address, key_rows, local_rows, unescape
from ..config_values import (
    CONVERSIONS,
    Unfit,
    item_down,
    item_up,
    path_down,
    path_up,
    rotation_down,
    rotation_for_all,
    rotation_up,
)
from ..dialogue import Dialogue
from ..facts import Key
from ..models import v201
from ..topology import Unknown, connector_at, connectors, connectors_at
from .charger import facts_of

VENDOR: Final = "OCPP16VendorCtrlr"
"""Also accepted for a key without a place of its own, with characters escaped as `=HH`."""
ASK_FIRST = frozenset(
    (
        address("SecurityCtrlr", "", "OrganizationName", ""),
        address("OCPPCommCtrlr", "", "FileTransferProtocols", ""),
        address("SampledDataCtrlr", "", "TxStartedMeasurands", ""),
    )
)
"""Variables with a value of the gateway's own only for a charger that lacks the key."""
_NEVER_WRITTEN = frozenset(("securityprofile", "chargepointid", "centralsystemuri"))
"""Keys of the link or the identity: a write would take the charger away from the gateway."""
PASSWORD: Final = "authorizationkey"
KEY_LIMIT: Final = 50
VALUE_LIMIT: Final = 500
"""Longest value of a 1.6 configuration key."""


class Found(NamedTuple):
    """What a variable stands for: a key of the charger (then `row`), a value of the gateway (then `local`), or both."""

    key: str = ""
    row: KeyRow | None = None
    local: LocalRow | None = None
    connector: int = 0
    """1.6 connector the variable is about; 0: the station."""

    @property
    def password(self) -> bool:
        return self.row is not None and self.row.conversion == "password"

    def readonly(self, d: Dialogue) -> bool:
        """Whether a write is refused without asking the charger."""
        if self.row is None:
            return True
        known = cached(d, self.key)
        return "ReadWrite" not in self.row.mutability or (known is not None and known.readonly)


Missing = Literal["UnknownComponent", "UnknownVariable"]


class _Tables(NamedTuple):
    keys: dict[Address, KeyRow]
    locals: dict[Address, LocalRow]
    components: frozenset[tuple[str, str]]
    by_key: dict[str, list[KeyRow]]


@cache
def tables() -> _Tables:
    """The two data files, indexed."""
    by_key: dict[str, list[KeyRow]] = {}
    for row in key_rows():
        by_key.setdefault(row.key.casefold(), []).append(row)
    readable = [row for row in key_rows() if row.target == "Actual" and not _not_of_the_charger(row)]
    keys: dict[Address, KeyRow] = {}
    for row in readable:
        keys.setdefault(row.address, row)
    own = {row.address: row for row in local_rows()}
    components = {place[:2] for place in (*keys, *own)} | {(LEGACY.casefold(), ""), (VENDOR.casefold(), "")}
    return _Tables(keys, own, frozenset(components), by_key)


def _not_of_the_charger(row: KeyRow) -> bool:
    return row.conversion in ("gateway", "topology") or row.conversion.startswith("feature_flag")


def cached(d: Dialogue, key: str) -> Key | None:
    """The charger's configuration key as last read; keys are case-insensitive."""
    keys = facts_of(d).keys
    if (direct := keys.get(key)) is not None:
        return direct
    folded = key.casefold()
    return next((value for name, value in keys.items() if name.strip().casefold() == folded), None)


def spelling(d: Dialogue, key: str) -> str:
    """The key as this charger spells it, if it was ever read."""
    keys = facts_of(d).keys
    folded = key.casefold()
    return key if key in keys else next((name for name in keys if name.strip().casefold() == folded), key)


def find(d: Dialogue, component: v201.Component, variable: v201.Variable) -> Found | Missing:
    """What a variable of a request stands for, or how it is unknown."""
    all_tables = tables()
    instance, name = (component.instance or "").casefold(), component.name.casefold()
    if (name, instance) not in all_tables.components:
        raw = name == variable.name.casefold() and component.evse is None and not instance
        return _legacy(variable.name) if raw else "UnknownComponent"
    if name in (LEGACY.casefold(), VENDOR.casefold()):
        if component.evse is not None:
            return "UnknownComponent"
        key = variable.name + (variable.instance or "")
        return _legacy(unescape(key) if name == VENDOR.casefold() else key)
    place = address(component.name, component.instance, variable.name, variable.instance)
    row, local = all_tables.keys.get(place), all_tables.locals.get(place)
    if row is None and local is None and place.variable_instance:
        row = all_tables.keys.get(place._replace(variable_instance="<lang>"))
    scope = row.scope if row is not None else local.scope if local is not None else ""
    if not scope:
        return "UnknownVariable"
    connector = _connector(d, component.evse, scope)
    if connector is None:
        return "UnknownComponent"
    if row is None or (local is not None and place not in ASK_FIRST):
        return Found(local=local, connector=connector)
    key = row.key.replace("<n>", str(connector)).replace("<lang>", variable.instance or "")
    if len(key) > KEY_LIMIT:
        return "UnknownVariable"
    return Found(key, row, local, connector)


def _connector(d: Dialogue, evse: v201.EVSE | None, scope: str) -> int | None:
    """The 1.6 connector of a component of this scope, None if there is none."""
    try:
        if evse is None:
            return 0 if scope == "station" else None
        if scope == "evse" and evse.connectorId is None:
            return min(connectors_at(d, evse.id))
        if scope == "connector" and evse.connectorId is not None:
            return connector_at(d, evse.id, evse.connectorId)
    except Unknown:
        pass
    return None


def _legacy(key: str) -> Found | Missing:
    """A key by its own name. Keys that the gateway owns keep their rules."""
    if not 0 < len(key) <= KEY_LIMIT:
        return "UnknownVariable"
    rows = tables().by_key.get(key.casefold(), ())
    row = KeyRow(
        key, LEGACY, "", key, "", "station", "string", "", _mutability(key, rows), "legacy", "Actual", "primary"
    )
    if key.casefold() == PASSWORD:
        row = row._replace(conversion="password", mutability="WriteOnly")
    return Found(key, row)


def _mutability(key: str, rows: list[KeyRow] | tuple[KeyRow, ...]) -> str:
    if key.casefold() in _NEVER_WRITTEN:
        return "ReadOnly"
    return rows[0].mutability if rows else "ReadWrite"


def value_up(found: Found, raw: str) -> str:
    """The value of a variable from its key's; "" for one that the key says nothing about."""
    row = found.row
    assert row is not None
    name, _, argument = row.conversion.rstrip(")").partition("(")
    match name:
        case "phase_rotation":
            for_all = rotation_for_all(raw)
            return (rotation_up(raw, found.connector) if for_all is None else for_all) or ""
        case "json_default_price" | "json_price_text_lang":
            return path_up(raw, argument) or ""
        case "csl_by_evse":
            return item_up(raw, found.connector) or ""
    return CONVERSIONS[row.conversion][0](raw)


def value_down(d: Dialogue, found: Found, value: str, present: str) -> str:
    """The value of the key from the variable's; `present` is the key's now. Raises Unfit."""
    row = found.row
    assert row is not None
    name, _, argument = row.conversion.rstrip(")").partition("(")
    match name:
        case "phase_rotation":
            text = rotation_down(value, present, found.connector, [0, *connectors(d)])
        case "json_default_price" | "json_price_text_lang":
            text = path_down(value, present, argument, row.datatype == "decimal")
        case "csl_by_evse":
            text = item_down(value, present, found.connector)
        case _:
            text = CONVERSIONS[row.conversion][1](value, present)
    if len(text) > VALUE_LIMIT:
        raise Unfit(value)
    return text


def needs_present(found: Found) -> bool:
    """Whether a write needs the key's present value, because the key holds other variables too."""
    return found.row is not None and found.row.conversion.startswith(("phase_rotation", "json_", "csl_by_evse"))
