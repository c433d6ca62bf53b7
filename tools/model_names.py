"""What the schemas of the OCPP versions do not say: who sends which action, and the names of inner types."""

from __future__ import annotations

from dataclasses import dataclass, field


def _actions(words: str) -> frozenset[str]:
    return frozenset(words.split())


@dataclass(frozen=True)
class Version:
    """What is to know about one OCPP version beyond its schemas."""

    module: str
    title: str
    request: str
    """How the name of a request's file ends, after the action."""
    from_charger: frozenset[str]
    """The actions of which a charger sends the CALL; every other action is sent by the CSMS."""
    from_both: frozenset[str] = frozenset({"DataTransfer"})
    merge: bool = False
    """Whether inner types of equal shape are one type. Otherwise they are one if the schemas give them one name."""
    file: str = ""
    """The file next to the models that holds all schemas of the version; empty: the `ocpp` package has them."""
    names: dict[str, str] = field(default_factory=dict)
    """Names of inner types: by the schema's name, or by the path of one place (`Action.member[].member`)."""


V16 = Version(
    module="v16",
    title="OCPP 1.6 with the security extension",
    request="",
    from_charger=_actions(
        "Authorize BootNotification DiagnosticsStatusNotification FirmwareStatusNotification Heartbeat MeterValues "
        "StartTransaction StatusNotification StopTransaction LogStatusNotification SecurityEventNotification "
        "SignCertificate SignedFirmwareStatusNotification"
    ),
    merge=True,
    names={
        # security extension: the names of the schemas, where they clash with the core or read badly
        "FirmwareStatusEnumType": "SignedFirmwareStatus",
        "LogEnumType": "LogType",
        "MessageTriggerEnumType": "ExtendedMessageTrigger",
        # enumerations of the core
        "AuthorizeResponse.idTagInfo.status": "AuthorizationStatus",
        "BootNotificationResponse.status": "RegistrationStatus",
        "ChangeAvailability.type": "AvailabilityType",
        "ChangeAvailabilityResponse.status": "AvailabilityStatus",
        "ChangeConfigurationResponse.status": "ConfigurationStatus",
        "ClearChargingProfile.chargingProfilePurpose": "ChargingProfilePurpose",
        "ClearChargingProfileResponse.status": "ClearChargingProfileStatus",
        "DataTransferResponse.status": "DataTransferStatus",
        "DiagnosticsStatusNotification.status": "DiagnosticsStatus",
        "FirmwareStatusNotification.status": "FirmwareStatus",
        "GetCompositeSchedule.chargingRateUnit": "ChargingRateUnit",
        "MeterValues.meterValue[].sampledValue[].context": "ReadingContext",
        "MeterValues.meterValue[].sampledValue[].format": "ValueFormat",
        "MeterValues.meterValue[].sampledValue[].location": "Location",
        "MeterValues.meterValue[].sampledValue[].measurand": "Measurand",
        "MeterValues.meterValue[].sampledValue[].phase": "Phase",
        "MeterValues.meterValue[].sampledValue[].unit": "UnitOfMeasure",
        "RemoteStartTransaction.chargingProfile.chargingProfileKind": "ChargingProfileKind",
        "RemoteStartTransaction.chargingProfile.recurrencyKind": "RecurrencyKind",
        "ReserveNowResponse.status": "ReservationStatus",
        "Reset.type": "ResetType",
        "SendLocalList.updateType": "UpdateType",
        "SendLocalListResponse.status": "UpdateStatus",
        "SetChargingProfileResponse.status": "ChargingProfileStatus",
        "StatusNotification.errorCode": "ChargePointErrorCode",
        "StatusNotification.status": "ChargePointStatus",
        "StopTransaction.reason": "Reason",
        "StopTransaction.transactionData[].sampledValue[].unit": "TransactionUnitOfMeasure",
        "TriggerMessage.requestedMessage": "MessageTrigger",
        "UnlockConnectorResponse.status": "UnlockStatus",
        # the same values under several names of the security extension
        "CertificateSignedStatusEnumType": "GenericStatus",
        # objects of the core
        "AuthorizeResponse.idTagInfo": "IdTagInfo",
        "GetCompositeScheduleResponse.chargingSchedule": "ChargingSchedule",
        "GetCompositeScheduleResponse.chargingSchedule.chargingSchedulePeriod[]": "ChargingSchedulePeriod",
        "GetConfigurationResponse.configurationKey[]": "KeyValue",
        "MeterValues.meterValue[]": "MeterValue",
        "MeterValues.meterValue[].sampledValue[]": "SampledValue",
        "RemoteStartTransaction.chargingProfile": "ChargingProfile",
        "SendLocalList.localAuthorizationList[]": "AuthorizationData",
        # the transaction data of a StopTransaction differ from MeterValues in their units
        "StopTransaction.transactionData[]": "TransactionData",
        "StopTransaction.transactionData[].sampledValue[]": "TransactionSampledValue",
    },
)

V201 = Version(
    module="v201",
    title="OCPP 2.0.1",
    request="Request",
    from_charger=_actions(
        "Authorize BootNotification ClearedChargingLimit FirmwareStatusNotification Get15118EVCertificate "
        "GetCertificateStatus Heartbeat LogStatusNotification MeterValues NotifyChargingLimit "
        "NotifyCustomerInformation NotifyDisplayMessages NotifyEVChargingNeeds NotifyEVChargingSchedule NotifyEvent "
        "NotifyMonitoringReport NotifyReport PublishFirmwareStatusNotification ReportChargingProfiles "
        "ReservationStatusUpdate SecurityEventNotification SignCertificate StatusNotification "
        "TransactionEvent"
    ),
    names={
        # without its suffix the name would be that of an object or an action, or say too little
        "AttributeEnumType": "AttributeType",
        "ConnectorEnumType": "ConnectorType",
        "DataEnumType": "DataType",
        "EventNotificationEnumType": "EventNotificationType",
        "IdTokenEnumType": "IdTokenKind",
        "LogEnumType": "LogType",
        "MonitorEnumType": "MonitorType",
        "ResetEnumType": "ResetType",
        "TransactionEventEnumType": "TransactionEventType",
        "UpdateEnumType": "UpdateType",
        "VPNEnumType": "VPNProtocol",
    },
)

V15 = Version(
    module="v15",
    title="OCPP 1.5 over JSON, meter values in dialect A",
    request="",
    from_charger=_actions(
        "Authorize BootNotification DiagnosticsStatusNotification FirmwareStatusNotification Heartbeat MeterValues "
        "StartTransaction StatusNotification StopTransaction"
    ),
    file="schemas15.json",
    names={"AvailabilityType": "AvailabilityType", "ResetType": "ResetType", "UpdateType": "UpdateType"},
)

VERSIONS = (V15, V16, V201)
