"""Which variables of a 2.0.1 charger a 1.6 configuration key means (spec 11, config-keys 5 and 6)."""

from __future__ import annotations

import re
from functools import cache
from typing import Final, Literal, NamedTuple

from ..config_keys import LEGACY, Address, KeyRow, Spot, address, key_rows, short_key, spot_of, unescape
from ..dialogue import Dialogue
from ..topology import connectors, evses, place_of
from .state import Known, facts_of

Local = Literal["NumberOfConnectors", "SupportedFeatureProfiles", "GetConfigurationMaxKeys"]

VENDOR: Final = "OCPP16VendorCtrlr"
LOCAL: Final[dict[str, Local]] = {
    "numberofconnectors": "NumberOfConnectors",
    "supportedfeatureprofiles": "SupportedFeatureProfiles",
    "getconfigurationmaxkeys": "GetConfigurationMaxKeys",
}
"""Keys that the gateway answers from what it knows of the charger."""
ROTATION: Final = "connectorphaserotation"
"""A key that every 1.6 charger must have, also one that says nothing of its rotation."""
_SECRET: Final = "basicauthpassword"
_LINK: Final = {
    "securityctrlr": (_SECRET, "identity", "securityprofile"),
    "networkconfiguration": (_SECRET, "identity", "securityprofile", "ocppcsmsurl"),
}
"""Variables of the link and the identity: the gateway's, never written to the charger whatever the key is (spec 13.26)."""

_NUMBERED = re.compile(r"MeterPublicKey(\d{1,4})", re.ASCII | re.IGNORECASE)
_LANGUAGE = re.compile(r"DefaultPriceText,(\S{1,30})", re.IGNORECASE)
_REMEMBERED: Final = frozenset(
    (
        address("DeviceDataCtrlr", "", "ItemsPerMessage", "GetVariables"),
        address("DeviceDataCtrlr", "", "ItemsPerMessage", "SetVariables"),
        address("LocalAuthListCtrlr", "", "ItemsPerMessage", ""),
        address("LocalAuthListCtrlr", "", "Available", ""),
        address("ReservationCtrlr", "", "Available", ""),
        address("SmartChargingCtrlr", "", "Available", ""),
        address("TxCtrlr", "", "TxStartPoint", ""),
        address("TxCtrlr", "", "TxStopPoint", ""),
        address("SampledDataCtrlr", "", "TxStartedMeasurands", ""),
        address("SampledDataCtrlr", "", "TxEndedMeasurands", ""),
        address("FiscalMetering", "", "Model", ""),
        address("FiscalMetering", "", "SerialNumber", ""),
    )
)


class Slot(NamedTuple):
    """One variable that a key means, or a part of one."""

    spot: Spot
    row: KeyRow | None
    number: int = 0
    """1.6 connector that it is about; 0: the station."""


@cache
def _by_key() -> dict[str, list[KeyRow]]:
    found: dict[str, list[KeyRow]] = {}
    for row in key_rows():
        if row.role not in ("mirror", "derived") and row.conversion not in ("gateway", "topology"):
            found.setdefault(row.key.casefold(), []).append(row)
    return found


@cache
def _addresses() -> frozenset[Address]:
    return frozenset(row.address for row in key_rows()) | _REMEMBERED


def is_mapped(spot: Spot) -> bool:
    """Whether some 1.6 key has this variable."""
    return spot.address in _addresses()


def remembers_value(spot: Spot) -> bool:
    """Whether the gateway itself goes by the value of this variable."""
    return spot.address in _REMEMBERED


def wrote(d: Dialogue, spot: Spot, value: str) -> None:
    """The charger has taken a value."""
    reported = known(d, spot)
    if reported is not None and remembers_value(spot):
        reported.value = value


def slots(d: Dialogue, key: str) -> list[Slot]:
    """The variables that a key means; none if the charger cannot have it."""
    key = key.strip()
    rows = _by_key().get(key.casefold())
    if rows is None and (match := _LANGUAGE.fullmatch(key)):
        rows = [row._replace(variable_instance=match[1]) for row in _by_key()["defaultpricetext,<lang>"]]
    if rows is None and (match := _NUMBERED.fullmatch(key)):
        number = int(match[1])
        [row] = _by_key()["meterpublickey<n>"]
        return [Slot(_spot(d, row, number), row, number)] if number in connectors(d) else []
    if rows is not None:
        if rows[0].conversion == "phase_rotation":
            return _rotations(d, rows)
        if rows[0].conversion == "csl_by_evse":
            numbers = [found[0] for _, found in sorted(evses(d).items())]
            return [Slot(_spot(d, rows[0], number), rows[0], number) for number in numbers]
        if rows[0].conversion.startswith("json_"):
            return [Slot(_spot(d, row, 0), row) for row in rows]
        chosen = _chosen(d, rows)
        return [Slot(_spot(d, chosen, 0), chosen)] if chosen is not None else []
    return _vendor(d, key)


def _chosen(d: Dialogue, rows: list[KeyRow]) -> KeyRow | None:
    """Of several places of a key the one that the charger has; a legacy one only if it is known to have it."""
    for row in rows:
        if known(d, _spot(d, row, 0)) is not None:
            return row
    return next((row for row in rows if row.component != LEGACY), None)


def _spot(d: Dialogue, row: KeyRow, number: int) -> Spot:
    evse, connector = place_of(d, number) if number and row.scope != "station" else (0, 0)
    return Spot(
        row.component,
        row.component_instance,
        evse,
        connector if row.scope == "connector" else 0,
        row.variable,
        row.variable_instance,
    )


