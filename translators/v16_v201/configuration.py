"""GetVariables, SetVariables, GetBaseReport, GetReport of the CSMS (spec 5.12, 5.20, 5.22, 5.25, 5.36; config-keys 4)."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any

from ..config_values import Unfit
from ..dialogue import Ask, Dialogue, Refusal, Row, Rule, Silence, Talk
from ..enums import CONFIGURATION
from ..facts import Key
from ..frames import encode
from ..models import v16, v201
from ..values import format_time
from .charger import UNSUPPORTED, ask, because, facts_of
from .device_model import PASSWORD, VALUE_LIMIT, Found, cached, find, needs_present, spelling, value_down, value_up
from .inventory import REPORTED_VALUE, Item, inventory, local_value

BATCH = 50
"""Keys per GetConfiguration for a charger that tells no GetConfigurationMaxKeys; the answers of small ones get cut."""
FRESH = 60_000
"""A report may use keys that were read this long ago, ms (spec 3.10)."""
CHUNK_ITEMS = 30
CHUNK_BYTES = 32_768
"""A NotifyReport holds at most this much (spec 3.10)."""
KEYS_MOST = 1000
"""Keys of one charger that are remembered."""


class Unread(Exception):
    """The charger did not give its configuration; `none` if it has no such command at all."""

    def __init__(self, none: bool) -> None:
        super().__init__()
        self.none = none


def read(d: Dialogue, keys: list[str], found: dict[str, v16.KeyValue | None]) -> Generator[Ask, Any, None]:
    """These keys of the charger into `found`, by folded name (None: it has no such key), in as many requests as it takes.
    Raises Unread; what was read before stays in `found`."""
    size = _batch(d)
    for start in range(0, len(keys), size):
        asked = keys[start : start + size]
        answer = yield from _get(d, v16.GetConfigurationRequest(key=asked))
        got = {pair.key.strip().casefold(): pair for pair in answer.configurationKey or ()}
        for key in asked:
            found[key.casefold()] = None
            if key.casefold() not in got:
                facts_of(d).keys.pop(spelling(d, key), None)
        found.update(got)
        _learn(d, got.values())


def read_all(d: Dialogue) -> Generator[Ask, Any, None]:
    """The whole configuration of the charger, into the facts. Raises Unread."""
    answer = yield from _get(d, v16.GetConfigurationRequest())
    facts = facts_of(d)
    facts.keys = {}
    _learn(d, (answer.configurationKey or [])[:KEYS_MOST])
    facts.keys_read_at = d.clock


def _get(d: Dialogue, request: v16.GetConfigurationRequest) -> Generator[Ask, Any, v16.GetConfigurationResponse]:
    try:
        return (yield from ask(d, request))
    except Refusal as refusal:
        raise Unread(refusal.code in UNSUPPORTED) from None
    except Silence:
        raise Unread(False) from None


def _learn(d: Dialogue, pairs: Iterable[v16.KeyValue]) -> None:
    """Keep what was read, but no secret, and what the topology needs."""
    facts = facts_of(d)
    for pair in pairs:
        secret = pair.key.strip().casefold() == PASSWORD
        facts.keys[spelling(d, pair.key)] = Key(value=None if secret else pair.value, readonly=pair.readonly)
    number = cached(d, "NumberOfConnectors")
    if number is not None and (text := (number.value or "").strip()).isdecimal():
        facts.known_connectors = max(facts.known_connectors, min(int(text), 1000))


def _batch(d: Dialogue) -> int:
    limit = cached(d, "GetConfigurationMaxKeys")
    text = (limit.value or "").strip() if limit is not None else ""
    return max(1, min(int(text), 1000)) if text.isdecimal() else BATCH


def _check_duplicates(data: Iterable[v201.GetVariableData | v201.SetVariableData]) -> None:
    seen: set[tuple[object, ...]] = set()
    for item in data:
        component, variable, evse = item.component, item.variable, item.component.evse
        place = (evse.id, evse.connectorId) if evse is not None else None
        names = (component.name, component.instance or "", variable.name, variable.instance or "")
        one = (*(name.casefold() for name in names), place, item.attributeType or "Actual")
        if one in seen:
            raise Refusal("PropertyConstraintViolation", f"{component.name}.{variable.name} is named twice")
        seen.add(one)


def get_variables(d: Dialogue, request: v201.GetVariablesRequest) -> Rule:
    """Keys of the charger in as few GetConfigurations as it allows, the rest from the gateway; order is kept."""
    _check_duplicates(request.getVariableData)
    found = [find(d, item.component, item.variable) for item in request.getVariableData]
    wanted: dict[str, str] = {}
    for item, what in zip(request.getVariableData, found, strict=True):
        if isinstance(what, Found) and what.key and not what.password and _actual(item):
            wanted.setdefault(what.key.casefold(), spelling(d, what.key))
    pairs: dict[str, v16.KeyValue | None] = {}
    failed: Unread | None = None
    if wanted:
        try:
            yield from read(d, list(wanted.values()), pairs)
        except Unread as unread:
            failed = unread
    results = []
    for item, what in zip(request.getVariableData, found, strict=True):
        result = v201.GetVariableResult(
            attributeStatus="Accepted",
            component=item.component,
            variable=item.variable,
            attributeType=item.attributeType or "Actual",
        )
        if isinstance(what, str):
            result.attributeStatus = what
        elif not _actual(item):
            result.attributeStatus = "NotSupportedAttributeType"
        elif what.password:
            result.attributeStatus, result.attributeStatusInfo = "Rejected", because("WriteOnly")
        else:
            _fill(d, result, what, pairs, failed)
        results.append(result)
    return v201.GetVariablesResponse(getVariableResult=results)


def _actual(item: v201.GetVariableData | v201.SetVariableData) -> bool:
    return item.attributeType in (None, "Actual")


def _fill(
    d: Dialogue,
    result: v201.GetVariableResult,
    what: Found,
    pairs: dict[str, v16.KeyValue | None],
    failed: Unread | None,
) -> None:
    key = what.key.casefold()
    pair = pairs.get(key)
    if pair is not None:
        value: str | None = value_up(what, pair.value) if pair.value is not None else ""
    elif what.local is not None:
        value = local_value(d, what.local, what.connector)
    elif failed is not None and not failed.none and key not in pairs:
        result.attributeStatus, result.attributeStatusInfo = "Rejected", because("InternalError")
        return
    else:
        value = None
    if value is None:
        result.attributeStatus = "UnknownVariable"
    else:
        if len(value) > REPORTED_VALUE:
            d.lose("configurationKey.value", "shortened")
        result.attributeValue = value[:REPORTED_VALUE]


def set_variables(d: Dialogue, request: v201.SetVariablesRequest) -> Rule:
    """One ChangeConfiguration per item, in order. What was set before a failure stays set, as in 2.0.1."""
    _check_duplicates(request.setVariableData)
    results = []
    for item in request.setVariableData:
        result = v201.SetVariableResult(
            attributeStatus="Accepted",
            component=item.component,
            variable=item.variable,
            attributeType=item.attributeType or "Actual",
        )
        what = find(d, item.component, item.variable)
        if isinstance(what, str):
            result.attributeStatus = what
        elif not _actual(item):
            result.attributeStatus = "NotSupportedAttributeType"
        elif what.password:
            _reject(result, "NotEnabled")  # a credential of the link, which the gateway's operator sets
        elif what.readonly(d):
            _reject(result, "ReadOnly")
        elif len(item.attributeValue) > VALUE_LIMIT:
            _reject(result, "ValueOutOfRange")
        else:
            yield from _set(d, result, what, item.attributeValue)
        results.append(result)
    return v201.SetVariablesResponse(setVariableResult=results)


def _reject(result: v201.SetVariableResult, reason: str) -> None:
    result.attributeStatus, result.attributeStatusInfo = "Rejected", because(reason)


def _set(d: Dialogue, result: v201.SetVariableResult, what: Found, value: str) -> Generator[Ask, Any, None]:
    try:
        if needs_present(what):
            yield from read(d, [spelling(d, what.key)], {})
        known = cached(d, what.key)
        text = value_down(d, what, value, (known.value if known is not None else None) or "")
        command = v16.ChangeConfigurationRequest(key=spelling(d, what.key), value=text)
        answer = yield from ask(d, command)
    except Unfit:
        _reject(result, "ValueOutOfRange")
        return
    except (Refusal, Silence, Unread):
        _reject(result, "InternalError")
        return
    if answer.status == "NotSupported":
        d.lose("status", "folded")
        facts_of(d).keys.pop(spelling(d, what.key), None)
    elif answer.status != "Rejected" and known is not None:
        known.value = text
    result.attributeStatus = CONFIGURATION.up(answer.status)


def get_base_report(d: Dialogue, request: v201.GetBaseReportRequest) -> Rule:
    """The answer first, then the charger is read, then the report."""
    letter = {"ConfigurationInventory": "C", "FullInventory": "F", "SummaryInventory": "S"}.get(request.reportBase)
    if letter is None:
        return v201.GetBaseReportResponse(status="NotSupported")
    yield from d.answer(v201.GetBaseReportResponse(status="Accepted"))
    if letter != "S":
        yield from refresh(d)
    if letter == "C":
        items = [item for item in inventory(d) if item.mutability != "ReadOnly"]
    elif letter == "S":
        items = [item for item in inventory(d) if "S" in item.inventories and _noteworthy(item)]
    else:
        items = list(inventory(d))
    yield from report(d, request.requestId, items)
    return None


def _noteworthy(item: Item) -> bool:
    return item.variable != "Problem" or item.value == "true"


def refresh(d: Dialogue) -> Generator[Ask, Any, None]:
    """Read the charger's configuration unless that was done within a minute. A failure leaves what is known."""
    facts = facts_of(d)
    if facts.keys_read_at and 0 <= d.clock - facts.keys_read_at <= FRESH:
        return
    try:
        yield from read_all(d)
    except Unread:
        pass


def report(d: Dialogue, request_id: int, items: list[Item]) -> Generator[Ask, Any, None]:
    """The items as NotifyReports, numbered from 0. Stops when the CSMS does not take one."""
    at = format_time(d.clock)
    chunks = list(_chunks([item.report() for item in items])) or [[]]
    for seq_no, chunk in enumerate(chunks):
        more = seq_no < len(chunks) - 1
        yield from d.ask(
            "csms",
            v201.NotifyReportRequest(
                requestId=request_id, generatedAt=at, seqNo=seq_no, tbc=True if more else None, reportData=chunk or None
            ),
        )


def _chunks(data: list[v201.ReportData]) -> Iterable[list[v201.ReportData]]:
    chunk: list[v201.ReportData] = []
    size = 0
    for entry in data:
        length = len(encode(entry)) + 1
        if chunk and (len(chunk) == CHUNK_ITEMS or size + length > CHUNK_BYTES - 512):
            yield chunk
            chunk, size = [], 0
        chunk.append(entry)
        size += length
    if chunk:
        yield chunk


FROM_CSMS: dict[str, Row] = {
    "GetBaseReport": Talk(get_base_report),
    "GetVariables": Talk(get_variables),
    "SetVariables": Talk(set_variables),
}
