"""SendLocalList, GetLocalListVersion, ReserveNow and CancelReservation of the CSMS (spec 3.8, 7.1, 7.10, 7.14, 7.16)."""

from __future__ import annotations

import msgspec

from ..dialogue import Dialogue, Refusal, Row, Rule, Talk
from ..enums import SEND_LOCAL_LIST
from ..models import v16, v201
from ..tokens import clean_id_tag, group_token_of, id_token_info, id_token_of
from ..topology import is_connector, place_of
from ..values import tidy_time
from .peers import UNSUPPORTED, command
from .state import facts_of, options_of


def token_of(d: Dialogue, id_tag: str) -> v201.IdToken:
    """The token that an idTag stands for."""
    options = options_of(d)
    return id_token_of(
        clean_id_tag(id_tag),
        facts_of(d).tokens,
        no_auth=options.no_auth_idtag,
        default_type=options.idtoken_default_type,
    )


def get_version(d: Dialogue, request: v16.GetLocalListVersionRequest) -> Rule:
    """A charger without local lists has none: -1."""
    try:
        response = yield from command(d, v201.GetLocalListVersionRequest())
    except Refusal as refusal:
        if refusal.code not in UNSUPPORTED:
            raise
        return v16.GetLocalListVersionResponse(listVersion=-1)
    return v16.GetLocalListVersionResponse(listVersion=response.versionNumber)


def send(d: Dialogue, request: v16.SendLocalListRequest) -> Rule:
    """A list longer than the charger takes at once goes in parts whose versions lead up to the wanted one."""
    facts, version = facts_of(d), request.listVersion
    failed = v16.SendLocalListResponse(status="Failed")
    if version <= 0:
        return failed
    entries = _entries(d, request)
    size = _part_size(d) or max(1, len(entries))
    parts = [entries[start : start + size] for start in range(0, len(entries), size)] or [[]]
    first = version - len(parts) + 1
    differential = request.updateType == "Differential"
    if len(parts) > 1 and (first <= 0 or (differential and first <= facts.local_list_version)):
        return failed
    for number, part in enumerate(parts):
        full = number == 0 and not differential
        response = yield from command(
            d,
            v201.SendLocalListRequest(
                versionNumber=first + number,
                updateType="Full" if full else "Differential",
                localAuthorizationList=[each for _, each in part] or None,
            ),
        )
        if response.statusInfo is not None:
            d.lose("statusInfo")
        if response.status != "Accepted":
            return v16.SendLocalListResponse(status=SEND_LOCAL_LIST.down_or(response.status, "Failed"))
        if full:
            facts.local_list = {}
        for given, _ in part:
            if given.idTagInfo is None:
                facts.local_list.pop(given.idTag.casefold(), None)
            elif len(facts.local_list) < 1000:
                facts.local_list[given.idTag.casefold()] = msgspec.to_builtins(given.idTagInfo)
        facts.local_list_version = first + number
    return v16.SendLocalListResponse(status="Accepted")


def _part_size(d: Dialogue) -> int:
    known = facts_of(d).model.get("localauthlistctrlr.itemspermessage")
    text = known.value.strip() if known is not None else ""
    return int(text) if text.isdecimal() and len(text) < 7 else 0


def _entries(
    d: Dialogue, request: v16.SendLocalListRequest
) -> list[tuple[v16.AuthorizationData, v201.AuthorizationData]]:
    found = []
    for entry in request.localAuthorizationList or ():
        if entry.idTagInfo is None and request.updateType == "Full":
            d.lose("localAuthorizationList.idTagInfo", "defaulted")
            entry.idTagInfo = v16.IdTagInfo(status="Accepted")
        info = id_token_info(entry.idTagInfo, facts_of(d).tokens) if entry.idTagInfo is not None else None
        found.append((entry, v201.AuthorizationData(idToken=token_of(d, entry.idTag), idTokenInfo=info)))
    return found


def reserve(d: Dialogue, request: v16.ReserveNowRequest) -> Rule:
    """Connector 0 is any EVSE."""
    number = request.connectorId
    if number and not is_connector(d, number):
        return v16.ReserveNowResponse(status="Rejected")
    group = request.parentIdTag
    response = yield from command(
        d,
        v201.ReserveNowRequest(
            id=request.reservationId,
            expiryDateTime=tidy_time(request.expiryDate) or request.expiryDate,
            idToken=token_of(d, request.idTag),
            evseId=place_of(d, number)[0] if number else None,
            groupIdToken=group_token_of(group, facts_of(d).tokens) if group else None,
        ),
    )
    if response.statusInfo is not None:
        d.lose("statusInfo")
    return v16.ReserveNowResponse(status=response.status)


def cancel(d: Dialogue, request: v16.CancelReservationRequest) -> Rule:
    response = yield from command(d, v201.CancelReservationRequest(reservationId=request.reservationId))
    if response.statusInfo is not None:
        d.lose("statusInfo")
    return v16.CancelReservationResponse(status=response.status)


FROM_CSMS: dict[str, Row] = {
    "CancelReservation": Talk(cancel),
    "GetLocalListVersion": Talk(get_version),
    "ReserveNow": Talk(reserve),
    "SendLocalList": Talk(send),
}
