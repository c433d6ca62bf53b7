"""Messages of the charger that 1.6 tells in other words, whole (option `carry_lossy: datatransfer`, spec 10).

To a CSMS behind a gateway like this one they pass through its tunnel and nothing is translated. A CSMS that only keeps copies
is told in 1.6 words and gets the copy last. Which of them it is, the copy of a boot finds out: 1.6 allows nothing before it.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final

from ..dialogue import Dialogue, Refusal, Reply, Row, Rule, Silence, Talk
from ..models import v201
from ..models.base import Request
from .authorization import learn_verdict
from .boot import keep
from .ledger import answer_again, find, found, see, was_seen
from .peers import UNSUPPORTED
from .places import number_of
from .state import connector_of, facts_of, options_of
from .transactions import learn, leave
from .tunnel import copy, pass_whole
from .verdicts import refuse_late, respond

WHOLE: Final = frozenset(
    (
        "Authorize",
        "BootNotification",
        "DataTransfer",
        "FirmwareStatusNotification",
        "Get15118EVCertificate",
        "GetCertificateStatus",
        "LogStatusNotification",
        "MeterValues",
        "NotifyEvent",
        "SecurityEventNotification",
        "SignCertificate",
        "StatusNotification",
        "TransactionEvent",
    )
)
"""Of the others, 1.6 has no words for some, which are offered anyway, and a Heartbeat loses nothing."""
_QUESTIONS: Final = frozenset(
    ("Authorize", "DataTransfer", "Get15118EVCertificate", "GetCertificateStatus", "SignCertificate")
)
"""Once they were answered in the CSMS's absence nobody wants to know any more."""


def first(action: str, row: Row) -> Row:
    """The row behind the tunnel."""
    assert isinstance(row, Talk)
    translated = row.rule

    def rule(d: Dialogue, request: Any) -> Rule:
        if options_of(d).carry_lossy != "datatransfer" or (d.early and action in _QUESTIONS):
            return translated(d, request)
        return _talk(d, request, translated)

    return Talk(rule)


def _talk(d: Dialogue, request: Request[Any], translated: Any) -> Rule:
    facts, action = facts_of(d), d.action
    if facts.tunnel and _passes(d, request):
        transaction = None
        if isinstance(request, v201.TransactionEventRequest):
            transaction = found(d, request.transactionInfo.transactionId)
            if was_seen(transaction, request):
                return answer_again(transaction, request)
        try:
            answer = yield from pass_whole(d, request)
        except Refusal as refusal:
            if refusal.code not in UNSUPPORTED:
                raise
            facts.tunnel, answer = False, None
        if answer is not None:
            _learn(d, request, answer)
            whole: Reply = answer
            return whole
    reply = yield from translated(d, request)
    if reply is not None:
        yield from d.answer(reply)
    if facts.copies or (facts.tunnel is None and action == "BootNotification"):
        yield from _copy(d, request)
    return None


def _copy(d: Dialogue, request: Request[Any]) -> Generator[Any, Any, None]:
    match request:
        case v201.BootNotificationRequest() if facts_of(d).registration == "Accepted":
            try:
                yield from pass_whole(d, request)
            except (Refusal, Silence):
                pass
        case v201.TransactionEventRequest():
            yield from copy(d, d.action, request)
        case v201.AuthorizeRequest():
            yield from copy(d, "IdToken", request.idToken)


def _passes(d: Dialogue, request: Request[Any]) -> bool:
    """What the CSMS has heard of in 1.6 words goes on in them."""
    facts = facts_of(d)
    match request:
        case v201.TransactionEventRequest():
            transaction = find(d, request.transactionInfo.transactionId)
            return transaction is None or (not transaction.bound and transaction.state != "starting")
        case v201.FirmwareStatusNotificationRequest():
            return facts.firmware is None or facts.firmware.request_id != request.requestId
        case v201.LogStatusNotificationRequest():
            return facts.log is None or facts.log.request_id != request.requestId
    return True


def _learn(d: Dialogue, request: Request[Any], answer: Any) -> None:
    """What the gateway would know by translating: it may have to, from one message to the next."""
    facts, before = facts_of(d), d.losses()
    match request:
        case v201.BootNotificationRequest():
            keep(facts, request, answer)
        case v201.AuthorizeRequest():
            learn_verdict(d, request.idToken, answer.idTokenInfo)
        case v201.StatusNotificationRequest():
            place = connector_of(d, number_of(d, request.evseId, request.connectorId))
            place.status, place.since = request.connectorStatus, request.timestamp
        case v201.TransactionEventRequest():
            transaction = found(d, request.transactionInfo.transactionId)
            learn(d, transaction, request)
            if request.eventType == "Ended":
                leave(d, transaction, request)
            if d.early and answer.idTokenInfo is not None:
                refuse_late(d, transaction, answer.idTokenInfo)
            said = respond(d, transaction, answer.idTokenInfo)
            answer.idTokenInfo = said.idTokenInfo
            answer.updatedPersonalMessage = answer.updatedPersonalMessage or said.updatedPersonalMessage
            see(transaction, request, answer)
    d.spare(before)
