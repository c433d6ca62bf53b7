"""Several transactions at once, in any order, with refusals, lost answers and crashes at any step.

A charger repeats what got no good answer; a CSMS keeps books. A process that takes over goes on with the very frame that was
not answered. What must be true of the books is the business of each pair's test.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, Protocol, TypeVar

from hypothesis import strategies as st

from tests.translators.playbook import Playbook

Frame = list[Any]
Script = list[tuple[str, dict[str, Any]]]
OUTCOMES = ("ok", "ok", "ok", "error", "lost before", "lost after", "crash")
T = TypeVar("T")


class Chance(Protocol):
    """What is left to chance."""

    def outcome(self) -> str: ...
    def coin(self) -> bool: ...
    def count(self) -> int: ...
    def pick(self, each: list[T]) -> T: ...


class Drawn:
    """By hypothesis."""

    def __init__(self, data: st.DataObject, outcomes: tuple[str, ...] = OUTCOMES) -> None:
        self.data = data
        self.outcomes = st.sampled_from(outcomes)

    def outcome(self) -> str:
        return self.data.draw(self.outcomes)

    def coin(self) -> bool:
        return self.data.draw(st.booleans())

    def count(self) -> int:
        return self.data.draw(st.integers(0, 3))

    def pick(self, each: list[T]) -> T:
        return self.data.draw(st.sampled_from(each))


class CrashAt:
    """All goes well but for a crash at one step; the transactions come one after the other."""

    def __init__(self, step: int) -> None:
        self.step = step
        self.steps = itertools.count()

    def outcome(self) -> str:
        return "crash" if next(self.steps) == self.step else "ok"

    def coin(self) -> bool:
        return True

    def count(self) -> int:
        return 2

    def pick(self, each: list[T]) -> T:
        return each[0]


class Books:
    """A charger that repeats what got no good answer, and a CSMS that keeps books."""

    def __init__(self, play: Playbook, chance: Chance) -> None:
        self.play = play
        self.chance = chance
        self.said = 0

    def asked(self, frame: Frame) -> None:
        """A frame has left for the CSMS, which may never hear it."""

    def books(self, frame: Frame) -> dict[str, Any]:
        """The CSMS hears a frame; its answer."""
        raise NotImplementedError

    def says(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        """A CALL of the charger, repeated until it is answered well."""
        for attempt in range(40):
            answer = self._once(action, payload, calm=attempt > 8)
            if answer is not None:
                return answer
        raise AssertionError("never answered")

    def _once(self, action: str, payload: dict[str, Any], *, calm: bool) -> dict[str, Any] | None:
        self.said += 1
        key = f"k{self.said}"
        call = [2, f"c{self.said}", action, payload]
        answers: list[Frame] = []
        left = self.play.feed("charger", call, key=key)
        crashed = False
        while True:
            asked = [frame for side, frame in left if side == "csms"]
            answers += [frame for side, frame in left if side == "charger"]
            assert len(answers) <= 1 or crashed, answers
            if not asked:
                break
            (frame,) = asked
            self.asked(frame)
            outcome = "ok" if calm else self.chance.outcome()
            if outcome == "crash":
                crashed = True
                if self.chance.coin():
                    self.books(frame)
                self.play.restart()
                left = self.play.feed("charger", call, key=key)
                again = [each for side, each in left if side == "csms"]
                assert [each[2:] for each in again] == [frame[2:]], "another frame after the crash"
                continue
            left = self._answered(frame, outcome)
        self.play.translator.forget(key)
        good = [answer[2] for answer in answers if answer[0] == 3]
        return good[-1] if good else None

    def _answered(self, frame: Frame, outcome: str) -> list[Any]:
        if outcome == "error":
            return self.play.feed("csms", [4, frame[1], "InternalError", "", {}])
        if outcome.startswith("lost"):
            if outcome == "lost after":
                self.books(frame)
            return self.play.take(self.play.translator.expire("csms", frame[1], self.play.clock))
        return self.play.feed("csms", [3, frame[1], self.books(frame)])


def interleaved(scripts: dict[int, Script], chance: Chance) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """What happens on each connector in its order, and among the connectors in any."""
    while any(scripts.values()):
        connector = chance.pick([each for each in scripts if scripts[each]])
        yield connector, *scripts[connector].pop(0)
