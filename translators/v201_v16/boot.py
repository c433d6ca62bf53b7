"""BootNotification, Heartbeat, the registration gate and the introduction of an unknown station (spec 3.1, 6.2, 6.8)."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final

import msgspec

from ..dialogue import Dialogue, Row, Rule, Talk
from ..models import v16, v201
from ..registration import introduce, require_registered, unknown
from ..values import format_time, tidy_time
from . import carried
from .availability import tell_station
from .discovery import booted
from .peers import boot_request, known_boot, register, tell
from .state import Facts, facts_of, options_of

_MEANT_BY: Final[dict[str, tuple[str, ...]]] = {
    "LogStatusNotification": ("DiagnosticsStatusNotification",),
    "SignCertificate": ("SignChargePointCertificate", "SignChargingStationCertificate", "SignV2GCertificate"),
}
_ALWAYS: Final = ("BootNotification", "NotifyReport")
"""What passes without an accepted registration: nothing of it is for the CSMS but the boot."""


def gate(d: Dialogue) -> None:
    """Refuse a charger CALL while the CSMS has not accepted the station."""
    if d.action not in _ALWAYS:
        require_registered(d, _MEANT_BY)


def boot(d: Dialogue, request: v201.BootNotificationRequest) -> Rule:
    """The station's identity; an accepted boot makes every status news again, and the station's own is told."""
    facts = facts_of(d)
    carried.heed(d, request)
    booted_before: dict[str, Any] | None = facts.given.get(d.key, {}).get("booted")
    if booted_before is None:
        answer = yield from _told(d, request)
        d.once("booted", lambda: msgspec.to_builtins(answer))
    else:
        answer = msgspec.convert(booted_before, v201.BootNotificationResponse)
    yield from d.answer(answer)
    if answer.status == "Accepted" and not facts.carried:
        yield from tell_station(d, format_time(d.clock))
    return None


def _told(d: Dialogue, request: v201.BootNotificationRequest) -> Generator[Any, Any, v201.BootNotificationResponse]:
    """Tell the CSMS of a boot; the charger's answer."""
    facts = facts_of(d)
    reply = yield from d.ask("csms", boot_request(d, request))
    accepted = keep(facts, request, reply)
    facts.carried = carried.own(d, request.chargingStation.customData) is not None
    if accepted:
        _follow(d)
    current = tidy_time(reply.currentTime)
    if current is None:
        d.lose("currentTime", "defaulted")
    return v201.BootNotificationResponse(
        currentTime=current or format_time(d.clock),
        interval=reply.interval,
        status="Accepted" if accepted else "Pending" if facts.registration == "Pending" else "Rejected",
    )


def _follow(d: Dialogue) -> None:
    """Begin what follows an accepted boot."""
    facts = facts_of(d)
    if options_of(d).post_boot:
        facts.booted_at, facts.report_id = d.clock, 0
        d.spawn(booted, "GetBaseReport")


def _introduced(d: Dialogue) -> None:
    """The CSMS has accepted a boot in the charger's name: what follows it, and the status of the station."""
    _follow(d)
    if options_of(d).post_boot:
        d.spawn(lambda d: tell_station(d, format_time(d.clock)), "StatusNotification")


def resume(d: Dialogue) -> None:
    """After a restart: what follows a boot and is not complete."""
    facts = facts_of(d)
    if facts.booted_at:
        d.spawn(booted, "GetBaseReport")


def keep(facts: Facts, request: v201.BootNotificationRequest, reply: v16.BootNotificationResponse) -> bool:
    """Remember a boot and what the CSMS said to it; whether that was Accepted."""
    before = facts.boot
    register(facts, reply)
    facts.boot = msgspec.to_builtins(request)
    if facts.registration != "Accepted":
        return False
    facts.reset, facts.reset_expires = "", 0
    facts.unsupported.clear()
    if _firmware(before) != _firmware(facts.boot):
        facts.model_read_at = 0
    for connector in facts.connectors.values():
        connector.told = ""
    return True


def _firmware(boot: dict[str, object] | None) -> object:
    station = (boot or {}).get("chargingStation")
    return station.get("firmwareVersion") if isinstance(station, dict) else None


def connected(facts: Facts, at: int) -> None:
    """A new connection: the charger may have other firmware."""
    facts.connected_at = at
    facts.unsupported.clear()
    facts.introduced = False
    facts.tunnel = facts.tunnel or None


def first(d: Dialogue) -> Rule | None:
    """A station that the CSMS was never told of is introduced before its first message (spec 3.1)."""
    if not unknown(d):
        return None
    trigger = v201.TriggerMessageRequest(requestedMessage="BootNotification") if facts_of(d).boot is None else None
    return introduce(d, trigger, known_boot, register, _introduced)


def heartbeat(d: Dialogue, request: v201.HeartbeatRequest) -> Rule:
    """The CSMS's time."""
    reply = yield from tell(d, v16.HeartbeatRequest())
    return v201.HeartbeatResponse(currentTime=tidy_time(reply.currentTime) or format_time(d.clock))


FROM_CHARGER: dict[str, Row] = {
    "BootNotification": Talk(boot),
    "Heartbeat": Talk(heartbeat),
}
