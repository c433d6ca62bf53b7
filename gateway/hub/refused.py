"""A message that its charger was answered for, and that the upstream refuses: told again, put aside, or held back until the
charger boots, by the code of the CALLERROR (reliability 5.7). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.journal.entry import Dead

from .backlog import Exchange

if TYPE_CHECKING:
    from .link import Link

PERMANENT_MOST: Final = 2
"""Deliveries of what the upstream will refuse each time."""
TRANSIENT_MOST: Final = 8
"""Deliveries of what it may take another time, at least."""
FIRST_MS: Final = 1_000
LONGEST_MS: Final = 300_000

_PERMANENT: Final = frozenset(
    ("NotImplemented", "NotSupported", "ProtocolError", "MessageTypeNotSupported", "RpcFrameworkError", "")
)
"""And all that end in Violation. Empty: it was the gateway's own rule, which says the same again."""


def again(link: Link, exchange: Exchange, code: str, now: int) -> bool:
    """What becomes of a refused message; False if it is to be put aside now. `code`: of the CALLERROR."""
    exchange.failures += 1
    if code == "SecurityError":
        if not link.barred:
            link.barred = True
            link.owner.observer.barred(link)
        exchange.failures -= 1  # it is not about the message
        exchange.not_before = 0
    elif permanent(code):
        if exchange.failures >= PERMANENT_MOST:
            return False
        exchange.not_before = now + FIRST_MS
    else:
        if exchange.failures >= max(TRANSIENT_MOST, link.attempts):
            return False
        exchange.not_before = now + min(FIRST_MS << min(exchange.failures - 1, 16), LONGEST_MS)
    link.backlog.appendleft(exchange)
    return True


def dead(link: Link, exchange: Exchange, why: str, reason: str) -> None:
    """Put a message aside for a person to look at; it is still to be acknowledged. Should the charger say it again, the upstream
    is told again."""
    exchange.said = None
    link.owner.effects.dead.append(Dead(link.name, exchange.entry, why, exchange.failures))
    link.owner.observer.dead_letter(link, exchange.entry, reason)


def permanent(code: str) -> bool:
    """Whether an upstream that refuses with this code will do so each time."""
    return code in _PERMANENT or code.endswith("Violation")


def passes(exchange: Exchange) -> bool:
    """Whether a link that waits for the charger's boot may tell this: the boot itself, and what the charger waits for, unless
    it belongs behind what is held back."""
    if exchange.call.action == "BootNotification":
        return True
    return not exchange.answered and exchange.entry.head.cls != "K0"
