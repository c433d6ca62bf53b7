"""Any valid message either way between every two versions, answered with anything valid, an error, or not at all.

One answer each, every frame valid, no rule fails, and the facts survive the store.
"""

from __future__ import annotations

import itertools
import json
import os
from itertools import permutations
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Raw

from tests import schemas
from tests.schemas import Version
from tests.translators.models.samples import payloads
from tests.translators.v201_v16.conversation import event, reported
from translators import VERSIONS, Options, translatable, translator
from translators.dialogue import Out, Step
from translators.frames import Call, Error, Result, Side, encode
from translators.models import v15, v16, v201

NOW = 1_772_436_000_000
FEATURES = (*Options().features, "security", "pnc", "costmsg")
MODELS: dict[str, ModuleType] = {"ocpp1.5": v15, "ocpp1.6": v16, "ocpp2.0.1": v201}
STARTED = [
    ("StatusNotification", {"connectorId": 1, "status": "Available", "errorCode": "NoError"}),
    ("StartTransaction", {"connectorId": 1, "idTag": "A", "timestamp": "2026-03-02T07:00:00Z", "meterStart": 0}),
]
BEFORE = {
    "ocpp1.5": STARTED,
    "ocpp1.6": STARTED,
    "ocpp2.0.1": [("StatusNotification", reported("Occupied")), ("TransactionEvent", event("Started", evse=1))],
}
"""A transaction that may run when the message comes."""
CALM = {
    "StartTransaction": {"transactionId": 7, "idTagInfo": {"status": "Accepted"}},
    "TransactionEvent": {"idTokenInfo": {"status": "Accepted"}},
}


class Peers:
    """A charger and a CSMS that answer what is drawn; each CALL that they make must be answered exactly once."""

    def __init__(self, charger: str, csms: str, data: st.DataObject, options: Options) -> None:
        numbers = itertools.count(1)
        self.new_id = lambda: f"00000000-0000-4000-8000-{next(numbers):012d}"
        self.made = (charger, csms, options)
        self.versions: dict[Side, Version] = {
            "charger": charger.removeprefix("ocpp"),  # type: ignore[dict-item]
            "csms": csms.removeprefix("ocpp"),  # type: ignore[dict-item]
        }
        self.translator = translator(charger, csms, b"", options, self.new_id)
        self.translator.assume(True, 2)
        self.data = data
        self.clock = NOW
        self.calls = itertools.count(1)
        self.actions: dict[tuple[Side, str], str] = {}
        self.outcomes: list[str] = []

    def say(self, side: Side, action: str, payload: Any, *, calm: bool = False) -> None:
        """Send a CALL and play until nothing is open."""
        id = f"source-{next(self.calls)}"
        call = Call(id, action, Raw(encode(payload)))
        self.actions[side, id] = action
        answers: list[Any] = []
        key = id if side == "charger" else ""
        todo = self.translator.receive(side, call, self.clock, now=NOW, key=key, tx=77)
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

    def taken(self, source: str, out: Out, answers: list[Any], calm: bool) -> list[Step]:
        """A frame leaves: an answer to a CALL of theirs, or a CALL that gets one."""
        match out.frame:
            case Call(id=id, action=action, payload=raw):
                schemas.validate(self.versions[out.to], action, "request", json.loads(bytes(raw)))
                if not calm and self.data.draw(st.integers(0, 9)) == 0:
                    return self.translator.receive(out.to, Error(id, "NotSupported", "no"), self.clock)
                if not calm and self.data.draw(st.integers(0, 19)) == 0:
                    return self.translator.expire(out.to, id, self.clock)
                drawn = self.data.draw(payloads(self.versions[out.to], action, "response"))
                answer = CALM.get(action, drawn) if calm else drawn
                return self.translator.receive(out.to, Result(id, Raw(encode(answer))), self.clock)
            case Result(id=id, payload=raw):
                assert id == source
                payload = json.loads(bytes(raw))
                schemas.validate(self.versions[out.to], self.actions[out.to, id], "response", payload)
                answers.append(payload)
            case Error(id=id, code=code, description=description):
                assert id == source and code != "InternalError", description
                answers.append(code)
        return []

    def stored(self) -> None:
        """The facts are the same after they were stored."""
        state = self.translator.state()
        charger, csms, options = self.made
        assert translator(charger, csms, state, options, self.new_id).state() == state


MESSAGES = [
    pytest.param(charger, csms, side, action, id=f"{charger}-{csms}-{side}-{action}")
    for charger, csms in permutations(VERSIONS, 2)
    if translatable(charger, csms)
    for side, actions in (("charger", MODELS[charger].FROM_CHARGER), ("csms", MODELS[csms].FROM_CSMS))
    for action in sorted(actions)
]


@pytest.mark.parametrize(("charger", "csms", "side", "action"), MESSAGES)
@settings(max_examples=int(os.environ.get("EXAMPLES", "15")), deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_message(charger: str, csms: str, side: Side, action: str, data: st.DataObject) -> None:
    features = FEATURES if data.draw(st.booleans()) else Options().features
    topology = data.draw(st.sampled_from([{}, {"1": (1, 1), "2": (1, 2)}]))
    carry: Any = data.draw(st.sampled_from(["off", "datatransfer", "customData"]))
    peers = Peers(
        charger, csms, data, Options(features=features, topology=topology, carry_lossy=carry, vendor_id="org.x")
    )
    if data.draw(st.booleans()):
        for each, payload in BEFORE[charger]:
            peers.say("charger", each, payload, calm=True)
    peers.say(side, action, data.draw(payloads(peers.versions[side], action, "request")))
    peers.stored()
