"""Connector status: 1.6 has one word for what 2.0.1 says in three places (spec 2.5, 6.19)."""

from __future__ import annotations

import re
from typing import Any, Final, cast, get_args

from ..dialogue import Dialogue, Refusal, Row, Rule, Silence, Talk
from ..models import v16, v201
from ..values import charger_time, cut, format_time
from . import carried
from .ledger import running_at
from .peers import tell, trigger_served, triggered, try_again
from .places import number_of
from .state import Fault, Transaction, connector_of, facts_of

UNPLUGGED = "EV side disconnected"
"""info of a transaction that goes on without an EV."""
_PROBLEM: Final = re.compile(r"chargingstation\|[^|]*\|problem\|")
"""Faults that are of the station as a whole: its Problem, not what it measures."""


def status(d: Dialogue, request: v201.StatusNotificationRequest) -> Rule:
    """Told if it makes another 1.6 status than the last one, or if the CSMS asked for it."""
    moment = charger_time(request.timestamp, d.now)
    if moment.substituted:
        d.lose("timestamp", "defaulted")
    custom = carried.own(d, request.customData)
    if custom is not None and request.evseId > 0:
        carried.heed(d, request)
        number = number_of(d, request.evseId, request.connectorId)
        connector_of(d, number).status = request.connectorStatus
        yield from tell_words(d, number, custom, request.connectorStatus, moment.text)
    else:
        yield from reported(d, request.evseId, request.connectorId, request.connectorStatus, moment.text)
    return v201.StatusNotificationResponse()


def tell_words(d: Dialogue, number: int, custom: dict[str, Any], status: str, at: str) -> Rule:
    """The status in the words of a 1.6 charger behind another gateway."""
    place = connector_of(d, number)
    place.since = at
    word, code = carried.text(custom, "status", 20), carried.text(custom, "errorCode", 50)
    now = word if word in get_args(v16.ChargePointStatus) else "Preparing" if status == "Occupied" else status
    _doubt(d, number, str(now))
    yield from tell(
        d,
        v16.StatusNotificationRequest(
            connectorId=number,
            errorCode=cast(v16.ChargePointErrorCode, code if code in get_args(v16.ChargePointErrorCode) else "NoError"),
            status=cast(v16.ChargePointStatus, now),
            info=carried.text(custom, "info", 50),
            vendorErrorCode=carried.text(custom, "vendorErrorCode", 50),
            vendorId=carried.text(custom, "vendorId16", 255),
            timestamp=at,
        ),
    )
    place.told = str(now)
    if triggered(d, "StatusNotification", number):
        trigger_served(d, "StatusNotification", number)
    return None


def reported(d: Dialogue, evse: int, connector: int | None, now: str, at: str) -> Rule:
    """The charger has reported the status of a connector."""
    number = number_of(d, evse, connector)
    if number == 0:
        d.lose("evseId")
        return None
    if now not in ("Available", "Occupied", "Reserved", "Unavailable", "Faulted"):
        raise Refusal("PropertyConstraintViolation", "connectorStatus")
    place = connector_of(d, number)
    place.status, place.since = now, at
    transaction = running_at(d, number)
    if now == "Available":
        place.finishing = False
        if transaction is not None:
            transaction.freed = True
    elif now == "Occupied":
        place.occupied_at = d.now
        if transaction is not None:
            transaction.freed = False
    yield from tell_changed(d, number, at, wanted=triggered(d, "StatusNotification", number))
    return None


def status_of(d: Dialogue, number: int) -> v16.ChargePointStatus | None:
    """The 1.6 status of a connector; None if nothing is known that would make one."""
    place = connector_of(d, number)
    if place.status in ("Unavailable", "Faulted"):
        return cast(v16.ChargePointStatus, place.status)
    transaction = running_at(d, number)
    if transaction is not None and transaction.state == "open" and not transaction.freed:
        return _while_open(transaction) or ("Preparing" if place.status == "Occupied" else None)
    if place.status == "Occupied" or (not place.status and place.finishing):
        return "Finishing" if place.finishing and transaction is None else "Preparing"
    return cast(v16.ChargePointStatus, place.status) if place.status else None


def _while_open(transaction: Transaction) -> v16.ChargePointStatus | None:
    """The status that a transaction's chargingState and its history make; None: none but that of before."""
    match transaction.charging_state:
        case "Charging" | "SuspendedEV" | "SuspendedEVSE" as state:
            return state
        case "EVConnected":
            if not transaction.charged:
                return None
            return "Finishing" if transaction.stopping else "SuspendedEV"
        case "Idle":
            return "SuspendedEV" if transaction.connected else None
    return None


