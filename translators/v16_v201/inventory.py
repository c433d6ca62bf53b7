"""The variables of a 1.6 charger as report items: its configuration keys and what the gateway answers for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Final, NamedTuple, cast, get_args

from ..config_keys import LEGACY, Address, KeyRow, LocalRow, address
from ..config_values import NOT_IN_201, is_boolean, items, up
from ..dialogue import Dialogue
from ..facts import Key
from ..metering import unit_up
from ..models import v16, v201
from ..topology import connectors, evses, place_of
from ..values import CONNECTOR_STATUS, format_time
from .charger import facts_of, has
from .device_model import ASK_FIRST, PASSWORD, Found, cached, tables, value_up

REPORTED_VALUE: Final = 2500
"""Longest attributeValue of 2.0.1."""


class Item(NamedTuple):
    """One variable with its value, where it is and what it is like."""

    component: str
    component_instance: str
    evse: v201.EVSE | None
    variable: str
    variable_instance: str
    value: str | None
    """None: it may not be read."""
    mutability: v201.Mutability
    datatype: v201.DataType
    unit: str = ""
    values: str = ""
    limit: str = ""
    inventories: str = "F"

    @property
    def watched(self) -> bool:
        """Whether a monitor can be set on it (spec 5.24)."""
        return (self.component, self.variable) in WATCHED

    def report(self) -> v201.ReportData:
        characteristics = v201.VariableCharacteristics(
            dataType=self.datatype,
            unit=self.unit or None,
            maxLimit=Decimal(self.limit) if self.limit else None,
            valuesList=self.values or None,
            supportsMonitoring=self.watched,
        )
        value = self.value[:REPORTED_VALUE] if self.value is not None else None
        return v201.ReportData(
            component=v201.Component(name=self.component, instance=self.component_instance or None, evse=self.evse),
            variable=v201.Variable(name=self.variable, instance=self.variable_instance or None),
            variableAttribute=[v201.VariableAttribute(type="Actual", value=value, mutability=self.mutability)],
            variableCharacteristics=characteristics,
        )


WATCHED: Final = frozenset(
    [(component, "AvailabilityState") for component in ("ChargingStation", "EVSE", "Connector")]
    + [
        (component, "Problem")
        for component in (
            "ConnectorPlugRetentionLock",
            "CPPWMController",
            "Controller",
            "LocalAuthListCtrlr",
            "Connector",
            "ChargingStation",
            "ElectricalFeed",
            "FiscalMetering",
            "PowerContactor",
            "TokenReader",
            "DataLink",
        )
    ]
    + [("RCD", "Tripped"), ("TemperatureSensor", "Active"), ("OverCurrentProtection", "Active")]
    + [("EVSE", "Power"), ("EVSE", "ACCurrent"), ("EVSE", "ACVoltage"), ("EVSE", "EnergyImportRegister")]
    + [("ConnectedEV", "StateOfCharge")]
)
"""(component, variable) that the gateway can watch for a 1.6 charger."""

_VALUES: dict[Address, str] = {
    address("SmartChargingCtrlr", "", "RateUnit", ""): "A,W",
    address("OCPPCommCtrlr", "", "FileTransferProtocols", ""): "FTP,FTPS,HTTP,HTTPS",
    address("OCPPCommCtrlr", "", "PublicKeyWithSignedMeterValue", ""): "Never,OncePerTransaction,EveryMeterValue",
}


def inventory(d: Dialogue) -> Iterator[Item]:
    """Every variable of the charger: its keys as last read, then the gateway's own."""
    told: set[tuple[Address, str]] = set()
    for name, key in facts_of(d).keys.items():
        for item in _of_key(d, name.strip(), key):
            told.add((_address(item), _evse_text(item.evse)))
            yield item
    if (_address(_PASSWORD_ITEM), "") not in told:
        yield _PASSWORD_ITEM
    for row in tables().locals.values():
        for item in of_local(d, row):
            if (_address(item), _evse_text(item.evse)) not in told:
                yield item


