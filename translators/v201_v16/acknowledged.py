"""What only 2.0.1 knows, answered by the gateway (spec 6.3, 6.6, 6.7, 6.11, 6.13, 6.14, 6.16)."""

from __future__ import annotations

from typing import Any

from ..dialogue import Dialogue, Row, Rule, Talk
from ..models import v201
from ..models.base import Request, Struct
from .peers import because
from .state import has
from .tunnel import ask_tunnelled, offer

_NO = because("UnsupportedRequest")


def _answer(response: Struct) -> Row:
    """The same answer to every message, unless the CSMS takes it through the gateway's own tunnel."""

    def answer(d: Dialogue, request: Request[Any]) -> Rule:
        for name in type(request).__struct_fields__:
            if getattr(request, name) is not None and name != "customData":
                d.lose(name)
        taken: Struct | None = yield from offer(d, request)
        return taken or response

    return Talk(answer)


def _plug_and_charge(response: Struct) -> Row:
    """A message of ISO 15118: through the Plug & Charge DataTransfer, or refused."""

    def answer(d: Dialogue, request: Request[Any]) -> Rule:
        if d.early:
            return None  # it was refused while the CSMS was away
        reply: Struct | None = (yield from ask_tunnelled(d, request)) if has(d, "pnc") else None
        return reply or response

    return Talk(answer)


FROM_CHARGER: dict[str, Row] = {
    "ClearedChargingLimit": _answer(v201.ClearedChargingLimitResponse()),
    "NotifyChargingLimit": _answer(v201.NotifyChargingLimitResponse()),
    "NotifyCustomerInformation": _answer(v201.NotifyCustomerInformationResponse()),
    "NotifyDisplayMessages": _answer(v201.NotifyDisplayMessagesResponse()),
    "NotifyMonitoringReport": _answer(v201.NotifyMonitoringReportResponse()),
    "ReportChargingProfiles": _answer(v201.ReportChargingProfilesResponse()),
    "PublishFirmwareStatusNotification": _answer(v201.PublishFirmwareStatusNotificationResponse()),
    "ReservationStatusUpdate": _answer(v201.ReservationStatusUpdateResponse()),
    "NotifyEVChargingNeeds": _answer(v201.NotifyEVChargingNeedsResponse(status="Rejected", statusInfo=_NO)),
    "NotifyEVChargingSchedule": _answer(v201.NotifyEVChargingScheduleResponse(status="Accepted")),
    "Get15118EVCertificate": _plug_and_charge(
        v201.Get15118EVCertificateResponse(status="Failed", exiResponse="", statusInfo=_NO)
    ),
    "GetCertificateStatus": _plug_and_charge(v201.GetCertificateStatusResponse(status="Failed", statusInfo=_NO)),
}
