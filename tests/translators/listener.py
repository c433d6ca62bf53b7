"""Plays one message through a pair and holds it against the pair's tables: nothing goes lost without a word."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st
from msgspec import Raw

from tests.schemas import Version, validate
from tests.translators.members import Maker, Told, members
from translators import Translator
from translators.dialogue import Out, Step
from translators.frames import Call, Error, Result, Side, encode
from translators.losses import ledger

NOW = 1_772_436_000_000
POSITIVE = ("Accepted", "Unlocked", "Success")


class Listener:
    """Writes down what leaves because of one message, and answers what is asked, well."""

    def __init__(self, translator: Translator, data: st.DataObject) -> None:
        self.translator = translator
        pair = translator.pair
        self.versions: dict[Side, Version] = {"charger": pair.charger, "csms": pair.csms}  # type: ignore[dict-item]
        found = ledger(pair.charger, pair.csms)
        assert found is not None
        self.tables = found
        self.maker = Maker(data)
        self.told = Told()
        self.answer: Any = None
        self.asked: list[tuple[Side, str, Any]] = []
        self.clock = NOW

    def say(self, side: Side, action: str, payload: Any, reply: Any = None) -> None:
        """One message; `reply` answers whatever it makes the gateway ask."""
        self.told, self.answer, self.asked = Told(), None, []
        self.replies = reply
        frame, key = Call("source", action, Raw(encode(payload))), "k" if side == "charger" else ""
        self._take(self.translator.receive(side, frame, self.clock, now=NOW, key=key, tx=77))
        self.translator.forget("k")

    def hears(self, side: Side, action: str, given: dict[str, list[Any]]) -> None:
        """A message whose members can be told apart: each is told to the other side, or named in a loss."""
        self.maker.given = given
        payload = self.maker.payload(self.versions[side], action, "request")
        self.maker.given = {}
        self.say(side, action, payload)
        calls = [each for each in self.asked if each[0] != side]
        refused = not isinstance(self.answer, dict) or self.answer.get("status") not in (None, *POSITIVE)
        wrong = []
        if calls or not (refused or action == "SetVariables"):  # whose answer has a status for each item
            wrong += self._lacking(side, action, "request", self.versions[side], action, payload)
        for to, name, reply in calls:
            wrong += self._lacking(side, action, name, self.versions[to], name, reply)
        assert not wrong, (wrong, payload, self.asked, self.answer, self.told.losses)

    def _lacking(self, side: Side, action: str, part: str, version: Version, name: str, payload: Any) -> list[str]:
        kind: Any = "request" if part == "request" else "response"
        return [
            f"{name}: {why}"
            for member in members(version, name, kind, payload)
            if member[0] and (why := self.told.lacks(self.tables, side, action, part, member))
        ]

    def _take(self, steps: list[Step]) -> bool:
        """Whether a frame left."""
        left = False
        for step in steps:
            if not isinstance(step, Out):
                self.told.losses |= set(step.losses)
                continue
            left = True
            self.told.losses |= set(step.losses)
            match step.frame:
                case Call(id=id, action=action, payload=raw):
                    self.told.add(json.loads(bytes(raw)), "")
                    payload = self.replies if self.replies is not None else self._reply(step.to, action)
                    entry = (step.to, action, payload)
                    if self._take(self.translator.receive(step.to, Result(id, Raw(encode(payload))), self.clock)):
                        self.asked.append(entry)  # without a frame there is none to name a loss
                case Result(payload=raw):
                    self.answer = json.loads(bytes(raw))
                    self.told.add(self.answer)
                case Error(code=code, description=description):
                    assert code != "InternalError", description
                    self.answer = code
        return left

    def _reply(self, side: Side, action: str) -> Any:
        """Something positive."""
        version = self.versions[side]
        payload = self.maker.payload(version, action, "response")
        if "status" in payload and payload["status"] not in POSITIVE:
            for word in POSITIVE:
                try:
                    validate(version, action, "response", payload | {"status": word})
                except AssertionError:
                    continue
                payload["status"] = word
                break
        return payload
