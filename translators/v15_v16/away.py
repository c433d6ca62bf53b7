"""Local answers to a 1.5 charger while its 1.6 CSMS is away."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from ..dialogue import Dialogue
from ..models import v15
from ..models.base import Struct
from ..values import format_time, parse_time
from .charger import boot_answer
from .state import facts_of, options_of

UNKNOWN_INTERVAL: Final = 60
"""Seconds until a charger that no CSMS has ever accepted may ask again."""

NEUTRAL: Final[dict[str, Struct]] = {
    "DiagnosticsStatusNotification": v15.DiagnosticsStatusNotificationResponse(),
    "FirmwareStatusNotification": v15.FirmwareStatusNotificationResponse(),
    "MeterValues": v15.MeterValuesResponse(),
    "StatusNotification": v15.StatusNotificationResponse(),
    "StopTransaction": v15.StopTransactionResponse(),
}
"""Acknowledged without a decision."""


def away(d: Dialogue, request: Any) -> Struct | None:
    """The local answer to a charger; what it acknowledges is told to the CSMS later."""
    facts = facts_of(d)
    match request:
        case v15.BootNotificationRequest():
            interval = facts.interval or (0 if facts.registration == "Accepted" else UNKNOWN_INTERVAL)
            return boot_answer(d, facts.registration or "Rejected", format_time(d.clock), interval)
        case v15.HeartbeatRequest():
            return v15.HeartbeatResponse(currentTime=format_time(d.clock))
        case v15.AuthorizeRequest():
            return v15.AuthorizeResponse(idTagInfo=_verdict(d, request.idTag))
        case v15.StartTransactionRequest():
            tid, verdict = d.once("tid", lambda: d.tx or d.clock // 1000), _verdict(d, request.idTag)
            d.once("told", lambda: verdict.status)
            return v15.StartTransactionResponse(transactionId=tid, idTagInfo=verdict)
        case v15.DataTransferRequest():
            return v15.DataTransferResponse(status="Rejected")
    return NEUTRAL.get(type(request).action)


def _verdict(d: Dialogue, id_tag: str) -> v15.IdTagInfo:
    options = options_of(d)
    known = dict(facts_of(d).verdicts.get(id_tag.casefold(), {}))
    if not known or known.pop("at", d.clock) + options.offline_cache_ttl * 1000 <= d.clock:
        return v15.IdTagInfo(status=options.offline_unknown_id)
    info = msgspec.convert(known, v15.IdTagInfo)
    expires = parse_time(info.expiryDate)
    if expires is not None and expires <= d.clock:
        info.status = "Expired"
    return info
