"""StartTransaction and StopTransaction as Started and Ended events (spec 3.2, 3.4, 4.5, 4.7, 4.8, 8.1)."""

from __future__ import annotations

from collections.abc import Generator
from decimal import Decimal
from typing import Any, cast

import msgspec

from ..dialogue import Dialogue, Refusal, Row, Rule, Talk
from ..facts import Facts, Transaction
from ..kept import holds
from ..metering import REGISTER, energy_sample, in_wh, register_of
from ..models import v16, v201
from ..topology import place_of
from ..values import STOP_UP, Moment, Stop, charger_time, clean_id_tag, kept_token, parse_time, restore_token
from . import reservations
from .authorization import final_cost, recent_verdict, remote_start_of, token_of, verdict, verdict_while_away
from .charger import facts_of, has, options_of
from .ledger import (
    END,
    by_number,
    by_start,
    close,
    connector_of,
    deauthorise,
    is_open,
    is_queued,
    lose_costs,
    offline,
    started_state,
    tell,
    told_state,
)
from .maintenance import after_ended
from .metering import readings, see_register
from .smart_charging import install
from .upstream import ask, carried

_FOLDED = ("UnlockCommand", "SoftReset", "HardReset")


def start(d: Dialogue, request: v16.StartTransactionRequest) -> Rule:
    """The gateway owns the number; a repetition gets the same one and, once answered, the same answer."""
    moment = charger_time(request.timestamp, d.now)
    start_key = _start_key(d, request, moment)
    known = by_start(d, start_key)
    if known is not None and known.state != "starting" and known.auth_info is not None:
        d.lose("StartTransaction", "folded")
        return _conf(known)
    if _taken_over(d, f"start {start_key}"):
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
        info = yield from _tell_start(d, transaction, moment)
    except Refusal:
        transaction.refused = True
        raise
    if told:
        if info.status != "Accepted":
            deauthorise(d, transaction)
    else:
        transaction.auth_status = info.status
        transaction.auth_info = msgspec.to_builtins(info)
    state = started_state(connector_of(d, transaction.connector).status)
    if state != transaction.started_state:
        yield from d.answer(_conf(transaction))
        yield from _catch_up(d, transaction, state)
    return _conf(transaction)


def _taken_over(d: Dialogue, subject: str) -> bool:
    """Whether the same message is on its way to the CSMS; the charger gets that answer under its newest message id."""
    other = d.translator.asking(subject) if not d.key else None
    if other is None:
        d.subject = subject
        return False
    other.source_id = d.source_id
    d.answered = True
    return True


def _tell_start(d: Dialogue, transaction: Transaction, moment: Moment) -> Generator[Any, Any, v16.IdTagInfo]:
    """Send the Started event; what the CSMS says of the token."""
    event = _started(d, transaction, moment)
    token = event.idToken
    # All else was checked when it was made.
    sound = event.customData is None and (token is None or (len(token.idToken) <= 36 and not token.additionalInfo))
    reply = yield from ask(d, event, sound=sound)
    lose_costs(d, reply)
    transaction.state = "open"
    told_state(transaction, transaction.started_state)
    if reply.idTokenInfo is not None:
        return verdict(d, transaction.id_tag, reply.idTokenInfo)
    d.lose("idTagInfo.status", "defaulted")
    return recent_verdict(d, transaction.id_tag) or v16.IdTagInfo(status="Accepted")


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
    id_tag = clean_id_tag(request.idTag)

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
        started_state=started_state(connector_of(d, request.connectorId).status),
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
    begin = energy_sample(Decimal(transaction.meter_start), "Transaction.Begin")
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
        meterValue=[v201.MeterValue(timestamp=transaction.started_at, sampledValue=[begin])],
        customData=_mark(d, transaction),
    )


def _mark(d: Dialogue, transaction: Transaction) -> dict[str, Any] | None:
    return {"vendorId": options_of(d).vendor_id or "ocpp-gateway", "synthetic": True} if transaction.synthetic else None


def _conf(transaction: Transaction) -> v16.StartTransactionResponse:
    info = msgspec.convert(transaction.auth_info or {"status": "Accepted"}, v16.IdTagInfo)
    return v16.StartTransactionResponse(transactionId=transaction.tid, idTagInfo=info)