def _address(item: Item) -> Address:
    return address(item.component, item.component_instance, item.variable, item.variable_instance)


def _evse_text(evse: v201.EVSE | None) -> str:
    return "" if evse is None else f"{evse.id}/{evse.connectorId}"


_PASSWORD_ITEM = Item("SecurityCtrlr", "", None, "BasicAuthPassword", "", None, "WriteOnly", "string")


def _of_key(d: Dialogue, name: str, key: Key) -> Iterator[Item]:
    """The places that a key of the charger feeds; a key without one is itself a variable of the legacy component."""
    folded = name.casefold()
    if folded == PASSWORD:
        yield _PASSWORD_ITEM
        return
    rows = tables().by_key.get(folded, [])
    if folded.startswith("meterpublickey") and folded[14:].isdecimal():
        rows = [row._replace(scope="evse") for row in tables().by_key["meterpublickey<n>"]]
    elif folded.startswith("defaultpricetext,"):
        rows = tables().by_key["defaultpricetext,<lang>"]
    language = name.partition(",")[2]
    spread = False
    for row in rows:
        local = tables().locals.get(row.address)
        if row.role == "alias" or row.conversion == "gateway" or (local is not None and row.address not in ASK_FIRST):
            spread = True  # its value is in a variable of the gateway's own, or is nobody's business
        elif row.target == "maxElements":
            yield from _as_legacy(name, key)
            spread = True
        elif row.target == "Actual":
            number = folded[14:] if row.key.endswith("<n>") else ""
            placed = list(_placed(d, row, name, key, language, int(number) if number else None))
            spread = spread or bool(placed)
            yield from placed
        else:
            spread = True
    if not spread:
        yield from _as_legacy(name, key)


def _as_legacy(name: str, key: Key) -> Iterator[Item]:
    mutability: v201.Mutability = "ReadOnly" if key.readonly else "ReadWrite"
    if 0 < len(name) <= 50:
        yield Item(LEGACY, "", None, name, "", key.value or "", mutability, "string")


def _placed(d: Dialogue, row: KeyRow, name: str, key: Key, language: str, only: int | None) -> Iterator[Item]:
    readonly = key.readonly or "ReadWrite" not in row.mutability
    mutability: v201.Mutability = "ReadOnly" if readonly else "ReadWrite"
    datatype = row.datatype
    if row.conversion == "legacy" or (row.conversion == "bool" and not is_boolean(key.value or "true")):
        datatype = "string"
    numbers = [0] if row.scope == "station" else connectors(d)
    if row.scope == "evse":  # of several connectors the first speaks for its EVSE, as in `find`
        numbers = [number for number in map(min, evses(d).values()) if only in (None, number)]
    for number in numbers:
        evse = None
        if number:
            place = place_of(d, number)
            evse = v201.EVSE(id=place[0], connectorId=place[1] if row.scope == "connector" else None)
        value = value_up(Found(name, row, None, number), key.value) if key.value is not None else ""
        yield Item(
            row.component,
            row.component_instance,
            evse,
            row.variable if row.component != LEGACY else name,
            language if row.variable_instance == "<lang>" else row.variable_instance,
            value,
            mutability,
            cast(v201.DataType, datatype),
            row.unit if row.conversion != "legacy" else "",
            _values_of(d, row),
            inventories="F",
        )


def _values_of(d: Dialogue, row: KeyRow) -> str:
    """valuesList, which a list type must have."""
    if row.datatype not in ("OptionList", "SequenceList", "MemberList"):
        return ""
    if row.conversion == "measurands":
        known = _text(d, "SupportedMeasurands") or ",".join(get_args(v16.Measurand))
        return ",".join(item for item in items(known) if item not in NOT_IN_201)[:1000]
    if row.variable == "Language":
        return ",".join(items(_text(d, "SupportedLanguages")))[:1000]
    return _VALUES.get(row.address, "")