def is_changed(d: Dialogue, number: int) -> bool:
    """Whether the CSMS has been told another status than the present one."""
    now = status_of(d, number)
    return now is not None and now != connector_of(d, number).told


def tell_changed(d: Dialogue, number: int, at: str, *, wanted: bool = False) -> Rule:
    """Tell the CSMS the status of a connector if it is news. What was away is told when the CSMS is back."""
    if number == 0:
        return None
    if facts_of(d).carried and d.action == "TransactionEvent":
        return None  # the gateway behind the charger's side tells it in the charger's own words
    connector_of(d, number).since = at
    waits = d.early and d.action in ("StatusNotification", "TransactionEvent")
    news = wanted or is_changed(d, number)
    if waits and news:
        d.owe()
    if waits or not news:
        if d.action == "StatusNotification":  # it makes no other 1.6 status than the one that was told
            d.lose("connectorStatus", "folded")
            for name in ("timestamp", "evseId", "connectorId"):
                d.lose(name)
        return None
    yield from tell_status(d, number, at)
    if wanted:
        trigger_served(d, "StatusNotification", number)
    return None


def tell_status(d: Dialogue, number: int, at: str) -> Rule:
    """Tell the CSMS the present status of a connector, with the error that it has."""
    place = connector_of(d, number)
    now = status_of(d, number) or cast(v16.ChargePointStatus, place.told or "Available")
    fault = _newest(place.faults)
    code = fault.code if fault is not None else "OtherError" if now == "Faulted" else "NoError"
    transaction = running_at(d, number)
    unplugged = transaction is not None and transaction.state == "open" and transaction.charging_state == "Idle"
    info = fault.tech_info if fault is not None else UNPLUGGED if unplugged and now == "SuspendedEV" else ""
    if len(info) > 50:
        d.lose("techInfo", "shortened")
    yield from send_status(d, number, now, code, at, info, fault.tech_code if fault is not None else "")
    return None


def send_status(d: Dialogue, number: int, now: str, code: str, at: str, info: str = "", vendor_code: str = "") -> Rule:
    """One StatusNotification."""
    _doubt(d, number, now)
    yield from tell(
        d,
        v16.StatusNotificationRequest(
            connectorId=number,
            errorCode=cast(v16.ChargePointErrorCode, code),
            status=cast(v16.ChargePointStatus, now),
            info=cut(info, 50) or None,
            vendorErrorCode=cut(vendor_code, 50) or None,
            timestamp=at,
        ),
    )
    connector_of(d, number).told = now
    return None


def _doubt(d: Dialogue, number: int, now: str) -> None:
    """Until it answers, nobody knows which of two statuses the CSMS has heard last."""
    place = connector_of(d, number)
    if place.told != now:
        place.told = ""


def _newest(faults: dict[str, Fault]) -> Fault | None:
    return faults[next(reversed(faults))] if faults else None


# Connector 0


def station_status(d: Dialogue) -> v16.ChargePointStatus:
    """The status of the whole station, which 2.0.1 does not report."""
    facts = facts_of(d)
    if any(_PROBLEM.match(name) for name in connector_of(d, 0).faults):
        return "Faulted"
    return "Unavailable" if facts.inoperative else "Available"


def tell_station(d: Dialogue, at: str) -> Rule:
    """Connector 0 has its status from the gateway."""
    d.lose("StatusNotification", "synthesised")
    fault = _newest(connector_of(d, 0).faults)
    code = fault.code if fault is not None else "NoError"
    info, vendor_code = (fault.tech_info, fault.tech_code) if fault is not None else ("", "")
    if len(info) > 50:
        d.lose("techInfo", "shortened")
    try:
        yield from send_status(d, 0, station_status(d), code, at, info, vendor_code)
    except (Refusal, Silence):
        pass  # nobody waits for it
    return None


def back(d: Dialogue) -> Rule:
    """The CSMS is back: tell it the statuses that changed meanwhile."""
    try_again(facts_of(d))
    for number in sorted(facts_of(d).connectors):
        if number and is_changed(d, number):
            try:
                yield from tell_status(d, number, connector_of(d, number).since or format_time(d.clock))
            except Refusal:
                continue
            except Silence:
                d.owe()
                return None
    return None


FROM_CHARGER: dict[str, Row] = {"StatusNotification": Talk(status)}
