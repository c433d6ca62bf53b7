"""While the CSMS is away: local answers; once it is back: what changed meanwhile (spec 8.3)."""

from __future__ import annotations

from typing import Any, Final, cast

from ..dialogue import Dialogue, Refusal, Rule, Silence
from ..models import v16
from ..models.base import Struct
from ..neutral import NEUTRAL_16
from ..values import CONNECTOR_STATUS, format_time
from .authorization import verdict_while_away
from .availability import tell_status
from .charger import facts_of
from .stopping import stop_while_away
from .transactions import start_while_away
from .untunnelled import untunnel_while_away
from .upstream import try_again

UNKNOWN_INTERVAL: Final = 60
"""Seconds until a station that no CSMS has ever accepted may ask again."""

NEUTRAL: Final[dict[str, Struct]] = {action: v16.ACTIONS[action].response() for action in NEUTRAL_16}
"""Acknowledged without a decision."""


def away(d: Dialogue, request: Any) -> Struct | None:
    """The local answer to a charger; what it acknowledges is told to the CSMS later."""
    match request:
        case v16.BootNotificationRequest():
            return _boot(d)
        case v16.HeartbeatRequest():
            return v16.HeartbeatResponse(currentTime=format_time(d.clock))
        case v16.AuthorizeRequest():
            return v16.AuthorizeResponse(idTagInfo=verdict_while_away(d, request.idTag))
        case v16.StartTransactionRequest():
            return start_while_away(d, request)
        case v16.StopTransactionRequest():
            return stop_while_away(d, request)
        case v16.DataTransferRequest():
            return untunnel_while_away(d, request)
        case v16.SignCertificateRequest():
            return v16.SignCertificateResponse(status="Rejected")
    return NEUTRAL.get(type(request).action)


def _boot(d: Dialogue) -> v16.BootNotificationResponse:
    facts = facts_of(d)
    return v16.BootNotificationResponse(
        currentTime=format_time(d.clock),
        interval=facts.interval or (0 if facts.registration == "Accepted" else UNKNOWN_INTERVAL),
        status=facts.registration or "Pending",
    )


def back(d: Dialogue) -> Rule:
    """Connector statuses that changed (B04.FR.02). Of the others the next report is news again (spec 2.5)."""
    connectors = facts_of(d).connectors
    try_again(facts_of(d))
    for number in sorted(connectors):
        connector = connectors[number]
        if connector.status and connector.told != CONNECTOR_STATUS[cast(v16.ChargePointStatus, connector.status)]:
            try:
                yield from tell_status(d, number, connector.since or format_time(d.clock))
            except Refusal:
                continue
            except Silence:
                d.owe()
                return None
        else:
            connector.news = True
    return None
