"""What every rule for a charger's message needs: asking the CSMS, carried members, pending triggers."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final, TypeVar

import msgspec

from ..dialogue import Ask, Dialogue, Refusal
from ..facts import Facts
from ..models import v16, v201
from ..models.base import Request, Struct
from ..values import format_time, tidy_time
from .charger import UNSUPPORTED, facts_of, options_of

R = TypeVar("R", bound=Struct)

_CSMS: Final = "csms "
"""Begins the name of an action that the CSMS does not have; those of the charger have no such beginning."""
_OF_CONNECTORS: Final = ("MeterValues", "StatusNotification", "TransactionEvent")
"""Messages that a station sends once for each connector, 0 among them, when it is asked for them."""
_ALWAYS_ASKED: Final = ("DataTransfer", "MeterValues", "TransactionEvent")
"""What is asked again whatever was said before: a refusal concerns one vendor, or costs money."""


def ask(d: Dialogue, request: Request[R], *, sound: bool = False) -> Generator[Ask, Any, R]:
    """Send a CALL to the CSMS. Raises Refusal on a CALLERROR, Silence without an answer.

    A CSMS that forgot the station says SecurityError: it is told the last boot once more, then asked again (spec 3.1).
    An action that it does not have is remembered for the connection and not sent again (spec 1.2.6).
    """
    unsupported = facts_of(d).unsupported
    if unsupported and f"{_CSMS}{type(request).action}" in unsupported:
        raise Refusal("NotSupported", f"the CSMS does not support {type(request).action}")
    try:
        response: R = yield Ask("csms", request, 0, sound)
        return response
    except Refusal as refusal:
        action = type(request).action
        if refusal.code in UNSUPPORTED and action not in _ALWAYS_ASKED:
            unsupported.append(f"{_CSMS}{action}")
        yield from introduce_again(d, refusal)
    response = yield from d.ask("csms", request)
    return response


def try_again(facts: Facts) -> None:
    """The CSMS has a new connection: it may know more than before."""
    facts.unsupported = [each for each in facts.unsupported if not each.startswith(_CSMS)]


def introduce_again(d: Dialogue, refusal: Refusal) -> Generator[Any, Any, None]:
    """Tell a CSMS that forgot the station who it is. Raises the refusal if that is not what it was about."""
    facts = facts_of(d)
    if refusal.code != "SecurityError" or facts.registration != "Accepted":
        raise refusal
    reply = yield from d.ask("csms", known_boot(d))
    register(facts, reply)
    if reply.status != "Accepted":
        raise refusal


def known_boot(d: Dialogue) -> v201.BootNotificationRequest:
    """The last boot once more, or one of a station that never told who it is."""
    boot = v16.BootNotificationRequest(chargePointVendor="unknown", chargePointModel="unknown")
    stored, before = facts_of(d).boot, d.losses()
    told = boot_request(
        d, msgspec.convert(stored, v16.BootNotificationRequest, strict=False) if stored else boot, "Unknown"
    )
    d.spare(before)
    d.lose("BootNotification", "synthesised")
    return told


def register(facts: Facts, reply: v201.BootNotificationResponse) -> None:
    """Keep what the CSMS said to a boot."""
    facts.registration = reply.status if reply.status in ("Accepted", "Pending", "Rejected") else "Rejected"
    facts.interval = reply.interval


def boot_request(
    d: Dialogue, boot: v16.BootNotificationRequest, reason: v201.BootReason
) -> v201.BootNotificationRequest:
    """A 1.6 boot as the CSMS gets it (spec 4.1)."""
    serial = boot.chargePointSerialNumber or boot.chargeBoxSerialNumber
    extra = {
        name: value
        for name in ("chargeBoxSerialNumber", "meterType", "meterSerialNumber")
        if (value := getattr(boot, name))
    }
    both = serial if boot.chargePointSerialNumber == boot.chargeBoxSerialNumber else None
    custom = carried(d, bare=True, **extra, chargePointSerialNumber=both)
    if custom is None:
        for name in extra:
            if name != "chargeBoxSerialNumber" or boot.chargePointSerialNumber:
                d.lose(name)
    iccid = shorten(d, boot.iccid, 20, "iccid")
    imsi = shorten(d, boot.imsi, 20, "imsi")
    station = v201.ChargingStation(
        vendorName=shorten(d, boot.chargePointVendor, 50, "chargePointVendor") or _unknown(d, "chargePointVendor"),
        model=shorten(d, boot.chargePointModel, 20, "chargePointModel") or _unknown(d, "chargePointModel"),
        serialNumber=shorten(d, serial, 25, "chargePointSerialNumber"),
        firmwareVersion=shorten(d, boot.firmwareVersion, 50, "firmwareVersion"),
        modem=v201.Modem(iccid=iccid, imsi=imsi) if iccid or imsi else None,
        customData=custom,
    )
    return v201.BootNotificationRequest(reason=reason, chargingStation=station)


def _unknown(d: Dialogue, field: str) -> str:
    d.lose(field, "defaulted")
    return "unknown"


def told_time(d: Dialogue, text: str, field: str) -> str:
    """A time that the CSMS told; the present if it is none."""
    found = tidy_time(text)
    if found is None:
        d.lose(field, "defaulted")
    return found or format_time(d.clock)


def shorten(d: Dialogue, text: str | None, length: int, field: str) -> str | None:
    """`text` cut to the length its target allows; None if there is none."""
    if not text:
        return None
    if len(text) > length:
        d.lose(field, "shortened")
    return text[:length]


def carries(d: Dialogue) -> bool:
    """Whether the upstream gets customData with what has no counterpart."""
    return options_of(d).carry_lossy == "customData"


def carried(d: Dialogue, *, bare: bool = False, **members: Any) -> dict[str, Any] | None:
    """customData with members that have no counterpart, if the upstream is to get them (spec 10). `bare`: also without
    any, which tells a gateway there that the others will come."""
    if not carries(d):
        return None
    kept = {name: value for name, value in members.items() if value not in (None, "")}
    return {"vendorId": options_of(d).vendor_id, **kept} if kept or bare else None


def triggered(d: Dialogue, message: str, connector: int) -> bool:
    """Whether the CSMS asked for this message, of this connector or of the whole station."""
    triggers = facts_of(d).triggers
    if connector and triggers.get(f"{message}:{connector}", 0) > d.now:
        return True
    expires = triggers.get(f"{message}:0", 0)
    return expires > d.now and triggers.get(f"{message}:0/{connector}") != expires


def trigger_served(d: Dialogue, message: str, connector: int) -> None:
    """The message that was asked for is delivered. A trigger for the whole station waits for each of its connectors."""
    triggers = facts_of(d).triggers
    if not connector or triggers.pop(f"{message}:{connector}", None) is None:
        if message not in _OF_CONNECTORS:
            triggers.pop(f"{message}:0", None)
        elif expires := triggers.get(f"{message}:0"):
            triggers[f"{message}:0/{connector}"] = expires
    forget_triggers(d)


def forget_triggers(d: Dialogue) -> None:
    """What was asked for too long ago is not expected any more."""
    triggers = facts_of(d).triggers
    for name in [name for name, expires in triggers.items() if expires <= d.now]:
        del triggers[name]


def event_id(d: Dialogue, name: str) -> int:
    """The eventId of a NotifyEvent: a number for each event, the same again when the event is made again."""
    facts = facts_of(d)

    def take() -> int:
        facts.next_event += 1
        return facts.next_event - 1

    return d.once(f"event {name}", take)
