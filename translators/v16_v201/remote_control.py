"""RequestStartTransaction, RequestStopTransaction, TriggerMessage: CSMS to charger (spec 5.23, 5.28, 5.29, 5.37)."""

from __future__ import annotations

from collections.abc import Generator
from decimal import Decimal
from typing import Any

import msgspec

from ..dialogue import Ask, Dialogue, Refusal, Row, Rule, Silence, Talk
from ..enums import EXTENDED_TRIGGER, PNC_VENDOR, TRIGGER, worst
from ..facts import RemoteStart, Token, Transaction
from ..models import v16, v201
from ..profiles import Unfit, down
from ..tokens import id_tag_of
from ..topology import Unknown, connector_at, connectors, connectors_at, one_connector_at
from ..values import format_time
from .charger import ask, because, facts_of, has, options_of, running, transaction_of
from .ledger import current_state, is_known, runs, tell, told_state
from .smart_charging import install

CONNECTION_TIMEOUT = 120
"""EVConnectionTimeOut of a charger that did not tell, s."""
REMOTE_START_GRACE = 30
"""How long after the connection timeout a StartTransaction still answers a remote start, s (spec 3.4)."""
CONF_WAIT = 10.0
"""How long a remote stop waits for the charger to be told its transaction number, s."""
TRIGGER_LASTS = 60_000
"""How long an accepted trigger explains a message, ms (spec 3.11)."""
_HEEDED = ("MeterValues", "StatusNotification", "TransactionEvent", "BootNotification")
"""Messages that are told in another way when they were asked for. Any message passes the gate then (spec 3.1)."""


def request_start(d: Dialogue, request: v201.RequestStartTransactionRequest) -> Rule:
    """The pending start is remembered before the charger is asked: its StartTransaction may overtake its answer."""
    facts = facts_of(d)
    if facts.registration == "Pending":
        return _start_rejected("CSNotAccepted")
    connector = None
    profile = None
    try:
        if request.evseId is not None:
            connector = one_connector_at(d, request.evseId)
        if request.chargingProfile is not None:
            profile = _start_profile(d, request.chargingProfile)
    except (Unknown, Unfit) as wrong:
        return _start_rejected(wrong.reason)
    id_tag = id_tag_of(request.idToken, facts.tokens, no_auth=options_of(d).no_auth_idtag)
    lose_token(d, request.idToken, id_tag, "idToken")
    if request.groupIdToken is not None:
        d.lose("groupIdToken")
    pending = RemoteStart(
        remote_start_id=request.remoteStartId,
        id_tag=id_tag,
        token=facts.tokens[id_tag.casefold()] if id_tag.casefold() in facts.tokens else _bare(request.idToken),
        connector=connector or 0,
        expires=d.clock + 1000 * (_connection_timeout(d) + REMOTE_START_GRACE),
        profile=msgspec.to_builtins(request.chargingProfile) if request.chargingProfile is not None else None,
    )
    facts.remote_starts = [start for start in facts.remote_starts if start.expires > d.clock]
    facts.remote_starts.append(pending)
    accepted = False
    try:
        command = v16.RemoteStartTransactionRequest(connectorId=connector, idTag=id_tag, chargingProfile=profile)
        response = yield from ask(d, command)
        accepted = response.status == "Accepted"
    finally:
        if not accepted:
            facts.remote_starts = [start for start in facts.remote_starts if start is not pending]
    if accepted and request.chargingProfile is not None and request.evseId is not None:
        install(d, request.evseId, request.chargingProfile)
    return v201.RequestStartTransactionResponse(status=response.status)


def _start_rejected(reason: str) -> v201.RequestStartTransactionResponse:
    return v201.RequestStartTransactionResponse(status="Rejected", statusInfo=because(reason))


def _start_profile(d: Dialogue, profile: v201.ChargingProfile) -> v16.ChargingProfile:
    if profile.chargingProfilePurpose != "TxProfile":
        raise Unfit("InvalidProfile")
    if profile.transactionId is not None:
        d.lose("chargingProfile.transactionId")  # it can only be wrong: the transaction does not exist yet
    return down(d, profile, None)


