"""StatusNotification: connector status, charging state and faults (spec 2.5, 2.6, 4.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

from ..dialogue import Dialogue, Refusal, Row, Rule, Silence, Talk
from ..facts import Connector, Transaction
from ..faults import FAULTS, STATION, Place
from ..models import v16, v201
from ..topology import place_of
from ..values import CHARGING_STATE, CONNECTOR_STATUS, Moment, charger_time, cut, format_time
from .charger import UNSUPPORTED
from .ledger import connector_of, insist, is_known, offline, open_at, told_state
from .monitoring import HARD_WIRED_SEVERITY, load
from .observation import Observed, availability, observe
from .upstream import ask, carried, event_id, trigger_served, triggered

AVAILABILITY_MONITOR: Final = 1
"""The gateway's fixed monitor on ChargingStation.AvailabilityState (spec 3.10)."""
STATION_FAULT: Final = "Faulted"
"""Stands among the active errors of connector 0 for its status Faulted."""

Send = Callable[[Dialogue], Rule]
"""One message to the CSMS, and what its acknowledgement changes."""


def status(d: Dialogue, request: v16.StatusNotificationRequest) -> Rule:
    """Up to four messages: the first decides about the charger's answer, the others follow it."""
    number = request.connectorId
    if request.status not in CONNECTOR_STATUS:
        if str(request.status) != "Occupied":  # a word of 1.5 that some 1.6 chargers still use
            raise Refusal("PropertyConstraintViolation", "status")
        request.status = "Preparing"
    connector = connector_of(d, number)
    moment = charger_time(request.timestamp, d.now)
    if request.timestamp and moment.substituted:
        d.lose("timestamp", "defaulted")
    connector.status, connector.since, connector.heard = request.status, moment.text, d.now
    transaction = open_at(d, number) if number > 0 else None
    if transaction is not None and not is_known(transaction):
        transaction = None
    sends = _sends(d, request, moment, connector, transaction)
    for index, send in enumerate(sends):
        if index == 0:
            try:
                yield from send(d)
            except Refusal as refusal:
                if refusal.code not in UNSUPPORTED:  # a CSMS without this message will not take a repetition either
                    raise
            yield from d.answer(v16.StatusNotificationResponse())
            continue
        try:
            yield from send(d)
        except Refusal:
            continue
        except Silence:
            if d.early:
                raise  # the charger has its answer, the CSMS is told later
    return v16.StatusNotificationResponse()


def _sends(
    d: Dialogue,
    request: v16.StatusNotificationRequest,
    moment: Moment,
    connector: Connector,
    transaction: Transaction | None,
) -> list[Send]:
    """What the CSMS is to hear, in order: connector status, charging state, faults, reservations."""
    number = request.connectorId
    sends: list[Send] = []
    wanted = triggered(d, "StatusNotification", number)
    now = CONNECTOR_STATUS[request.status]
    news = connector.told != now or (connector.news and not d.early) or wanted
    custom = _words(d, request)
    if number == 0 and load(d).level < HARD_WIRED_SEVERITY:  # the CSMS does not want to hear of it (N05.FR.03)
        connector.told, news, custom = now, False, None
    told = custom is not None or (news and not d.early)
    if news and not told:
        d.owe()
    if request.vendorId and custom is None:
        d.lose("vendorId")
    if told:
        sends.append(lambda d: tell_status(d, number, moment.text, custom, wanted=wanted))
    if transaction is not None:
        state = _state(request, transaction, moment)
        if state is not None:
            sends.append(state)
    sends.extend(_faults(request, moment, connector, transaction))
    _lose_words(d, request, connector, custom)
    if not sends:
        d.lose("StatusNotification", "folded")
    if load(d).custom:
        seen = _seen(d, request, moment, connector)
        uuid = transaction.uuid if transaction is not None else None
        sends.append(lambda d: observe(d, seen, uuid))
    return sends


def _words(d: Dialogue, request: v16.StatusNotificationRequest) -> dict[str, object] | None:
    """customData with all that the charger said, if the upstream is to get it: then every status is told."""
    error = request.errorCode if request.errorCode != "NoError" else None
    return carried(
        d,
        status=request.status,
        info=request.info,
        errorCode=error,
        vendorErrorCode=request.vendorErrorCode,
        vendorId16=request.vendorId,
    )


