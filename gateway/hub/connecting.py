"""An upstream's socket opens or is lost, or a bug of ours cuts short what goes over it: what each is to one link. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .answering import count_hang_up, outlast
from .local import line_up

if TYPE_CHECKING:
    from .link import Link


def connected(link: Link, now: int) -> None:
    """The upstream's socket is open."""
    link.returning.begin(away=link.down_since > 0)
    link.up, link.down_since, link.barred = True, 0, False
    if link.returning.flushing:
        line_up(link)
    link.pump(now)


def disconnected(link: Link, now: int, *, hung_up: bool = False) -> None:
    """The upstream's socket is gone, or could not be opened. `hung_up`: it was not the gateway that closed it."""
    was_up, link.up = link.up, False
    count_hang_up(link, at_fault=was_up and hung_up and bool(link.lane.open_id) and not link.returning.telling)
    link.down_since = link.down_since or now
    link._open_calls.clear()
    link._asked_at.clear()
    if was_up:
        link.lane.clear()
        link.apply(link.translator.lost("csms", now), now)
    for exchange in list(link.backlog):
        outlast(link, exchange, now)


def stumbled(link: Link, now: int) -> None:
    """A bug of ours was met in the middle of what is under way: as good as no answer, so it is tried again, not for ever."""
    link.lane.clear()
    link._asked_at.clear()
    link.apply(link.translator.lost("csms", now), now)
    link.pump(now)
