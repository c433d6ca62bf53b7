"""RemoteStart, RemoteStop, UnlockConnector and triggers of the CSMS (spec 3.4, 7.11 to 7.13, 7.18)."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final

from ..dialogue import Ask, Dialogue, Refusal, Row, Rule, Talk
from ..enums import EXTENDED_TRIGGER, TRIGGER, UNLOCK
from ..models import v16, v201
from ..profiles import Unfit, up
from ..tokens import ID_TAG_LENGTH, clean_id_tag, id_token_of
from ..topology import connectors, is_connector, place_of
from ..values import format_time
from .availability import tell_station
from .ledger import by_number, running_at
from .peers import UNSUPPORTED, command, expect
from .places import target
from .smart_charging import install
from .state import RemoteStart, facts_of, next_number, options_of

REMOTE_START_MS: Final = 150_000
"""How long an accepted remote start waits for its transaction: the usual EVConnectionTimeOut and 30 s."""
REMOTE_STARTS_MOST: Final = 32
NUMBER_WAIT: Final = 5.0
"""How long a RemoteStop waits for a StartTransaction that the CSMS has not answered, s."""
END_WAIT: Final = 30.0
"""How long an unlock waits for the end of the transaction, s."""


def remote_start(d: Dialogue, request: v16.RemoteStartTransactionRequest) -> Rule:
    """The gateway makes up the remoteStartId; the CSMS gets its transaction by StartTransaction."""
    facts, options = facts_of(d), options_of(d)
    rejected = v16.RemoteStartTransactionResponse(status="Rejected")
    number = request.connectorId or None
    if facts.registration == "Pending" or (number is not None and not is_connector(d, number)):
        return rejected
    if request.connectorId == 0:
        d.lose("connectorId")
    profile = None
    given = request.chargingProfile
    if given is not None:
        if given.chargingProfilePurpose != "TxProfile":
            return rejected
        if given.transactionId is not None:
            d.lose("chargingProfile.transactionId")
        try:
            profile = up(d, given, None, next_number(d, "schedule"), "chargingProfile")
        except Unfit:
            return rejected
    id_tag = clean_id_tag(request.idTag)
    token = id_token_of(id_tag, facts.tokens, no_auth=options.no_auth_idtag, default_type=options.idtoken_default_type)
    remote = next_number(d, "remote start")
    evse = place_of(d, number)[0] if number is not None else None
    response = yield from command(
        d,
        v201.RequestStartTransactionRequest(idToken=token, remoteStartId=remote, evseId=evse, chargingProfile=profile),
    )
    if response.statusInfo is not None:
        d.lose("statusInfo")
    if response.status == "Accepted":
        starts = [each for each in facts.remote_starts if each.expires > d.clock][1 - REMOTE_STARTS_MOST :]
        begun = RemoteStart(
            id=remote,
            id_tag=request.idTag[:ID_TAG_LENGTH],
            expires=d.clock + REMOTE_START_MS,
            txid=response.transactionId or "",
        )
        facts.remote_starts = [*starts, begun]
        waited = {each.id for each in starts}
        facts.profiles = [each for each in facts.profiles if not each.remote or each.remote in waited]
        if profile is not None:
            install(d, evse or 0, profile, remote)
    return v16.RemoteStartTransactionResponse(status=response.status)


def remote_stop(d: Dialogue, request: v16.RemoteStopTransactionRequest) -> Rule:
    """A number that the CSMS is just about to give may be used already."""
    facts = facts_of(d)
    if facts.registration == "Pending":
        return v16.RemoteStopTransactionResponse(status="Rejected")
    if by_number(d, request.transactionId) is None and any(each.state == "starting" for each in facts.transactions):
        yield from d.wait(NUMBER_WAIT, lambda: by_number(d, request.transactionId) is not None)
    transaction = by_number(d, request.transactionId)
    if transaction is None:
        return v16.RemoteStopTransactionResponse(status="Rejected")
    response = yield from command(d, v201.RequestStopTransactionRequest(transactionId=transaction.txid))
    if response.statusInfo is not None:
        d.lose("statusInfo")
    return v16.RemoteStopTransactionResponse(status=response.status)


def unlock(d: Dialogue, request: v16.UnlockConnectorRequest) -> Rule:
    """1.6 unlocks whatever runs; 2.0.1 only what has ended: the transaction is stopped first."""
    facts, number = facts_of(d), request.connectorId
    if not is_connector(d, number):
        return v16.UnlockConnectorResponse(status="NotSupported")
    transaction = running_at(d, number)
    if transaction is not None and transaction.id_tag and options_of(d).unlock_stops_transaction:
        d.lose("RequestStopTransaction", "synthesised")
        facts.unlocking[number] = d.clock + round(END_WAIT * 1000)
        try:
            stopped = yield from command(d, v201.RequestStopTransactionRequest(transactionId=transaction.txid))
        except Refusal:
            pass  # whether it unlocks all the same is for the charger to say
        else:
            if stopped.statusInfo is not None:
                d.lose("statusInfo")
            if stopped.status == "Accepted":
                yield from d.wait(END_WAIT, lambda: transaction.ending)
        if not transaction.ending:
            facts.unlocking.pop(number, None)
    evse, connector = place_of(d, number)
    response = yield from command(d, v201.UnlockConnectorRequest(evseId=evse, connectorId=connector))
    if response.statusInfo is not None:
        d.lose("statusInfo")
    status = UNLOCK.down_or(response.status, "UnlockFailed")
    if status != response.status:
        d.lose("status", "folded")
    return v16.UnlockConnectorResponse(status=status)


# Triggers


def trigger(d: Dialogue, request: v16.TriggerMessageRequest) -> Rule:
    status = yield from _trigger(
        d, request.requestedMessage, TRIGGER.up_or(request.requestedMessage, "Heartbeat"), request.connectorId
    )
    yield from d.answer(v16.TriggerMessageResponse(status=status))
    yield from _station_too(d, request.requestedMessage, request.connectorId, status)
    return None


def extended_trigger(d: Dialogue, request: v16.ExtendedTriggerMessageRequest) -> Rule:
    message = EXTENDED_TRIGGER.up_or(request.requestedMessage, "Heartbeat")
    status = yield from _trigger(d, request.requestedMessage, message, request.connectorId)
    yield from d.answer(v16.ExtendedTriggerMessageResponse(status=status))
    yield from _station_too(d, request.requestedMessage, request.connectorId, status)
    return None


def _trigger(
    d: Dialogue, asked: str, message: v201.MessageTrigger, connector: int | None
) -> Generator[Ask, Any, v16.TriggerMessageStatus]:
    """A status has a connector in 2.0.1: a trigger for all of them is one per connector; the station's is the gateway's."""
    if connector is not None and connector > 0 and not is_connector(d, connector):
        return "Rejected"
    if message != "StatusNotification":
        evse = None
        if connector and message == "MeterValues":
            evse = target(d, connector)
        elif connector:
            d.lose("connectorId")
        return (yield from _ask(d, asked, message, evse, connector or 0))
    if connector == 0:
        return "Accepted"
    statuses = []
    for number in [connector] if connector else connectors(d):
        try:
            statuses.append((yield from _ask(d, asked, message, target(d, number), number)))
        except Refusal:
            if connector:
                raise
            statuses.append("Rejected")
    if "Accepted" in statuses or not statuses:
        return "Accepted"
    return "NotImplemented" if set(statuses) == {"NotImplemented"} else "Rejected"


def _ask(
    d: Dialogue, asked: str, message: v201.MessageTrigger, evse: v201.EVSE | None, number: int
) -> Generator[Ask, Any, v16.TriggerMessageStatus]:
    try:
        response = yield from command(d, v201.TriggerMessageRequest(requestedMessage=message, evse=evse))
    except Refusal as refusal:
        if refusal.code not in UNSUPPORTED:
            raise
        return "NotImplemented"
    if response.statusInfo is not None:
        d.lose("statusInfo")
    if response.status == "Accepted":
        expect(d, asked, number)
    return response.status


def _station_too(d: Dialogue, asked: str, connector: int | None, status: str) -> Rule:
    """The status of connector 0, which the charger does not have, follows the answer."""
    if asked == "StatusNotification" and not connector and status == "Accepted":
        yield from tell_station(d, format_time(d.clock))
    return None


FROM_CSMS: dict[str, Row] = {
    "ExtendedTriggerMessage": Talk(extended_trigger),
    "RemoteStartTransaction": Talk(remote_start),
    "RemoteStopTransaction": Talk(remote_stop),
    "TriggerMessage": Talk(trigger),
    "UnlockConnector": Talk(unlock),
}