def _lose_words(
    d: Dialogue, request: v16.StatusNotificationRequest, connector: Connector, custom: dict[str, object] | None
) -> None:
    """What the charger says of its status that no message tells: an error that is news takes the words along."""
    code: str = request.errorCode if request.errorCode in FAULTS else "OtherError"
    news = request.errorCode != "NoError" and code not in connector.errors
    raised = news or (request.connectorId == 0 and request.status == "Faulted" and not connector.errors)
    if request.info and custom is None and not raised:
        d.lose("info")
    if request.vendorErrorCode and custom is None and not raised:
        d.lose("vendorErrorCode")
    unknown = request.errorCode not in FAULTS and request.errorCode != "NoError"
    if unknown and custom is None and request.vendorErrorCode:
        d.lose("errorCode", "folded")
    if custom is None and CONNECTOR_STATUS[request.status] != request.status:
        d.lose("status", "folded")


def _seen(d: Dialogue, request: v16.StatusNotificationRequest, moment: Moment, connector: Connector) -> list[Observed]:
    """What a status says of variables that a monitor may watch."""
    number, now = request.connectorId, CONNECTOR_STATUS[request.status]
    # As it was before this status: decided again, the CSMS has heard a part of it already.
    told = d.once("told", lambda: connector.told)
    errors = d.once("errors", lambda: sorted(connector.errors))
    evse, place = place_of(d, number) if number > 0 else (0, 0)
    if number > 0:
        seen = availability(d, number, now, moment.text, told)
    else:
        seen = [Observed("ChargingStation", "AvailabilityState", 0, 0, now, None, moment.text, told)]
    active = {request.errorCode} if request.errorCode != "NoError" else set()
    for code in sorted({*errors, *active}):
        if code in FAULTS or code == STATION_FAULT:
            at = _place(code, number)
            value = "true" if code in active or request.errorCode != "NoError" else "false"
            tiers = {"station": (0, 0), "evse": (evse, 0), "connector": (evse, place)}
            before = "true" if code in errors else "false"
            seen.append(Observed(at.component, at.variable, *tiers[at.tier], value, None, moment.text, before))
    return seen


def tell_status(
    d: Dialogue, number: int, timestamp: str, custom: dict[str, object] | None = None, *, wanted: bool = False
) -> Rule:
    """Tell the CSMS the present status of a connector; connector 0 is the station's availability, an event."""
    connector = connector_of(d, number)
    now = CONNECTOR_STATUS[cast(v16.ChargePointStatus, connector.status)]
    if connector.told != now:
        connector.told = ""  # until it answers, nobody knows which of the two it has heard last
    if number > 0:
        evse, place = place_of(d, number)
        yield from ask(
            d,
            v201.StatusNotificationRequest(
                timestamp=timestamp, connectorStatus=now, evseId=evse, connectorId=place, customData=custom
            ),
        )
    else:
        event = v201.EventData(
            eventId=event_id(d, "availability"),
            timestamp=timestamp,
            trigger="Delta",
            actualValue=now,
            eventNotificationType="HardWiredMonitor",
            variableMonitoringId=AVAILABILITY_MONITOR,
            component=v201.Component(name="ChargingStation"),
            variable=v201.Variable(name="AvailabilityState"),
            customData=custom,
        )
        yield from notify(d, event)
    connector.told, connector.news = now, False
    if wanted:
        trigger_served(d, "StatusNotification", number)
    return None


def notify(d: Dialogue, event: v201.EventData) -> Rule:
    """Send one event."""
    yield from ask(d, v201.NotifyEventRequest(generatedAt=format_time(d.clock), seqNo=0, eventData=[event]))
    return None


