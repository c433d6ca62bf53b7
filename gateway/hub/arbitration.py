"""Which chargers need an arbiter, and what their upstreams may: after the configuration. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from gateway.routes import Route
from translators.frames import Call, Error, Result

from .arbiter import Arbiter, May
from .book import book
from .intake import Intake
from .terms import NO_TERMS, Terms
from .virtual import kept_interval

if TYPE_CHECKING:
    from gateway.config_upstream import Upstream

    from .session import Session


class Desk:
    """What an arbiter asks of a session."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def offer(self, call: Call, source: str, timeout_ms: int) -> bool:
        """Queue a CALL for the charger; False if there is no room."""
        return self._session.lane.offer(call, source, timeout_ms)

    def settled(self, source: str, frame: Result | Error, now: int) -> None:
        """A command of an upstream is answered."""
        if link := self._session.links.get(source):
            link.from_command(frame, now)

    def unanswered(self, source: str, id: str, now: int) -> None:
        """A command of an upstream gets no answer."""
        if link := self._session.links.get(source):
            link.command_expired(id, now)

    def slow_down(self, source: str, meter_ms: int) -> None:
        """An upstream wants meter values no more often than this."""
        if link := self._session.links.get(source):
            if link.intake is None:
                link.intake = Intake(source, Route(primary=source if link.primary else ""), None, 0)
            link.intake.slow_down(max(meter_ms, link.intake.least_ms))

    def conflict(self, source: str, action: str) -> None:
        """A command of an upstream was refused because of another one."""
        self._session.observer.conflict(source, action)

    def keep(self, terms: Terms) -> None:
        """Store the terms with the next commit, before anything that was decided since leaves."""
        self._session.effects.terms[self._session.charger] = terms


def arbitrate(session: Session, route: Route, upstreams: Mapping[str, Upstream], new_id: Callable[[], str]) -> None:
    """Give a charger the arbiter that its route needs; one that it has is told what has changed."""
    may = {
        name: May(
            bills=name in route.answerers,
            primary=name == route.primary,
            levels=upstreams[name].stack_levels,
            configure=_configure(upstreams[name].may_configure),
        )
        for name in route.commanders(upstreams)
    }
    minimum = route.charging_profiles == "minimum" and len(may) > 1
    plain = all(each.levels is None and each.configure is True for each in may.values())
    arbiter = session.arbiter
    if arbiter is None and plain and not minimum and len(may) < 2:
        return
    if arbiter is None or arbiter.version != session.version:
        version = session.version
        if session.terms is NO_TERMS:
            session.terms = Terms()
        arbiter = Arbiter(version, book(version), session.terms, may, Desk(session), new_id, minimum=minimum)
        session.arbiter = arbiter
    arbiter.may, arbiter.minimum = may, minimum
    if minimum:
        for name, own in session.terms.upstreams.items():
            if name not in route.upstreams and own.profiles:  # it has no say any more
                own.profiles = {}
                session.terms.renew_at = 1
                arbiter.desk.keep(session.terms)
    for name in may:
        kept = session.terms.upstreams.get(name)
        if kept is not None and kept.keys and (ms := kept_interval(session.version, kept.keys)) is not None:
            arbiter.desk.slow_down(name, ms)


def _configure(allowed: bool | tuple[str, ...]) -> bool | frozenset[str]:
    return allowed if isinstance(allowed, bool) else frozenset(each.casefold() for each in allowed)
