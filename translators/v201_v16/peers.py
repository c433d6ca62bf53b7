"""Asking either side: what a peer does not have is remembered, a CSMS that forgot the station is told its boot again."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final, TypeVar

import msgspec

from ..config_keys import Spot
from ..dialogue import Ask, Dialogue, Refusal
from ..frames import Side
from ..models import v16, v201
from ..models.base import Request, Struct
from ..topology import evses
from . import carried
from .device_model import known
from .state import Facts, facts_of

R = TypeVar("R", bound=Struct)

UNSUPPORTED = ("NotImplemented", "NotSupported")
"""Error codes of a peer that does not have an action."""
TRIGGER_MS: Final = 60_000
"""How long an accepted trigger explains a message (spec 3.11)."""


def because(reason: str) -> v201.StatusInfo:
    """statusInfo of an answer that the gateway gave itself (spec 2.13)."""
    return v201.StatusInfo(reasonCode=reason)


def _ask(d: Dialogue, side: Side, request: Request[R]) -> Generator[Ask, Any, R]:
    facts, action = facts_of(d), type(request).action
    if f"{side} {action}" in facts.unsupported:
        raise Refusal("NotSupported", f"the {'charger' if side == 'charger' else 'CSMS'} does not support {action}")
    try:
        response: R = yield from d.ask(side, request)
    except Refusal as refusal:
        if refusal.code in UNSUPPORTED and action != "DataTransfer":
            facts.unsupported.append(f"{side} {action}")
        raise
    return response


def command(d: Dialogue, request: Request[R]) -> Generator[Ask, Any, R]:
    """Send a command to the charger. Raises Refusal on a CALLERROR, Silence without an answer.

    An action the charger does not have is remembered for the connection and refused from then on without sending
    (spec 1.2.6). A DataTransfer is not: its refusal concerns one vendor.
    """
    response: R = yield from _ask(d, "charger", request)
    return response


def tell(d: Dialogue, request: Request[R]) -> Generator[Ask, Any, R]:
    """Send a message to the CSMS. Raises Refusal on a CALLERROR, Silence without an answer.

    A CSMS that forgot the station says SecurityError: it is told the last boot once more, then asked again (spec 3.1).
    """
    facts = facts_of(d)
    try:
        response: R = yield from _ask(d, "csms", request)
        return response
    except Refusal as refusal:
        if refusal.code != "SecurityError" or facts.registration != "Accepted":
            raise
        reply = yield from d.ask("csms", known_boot(d))
        register(facts, reply)
        if reply.status != "Accepted":
            raise
    response = yield from d.ask("csms", request)
    return response


def try_again(facts: Facts) -> None:
    """The CSMS has a new connection: it may know more than before."""
    facts.unsupported = [each for each in facts.unsupported if not each.startswith("csms ")]


def register(facts: Facts, reply: v16.BootNotificationResponse) -> None:
    """Keep what the CSMS said to a boot."""
    facts.registration = reply.status if reply.status in ("Accepted", "Pending", "Rejected") else "Rejected"
    facts.interval = reply.interval


def known_boot(d: Dialogue) -> v16.BootNotificationRequest:
    """The last boot once more, or one of a station that never told who it is."""
    d.lose("BootNotification", "synthesised")
    stored = facts_of(d).boot
    if stored is None:
        return v16.BootNotificationRequest(chargePointVendor="unknown", chargePointModel="unknown")
    return boot_request(d, msgspec.convert(stored, v201.BootNotificationRequest))


def boot_request(d: Dialogue, boot: v201.BootNotificationRequest) -> v16.BootNotificationRequest:
    """A 2.0.1 boot as the CSMS gets it (spec 6.2). The meter is told if the charger's device model shows it."""
    d.lose("reason")
    station = boot.chargingStation
    modem = station.modem or v201.Modem()
    custom = carried.own(d, station.customData)
    meter = {
        name: carried.text(custom, name, 25) or _of_meter(d, variable)
        for name, variable in (("meterType", "Model"), ("meterSerialNumber", "SerialNumber"))
    }
    box = carried.text(custom, "chargeBoxSerialNumber", 25)
    serial = shorten(d, station.serialNumber, 25, "chargingStation.serialNumber")
    return v16.BootNotificationRequest(
        chargePointVendor=shorten(d, station.vendorName, 20, "chargingStation.vendorName") or _unknown(d, "vendorName"),
        chargePointModel=shorten(d, station.model, 20, "chargingStation.model") or _unknown(d, "model"),
        chargePointSerialNumber=carried.text(custom, "chargePointSerialNumber", 25)
        or (serial if serial != box else None),
        chargeBoxSerialNumber=box,
        firmwareVersion=shorten(d, station.firmwareVersion, 50, "chargingStation.firmwareVersion"),
        iccid=shorten(d, modem.iccid, 20, "chargingStation.modem.iccid"),
        imsi=shorten(d, modem.imsi, 20, "chargingStation.modem.imsi"),
        **meter,
    )


def _of_meter(d: Dialogue, variable: str) -> str | None:
    """What the charger has reported of its meter: the station's, else that of its first EVSE which has one."""
    for evse in (0, *evses(d)):
        reported = known(d, Spot("FiscalMetering", "", evse, 0, variable, ""))
        if reported is not None and reported.value:
            return reported.value[:25]
    return None


def _unknown(d: Dialogue, field: str) -> str:
    d.lose(f"chargingStation.{field}", "defaulted")
    return "unknown"


def shorten(d: Dialogue, text: str | None, length: int, field: str) -> str | None:
    """`text` cut to the length its target allows; None if there is none."""
    if not text:
        return None
    if len(text) > length:
        d.lose(field, "shortened")
    return text[:length]


def expect(d: Dialogue, message: str, connector: int) -> None:
    """The charger will send `message` because it was asked to."""
    triggers = facts_of(d).triggers
    for name in [name for name, expires in triggers.items() if expires <= d.clock]:
        del triggers[name]
    triggers[f"{message}:{connector}"] = d.clock + TRIGGER_MS


def triggered(d: Dialogue, message: str, connector: int) -> bool:
    """Whether the CSMS asked for this message of this connector."""
    return facts_of(d).triggers.get(f"{message}:{connector}", 0) > d.now


def trigger_served(d: Dialogue, message: str, connector: int) -> None:
    """The message that was asked for is delivered."""
    triggers = facts_of(d).triggers
    triggers.pop(f"{message}:{connector}", None)
    for name in [name for name, expires in triggers.items() if expires <= d.now]:
        del triggers[name]
