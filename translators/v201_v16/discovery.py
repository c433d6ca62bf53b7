"""What the gateway learns of a 2.0.1 charger: its connectors and variables, after a boot (spec 2.2, 3.12, 6.15)."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from ..config_keys import Spot
from ..config_values import items
from ..dialogue import Dialogue, Refusal, Row, Rule, Silence, Talk
from ..metering import REGISTER
from ..models import v201
from ..topology import connectors, number_at
from ..values import plain
from .device_model import is_mapped, is_of_16, remembers_value, wrote
from .peers import command
from .state import Known, facts_of, next_number, options_of
from .tunnel import offer

REPORT_WAIT: Final = 120.0
"""How long a charger may take to report its variables, s."""
VARIABLES_MOST: Final = 600
CONNECTORS_MOST: Final = 256

_CONTROLLED: Final = (
    (Spot("TxCtrlr", "", 0, 0, "TxStartPoint", ""), "PowerPathClosed"),
    (Spot("TxCtrlr", "", 0, 0, "TxStopPoint", ""), "EVConnected,Authorized"),
)
"""With these a 2.0.1 transaction begins and ends when a 1.6 one does."""
_MEASURED: Final = (
    Spot("SampledDataCtrlr", "", 0, 0, "TxStartedMeasurands", ""),
    Spot("SampledDataCtrlr", "", 0, 0, "TxEndedMeasurands", ""),
)
"""They must hold the energy register: meterStart and meterStop are made of it."""


def notify_report(d: Dialogue, request: v201.NotifyReportRequest) -> Rule:
    """Feeds what is known of the device model; 1.6 has no such report."""
    facts = facts_of(d)
    own = facts.report_id != 0 and request.requestId == facts.report_id
    if own and request.seqNo == 0:
        facts.model = {}
    for entry in request.reportData or ():
        learn(d, entry)
    if not request.tbc:
        _place(d, whole=own)
        if own:
            facts.report_id, facts.model_read_at = 0, d.clock
    if request.reportData:
        d.lose("reportData")
    taken = None if own else (yield from offer(d, request))
    return taken or v201.NotifyReportResponse()


def learn(d: Dialogue, entry: v201.ReportData) -> None:
    """Keep what configuration keys need of a variable: nearly all values are read when they are asked for."""
    facts, component, variable = facts_of(d), entry.component, entry.variable
    evse = component.evse
    id, connector = (max(evse.id, 0), max(evse.connectorId or 0, 0)) if evse is not None else (0, 0)
    place, is_place = (id, connector), id and component.name.casefold() in ("evse", "connector")
    if is_place and place not in facts.reported and len(facts.reported) < CONNECTORS_MOST:
        facts.reported.append(place)
    spot = Spot(component.name, component.instance or "", id, connector, variable.name, variable.instance or "")
    actual = next((each for each in entry.variableAttribute if each.type in (None, "Actual")), None)
    if actual is None:
        return
    mutability = actual.mutability or "ReadWrite"
    if not is_mapped(spot) and not is_of_16(spot) and mutability == "ReadOnly":
        return
    key = spot.key.casefold()
    if len(facts.model) >= VARIABLES_MOST and key not in facts.model:
        return
    traits = entry.variableCharacteristics
    limit = traits.maxLimit if traits is not None else None
    facts.model[key] = Known(
        name="" if is_mapped(spot) else spot.key,
        mutability="" if mutability == "ReadWrite" else mutability,
        max_limit=plain(limit.to_integral_value()) if isinstance(limit, Decimal) else "",
        values=(traits.valuesList or "") if traits is not None and is_mapped(spot) else "",
        value=(actual.value or "")[:500] if remembers_value(spot) else "",
    )


def _place(d: Dialogue, *, whole: bool) -> None:
    """Give the reported connectors their numbers: in the order of their places, unless some were shown already."""
    facts = facts_of(d)
    with_connectors = {evse for evse, connector in facts.reported if connector}
    places = sorted(
        (evse, connector or 1) for evse, connector in facts.reported if connector or evse not in with_connectors
    )
    facts.reported = []
    if not places:
        return
    shown = (
        facts.topology
        or options_of(d).topology
        or any(number and each.told for number, each in facts.connectors.items())
    )
    if whole and not shown and not facts.transactions and not facts.ended:
        facts.connectors = {number: each for number, each in facts.connectors.items() if number <= len(places)}
        facts.known_connectors = len(places)
        if places != [(number, 1) for number in range(1, len(places) + 1)]:
            facts.topology = dict(enumerate(places, 1))
    else:
        for place in places:
            number_at(d, place)
        facts.known_connectors = max(facts.known_connectors, len(connectors(d)))


def booted(d: Dialogue) -> Rule:
    """Post-boot tasks: read the device model once, then make the charger's transactions like those of 1.6."""
    facts = facts_of(d)
    at = facts.booted_at
    if not facts.model_read_at:
        if not facts.report_id:
            yield from _ask_report(d)
        left = REPORT_WAIT - (d.clock - at) / 1000
        if facts.report_id and left > 0:
            yield from d.wait(left, lambda: facts.model_read_at > 0)
    try:
        yield from _provision(d)
    except (Refusal, Silence):
        pass
    if facts.booted_at == at:
        facts.booted_at = 0
    return None


def _ask_report(d: Dialogue) -> Rule:
    """Ask for a full report; `report_id` is 0 if none will come."""
    facts = facts_of(d)
    facts.report_id = next_number(d, "report")
    request = v201.GetBaseReportRequest(requestId=facts.report_id, reportBase="FullInventory")
    try:
        accepted = (yield from command(d, request)).status == "Accepted"
    except (Refusal, Silence):
        accepted = False
    if not accepted:
        facts.report_id = 0
    return None


def _provision(d: Dialogue) -> Rule:
    facts = facts_of(d)
    present: dict[Spot, str] = {}
    wanted = [*(spot for spot, _ in _CONTROLLED), *_MEASURED]
    if facts.model_read_at:
        for spot in wanted:
            known = facts.model.get(spot.key.casefold())
            if known is not None and known.mutability != "ReadOnly":
                present[spot] = known.value
    else:
        read = yield from command(d, v201.GetVariablesRequest(getVariableData=[asked(spot) for spot in wanted]))
        for spot, result in zip(wanted, read.getVariableResult, strict=False):
            if result.attributeStatus == "Accepted":
                present[spot] = result.attributeValue or ""
    values = [(spot, value) for spot, value in _CONTROLLED if spot in present and _differs(present[spot], value)]
    for spot in _MEASURED:
        if spot in present and REGISTER not in items(present[spot]):
            values.append((spot, ",".join([REGISTER, *items(present[spot])])))
    if values:
        data = [
            v201.SetVariableData(component=_component(spot), variable=_variable(spot), attributeValue=value)
            for spot, value in values
        ]
        answer = yield from command(d, v201.SetVariablesRequest(setVariableData=data))
        for (spot, value), written in zip(values, answer.setVariableResult, strict=False):
            if written.attributeStatus in ("Accepted", "RebootRequired"):
                wrote(d, spot, value)
    return None


def _differs(present: str, value: str) -> bool:
    return set(items(present)) != set(items(value))


def asked(spot: Spot) -> v201.GetVariableData:
    return v201.GetVariableData(component=_component(spot), variable=_variable(spot))


def _component(spot: Spot) -> v201.Component:
    return v201.Component(name=spot.component)


def _variable(spot: Spot) -> v201.Variable:
    return v201.Variable(name=spot.variable)


FROM_CHARGER: dict[str, Row] = {"NotifyReport": Talk(notify_report)}
