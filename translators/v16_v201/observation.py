"""Custom monitors of the CSMS, evaluated on what the charger reports (spec 4.4, 5.24)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, Final, NamedTuple

from ..dialogue import Dialogue, Refusal, Rule, Silence
from ..models import v201
from ..topology import place_of
from ..values import cut, format_time, plain
from .charger import facts_of
from .inventory import evse_state
from .monitoring import MEASURED, Monitor, load
from .upstream import ask, event_id

BLOCK: Final = "observed"
"""Name in `facts.extra`: monitor id as text -> {value | active (beyond its threshold) | at (last event, ms)}."""

_TRIGGERS: Final[dict[str, v201.EventTrigger]] = {
    "Delta": "Delta",
    "UpperThreshold": "Alerting",
    "LowerThreshold": "Alerting",
}


class Observed(NamedTuple):
    """A variable and what it is now."""

    component: str
    variable: str
    evse: int
    """0: of the station."""
    connector: int
    """0: of the EVSE as a whole."""
    value: str
    number: Decimal | None
    at: str
    before: str = ""
    """What it was, as far as anyone knows."""


def availability(d: Dialogue, number: int, status: str, at: str, before: str) -> list[Observed]:
    """The availability of a 1.6 connector and of its EVSE."""
    evse, connector = place_of(d, number)
    whole, whole_before = evse_state(d, number, status), evse_state(d, number, before) if before else ""
    return [
        Observed("EVSE", "AvailabilityState", evse, 0, whole, None, at, whole_before),
        Observed("Connector", "AvailabilityState", evse, connector, status, None, at, before),
    ]


def measured(evse: int, values: Iterable[v201.MeterValue]) -> Iterator[Observed]:
    """What meter values say of an EVSE; readings of one phase only say nothing of it."""
    for value in values:
        for sample in value.sampledValue:
            place = MEASURED.get(sample.measurand or "Energy.Active.Import.Register")
            if place is None or sample.phase is not None:
                continue
            unit = sample.unitOfMeasure.unit if sample.unitOfMeasure is not None else None
            number = sample.value * (1000 if unit in ("kWh", "kW") else 1)
            yield Observed(*place, evse, 0, plain(number), number, value.timestamp)


def observe(d: Dialogue, seen: Iterable[Observed], uuid: str | None) -> Rule:
    """Report what the monitors wait for. A report that the CSMS does not take is not repeated."""
    monitors = load(d)
    forget(d)
    states = facts_of(d).extra.setdefault(BLOCK, {})
    for each in seen:
        for monitor in monitors.custom:
            about = monitor.setting
            if about.severity > monitors.level or (about.transaction and uuid is None) or not _fits(monitor, each):
                continue
            state: dict[str, Any] = states.get(str(about.id), {})
            after = _due(d, about, state, each)
            if after is None:
                continue
            event = v201.EventData(
                eventId=event_id(d, f"monitor {about.id} {each.at} {each.value}"),
                timestamp=each.at,
                trigger=_TRIGGERS.get(about.type, "Periodic"),
                actualValue=cut(each.value, 2500),
                cleared=True if after.get("active") is False else None,
                eventNotificationType="CustomMonitor",
                variableMonitoringId=about.id,
                transactionId=uuid,
                component=monitor.component,
                variable=monitor.variable,
            )
            try:
                yield from ask(d, v201.NotifyEventRequest(generatedAt=format_time(d.clock), seqNo=0, eventData=[event]))
            except (Refusal, Silence):
                pass
            states[str(about.id)] = after
    return None


def _fits(monitor: Monitor, seen: Observed) -> bool:
    evse = monitor.component.evse
    same = monitor.component.name.casefold() == seen.component.casefold()
    if not same or monitor.variable.name.casefold() != seen.variable.casefold():
        return False
    if evse is None:
        return seen.evse == 0 or seen.component not in ("EVSE", "Connector")
    return evse.id == seen.evse and evse.connectorId in (None, seen.connector)


def _due(d: Dialogue, about: v201.VariableMonitoring, state: dict[str, Any], seen: Observed) -> dict[str, Any] | None:
    """What to remember of the monitor once its event is told; None if it has nothing to tell."""
    match about.type:
        case "Delta":
            return {"value": seen.value} if state.get("value", seen.before) != seen.value else None
        case "UpperThreshold" | "LowerThreshold":
            number = seen.number if seen.number is not None else about.value
            beyond = number > about.value if about.type == "UpperThreshold" else number < about.value
            return {"active": beyond} if beyond != state.get("active", False) else None
    return {"at": d.now} if d.now - state.get("at", 0) >= about.value * 1000 else None


def forget(d: Dialogue) -> None:
    """Drop what is remembered of monitors that are gone."""
    states: dict[str, Any] = facts_of(d).extra.get(BLOCK, {})
    kept = {str(monitor.setting.id) for monitor in load(d).custom}
    for name in [name for name in states if name not in kept]:
        del states[name]
