"""Every member of a valid message is told to the other side, or named in the losses of a frame that leaves because of it."""

from __future__ import annotations

import itertools
import json
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Raw

from tests.schemas import Version, validate
from tests.translators.members import Maker, Told, members
from translators import Options, Translator
from translators.dialogue import Out, Step
from translators.frames import Call, Error, Result, Side, encode
from translators.losses import ledger
from translators.models import v16, v201
from translators.v201_v16 import PAIR
from translators.v201_v16.state import Facts

from .conversation import event, reported

VERSIONS: dict[Side, Version] = {"charger": "2.0.1", "csms": "1.6"}
FEATURES = ("Core", "security", "pnc")
POSITIVE = ("Accepted", "Unlocked", "Success")
NOW = 1_772_436_000_000
GIVEN = {
    "connectorId": [1, 2],
    "evseId": [1, 2],
    "id": [1, 2],
    "transactionId": ["TX-1", "TX-9"],
    "attributeType": ["Actual"],
    "key": ["HeartbeatInterval", "MeterValuesSampledData", "Comp.Var"],
}


class Listener:
    """Writes down what leaves because of one message, and answers what is asked."""

    def __init__(self, data: st.DataObject, features: tuple[str, ...]) -> None:
        numbers = itertools.count(1)
        facts = Facts(registration="Accepted", known_connectors=2)
        self.translator = Translator(PAIR, facts, Options(features=features), lambda: f"g{next(numbers)}")
        self.maker = Maker(data)
        self.told = Told()
        self.answer: Any = None
        self.asked: list[tuple[Side, str, Any]] = []
        self.clock = NOW

    def say(self, side: Side, action: str, payload: Any, reply: Any = None) -> None:
        self.told, self.answer, self.asked = Told(), None, []
        self.replies = reply
        frame = Call("source", action, Raw(encode(payload)))
        self._take(
            side, self.translator.receive(side, frame, self.clock, now=NOW, key="k" if side == "charger" else "")
        )
        self.translator.forget("k")

    def _take(self, source: Side, steps: list[Step]) -> bool:
        """Whether a frame left."""
        left = False
        for step in steps:
            if not isinstance(step, Out):
                continue
            left = True
            self.told.losses |= set(step.losses)
            match step.frame:
                case Call(id=id, action=action, payload=raw):
                    self.told.add(json.loads(bytes(raw)), "")
                    payload = self.replies if self.replies is not None else self._reply(step.to, action)
                    entry = (step.to, action, payload)
                    if self._take(
                        source, self.translator.receive(step.to, Result(id, Raw(encode(payload))), self.clock)
                    ):
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
        payload = self.maker.payload(VERSIONS[side], action, "response")
        if "status" in payload and payload["status"] not in POSITIVE:
            for word in POSITIVE:
                try:
                    validate(VERSIONS[side], action, "response", payload | {"status": word})
                except AssertionError:
                    continue
                payload["status"] = word
                break
        return payload


MESSAGES = [("charger", each) for each in sorted(v201.FROM_CHARGER)] + [
    ("csms", each) for each in sorted(v16.FROM_CSMS)
]


@pytest.mark.parametrize(("side", "action"), MESSAGES)
@settings(max_examples=int(os.environ.get("EXAMPLES", "20")), deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_member_is_lost_without_a_word(side: Side, action: str, data: st.DataObject) -> None:
    tables = ledger("2.0.1", "1.6")
    assert tables is not None
    listener = Listener(data, tuple(each for each in FEATURES if data.draw(st.booleans())))
    if data.draw(st.booleans()):
        listener.say("charger", "StatusNotification", reported("Occupied"), {})
        started = {"transactionId": 4711, "idTagInfo": {"status": "Accepted"}}
        listener.say("charger", "TransactionEvent", event("Started", evse=1), started)
    listener.maker.given = GIVEN | ({"transactionId": [4711, 7]} if side == "csms" else {})
    payload = listener.maker.payload(VERSIONS[side], action, "request")
    listener.maker.given = {}
    listener.say(side, action, payload)
    calls = [each for each in listener.asked if each[0] != side]
    refused = not isinstance(listener.answer, dict) or listener.answer.get("status") not in (None, *POSITIVE)
    if calls or not refused:
        wrong = [
            why
            for member in members(VERSIONS[side], action, "request", payload)
            if (why := listener.told.lacks(tables, side, action, "request", member))
        ]
        assert not wrong, (wrong, payload, listener.asked, listener.answer, listener.told.losses)
    for to, name, reply in calls:
        wrong = [
            f"{name}: {why}"
            for member in members(VERSIONS[to], name, "response", reply)
            if member[0] and (why := listener.told.lacks(tables, side, action, name, member))
        ]
        assert not wrong, (wrong, payload, listener.asked, listener.answer, listener.told.losses)
