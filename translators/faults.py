"""1.6 error codes and the 2.0.1 components they stand for (spec 2.6).

A 1.6 error rides on a StatusNotification; 2.0.1 reports it as an event of a component's variable.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from .models import v16


class Place(NamedTuple):
    """What a 1.6 errorCode concerns: a variable of a component, at one tier of the device model."""

    component: str
    variable: str
    tier: Literal["station", "evse", "connector"]


FAULTS: Final[dict[v16.ChargePointErrorCode, Place]] = {
    "ConnectorLockFailure": Place("ConnectorPlugRetentionLock", "Problem", "connector"),
    "EVCommunicationError": Place("CPPWMController", "Problem", "evse"),
    "GroundFailure": Place("RCD", "Tripped", "evse"),
    "HighTemperature": Place("TemperatureSensor", "Active", "evse"),
    "InternalError": Place("Controller", "Problem", "station"),
    "LocalListConflict": Place("LocalAuthListCtrlr", "Problem", "station"),
    "OtherError": Place("Connector", "Problem", "connector"),
    "OverCurrentFailure": Place("OverCurrentProtection", "Active", "evse"),
    "OverVoltage": Place("ElectricalFeed", "Problem", "station"),
    "UnderVoltage": Place("ElectricalFeed", "Problem", "station"),
    "PowerMeterFailure": Place("FiscalMetering", "Problem", "evse"),
    "PowerSwitchFailure": Place("PowerContactor", "Problem", "evse"),
    "ReaderFailure": Place("TokenReader", "Problem", "station"),
    "ResetFailure": Place("ChargingStation", "Problem", "station"),
    "WeakSignal": Place("DataLink", "Problem", "station"),
}
"""Without NoError, which clears. OverVoltage, UnderVoltage and ResetFailure need the techCode to be told apart."""

STATION: Final = Place("ChargingStation", "Problem", "station")
"""OtherError of connector 0."""

_TROUBLE = frozenset(("Problem", "Tripped"))
_CODES: Final[dict[str, tuple[v16.ChargePointErrorCode, frozenset[str]]]] = {
    "ConnectorPlugRetentionLock": ("ConnectorLockFailure", _TROUBLE),
    "EVRetentionLock": ("ConnectorLockFailure", _TROUBLE),
    "CPPWMController": ("EVCommunicationError", frozenset(("Problem",))),
    "ISO15118Ctrlr": ("EVCommunicationError", frozenset(("Problem",))),
    "CHAdeMOCtrlr": ("EVCommunicationError", frozenset(("Problem",))),
    "RCD": ("GroundFailure", frozenset(("Tripped", "Operated", "Problem"))),
    "GroundIsolationProtection": ("GroundFailure", frozenset(("Active", "Problem"))),
    "TemperatureSensor": ("HighTemperature", frozenset(("Active", "Temperature"))),
    "ExternalTemperatureSensor": ("HighTemperature", frozenset(("Active", "Temperature"))),
    "Controller": ("InternalError", frozenset(("Problem",))),
    "RealTimeClock": ("InternalError", frozenset(("Problem",))),
    "ELVSupply": ("InternalError", frozenset(("Problem",))),
    "Display": ("InternalError", frozenset(("Problem",))),
    "LocalAuthListCtrlr": ("LocalListConflict", frozenset(("Problem",))),
    "OverCurrentProtection": ("OverCurrentFailure", frozenset(("Active", "Operated", "Tripped"))),
    "FiscalMetering": ("PowerMeterFailure", frozenset(("Problem",))),
    "ControlMetering": ("PowerMeterFailure", frozenset(("Problem",))),
    "PowerContactor": ("PowerSwitchFailure", _TROUBLE),
    "TokenReader": ("ReaderFailure", frozenset(("Problem",))),
    "DataLink": ("WeakSignal", frozenset(("Problem", "SignalStrength"))),
}

_FOLDED: Final = {
    name.casefold(): (code, frozenset(each.casefold() for each in variables))
    for name, (code, variables) in _CODES.items()
}


def error_code(
    component: str, variable: str, tech_code: str | None = None, *, above: bool | None = None
) -> v16.ChargePointErrorCode | None:
    """The 1.6 errorCode of an event, None if 1.6 has nothing to say about it.

    A techCode that is a 1.6 errorCode literally wins. `above`: whether a voltage passed its upper threshold (None: unknown).
    """
    for code in FAULTS:
        if code == tech_code:
            return code
    component, variable = component.casefold(), variable.casefold()  # names of 2.x are case-insensitive
    if component in _FOLDED and variable in _FOLDED[component][1]:
        return _FOLDED[component][0]
    if component in ("electricalfeed", "chargingstation", "evse") and variable in ("acvoltage", "dcvoltage"):
        return None if above is None else ("OverVoltage" if above else "UnderVoltage")
    if component in ("evse", "connector") and variable == "overload":
        return "OverCurrentFailure"
    return "OtherError" if variable in ("problem", "tripped", "overload", "fallback") else None
