"""While the CSMS is away: local answers (spec 8.3)."""

from __future__ import annotations

from typing import Any, Final

from ..dialogue import Dialogue
from ..models import v201
from ..models.base import Struct
from ..neutral import NEUTRAL_201
from ..values import format_time
from .authorization import verdict_while_away
from .peers import because
from .state import facts_of
from .transactions import event_while_away

UNKNOWN_INTERVAL: Final = 60
"""Seconds until a station that no CSMS has ever accepted may ask again."""

NEUTRAL: Final[dict[str, Struct]] = {action: v201.ACTIONS[action].response() for action in NEUTRAL_201}
"""Acknowledged without a decision."""

_NO = because("UnsupportedRequest")
_REFUSED: Final[dict[str, Struct]] = {
    "DataTransfer": v201.DataTransferResponse(status="Rejected"),
    "Get15118EVCertificate": v201.Get15118EVCertificateResponse(status="Failed", exiResponse="", statusInfo=_NO),
    "GetCertificateStatus": v201.GetCertificateStatusResponse(status="Failed", statusInfo=_NO),
    "NotifyEVChargingNeeds": v201.NotifyEVChargingNeedsResponse(status="Rejected", statusInfo=_NO),
    "NotifyEVChargingSchedule": v201.NotifyEVChargingScheduleResponse(status="Accepted"),
    "SignCertificate": v201.SignCertificateResponse(status="Rejected"),
}


def away(d: Dialogue, request: Any) -> Struct | None:
    """The local answer to a charger; what it acknowledges is told to the CSMS later."""
    match request:
        case v201.BootNotificationRequest():
            return _boot(d)
        case v201.HeartbeatRequest():
            return v201.HeartbeatResponse(currentTime=format_time(d.clock))
        case v201.AuthorizeRequest():
            if request.certificate is not None or request.iso15118CertificateHashData is not None:
                return v201.AuthorizeResponse(
                    idTokenInfo=v201.IdTokenInfo(status="Invalid"), certificateStatus="NoCertificateAvailable"
                )
            return v201.AuthorizeResponse(idTokenInfo=verdict_while_away(d, request.idToken))
        case v201.TransactionEventRequest():
            return event_while_away(d, request)
    action = type(request).action
    return NEUTRAL.get(action) or _REFUSED.get(action)


def _boot(d: Dialogue) -> v201.BootNotificationResponse:
    facts = facts_of(d)
    known: v201.RegistrationStatus = "Pending"
    if facts.registration == "Accepted" or facts.registration == "Rejected":
        known = facts.registration
    return v201.BootNotificationResponse(
        currentTime=format_time(d.clock),
        interval=facts.interval or (0 if known == "Accepted" else UNKNOWN_INTERVAL),
        status=known,
    )
