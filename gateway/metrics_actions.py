"""OCPP actions of every version by group: the closed value sets of the labels `action` and `action_group`."""

from __future__ import annotations

_GROUPS = {
    "boot": "BootNotification",
    "heartbeat": "Heartbeat",
    "authorize": "Authorize",
    "transaction": """StartTransaction StopTransaction TransactionEvent GetTransactionStatus CostUpdated
        NotifySettlement NotifyWebPaymentStarted VatNumberValidation""",
    "meter": "MeterValues NotifyPeriodicEventStream",
    "status": """StatusNotification NotifyEvent NotifyReport NotifyMonitoringReport LogStatusNotification
        DiagnosticsStatusNotification ReservationStatusUpdate NotifyDisplayMessages NotifyCustomerInformation
        BatterySwap""",
    "command": """RemoteStartTransaction RemoteStopTransaction RequestStartTransaction RequestStopTransaction Reset
        UnlockConnector ChangeAvailability TriggerMessage ExtendedTriggerMessage ReserveNow CancelReservation
        ClearCache SendLocalList GetLocalListVersion GetDiagnostics GetLog CustomerInformation SetDisplayMessage
        GetDisplayMessages ClearDisplayMessage RequestBatterySwap""",
    "config": """ChangeConfiguration GetConfiguration GetVariables SetVariables GetReport GetBaseReport
        SetMonitoringBase SetMonitoringLevel SetVariableMonitoring ClearVariableMonitoring GetMonitoringReport
        SetNetworkProfile OpenPeriodicEventStream ClosePeriodicEventStream AdjustPeriodicEventStream
        GetPeriodicEventStream SetDefaultTariff ChangeTransactionTariff ClearTariffs GetTariffs""",
    "firmware": """UpdateFirmware SignedUpdateFirmware FirmwareStatusNotification SignedFirmwareStatusNotification
        PublishFirmware UnpublishFirmware PublishFirmwareStatusNotification""",
    "smart_charging": """SetChargingProfile ClearChargingProfile GetChargingProfiles GetCompositeSchedule
        ReportChargingProfiles NotifyChargingLimit ClearedChargingLimit NotifyEVChargingNeeds
        NotifyEVChargingSchedule NotifyAllowedEnergyTransfer NotifyPriorityCharging UsePriorityCharging
        PullDynamicScheduleUpdate UpdateDynamicSchedule AFRRSignal SetDERControl GetDERControl ClearDERControl
        ReportDERControl NotifyDERAlarm NotifyDERStartStop""",
    "security": """SecurityEventNotification SignCertificate CertificateSigned InstallCertificate DeleteCertificate
        GetInstalledCertificateIds GetCertificateStatus GetCertificateChainStatus Get15118EVCertificate""",
    "other": "DataTransfer",
}

ACTION_GROUP: dict[str, str] = {action: group for group, names in _GROUPS.items() for action in names.split()}
"""action -> action_group."""

ACTIONS = tuple(sorted(ACTION_GROUP))
ACTION_GROUPS = tuple(_GROUPS)


def action_group(action: str) -> str:
    """The group of an action; `other` for one that no OCPP version knows."""
    return ACTION_GROUP.get(action, "other")
