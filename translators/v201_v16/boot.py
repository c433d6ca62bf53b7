"""BootNotification, Heartbeat, the registration gate and the introduction of an unknown station (spec 3.1, 6.2, 6.8)."""

from __future__ import annotations

from typing import Final

import msgspec

from ..dialogue import Dialogue, Refusal, Row, Rule, Silence, Talk
from ..models import v16, v201
from ..values import format_time, tidy_time
from . import carried
from .availability import tell_station
from .discovery import booted
from .peers import boot_request, known_boot, register, tell
from .state import Facts, facts_of, options_of

BOOT_WAIT_MS: Final = 10_000
"""How long a station that the CSMS does not know may take to boot when asked to."""

_MEANT_BY: Final[dict[str, str]] = {
    "LogStatusNotification": "DiagnosticsStatusNotification",
    "SignCertificate": "SignChargePointCertificate",
}
_ALWAYS: Final = ("BootNotification", "NotifyReport")
"""What passes without an accepted registration: nothing of it is for the CSMS but the boot."""


def gate(d: Dialogue) -> None:
    """Refuse a charger CALL while the CSMS has not accepted the station; an unknown registration passes.

    What was acknowledged already must be delivered, and a message that the CSMS asked for may pass while Pending.
    """
    facts = facts_of(d)
    if facts.registration not in ("Pending", "Rejected") or d.action in _ALWAYS or d.early:
        return
    if facts.registration == "Pending":
        names = (d.action, _MEANT_BY.get(d.action, d.action))
        for trigger, expires in facts.triggers.items():
            if trigger.partition(":")[0] in names and expires > d.now:
                return
    raise Refusal("SecurityError", f"the registration is {facts.registration}")


def boot(d: Dialogue, request: v201.BootNotificationRequest) -> Rule:
    """The station's identity; an accepted boot makes every status news again, and the station's own is told."""
    facts = facts_of(d)
    carried.heed(d, request)
    reply = yield from d.ask("csms", boot_request(d, request))
    accepted = keep(facts, request, reply.status, reply.interval)
    facts.carried = carried.own(d, request.chargingStation.customData) is not None
    current = tidy_time(reply.currentTime)
    if current is None:
        d.lose("currentTime", "defaulted")
    yield from d.answer(
        v201.BootNotificationResponse(
            currentTime=current or format_time(d.clock),
            interval=reply.interval,
            status="Accepted" if accepted else "Pending" if facts.registration == "Pending" else "Rejected",
        )
    )
    if accepted:
        if options_of(d).post_boot:
            d.spawn(booted, "GetBaseReport")
        if not facts.carried:
            yield from tell_station(d, format_time(d.clock))
    return None


def keep(facts: Facts, request: v201.BootNotificationRequest, status: str, interval: int) -> bool:
    """Remember a boot and what the CSMS said to it; whether that was Accepted."""
    before = facts.boot
    register(facts, status, interval)
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
    facts = facts_of(d)
    if facts.registration or facts.introduced or d.action == "BootNotification":
        return None
    return _introduce(d)


def _introduce(d: Dialogue) -> Rule:
    """Ask the charger to boot; if it does not within 10 s, boot in its name. What the CSMS says to that decides nothing
    here: a station of unknown registration is never refused."""
    facts, awaited = facts_of(d), d.translator.awaited
    facts.introduced = True
    if facts.boot is None:
        awaited.add("BootNotification")
        try:
            until = d.clock + BOOT_WAIT_MS
            trigger = v201.TriggerMessageRequest(requestedMessage="BootNotification")
            answer = yield from d.ask("charger", trigger, BOOT_WAIT_MS / 1000)
            if answer.status == "Accepted" and until > d.clock:
                yield from d.wait((until - d.clock) / 1000, lambda: bool(facts.registration))
        except (Refusal, Silence):
            pass
        finally:
            awaited.discard("BootNotification")
    if facts.registration:
        return None
    d.lose("BootNotification", "synthesised")
    try:
        reply = yield from d.ask("csms", known_boot(d))
        register(facts, reply.status, reply.interval)
    except Refusal:
        pass
    except Silence:
        facts.introduced = False
        raise
    return None


def heartbeat(d: Dialogue, request: v201.HeartbeatRequest) -> Rule:
    """The CSMS's time."""
    reply = yield from tell(d, v16.HeartbeatRequest())
    return v201.HeartbeatResponse(currentTime=tidy_time(reply.currentTime) or format_time(d.clock))


FROM_CHARGER: dict[str, Row] = {
    "BootNotification": Talk(boot),
    "Heartbeat": Talk(heartbeat),
}
