"""ChangeAvailability, ClearCache, DataTransfer and Reset of the CSMS (spec 7.2, 7.4, 7.6, 7.15)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import msgspec
from msgspec import Raw

from ..dialogue import Dialogue, Refusal, Row, Rule, Talk
from ..enums import COST_VENDOR, PNC_VENDOR, RESET, RESET_STATUS
from ..models import v16, v201
from ..models.base import ABSENT, is_plain
from ..topology import is_connector
from ..values import cut, format_time, json_text
from .availability import tell_station
from .ledger import find
from .peers import command
from .places import target
from .state import connector_of, facts_of, has, options_of
from .tunnel import tunnelled_actions, untunnel

RESET_MS: Final = 600_000
"""A reset explains an end for 10 minutes (spec 3.11)."""


def change_availability(d: Dialogue, request: v16.ChangeAvailabilityRequest) -> Rule:
    """The station, an EVSE, or one connector of an EVSE with several. The station's status is the gateway's to tell."""
    facts, number = facts_of(d), request.connectorId
    if number and not is_connector(d, number):
        return v16.ChangeAvailabilityResponse(status="Rejected")
    evse = target(d, number, connector=False) if number else None
    response = yield from command(d, v201.ChangeAvailabilityRequest(operationalStatus=request.type, evse=evse))
    if response.statusInfo is not None:
        d.lose("statusInfo")
    yield from d.answer(v16.ChangeAvailabilityResponse(status=response.status))
    if number == 0 and response.status == "Accepted":
        facts.inoperative = request.type == "Inoperative"
        told = connector_of(d, 0).told
        if (facts.inoperative and told != "Unavailable") or (not facts.inoperative and told == "Unavailable"):
            yield from tell_station(d, format_time(d.clock))
    return None


def clear_cache(d: Dialogue, request: v16.ClearCacheRequest) -> Rule:
    """The gateway's own verdicts are forgotten with the charger's."""
    response = yield from command(d, v201.ClearCacheRequest())
    facts_of(d).authorizations.clear()
    if response.statusInfo is not None:
        d.lose("statusInfo")
    return v16.ClearCacheResponse(status=response.status)


def reset(d: Dialogue, request: v16.ResetRequest) -> Rule:
    """Hard is Immediate, Soft is OnIdle unless the option says otherwise; a scheduled one is accepted."""
    facts = facts_of(d)
    kind = options_of(d).soft_reset_as if request.type == "Soft" else RESET.up(request.type)
    response = yield from command(d, v201.ResetRequest(type=kind))
    if response.statusInfo is not None:
        d.lose("statusInfo")
    if response.status != "Rejected":
        facts.reset, facts.reset_expires = request.type, d.clock + RESET_MS
    if response.status == "Scheduled":
        d.lose("status", "folded")
    return v16.ResetResponse(status=RESET_STATUS.down_or(response.status, "Rejected"))


def data_transfer(d: Dialogue, request: v16.DataTransferRequest) -> Rule:
    """A tunnelled 2.0.1 command becomes the command itself, a price what the charger shows; the rest stays as it is."""
    vendor, message = request.vendorId.casefold(), request.messageId or ""
    if message in tunnelled_actions(d, vendor):
        return (yield from untunnel(d, vendor, message, request.data or ""))
    if vendor == PNC_VENDOR:
        return v16.DataTransferResponse(status="UnknownMessageId")
    if vendor == COST_VENDOR and has(d, "costmsg"):
        return (yield from _cost(d, message, request.data or ""))
    data = Raw(msgspec.json.encode(request.data)) if request.data is not None else ABSENT
    response = yield from command(
        d, v201.DataTransferRequest(vendorId=request.vendorId, messageId=request.messageId, data=data)
    )
    if response.statusInfo is not None:
        d.lose("statusInfo")
    return v16.DataTransferResponse(status=response.status, data=json_text(response.data) if response.data else None)


class _Cost(msgspec.Struct):
    transactionId: int
    cost: Decimal


class _Price(msgspec.Struct):
    priceText: str = ""
    priceTextExtra: list[dict[str, Any]] = []


def _cost(d: Dialogue, message: str, text: str) -> Rule:
    """The OCA's cost messages (spec 7.6, 10)."""
    facts = facts_of(d)
    try:
        if message == "SetUserPrice":
            price = msgspec.json.decode(text, type=_Price)
            if price.priceTextExtra:
                d.lose("data.priceTextExtra")
            if price.priceText:
                shown = v201.MessageContent(format="UTF8", content=cut(price.priceText, 512))
                facts.message = msgspec.to_builtins(shown)
            return v16.DataTransferResponse(status="Accepted")
        if message not in ("RunningCost", "FinalCost"):
            return v16.DataTransferResponse(status="UnknownMessageId")
        cost = msgspec.json.decode(text, type=_Cost)
    except msgspec.MsgspecError:
        return v16.DataTransferResponse(status="Rejected")
    meant = [each for each in [*facts.ended, *facts.transactions] if each.bound and each.tid == cost.transactionId]
    newest = max(meant, key=lambda each: each.bound, default=None)
    if newest is None or find(d, newest.txid) is None or not is_plain(cost.cost):
        return v16.DataTransferResponse(status="Rejected")
    d.lose("data", "folded")
    try:
        yield from command(d, v201.CostUpdatedRequest(totalCost=cost.cost, transactionId=newest.txid))
    except Refusal:
        return v16.DataTransferResponse(status="Rejected")
    return v16.DataTransferResponse(status="Accepted")


FROM_CSMS: dict[str, Row] = {
    "ChangeAvailability": Talk(change_availability),
    "ClearCache": Talk(clear_cache),
    "DataTransfer": Talk(data_transfer),
    "Reset": Talk(reset),
}