def of_local(d: Dialogue, row: LocalRow) -> Iterator[Item]:
    """A variable of the gateway's own, once per EVSE or connector it exists on."""
    places: list[tuple[v201.EVSE | None, int]] = [(None, 0)]
    if row.scope == "evse":
        places = [(v201.EVSE(id=evse), min(numbers)) for evse, numbers in evses(d).items()]
    elif row.scope == "connector":
        places = [
            (v201.EVSE(id=evse, connectorId=place_of(d, number)[1]), number)
            for evse, numbers in evses(d).items()
            for number in numbers
        ]
    for evse, number in places:
        value = local_value(d, row, number)
        if value is not None:
            yield Item(
                row.component,
                row.component_instance,
                evse,
                row.variable,
                row.variable_instance,
                value,
                cast(v201.Mutability, row.mutability),
                cast(v201.DataType, row.datatype),
                row.unit or _unit_of(d, row),
                row.values,
                _limit(d, row),
                row.inventories,
            )


_LIMIT_KEYS = {
    ("LocalAuthListCtrlr", "Entries"): "LocalAuthListMaxLength",
    ("SmartChargingCtrlr", "Entries"): "MaxChargingProfilesInstalled",
    ("SecurityCtrlr", "CertificateEntries"): "CertificateStoreMaxLength",
}


def _limit(d: Dialogue, row: LocalRow) -> str:
    text = up("max_limit", _text(d, _LIMIT_KEYS.get((row.component, row.variable), "")))
    return text if text.isdecimal() else row.limit


def _text(d: Dialogue, key: str) -> str:
    found = cached(d, key) if key else None
    return (found.value if found is not None else None) or ""


_MEASURED = {("TemperatureSensor", "Temperature"): "Temperature", ("AirCoolingSystem", "FanSpeed"): "RPM"}
"""Variables whose values the charger sends as meter values of a measurand that 2.0.1 does not have (spec 2.8)."""


def _unit_of(d: Dialogue, row: LocalRow) -> str:
    measurand = _MEASURED.get((row.component, row.variable), "")
    unit = unit_up(facts_of(d).measured.get(f"{measurand} unit"), measurand) if measurand else None
    return (unit.unit if unit is not None else None) or ""


_IDENTITY = {
    ("ChargingStation", "Model"): ("chargePointModel",),
    ("ChargingStation", "VendorName"): ("chargePointVendor",),
    ("ChargingStation", "SerialNumber"): ("chargePointSerialNumber", "chargeBoxSerialNumber"),
    ("ChargingStation", "FirmwareVersion"): ("firmwareVersion",),
    ("Controller", "FirmwareVersion"): ("firmwareVersion",),
    ("DataLink", "ICCID"): ("iccid",),
    ("DataLink", "IMSI"): ("imsi",),
    ("FiscalMetering", "SerialNumber"): ("meterSerialNumber",),
    ("FiscalMetering", "Model"): ("meterType",),
}
_PROFILE = {
    "LocalAuthListCtrlr": "LocalAuthListManagement",
    "ReservationCtrlr": "Reservation",
    "SmartChargingCtrlr": "SmartCharging",
}


def local_value(d: Dialogue, row: LocalRow, connector: int) -> str | None:
    """The value of a variable of the gateway's own; None: the station does not have it."""
    if (identity := _IDENTITY.get((row.component, row.variable))) is not None:
        boot = facts_of(d).boot or {}
        known = next((str(boot[name]) for name in identity if boot.get(name)), "")
        if not known:
            key = tables().keys.get(row.address)
            known = _text(d, key.key) if key is not None else ""
        return known or (None if row.component in ("DataLink", "FiscalMetering") else "")
    if row.component in _PROFILE:
        return _feature_value(d, row)
    if (measurand := _MEASURED.get((row.component, row.variable))) is not None:
        return facts_of(d).measured.get(measurand)
    special = _SPECIAL.get((row.component, row.variable))
    if special is not None:
        return special(d, connector)
    key = tables().keys.get(row.address)
    if key is not None and (found := cached(d, key.key)) is not None and found.value is not None:
        return value_up(Found(key.key, key, row, connector), found.value)
    return row.fallback


