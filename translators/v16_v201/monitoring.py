"""Variable monitors of the CSMS, held by the gateway (spec 3.10, 5.24)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import msgspec

from ..config_values import items, measurand_of
from ..dialogue import Dialogue, Local, Row, Rule, Talk
from ..faults import FAULTS
from ..models import v201
from ..topology import Unknown, connector_at, connectors_at
from ..values import format_time
from .charger import facts_of
from .device_model import Found, cached, find
from .inventory import WATCHED

BLOCK = "monitors"
"""Name in `facts.extra`: a Monitors as builtins."""
HARD_WIRED = 1
"""Id of the monitor every 1.6 charger has: Delta on the station's AvailabilityState."""
HARD_WIRED_SEVERITY: Final = 8
REPORTED = 50
"""Monitors per NotifyMonitoringReport (MonitoringCtrlr.ItemsPerMessage)."""


class Monitor(msgspec.Struct):
    component: v201.Component
    variable: v201.Variable
    setting: v201.VariableMonitoring


class Monitors(msgspec.Struct):
    base: str = "All"
    level: int = 9
    """Highest severity that is reported (0 is the gravest)."""
    next_id: int = HARD_WIRED + 1
    custom: list[Monitor] = []


def load(d: Dialogue) -> Monitors:
    return msgspec.convert(facts_of(d).extra.get(BLOCK, {}), Monitors)


def save(d: Dialogue, monitors: Monitors) -> None:
    facts_of(d).extra[BLOCK] = msgspec.to_builtins(monitors)


def _hard_wired() -> Monitor:
    return Monitor(
        v201.Component(name="ChargingStation"),
        v201.Variable(name="AvailabilityState"),
        v201.VariableMonitoring(
            id=HARD_WIRED, transaction=False, value=Decimal(1), type="Delta", severity=HARD_WIRED_SEVERITY
        ),
    )


MEASURED: Final = {
    "Power.Active.Import": ("EVSE", "Power"),
    "Current.Import": ("EVSE", "ACCurrent"),
    "Voltage": ("EVSE", "ACVoltage"),
    "Energy.Active.Import.Register": ("EVSE", "EnergyImportRegister"),
    "SoC": ("ConnectedEV", "StateOfCharge"),
}
"""Measurand -> what it says of (component, variable)."""
_NUMERIC = {variable.casefold(): measurand for measurand, (_, variable) in MEASURED.items()}
_WATCHED_FOLDED = frozenset((component.casefold(), variable.casefold()) for component, variable in WATCHED)


def set_monitors(d: Dialogue, request: v201.SetVariableMonitoringRequest) -> v201.SetVariableMonitoringResponse:
    monitors = load(d)
    results = []
    for item in request.setMonitoringData:
        result = v201.SetMonitoringResult(
            status="Accepted",
            type=item.type,
            severity=item.severity,
            component=item.component,
            variable=item.variable,
        )
        result.status = _set(d, monitors, item, result)
        results.append(result)
    save(d, monitors)
    return v201.SetVariableMonitoringResponse(setMonitoringResult=results)


def _set(
    d: Dialogue, monitors: Monitors, item: v201.SetMonitoringData, result: v201.SetMonitoringResult
) -> v201.SetMonitoringStatus:
    watched = (item.component.name.casefold(), item.variable.name.casefold()) in _WATCHED_FOLDED
    found = find(d, item.component, item.variable)
    if not watched and not isinstance(found, Found):
        return found
    if not isinstance(found, Found) and not _exists(d, item.component):
        return "UnknownComponent"
    measurand = _NUMERIC.get(item.variable.name.casefold())
    types = ("UpperThreshold", "LowerThreshold", "Periodic", "PeriodicClockAligned") if measurand else ("Delta",)
    if not watched or item.type not in types or (measurand is not None and not _reported(d, measurand)):
        return "UnsupportedMonitorType"
    if not 0 <= item.severity <= 9:
        return "Rejected"
    old = next((each for each in monitors.custom if each.setting.id == item.id), None)
    if item.id is not None and old is None:
        return "Rejected"
    for each in monitors.custom:
        same = each.setting.type == item.type and each.setting.severity == item.severity
        if each is not old and same and _same_place(each, item.component, item.variable):
            return "Duplicate"
    number = item.id
    if number is None:
        number, monitors.next_id = monitors.next_id, monitors.next_id + 1
    else:
        monitors.custom = [each for each in monitors.custom if each is not old]
    setting = v201.VariableMonitoring(
        id=number, transaction=bool(item.transaction), value=item.value, type=item.type, severity=item.severity
    )
    monitors.custom.append(Monitor(item.component, item.variable, setting))
    result.id = number
    return "Accepted"


def _reported(d: Dialogue, measurand: str) -> bool:
    """Whether the charger tells of this measurand, as far as its configuration is known."""
    keys = [cached(d, name) for name in ("MeterValuesSampledData", "MeterValuesAlignedData")]
    lists = [key.value for key in keys if key is not None and key.value is not None]
    return len(lists) < len(keys) or any(measurand_of(item) == measurand for text in lists for item in items(text))