def _rotations(d: Dialogue, rows: list[KeyRow]) -> list[Slot]:
    """The station's, and each connector's: at the EVSE, or at the connector if that is where the charger has it."""
    station, evse_row, connector_row = rows
    found = [Slot(_spot(d, station, 0), station)]
    for number in connectors(d):
        several = len(evses(d).get(place_of(d, number)[0], ())) > 1
        row = evse_row
        if several or known(d, _spot(d, connector_row, number)) is not None:
            row = connector_row
        found.append(Slot(_spot(d, row, number), row, number))
    if facts_of(d).model_read_at:
        found = [slot for slot in found if known(d, slot.spot) is not None]
    return found


def _vendor(d: Dialogue, key: str) -> list[Slot]:
    """A key without a row: one of a 1.6 key that the charger keeps under its own name, or a variable by its flat name."""
    model = facts_of(d).model
    for component, name in ((LEGACY, key), (VENDOR, vendor_name(key))):
        spot = Spot(component, "", 0, 0, name[:50], name[50:])
        if spot.key.casefold() in model:
            return [Slot(spot, None)]
    if "~" in key:
        for each in model.values():
            if each.name and short_key(each.name).casefold() == key.casefold():
                found = spot_of(each.name)
                return [Slot(found, None)] if found is not None else []
    named = spot_of(key)
    return [Slot(named, None)] if named is not None else []


def vendor_name(key: str) -> str:
    """The name of a vendor's key as a variable: what may not stand in an identifier as `=HH` per byte (config-keys 6.1)."""
    allowed = re.compile(r"[A-Za-z0-9*\-_:+|@.]", re.ASCII)
    return "".join(
        letter if allowed.fullmatch(letter) else "".join(f"={byte:02X}" for byte in letter.encode()) for letter in key
    )


def is_owned(spot: Spot) -> bool:
    """Whether a variable is one of the link or the identity."""
    return spot.variable.casefold() in _LINK.get(spot.component.casefold(), ())


def is_secret(spot: Spot) -> bool:
    """Whether a variable is a password, which is never read."""
    return is_owned(spot) and spot.variable.casefold() == _SECRET


def known(d: Dialogue, spot: Spot) -> Known | None:
    """What was reported of a variable."""
    return facts_of(d).model.get(spot.key.casefold())


def is_readonly(d: Dialogue, slot: Slot) -> bool:
    """What the charger says of the variable, else the table; the table's ReadOnly is never widened (config-keys 1)."""
    reported = known(d, slot.spot)
    if slot.row is not None and slot.row.mutability == "ReadOnly":
        return True
    return reported is not None and reported.mutability == "ReadOnly"


def limit_of(d: Dialogue, slot: Slot) -> str | None:
    """The value of a key that is a characteristic of a variable; None if the charger did not report it."""
    reported = known(d, slot.spot)
    if reported is None or slot.row is None:
        return None
    match slot.row.target:
        case "maxLimit":
            return reported.max_limit or None
        case "maxElements":
            return str(len(reported.values.split(","))) if reported.values else None
        case "valuesList":
            return reported.values or None
    return None


def every_key(d: Dialogue) -> list[str]:
    """Every key that the charger is known to have: 1.6's own, then the writable variables that 1.6 has no key for."""
    found: list[str] = []
    for folded, rows in _by_key().items():
        if rows[0].conversion == "password" or rows[0].role == "alias" or "<" in folded:
            continue
        told = any(known(d, slot.spot) is not None for slot in slots(d, rows[0].key))
        if told or (folded == ROTATION and facts_of(d).model_read_at):
            found.append(rows[0].key)
    for number in connectors(d):
        if slots(d, f"MeterPublicKey{number}") and known(d, slots(d, f"MeterPublicKey{number}")[0].spot) is not None:
            found.append(f"MeterPublicKey{number}")
    for each in facts_of(d).model.values():
        spot = spot_of(each.name)
        if spot is None or is_secret(spot):
            continue
        own = _own_key(spot)
        if own and any(slot.spot.key.casefold() == spot.key.casefold() for slot in slots(d, own)):
            found.append(own)
        elif each.mutability != "ReadOnly":
            found.append(short_key(each.name))
    return list({key.casefold(): key for key in found if key.casefold() not in LOCAL}.values())


def _own_key(spot: Spot) -> str:
    """The 1.6 key that a variable without a row stands for; empty if it is one of 2.0.1."""
    if is_of_16(spot):
        name = spot.variable + spot.variable_instance
        key = unescape(name) if spot.component.casefold() == VENDOR.casefold() else name
        return key if len(key) <= 50 else ""
    if spot.address._replace(variable_instance="<lang>") in _addresses():
        return f"DefaultPriceText,{spot.variable_instance}"
    return ""


def is_of_16(spot: Spot) -> bool:
    """Whether a variable is a 1.6 key under its own name (config-keys 6.1)."""
    return spot.component.casefold() in (LEGACY.casefold(), VENDOR.casefold())


def usual_keys() -> list[str]:
    """The keys a charger may have, for one that has not reported its variables."""
    return [
        rows[0].key
        for folded, rows in _by_key().items()
        if rows[0].conversion != "password"
        and rows[0].role != "alias"
        and "<" not in folded
        and rows[0].target == "Actual"
    ]


def items_per_message(d: Dialogue, request: str, default: int) -> int:
    """How many items the charger takes in one request."""
    reported = facts_of(d).model.get(f"devicedatactrlr.itemspermessage#{request.casefold()}")
    text = reported.value.strip() if reported is not None else ""
    return max(1, min(int(text), 1000)) if text.isdecimal() and len(text) < 6 else default