def _catch_up(d: Dialogue, transaction: Transaction, state: v201.ChargingState) -> Rule:
    """The charging state changed while the start was not acknowledged yet."""
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
    yield from tell(d, transaction, f"state {moment.text} {state}", event)
    told_state(transaction, state)
    return None


def _orphaned(d: Dialogue, transaction: Transaction, moment: Moment) -> Rule:
    """The connector starts anew: the transaction it had has ended without a word (spec 3.2)."""
    if transaction.state == "starting" and not transaction.auth_status:
        _end(d, transaction, None)  # the CSMS has never taken it, the charger has given it up
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
    _end(d, transaction, None)
    return None


def _end(d: Dialogue, transaction: Transaction, answer: v16.StopTransactionResponse | None) -> None:
    transaction.stop_info = msgspec.to_builtins(answer) if answer is not None else None
    close(d, transaction)
    d.spawn(after_ended, "Reset")


def stop(d: Dialogue, request: v16.StopTransactionRequest) -> Rule:
    """An unknown transaction is acknowledged: the charger would repeat it for ever otherwise."""
    moment = charger_time(request.timestamp, d.now)
    ended_key = f"{request.transactionId}|{request.timestamp}|{request.meterStop}"
    transaction = _resolve(d, request, moment, ended_key)
    if transaction is None:
        if options_of(d).unknown_tx_policy == "ack_and_log":
            d.lose("StopTransaction")
            return v16.StopTransactionResponse()
        transaction = _unheard_of(d, request, moment, ended_key)
    if transaction.state == "ended":
        if transaction.ended_key != ended_key:
            d.lose("StopTransaction")
            return v16.StopTransactionResponse()
        d.lose("StopTransaction", "folded")
        return msgspec.convert(transaction.stop_info or {}, v16.StopTransactionResponse)
    if _taken_over(d, f"stop {transaction.uuid}"):
        return None
    transaction.ended_key = ended_key
    if transaction.state == "starting":
        began = charger_time(transaction.started_at, d.now)
        try:
            yield from _tell_start(d, transaction, began)
            d.lose("idTokenInfo")  # remembered; the charger is told what the CSMS says to the end
        except Refusal:
            pass  # its end is worth telling all the same
    return (yield from _ended(d, transaction, request, moment))


def _resolve(d: Dialogue, request: v16.StopTransactionRequest, moment: Moment, ended_key: str) -> Transaction | None:
    """The transaction that is meant: by number, the same stop again, one whose number the charger was never told, the
    only open one (spec 4.8)."""
    known = by_number(d, request.transactionId)
    if known is not None:
        return known
    facts = facts_of(d)
    for transaction in [*reversed(facts.transactions), *reversed(facts.ended)]:
        if transaction.ended_key == ended_key:
            return transaction
    plausible = [
        each
        for each in facts.transactions
        if is_open(each) and (moment.substituted or (parse_time(each.started_at) or 0) <= moment.ms)
    ]
    untold = [each for each in plausible if each.state == "starting" and not each.synthetic]
    if untold:
        return untold[0]
    return plausible[0] if len(plausible) == 1 else None


def _stop_of(d: Dialogue, transaction: Transaction, reason: v16.Reason | None) -> Stop:
    """(stoppedReason, triggerReason), with what the gateway knows about the stop."""
    found = STOP_UP.get(reason or "Local", STOP_UP["Other"])
    if reason == "Remote" and transaction.deauth_enforced:
        return STOP_UP["DeAuthorized"]
    connector = connector_of(d, transaction.connector)
    if found.reason == "Other" and (connector.errors or connector.status == "Faulted"):
        return Stop("Other", "AbnormalCondition")
    return found


