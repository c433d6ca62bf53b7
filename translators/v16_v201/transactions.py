"""StartTransaction as a Started event, and the ends that no StopTransaction tells (spec 3.2, 3.4, 4.5, 4.7, 8.1)."""

from __future__ import annotations

from collections.abc import Generator
from decimal import Decimal
from typing import Any, cast

import msgspec

from ..dialogue import Dialogue, Refusal, Row, Rule, Talk
from ..facts import Facts, Transaction
from ..kept import holds
from ..metering import energy_sample, energy_value
from ..models import v16, v201
from ..tokens import clean_id_tag, kept_token, restore_token
from ..topology import place_of
from ..values import Moment, charger_time
from . import reservations
from .authorization import meant, recent_verdict, remote_start_of, token_of, verdict, verdict_while_away
from .charger import facts_of, options_of
from .ledger import (
    END,
    by_start,
    close,
    connector_of,
    deauthorise,
    insist,
    is_open,
    is_queued,
    lose_costs,
    offline,
    started_state,
    tell,
    told_state,
)
from .maintenance import after_ended
from .smart_charging import install
from .upstream import ask

_BEHIND = "behind"
"""Step of a StartTransaction: what is left to tell is the charging state."""


def start(d: Dialogue, request: v16.StartTransactionRequest) -> Rule:
    """The gateway owns the number; a repetition gets the same one and, once answered, the same answer."""
    moment = charger_time(request.timestamp, d.now)
    start_key = _start_key(d, request, moment)
    known = by_start(d, start_key)
    if known is not None and known.state != "starting" and known.auth_info is not None:
        conf = _conf(known)
        if d.marked(_BEHIND):
            yield from d.answer(conf)
            yield from _catch_up(d, known)
        else:
            d.lose("StartTransaction", "folded")
        return conf
    if taken_over(d, f"start {start_key}"):
        return None
    if known is None or is_queued(known):
        for left in list(facts_of(d).transactions):
            if left.connector == request.connectorId and not is_queued(left):
                yield from _orphaned(d, left, moment)
    transaction = known or _begin(d, request, moment, start_key)
    transaction.offline = transaction.offline or d.early or is_queued(transaction)
    told = transaction.auth_status if d.early else ""
    if moment.substituted:
        d.lose("timestamp", "defaulted")
    if request.reservationId == 0:
        d.lose("reservationId")
    if transaction.place is None:
        d.lose("connectorId")
    try:
        info = yield from tell_start(d, transaction, moment)
    except Refusal:
        transaction.refused = True
        raise
    if told:
        if info.status != "Accepted":
            deauthorise(d, transaction)
    else:
        transaction.auth_status = info.status
        transaction.auth_info = msgspec.to_builtins(info)
    conf = _conf(transaction) if told else v16.StartTransactionResponse(transactionId=transaction.tid, idTagInfo=info)
    if _state_behind(d, transaction) is not None:
        yield from d.answer(conf)
        yield from _catch_up(d, transaction)
    return conf


def taken_over(d: Dialogue, subject: str) -> bool:
    """Whether the same message is on its way to the CSMS; the charger gets that answer under its newest message id."""
    other = d.translator.asking(subject) if not d.key else None
    if other is None:
        d.subject = subject
        return False
    other.source_id = d.source_id
    d.answered = True
    return True


def tell_start(d: Dialogue, transaction: Transaction, moment: Moment) -> Generator[Any, Any, v16.IdTagInfo]:
    """Send the Started event; what the CSMS says of the token."""
    if not transaction.started_state:  # only now: statuses of before the start may have waited with it
        transaction.started_state = started_state(connector_of(d, transaction.connector).status)
    event = _started(d, transaction, moment)
    reply = yield from ask(d, event, sound=is_sound(event))
    lose_costs(d, reply)
    transaction.state = "open"
    told_state(transaction, transaction.started_state)
    if reply.idTokenInfo is not None:
        return verdict(d, transaction.id_tag, reply.idTokenInfo)
    d.lose("idTagInfo.status", "defaulted")
    return recent_verdict(d, transaction.id_tag) or v16.IdTagInfo(status="Accepted")


