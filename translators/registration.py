"""Who a station is to a CSMS that was never told, and what it may say before the CSMS has accepted it (spec 3.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from .dialogue import Dialogue, Refusal, Rule, Silence
from .models.base import Request

R = TypeVar("R")

BOOT_WAIT_MS: Final = 10_000
"""How long a station that the CSMS does not know may take to boot when asked to."""


def require_registered(d: Dialogue, meant_by: Mapping[str, tuple[str, ...]]) -> None:
    """Refuse a charger CALL while the CSMS has not accepted the station; an unknown registration passes.

    What was acknowledged already must be delivered, and a message that the CSMS asked for may pass while Pending.
    `meant_by`: action of the charger -> other names of it in a TriggerMessage.
    """
    facts = d.facts
    if facts.registration not in ("Pending", "Rejected") or d.early:
        return
    if facts.registration == "Pending":
        names = (d.action, *meant_by.get(d.action, ()))
        for trigger, expires in facts.triggers.items():
            if trigger.partition(":")[0] in names and expires > d.now:
                return
    raise Refusal("SecurityError", f"the registration is {facts.registration}")


def unknown(d: Dialogue) -> bool:
    """Whether this message is the first of a station that the CSMS was never told of."""
    return not d.facts.registration and not d.facts.introduced and d.action != "BootNotification"


def introduce(
    d: Dialogue,
    trigger: Request[Any] | None,
    boot: Callable[[Dialogue], Request[R]],
    register: Callable[[Any, R], None],
    accepted: Callable[[Dialogue], None] | None = None,
) -> Rule:
    """Ask the charger to boot by `trigger`; if it does not within 10 s, `boot` in its name. What the CSMS says to that
    decides nothing here: a station of unknown registration is never refused. `accepted` begins what follows a boot."""
    facts = d.facts
    facts.introduced = True
    if trigger is not None:
        yield from _asked_to_boot(d, trigger)
    if facts.registration:
        return None
    try:
        register(facts, (yield from d.ask("csms", boot(d))))
        if accepted is not None and facts.registration == "Accepted":
            accepted(d)
    except Refusal:
        pass
    except Silence:
        facts.introduced = False
        raise
    return None


def _asked_to_boot(d: Dialogue, trigger: Request[Any]) -> Rule:
    translator, until = d.translator, d.clock + BOOT_WAIT_MS
    translator.awaited = (*translator.awaited, "BootNotification")
    try:
        answer = yield from d.ask("charger", trigger, BOOT_WAIT_MS / 1000)
        if answer.status == "Accepted" and until > d.clock:
            yield from d.wait((until - d.clock) / 1000, lambda: bool(d.facts.registration))
    except (Refusal, Silence):
        pass
    finally:
        translator.awaited = translator.awaited[1:]
    return None
