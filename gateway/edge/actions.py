"""Which actions a charger and a CSMS send per version, and the delivery class of the charger's (reliability 5.2)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:  # the configuration is checked against these tables without loading a store client
    from gateway.journal.entry import Class


def _names(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


def _classes(billing: str, must_arrive: str, live: str, perishable: str = "Heartbeat") -> dict[str, Class]:
    found: dict[str, Class] = {}
    found.update(dict.fromkeys(billing.split(), "K0"))
    found.update(dict.fromkeys(must_arrive.split(), "K1"))
    found.update(dict.fromkeys(perishable.split(), "K2"))
    found.update(dict.fromkeys(live.split(), "K3"))
    return found


_V15 = _classes(
    "StartTransaction StopTransaction MeterValues",
    "BootNotification StatusNotification FirmwareStatusNotification DiagnosticsStatusNotification DataTransfer",
    "Authorize",
)
_V16 = _V15 | _classes(
    "",
    "LogStatusNotification SecurityEventNotification SignCertificate SignedFirmwareStatusNotification",
    "",
)
_V201 = _classes(
    "TransactionEvent MeterValues",
    "BootNotification StatusNotification FirmwareStatusNotification PublishFirmwareStatusNotification"
    " LogStatusNotification SecurityEventNotification SignCertificate DataTransfer ClearedChargingLimit"
    " NotifyChargingLimit NotifyCustomerInformation NotifyDisplayMessages NotifyEVChargingSchedule NotifyEvent"
    " NotifyMonitoringReport NotifyReport ReportChargingProfiles ReservationStatusUpdate",
    "Authorize Get15118EVCertificate GetCertificateStatus NotifyEVChargingNeeds",
)
_V21 = _V201 | _classes(
    "",
    "BatterySwap ClosePeriodicEventStream NotifyDERAlarm NotifyDERStartStop NotifyPriorityCharging NotifySettlement"
    " NotifyWebPaymentStarted OpenPeriodicEventStream ReportDERControl",
    "GetCertificateChainStatus PullDynamicScheduleUpdate VatNumberValidation",
)

FROM_CHARGER: dict[str, dict[str, Class]] = {"ocpp1.5": _V15, "ocpp1.6": _V16, "ocpp2.0.1": _V201, "ocpp2.1": _V21}
"""Version -> action a charger sends -> its class."""

_C15 = _names(
    "CancelReservation ChangeAvailability ChangeConfiguration ClearCache DataTransfer GetConfiguration GetDiagnostics",
    "GetLocalListVersion RemoteStartTransaction RemoteStopTransaction ReserveNow Reset SendLocalList UnlockConnector",
    "UpdateFirmware",
)
_C16 = _C15 | _names(
    "ClearChargingProfile GetCompositeSchedule SetChargingProfile TriggerMessage CertificateSigned DeleteCertificate",
    "ExtendedTriggerMessage GetInstalledCertificateIds GetLog InstallCertificate SignedUpdateFirmware",
)
_C201 = _names(
    "CancelReservation CertificateSigned ChangeAvailability ClearCache ClearChargingProfile ClearDisplayMessage",
    "ClearVariableMonitoring CostUpdated CustomerInformation DataTransfer DeleteCertificate GetBaseReport",
    "GetChargingProfiles GetCompositeSchedule GetDisplayMessages GetInstalledCertificateIds GetLocalListVersion GetLog",
    "GetMonitoringReport GetReport GetTransactionStatus GetVariables InstallCertificate PublishFirmware",
    "RequestStartTransaction RequestStopTransaction ReserveNow Reset SendLocalList SetChargingProfile",
    "SetDisplayMessage SetMonitoringBase SetMonitoringLevel SetNetworkProfile SetVariableMonitoring SetVariables",
    "TriggerMessage UnlockConnector UnpublishFirmware UpdateFirmware",
)
_C21 = _C201 | _names(
    "AFRRSignal AdjustPeriodicEventStream ChangeTransactionTariff ClearDERControl ClearTariffs GetDERControl",
    "GetPeriodicEventStream GetTariffs NotifyAllowedEnergyTransfer RequestBatterySwap SetDERControl SetDefaultTariff",
    "UpdateDynamicSchedule UsePriorityCharging",
)

FROM_CSMS: dict[str, frozenset[str]] = {"ocpp1.5": _C15, "ocpp1.6": _C16, "ocpp2.0.1": _C201, "ocpp2.1": _C21}
"""Version -> actions a CSMS sends."""

SIGNED = "-Signed"
"""Suffix of a 2.x action whose payload is a signed message (part 4 chapter 7)."""

_CANONICAL = {version: {action.casefold(): action for action in actions} for version, actions in FROM_CHARGER.items()}


def canonical(version: str, action: str) -> str:
    """The action that a wrong spelling means (`bootnotification`, `Heartbeat.req`, `HeartbeatRequest`), or ""."""
    name = action.casefold()
    for suffix in ("request", ".req", "."):
        name = name.removesuffix(suffix)
    return _CANONICAL[version].get(name, "")


_BILLS: Final = re.compile(
    rb'^\s*\[\s*2\s*,.{0,200}?"(StartTransaction|StopTransaction|MeterValues|TransactionEvent)"', re.S
)


def bills(data: bytes) -> bool:
    """Whether a frame that is no proper one seems to be a CALL about money."""
    return _BILLS.match(data) is not None
