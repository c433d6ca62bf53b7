"""ReserveNow, CancelReservation of the CSMS, and what becomes of a reservation (spec 3.6, 5.1, 5.30)."""

from __future__ import annotations

from typing import Any

from ..dialogue import Dialogue, Row, Rule, Talk
from ..models import v16, v201
from ..tokens import id_tag_of
from ..topology import Unknown, one_connector_at
from ..values import parse_time, tidy_time
from .charger import ask, because, facts_of, options_of
from .remote_control import lose_token

BLOCK = "reservations"
"""Name in `facts.extra`: id as text -> {connector, expires (ms), told (status of the connector then)}; active ones only."""
_GONE = ("Faulted", "Unavailable")


def reserve(d: Dialogue, request: v201.ReserveNowRequest) -> Rule:
    """EVSE to connector, none to connector 0. A 1.6 charger does not tell its connector types."""
    connector = 0
    if request.evseId is not None:
        try:
            connector = one_connector_at(d, request.evseId)
        except Unknown as unknown:
            return v201.ReserveNowResponse(status="Rejected", statusInfo=because(unknown.reason))
        if request.connectorType is not None:
            d.lose("connectorType")
    elif request.connectorType is not None:
        return v201.ReserveNowResponse(status="Rejected", statusInfo=because("UnknownConnectorType"))
    facts, no_auth = facts_of(d), options_of(d).no_auth_idtag
    id_tag = id_tag_of(request.idToken, facts.tokens, no_auth=no_auth)
    lose_token(d, request.idToken, id_tag, "idToken")
    parent = None
    if request.groupIdToken is not None and request.groupIdToken.idToken:
        parent = id_tag_of(request.groupIdToken, facts.tokens, no_auth=no_auth)
        lose_token(d, request.groupIdToken, parent, "groupIdToken")
    elif request.groupIdToken is not None:
        d.lose("groupIdToken")
    expires = parse_time(request.expiryDateTime)
    command = v16.ReserveNowRequest(
        reservationId=request.id,
        connectorId=connector,
        expiryDate=tidy_time(request.expiryDateTime) or request.expiryDateTime,
        idTag=id_tag,
        parentIdTag=parent,
    )
    response = yield from ask(d, command)
    if response.status == "Accepted" and expires is not None:
        _active(d)[str(request.id)] = {"connector": connector, "expires": expires, "told": _told(d, connector)}
        _watch(d, str(request.id))
    return v201.ReserveNowResponse(status=response.status)


def cancel(d: Dialogue, request: v201.CancelReservationRequest) -> Rule:
    response = yield from ask(d, v16.CancelReservationRequest(reservationId=request.reservationId))
    if response.status == "Accepted":
        _active(d).pop(str(request.reservationId), None)
    return v201.CancelReservationResponse(status=response.status)


def _active(d: Dialogue) -> dict[str, dict[str, Any]]:
    active: dict[str, dict[str, Any]] = facts_of(d).extra.setdefault(BLOCK, {})
    return active


def _told(d: Dialogue, connector: int) -> str:
    known = facts_of(d).connectors.get(connector)
    return known.told if known is not None else ""


def used(d: Dialogue, id: int) -> None:
    """A transaction began on this reservation."""
    _active(d).pop(str(id), None)


def resume(d: Dialogue) -> None:
    """Watch the active reservations again: what watched them before a restart is gone."""
    for id in _active(d):
        _watch(d, id)


def _watch(d: Dialogue, id: str) -> None:
    """Tell the CSMS how a reservation ended, which a 1.6 charger does not: it expired, or its connector failed."""

    def fate(d: Dialogue) -> str:
        reservation = _active(d).get(id)
        if reservation is None:
            return "used"
        for number in {0, int(reservation["connector"])}:
            told = _told(d, number)
            if told in _GONE and not (number == reservation["connector"] and told == reservation["told"]):
                return "Removed"
        return "Expired" if d.clock >= reservation["expires"] else ""

    def watch(d: Dialogue) -> Rule:
        reservation = _active(d).get(id)
        while reservation is not None and _active(d).get(id) is reservation and not fate(d):
            left = (reservation["expires"] - d.clock) / 1000
            yield from d.wait(min(left, 86_400), lambda: bool(fate(d)))
        if reservation is None or _active(d).get(id) is not reservation:
            return None
        ending = fate(d)
        del _active(d)[id]
        if ending == "Removed" or ending == "Expired":
            d.lose("ReservationStatusUpdate", "synthesised")
            yield from d.ask(
                "csms",
                v201.ReservationStatusUpdateRequest(
                    reservationId=int(id), reservationUpdateStatus="Removed" if ending == "Removed" else "Expired"
                ),
            )
        return None

    d.spawn(watch, "ReservationStatusUpdate")


FROM_CSMS: dict[str, Row] = {
    "CancelReservation": Talk(cancel),
    "ReserveNow": Talk(reserve),
}
