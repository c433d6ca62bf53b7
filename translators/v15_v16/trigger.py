"""TriggerMessage, which 1.5 does not have, emulated from what the charger said last (spec/ocpp15 section 5)."""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec

from ..dialogue import Dialogue, Refusal, Rule, Silence
from ..models import v16
from ..models.base import Request
from .charger import booted
from .state import facts_of

SAMPLE_INTERVAL: Final = 60
"""Seconds for which meter values count as present when the charger's own interval is not known."""


def trigger(d: Dialogue, request: v16.TriggerMessageRequest) -> Rule:
    """Accepted, then the messages; Rejected when there is nothing to tell."""
    facts, number = facts_of(d), request.connectorId
    messages: list[Request[Any]] = []
    match request.requestedMessage:
        case "BootNotification":
            if facts.boot:
                messages.append(msgspec.json.decode(facts.boot, type=v16.BootNotificationRequest))
        case "Heartbeat":
            messages.append(v16.HeartbeatRequest())
        case "StatusNotification":
            messages.extend(_statuses(d, number))
        case "MeterValues":
            messages.extend(_meter_values(d, number))
        case "FirmwareStatusNotification":
            status: Any = facts.firmware or "Idle"
            messages.append(v16.FirmwareStatusNotificationRequest(status=status))
        case "DiagnosticsStatusNotification":
            status = facts.diagnostics or "Idle"
            messages.append(v16.DiagnosticsStatusNotificationRequest(status=status))
        case _:
            return v16.TriggerMessageResponse(status="NotImplemented")
    if not messages:
        return v16.TriggerMessageResponse(status="Rejected")
    yield from d.answer(v16.TriggerMessageResponse(status="Accepted"))
    for message in messages:
        d.lose(type(message).action, "synthesised")
        try:
            reply = yield from d.ask("csms", message)
        except Refusal:
            continue
        except Silence:
            break
        if isinstance(message, v16.BootNotificationRequest):
            booted(facts, cast(v16.BootNotificationResponse, reply))
    return None


def _statuses(d: Dialogue, number: int | None) -> list[Request[Any]]:
    places = facts_of(d).places
    wanted = sorted(places) if number is None else [number] if number in places else []
    return [
        msgspec.json.decode(status, type=v16.StatusNotificationRequest)
        for each in wanted
        if (status := places[each].status)
    ]


def _meter_values(d: Dialogue, number: int | None) -> list[Request[Any]]:
    """The last meter values, if no newer ones are due yet."""
    facts = facts_of(d)
    fresh = 1000 * (facts.sample_interval or SAMPLE_INTERVAL)
    found: list[Request[Any]] = []
    for each, place in sorted(facts.places.items()):
        if place.meter and number in (None, each) and 0 <= d.clock - place.metered_at <= fresh:
            message = msgspec.json.decode(place.meter, type=v16.MeterValuesRequest)
            for value in message.meterValue:
                for sample in value.sampledValue:
                    sample.context = "Trigger"
            found.append(message)
    return found
