"""Value mappings between OCPP 1.5 and 1.6, each written once (spec/ocpp15 section 2). `up` is towards 1.6."""

from __future__ import annotations

from typing import Final

from .models import v15, v16
from .values import TwoWay

OCCUPIED: Final = "Occupied"
"""Several statuses of 1.6; which one depends on the transaction of the connector."""

STATUS: Final[TwoWay[v15.ChargePointStatus, v16.ChargePointStatus]] = TwoWay(
    {"Available": "Available", "Faulted": "Faulted", "Unavailable": "Unavailable", "Reserved": "Reserved"},
    down_only={
        "Preparing": "Occupied",
        "Charging": "Occupied",
        "SuspendedEV": "Occupied",
        "SuspendedEVSE": "Occupied",
        "Finishing": "Occupied",
    },
)
"""Occupied has no value here (KeyError)."""

ERROR_CODE: Final[TwoWay[v15.ChargePointErrorCode, v16.ChargePointErrorCode]] = TwoWay(
    {
        "ConnectorLockFailure": "ConnectorLockFailure",
        "GroundFailure": "GroundFailure",
        "HighTemperature": "HighTemperature",
        "Mode3Error": "EVCommunicationError",
        "NoError": "NoError",
        "OtherError": "OtherError",
        "OverCurrentFailure": "OverCurrentFailure",
        "PowerMeterFailure": "PowerMeterFailure",
        "PowerSwitchFailure": "PowerSwitchFailure",
        "ReaderFailure": "ReaderFailure",
        "ResetFailure": "ResetFailure",
        "UnderVoltage": "UnderVoltage",
        "WeakSignal": "WeakSignal",
    },
    down_only={"InternalError": "OtherError", "LocalListConflict": "OtherError", "OverVoltage": "OtherError"},
)
"""What folds downwards keeps its name in vendorErrorCode if that is empty."""

REGISTRATION: Final[TwoWay[v15.RegistrationStatus, v16.RegistrationStatus]] = TwoWay(
    {"Accepted": "Accepted", "Rejected": "Rejected"}, down_only={"Pending": "Rejected"}
)

UNLOCK: Final[TwoWay[v15.GenericStatus, v16.UnlockStatus]] = TwoWay(
    {"Accepted": "Unlocked", "Rejected": "UnlockFailed"}, down_only={"NotSupported": "Rejected"}
)

UPDATE: Final[TwoWay[v15.UpdateStatus, v16.UpdateStatus]] = TwoWay(
    {
        "Accepted": "Accepted",
        "Failed": "Failed",
        "NotSupported": "NotSupported",
        "VersionMismatch": "VersionMismatch",
    },
    up_only={"HashError": "Failed"},
)

CONFIGURATION: Final[TwoWay[v15.ConfigurationStatus, v16.ConfigurationStatus]] = TwoWay(
    {"Accepted": "Accepted", "Rejected": "Rejected", "NotSupported": "NotSupported"},
    down_only={"RebootRequired": "Accepted"},
)

UNIT: Final[TwoWay[str, str]] = TwoWay({"Amp": "A", "Volt": "V"})
"""The units that are spelled differently; the others pass (use up_or and down_or)."""

HEARTBEAT_16: Final = "HeartbeatInterval"
HEARTBEAT_15: Final = "HeartBeatInterval"
"""The one configuration key that is spelled differently (spec 2.1)."""
