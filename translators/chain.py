"""Adjacent translators as one: what one sends to its CSMS is what the next hears from its charger, and the reverse.

A journal entry is worked on by all of them. The first gets the entry's own key, the others keys derived from it
(`key/1`, `key/1/1`, ...), so that each finds again what it gave the entry when it is decided again after a crash. The entry
is done when every dialogue for it has ended, with the worst of their outcomes; only then is what it was given forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Raw

from .dialogue import Dialogue, Done, Out, Outcome, Step
from .engine import Translator
from .frames import Call, Error, Frame, Result, Side
from .kept import HOT
from .losses import Loss

FORMAT: Final = 1
"""A reader refuses the state of a chain with a newer number."""
_INTERNAL: Final = "~"
"""Begins the key of a CALL between two translators that no journal entry is behind."""
_RELAYED: Final = "upstream: "
"""What the engine puts before the description of a peer's CALLERROR: once is enough."""
_WORSE: Final[dict[Outcome, int]] = {"ok": 0, "error": 1, "silence": 2}


class State(msgspec.Struct):
    """The facts of all translators of a chain, by pair."""

    parts: dict[str, bytes]
    format: int = FORMAT


class _Stored(msgspec.Struct):
    parts: dict[str, bytes] | None = None
    format: int = FORMAT


def stored_parts(state: bytes) -> dict[str, bytes] | None:
    """The facts by pair in the state of a chain; None if it is not one. Raises ValueError for a newer format."""
    if not state:
        return None
    stored = msgspec.msgpack.decode(state, type=_Stored)
    if stored.parts is not None and stored.format > FORMAT:
        raise ValueError(f"the state of a chain has format {stored.format}, this release reads up to {FORMAT}")
    return stored.parts


class _Entry:
    """A journal entry (or a CALL of a translator's own) that dialogues are at work on."""

    __slots__ = ("action", "calls", "early", "key", "losses", "open", "outcome", "unheard")

    def __init__(self, key: str, early: bool, action: str) -> None:
        self.key = key
        self.action = action
        self.losses: tuple[Loss, ...] = ()
        """What no frame has left with."""
        self.early = early
        self.open = {key}
        """Keys of the dialogues that have not ended."""
        self.calls: dict[str, int] = {}
        """How many CALLs each dialogue has passed on."""
        self.unheard: set[str] = set()
        """Dialogues whose question ended without an answer and without a failure: it had been answered early."""
        self.outcome: Outcome = "ok"


