"""ChangeAvailability, ClearCache, DataTransfer, Reset, UnlockConnector of the CSMS (spec 5.3, 5.4, 5.10, 5.31, 5.38)."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from ..dialogue import Dialogue, Refusal, Row, Rule, Silence, Talk
from ..enums import UNLOCK, worst
from ..models import v16, v201
from ..models.base import ABSENT
from ..topology import Unknown, connector_at, connectors_at
from ..values import json_text
from .charger import ask, because, facts_of, options_of, running
from .ledger import is_given_up, runs

RESET_LASTS = 600_000
"""A reset explains a boot for 10 minutes (spec 3.11)."""

_AVAILABILITY: tuple[v16.AvailabilityStatus, ...] = ("Rejected", "Scheduled", "Accepted")


def change_availability(d: Dialogue, request: v201.ChangeAvailabilityRequest) -> Rule:
    """Connector 0 for the station; an EVSE with several connectors is several commands, the worst answer wins."""
    try:
        if request.evse is None:
            targets = [0]
        elif request.evse.connectorId is None:
            targets = connectors_at(d, request.evse.id)
        else:
            targets = [connector_at(d, request.evse.id, request.evse.connectorId)]
    except Unknown as unknown:
        return v201.ChangeAvailabilityResponse(status="Rejected", statusInfo=because(unknown.reason))
    answers: list[v16.AvailabilityStatus] = []
    for number in targets:
        command = v16.ChangeAvailabilityRequest(connectorId=number, type=request.operationalStatus)
        response = yield from ask(d, command)
        answers.append(response.status)
    return v201.ChangeAvailabilityResponse(status=worst(answers, _AVAILABILITY))


def clear_cache(d: Dialogue, request: v201.ClearCacheRequest) -> Rule:
    """The gateway's own verdicts are forgotten with the charger's."""
    response = yield from ask(d, v16.ClearCacheRequest())
    facts_of(d).authorizations.clear()
    return v201.ClearCacheResponse(status=response.status)


def reset(d: Dialogue, request: v201.ResetRequest) -> Rule:
    """Immediate is Hard; OnIdle is Soft, held back until no transaction runs, because a 1.6 Soft reset ends them."""
    if request.evseId is not None:
        return v201.ResetResponse(status="Rejected", statusInfo=because("UnsupportedParam"))
    facts = facts_of(d)
    kind: v16.ResetType = "Soft"
    if request.type == "Immediate":
        kind = options_of(d).immediate_reset_as
    elif _busy(d):
        facts.reset_when_idle = True
        return v201.ResetResponse(status="Scheduled")
    try:
        response = yield from ask(d, v16.ResetRequest(type=kind))
    except Silence:
        _expect_boot(d, "RemoteReset")  # it may well have gone down before it answered
        raise
    if response.status == "Accepted":
        facts.reset_when_idle = False
        _expect_boot(d, "RemoteReset")
    return v201.ResetResponse(status=response.status)


def _busy(d: Dialogue) -> bool:
    """Whether a transaction keeps an OnIdle reset waiting."""
    return any(not is_given_up(d, each) for each in running(d))


def after_ended(d: Dialogue) -> Rule:
    """Carry out a Reset that waited for the last transaction to end. For `d.spawn` or `yield from` after an Ended."""
    facts = facts_of(d)
    if not facts.reset_when_idle or _busy(d):
        return None
    try:
        response = yield from d.ask("charger", v16.ResetRequest(type="Soft"))
    except (Refusal, Silence) as failure:
        facts.reset_when_idle = False
        if isinstance(failure, Silence):
            _expect_boot(d, "ScheduledReset")
        return None
    facts.reset_when_idle = False
    if response.status == "Accepted":
        _expect_boot(d, "ScheduledReset")
    return None


def after_given_up(d: Dialogue) -> Rule:
    """The CSMS was silent to an end: a moment later it is known whether that is told again."""
    if facts_of(d).reset_when_idle:
        yield from d.wait(1)
        yield from after_ended(d)
    return None


def resume(d: Dialogue) -> None:
    """After a restart: a Reset that waited for the last transaction to end, which may have ended."""
    if facts_of(d).reset_when_idle:
        d.spawn(after_ended, "Reset")


def _expect_boot(d: Dialogue, reason: v201.BootReason) -> None:
    facts = facts_of(d)
    facts.reset, facts.reset_expires = reason, d.clock + RESET_LASTS


def data_transfer(d: Dialogue, request: v201.DataTransferRequest) -> Rule:
    """1.6 data is a string: anything else travels as its JSON text."""
    command = v16.DataTransferRequest(
        vendorId=request.vendorId, messageId=request.messageId, data=json_text(request.data) if request.data else None
    )
    response = yield from ask(d, command)
    data = Raw(msgspec.json.encode(response.data)) if response.data is not None else ABSENT
    return v201.DataTransferResponse(status=response.status, data=data)


def unlock_connector(d: Dialogue, request: v201.UnlockConnectorRequest) -> Rule:
    """Not while an authorised transaction runs: a 1.6 charger would end it, a 2.x one must not (F05.FR.02)."""
    try:
        number = connector_at(d, request.evseId, request.connectorId)
    except Unknown:
        return v201.UnlockConnectorResponse(status="UnknownConnector")
    if any(each.auth_status in ("", "Accepted") for each in running(d, number) if runs(d, each)):
        return v201.UnlockConnectorResponse(status="OngoingAuthorizedTransaction")
    response = yield from ask(d, v16.UnlockConnectorRequest(connectorId=number))
    info = because("UnsupportedRequest") if response.status == "NotSupported" else None
    if info is not None:
        d.lose("status", "folded")
    return v201.UnlockConnectorResponse(status=UNLOCK.up(response.status), statusInfo=info)


FROM_CSMS: dict[str, Row] = {
    "ChangeAvailability": Talk(change_availability),
    "ClearCache": Talk(clear_cache),
    "DataTransfer": Talk(data_transfer),
    "Reset": Talk(reset),
    "UnlockConnector": Talk(unlock_connector),
}
