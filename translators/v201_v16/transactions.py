"""TransactionEvent as StartTransaction, MeterValues, StatusNotification and StopTransaction (spec 3.3, 6.20, 6.21, 8.3)."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final

import msgspec

from ..dialogue import Dialogue, Refusal, Row, Rule, Silence, Talk
from ..metering import is_register
from ..models import v16, v201
from ..tokens import ID_TAG_LENGTH, id_token_info
from ..values import Moment, charger_time
from . import carried
from .authorization import ask_verdict, heed, is_free, recent_verdict, tag_of, verdict_while_away
from .availability import is_changed, tell_changed
from .ledger import answer_again, close, found, read_meter, see, start_register, stop_register, was_seen
from .metering import final_readings, readings, send
from .peers import tell
from .places import number_of
from .smart_charging import adopt
from .state import Transaction, connector_of, facts_of, options_of
from .stopping import STOPS, reason_of
from .verdicts import refuse_late, respond

REGISTER_WAIT: Final = 10.0
"""How long a start waits for a first register, s (spec 3.3)."""


def event(d: Dialogue, request: v201.TransactionEventRequest) -> Rule:
    """Each event is dealt with once; a repetition gets the same answer."""
    transaction = found(d, request.transactionInfo.transactionId)
    if was_seen(transaction, request):
        return answer_again(transaction, request)
    moment = charger_time(request.timestamp, d.now)
    if moment.substituted:
        d.lose("timestamp", "defaulted")
    carried.heed(d, request)
    _lose(d, request)
    if transaction.state == "ended" and not d.marked("stopped"):
        _unsaid(d, request)
        if request.idToken is not None:
            d.lose("idToken")
        see(transaction, request, v201.TransactionEventResponse())
        return v201.TransactionEventResponse()  # older than its end, or an end that was told before
    learn(d, transaction, request)
    if request.eventType == "Ended":
        answer = yield from _ended(d, transaction, request, moment)
    elif transaction.state in ("new", "starting"):
        answer = yield from _before_start(d, transaction, request, moment)
    else:
        answer = yield from _updated(d, transaction, request, moment)
    see(transaction, request, answer)
    return answer


def _lose(d: Dialogue, request: v201.TransactionEventRequest) -> None:
    """What no 1.6 message has a place for."""
    for name in ("offline", "numberOfPhasesUsed", "cableMaxCurrent"):
        if getattr(request, name) is not None:
            d.lose(name)
    for name in ("remoteStartId", "timeSpentCharging"):
        if getattr(request.transactionInfo, name) is not None:
            d.lose(f"transactionInfo.{name}")
    d.lose("seqNo")
    d.lose("triggerReason", "folded" if request.eventType == "Ended" else "dropped")
    if request.transactionInfo.chargingState is not None:
        d.lose("transactionInfo.chargingState", "folded")
    if request.transactionInfo.stoppedReason is not None and request.eventType != "Ended":
        d.lose("transactionInfo.stoppedReason")


def _unsaid(d: Dialogue, request: v201.TransactionEventRequest) -> None:
    """The event makes no message. Its registers are kept all the same."""
    d.lose("timestamp")
    if request.meterValue:
        d.lose("meterValue")
    if request.transactionInfo.stoppedReason is not None:
        d.lose("transactionInfo.stoppedReason")


def learn(d: Dialogue, transaction: Transaction, request: v201.TransactionEventRequest) -> None:
    """What an event says of its transaction. The same event says the same again."""
    facts, evse = facts_of(d), request.evse
    if evse is not None and evse.id >= 1 and (not transaction.connector or transaction.state == "new"):
        if not transaction.evse and transaction.last:
            facts.registers[evse.id] = transaction.last
        transaction.connector = number_of(d, evse.id, evse.connectorId)
        transaction.evse = evse.id
    if transaction.state == "new":
        _learn_token(d, transaction, request)
        transaction.reservation = request.reservationId or transaction.reservation
        if transaction.connector and request.eventType != "Ended":
            connector_of(d, transaction.connector).finishing = False
    elif request.reservationId is not None:
        d.lose("reservationId")
    state = request.transactionInfo.chargingState
    if state is not None:
        transaction.charging_state = state
        transaction.charged = transaction.charged or state == "Charging"
        if state != "Idle":
            transaction.connected, transaction.freed = True, False
    if request.triggerReason in STOPS:
        transaction.stopping = True
    read_meter(d, transaction, request.meterValue or [])


def _learn_token(d: Dialogue, transaction: Transaction, request: v201.TransactionEventRequest) -> None:
    """Who pays: the token of the event, or the one that the CSMS started it with."""
    facts = facts_of(d)
    if request.idToken is not None:
        transaction.id_tag = tag_of(d, request.idToken)
    number = request.transactionInfo.remoteStartId
    for start in facts.remote_starts:
        if start.id == number or (start.txid and start.txid == transaction.txid):
            transaction.id_tag = transaction.id_tag or start.id_tag
            facts.remote_starts = [each for each in facts.remote_starts if each is not start]
            adopt(d, start.id, transaction)
            break


# Before the CSMS knows of it


def _before_start(
    d: Dialogue, transaction: Transaction, request: v201.TransactionEventRequest, moment: Moment
) -> Generator[Any, Any, v201.TransactionEventResponse]:
    """Held until a token, a place and a closed power path make it a 1.6 transaction."""
    yield from _start_elsewhere(d, transaction)
    if transaction.state == "open":  # a start that waited for a register has been told meanwhile
        return (yield from _updated(d, transaction, request, moment))
    if transaction.state == "new" and _ready(d, transaction):
        _settle(d, transaction, moment.text)
    if transaction.state == "new":
        _unsaid(d, request)
        info = yield from _verdict(d, request.idToken, transaction)
        answer = respond(d, transaction, info)
        yield from d.answer(answer)
        yield from _status(d, transaction, moment)
        return answer
    info = yield from start(d, transaction)
    answer = respond(d, transaction, info if request.idToken is not None or info.status != "Accepted" else None)
    if d.early:
        refuse_late(d, transaction, info)
    rest = _rest(d, transaction, request)
    yield from d.answer(answer)
    if rest and not d.marked("metered"):
        try:
            yield from send(d, transaction.connector, rest, transaction.tid)
        except (Refusal, Silence):
            pass
        d.mark("metered")
    yield from _status(d, transaction, moment)
    return answer


def _ready(d: Dialogue, transaction: Transaction) -> bool:
    known = bool(transaction.id_tag and transaction.connector)
    return known and (options_of(d).start_on == "authorized" or transaction.charging_state != "Idle")


def _settle(d: Dialogue, transaction: Transaction, at: str) -> None:
    """Decide what the StartTransaction says. Without any register it waits for the next event, at most 10 s."""
    register = start_register(d, transaction)
    transaction.start_at = transaction.start_at or at
    if register is None and d.once("waits", lambda: not transaction.awaits_register):
        transaction.awaits_register = True
        d.spawn(lambda d: waits_for_register(d, transaction), "StartTransaction")
        return
    if register is None:
        d.lose("meterStart", "defaulted")
    transaction.relative = register is None
    transaction.meter_start = register or 0
    transaction.awaits_register = False
    transaction.state = "starting"


def waits_for_register(d: Dialogue, transaction: Transaction) -> Rule:
    """The start of a transaction that no register is known of yet."""
    yield from d.wait(REGISTER_WAIT, lambda: transaction.state != "new" or start_register(d, transaction) is not None)
    if transaction.state != "new" or transaction.ending:
        return None
    transaction.awaits_register = True
    d.once("waits", lambda: False)
    register = start_register(d, transaction)
    transaction.relative, transaction.meter_start = register is None, register or 0
    transaction.awaits_register, transaction.state = False, "starting"
    if register is None:
        d.lose("meterStart", "defaulted")
    info = yield from start(d, transaction)
    refuse_late(d, transaction, info)
    yield from tell_changed(d, transaction.connector, transaction.start_at)
    return None


def _start_elsewhere(d: Dialogue, transaction: Transaction) -> Rule:
    """Wait for the answer to a StartTransaction that is on its way already."""
    subject = f"start {transaction.txid}"
    if d.translator.asking(subject) is not None:
        yield from d.wait(60, lambda: d.translator.asking(subject) is None)
    return None


def start(d: Dialogue, transaction: Transaction) -> Generator[Any, Any, v201.IdTokenInfo]:
    """Tell the CSMS the start; what it says of the token. Its number is bound to this very transaction."""
    facts = facts_of(d)
    if transaction.state == "open" and transaction.verdict is not None:
        return id_token_info(msgspec.convert(transaction.verdict, v16.IdTagInfo), facts.tokens)
    d.subject = f"start {transaction.txid}"
    reply = yield from tell(
        d,
        v16.StartTransactionRequest(
            connectorId=transaction.connector,
            idTag=transaction.id_tag,
            meterStart=transaction.meter_start,
            timestamp=transaction.start_at,
            reservationId=transaction.reservation,
        ),
    )
    d.subject = ""
    facts.bindings += 1
    transaction.state, transaction.tid, transaction.bound = "open", reply.transactionId, facts.bindings
    transaction.verdict = msgspec.to_builtins(reply.idTagInfo)
    info = heed(d, transaction.id_tag, reply.idTagInfo)
    if info.status != "Accepted":
        transaction.stopping = True
    d.mark("started")
    return info


def _rest(d: Dialogue, transaction: Transaction, request: v201.TransactionEventRequest) -> list[v16.MeterValue]:
    """What an Updated event measured beside the register that the start has taken, from its beginning if it shows one."""
    values, updated = [], request.eventType != "Started"
    for value in request.meterValue or []:
        samples = [sample for sample in value.sampledValue if updated and not _is_start(transaction, sample)]
        if len(samples) < len(value.sampledValue):
            d.lose("meterValue")
        if samples:
            values.append(v201.MeterValue(timestamp=value.timestamp, sampledValue=samples))
    return readings(d, values)


def _is_start(transaction: Transaction, sample: v201.SampledValue) -> bool:
    return is_register(sample) and (sample.context == "Transaction.Begin" or not transaction.begin)


# While the CSMS knows it


def _updated(
    d: Dialogue, transaction: Transaction, request: v201.TransactionEventRequest, moment: Moment
) -> Generator[Any, Any, v201.TransactionEventResponse]:
    """MeterValues first, then the status. The event that made the start true comes here again after a crash."""
    if d.marked("started"):
        info: v201.IdTokenInfo | None = yield from start(d, transaction)
        if request.idToken is None and info is not None and info.status == "Accepted":
            info = None
        metered = _rest(d, transaction, request)
    else:
        info = yield from _verdict(d, request.idToken, transaction)
        metered = readings(d, request.meterValue or [])
    stops = options_of(d).stop_on == "deauthorized" and request.triggerReason in STOPS
    if not stops and (d.early or not is_changed(d, transaction.connector)):
        d.lose("timestamp")
    if metered and not d.marked("metered"):
        yield from send(d, transaction.connector, metered, transaction.tid)
        d.mark("metered")
    if stops:
        yield from _stop(d, transaction, request, moment)
    answer = respond(d, transaction, info)
    if metered or stops:
        yield from d.answer(answer)
    yield from _status(d, transaction, moment)
    return answer


def _status(d: Dialogue, transaction: Transaction, moment: Moment) -> Rule:
    """The 1.6 status that an event makes, if it is news. As a follow-up of another message it may fail."""
    try:
        yield from tell_changed(d, transaction.connector, moment.text)
    except (Refusal, Silence):
        if not d.answered:
            raise
    return None


def _verdict(
    d: Dialogue, token: v201.IdToken | None, transaction: Transaction
) -> Generator[Any, Any, v201.IdTokenInfo | None]:
    """What an event with a token that no 1.6 message carries is answered: a verdict of the last minutes, or a new one."""
    if token is None or d.early:
        if token is not None:
            d.lose("idToken")
        return None
    id_tag = tag_of(d, token)
    if transaction.verdict is not None and id_tag.casefold() == transaction.id_tag.casefold():
        d.lose("idToken")
        return id_token_info(msgspec.convert(transaction.verdict, v16.IdTagInfo), facts_of(d).tokens)
    known = recent_verdict(d, id_tag)
    if known is not None or is_free(token):
        d.lose("idToken")
    if known is not None:
        return known
    return (yield from ask_verdict(d, token))


# The end


def _ended(
    d: Dialogue, transaction: Transaction, request: v201.TransactionEventRequest, moment: Moment
) -> Generator[Any, Any, v201.TransactionEventResponse]:
    """A transaction that never became a 1.6 one ends without a word."""
    transaction.ending = True
    yield from _start_elsewhere(d, transaction)
    if transaction.state == "new" and transaction.awaits_register:
        d.once("waits", lambda: False)
        _settle(d, transaction, moment.text)
    if transaction.state == "new":
        token = request.idToken
        if token is not None:
            d.lose("idToken")
        known = recent_verdict(d, tag_of(d, token)) if token is not None and not is_free(token) else None
        _unsaid(d, request)
        answer = respond(d, transaction, (known or v201.IdTokenInfo(status="Accepted")) if token is not None else None)
        leave(d, transaction, request)
        return answer
    if transaction.state == "starting":
        yield from start(d, transaction)
    info = yield from _stop(d, transaction, request, moment)
    answer = respond(d, transaction, info if request.idToken is not None else None)
    yield from d.answer(answer)
    yield from _status(d, transaction, moment)
    return answer


def _stop(
    d: Dialogue, transaction: Transaction, request: v201.TransactionEventRequest, moment: Moment
) -> Generator[Any, Any, v201.IdTokenInfo]:
    """Tell the CSMS the end; what it says of the token."""
    facts = facts_of(d)
    if d.marked("stopped"):
        return msgspec.convert(d.once("verdict", lambda: {"status": "Accepted"}), v201.IdTokenInfo)
    ended = request.eventType == "Ended"
    id_tag = tag_of(d, request.idToken) if request.idToken is not None else None
    id_tag = id_tag or carried.text(carried.own(d, request.transactionInfo.customData), "idTag16", ID_TAG_LENGTH)
    reply = yield from tell(
        d,
        v16.StopTransactionRequest(
            transactionId=transaction.tid,
            idTag=id_tag,
            meterStop=stop_register(transaction),
            timestamp=moment.text,
            reason=reason_of(d, transaction, request),
            transactionData=(final_readings(d, request.meterValue or []) if ended else None) or None,
        ),
    )
    leave(d, transaction, request)
    info = v201.IdTokenInfo(status="Accepted")
    if reply.idTagInfo is not None:
        if not id_tag:
            d.lose("idTagInfo")
        info = heed(d, id_tag, reply.idTagInfo) if id_tag else id_token_info(reply.idTagInfo, facts.tokens)
    d.once("verdict", lambda: msgspec.to_builtins(info))
    d.mark("stopped")
    return info


def leave(d: Dialogue, transaction: Transaction, request: v201.TransactionEventRequest) -> None:
    """The transaction is over. Its connector is Finishing until it is Available, unless the EV has left already."""
    facts = facts_of(d)
    told = transaction.state == "open"
    close(d, transaction)
    transaction.refusal = None
    facts.profiles = [each for each in facts.profiles if each.txid != transaction.txid]
    facts.unlocking.pop(transaction.connector, None)
    if not transaction.connector:
        return
    place = connector_of(d, transaction.connector)
    gone = transaction.charging_state == "Idle" or request.transactionInfo.stoppedReason in (
        "EVDisconnected",
        "Timeout",
    )
    place.finishing = not transaction.freed if told else not gone and not transaction.freed
    if place.finishing and told and place.status in ("", "Available", "Reserved"):
        place.status = "Occupied"


def event_while_away(d: Dialogue, request: v201.TransactionEventRequest) -> v201.TransactionEventResponse:
    """The local answer: what the gateway knows of the token. The CSMS gives the number when it is back."""
    transaction = found(d, request.transactionInfo.transactionId)
    if was_seen(transaction, request):
        return answer_again(transaction, request)
    info = None
    if request.idToken is not None:
        verdict = verdict_while_away(d, request.idToken)
        info = verdict
        d.once("told", lambda: verdict.status)
    return respond(d, transaction, info)


FROM_CHARGER: dict[str, Row] = {"TransactionEvent": Talk(event)}