_TIERS: Final = {place.component.casefold(): place.tier for place in FAULTS.values()} | {
    "connectedev": "evse",
    "evse": "evse",
    "tokenreader": "evse",  # of the station, or of each EVSE
}


def _exists(d: Dialogue, component: v201.Component) -> bool:
    """Whether a component that only faults tell of sits at this place of the station."""
    evse, tier = component.evse, _TIERS.get(component.name.casefold(), "station")
    if evse is None:
        return component.name.casefold() not in ("evse", "connector")
    if tier == "station":
        return False
    try:
        if evse.connectorId is not None:
            connector_at(d, evse.id, evse.connectorId)
        else:
            connectors_at(d, evse.id)
    except Unknown:
        return False
    return True


def _same_place(monitor: Monitor, component: v201.Component, variable: v201.Variable | None) -> bool:
    mine, evse = monitor.component, component.evse
    own = mine.evse
    return (
        mine.name.casefold() == component.name.casefold()
        and (component.instance is None or (mine.instance or "").casefold() == component.instance.casefold())
        and (evse is None or (own is not None and own.id == evse.id and evse.connectorId in (None, own.connectorId)))
        and (
            variable is None
            or (
                monitor.variable.name.casefold() == variable.name.casefold()
                and (variable.instance is None or monitor.variable.instance == variable.instance)
            )
        )
    )


def clear_monitors(d: Dialogue, request: v201.ClearVariableMonitoringRequest) -> v201.ClearVariableMonitoringResponse:
    monitors = load(d)
    results = []
    for id in request.id:
        kept = [each for each in monitors.custom if each.setting.id != id]
        status: v201.ClearMonitoringStatus = "Accepted" if len(kept) < len(monitors.custom) else "NotFound"
        if id == HARD_WIRED:
            status = "Rejected"
        monitors.custom = kept
        results.append(v201.ClearMonitoringResult(status=status, id=id))
    save(d, monitors)
    return v201.ClearVariableMonitoringResponse(clearMonitoringResult=results)


def set_base(d: Dialogue, request: v201.SetMonitoringBaseRequest) -> v201.SetMonitoringBaseResponse:
    """FactoryDefault and HardWiredOnly leave the hard-wired monitor only."""
    monitors = load(d)
    monitors.base = request.monitoringBase
    if request.monitoringBase != "All":
        monitors.custom = []
    save(d, monitors)
    return v201.SetMonitoringBaseResponse(status="Accepted")


def set_level(d: Dialogue, request: v201.SetMonitoringLevelRequest) -> v201.SetMonitoringLevelResponse:
    if not 0 <= request.severity <= 9:
        return v201.SetMonitoringLevelResponse(status="Rejected")
    monitors = load(d)
    monitors.level = request.severity
    save(d, monitors)
    return v201.SetMonitoringLevelResponse(status="Accepted")


_CRITERIA = {
    "ThresholdMonitoring": ("UpperThreshold", "LowerThreshold"),
    "DeltaMonitoring": ("Delta",),
    "PeriodicMonitoring": ("Periodic", "PeriodicClockAligned"),
}


def report_monitors(d: Dialogue, request: v201.GetMonitoringReportRequest) -> Rule:
    types = [kind for criterion in request.monitoringCriteria or () for kind in _CRITERIA.get(criterion, ())]
    grouped: dict[tuple[Any, ...], v201.MonitoringData] = {}
    for monitor in (_hard_wired(), *load(d).custom):
        if request.monitoringCriteria and monitor.setting.type not in types:
            continue
        wanted = request.componentVariable
        if wanted and not any(_same_place(monitor, each.component, each.variable) for each in wanted):
            continue
        evse = monitor.component.evse
        place = (
            monitor.component.name.casefold(),
            (evse.id, evse.connectorId) if evse is not None else None,
            monitor.variable.name.casefold(),
            monitor.variable.instance,
        )
        known = grouped.get(place)
        if known is None:
            grouped[place] = v201.MonitoringData(
                component=monitor.component, variable=monitor.variable, variableMonitoring=[monitor.setting]
            )
        else:
            known.variableMonitoring.append(monitor.setting)
    if not grouped:
        return v201.GetMonitoringReportResponse(status="EmptyResultSet")
    yield from d.answer(v201.GetMonitoringReportResponse(status="Accepted"))
    found, at = list(grouped.values()), format_time(d.clock)
    parts = [found[start : start + REPORTED] for start in range(0, len(found), REPORTED)]
    for seq_no, part in enumerate(parts):
        yield from d.ask(
            "csms",
            v201.NotifyMonitoringReportRequest(
                requestId=request.requestId,
                seqNo=seq_no,
                generatedAt=at,
                monitor=part,
                tbc=True if seq_no < len(parts) - 1 else None,
            ),
        )
    return None


FROM_CSMS: dict[str, Row] = {
    "ClearVariableMonitoring": Local(clear_monitors),
    "GetMonitoringReport": Talk(report_monitors),
    "SetMonitoringBase": Local(set_base),
    "SetMonitoringLevel": Local(set_level),
    "SetVariableMonitoring": Local(set_monitors),
}
