"""The pure layer: microseconds per message and per round trip, and the memory of a link's state. No I/O."""

from __future__ import annotations

import gc
import importlib
import itertools
import statistics
import tracemalloc
from collections import deque
from functools import cache
from time import perf_counter_ns
from typing import Any, NamedTuple

import msgspec

from .conversations import Script, Turn

SESSIONS_PER_LIFE = 10
"""After so many a new translator begins, as after a restart: no charger has thousands of sessions a day."""

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


_ids = itertools.count(1)


def _new_id() -> str:
    return f"g{next(_ids):015d}"


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
        return translators.translator(charger, csms, b"", _options(translators), _new_id)
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
        script, frames = self.script, self.frames
        script.count += 1
        payload = turn.payload()
        key = f"{script.count}-0" if turn.side == "charger" else ""
        tx = script.tx if turn.action == self.starts else 0
        source = (turn.side, f"c{script.count}")
        answered = False
        given = deque([(turn.side, msgspec.json.encode([2, source[1], turn.action, payload]), key, tx)])
        times: list[int] = []
        while given:
            side, raw, key, tx = given.popleft()
            began = perf_counter_ns()
            steps = self.translator.receive(side, frames.decode(raw), script.clock, key=key, tx=tx)
            left = [(step, frames.encode(step.frame)) for step in steps if hasattr(step, "frame")]
            times.append(perf_counter_ns() - began)
            if len(times) == 1 and not left:
                raise Missing(f"nothing leaves for {turn.action}")
            for step, _ in left:
                frame = step.frame
                if isinstance(frame, frames.Error):
                    raise Missing(f"{turn.action} is refused: {frame.code} {frame.description}")
                if isinstance(frame, frames.Call):
                    answer = script.answer(step.to, frame.action, msgspec.json.decode(frame.payload))
                    given.append((step.to, msgspec.json.encode([3, frame.id, answer]), "", 0))
                elif (step.to, frame.id) == source:
                    answered = True
        if not answered:
            raise Missing(f"{turn.action} gets no answer")
        return times[0], sum(times)


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
