"""StopTransaction as an Ended event (spec 3.4, 4.5, 4.8, 8.1)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from ..dialogue import Dialogue, Refusal, Row, Rule, Silence, Talk
from ..facts import Transaction
from ..metering import REGISTER, WH_MOST, energy_sample, energy_value, in_wh, register_of
from ..models import v16, v201
from ..tokens import kept_token, restore_token
from ..values import STOP_UP, Moment, Stop, charger_time, parse_time
from .authorization import final_cost, meant, token_of, verdict
from .charger import facts_of, has, options_of
from .ledger import END, by_number, connector_of, is_open, offline, tell, told_state
from .maintenance import after_ended, after_given_up
from .metering import readings, see_register
from .steady import Written, written
from .transactions import end, is_sound, mark, taken_over, tell_start
from .upstream import carried, carries

_FOLDED = ("UnlockCommand", "SoftReset", "HardReset")


def stop(d: Dialogue, request: v16.StopTransactionRequest) -> Rule:
    """An unknown transaction is acknowledged: the charger would repeat it for ever otherwise."""
    moment = charger_time(request.timestamp, d.now)
    ended_key = f"{request.transactionId}|{request.timestamp}|{request.meterStop}"
    transaction = _resolve(d, request, moment, ended_key)
    if transaction is None:
        if request.transactionId > 0:
            d.quirk("tx_orphan")
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
    if taken_over(d, f"stop {transaction.uuid}"):
        return None
    transaction.ended_key = ended_key
    try:
        if transaction.state == "starting":
            yield from _start_first(d, transaction)
        return (yield from _ended(d, transaction, request, moment))
    except Silence:
        transaction.stop_answered = True  # the charger does not wait for longer (spec 8.2)
        d.spawn(after_given_up, "Reset")
        raise


def _start_first(d: Dialogue, transaction: Transaction) -> Rule:
    began = charger_time(transaction.started_at, d.now)
    try:
        yield from tell_start(d, transaction, began)
        d.lose("idTokenInfo")  # remembered; the charger is told what the CSMS says to the end
    except Refusal:
        pass  # its end is worth telling all the same
    return None


def stop_while_away(d: Dialogue, request: v16.StopTransactionRequest) -> v16.StopTransactionResponse:
    """The charger does not say it again: a Reset that waits for the end need not wait for a CSMS that never takes it."""
    transaction = by_number(d, request.transactionId)
    if transaction is not None and transaction.state != "ended":
        transaction.stop_answered = True
        d.spawn(after_ended, "Reset")
    return v16.StopTransactionResponse()


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
    if request.meterStop < transaction.meter_start:
        d.quirk("meter_regress")
    folded = request.reason if request.reason in _FOLDED else None
    kept = request.idTag if request.reason not in (None, "Local") else None
    custom = carried(d, reason16=folded, idTag16=kept) if folded or kept else None
    if folded and custom is None:
        d.lose("reason", "folded")
    id_tag = meant(d, request.idTag) if request.idTag else ""
    token = None
    if id_tag and request.reason in (None, "Local"):
        same = id_tag == transaction.id_tag or id_tag.casefold() == transaction.id_tag.casefold()
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
        meterValue=_written_values(d, transaction, request, moment) or _final_values(d, transaction, request, moment),
        customData=mark(d, transaction),
    )
    reply = yield from tell(d, transaction, END, event, sound=not carries(d) and is_sound(event))
    told_state(transaction, state)
    answer = v16.StopTransactionResponse()
    if reply.idTokenInfo is not None and not id_tag:
        d.lose("idTokenInfo")
    elif reply.idTokenInfo is not None:
        answer.idTagInfo = verdict(d, id_tag, reply.idTokenInfo)
    end(d, transaction, answer)
    if reply.totalCost is not None and has(d, "costmsg"):
        final_cost(d, transaction.tid, reply.totalCost, reply.updatedPersonalMessage)
    return answer


def _written_values(
    d: Dialogue, transaction: Transaction, request: v16.StopTransactionRequest, moment: Moment
) -> list[v201.MeterValue] | None:
    """What `_final_values` gives, where transactionData became text at once (`steady`); else None."""
    if carries(d) or abs(request.meterStop) > WH_MOST:
        return None
    found: list[Written] = []
    for each in request.transactionData or ():
        if (reading := written(each, d.now)) is None:
            return None
        found.append(reading)
    found.sort(key=_at)
    values: list[Any] = []
    shown: list[tuple[str | None, int, str]] = []
    for text, at, numbers, registers, _ in found:
        values.append(msgspec.Raw(text.encode()))
        for place, context in registers:
            shown.append((context, at.ms, numbers[place]))
    ends = [number for context, _, number in shown if context == "Transaction.End"]
    if not ends:
        if any(at.ms == moment.ms for _, at, *_ in found):
            return None
        values.append(energy_value(request.meterStop, "Transaction.End", moment.text))
        shown.append(("Transaction.End", moment.ms, str(request.meterStop)))
    elif Decimal(request.meterStop) not in map(Decimal, ends):
        d.lose("meterStop", "folded")
    last = (False, 0)
    for context, ms, number in shown:  # as register_of has it
        if (rank := (context is None, ms)) >= last:
            last, transaction.register_wh = rank, number
    return values


def _at(reading: Written) -> int:
    return reading[1].ms


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
    ends = [
        sample
        for value in values
        for sample in value.sampledValue
        if sample.context == "Transaction.End" and sample.phase is None and sample.measurand in (None, REGISTER)
    ]
    if not ends:
        sample = energy_sample(stop_wh, "Transaction.End")
        sample.customData = carried(d, meterStop=True)
        same = [each.value for each in found if each.at == moment.ms]
        if same:
            same[-1].sampledValue.append(sample)
        else:
            values.append(v201.MeterValue(timestamp=moment.text, sampledValue=[sample]))
    elif stop_wh not in map(_wh, ends):
        d.lose("meterStop", "folded")
    see_register(transaction, values)
    return values


def _wh(sample: v201.SampledValue) -> Decimal:
    """The energy that a sample shows."""
    unit = sample.unitOfMeasure
    return in_wh(sample.value, unit.unit if unit is not None else None)


def _unheard_of(d: Dialogue, request: v16.StopTransactionRequest, moment: Moment, ended_key: str) -> Transaction:
    """A transaction that only its end tells of, to be reported as a pair of synthetic events (spec 4.8)."""
    id_tag = meant(d, request.idTag) if request.idTag else options_of(d).no_auth_idtag
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
    found = readings(d, request.transactionData or [], 0, transaction, path="transactionData")
    see_register(transaction, [each.value for each in found])
    for each in found:
        begin = [sample for sample in each.value.sampledValue if sample.context == "Transaction.Begin"]
        register = register_of([v201.MeterValue(timestamp=each.value.timestamp, sampledValue=begin)]) if begin else None
        if register is not None:
            transaction.meter_start, transaction.started_at = round(register), each.value.timestamp
    d.lose("TransactionEvent", "synthesised")
    facts_of(d).transactions.append(transaction)
    return transaction


FROM_CHARGER: dict[str, Row] = {"StopTransaction": Talk(stop)}