def is_sound(event: v201.TransactionEventRequest) -> bool:
    """Whether nothing in an event needs a check any more: what the gateway itself makes was checked when it was made."""
    token = event.idToken
    return event.customData is None and (token is None or (len(token.idToken) <= 36 and not token.additionalInfo))


def start_while_away(d: Dialogue, request: v16.StartTransactionRequest) -> v16.StartTransactionResponse:
    """The charger gets its number now; the Started event follows when the CSMS is back."""
    moment = charger_time(request.timestamp, d.now)
    start_key = _start_key(d, request, moment)
    transaction = by_start(d, start_key) or _begin(d, request, moment, start_key)
    if transaction.auth_info is None:
        evse = place_of(d, request.connectorId)[0] if request.connectorId > 0 else None
        info = verdict_while_away(d, request.idTag, evse)
        transaction.auth_status, transaction.auth_info = info.status, msgspec.to_builtins(info)
    return _conf(transaction)


def _start_key(d: Dialogue, request: v16.StartTransactionRequest, moment: Moment) -> str:
    """What makes a StartTransaction the same again. A clock that was never set makes nothing the same: losing a session
    is worse than a duplicate, so the message id counts then."""
    tag = clean_id_tag(request.idTag).casefold()
    key = f"{request.connectorId}|{tag}|{request.timestamp}|{request.meterStart}|{request.reservationId or 0}"
    return f"{key}|{d.source_id}" if moment.substituted else key


