"""NotifyEvent: faults of the charger's components are errors of its connectors in 1.6 (spec 2.6, 6.12)."""

from __future__ import annotations

from ..dialogue import Dialogue, Refusal, Row, Rule, Silence, Talk
from ..faults import error_code
from ..models import v16, v201
from ..topology import evses
from ..values import charger_time, cut
from . import carried
from .availability import reported, send_status, station_status, status_of, tell_status, tell_words
from .places import number_of
from .state import Fault, connector_of, facts_of
from .tunnel import offer

FAULTS_MOST = 32
_TRUE = ("true", "1")
_FALSE = ("false", "0")
_MEASURED = ("acvoltage", "dcvoltage", "signalstrength", "temperature")
"""Variables whose value is a number: only an alert tells that it is a fault."""
_ABOVE = ("over", "upper", "high", "max")
_BELOW = ("under", "lower", "low", "min")


def notify_event(d: Dialogue, request: v201.NotifyEventRequest) -> Rule:
    """The first event that 1.6 can hear of decides about the answer; the others follow it."""
    carried.heed(d, request)
    heard = False
    for number, event in enumerate(request.eventData):
        custom = carried.own(d, event.customData)
        if custom is not None and custom.get("told") is True:
            _keep(d, event)  # the status that came before it has said it
            heard = True
            continue
        if not _qualifies(d, event) and (custom is None or event.component.name != "ChargingStation"):
            d.lose("eventData")
            continue
        try:
            if not d.marked(f"event {number}"):
                yield from _tell(d, event)
                d.mark(f"event {number}")
        except (Refusal, Silence):
            if not heard:
                raise
        if not heard:
            heard = True
            yield from d.answer(v201.NotifyEventResponse())
    if not heard:
        yield from offer(d, request)
    return v201.NotifyEventResponse()


def _qualifies(d: Dialogue, event: v201.EventData) -> bool:
    if _is_availability(event) or (_is_cleared(event) and _is_active(d, event)):
        return True
    if _code(event) is None:
        return False
    return bool(event.cleared) or event.trigger == "Alerting" or _says(event, _TRUE)


def _says(event: v201.EventData, words: tuple[str, ...]) -> bool:
    """Whether the value is one of these words of a boolean."""
    return event.variable.name.casefold() not in _MEASURED and event.actualValue.casefold() in words


def _is_active(d: Dialogue, event: v201.EventData) -> bool:
    """Whether the CSMS was told of this fault. A place that no fault is known of gets no number by being asked about."""
    active = _active(d, event)
    return bool(active) and _number(d, event) in active


def _active(d: Dialogue, event: v201.EventData) -> list[int]:
    """The connectors that have the fault of an event."""
    key = _key(event)
    return [
        number
        for number, place in facts_of(d).connectors.items()
        if any(name == key or (not event.techCode and name.startswith(key)) for name in place.faults)
    ]


def _number(d: Dialogue, event: v201.EventData) -> int:
    """The connector of an event. A fault of an EVSE with several is over where it was told, whichever is in use now."""
    evse = event.component.evse
    if evse is None:
        return 0
    numbers = evses(d).get(evse.id, ()) if evse.connectorId is None else ()
    if len(numbers) < 2:
        return number_of(d, evse.id, evse.connectorId)
    told = [number for number in _active(d, event) if number in numbers]
    return d.once(f"place {event.eventId} {evse.id}", lambda: told[0] if told else number_of(d, evse.id))


def _is_availability(event: v201.EventData) -> bool:
    """Whether a connector's status comes as an event (it is no longer a StatusNotification in later versions)."""
    component = event.component
    return (
        component.name.casefold() in ("connector", "evse")
        and event.variable.name.casefold() == "availabilitystate"
        and event.trigger == "Delta"
        and component.evse is not None
        and event.actualValue in ("Available", "Occupied", "Reserved", "Unavailable", "Faulted")
    )


def _is_cleared(event: v201.EventData) -> bool:
    return bool(event.cleared) or _says(event, _FALSE)


def _code(event: v201.EventData) -> v16.ChargePointErrorCode | None:
    hints = f"{event.techCode or ''} {event.techInfo or ''}".casefold()
    above = True if any(w in hints for w in _ABOVE) else False if any(w in hints for w in _BELOW) else None
    return error_code(event.component.name, event.variable.name, event.techCode, above=above)


def _tell(d: Dialogue, event: v201.EventData) -> Rule:
    moment = charger_time(event.timestamp, d.now)
    if moment.substituted:
        d.lose("eventData.timestamp", "defaulted")
    evse = event.component.evse
    custom = carried.own(d, event.customData)
    if custom is not None and evse is None:
        yield from tell_words(d, 0, custom, event.actualValue, moment.text)
        return None
    if _is_availability(event):
        assert evse is not None
        yield from reported(d, evse.id, evse.connectorId, event.actualValue, moment.text)
        return None
    for name in ("cause", "transactionId", "variableMonitoringId"):
        if getattr(event, name) is not None:
            d.lose(f"eventData.{name}")
    d.lose("eventData.component", "folded")
    d.lose("eventData.variable", "folded")
    number, code = _keep(d, event)
    place, cleared = connector_of(d, number), _is_cleared(event)
    if place.faults and cleared:
        yield from _tell_place(d, number, moment.text)
        return None
    now = station_status(d) if number == 0 else status_of(d, number) or place.told or "Available"
    info, tech_code = event.techInfo or "", event.techCode or ""
    if len(info) > 50:
        d.lose("eventData.techInfo", "shortened")
    yield from send_status(d, number, now, "NoError" if cleared else code, moment.text, info, tech_code)
    return None


def _keep(d: Dialogue, event: v201.EventData) -> tuple[int, v16.ChargePointErrorCode]:
    """Remember a fault, or that it is over; its connector and its 1.6 code."""
    number = _number(d, event)
    place = connector_of(d, number)
    code, key = _code(event) or "OtherError", _key(event)
    if _is_cleared(event):
        for name in [name for name in place.faults if name == key or (not event.techCode and name.startswith(key))]:
            del place.faults[name]
    else:
        place.faults.pop(key, None)
        place.faults[key] = Fault(code, cut(event.techCode or "", 50), cut(event.techInfo or "", 500))
        while len(place.faults) > FAULTS_MOST:
            del place.faults[next(iter(place.faults))]
    return number, code


def _tell_place(d: Dialogue, number: int, at: str) -> Rule:
    """What is still wrong there."""
    if number:
        yield from tell_status(d, number, at)
        return None
    fault = next(reversed(connector_of(d, 0).faults.values()))
    if len(fault.tech_info) > 50:
        d.lose("techInfo", "shortened")
    yield from send_status(d, 0, station_status(d), fault.code, at, fault.tech_info, fault.tech_code)
    return None


def _key(event: v201.EventData) -> str:
    component, variable = event.component, event.variable
    names = (component.name, component.instance or "", variable.name, variable.instance or "", event.techCode or "")
    return "|".join(name.casefold() for name in names)


FROM_CHARGER: dict[str, Row] = {"NotifyEvent": Talk(notify_event)}
