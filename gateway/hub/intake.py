"""What one link takes of what a charger says, and what is answered at once: filter, throttle, early answers, split authority.

Pure. A link without any of these has no intake.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Raw

from gateway.journal.entry import Entry
from gateway.routes import Route
from translators.frames import EMPTY, Call
from translators.values import format_time

from .answering import drop, promise
from .backlog import Exchange
from .throttle import Throttle

if TYPE_CHECKING:
    from gateway.config_upstream import Forward, Upstream

    from .link import Link


class _Event(msgspec.Struct):
    eventType: str = ""
    idTag: str | None = None
    idToken: Raw = Raw()


_event = msgspec.json.Decoder(_Event)
_EVENTS: Final = frozenset(("StopTransaction", "TransactionEvent"))


class Intake:
    """The rules for one upstream of a route."""

    __slots__ = ("_counts", "_early", "_forward", "_name", "_route", "least_ms", "throttle")

    def __init__(self, name: str, route: Route, forward: Forward | None, meter_ms: int) -> None:
        self._name = name
        self._route = route
        self._forward = forward
        self._early = bool(route.answers)
        self._counts: dict[str, bool] | None = {} if route.authority else None
        self.least_ms = meter_ms
        """The interval of meter values that the configuration says; the upstream itself may wish for a longer one."""
        self.throttle = Throttle(meter_ms) if meter_ms else None

    def counts(self, action: str) -> bool:
        """Whether the charger gets this upstream's answer to its CALL."""
        if self._counts is None:
            return self._name == self._route.primary
        known = self._counts.get(action)
        if known is None:
            known = self._route.answerer(action) == self._name
            if len(self._counts) < 256:
                self._counts[action] = known
        return known

    def hears(self, action: str) -> bool:
        """Whether the upstream is told of this action."""
        return self._forward is None or self._forward.allows(action)

    def take(self, link: Link, exchange: Exchange, now: int) -> bool:
        """Whether a CALL goes its way now. If not it is dropped, or it waits."""
        call, counts = exchange.call, self.counts(exchange.call.action)
        exchange.counts = counts
        if not self.hears(call.action):
            drop(link, exchange, "policy", now)
            return False
        if counts and self._early and self._route.early(call.action, exchange.entry.head.cls):
            answer = neutral(call, link.translator.neutral, now)
            if answer is not None:
                link.owner.observer.locally(link, call.action, "early")
                promise(link, exchange, answer, now)
        if self.throttle is None:
            return True
        verdict = self.throttle.take(exchange)
        for each in verdict.dropped:
            drop(link, each, "policy", now)
        for each in verdict.passed:
            if each is exchange:
                return True
            link.enqueue(each, now)
        promise(link, exchange, EMPTY, now)
        return False

    def slow_down(self, meter_ms: int) -> None:
        """The upstream wants meter values no more often than this; 0: all of them."""
        if self.throttle is not None:
            self.throttle.interval_ms = meter_ms
        elif meter_ms:
            self.throttle = Throttle(meter_ms)

    def tick(self, link: Link, now: int) -> None:
        """Time has passed."""
        if self.throttle is not None and (until := self.throttle.deadline) and until <= now:
            for exchange in self.throttle.due(now):
                link.enqueue(exchange, now)

    def release(self) -> list[Exchange]:
        """Let go of what waits."""
        return [] if self.throttle is None else self.throttle.release()

    @property
    def deadline(self) -> int:
        """When `tick` is due, ms; 0: no need."""
        return 0 if self.throttle is None else self.throttle.deadline

    @property
    def holds(self) -> bool:
        """Whether anything waits here."""
        return self.throttle is not None and self.throttle.holds


def ignore(link: Link, entry: Entry, call: Call, now: int) -> None:
    """A charger CALL that is none of this upstream's business."""
    exchange = Exchange(entry, call)
    exchange.counts = link.counts(call.action)
    drop(link, exchange, "policy", now)


def intake(name: str, route: Route, settings: Upstream) -> Intake | None:
    """The intake of upstream `name`; None if it takes everything and nothing is answered before it has answered."""
    forward = settings.forward if settings.forward.only or settings.forward.except_ else None
    meter_ms = round(settings.meter_interval * 1000)
    early = any(mode == "early" for mode in route.answers.values())
    if forward is None and not meter_ms and not early and not route.authority:
        return None
    return Intake(name, route, forward, meter_ms)


def neutral(call: Call, harmless: frozenset[str], now: int) -> Raw | None:
    """The answer that decides nothing; None if this CALL wants a decision. `harmless`: actions that never do."""
    if call.action == "Heartbeat":
        return Raw(msgspec.json.encode({"currentTime": format_time(now)}))
    if call.action in _EVENTS:
        try:
            said = _event.decode(call.payload)
        except msgspec.MsgspecError:
            return None
        wants = (
            said.idTag is not None
            or bytes(said.idToken) not in (b"", b"null")
            or said.eventType in ("Started", "Ended")
        )
        return None if wants else EMPTY
    return EMPTY if call.action in harmless else None