def _state(request: v16.StatusNotificationRequest, transaction: Transaction, moment: Moment) -> Send | None:
    """The Updated event of a charging state that changed, or of a fault, once."""
    told = transaction.charging_state
    state: v201.ChargingState | None = CHARGING_STATE.get(request.status)
    reason: v201.TriggerReason = "ChargingStateChanged"
    fault = request.status == "Faulted"
    if fault:
        state = "SuspendedEVSE" if told in ("Charging", "SuspendedEV") else None
        reason = "AbnormalCondition"
    elif request.status == "SuspendedEV" and "ev side disconnected" in (request.info or "").casefold():
        state, reason = "Idle", "EVCommunicationLost"
    elif request.status == "Available" and transaction.charged:
        reason = "EVCommunicationLost"
    if not fault:
        transaction.fault_reported = False
    if state == told:
        state = None
    if (state is None and not fault) or (fault and transaction.fault_reported):
        return None

    def send(d: Dialogue) -> Rule:
        event = v201.TransactionEventRequest(
            eventType="Updated",
            timestamp=moment.text,
            triggerReason=reason,
            seqNo=0,
            transactionInfo=v201.Transaction(transactionId=transaction.uuid, chargingState=state),
            offline=offline(d, moment.ms),
        )
        yield from insist(d, transaction, f"state {moment.text} {request.status}", event)
        told_state(transaction, state)
        transaction.fault_reported = fault
        return None

    return send


def _faults(
    request: v16.StatusNotificationRequest, moment: Moment, connector: Connector, transaction: Transaction | None
) -> list[Send]:
    """One event for an error that is new, one for each that is over."""
    number, vendor_code, info = request.connectorId, request.vendorErrorCode, request.info
    code: str = request.errorCode
    if code != "NoError" and code not in FAULTS:
        code, vendor_code = "OtherError", vendor_code or request.errorCode
    active = connector.errors
    raised: list[str] = []
    cleared: list[str] = []
    if code == "NoError":
        cleared = [each for each in active if each != STATION_FAULT]
    elif code not in active:
        raised.append(code)
    if number == 0:
        told = any(_place(each, 0) == STATION for each in [*active, *raised])
        if request.status == "Faulted" and not told:
            raised.append(STATION_FAULT)
        elif request.status != "Faulted" and STATION_FAULT in active:
            cleared.append(STATION_FAULT)
    uuid = transaction.uuid if transaction is not None else None

    def rise(each: str) -> Send:
        tech_code = cut(vendor_code or (request.errorCode if each == STATION_FAULT else each), 50)
        prefixed = f"{each}: {info}" if info else each
        tech_info = prefixed if vendor_code else info
        if each == STATION_FAULT:
            tech_info = info

        def send(d: Dialogue) -> Rule:
            yield from notify(
                d,
                _alert(d, each, number, moment, tech_code, uuid, tech_info=cut(tech_info, 500) if tech_info else None),
            )
            active[each] = tech_code
            return None

        return send

    def clear(each: str) -> Send:
        def send(d: Dialogue) -> Rule:
            yield from notify(d, _alert(d, each, number, moment, active[each], uuid, cleared=True))
            active.pop(each, None)
            return None

        return send

    return [*map(rise, raised), *map(clear, cleared)]


def _place(code: str, number: int) -> Place:
    if code == STATION_FAULT or (code == "OtherError" and number == 0):
        return STATION
    return FAULTS[cast(v16.ChargePointErrorCode, code)]


def _alert(
    d: Dialogue,
    code: str,
    number: int,
    moment: Moment,
    tech_code: str,
    uuid: str | None,
    *,
    tech_info: str | None = None,
    cleared: bool = False,
) -> v201.EventData:
    place = _place(code, number)
    evse = None
    if number > 0 and place.tier != "station":
        id, connector = place_of(d, number)
        evse = v201.EVSE(id=id, connectorId=connector if place.tier == "connector" else None)
    return v201.EventData(
        eventId=event_id(d, f"{code} {cleared}"),
        timestamp=moment.text,
        trigger="Alerting",
        actualValue="false" if cleared else "true",
        cleared=True if cleared else None,
        techCode=tech_code,
        techInfo=tech_info,
        eventNotificationType="HardWiredNotification",
        transactionId=uuid,
        component=v201.Component(name=place.component, evse=evse),
        variable=v201.Variable(name=place.variable),
        customData=carried(d, told=True),
    )


FROM_CHARGER: dict[str, Row] = {"StatusNotification": Talk(status)}
