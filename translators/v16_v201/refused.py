"""What a 1.6 charger cannot do, answered by the gateway (spec 5.6, 5.15, 5.27, 5.34, 5.35, 9.2).

A refusal uses the message's own negative status: some CSMSs take a CALLERROR for a broken station.
"""

from __future__ import annotations

from typing import Any

from ..dialogue import Dialogue, Local, Row
from ..models import v201
from ..models.base import Request
from .charger import because


def _answer(response: Any) -> Row:
    """The same answer to every request."""

    def answer(d: Dialogue, request: Request[Any]) -> Any:
        return response

    return Local(answer)


_NO = because("UnsupportedRequest")

FROM_CSMS: dict[str, Row] = {
    "ClearDisplayMessage": _answer(v201.ClearDisplayMessageResponse(status="Unknown")),
    "GetDisplayMessages": _answer(v201.GetDisplayMessagesResponse(status="Unknown")),
    "SetDisplayMessage": _answer(v201.SetDisplayMessageResponse(status="Rejected", statusInfo=_NO)),
    "PublishFirmware": _answer(v201.PublishFirmwareResponse(status="Rejected", statusInfo=_NO)),
    "UnpublishFirmware": _answer(v201.UnpublishFirmwareResponse(status="NoFirmware")),
    # Applying a network profile would move the charger off the gateway.
    "SetNetworkProfile": _answer(v201.SetNetworkProfileResponse(status="Rejected", statusInfo=_NO)),
}


def _later_monitoring(d: Dialogue, request: v201.SetVariableMonitoringRequest) -> v201.SetVariableMonitoringResponse:
    return v201.SetVariableMonitoringResponse(
        setMonitoringResult=[
            v201.SetMonitoringResult(
                status="UnsupportedMonitorType",
                type=item.type,
                severity=item.severity,
                component=item.component,
                variable=item.variable,
            )
            for item in request.setMonitoringData
        ]
    )


def _later_clear(d: Dialogue, request: v201.ClearVariableMonitoringRequest) -> v201.ClearVariableMonitoringResponse:
    return v201.ClearVariableMonitoringResponse(
        clearMonitoringResult=[v201.ClearMonitoringResult(status="NotFound", id=id) for id in request.id]
    )


LATER: dict[str, Row] = {
    "CancelReservation": _answer(v201.CancelReservationResponse(status="Rejected", statusInfo=_NO)),
    "CertificateSigned": _answer(v201.CertificateSignedResponse(status="Rejected", statusInfo=_NO)),
    "ClearChargingProfile": _answer(v201.ClearChargingProfileResponse(status="Unknown", statusInfo=_NO)),
    "ClearVariableMonitoring": Local(_later_clear),
    "CustomerInformation": _answer(v201.CustomerInformationResponse(status="Rejected", statusInfo=_NO)),
    "DeleteCertificate": _answer(v201.DeleteCertificateResponse(status="Failed", statusInfo=_NO)),
    "GetBaseReport": _answer(v201.GetBaseReportResponse(status="NotSupported", statusInfo=_NO)),
    "GetChargingProfiles": _answer(v201.GetChargingProfilesResponse(status="NoProfiles", statusInfo=_NO)),
    "GetCompositeSchedule": _answer(v201.GetCompositeScheduleResponse(status="Rejected", statusInfo=_NO)),
    "GetInstalledCertificateIds": _answer(v201.GetInstalledCertificateIdsResponse(status="NotFound", statusInfo=_NO)),
    "GetLocalListVersion": _answer(v201.GetLocalListVersionResponse(versionNumber=0)),
    "GetLog": _answer(v201.GetLogResponse(status="Rejected", statusInfo=_NO)),
    "GetMonitoringReport": _answer(v201.GetMonitoringReportResponse(status="NotSupported", statusInfo=_NO)),
    "GetReport": _answer(v201.GetReportResponse(status="NotSupported", statusInfo=_NO)),
    "InstallCertificate": _answer(v201.InstallCertificateResponse(status="Rejected", statusInfo=_NO)),
    "ReserveNow": _answer(v201.ReserveNowResponse(status="Rejected", statusInfo=_NO)),
    "SendLocalList": _answer(v201.SendLocalListResponse(status="Failed", statusInfo=_NO)),
    "SetChargingProfile": _answer(v201.SetChargingProfileResponse(status="Rejected", statusInfo=_NO)),
    "SetMonitoringBase": _answer(v201.SetMonitoringBaseResponse(status="NotSupported", statusInfo=_NO)),
    "SetMonitoringLevel": _answer(v201.SetMonitoringLevelResponse(status="Rejected", statusInfo=_NO)),
    "SetVariableMonitoring": Local(_later_monitoring),
    "UpdateFirmware": _answer(v201.UpdateFirmwareResponse(status="Rejected", statusInfo=_NO)),
}
"""What has a translation that is not written yet."""
