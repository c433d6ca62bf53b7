"""BootNotification, Heartbeat, the registration gate and what follows a boot (spec 3.1, 3.12, 4.1, 4.3)."""

from __future__ import annotations

from typing import Final, cast

import msgspec

from ..dialogue import Dialogue, Refusal, Row, Rule, Silence, Talk
from ..facts import Facts, Key
from ..models import v16, v201
from ..registration import introduce, require_registered, unknown
from ..topology import connectors
from .charger import facts_of, has, options_of
from .upstream import ask, boot_request, known_boot, register, told_time, trigger_served, triggered

STATUS_WAIT: Final = 30.0
"""How long after a boot the charger may take to report its connectors, s."""
PIPELINED_MS: Final = 10_000
"""A status this much before the boot was answered belongs to that boot."""

_INSTALLING: Final = ("Installing", "InstallRebooting", "Installed")
"""Last statuses of an update that explain a boot."""

_MEANT_BY: Final[dict[str, tuple[str, ...]]] = {
    "MeterValues": ("TransactionEvent",),
    "DiagnosticsStatusNotification": ("LogStatusNotification",),
    "SignedFirmwareStatusNotification": ("FirmwareStatusNotification",),
    "SignCertificate": ("SignChargingStationCertificate",),
}


def gate(d: Dialogue) -> None:
    """Refuse a charger CALL while the CSMS has not accepted the station."""
    if d.action in ("BootNotification", "DataTransfer"):
        return  # of the latter, what is in it decides (`reporting`)
    require_registered(d, _MEANT_BY)


def boot(d: Dialogue, request: v16.BootNotificationRequest) -> Rule:
    """The station's identity; an accepted boot makes every status news again."""
    facts = facts_of(d)
    reason = _reason(d)
    reply = yield from d.ask("csms", boot_request(d, request, reason))
    register(facts, reply)
    facts.boot = msgspec.to_builtins(request)
    if reason == "Triggered":
        trigger_served(d, "BootNotification", 0)
    if facts.registration == "Accepted":
        if facts.firmware is not None and facts.firmware.last_status in _INSTALLING:
            facts.firmware.booted = True
        facts.reset, facts.reset_expires = "", 0
        facts.unsupported.clear()
        for connector in facts.connectors.values():
            connector.told = connector.told_state = ""
        _follow(d)
    if reply.statusInfo is not None:
        d.lose("statusInfo")
    return v16.BootNotificationResponse(
        currentTime=told_time(d, reply.currentTime, "currentTime"),
        interval=reply.interval,
        status=facts.registration or "Rejected",
    )


def _follow(d: Dialogue) -> None:
    """Begin what follows an accepted boot."""
    if options_of(d).post_boot:
        facts_of(d).booted_at = d.clock
        d.spawn(booted, "GetConfiguration")


def connected(facts: Facts, at: int) -> None:
    """A new connection: the charger may have other firmware, and what happened before it happened offline."""
    facts.connected_at = at
    facts.unsupported.clear()
    facts.introduced = False


def first(d: Dialogue) -> Rule | None:
    """A station that the CSMS was never told of is introduced before its first message (spec 3.1)."""
    if not unknown(d):
        return None
    if d.action == "DataTransfer" and options_of(d).carry_lossy == "datatransfer":
        return None  # it may be a boot; for anything else a CSMS that does not know the station says so
    asks = facts_of(d).boot is None and has(d, "RemoteTrigger")
    trigger = v16.TriggerMessageRequest(requestedMessage="BootNotification") if asks else None
    return introduce(d, trigger, known_boot, register, _follow)


def heartbeat(d: Dialogue, request: v16.HeartbeatRequest) -> Rule:
    """The CSMS's time."""
    reply = yield from ask(d, v201.HeartbeatRequest())
    return v16.HeartbeatResponse(currentTime=told_time(d, reply.currentTime, "currentTime"))


def _reason(d: Dialogue) -> v201.BootReason:
    facts, options = facts_of(d), options_of(d)
    job = facts.firmware
    if triggered(d, "BootNotification", 0):
        return "Triggered"
    if job is not None and job.last_status in _INSTALLING and not job.booted:
        return "FirmwareUpdate"
    if facts.reset and facts.reset_expires > d.now:
        return cast(v201.BootReason, facts.reset)
    return options.boot_reason_default


def booted(d: Dialogue) -> Rule:
    """Post-boot tasks: learn the charger's configuration; ask for the statuses it does not send by itself."""
    facts = facts_of(d)
    at = facts.booted_at
    if facts.keys_read_at < at:
        try:
            response = yield from d.ask("charger", v16.GetConfigurationRequest())
            keep_configuration(facts, response, d.clock)
        except (Refusal, Silence):
            pass

    def reported() -> bool:
        known = connectors(d)
        since = at - PIPELINED_MS
        heard = [number for number in known if number in facts.connectors and facts.connectors[number].heard >= since]
        return bool(known) and heard == known

    left = STATUS_WAIT - (d.clock - at) / 1000
    if not reported() and not (left > 0 and (yield from d.wait(left, reported))) and has(d, "RemoteTrigger"):
        try:
            yield from d.ask("charger", v16.TriggerMessageRequest(requestedMessage="StatusNotification"))
        except (Refusal, Silence):
            pass
    if facts.booted_at == at:
        facts.booted_at = 0
    return None


def resume(d: Dialogue) -> None:
    """After a restart: the tasks of a boot that are not complete."""
    if facts_of(d).booted_at:
        d.spawn(booted, "GetConfiguration")


def keep_configuration(facts: Facts, response: v16.GetConfigurationResponse, clock: int) -> None:
    """Remember a full configuration; the number of connectors never shrinks."""
    entries = response.configurationKey or []
    facts.keys = {each.key: Key(value=each.value, readonly=each.readonly) for each in entries[:1000]}
    facts.keys_read_at = clock
    for each in entries:
        text = (each.value or "").strip()
        if each.key.casefold() == "numberofconnectors" and text.isdecimal():
            facts.known_connectors = max(facts.known_connectors, min(int(text[:4]), 256))


FROM_CHARGER: dict[str, Row] = {
    "BootNotification": Talk(boot),
    "Heartbeat": Talk(heartbeat),
}
