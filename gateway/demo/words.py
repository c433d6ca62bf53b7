"""The few members of a message that matter, as short text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from gateway.demo.tap import Seen

Payload = dict[str, Any]
NO_BREAK = "\N{NO-BREAK SPACE}"
"""Keeps a number and its unit on one line; shown as a space."""


def describe(seen: Seen) -> str:
    """One short line for a frame, without its action."""
    if seen.kind == "error":
        return f"{seen.payload['code']}: {seen.payload['description']}"
    table = _CALLS if seen.kind == "call" else _ANSWERS
    say = table.get((seen.side, seen.action), _any if seen.kind == "call" else _status)
    try:
        return say(seen.payload)
    except (KeyError, TypeError, IndexError, ValueError):
        return _any(seen.payload)


def number(value: Any) -> str:
    """A number as short as it is exact."""
    return f"{float(value):.10g}"


def register(samples: list[Payload]) -> float | None:
    """Wh of the last energy register among meter values of either version."""
    found = None
    for meter_value in samples:
        for sample in meter_value["sampledValue"]:
            if sample.get("measurand", _ENERGY) == _ENERGY and "phase" not in sample:
                unit = sample.get("unit") or sample.get("unitOfMeasure", {}).get("unit", "Wh")
                found = float(sample["value"]) * (1000 if unit == "kWh" else 1)
    return found


_ENERGY = "Energy.Active.Import.Register"
_SHORT = {
    _ENERGY: "",
    "Power.Active.Import": "",
    "Current.Import": "",
    "Voltage": "",
    "SoC": "",
    "Temperature": "",
}


def _samples(meter_values: list[Payload]) -> str:
    return ", ".join(_readings(meter_values))


def _readings(meter_values: list[Payload]) -> Iterator[str]:
    for meter_value in meter_values:
        for sample in meter_value["sampledValue"]:
            measurand = sample.get("measurand", _ENERGY)
            unit = sample.get("unit") or sample.get("unitOfMeasure", {}).get("unit") or ""
            unit = {"Percent": "%", "Celcius": "°C", "Celsius": "°C"}.get(unit, unit)
            reading = f"{_SHORT.get(measurand, measurand + ' ')}{number(sample['value'])} {unit}".rstrip()
            yield reading.replace(" ", NO_BREAK)


def _any(payload: Payload) -> str:
    parts = [f"{key} {value}" for key, value in payload.items() if isinstance(value, str | int | float)]
    return ", ".join(parts)


def _status(payload: Payload) -> str:
    status = payload.get("status")
    info = payload.get("statusInfo", {}).get("reasonCode")
    return " ".join(str(part) for part in (status, f"({info})" if info else None) if part)


def _boot16(p: Payload) -> str:
    return f"{p['chargePointVendor']} {p['chargePointModel']}{_firmware(p)}"


def _boot201(p: Payload) -> str:
    station = p["chargingStation"]
    return f"{station['vendorName']} {station['model']}{_firmware(station)}, {p['reason']}"


def _firmware(p: Payload) -> str:
    return f", firmware {p['firmwareVersion']}" if "firmwareVersion" in p else ""


def _booted(p: Payload) -> str:
    return f"{p['status']}, interval {p['interval']} s"


def _status16(p: Payload) -> str:
    return f"connector {p['connectorId']} {p['status']}"


def _status201(p: Payload) -> str:
    return f"EVSE {p['evseId']}/{p['connectorId']} {p['connectorStatus']}"


def _event201(p: Payload) -> str:
    return "; ".join(f"{_variable(event)} = {event['actualValue']}" for event in p["eventData"])


def _variable(item: Payload) -> str:
    component, variable = item["component"], item["variable"]
    instance = f"[{variable['instance']}]" if "instance" in variable else ""
    return f"{component['name']}.{variable['name']}{instance}"


def _start16(p: Payload) -> str:
    return f"connector {p['connectorId']}, {p['idTag']}, meterStart {p['meterStart']} Wh"


def _started16(p: Payload) -> str:
    return f"transactionId {p['transactionId']}, {p['idTagInfo']['status']}"


def _stop16(p: Payload) -> str:
    return f"transaction {p['transactionId']}, meterStop {p['meterStop']} Wh, {p.get('reason', 'Local')}"


def _meter16(p: Payload) -> str:
    return _samples(p["meterValue"])


def _meter201(p: Payload) -> str:
    return f"EVSE {p['evseId']}: {_samples(p['meterValue'])}"


def _transaction201(p: Payload) -> str:
    info = p["transactionInfo"]
    parts = [f"{p['eventType']} #{p['seqNo']}", p["triggerReason"]]
    if "remoteStartId" in info:
        parts.append(f"remoteStartId {info['remoteStartId']}")
    if p["eventType"] != "Updated":
        parts.append(_short(info["transactionId"]))
    parts += [info[key] for key in ("chargingState", "stoppedReason") if key in info]
    if p.get("meterValue"):
        parts.append(_samples(p["meterValue"]))
    return ", ".join(parts)


def _short(id: str) -> str:
    """The first part of a UUID tells transactions apart."""
    return id.split("-")[0]


def _transacted201(p: Payload) -> str:
    parts = [p["idTokenInfo"]["status"]] if "idTokenInfo" in p else []
    if "totalCost" in p:
        parts.append(f"totalCost {p['totalCost']:.2f}")
    return ", ".join(parts)


def _authorized16(p: Payload) -> str:
    info = p.get("idTagInfo")
    if info is None:
        return ""
    return str(info["status"]) + (f", parentIdTag {info['parentIdTag']}" if "parentIdTag" in info else "")


def _authorized201(p: Payload) -> str:
    info = p["idTokenInfo"]
    group = info.get("groupIdToken", {}).get("idToken")
    return str(info["status"]) + (f", group {group}" if group else "")


def _configuration16(p: Payload) -> str:
    return ", ".join(p["key"]) if p.get("key") else "every key"


def _configured16(p: Payload) -> str:
    keys = p.get("configurationKey", [])
    if len(keys) > 3:
        return f"{len(keys)} keys"
    return ", ".join([f"{key['key']}={key.get('value', '')}" for key in keys] + p.get("unknownKey", []))


def _variables201(p: Payload) -> str:
    return ", ".join(_variable(item) for item in p["getVariableData"])


def _set201(p: Payload) -> str:
    return ", ".join(f"{_variable(item)}={item['attributeValue']}" for item in p["setVariableData"])


def _got201(p: Payload) -> str:
    return ", ".join(
        f"{item['variable']['name']}={item['attributeValue']}" if "attributeValue" in item else item["attributeStatus"]
        for item in p["getVariableResult"]
    )


def _report201(p: Payload) -> str:
    data = p.get("reportData", [])
    last = "" if p.get("tbc") else ", the last part"
    return f"part {p['seqNo']}: {len(data)} variables{last}"


_CALLS: dict[tuple[str, str], Callable[[Payload], str]] = {
    ("charger", "BootNotification"): _boot16,
    ("charger", "Authorize"): lambda p: str(p["idTag"]),
    ("charger", "StatusNotification"): _status16,
    ("charger", "StartTransaction"): _start16,
    ("charger", "MeterValues"): _meter16,
    ("charger", "StopTransaction"): _stop16,
    ("charger", "GetConfiguration"): _configuration16,
    ("charger", "ChangeConfiguration"): lambda p: f"{p['key']}={p['value']}",
    ("charger", "RemoteStartTransaction"): lambda p: f"connector {p.get('connectorId', '?')}, {p['idTag']}",
    ("charger", "RemoteStopTransaction"): lambda p: f"transaction {p['transactionId']}",
    ("charger", "TriggerMessage"): lambda p: str(p["requestedMessage"]),
    ("csms", "BootNotification"): _boot201,
    ("csms", "Authorize"): lambda p: f"{p['idToken']['idToken']} ({p['idToken']['type']})",
    ("csms", "StatusNotification"): _status201,
    ("csms", "NotifyEvent"): _event201,
    ("csms", "TransactionEvent"): _transaction201,
    ("csms", "MeterValues"): _meter201,
    ("csms", "NotifyReport"): _report201,
    ("csms", "GetVariables"): _variables201,
    ("csms", "SetVariables"): _set201,
    ("csms", "GetBaseReport"): lambda p: str(p["reportBase"]),
    ("csms", "RequestStartTransaction"): lambda p: (
        f"EVSE {p.get('evseId', '?')}, {p['idToken']['idToken']}, remoteStartId {p['remoteStartId']}"
    ),
    ("csms", "RequestStopTransaction"): lambda p: f"transaction {_short(p['transactionId'])}",
    ("csms", "TriggerMessage"): lambda p: str(p["requestedMessage"]),
    ("csms", "UnlockConnector"): lambda p: f"EVSE {p['evseId']}/{p['connectorId']}",
}
_ANSWERS: dict[tuple[str, str], Callable[[Payload], str]] = {
    ("charger", "BootNotification"): _booted,
    ("charger", "Authorize"): _authorized16,
    ("charger", "StartTransaction"): _started16,
    ("charger", "StopTransaction"): _authorized16,
    ("charger", "GetConfiguration"): _configured16,
    ("csms", "BootNotification"): _booted,
    ("csms", "Authorize"): _authorized201,
    ("csms", "TransactionEvent"): _transacted201,
    ("csms", "GetVariables"): _got201,
    ("csms", "SetVariables"): lambda p: ", ".join(item["attributeStatus"] for item in p["setVariableResult"]),
}