def _begin(d: Dialogue, request: v16.StartTransactionRequest, moment: Moment, start_key: str) -> Transaction:
    """Record a new transaction; it is found again by its start key."""
    facts = facts_of(d)
    id_tag = meant(d, request.idTag)

    def next_tid() -> int:
        facts.last_tid = d.tx or (facts.last_tid + 1 if facts.last_tid else d.clock // 1000)
        return facts.last_tid

    transaction = Transaction(
        tid=d.once("tid", next_tid),
        uuid=d.once("uuid", d.new_id),
        connector=request.connectorId,
        start_key=start_key,
        id_tag=id_tag,
        meter_start=request.meterStart,
        started_at=moment.text,
        reservation=request.reservationId or None,
        place=place_of(d, request.connectorId) if request.connectorId > 0 else None,
    )
    facts.last_tid = max(facts.last_tid, transaction.tid)
    pending = remote_start_of(d, id_tag, request.connectorId)
    if pending is not None:
        transaction.remote_start_id, transaction.token = pending.remote_start_id, pending.token
        facts.remote_starts = [each for each in facts.remote_starts if each is not pending]
    else:
        transaction.token = kept_token(token_of(d, id_tag))
    facts.transactions.append(transaction)
    if transaction.reservation is not None:
        reservations.used(d, transaction.reservation)
    if pending is not None and pending.profile is not None and transaction.place is not None:
        profile = msgspec.convert(pending.profile, v201.ChargingProfile)
        profile.transactionId = transaction.uuid
        install(d, transaction.place[0], profile)
    return transaction


def numbered(facts: Facts, key: str, tx: int, number: int) -> None:
    """The charger knows the transaction that entry `key` begins by `number`, another upstream's, not by `tx`."""
    if number == tx:
        return
    found = next((each for each in reversed(facts.transactions) if each.tid == tx), None)
    if found is None and holds(facts, "ended", tx):
        found = next((each for each in reversed(facts.ended) if each.tid == tx), None)
    if found is not None:
        found.tid = number
    given = facts.given.get(key)
    if given is not None:
        given["tid"] = number
    elif found is None:
        facts.given[key] = {"tid": number}


def _started(d: Dialogue, transaction: Transaction, moment: Moment) -> v201.TransactionEventRequest:
    """The same event each time it is made; only `offline` may be new."""
    place = transaction.place
    return v201.TransactionEventRequest(
        eventType="Started",
        timestamp=transaction.started_at,
        triggerReason="Authorized" if transaction.remote_start_id is None else "RemoteStart",
        seqNo=0,
        transactionInfo=v201.Transaction(
            transactionId=transaction.uuid,
            chargingState=cast(v201.ChargingState, transaction.started_state),
            remoteStartId=transaction.remote_start_id,
        ),
        offline=True if transaction.offline else offline(d, moment.ms),
        idToken=restore_token(transaction.token) if transaction.token is not None else None,
        evse=v201.EVSE(id=place[0], connectorId=place[1]) if place is not None else None,
        reservationId=transaction.reservation,
        meterValue=[energy_value(transaction.meter_start, "Transaction.Begin", transaction.started_at)],
        customData=mark(d, transaction),
    )


def mark(d: Dialogue, transaction: Transaction) -> dict[str, Any] | None:
    """customData of the events of a transaction that the charger never began."""
    return {"vendorId": options_of(d).vendor_id or "ocpp-gateway", "synthetic": True} if transaction.synthetic else None


def _conf(transaction: Transaction) -> v16.StartTransactionResponse:
    info = msgspec.convert(transaction.auth_info or {"status": "Accepted"}, v16.IdTagInfo)
    return v16.StartTransactionResponse(transactionId=transaction.tid, idTagInfo=info)


def _state_behind(d: Dialogue, transaction: Transaction) -> v201.ChargingState | None:
    """The charging state that the CSMS has not heard of; None if it has."""
    state = started_state(connector_of(d, transaction.connector).status)
    return state if state != transaction.charging_state and is_open(transaction) else None


def _catch_up(d: Dialogue, transaction: Transaction) -> Rule:
    """The charging state changed while the start was not acknowledged yet. Nobody repeats it: it is told as `insist` has it."""
    state = _state_behind(d, transaction)
    if state is None:
        return None
    d.mark(_BEHIND)
    connector = connector_of(d, transaction.connector)
    moment = charger_time(connector.since, d.now)
    event = v201.TransactionEventRequest(
        eventType="Updated",
        timestamp=moment.text,
        triggerReason="ChargingStateChanged",
        seqNo=0,
        transactionInfo=v201.Transaction(transactionId=transaction.uuid, chargingState=state),
        offline=offline(d, moment.ms),
    )
    yield from insist(d, transaction, f"state {moment.text} {state}", event)
    told_state(transaction, state)
    return None


def _orphaned(d: Dialogue, transaction: Transaction, moment: Moment) -> Rule:
    """The connector starts anew: the transaction it had has ended without a word (spec 3.2)."""
    if transaction.state == "starting" and not transaction.auth_status:
        end(d, transaction, None)  # the CSMS has never taken it, the charger has given it up
        return None
    d.lose("TransactionEvent", "synthesised")
    register = Decimal(transaction.register_wh or transaction.meter_start)
    event = v201.TransactionEventRequest(
        eventType="Ended",
        timestamp=moment.text,
        triggerReason="AbnormalCondition",
        seqNo=0,
        transactionInfo=v201.Transaction(transactionId=transaction.uuid, stoppedReason="Other"),
        offline=offline(d, moment.ms),
        meterValue=[v201.MeterValue(timestamp=moment.text, sampledValue=[energy_sample(register, "Transaction.End")])],
    )
    try:
        reply = yield from tell(d, transaction, END, event)
        if reply.idTokenInfo is not None:
            d.lose("idTokenInfo")
    except Refusal:
        pass  # a CSMS that does not want the end of the old one must not keep the new one from starting
    end(d, transaction, None)
    return None


def end(d: Dialogue, transaction: Transaction, answer: v16.StopTransactionResponse | None) -> None:
    """The transaction has ended; `answer` is what a repetition of its StopTransaction gets."""
    transaction.stop_info = msgspec.to_builtins(answer) if answer is not None else None
    close(d, transaction)
    d.spawn(after_ended, "Reset")


FROM_CHARGER: dict[str, Row] = {"StartTransaction": Talk(start)}
