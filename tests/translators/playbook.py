"""Plays a conversation against a Translator: frames in, the frames that must leave, and nothing else.

A frame that leaves is also checked against its official schema. Expected frames may hold placeholders: `$uuid`, `$int`,
`$now`, `$any`; with `:name` the first occurrence binds and later ones, in fed frames too, must be equal.
`{"$json": X}` stands for a string whose JSON text equals X.
"""

from __future__ import annotations

import itertools
import json
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from tests.schemas import Version, validate
from translators import frames
from translators.dialogue import Done, Out, Pair, Step
from translators.engine import Translator
from translators.facts import Facts
from translators.frames import OTHER, Call, Side
from translators.losses import Loss
from translators.options import Options
from translators.values import format_time

START = 1_772_366_400_000
"""2026-03-01T12:00:00Z, when every conversation begins."""


class Playbook:
    """One charger behind one CSMS. `expected` frames are (side it goes to, frame)."""

    def __init__(
        self,
        pair: Pair,
        options: Options | None = None,
        facts: Facts | None = None,
        *,
        keyed: bool = False,
        new_id: Callable[[], str] | None = None,
    ) -> None:
        numbers = itertools.count(1)
        self.pair = pair
        self.new_id = new_id or (lambda: f"00000000-0000-4000-8000-{next(numbers):012d}")
        self.options = options or Options()
        self.facts = facts or Facts(
            registration="Accepted" if self.options.registered else "",
            known_connectors=0 if self.options.topology else 2,
        )
        self.store: dict[str, bytes] = {}
        """What a hub would have stored."""
        self.translator = Translator(pair, self.facts, self.options, self.new_id)
        self.clock = START
        self.bound: dict[str, Any] = {}
        self.losses: list[Loss] = []
        self.done: list[Done] = []
        self.keyed = keyed
        self._keys = itertools.count(1)
        self._actions: dict[tuple[Side, str], str] = {}
        self._down = False
        self._backlog: deque[tuple[Call, str, int]] = deque()
        self._flushing = ""

    def step(self, side: Side, frame: list[Any], *expected: tuple[Side, list[Any]]) -> list[tuple[Side, list[Any]]]:
        """Feed one frame and compare what leaves, in order per destination."""
        left = self.feed(side, frame)
        for to in ("charger", "csms"):
            self._compare(
                [each for each in left if each[0] == to],
                [each for each in expected if each[0] == to],
                f"to {to} after {frame}",
            )
        return left

    def feed(self, side: Side, frame: list[Any], *, key: str | None = None) -> list[tuple[Side, list[Any]]]:
        """Feed one frame; what left, schema-checked."""
        given = frames.decode(json.dumps(self._filled(frame), default=_number))
        if not isinstance(given, Call):
            return self.take(self.translator.receive(side, given, self.clock))
        self._actions[(side, given.id)] = given.action
        if side == "charger" and key is None and (self.keyed or self._down):
            key = f"entry-{next(self._keys)}"
        if side == "charger" and self._down:
            assert key is not None
            answer = self.translator.away(given, self.clock, key=key)
            self._backlog.append((given, key, self.clock))
            if answer is None:
                return []
            return self.take([Out("charger", frames.Result(given.id, answer), (), 0, given.action)])
        return self.take(self.translator.receive(side, given, self.clock, key=key or ""))

    def down(self) -> list[tuple[Side, list[Any]]]:
        """The CSMS goes away."""
        self._down = True
        return self.take(self.translator.lost("csms", self.clock))

    def up(self, *expected: tuple[Side, list[Any]]) -> None:
        """The CSMS is back: the backlog goes to it, entry by entry, then what else changed."""
        self._down = False
        self._compare(self._next_entry(), list(expected), "after the CSMS is back")

    def _next_entry(self) -> list[tuple[Side, list[Any]]]:
        if not self._backlog:
            self._flushing = ""
            return self.take(self.translator.back(self.clock))
        call, key, now = self._backlog.popleft()
        self._flushing = key
        return self.take(self.translator.receive("charger", call, self.clock, now=now, key=key, early=True))

    def wait(self, seconds: float, *expected: tuple[Side, list[Any]]) -> None:
        """Let time pass."""
        self.clock += round(seconds * 1000)
        self._compare(self.take(self.translator.tick(self.clock)), list(expected), f"after {seconds} s")

    def restart(self) -> None:
        """A new process: only the facts are left."""
        self.keep()
        self.facts = msgspec.msgpack.decode(self.store[""], type=type(self.facts))
        self.translator = Translator(self.pair, self.facts, self.options, self.new_id)
        self.translator.restore(self.store)

    def keep(self) -> None:
        """What is stored is what the translator knows."""
        self.store.update(self.translator.stored())
        facts = msgspec.msgpack.decode(self.store[""], type=type(self.facts))
        again = Translator(self.pair, facts, self.options, self.new_id)
        again.restore(self.store)
        assert _known(again) == _known(self.translator)

    def take(self, steps: list[Step]) -> list[tuple[Side, list[Any]]]:
        """The frames among the steps, checked."""
        if not steps or any(isinstance(step, Done) or step.commit for step in steps):
            self.keep()  # as a hub does
        left: list[tuple[Side, list[Any]]] = []
        for step in steps:
            if isinstance(step, Done):
                self.done.append(step)
                if step.key == self._flushing:
                    left.extend(self._next_entry())
                continue
            self.losses.extend(step.losses)
            text = frames.encode(step.frame)
            frame = json.loads(text, parse_float=Decimal)
            self._check(step.to, frame)
            left.append((step.to, frame))
        return left

    def _check(self, to: Side, frame: list[Any]) -> None:
        version: Version = self.pair.charger if to == "charger" else self.pair.csms  # type: ignore[assignment]
        match frame:
            case [2, str(id), str(action), dict(payload)]:
                assert 0 < len(id) <= 36
                self._actions[(OTHER[to], "asked " + id)] = action
                validate(version, action, "request", payload)
            case [3, str(id), dict(payload)]:
                validate(version, self._actions.pop((to, id)), "response", payload)
            case [4, str(id), str(), str(), dict()]:
                del self._actions[(to, id)]
            case _:
                raise AssertionError(f"no frame: {frame}")

    def _compare(self, left: list[tuple[Side, list[Any]]], expected: list[tuple[Side, list[Any]]], where: str) -> None:
        shown = f"{where}: left {left}"
        assert len(left) == len(expected), f"{len(expected)} frames expected, {shown}"
        for (to, frame), (wanted_to, wanted) in zip(left, expected, strict=True):
            assert to == wanted_to, shown
            wrong = self._match(wanted, frame, "$")
            assert wrong is None, f"{wrong}; {shown}"

    def _filled(self, value: Any) -> Any:
        if isinstance(value, str) and value.startswith("$") and value in self.bound:
            return self.bound[value]
        if isinstance(value, dict):
            if value.keys() == {"$json"}:
                return json.dumps(self._filled(value["$json"]))
            return {name: self._filled(member) for name, member in value.items()}
        return [self._filled(item) for item in value] if isinstance(value, list) else value

    def _match(self, want: Any, got: Any, path: str) -> str | None:
        if isinstance(want, str) and want.startswith("$"):
            return self._placeholder(want, got, path)
        if isinstance(want, dict):
            if want.keys() == {"$json"}:
                return self._match(want["$json"], json.loads(got, parse_float=Decimal), path + "<json>")
            if not isinstance(got, dict) or want.keys() != got.keys():
                return f"{path}: {got!r} is not {want!r}"
            return next((e for name in want if (e := self._match(want[name], got[name], f"{path}.{name}"))), None)
        if isinstance(want, list):
            if not isinstance(got, list) or len(want) != len(got):
                return f"{path}: {got!r} is not {want!r}"
            return next((e for i, w in enumerate(want) if (e := self._match(w, got[i], f"{path}[{i}]"))), None)
        if _is_number(want) and _is_number(got):
            return None if Decimal(str(want)) == Decimal(str(got)) else f"{path}: {got} is not {want}"
        return None if want == got and type(want) is type(got) else f"{path}: {got!r} is not {want!r}"

    def _placeholder(self, want: str, got: Any, path: str) -> str | None:
        kind, _, name = want.partition(":")
        if name and want in self.bound:
            return None if self.bound[want] == got else f"{path}: {got!r} is not {want} = {self.bound[want]!r}"
        fits = {
            "$uuid": isinstance(got, str) and 0 < len(got) <= 36,
            "$int": isinstance(got, int) and not isinstance(got, bool),
            "$now": got == format_time(self.clock),
            "$any": True,
        }
        if not fits[kind]:
            return f"{path}: {got!r} is no {kind}"
        if name:
            self.bound[want] = got
        return None


def _known(translator: Translator) -> dict[str, Any]:
    """All facts; a part that is empty is like one that is not there."""
    known: dict[str, Any] = msgspec.msgpack.decode(translator.state())
    known["kept"] = {name: packed for name, packed in known.get("kept", {}).items() if packed}
    return known


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _number(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(type(value))


def play(playbook: Playbook, scenario: list[dict[str, Any]]) -> None:
    """Play a transcript: a list of `{from, frame, expect: [{to, frame}]}`; `control` frames are csms_down and csms_up."""
    for each in scenario:
        expected = [(wanted["to"], wanted["frame"]) for wanted in each["expect"]]
        if each["from"] == "control":
            if each["frame"][0] == "csms_down":
                assert playbook.down() == []
            else:
                playbook.up(*expected)
        else:
            playbook.step(each["from"], each["frame"], *expected)


def options_of(given: dict[str, Any]) -> Options:
    """Options as a transcript gives them: its features come on top of the default ones."""
    features = (*Options().features, *given.get("features", ()))
    return msgspec.convert({**given, "features": features}, Options)
