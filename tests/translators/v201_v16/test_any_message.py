"""Any valid message either way, answered with anything valid: one answer each, every frame valid, no rule fails."""

from __future__ import annotations

import itertools
import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Raw

from tests import schemas
from tests.schemas import Version
from tests.translators.models.samples import payloads
from translators import Options, Translator, facts
from translators.dialogue import Out, Step
from translators.frames import Call, Error, Result, Side, encode
from translators.models import v16, v201
from translators.v201_v16 import PAIR
from translators.v201_v16.state import Facts

from .conversation import event, reported

NOW = 1_772_436_000_000
VERSIONS: dict[Side, Version] = {"charger": "2.0.1", "csms": "1.6"}
FEATURES = (*Options().features, "security", "pnc", "costmsg")


class Peers:
    """A charger and a CSMS that answer what is drawn; each CALL that they make must be answered exactly once."""

    def __init__(self, data: st.DataObject, **options: Any) -> None:
        numbers = itertools.count(1)
        self.facts = Facts(registration="Accepted", known_connectors=2)
        self.translator = Translator(
            PAIR, self.facts, Options(**options), lambda: f"00000000-0000-4000-8000-{next(numbers):012d}"
        )
        self.data = data
        self.clock = NOW
        self.calls = itertools.count(1)
        self.actions: dict[tuple[Side, str], str] = {}
        self.outcomes: list[str] = []

    def say(self, side: Side, action: str, payload: Any, *, calm: bool = False) -> Any:
        """Send a CALL and play until nothing is open; its answer."""
        id = f"source-{next(self.calls)}"
        call = Call(id, action, Raw(encode(payload)))
        self.actions[side, id] = action
        answers: list[Any] = []
        key = id if side == "charger" else ""
        todo = self.translator.receive(side, call, self.clock, now=NOW, key=key)
        for _ in range(80):
            while todo:
                step = todo.pop(0)
                if isinstance(step, Out):
                    todo += self.taken(id, step, answers, calm)
                else:
                    self.outcomes.append(step.outcome)
            wake = self.translator.next_wake
            if wake is None:
                break
            self.clock = max(wake, self.clock)
            todo = self.translator.tick(self.clock)
        assert answers or (side == "charger" and "silence" in self.outcomes), "never answered"
        assert len(answers) <= 1, answers
        if side == "charger":
            self.translator.forget(key)
        return answers[0] if answers else None

    def taken(self, source: str, out: Out, answers: list[Any], calm: bool) -> list[Step]:
        match out.frame:
            case Call(id=id, action=action, payload=raw):
                payload = json.loads(bytes(raw))
                schemas.validate(VERSIONS[out.to], action, "request", payload)
                if not calm and self.data.draw(st.integers(0, 9)) == 0:
                    return self.translator.receive(out.to, Error(id, "NotSupported", "no"), self.clock)
                if not calm and self.data.draw(st.integers(0, 19)) == 0:
                    return self.translator.expire(out.to, id, self.clock)
                answer = (
                    {"transactionId": 7, "idTagInfo": {"status": "Accepted"}}
                    if calm and action == "StartTransaction"
                    else self.data.draw(payloads(VERSIONS[out.to], action, "response"))
                )
                return self.translator.receive(out.to, Result(id, Raw(encode(answer))), self.clock)
            case Result(id=id, payload=raw):
                assert id == source
                payload = json.loads(bytes(raw))
                schemas.validate(VERSIONS[out.to], self.actions[out.to, id], "response", payload)
                answers.append(payload)
            case Error(id=id, code=code, description=description):
                assert id == source and code != "InternalError", description
                answers.append(code)
        return []


MESSAGES = [
    pytest.param(side, action, id=f"{side}-{action}")
    for side, actions in (("charger", v201.FROM_CHARGER), ("csms", v16.FROM_CSMS))
    for action in sorted(actions)
]


@pytest.mark.parametrize(("side", "action"), MESSAGES)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_message(side: Side, action: str, data: st.DataObject) -> None:
    features = FEATURES if data.draw(st.booleans()) else Options().features
    topology = data.draw(st.sampled_from([{}, {"1": (1, 1), "2": (1, 2)}]))
    carried: dict[str, Any] = {"carry_lossy": "datatransfer", "vendor_id": "org.x"} if data.draw(st.booleans()) else {}
    peers = Peers(data, features=features, topology=topology, **carried)
    if data.draw(st.booleans()):
        peers.say("charger", "StatusNotification", reported("Occupied"), calm=True)
        peers.say("charger", "TransactionEvent", event("Started", evse=1), calm=True)
    payload = data.draw(payloads(VERSIONS[side], action, "request"))
    peers.say(side, action, payload)
    stored = facts.encode(peers.facts)
    assert facts.encode(msgspec.msgpack.decode(stored, type=Facts)) == stored
