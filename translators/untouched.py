"""The same version on both sides: payloads pass undecoded, byte for byte; only the message ids are the gateway's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from msgspec import Raw

from . import frames
from .dialogue import Done, Out, Step
from .frames import OTHER, Call, Error, Result, Side
from .neutral import NEUTRAL_16, NEUTRAL_201
from .quirks.mending import Mend
from .standin import PART, StandIn

_NOTHING: dict[str, bytes] = {}


class Untouched:
    """A translator that translates nothing (same interface as `engine.Translator`)."""

    neutral: frozenset[str] = NEUTRAL_16 | NEUTRAL_201
    next_wake: int | None = None
    owes = False
    early_until = ""
    """Nothing is stored: on an untouched route nobody asks."""
    facts = None
    stand_in: StandIn | None = None
    """Answers for the upstream while it is away; None: nobody does, but for the empty answers."""
    mend: Mend | None = None
    """Repairs what the charger answers."""
    answered: dict[Side, tuple[str, str]] | None = None
    """Side -> the last CALL of it that got a result: its id there and at the other side. None: nobody will ask, but in 2.1."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self.backlog: Callable[[], Iterable[Call]] = tuple
        self._open: dict[tuple[Side, str], tuple[Side, str, str, str]] = {}

    def continue_from(self, untouched: Untouched) -> None:
        """Take over what is under way in a translator that changed nothing."""
        self._open = untouched._open
        self.backlog = untouched.backlog
        self.stand_in = untouched.stand_in
        self.mend = untouched.mend
        self.answered = untouched.answered

    def receive(
        self,
        side: Side,
        frame: frames.Frame,
        clock: int,
        *,
        now: int | None = None,
        key: str = "",
        tx: int = 0,
        early: bool = False,
    ) -> list[Step]:
        """Pass a frame to the other side under an id of our own; a late or unknown answer is dropped."""
        if type(frame) is Call:
            to = OTHER[side]
            id = self._new_id()
            self._open[(to, id)] = (side, frame.id, key, frame.action)
            if self.stand_in is not None:
                self._notice(id, side, frame)
            return [Out(to, Call(id, frame.action, frame.payload), (), 0, frame.action)]
        opened = self._open.pop((side, frame.id), None)
        if opened is None:
            return []
        if not self._open:
            self._open.clear()  # and with it the room for one
        source, id, key, action = opened
        answer: frames.Frame
        if isinstance(frame, Result):
            mends = self.mend is not None and side == "charger"
            answer = Result(id, self.mend.answer(action, frame.payload) if mends else frame.payload)  # type: ignore[union-attr]
            if self.answered is not None:
                self.answered[source] = id, frame.id
            if self.stand_in is not None and side == "csms":
                self.stand_in.heed(frame.id, bytes(frame.payload), clock)
        else:
            assert isinstance(frame, Error)
            answer = Error(id, frame.code, frame.description, frame.details)
        steps: list[Step] = [Out(source, answer, (), 0, action)]
        if key:
            steps.append(Done(key, "ok" if isinstance(frame, Result) else "error"))
        return steps

    def _notice(self, id: str, side: Side, call: Call) -> None:
        assert self.stand_in is not None
        if side == "charger":
            self.stand_in.passes(id, call)
        elif call.action == "ClearCache":
            self.stand_in.clear()

    def rejected(self, side: Side, id: str) -> str:
        """`side` cannot use the result of its CALL `id`, and says so once: its id at who gave it; empty: nobody knows."""
        if not self.answered or self.answered.get(side, ("",))[0] != id:
            return ""
        return self.answered.pop(side)[1]

    def awaits(self, side: Side, id: str) -> bool:
        """Whether an answer of `side` with this id is expected."""
        return (side, id) in self._open

    def expire(self, side: Side, id: str, clock: int) -> list[Step]:
        """The CALL `id` that left for `side` got no answer in time."""
        opened = self._open.pop((side, id), None)
        if opened is None:
            return []
        source, source_id, key, action = opened
        if source == "csms":
            return [
                Out(
                    "csms",
                    Error(source_id, "GenericError", "outcome unknown: the charger did not answer"),
                    (),
                    0,
                    action,
                )
            ]
        return [Done(key, "silence")] if key else []

    def connected(self, at: int) -> None:
        """Nothing was learned."""

    def forget(self, key: str) -> None:
        """Nothing was given, but to who stands in."""
        if self.stand_in is not None:
            self.stand_in.forget(key)

    def numbered(self, key: str, tx: int, number: int) -> None:
        """The upstream's number is the charger's."""

    def overtakes(self, action: str) -> bool:
        """Nothing is waited for."""
        return False

    def lost(self, side: Side, clock: int) -> list[Step]:
        """The socket to `side` is gone."""
        return [step for at in [at for at in self._open if at[0] == side] for step in self.expire(side, at[1], clock)]

    def back(self, clock: int) -> list[Step]:
        """Nothing was coalesced, nothing to add."""
        return []

    def assume(self, registered: bool, connectors: int) -> None:
        """Nothing depends on it."""

    def state(self) -> bytes:
        """Nothing to remember."""
        return b""

    def stored(self) -> dict[str, bytes]:
        """Nothing to remember, but for who stands in."""
        return _NOTHING if self.stand_in is None else {PART: self.stand_in.stored()}

    def restore(self, stored: Mapping[str, bytes]) -> None:
        """Go on from what `stored` gave. Raises ValueError for newer facts."""
        if self.stand_in is not None:
            self.stand_in.restore(stored.get(PART, b""))

    def tick(self, clock: int) -> list[Step]:
        """Nothing waits here."""
        return []

    def away(self, call: Call, clock: int, *, key: str = "", tx: int = 0) -> Raw | None:
        """The local answer, if anybody stands in; else only the empty one that needs no decision."""
        if self.stand_in is not None:
            return self.stand_in.away(call, clock, key, tx)
        return frames.EMPTY if call.action in self.neutral else None
