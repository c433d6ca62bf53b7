"""The pure layer: microseconds per message and per round trip, and the memory of a link's state. No I/O."""

from __future__ import annotations

import gc
import importlib
import statistics
import tracemalloc
from collections import deque
from collections.abc import Collection
from functools import cache
from time import perf_counter_ns
from typing import Any, NamedTuple

import msgspec

from gateway.ids import new_id
from translators.frames import Side

from . import minimal
from .conversations import Script, Turn

SESSIONS_PER_LIFE = 10
"""After so many a new translator begins, as after a restart: no charger has thousands of sessions a day."""

REPEATED = 20
"""Links that translate the same message one after the other."""

LINKS = 200
"""How many links the memory is the mean of."""


class Missing(Exception):
    """The translators cannot be measured; the message says why."""


class Spent(NamedTuple):
    """Medians and minima, us. `call`: from the bytes of the CALL to the bytes that leave; `trip`: with all that follows."""

    call: float
    call_least: float
    trip: float
    trip_least: float


class Kept(NamedTuple):
    """What a link keeps when nothing happens, KiB."""

    stored: float
    """`translator.state()`."""
    memory: float
    """All memory of a translator that has just ended its session."""


class Told(msgspec.Struct):
    """A CALL, and what left for it."""

    turn: Turn
    id: str
    raw: bytes
    key: str
    tx: int
    left: list[tuple[Side, Any]] = []


class Beside(NamedTuple):
    """Minima, us: a CALL that many links translate one after the other, and the same by hand (see `minimal`)."""

    repeated: float
    floor: float


@cache
def _options(translators: Any) -> Any:
    """As the gateway has them, one for all links of an upstream."""
    return translators.Options(post_boot=True)


def build(charger: str, csms: str) -> Any:
    """A fresh translator with `receive(side, frame, clock, *, key, tx) -> steps`. Raises Missing.

    The one place that knows how a translator is made.
    """
    try:
        translators = importlib.import_module("translators")
        return translators.translator(charger, csms, b"", _options(translators), new_id)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise Missing(f"the translator cannot be built: {error}") from None


class Conversation:
    """One charger and its CSMS around a translator."""

    def __init__(self, charger: str, csms: str) -> None:
        self.frames = importlib.import_module("translators.frames")
        self.translator = build(charger, csms)
        self.script = Script(charger, csms)
        self.starts = "StartTransaction" if charger != "ocpp2.0.1" else ""

    def tell(self, turn: Turn) -> tuple[int, int]:
        """One CALL and everything it causes, both sides answering at once; (ns for the CALL, ns for all). Raises Missing.

        Measured is what the gateway does between bytes and bytes. What the two sides do is not.
        """
        told = self.prepare(turn)
        call = self.cross(told)
        return call, call + self.settle(told)

    def prepare(self, turn: Turn) -> Told:
        """What is needed to tell a CALL."""
        script = self.script
        script.count += 1
        raw = msgspec.json.encode([2, f"c{script.count}", turn.action, turn.payload()])
        key = f"{script.count}-0" if turn.side == "charger" else ""
        return Told(turn, f"c{script.count}", raw, key, script.tx if turn.action == self.starts else 0)

    def cross(self, told: Told) -> int:
        """Take a CALL across; the ns for it. Raises Missing."""
        took, told.left = self._across(told.turn.side, told.raw, told.key, told.tx)
        if not told.left:
            raise Missing(f"nothing leaves for {told.turn.action}")
        return took

    def settle(self, told: Told) -> int:
        """Answer what a CALL has caused until nobody waits for anything; the ns of the gateway for it. Raises Missing."""
        frames, took, answered = self.frames, 0, False
        left = deque(told.left)
        while left:
            to, frame = left.popleft()
            if isinstance(frame, frames.Error):
                raise Missing(f"{told.turn.action} is refused: {frame.code} {frame.description}")
            if isinstance(frame, frames.Call):
                answer = self.script.answer(to, frame.action, msgspec.json.decode(frame.payload))
                ns, more = self._across(to, msgspec.json.encode([3, frame.id, answer]), "", 0)
                took += ns
                left += more
            elif (to, frame.id) == (told.turn.side, told.id):
                answered = True
        if not answered:
            raise Missing(f"{told.turn.action} gets no answer")
        return took

    def _across(self, side: Side, raw: bytes, key: str, tx: int) -> tuple[int, list[tuple[Side, Any]]]:
        """(ns, what leaves) of one frame: from its bytes to the bytes that leave."""
        frames, clock = self.frames, self.script.clock
        began = perf_counter_ns()
        steps = self.translator.receive(side, frames.decode(raw), clock, key=key, tx=tx)
        left = [(step, frames.encode(step.frame)) for step in steps if hasattr(step, "frame")]
        took = perf_counter_ns() - began
        return took, [(step.to, step.frame) for step, _ in left]


