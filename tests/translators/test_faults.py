"""Every row of the error codes, both ways (spec 2.6)."""

from __future__ import annotations

from typing import get_args

import pytest

from translators import faults
from translators.models import v16

ROWS = [
    ("ConnectorLockFailure", "ConnectorPlugRetentionLock", "connector", "Problem"),
    ("EVCommunicationError", "CPPWMController", "evse", "Problem"),
    ("GroundFailure", "RCD", "evse", "Tripped"),
    ("HighTemperature", "TemperatureSensor", "evse", "Active"),
    ("InternalError", "Controller", "station", "Problem"),
    ("LocalListConflict", "LocalAuthListCtrlr", "station", "Problem"),
    ("OtherError", "Connector", "connector", "Problem"),
    ("OverCurrentFailure", "OverCurrentProtection", "evse", "Active"),
    ("OverVoltage", "ElectricalFeed", "station", "Problem"),
    ("UnderVoltage", "ElectricalFeed", "station", "Problem"),
    ("PowerMeterFailure", "FiscalMetering", "evse", "Problem"),
    ("PowerSwitchFailure", "PowerContactor", "evse", "Problem"),
    ("ReaderFailure", "TokenReader", "station", "Problem"),
    ("ResetFailure", "ChargingStation", "station", "Problem"),
    ("WeakSignal", "DataLink", "station", "Problem"),
]
TOLD_APART = ("OverVoltage", "UnderVoltage", "ResetFailure")
"""By the techCode alone."""
BACK = [
    ("ConnectorPlugRetentionLock", "Problem", None, "ConnectorLockFailure"),
    ("ConnectorPlugRetentionLock", "Tripped", None, "ConnectorLockFailure"),
    ("EVRetentionLock", "Problem", None, "ConnectorLockFailure"),
    ("EVRetentionLock", "Tripped", None, "ConnectorLockFailure"),
    ("CPPWMController", "Problem", None, "EVCommunicationError"),
    ("ISO15118Ctrlr", "Problem", None, "EVCommunicationError"),
    ("CHAdeMOCtrlr", "Problem", None, "EVCommunicationError"),
    ("RCD", "Tripped", None, "GroundFailure"),
    ("RCD", "Operated", None, "GroundFailure"),
    ("RCD", "Problem", None, "GroundFailure"),
    ("GroundIsolationProtection", "Active", None, "GroundFailure"),
    ("GroundIsolationProtection", "Problem", None, "GroundFailure"),
    ("TemperatureSensor", "Active", None, "HighTemperature"),
    ("ExternalTemperatureSensor", "Active", None, "HighTemperature"),
    ("TemperatureSensor", "Temperature", None, "HighTemperature"),
    ("ExternalTemperatureSensor", "Temperature", None, "HighTemperature"),
    ("Controller", "Problem", None, "InternalError"),
    ("RealTimeClock", "Problem", None, "InternalError"),
    ("ELVSupply", "Problem", None, "InternalError"),
    ("Display", "Problem", None, "InternalError"),
    ("LocalAuthListCtrlr", "Problem", None, "LocalListConflict"),
    ("EVSE", "Problem", None, "OtherError"),
    ("Connector", "Tripped", None, "OtherError"),
    ("ChargingStation", "Fallback", None, "OtherError"),
    ("AirCoolingSystem", "Problem", None, "OtherError"),
    ("OverCurrentProtection", "Active", None, "OverCurrentFailure"),
    ("OverCurrentProtection", "Operated", None, "OverCurrentFailure"),
    ("OverCurrentProtection", "Tripped", None, "OverCurrentFailure"),
    ("EVSE", "Overload", None, "OverCurrentFailure"),
    ("Connector", "Overload", None, "OverCurrentFailure"),
    *(
        (component, variable, above, "OverVoltage" if above else "UnderVoltage")
        for component in ("ElectricalFeed", "ChargingStation", "EVSE")
        for variable in ("ACVoltage", "DCVoltage")
        for above in (True, False)
    ),
    ("ElectricalFeed", "Problem", None, "OtherError"),
    ("ElectricalFeed", "ACVoltage", None, None),
    ("FiscalMetering", "Problem", None, "PowerMeterFailure"),
    ("ControlMetering", "Problem", None, "PowerMeterFailure"),
    ("PowerContactor", "Problem", None, "PowerSwitchFailure"),
    ("PowerContactor", "Tripped", None, "PowerSwitchFailure"),
    ("TokenReader", "Problem", None, "ReaderFailure"),
    ("DataLink", "Problem", None, "WeakSignal"),
    ("DataLink", "SignalStrength", None, "WeakSignal"),
    ("EVSE", "Power", None, None),
    ("Connector", "AvailabilityState", None, None),
    ("tokenreader", "PROBLEM", None, "ReaderFailure"),
    ("evse", "overload", None, "OverCurrentFailure"),
]


def test_no_code_is_missing() -> None:
    assert {row[0] for row in ROWS} == set(get_args(v16.ChargePointErrorCode)) - {"NoError"} == faults.FAULTS.keys()


@pytest.mark.parametrize(("code", "component", "tier", "variable"), ROWS)
def test_both_ways(code: v16.ChargePointErrorCode, component: str, tier: str, variable: str) -> None:
    assert faults.FAULTS[code] == (component, variable, tier)
    assert faults.error_code(component, variable, code) == code
    assert faults.error_code(component, variable) == ("OtherError" if code in TOLD_APART else code)


@pytest.mark.parametrize(("component", "variable", "above", "code"), BACK)
def test_events_that_mean_an_error(component: str, variable: str, above: bool | None, code: str | None) -> None:
    assert faults.error_code(component, variable, above=above) == code
    assert faults.error_code(component, variable, "ReaderFailure") == "ReaderFailure"