def _bare(token: v201.IdToken) -> Token:
    return Token(idToken=token.idToken, type=token.type)


def lose_token(d: Dialogue, token: v201.IdToken, id_tag: str, path: str) -> None:
    """Record what an idTag cannot say of `token`. The registry keeps it for the way back."""
    if id_tag != token.idToken:
        d.lose(f"{path}.idToken", "folded")
    d.lose(f"{path}.type")
    if token.additionalInfo is not None:
        d.lose(f"{path}.additionalInfo")


def _connection_timeout(d: Dialogue) -> int:
    key = facts_of(d).keys.get("ConnectionTimeOut")
    text = (key.value or "").strip() if key is not None else ""
    return min(int(text), 86_400) if text.isdecimal() else CONNECTION_TIMEOUT


def request_stop(d: Dialogue, request: v201.RequestStopTransactionRequest) -> Rule:
    """The charger knows the transaction by number, and only once it has been answered its StartTransaction."""
    if facts_of(d).registration == "Pending":
        return _stop_rejected("CSNotAccepted")

    def answered(transaction: Transaction) -> bool:
        return transaction.state == "open" or bool(transaction.auth_status)

    def decided() -> bool:
        found = transaction_of(d, request.transactionId)
        return found is None or not runs(d, found) or answered(found)

    if not decided():
        yield from d.wait(CONF_WAIT, decided)
    transaction = transaction_of(d, request.transactionId)
    if transaction is None or not runs(d, transaction) or not answered(transaction):
        return _stop_rejected("UnknownTxId")
    response = yield from ask(d, v16.RemoteStopTransactionRequest(transactionId=transaction.tid))
    return v201.RequestStopTransactionResponse(status=response.status)


def _stop_rejected(reason: str) -> v201.RequestStopTransactionResponse:
    return v201.RequestStopTransactionResponse(status="Rejected", statusInfo=because(reason))


_NO_TRIGGER = ("SignV2GCertificate", "SignCombinedCertificate", "PublishFirmwareStatusNotification")
_TRIGGERED: tuple[v16.TriggerMessageStatus, ...] = ("Rejected", "NotImplemented", "Accepted")


def trigger_message(d: Dialogue, request: v201.TriggerMessageRequest) -> Rule:
    """The way to ask depends on the message: TriggerMessage, ExtendedTriggerMessage, the PnC tunnel, or none."""
    facts, message = facts_of(d), request.requestedMessage
    if message == "BootNotification" and facts.registration == "Accepted":
        return v201.TriggerMessageResponse(status="Rejected")  # F06.FR.17
    if message == "SignV2GCertificate" and has(d, "pnc"):
        return (yield from _trigger_pnc(d, request))
    signed = facts.firmware is not None and facts.firmware.via == "SignedUpdateFirmware"
    extended = (
        message == "SignChargingStationCertificate"
        or (message == "LogStatusNotification" and has(d, "security"))
        or (message == "FirmwareStatusNotification" and signed)
    )
    if message in _NO_TRIGGER:
        return v201.TriggerMessageResponse(status="NotImplemented")
    try:
        if message == "TransactionEvent":
            return (yield from _trigger_transactions(d, request))
        targets = _targets(d, request)
    except Unknown as unknown:
        return v201.TriggerMessageResponse(status="Rejected", statusInfo=because(unknown.reason))
    answers: list[v16.TriggerMessageStatus] = []
    for connector in targets:
        status = yield from _trigger(d, message, connector, extended)
        answers.append(status)
        if status == "Accepted":
            _expect(d, message, connector)
    return v201.TriggerMessageResponse(status=worst(answers, _TRIGGERED))


def _trigger(
    d: Dialogue, message: v201.MessageTrigger, connector: int | None, extended: bool
) -> Generator[Ask, Any, v16.TriggerMessageStatus]:
    if extended:
        security = v16.ExtendedTriggerMessageRequest(
            requestedMessage=EXTENDED_TRIGGER.down(message), connectorId=connector
        )
        return (yield from ask(d, security)).status
    plain = v16.TriggerMessageRequest(requestedMessage=TRIGGER.down(message), connectorId=connector)
    return (yield from ask(d, plain)).status


