"""Any valid message either way, answered with anything valid: one answer each, every frame valid, no rule fails."""

from __future__ import annotations

import itertools
import json
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Raw

from tests import schemas
from tests.schemas import Version
from tests.translators.models.samples import payloads
from translators import Options, Translating, translator
from translators.dialogue import Out, Step
from translators.frames import Call, Error, Result, Side, encode
from translators.models import v15, v16, v201

NOW = 1_772_436_000_000
FROM_CHARGER = {"ocpp1.6": (v15.FROM_CHARGER, v16.FROM_CSMS), "ocpp2.0.1": (v15.FROM_CHARGER, v201.FROM_CSMS)}


class Peers:
    """A charger and a CSMS that answer what is drawn; each CALL that they make must be answered exactly once."""

    def __init__(self, csms: str, data: st.DataObject) -> None:
        numbers = itertools.count(1)
        self.versions: dict[Side, Version] = {"charger": "1.5", "csms": cast(Version, csms.removeprefix("ocpp"))}
        self.translator: Translating = translator(
            "ocpp1.5", csms, b"", Options(), lambda: f"00000000-0000-4000-8000-{next(numbers):012d}"
        )
        self.translator.assume(True, 2)
        self.data = data
        self.clock = NOW
        self.actions: dict[tuple[Side, str], str] = {}

    def draw(self, version: Version, action: str, kind: schemas.Kind) -> Any:
        return self.data.draw(payloads(version, action, kind))

    def call(self, side: Side, action: str) -> Any:
        payload = self.draw(self.versions[side], action, "request")
        return self.say(side, action, payload)

    def say(self, side: Side, action: str, payload: Any) -> Any:
        """Send a CALL and play until nothing is open; its answer."""
        call = Call("source", action, Raw(encode(payload)))
        self.actions[side, "source"] = action
        answers: list[Any] = []
        key = "entry" if side == "charger" else ""
        todo = self.translator.receive(side, call, self.clock, now=NOW, key=key, tx=77)
        for _ in range(60):
            while todo:
                step = todo.pop(0)
                if isinstance(step, Out):
                    todo += self.taken(step, answers)
            wake = self.translator.next_wake
            if wake is None:
                break
            self.clock = max(wake, self.clock)
            todo = self.translator.tick(self.clock)
        assert len(answers) == 1, answers
        return answers[0]

    def taken(self, out: Out, answers: list[Any]) -> list[Step]:
        match out.frame:
            case Call(id=id, action=action, payload=raw):
                payload = json.loads(bytes(raw))
                schemas.validate(self.versions[out.to], action, "request", payload)
                if self.data.draw(st.integers(0, 9)) == 0:
                    return self.translator.receive(out.to, Error(id, "NotSupported", "no"), self.clock)
                answer = self.draw(self.versions[out.to], action, "response")
                return self.translator.receive(out.to, Result(id, Raw(encode(answer))), self.clock)
            case Result(id="source", payload=raw):
                payload = json.loads(bytes(raw))
                schemas.validate(self.versions[out.to], self.actions[out.to, "source"], "response", payload)
                answers.append(payload)
            case Error(id="source", code=code, description=description):
                assert code != "InternalError", description
                answers.append(code)
            case _:
                raise AssertionError(f"an answer to nobody: {out}")
        return []


MESSAGES = [
    pytest.param(csms, side, action, id=f"{csms}-{side}-{action}")
    for csms, senders in FROM_CHARGER.items()
    for side, actions in zip(("charger", "csms"), senders, strict=True)
    for action in sorted(actions)
]


@pytest.mark.parametrize(("csms", "side", "action"), MESSAGES)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_message(csms: str, side: Side, action: str, data: st.DataObject) -> None:
    peers = Peers(csms, data)
    for kind, payload in PREPARED:
        peers.say("charger", kind, payload)
    peers.call(side, action)


PREPARED = [
    ("StatusNotification", {"connectorId": 1, "status": "Available", "errorCode": "NoError"}),
    ("StartTransaction", {"connectorId": 1, "idTag": "A", "timestamp": "2026-03-02T07:00:00Z", "meterStart": 0}),
]