def measure(charger: str, csms: str, rounds: int) -> dict[str, Spent]:
    """Message -> times over `rounds` sessions. Raises Missing."""
    calls: dict[str, list[int]] = {}
    trips: dict[str, list[int]] = {}
    for at in range(rounds):
        turns: list[Turn] = []
        if at % SESSIONS_PER_LIFE == 0:
            talk = Conversation(charger, csms)
            turns += talk.script.boot()
        for turn in turns + talk.script.session():
            call, trip = talk.tell(turn)
            talk.translator.stored()  # as the commit of each message does
            if turn.name:
                calls.setdefault(turn.name, []).append(call)
                trips.setdefault(turn.name, []).append(trip)
    return {
        name: Spent(*(us / 1000 for of in (calls[name], trips[name]) for us in (statistics.median(of), min(of))))
        for name in sorted(calls, key=str.casefold)
    }


def beside_floor(names: Collection[str], rounds: int) -> dict[str, Beside]:
    """Message -> its CALL from 1.6 to 2.0.1 as a hub works that has the same message of many chargers. Raises Missing."""
    ours: dict[str, int] = {}
    floor: dict[str, int] = {}
    for _ in range(max(rounds // SESSIONS_PER_LIFE // REPEATED, 1)):
        talks = [Conversation("ocpp1.6", "ocpp2.0.1") for _ in range(REPEATED)]
        hands = [minimal.Minimal(new_id(), new_id) for _ in talks]
        for turns in zip(*(talk.script.boot() + talk.script.plain() for talk in talks), strict=True):
            told = [talk.prepare(turn) for talk, turn in zip(talks, turns, strict=True)]
            name = turns[0].name
            crossed = [talk.cross(each) for talk, each in zip(talks, told, strict=True)]
            if name in names:
                ours[name] = min(ours.get(name, crossed[0]), *crossed)
                by_hand = [_by_hand(hand, each.raw) for hand, each in zip(hands, told, strict=True)]
                floor[name] = min(floor.get(name, by_hand[0]), *by_hand)
            for talk, each in zip(talks, told, strict=True):
                talk.settle(each)
                talk.translator.stored()
    return {name: Beside(ours[name] / 1000, floor[name] / 1000) for name in names}


def _by_hand(hand: minimal.Minimal, raw: bytes) -> int:
    began = perf_counter_ns()
    hand.cross(raw)
    return perf_counter_ns() - began


def measure_memory(charger: str, csms: str, sessions: int) -> Kept:
    """What one link keeps after its boot and some sessions, the mean of many. Raises Missing."""
    _rest(charger, csms, sessions)  # what is made once for all links
    links: list[Any] = [None] * LINKS
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for at in range(LINKS):
            links[at] = _rest(charger, csms, sessions)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    stored = statistics.fmean(len(each.state()) for each in links)
    return Kept(stored / 1024, (after - before) / LINKS / 1024)


def _rest(charger: str, csms: str, sessions: int) -> Any:
    talk = Conversation(charger, csms)
    for turn in talk.script.boot():
        talk.tell(turn)
    for _ in range(sessions):
        for turn in talk.script.plain():
            talk.tell(turn)
            talk.translator.stored()  # as the commit of each message does
    return talk.translator