def _targets(d: Dialogue, request: v201.TriggerMessageRequest) -> list[int | None]:
    """The connectors to ask about; None: the charger as a whole. Raises Unknown."""
    if request.evse is None:
        return [None]
    if request.requestedMessage not in ("MeterValues", "StatusNotification", "TransactionEvent"):
        d.lose("evse")
        return [None]
    if request.evse.connectorId is not None:
        return [connector_at(d, request.evse.id, request.evse.connectorId)]
    return list(connectors_at(d, request.evse.id))


def _expect(d: Dialogue, message: v201.MessageTrigger, connector: int | None) -> None:
    """Remember that the charger will send `message` because it was asked to; connector 0 stands for all of them."""
    facts = facts_of(d)
    served = f"{message}:0/"
    facts.triggers = {
        name: expires
        for name, expires in facts.triggers.items()
        if expires > d.clock and not (connector is None and name.startswith(served))
    }
    if message in _HEEDED or facts.registration != "Accepted":
        facts.triggers[f"{message}:{connector or 0}"] = d.clock + TRIGGER_LASTS


def _trigger_pnc(d: Dialogue, request: v201.TriggerMessageRequest) -> Rule:
    command = v16.DataTransferRequest(
        vendorId=PNC_VENDOR, messageId="TriggerMessage", data=msgspec.json.encode(request).decode()
    )
    response = yield from ask(d, command)
    if response.status == "Accepted" and response.data:
        try:
            answer = msgspec.json.decode(response.data, type=v201.TriggerMessageResponse)
        except msgspec.DecodeError:
            pass
        else:
            if answer.status == "Accepted":
                _expect(d, request.requestedMessage, None)
            return answer
    return v201.TriggerMessageResponse(status="Rejected", statusInfo=because("UnsupportedRequest"))


def _trigger_transactions(d: Dialogue, request: v201.TriggerMessageRequest) -> Rule:
    """1.6 has no transaction event to trigger: MeterValues stand for it, else what is known (spec 5.23)."""
    among = {number for number in _targets(d, request) if number is not None} or set(connectors(d))
    wanted = [transaction for transaction in running(d) if transaction.connector in among or request.evse is None]
    if not wanted:
        return v201.TriggerMessageResponse(status="Rejected", statusInfo=because("TxNotFound"))
    silent: list[Transaction] = []
    for transaction in wanted:
        status = "NotImplemented"
        command = v16.TriggerMessageRequest(requestedMessage="MeterValues", connectorId=transaction.connector)
        try:
            status = (yield from ask(d, command)).status
        except (Refusal, Silence):
            pass
        if status == "Accepted":
            _expect(d, "TransactionEvent", transaction.connector)
        else:
            silent.append(transaction)
    if silent:
        d.lose("requestedMessage", "synthesised")
    yield from d.answer(v201.TriggerMessageResponse(status="Accepted"))
    for transaction in silent:
        if is_known(transaction):
            event = _state_of(d, transaction)
            yield from tell(d, transaction, f"trigger {event.timestamp}", event)
            told_state(transaction, event.transactionInfo.chargingState)
    return None


def _state_of(d: Dialogue, transaction: Transaction) -> v201.TransactionEventRequest:
    """Updated/Trigger from what the gateway last saw."""
    at = format_time(d.clock)
    register = None
    if transaction.register_wh:
        register = v201.SampledValue(
            value=Decimal(transaction.register_wh),
            context="Trigger",
            measurand="Energy.Active.Import.Register",
            location="Outlet",
            unitOfMeasure=v201.UnitOfMeasure(unit="Wh"),
        )
    return v201.TransactionEventRequest(
        eventType="Updated",
        timestamp=at,
        triggerReason="Trigger",
        seqNo=0,  # numbered when it is told
        transactionInfo=v201.Transaction(transactionId=transaction.uuid, chargingState=current_state(d, transaction)),
        meterValue=[v201.MeterValue(timestamp=at, sampledValue=[register])] if register is not None else None,
    )


FROM_CSMS: dict[str, Row] = {
    "RequestStartTransaction": Talk(request_start),
    "RequestStopTransaction": Talk(request_stop),
    "TriggerMessage": Talk(trigger_message),
}
