"""The chargers that are connected to an edge: which connection is a charger's, and the accounts of what they do."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

import structlog

from gateway.config import Limits
from gateway.edge.connection import ChargerConnection
from gateway.edge.counters import OURS, EdgeCounters, count, odd
from gateway.edge.credentials import Checker
from gateway.edge.guard import Open
from gateway.edge.lockout import prefix
from gateway.edge.parting import make_room
from gateway.edge.sources import Conflicts
from gateway.journal.entry import ToCharger
from gateway.journal.journal import Journal
from gateway.wheel import Wheel

log = structlog.get_logger(__name__)

CLOSES_PER_SECOND: Final = 100
"""Sockets closed per second when many must be, so that their chargers do not all come back at once."""
SPREAD: Final = 10.0
"""Most seconds over which the sockets that wait for the store in vain are closed."""
MOST_PINS: Final = 10_000
"""Chargers whose version is remembered."""


class Connections:
    """Of each charger the newest counts. `gateway.edge.listener` begins and ends them."""

    def __init__(self, journal: Journal, wheel: Wheel, counters: EdgeCounters, limits: Limits) -> None:
        self.journal = journal
        self.wheel = wheel
        self.counters = counters
        self.limits = limits
        self.holding: set[ChargerConnection] = set()
        """Connections with frames that wait for the store."""
        self.passes_authorization = False
        """Some upstream wants the chargers' own credentials: the header is kept in memory while the charger is connected."""
        self.pins: dict[str, tuple[str, ...]] = {}
        """Charger (casefolded) -> the OCPP versions that it shall speak."""
        self._chargers: dict[str, ChargerConnection] = {}
        self._sockets: set[ChargerConnection] = set()
        self._checker = Checker(lambda: self.wheel.loop.time())
        self._conflicts = Conflicts()

    @property
    def connected(self) -> list[ChargerConnection]:
        """The chargers that are here."""
        return list(self._chargers.values())

    @property
    def buffered(self) -> int:
        """Bytes that the chargers have not taken yet."""
        return sum(wire.buffered for wire in self._sockets)

    def take(self, item: ToCharger) -> None:
        """Do what a hub decided, if its charger is here."""
        wire = self._chargers.get(item.charger.casefold())
        if wire is None:
            return
        try:
            wire.deliver(item)
        except Exception:
            log.exception("delivery_failed", charger_id=item.charger, kind=item.kind)

    def authorization(self, charger: str) -> str | None:
        """The Authorization header with which a charger came, "" if it came without; None if it is not here."""
        wire = self._chargers.get(charger.casefold())
        return None if wire is None or not self.passes_authorization else wire.authorization

    def grace(self) -> float:
        """Seconds for which a socket that has waited for the store in vain stays: not all of them are closed together."""
        return random.uniform(0, min(SPREAD, len(self._sockets) / CLOSES_PER_SECOND))

    def arrived(self) -> bool:
        """A socket was accepted. False: there are too many handshakes under way."""
        self.counters.pending += 1
        return self.counters.pending <= self.limits.pending

    def refused(self, outcome: str) -> None:
        """A handshake failed."""
        self.counters.pending -= 1
        self._attempt("", outcome)

    def opened(self, wire: ChargerConnection) -> None:
        """A handshake is complete: the newest connection of an identity wins."""
        self.counters.pending -= 1
        self._attempt(wire.version, "accepted")
        key = (wire.version, wire.gate.listen.security_profile)
        self.counters.connections[key] = self.counters.connections.get(key, 0) + 1
        now = self.wheel.loop.time()
        if self.counters.observe_handshake is not None:
            self.counters.observe_handshake(now - wire.since)
        wire.since = now
        wire.gate.open += 1
        self._sockets.add(wire)
        identity = wire.charger.casefold()
        older = self._chargers.get(identity)
        self._chargers[identity] = wire
        if older is not None:
            self.taken_over(wire)
            older.part("duplicate_identity", 1008, "superseded")

    def pin(self, charger: str, versions: tuple[str, ...]) -> bool:
        """This charger shall speak one of these versions from its next connection on. False: that is known."""
        folded = charger.casefold()
        if folded in self.pins:
            return False
        if len(self.pins) >= MOST_PINS:
            del self.pins[next(iter(self.pins))]
        self.pins[folded] = versions
        return True

    def taken_over(self, wire: ChargerConnection) -> None:
        """This connection has taken the place of another one of its charger."""
        odd(self.counters, "takeover", wire.version)
        if self._conflicts.taken_over(
            wire.charger.casefold(), prefix(wire.source), self.wheel.loop.time(), self.limits.take_overs
        ):
            count(self.counters.security, "identity_conflict")
            log.warning("security_event", type="identity_conflict", charger_id=wire.charger, source=wire.source)

    def make_room(self, most: int) -> None:
        """Disconnect up to so many idle chargers."""
        closed = make_room(self._sockets, most)
        self.counters.limits["memory_close"] = self.counters.limits.get("memory_close", 0) + closed

    def owns(self, wire: ChargerConnection) -> bool:
        """Whether this is the newest connection of its charger here."""
        return self._chargers.get(wire.charger.casefold()) is wire

    def closed(self, wire: ChargerConnection, abandoned: Sequence[Open], code: int) -> None:
        """A charger's socket is gone with `abandoned` CALLs unanswered."""
        self._sockets.discard(wire)
        self.holding.discard(wire)
        if self.owns(wire):
            del self._chargers[wire.charger.casefold()]
            self._checker.keep(wire.charger.casefold())
        wire.gate.open -= 1
        self.counters.connections[wire.version, wire.gate.listen.security_profile] -= 1
        outcome = "gateway_error" if wire.reason in OURS else "abandoned"
        for call in abandoned:
            self.ended(call.action, outcome)
        closing = (wire.reason, code)
        self.counters.closings[closing] = self.counters.closings.get(closing, 0) + 1
        if self.counters.observe_connection is not None:
            self.counters.observe_connection(self.wheel.loop.time() - wire.since)

    def supersede(self, edge: str, charger: str, epoch: int) -> None:
        """Another edge still holds an older socket of this charger: make it close that."""
        item = ToCharger(charger, epoch, "close", b"superseded", code=1008)
        # If it is lost, the first frame of the older socket finds itself stale.
        self.journal.deliver(edge, [item]).add_done_callback(lambda told: told.cancelled() or told.exception())

    def counted(self, direction: str, kind: str, action: str, version: str) -> None:
        key = (direction, kind, action, version)
        messages = self.counters.messages
        messages[key] = messages.get(key, 0) + 1

    def ended(self, action: str, outcome: str, seconds: float = -1.0) -> None:
        """A charger's CALL has ended; `seconds` if it was answered."""
        counters = self.counters
        counters.in_flight -= 1
        key = (action, outcome)
        counters.calls[key] = counters.calls.get(key, 0) + 1
        if seconds >= 0 and counters.observe_call is not None:
            counters.observe_call(action, seconds)

    async def _answers(self, charger: str) -> bool:
        """Whether a charger that is connected here answers a ping."""
        wire = self._chargers.get(charger.casefold())
        return wire is not None and self.limits.probe > 0 and await wire.answers(self.limits.probe)

    def _attempt(self, version: str, outcome: str) -> None:
        key = (version, outcome)
        self.counters.attempts[key] = self.counters.attempts.get(key, 0) + 1
