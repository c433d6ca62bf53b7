"""Every row of the small enumerations, both ways."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from translators import enums
from translators.models import v16, v201

BOTH = [
    (enums.RESET, "Hard", "Immediate"),
    (enums.RESET, "Soft", "OnIdle"),
    (enums.RESET_STATUS, "Accepted", "Accepted"),
    (enums.RESET_STATUS, "Rejected", "Rejected"),
    (enums.UNLOCK, "Unlocked", "Unlocked"),
    (enums.UNLOCK, "UnlockFailed", "UnlockFailed"),
    (enums.SEND_LOCAL_LIST, "Accepted", "Accepted"),
    (enums.SEND_LOCAL_LIST, "Failed", "Failed"),
    (enums.SEND_LOCAL_LIST, "VersionMismatch", "VersionMismatch"),
    (enums.CHARGING_PROFILE, "Accepted", "Accepted"),
    (enums.CHARGING_PROFILE, "Rejected", "Rejected"),
    (enums.PROFILE_PURPOSE, "ChargePointMaxProfile", "ChargingStationMaxProfile"),
    (enums.PROFILE_PURPOSE, "TxDefaultProfile", "TxDefaultProfile"),
    (enums.PROFILE_PURPOSE, "TxProfile", "TxProfile"),
    (enums.CONFIGURATION, "Accepted", "Accepted"),
    (enums.CONFIGURATION, "Rejected", "Rejected"),
    (enums.CONFIGURATION, "RebootRequired", "RebootRequired"),
    (enums.CONFIGURATION, "NotSupported", "UnknownVariable"),
    (enums.RATE_UNIT_KEY, "Current", "A"),
    (enums.RATE_UNIT_KEY, "Power", "W"),
    (enums.TRIGGER, "DiagnosticsStatusNotification", "LogStatusNotification"),
    *(
        (table, name, name)
        for table in (enums.TRIGGER, enums.EXTENDED_TRIGGER)
        for name in ("BootNotification", "Heartbeat", "MeterValues", "StatusNotification", "FirmwareStatusNotification")
    ),
    (enums.EXTENDED_TRIGGER, "SignChargePointCertificate", "SignChargingStationCertificate"),
    (enums.EXTENDED_TRIGGER, "LogStatusNotification", "LogStatusNotification"),
    *(
        (enums.FIRMWARE_STATUS, status, status)
        for status in (
            *("Downloading", "Downloaded", "DownloadFailed"),
            *("Installing", "Installed", "InstallationFailed", "Idle"),
        )
    ),
    (enums.LOG_STATUS, "Idle", "Idle"),
    (enums.LOG_STATUS, "Uploading", "Uploading"),
    (enums.LOG_STATUS, "UploadFailed", "UploadFailure"),
    (enums.LOG_STATUS, "Uploaded", "Uploaded"),
    (enums.CERTIFICATE_USE, "CentralSystemRootCertificate", "CSMSRootCertificate"),
    (enums.CERTIFICATE_USE, "ManufacturerRootCertificate", "ManufacturerRootCertificate"),
]
UP = [
    (enums.UNLOCK, "NotSupported", "UnlockFailed"),
    (enums.SEND_LOCAL_LIST, "NotSupported", "Failed"),
    (enums.CHARGING_PROFILE, "NotSupported", "Rejected"),
]
DOWN = [
    (enums.RESET_STATUS, "Scheduled", "Accepted"),
    (enums.UNLOCK, "UnknownConnector", "NotSupported"),
    (enums.UNLOCK, "OngoingAuthorizedTransaction", "UnlockFailed"),
    (enums.CONFIGURATION, "UnknownComponent", "NotSupported"),
    (enums.CONFIGURATION, "NotSupportedAttributeType", "NotSupported"),
    (enums.TRIGGER, "TransactionEvent", "MeterValues"),
    (enums.FIRMWARE_STATUS, "InstallRebooting", "Installing"),
    (enums.FIRMWARE_STATUS, "InstallVerificationFailed", "InstallationFailed"),
    (enums.FIRMWARE_STATUS, "InvalidSignature", "InstallationFailed"),
    (enums.LOG_STATUS, "BadMessage", "UploadFailed"),
    (enums.LOG_STATUS, "NotSupportedOperation", "UploadFailed"),
    (enums.LOG_STATUS, "PermissionDenied", "UploadFailed"),
]
NONE_DOWN = [
    (enums.PROFILE_PURPOSE, "ChargingStationExternalConstraints"),
    (enums.LOG_STATUS, "AcceptedCanceled"),
    *(
        (enums.FIRMWARE_STATUS, f)
        for f in ("DownloadScheduled", "DownloadPaused", "SignatureVerified", "InstallScheduled")
    ),
    *((enums.CERTIFICATE_USE, use) for use in ("V2GRootCertificate", "MORootCertificate", "V2GCertificateChain")),
    *(
        (table, name)
        for table in (enums.TRIGGER, enums.EXTENDED_TRIGGER)
        for name in ("SignV2GCertificate", "SignCombinedCertificate", "PublishFirmwareStatusNotification")
    ),
]


@pytest.mark.parametrize(("table", "old", "new"), BOTH)
def test_both_ways(table: Any, old: str, new: str) -> None:
    assert table.up(old) == new
    assert table.down(new) == old


@pytest.mark.parametrize(("table", "old", "new"), UP)
def test_folded_up(table: Any, old: str, new: str) -> None:
    assert table.up(old) == new


@pytest.mark.parametrize(("table", "new", "old"), DOWN)
def test_folded_down(table: Any, new: str, old: str) -> None:
    assert table.down(new) == old


@pytest.mark.parametrize(("table", "new"), NONE_DOWN)
def test_without_a_counterpart(table: Any, new: str) -> None:
    with pytest.raises(KeyError):
        table.down(new)


@pytest.mark.parametrize(
    ("table", "old"),
    [
        (enums.FIRMWARE_STATUS, v16.FirmwareStatus),
        (enums.LOG_STATUS, v16.DiagnosticsStatus),
        (enums.UNLOCK, v16.UnlockStatus),
        (enums.CONFIGURATION, v16.ConfigurationStatus),
        (enums.TRIGGER, v16.MessageTrigger),
        (enums.EXTENDED_TRIGGER, v16.ExtendedMessageTrigger),
        (enums.PROFILE_PURPOSE, v16.ChargingProfilePurpose),
        (enums.SEND_LOCAL_LIST, v16.UpdateStatus),
    ],
)
def test_every_value_of_16_has_one_of_201(table: Any, old: Any) -> None:
    assert all(table.up(value) for value in get_args(old))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (v16.AvailabilityType, v201.OperationalStatus),
        (v16.AvailabilityStatus, v201.ChangeAvailabilityStatus),
        (v16.RegistrationStatus, v201.RegistrationStatus),
        (v16.DataTransferStatus, v201.DataTransferStatus),
        (v16.TriggerMessageStatus, v201.TriggerMessageStatus),
        (v16.ReservationStatus, v201.ReserveNowStatus),
        (v16.ClearChargingProfileStatus, v201.ClearChargingProfileStatus),
        (v16.ChargingRateUnit, v201.ChargingRateUnit),
        (v16.UpdateType, v201.UpdateType),
        (v16.LogType, v201.LogType),
        (v16.LogStatus, v201.LogStatus),
        (v16.UpdateFirmwareStatus, v201.UpdateFirmwareStatus),
        (v16.HashAlgorithm, v201.HashAlgorithm),
        (v16.DeleteCertificateStatus, v201.DeleteCertificateStatus),
        (v16.InstallCertificateStatus, v201.InstallCertificateStatus),
    ],
)
def test_what_has_no_table_is_the_same_in_both(old: Any, new: Any) -> None:
    assert set(get_args(old)) == set(get_args(new))


def test_worst() -> None:
    order = ("Rejected", "Scheduled", "Accepted")
    assert enums.worst(["Accepted", "Scheduled"], order) == "Scheduled"
    assert enums.worst(["Accepted", "Nonsense"], order) == "Nonsense"