def _ended(d: Dialogue, transaction: Transaction, request: v16.StopTransactionRequest, moment: Moment) -> Rule:
    what = _stop_of(d, transaction, request.reason)
    folded = request.reason if request.reason in _FOLDED else None
    kept = request.idTag if request.reason not in (None, "Local") else None
    custom = carried(d, reason16=folded, idTag16=kept)
    if folded and custom is None:
        d.lose("reason", "folded")
    id_tag = clean_id_tag(request.idTag) if request.idTag else ""
    token = None
    if id_tag and request.reason in (None, "Local"):
        same = transaction.token is not None and id_tag.casefold() == transaction.id_tag.casefold()
        token = restore_token(transaction.token) if same and transaction.token is not None else token_of(d, id_tag)
    elif id_tag and custom is None:
        d.lose("idTag")
    if moment.substituted:
        d.lose("timestamp", "defaulted")
    state: v201.ChargingState | None = "Idle" if what.reason == "EVDisconnected" else "EVConnected"
    if state == transaction.charging_state:
        state = None
    event = v201.TransactionEventRequest(
        eventType="Ended",
        timestamp=moment.text,
        triggerReason=what.trigger,
        seqNo=0,
        transactionInfo=v201.Transaction(
            transactionId=transaction.uuid, chargingState=state, stoppedReason=what.reason, customData=custom
        ),
        offline=offline(d, moment.ms),
        idToken=token,
        meterValue=_final_values(d, transaction, request, moment),
        customData=_mark(d, transaction),
    )
    reply = yield from tell(d, transaction, END, event)
    told_state(transaction, state)
    answer = v16.StopTransactionResponse()
    if reply.idTokenInfo is not None and not id_tag:
        d.lose("idTokenInfo")
    elif reply.idTokenInfo is not None:
        answer.idTagInfo = verdict(d, id_tag, reply.idTokenInfo)
    _end(d, transaction, answer)
    if reply.totalCost is not None and has(d, "costmsg"):
        final_cost(d, transaction.tid, reply.totalCost, reply.updatedPersonalMessage)
    return answer


def _final_values(
    d: Dialogue, transaction: Transaction, request: v16.StopTransactionRequest, moment: Moment
) -> list[v201.MeterValue]:
    """transactionData by time, and meterStop unless it is among them: last, or in the element of its own time."""
    stop_wh = Decimal(request.meterStop)
    found = readings(
        d,
        request.transactionData or [],
        transaction.connector,
        transaction,
        meter_stop=stop_wh,
        path="transactionData",
    )
    found.sort(key=lambda each: each.at)
    values = [each.value for each in found]
    reported = any(
        sample.context == "Transaction.End" and sample.phase is None and sample.measurand in (None, REGISTER)
        for value in values
        for sample in value.sampledValue
    )
    if not reported:
        sample = energy_sample(stop_wh, "Transaction.End")
        sample.customData = carried(d, meterStop=True)
        same = [each.value for each in found if each.at == moment.ms]
        if same:
            same[-1].sampledValue.append(sample)
        else:
            values.append(v201.MeterValue(timestamp=moment.text, sampledValue=[sample]))
    elif not any(_tells(sample, stop_wh) for value in values for sample in value.sampledValue):
        d.lose("meterStop", "folded")
    see_register(transaction, values)
    return values


def _tells(sample: v201.SampledValue, stop_wh: Decimal) -> bool:
    """Whether it is the register that meterStop gives."""
    unit = sample.unitOfMeasure
    energy = sample.context == "Transaction.End" and sample.phase is None and sample.measurand in (None, REGISTER)
    return energy and in_wh(sample.value, unit.unit if unit is not None else None) == stop_wh


def _unheard_of(d: Dialogue, request: v16.StopTransactionRequest, moment: Moment, ended_key: str) -> Transaction:
    """A transaction that only its end tells of, to be reported as a pair of synthetic events (spec 4.8)."""
    id_tag = clean_id_tag(request.idTag) if request.idTag else options_of(d).no_auth_idtag
    transaction = Transaction(
        tid=0,
        uuid=d.once("uuid", d.new_id),
        connector=0,
        start_key=f"stop|{ended_key}",
        id_tag=id_tag,
        meter_start=request.meterStop,
        started_at=moment.text,
        started_state="EVConnected",
        token=kept_token(token_of(d, id_tag)),
        synthetic=True,
    )
    for each in readings(d, request.transactionData or [], 0, transaction, path="transactionData"):
        begin = [sample for sample in each.value.sampledValue if sample.context == "Transaction.Begin"]
        register = register_of([v201.MeterValue(timestamp=each.value.timestamp, sampledValue=begin)]) if begin else None
        if register is not None:
            transaction.meter_start, transaction.started_at = round(register), each.value.timestamp
    d.lose("TransactionEvent", "synthesised")
    facts_of(d).transactions.append(transaction)
    return transaction


FROM_CHARGER: dict[str, Row] = {
    "StartTransaction": Talk(start),
    "StopTransaction": Talk(stop),
}
