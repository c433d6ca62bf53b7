"""Every member of a valid message is told to the other side, or named in the losses of a frame that leaves because of it."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.schemas import Version, validate
from tests.translators.members import Maker, Told, members
from translators.dialogue import Out, Step
from translators.frames import Call, Error, Result, Side
from translators.losses import ledger
from translators.models import v16, v201

from .station import Station

LEDGER = ledger("1.6", "2.0.1")
assert LEDGER is not None
VERSIONS: dict[Side, Version] = {"charger": "1.6", "csms": "2.0.1"}
FEATURES = ("SmartCharging", "RemoteTrigger", "security", "pnc")
POSITIVE = ("Accepted", "Unlocked", "Success")
GIVEN = {
    "connectorId": [1, 2],
    "evseId": [1, 2],
    "id": [1, 2],
    "transactionId": [1001, 4711, "00000000-0000-4000-8000-000000000001"],
    "attributeType": ["Actual"],
}


class Recorder(Station):
    """A station that writes down what leaves because of one message, and answers what it is asked."""

    def __init__(self, data: st.DataObject, **options: Any) -> None:
        super().__init__(**options)
        self.maker = Maker(data)
        self.told = Told()
        self.answer: Any = None
        self.asked: list[tuple[Side, str, Any]] = []

    def _leaving(self, steps: list[Step]) -> list[Any]:
        for step in steps:
            if isinstance(step, Out):
                self.told.losses |= set(step.losses)
                match step.frame:
                    case Call(payload=raw):
                        self.told.add(json.loads(bytes(raw)), "")
                    case Result(payload=raw):
                        self.answer = json.loads(bytes(raw))
                        self.told.add(self.answer)
                    case Error(code=code):
                        self.answer = code
        return super()._leaving(steps)

    def reply(self, side: Side, action: str) -> list[Any]:
        """Answer the open question with something positive."""
        payload = self.maker.payload(VERSIONS[side], action, "response")
        if "status" in payload and payload["status"] not in POSITIVE:
            for word in POSITIVE:
                try:
                    validate(VERSIONS[side], action, "response", payload | {"status": word})
                except AssertionError:
                    continue
                payload["status"] = word
                break
        left = self.answers(side, **payload)
        self.asked.append((side, action, payload if left else {}))  # without a frame there is none to name a loss
        return left


MESSAGES = [("charger", each) for each in sorted(v16.FROM_CHARGER)] + [
    ("csms", each) for each in sorted(v201.FROM_CSMS)
]


@pytest.mark.parametrize(("side", "action"), MESSAGES)
@settings(max_examples=int(os.environ.get("EXAMPLES", "20")), deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_member_is_lost_without_a_word(side: Side, action: str, data: st.DataObject) -> None:
    features = [each for each in FEATURES if data.draw(st.booleans())]
    station = Recorder(data, features=tuple(features))
    if data.draw(st.booleans()):
        station.transaction(1)
    station.maker.given = GIVEN if side == "csms" else GIVEN | {"transactionId": [1001, 4711, -1]}
    number = {"transactionId": GIVEN["transactionId"][2:]} if side == "csms" else {}
    station.maker.given = station.maker.given | number
    payload = station.maker.payload(VERSIONS[side], action, "request")
    station.maker.given = {}
    left = station.call(side, action, payload)
    for _ in range(40):
        calls = [(to, name) for to, name, _ in left if name in (v16.ACTIONS if to == "charger" else v201.ACTIONS)]
        if not calls:
            break
        left = station.reply(*calls[-1])
    assert not station.bugs
    calls = [each for each in station.asked if each[0] != side]
    refused = not isinstance(station.answer, dict) or station.answer.get("status") not in (None, *POSITIVE)
    if calls or not (refused or action == "SetVariables"):  # whose answer has a status for each item
        wrong = [
            why
            for member in members(VERSIONS[side], action, "request", payload)
            if (why := station.told.lacks(LEDGER, side, action, "request", member))
        ]
        assert not wrong, (payload, station.asked, station.answer, station.told.losses)
    for to, name, reply in calls:
        wrong = [
            f"{name}: {why}"
            for member in members(VERSIONS[to], name, "response", reply)
            if (why := station.told.lacks(LEDGER, side, action, name, member))
        ]
        assert not wrong, (wrong, payload, station.asked, station.answer, station.told.losses)