class Chain:
    """Translators in a row, the charger's end first (same interface as `engine.Translator`)."""

    __slots__ = ("_binding", "_clock", "_entries", "_last", "_losses", "_passed", "_timeouts", "parts")

    def __init__(self, parts: Sequence[Translator]) -> None:
        self.parts = tuple(parts)
        self._last = len(self.parts) - 1
        self._clock = 0
        self._entries: dict[str, _Entry] = {}
        """By every key, the entry's own and those derived from it."""
        self._passed: dict[str, tuple[int, str]] = {}
        """Derived key -> the translator that asks, and the id of its CALL."""
        self._losses: dict[tuple[int, str], tuple[Loss, ...]] = {}
        """(translator, id of the CALL it works on) -> losses on the way to it, for the next frame it makes of that CALL."""
        self._timeouts: dict[tuple[int, str], float] = {}
        self._binding: dict[tuple[int, str], None] = {}
        """(translator, id of a CALL it works on) that deciding a journal entry again would not bring about again."""
        for part in self.parts:
            part.keeps_given = True
            for key in [key for key in part.facts.given if key.startswith(_INTERNAL)]:
                part.forget(key)  # their dialogues ended with an earlier process

    # -- what a link asks of a translator ----------------------------------------------------------------------------

    def receive(
        self,
        side: Side,
        frame: Frame,
        clock: int,
        *,
        now: int | None = None,
        key: str = "",
        tx: int = 0,
        early: bool = False,
    ) -> list[Step]:
        """Take one frame from `side`. An answer that nobody waits for is dropped (empty list)."""
        self._clock = clock
        if key and isinstance(frame, Call):
            self._entries[key] = _Entry(key, early, frame.action)
        part = self._at(side)
        return self._run(part, self.parts[part].receive(side, frame, clock, now=now, key=key, tx=tx, early=early))

    def awaits(self, side: Side, id: str) -> bool:
        """Whether an answer of `side` with this id is expected."""
        return self.parts[self._at(side)].awaits(side, id)

    def expire(self, side: Side, id: str, clock: int) -> list[Step]:
        """The CALL `id` that left for `side` got no answer in time."""
        self._clock = clock
        part = self._at(side)
        return self._run(part, self.parts[part].expire(side, id, clock))

    def connected(self, at: int) -> None:
        """The charger has a new connection since `at`, ms."""
        for part in self.parts:
            part.connected(at)

    def overtakes(self, action: str) -> bool:
        """Whether a charger CALL of this action need not wait for those before it: a dialogue waits for it."""
        return any(part.overtakes(action) for part in self.parts)

    @property
    def early_until(self) -> str:
        """Journal id up to which the charger was answered while the upstream was away."""
        return self.parts[-1].early_until

    @early_until.setter
    def early_until(self, key: str) -> None:
        self.parts[-1].early_until = key

    @property
    def owes(self) -> bool:
        """Whether something was left for `back` to tell."""
        return any(part.owes for part in self.parts)

    def forget(self, key: str) -> None:
        """Journal entry `key` is done: drop what it was given."""
        for part in self.parts:
            part.forget(key)

    def numbered(self, key: str, tx: int, number: int) -> None:
        """The charger was told `number` as the answer to the StartTransaction of entry `key`: the first knows its numbers."""
        self.parts[0].numbered(key, tx, number)

    @property
    def backlog(self) -> Callable[[], Iterable[Call]]:
        """Charger CALLs that wait for their turn, as the charger said them."""
        return self.parts[0].backlog

    @backlog.setter
    def backlog(self, calls: Callable[[], Iterable[Call]]) -> None:
        for part in self.parts:
            part.backlog = calls

    def lost(self, side: Side, clock: int) -> list[Step]:
        """The socket to `side` is gone: every open question there ends in Silence."""
        self._clock = clock
        part = self._at(side)
        return self._run(part, self.parts[part].lost(side, clock))

    def tick(self, clock: int) -> list[Step]:
        """Resume the dialogues whose wait is over."""
        self._clock = clock
        return [step for i, part in enumerate(self.parts) for step in self._run(i, part.tick(clock))]

    def back(self, clock: int) -> list[Step]:
        """The upstream is back and has been told the backlog: tell it what else changed."""
        self._clock = clock
        return [step for i, part in enumerate(self.parts) for step in self._run(i, part.back(clock))]

    def away(self, call: Call, clock: int, *, key: str = "", tx: int = 0) -> Raw | None:
        """The payload that answers a charger CALL while the upstream is away, or None if it gets no answer.

        Only the last translator decides, as if the CALL had come to it alone; the others translate without remembering.
        """
        return self._away(0, call, clock, key, tx)

    def assume(self, registered: bool, connectors: int) -> None:
        """Begin with a charger that has booted before (or not), with this many connectors."""
        for part in self.parts:
            part.assume(registered, connectors)

    @property
    def neutral(self) -> frozenset[str]:
        """Charger actions that an empty payload answers well enough."""
        return self.parts[0].neutral

    @property
    def next_wake(self) -> int | None:
        """When `tick` is due at the latest, ms; None if no dialogue waits."""
        return min((at for part in self.parts if (at := part.next_wake) is not None), default=None)

    def state(self) -> bytes:
        """The facts of all, encoded for the store."""
        parts = {f"{part.pair.charger}-{part.pair.csms}": part.state() for part in self.parts}
        return msgspec.msgpack.encode(State(parts))

    def stored(self) -> dict[str, bytes]:
        """The facts of all as they are stored (see `engine.Translator.stored`)."""
        hot: dict[str, bytes] = {}
        found: dict[str, bytes] = {}
        for each in self.parts:
            each.whole = True  # their hot parts are stored as one
            found.update(each.stored())
            hot[f"{each.pair.charger}-{each.pair.csms}"] = found.pop(HOT)
        return {HOT: msgspec.msgpack.encode(State(hot)), **found}

    def restore(self, stored: Mapping[str, bytes]) -> None:
        """Go on from what `stored` gave."""
        for each in self.parts:
            each.restore(stored)

    # -- between the translators -------------------------------------------------------------------------------------

    def _at(self, side: Side) -> int:
        return 0 if side == "charger" else self._last

    def _run(self, part: int, steps: list[Step]) -> list[Step]:
        """Carry out what a translator decided, and what that makes the others decide; the steps that leave the chain."""
        leaving: list[Step] = []
        todo = [(part, step) for step in reversed(steps)]
        while todo:
            part, step = todo.pop()
            if isinstance(step, Done):
                then, more = self._done(part, step, leaving)
            elif self._at(step.to) == part:
                leaving.append(self._marked(part, step))
                continue
            else:
                then, more = self._pass(part, self._marked(part, step))
            todo.extend((then, each) for each in reversed(more))
        return leaving

    def _marked(self, part: int, step: Out) -> Out:
        """A frame with the losses of all translators so far, and with the patience of who asked for it."""
        asker = self.parts[part].asker(step.to, step.frame.id) if isinstance(step.frame, Call) else None
        at = (part, step.frame.id if asker is None else asker.source_id)
        losses, timeout = self._losses.pop(at, ()), step.timeout
        if asker is None:
            self._timeouts.pop(at, None)
        elif asker.side not in (None, step.to):
            timeout = timeout or self._timeouts.get(at, 0)
        commit = step.commit or at in self._binding
        if not losses and timeout == step.timeout and commit == step.commit:
            return step
        return msgspec.structs.replace(step, losses=(*losses, *step.losses), timeout=timeout, commit=commit)

    def _pass(self, part: int, step: Out) -> tuple[int, list[Step]]:
        """Give a frame to the next translator, and say what it decides."""
        up = step.to == "csms"
        then = part + 1 if up else part - 1
        to, frame = self.parts[then], step.frame
        if isinstance(frame, Call):
            if step.losses:
                self._losses[(then, frame.id)] = step.losses
            if step.timeout:
                self._timeouts[(then, frame.id)] = step.timeout
            asker = self.parts[part].asker(step.to, frame.id)
            if not up or asker is None:
                return then, to.receive("csms", frame, self._clock)
            key = self._derived(asker, part, frame.id)
            if step.commit:
                self._binding[(then, frame.id)] = None
            return then, to.receive(
                "charger",
                frame,
                self._clock,
                now=asker.now,
                key=key,
                tx=asker.tx,
                early=asker.early,
                answer_early=True,
            )
        side: Side = "charger" if up else "csms"
        asker = to.asker(side, frame.id)
        if asker is not None and step.losses:
            at = (then, asker.source_id)
            self._losses[at] = (*self._losses.get(at, ()), *step.losses)
        if isinstance(frame, Error):
            frame = Error(frame.id, frame.code, frame.description.removeprefix(_RELAYED), frame.details)
        return then, to.receive(side, frame, self._clock)

    def _derived(self, asker: Dialogue, part: int, id: str) -> str:
        """The key of a CALL that a dialogue passes on: the same again when its journal entry is decided again."""
        entry = self._entries.get(asker.key) if asker.key else None
        if entry is None:
            key = _INTERNAL + id
            entry = _Entry(key, False, asker.action)
        else:
            number = entry.calls[asker.key] = entry.calls.get(asker.key, 0) + 1
            key = f"{asker.key}/{number}"
            entry.open.add(key)
        self._entries[key] = entry
        self._passed[key] = part, id
        return key

    def _done(self, part: int, done: Done, leaving: list[Step]) -> tuple[int, list[Step]]:
        """A dialogue has ended: so has the question that it was to answer, and perhaps the entry."""
        entry = self._entries.pop(done.key, None)
        if entry is None:
            if done.losses:
                leaving.append(done)
            return part, []
        entry.losses += done.losses
        entry.open.discard(done.key)
        outcome = done.outcome
        if outcome == "silence" and done.key in entry.unheard:
            outcome = "ok"
        if _WORSE[outcome] > _WORSE[entry.outcome]:
            entry.outcome = outcome
        then, more = part, list[Step]()
        if (passed := self._passed.pop(done.key, None)) is not None:
            then, id = passed
            self._losses.pop((part, id), None)
            self._timeouts.pop((part, id), None)
            self._binding.pop((part, id), None)
            asker = self.parts[then].asker("csms", id)
            if asker is not None:
                if done.outcome == "ok" and entry.early:
                    entry.unheard.add(asker.key)
                more = self.parts[then].expire("csms", id, self._clock)
        if not entry.open:
            self._ended(entry, leaving)
        return then, more

    def _ended(self, entry: _Entry, leaving: list[Step]) -> None:
        internal = entry.key.startswith(_INTERNAL)
        if internal or entry.outcome == "ok" or (entry.outcome == "error" and not entry.early):
            self.forget(entry.key)
        if not internal:
            leaving.append(Done(entry.key, entry.outcome, entry.losses, entry.action if entry.losses else ""))
        elif entry.losses:
            leaving.append(Done("", entry.outcome, entry.losses, entry.action))

    def _away(self, at: int, call: Call, clock: int, key: str, tx: int) -> Raw | None:
        part = self.parts[at]
        if at == self._last:
            return part.away(call, clock, key=key, tx=tx)
        facts = msgspec.msgpack.decode(part.state(), type=type(part.facts))
        copy = Translator(part.pair, facts, part.options, part.new_id)
        steps = copy.receive("charger", call, clock, key=key, tx=tx)
        while steps:
            more: list[Step] = []
            for step in steps:
                match step:
                    case Out(to="charger", frame=Result(id=call.id, payload=payload)):
                        return payload
                    case Out(to="csms", frame=Call() as asked):
                        answer = self._away(at + 1, asked, clock, f"{key}/1" if key else "", tx)
                        if answer is None:
                            return None
                        more += copy.receive("csms", Result(asked.id, answer), clock)
            steps = more
        return None
