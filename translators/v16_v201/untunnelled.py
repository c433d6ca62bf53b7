"""The gateway's own DataTransfer from the charger's side: whole 2.0.1 messages of a 2.0.1 charger behind another gateway
(spec 10)."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from .. import frames
from ..dialogue import Dialogue, Refusal, Rule, Silence
from ..models import lenient, v16, v201
from ..models.base import Struct
from ..neutral import NEUTRAL_201
from ..tokens import id_tag_of, remember_token
from ..values import format_time
from .authorization import verdict_while_away
from .charger import UNSUPPORTED, facts_of, options_of
from .upstream import ask, register

TOKEN: Final = "IdToken"
"""messageId of a DataTransfer that only tells what token is behind an idTag."""
OWN_ACTIONS: Final = v201.FROM_CHARGER | {TOKEN}
PEER: Final = "tunnel"
"""Name in `facts.extra`: true if the charger is a gateway that takes and sends whole 2.0.1 messages."""

_KEPT: Final = NEUTRAL_201 | {"TransactionEvent"}
"""What is acknowledged while the CSMS is away, and told it later."""


def is_own(d: Dialogue, vendor: str) -> bool:
    """Whether a DataTransfer is the gateways' own."""
    own = options_of(d).vendor_id
    return bool(own) and vendor.casefold() == own.casefold()


def untunnel(d: Dialogue, request: v16.DataTransferRequest) -> Rule:
    """The message itself for the CSMS; its answer goes back the same way, a CALLERROR stays one."""
    facts, action = facts_of(d), request.messageId or ""
    message = decoded(request)
    if message is None:
        return v16.DataTransferResponse(status="Rejected")
    if isinstance(message, v201.IdToken):
        learn_token(d, message)
        return v16.DataTransferResponse(status="Accepted")
    if d.early and action not in _KEPT:
        return None  # it was answered while the CSMS was away
    if facts.registration in ("Pending", "Rejected") and action != "BootNotification" and not d.early:
        raise Refusal("SecurityError", f"the registration is {facts.registration}")
    if options_of(d).carry_lossy == "datatransfer":
        facts.extra[PEER] = True
    try:
        reply = yield from d.ask("csms", message) if action == "BootNotification" else ask(d, message)
    except Refusal as refusal:
        if refusal.code in UNSUPPORTED:
            return v16.DataTransferResponse(status="UnknownMessageId")
        raise
    if isinstance(reply, v201.BootNotificationResponse):
        register(facts, reply)
        facts.unsupported.clear()
    if isinstance(reply, v201.TransactionEventResponse):
        _refuse_late(d, message, reply)
    d.spare()
    return _accepted(reply)


def _refuse_late(d: Dialogue, event: v201.TransactionEventRequest, reply: v201.TransactionEventResponse) -> None:
    """The CSMS refuses a token that the charger was told is good while the CSMS was away: stop the transaction."""
    told = facts_of(d).given.get(d.key, {}).get("told", "")
    if not d.early or told != "Accepted" or reply.idTokenInfo is None or event.eventType == "Ended":
        return
    if reply.idTokenInfo.status != "Accepted":
        request = v201.RequestStopTransactionRequest(transactionId=event.transactionInfo.transactionId)

        def stop(d: Dialogue) -> Rule:
            d.lose("RequestStopTransaction", "synthesised")
            data = lenient.check(request).decode()
            command = v16.DataTransferRequest(vendorId=options_of(d).vendor_id, messageId=request.action, data=data)
            try:
                yield from d.ask("charger", command)
            except (Refusal, Silence):
                pass
            return None

        d.spawn(stop, "RequestStopTransaction")


def decoded(request: v16.DataTransferRequest) -> Any:
    """The 2.0.1 request in a DataTransfer, or the token; None if there is none."""
    type_: Any = v201.IdToken if request.messageId == TOKEN else v201.ACTIONS[request.messageId or ""]
    try:
        return lenient.decode(type_, (request.data or "").encode())[0]
    except (lenient.Invalid, msgspec.MsgspecError, UnicodeEncodeError):
        return None


def learn_token(d: Dialogue, token: v201.IdToken) -> None:
    """What is behind an idTag from now on."""
    tokens = facts_of(d).tokens
    remember_token(tokens, id_tag_of(token, tokens, no_auth=options_of(d).no_auth_idtag), token)


def untunnel_while_away(d: Dialogue, request: v16.DataTransferRequest) -> v16.DataTransferResponse:
    """The local answer in the tunnel (spec 8.3)."""
    facts, refused = facts_of(d), v16.DataTransferResponse(status="Rejected")
    if not is_own(d, request.vendorId) or request.messageId not in OWN_ACTIONS:
        return refused
    match decoded(request):
        case None:
            return refused
        case v201.IdToken():
            return v16.DataTransferResponse(status="Accepted")
        case v201.BootNotificationRequest():
            known = facts.registration or "Pending"
            now = format_time(d.clock)
            return _accepted(v201.BootNotificationResponse(currentTime=now, interval=facts.interval, status=known))
        case v201.AuthorizeRequest() as message:
            return _accepted(v201.AuthorizeResponse(idTokenInfo=_verdict(d, message.idToken)))
        case v201.TransactionEventRequest() as message if message.idToken is not None:
            verdict = _verdict(d, message.idToken)
            d.once("told", lambda: verdict.status)
            return _accepted(v201.TransactionEventResponse(idTokenInfo=verdict))
        case message:
            action = type(message).action
            return _accepted(v201.ACTIONS[action].response()) if action in _KEPT else refused


def _verdict(d: Dialogue, token: v201.IdToken) -> v201.IdTokenInfo:
    if token.type == "NoAuthorization" or not token.idToken:
        return v201.IdTokenInfo(status="Accepted")
    id_tag = id_tag_of(token, facts_of(d).tokens, no_auth=options_of(d).no_auth_idtag)
    return v201.IdTokenInfo(status=verdict_while_away(d, id_tag).status)


def _accepted(reply: Struct) -> v16.DataTransferResponse:
    return v16.DataTransferResponse(status="Accepted", data=frames.encode(reply).decode())