def _feature_value(d: Dialogue, row: LocalRow) -> str | None:
    available = supports(d, _PROFILE[row.component])
    if row.variable in ("Available", "Enabled"):
        return "true" if available else "false"
    if not available:
        return None
    if row.variable == "Entries":
        if row.component == "LocalAuthListCtrlr":
            return str(len(facts_of(d).local_list.entries))
        return str(len(facts_of(d).extra.get("profiles", {}).get("entries", ())))
    return row.fallback


def supports(d: Dialogue, profile: str) -> bool:
    """Whether the charger has a feature profile: by its own word, else by the options."""
    listed = _text(d, "SupportedFeatureProfiles")
    return profile.casefold() in [item.casefold() for item in items(listed)] if listed else has(d, profile)


def _station_state(d: Dialogue, connector: int) -> str:
    station = facts_of(d).connectors.get(0)
    return station.status if station is not None and station.status in ("Unavailable", "Faulted") else "Available"


def connector_state(d: Dialogue, connector: int) -> str:
    """ConnectorStatus of a 1.6 connector as it last reported; Available while it has not."""
    known = facts_of(d).connectors.get(connector)
    return CONNECTOR_STATUS.get(cast(v16.ChargePointStatus, known.status), "Available") if known else "Available"


def evse_state(d: Dialogue, connector: int, status: str | None = None) -> str:
    """Of several connectors the busiest: one that is in use or reserved holds the EVSE, else one that works frees it.
    `status`: what this connector would be."""
    others = [number for number in _neighbours(d, connector) if status is None or number != connector]
    states = [*([status] if status else []), *(connector_state(d, number) for number in others)]
    order = ("Occupied", "Reserved", "Available", "Unavailable", "Faulted")
    return min(states, key=order.index)


def _problem(d: Dialogue, connector: int) -> str:
    known = facts_of(d).connectors
    return "true" if any(known[each].errors for each in _neighbours(d, connector) if each in known) else "false"


def _neighbours(d: Dialogue, connector: int) -> list[int]:
    """The connectors of its EVSE; 0 is alone."""
    return next((numbers for numbers in evses(d).values() if connector in numbers), [connector])


def _stop_point(d: Dialogue, connector: int) -> str:
    stays = _text(d, "StopTransactionOnEVSideDisconnect").strip().casefold() in ("false", "0", "no", "off")
    return "Authorized" if stays else "EVConnected,Authorized"


def _has_key(key: str) -> Callable[[Dialogue, int], str]:
    return lambda d, connector: "true" if cached(d, key) is not None else "false"


def _costs(d: Dialogue, connector: int) -> str:
    return "true" if has(d, "costmsg") else "false"


def _aligned(d: Dialogue, connector: int) -> str:
    return "false" if _text(d, "ClockAlignedDataInterval").strip() == "0" else "true"


_SPECIAL: dict[tuple[str, str], Callable[[Dialogue, int], str | None]] = {
    ("SecurityCtrlr", "Identity"): lambda d, connector: d.translator.identity or _text(d, "ChargePointId"),
    ("ChargingStation", "AvailabilityState"): _station_state,
    ("EVSE", "AvailabilityState"): evse_state,
    ("Connector", "AvailabilityState"): connector_state,
    ("ChargingStation", "Problem"): _problem,
    ("EVSE", "Problem"): _problem,
    ("ClockCtrlr", "DateTime"): lambda d, connector: format_time(d.clock),
    ("AuthCacheCtrlr", "Available"): _has_key("AuthorizationCacheEnabled"),
    ("ISO15118Ctrlr", "Available"): _has_key("ISO15118PnCEnabled"),
    ("AlignedDataCtrlr", "Enabled"): _aligned,
    ("TxCtrlr", "TxStopPoint"): _stop_point,
    ("TariffCostCtrlr", "Available"): _costs,
}
