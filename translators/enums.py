"""The small enumerations that OCPP 1.6 and 2.0.1 spell or divide differently, each written once (spec 2.10, 2.11).

An enumeration that both versions share value by value has no table: its values pass as they are. `up` is towards 2.0.1.
"""

from __future__ import annotations

from typing import Final, Literal, TypeVar

from .models import v16, v201
from .values import TwoWay

RESET: Final[TwoWay[v16.ResetType, v201.ResetType]] = TwoWay({"Hard": "Immediate", "Soft": "OnIdle"})
"""By convention, see spec 13.3; the options `immediate_reset_as` and `soft_reset_as` override it."""

RESET_STATUS: Final[TwoWay[v16.GenericStatus, v201.ResetStatus]] = TwoWay(
    {"Accepted": "Accepted", "Rejected": "Rejected"}, down_only={"Scheduled": "Accepted"}
)

UNLOCK: Final[TwoWay[v16.UnlockStatus, v201.UnlockStatus]] = TwoWay(
    {"Unlocked": "Unlocked", "UnlockFailed": "UnlockFailed"},
    up_only={"NotSupported": "UnlockFailed"},
    down_only={"UnknownConnector": "NotSupported", "OngoingAuthorizedTransaction": "UnlockFailed"},
)
"""NotSupported goes up with the reason UnsupportedRequest."""

SEND_LOCAL_LIST: Final[TwoWay[v16.UpdateStatus, v201.SendLocalListStatus]] = TwoWay(
    {"Accepted": "Accepted", "Failed": "Failed", "VersionMismatch": "VersionMismatch"},
    up_only={"NotSupported": "Failed"},
)
"""NotSupported goes up with the reason UnsupportedRequest."""

CHARGING_PROFILE: Final[TwoWay[v16.ChargingProfileStatus, Literal["Accepted", "Rejected"]]] = TwoWay(
    {"Accepted": "Accepted", "Rejected": "Rejected"}, up_only={"NotSupported": "Rejected"}
)
"""NotSupported goes up with the reason UnsupportedRequest."""

PROFILE_PURPOSE: Final[TwoWay[v16.ChargingProfilePurpose, v201.ChargingProfilePurpose]] = TwoWay(
    {
        "ChargePointMaxProfile": "ChargingStationMaxProfile",
        "TxDefaultProfile": "TxDefaultProfile",
        "TxProfile": "TxProfile",
    }
)
"""ChargingStationExternalConstraints has no 1.6 value (KeyError)."""

CONFIGURATION: Final[TwoWay[v16.ConfigurationStatus, v201.SetVariableStatus]] = TwoWay(
    {
        "Accepted": "Accepted",
        "Rejected": "Rejected",
        "RebootRequired": "RebootRequired",
        "NotSupported": "UnknownVariable",
    },
    down_only={"UnknownComponent": "NotSupported", "NotSupportedAttributeType": "NotSupported"},
)

RATE_UNIT_KEY: Final[TwoWay[str, str]] = TwoWay({"Current": "A", "Power": "W"})
"""Items of ChargingScheduleAllowedChargingRateUnit; anything else passes unchanged (use up_or and down_or)."""

TRIGGER: Final[TwoWay[v16.MessageTrigger, v201.MessageTrigger]] = TwoWay(
    {
        "BootNotification": "BootNotification",
        "Heartbeat": "Heartbeat",
        "MeterValues": "MeterValues",
        "StatusNotification": "StatusNotification",
        "FirmwareStatusNotification": "FirmwareStatusNotification",
        "DiagnosticsStatusNotification": "LogStatusNotification",
    },
    down_only={"TransactionEvent": "MeterValues"},
)
"""TriggerMessage of 1.6. What is missing needs EXTENDED_TRIGGER, the PnC tunnel, or has no counterpart."""

EXTENDED_TRIGGER: Final[TwoWay[v16.ExtendedMessageTrigger, v201.MessageTrigger]] = TwoWay(
    {
        "BootNotification": "BootNotification",
        "LogStatusNotification": "LogStatusNotification",
        "FirmwareStatusNotification": "FirmwareStatusNotification",
        "Heartbeat": "Heartbeat",
        "MeterValues": "MeterValues",
        "SignChargePointCertificate": "SignChargingStationCertificate",
        "StatusNotification": "StatusNotification",
    }
)
"""ExtendedTriggerMessage of the 1.6 security extension."""

FIRMWARE_STATUS: Final[TwoWay[v16.FirmwareStatus, v201.FirmwareStatus]] = TwoWay(
    {
        "Downloading": "Downloading",
        "Downloaded": "Downloaded",
        "DownloadFailed": "DownloadFailed",
        "Installing": "Installing",
        "Installed": "Installed",
        "InstallationFailed": "InstallationFailed",
        "Idle": "Idle",
    },
    down_only={
        "InstallRebooting": "Installing",
        "InstallVerificationFailed": "InstallationFailed",
        "InvalidSignature": "InstallationFailed",
    },
)
"""Of a plain 1.6 update. Without a counterpart (KeyError, swallowed): DownloadScheduled, DownloadPaused,
SignatureVerified, InstallScheduled. The security extension has every value of 2.0.1."""

LOG_STATUS: Final[TwoWay[v16.DiagnosticsStatus, v201.UploadLogStatus]] = TwoWay(
    {"Idle": "Idle", "Uploading": "Uploading", "Uploaded": "Uploaded", "UploadFailed": "UploadFailure"},
    down_only={
        "BadMessage": "UploadFailed",
        "NotSupportedOperation": "UploadFailed",
        "PermissionDenied": "UploadFailed",
    },
)
"""Of a diagnostics upload. AcceptedCanceled has no counterpart (KeyError, swallowed)."""

CERTIFICATE_USE: Final[TwoWay[v16.CertificateUse, v201.GetCertificateIdUse]] = TwoWay(
    {
        "CentralSystemRootCertificate": "CSMSRootCertificate",
        "ManufacturerRootCertificate": "ManufacturerRootCertificate",
    }
)
"""V2G and MO certificates exist in 1.6 only behind the PnC DataTransfer (KeyError)."""

PNC_VENDOR: Final = "org.openchargealliance.iso15118pnc"
"""vendorId of the OCA's Plug & Charge messages over DataTransfer."""

COST_VENDOR: Final = "org.openchargealliance.costmsg"
"""vendorId of the OCA's cost and price messages over DataTransfer."""

Status = TypeVar("Status", bound=str)


def worst(statuses: list[Status], order: tuple[Status, ...]) -> Status:
    """Of the answers to a fanned-out command the one that comes first in `order`, worst first."""
    return min(statuses, key=lambda status: order.index(status) if status in order else -1)
