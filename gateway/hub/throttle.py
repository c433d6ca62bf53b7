"""Fewer meter values for an upstream that does not want them all. Pure.

Of each transaction it gets one in an interval. The first is passed at once; of those that come within the interval the newest
waits for its end, or for the end of the transaction. What is no routine reading always passes: another context than before, a
trigger, a changed charging state.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from .backlog import Exchange

_ROUTINE: Final = frozenset(("Sample.Periodic", "Sample.Clock"))
_ROUTINE_TRIGGERS: Final = frozenset(("MeterValuePeriodic", "MeterValueClock"))
TRANSACTIONS_MOST: Final = 32
"""The most transactions of a charger that are told apart: one that never tells the end of any does not add up."""


class _Sample(msgspec.Struct):
    context: str = "Sample.Periodic"


class _Value(msgspec.Struct):
    sampledValue: list[_Sample] = []
    values: list[_Sample] = []
    """The same in 1.5."""


class _Info(msgspec.Struct):
    transactionId: str = ""
    chargingState: str | None = None


class _Said(msgspec.Struct):
    """What is read of StopTransaction, MeterValues and TransactionEvent in all versions."""

    transactionId: int | None = None
    meterValue: list[_Value] = []
    values: list[_Value] = []
    eventType: str = ""
    triggerReason: str = ""
    transactionInfo: _Info | None = None
    idToken: msgspec.Raw | None = None


_said = msgspec.json.Decoder(_Said, strict=False)
READ: Final = frozenset(("MeterValues", "StopTransaction", "TransactionEvent"))
"""The actions that concern the throttle."""


class _Reading(NamedTuple):
    contexts: frozenset[str]
    state: str | None
    routine: bool


class _Running:
    """What an upstream has been told of a transaction."""

    __slots__ = ("contexts", "held", "passed_at", "state")

    def __init__(self) -> None:
        self.passed_at: int | None = None
        self.contexts: set[str] = set()
        self.state: str | None = None
        self.held: Exchange | None = None


class Verdict(NamedTuple):
    """What is to be told now, in this order, and what never."""

    passed: list[Exchange]
    dropped: list[Exchange]


class Throttle:
    """For one link. Times are milliseconds since 1970, those of messages when they were received."""

    __slots__ = ("_running", "interval_ms")

    def __init__(self, interval_ms: int) -> None:
        self.interval_ms = interval_ms
        self._running: dict[str | int, _Running] = {}

    def take(self, exchange: Exchange) -> Verdict:
        """Decide about a message; one that is in neither list waits."""
        if exchange.call.action not in READ:
            return Verdict([exchange], [])
        try:
            said = _said.decode(exchange.call.payload)
        except msgspec.MsgspecError:
            return Verdict([exchange], [])
        info = said.transactionInfo
        transaction = said.transactionId if info is None else info.transactionId
        if transaction is None:
            return Verdict([exchange], [])
        if exchange.call.action == "StopTransaction" or said.eventType == "Ended":
            running = self._running.pop(transaction, None)
            held = [running.held] if running is not None and running.held is not None else []
            return Verdict([*held, exchange], [])
        running = self._running.get(transaction)
        passed: list[Exchange] = []
        if running is None:
            passed = self._make_room()
            running = self._running[transaction] = _Running()
        reading = _reading(said)
        at = exchange.entry.head.received_at
        if self._waits(running, reading, at):
            older, running.held = running.held, exchange
            return Verdict(passed, [] if older is None else [older])
        older, running.held = running.held, None
        running.state = reading.state or running.state
        if reading.contexts:  # an event without readings takes nobody's turn
            running.passed_at = at
            running.contexts |= reading.contexts
        elif older is not None:
            return Verdict([*passed, older, exchange], [])
        return Verdict([*passed, exchange], [] if older is None else [older])

    def due(self, now: int) -> list[Exchange]:
        """What has waited to the end of its interval."""
        found = []
        for running in self._running.values():
            if running.held is not None and now >= self._until(running):
                found.append(running.held)
                running.passed_at, running.held = running.held.entry.head.received_at, None
        return found

    def release(self) -> list[Exchange]:
        """Let go of everything that waits."""
        found = []
        for running in self._running.values():
            if running.held is not None:
                found.append(running.held)
                running.held = None
        return found

    @property
    def deadline(self) -> int:
        """When `due` has something; 0: nothing waits."""
        return min((self._until(each) for each in self._running.values() if each.held is not None), default=0)

    @property
    def holds(self) -> bool:
        """Whether anything waits."""
        return any(each.held is not None for each in self._running.values())

    def _until(self, running: _Running) -> int:
        return (running.passed_at or 0) + self.interval_ms

    def _waits(self, running: _Running, reading: _Reading, at: int) -> bool:
        return (
            reading.routine
            and running.passed_at is not None
            and at - running.passed_at < self.interval_ms
            and reading.contexts <= running.contexts
            and reading.state in (None, running.state)
        )

    def _make_room(self) -> list[Exchange]:
        if len(self._running) < TRANSACTIONS_MOST:
            return []
        oldest = self._running.pop(next(iter(self._running)))
        return [] if oldest.held is None else [oldest.held]


def _reading(said: _Said) -> _Reading:
    samples = [sample for value in said.meterValue + said.values for sample in value.sampledValue + value.values]
    contexts = frozenset(sample.context for sample in samples)
    routine = bool(contexts) and contexts <= _ROUTINE
    state = None
    if said.transactionInfo is not None:
        state = said.transactionInfo.chargingState
        routine = routine and said.eventType == "Updated" and said.triggerReason in _ROUTINE_TRIGGERS
        routine = routine and said.idToken is None
    return _Reading(contexts, state, routine)
