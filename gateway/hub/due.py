"""What is due in one link when time has passed, and when that is. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .answering import answer_overdue, outlast, overdue_at

if TYPE_CHECKING:
    from .link import Link


def tick(link: Link, now: int) -> None:
    """Time has passed."""
    if expired := link.lane.expire(now):
        link._asked_at.pop(expired[0], None)
        link.apply(link.translator.expire("csms", expired[0], now), now)
    if (wake := link.translator.next_wake) is not None and wake <= now:
        link.apply(link.translator.tick(now), now)
    if link.local is not None and 0 < link.local.deadline(link) <= now:
        for exchange in list(link.backlog):
            outlast(link, exchange, now)
    if 0 < overdue_at(link) <= now:
        answer_overdue(link, now)
    if link.intake is not None:
        link.intake.tick(link, now)
    link.pump(now)


def deadline(link: Link) -> int:
    """When `tick` is due at the latest, ms; 0: no need."""
    times = [link.lane.deadline, link.translator.next_wake or 0, overdue_at(link)]
    if link.up and not link._current:
        times += [exchange.not_before for exchange in link.backlog]
        times.append(link.returning.deadline(link))
    if link.intake is not None:
        times.append(link.intake.deadline)
    if link.local is not None:
        times.append(link.local.deadline(link))
    return min((at for at in times if at), default=0)
