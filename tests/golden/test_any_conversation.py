"""Conversations of valid messages in any order, with errors, silences and outages, between every two versions.

Whatever is said: only valid frames leave, every CALL is answered exactly once, at most one CALL is open towards each side,
and no rule fails.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.cli.translate import Conversation
from tests.golden.test_coverage import MODELS, PAIRS
from tests.golden.test_golden import conforms, plain
from tests.schemas import Version
from tests.translators.models.samples import payloads
from translators import Options
from translators.frames import Side

FEATURES = (*Options().features, "security", "pnc", "costmsg")
SIDES: tuple[Side, ...] = ("charger", "csms")
PATIENCE = 12
"""Waits of 20 s after which everything must have its answer."""


class Peers:
    """A charger and a CSMS that say and answer what is drawn."""

    def __init__(self, charger: str, csms: str, data: st.DataObject, options: Options) -> None:
        self.data = data
        self.versions: dict[str, Version] = {"charger": charger, "csms": csms}  # type: ignore[dict-item]
        self.conversation = Conversation(f"ocpp{charger}", f"ocpp{csms}", options)
        self.actions: dict[tuple[str, str], str] = {}
        """CALLs of the peers without an answer: (who asked, id) -> action."""
        self.asked: dict[Side, list[list[Any]]] = {"charger": [], "csms": []}
        """CALLs of the gateway without an answer, by who was asked."""
        self.answers: Counter[tuple[str, str]] = Counter()
        self.said = 0
        self.contents: set[str] = set()
        self.numbers: list[int] = [1, -1]
        self.up = True
        self.silent = False
        """The CSMS has left a CALL without an answer: then the charger may get none either."""

    def feed(self, source: str, frame: list[Any]) -> None:
        line = json.dumps({"from": source, "frame": frame}, default=float)
        for each in self.conversation.feed(line):
            to, left = each["to"], json.loads(json.dumps(each["frame"], default=plain), parse_float=Decimal)
            if left[0] != 2 and to == "csms" and not self.up:
                continue
            conforms(self.versions, self.actions, to, left)
            if left[0] == 2:
                self.asked[to].append(left)
                assert len(self.asked[to]) == 1, f"two open CALLs to the {to}: {self.asked[to]}"
            else:
                assert left[0] == 3 or left[2] != "InternalError", left
                self.answers[to, left[1]] += 1
                if left[0] == 3 and isinstance(number := left[2].get("transactionId"), int):
                    self.numbers.append(number)

    def says(self, side: Side) -> None:
        """A new CALL of a peer."""
        version = self.versions[side]
        model = MODELS[f"ocpp{version}"]
        action = self.data.draw(st.sampled_from(sorted(model.FROM_CHARGER if side == "charger" else model.FROM_CSMS)))
        payload = self.data.draw(payloads(version, action, "request"))
        if isinstance(payload.get("transactionId"), int):
            payload["transactionId"] = self.data.draw(st.sampled_from(self.numbers))
        content = json.dumps([side, action, payload], default=float)
        if content in self.contents:  # a repetition takes the answer of what it repeats
            return
        self.contents.add(content)
        self.said += 1
        id = f"{side}-{self.said}"
        self.actions[side, id] = action
        self.feed(side, [2, id, action, payload])

    def answers_to(self, side: Side, *, well: bool = False) -> None:
        """The open CALL of the gateway gets its answer, any valid one or an error."""
        if not self.asked[side]:
            return
        [asked] = self.asked[side]
        self.asked[side].clear()
        if not well and self.data.draw(st.integers(0, 5)) == 0:
            self.feed(side, [4, asked[1], self.data.draw(st.sampled_from(["NotSupported", "GenericError"])), "no", {}])
            return
        self.feed(side, [3, asked[1], self.data.draw(payloads(self.versions[side], asked[2], "response"))])

    def waits(self, seconds: int) -> None:
        """Time passes: an open CALL of the gateway that is older than its patience is given up."""
        if seconds > 25:
            self.silent = self.silent or bool(self.asked["csms"])
            self.asked["charger"].clear()
            self.asked["csms"].clear()
        self.feed("control", ["tick", seconds])

    def leaves(self) -> None:
        """The CSMS goes, with what is open there."""
        if self.up:
            self.up = False
            self.asked["csms"].clear()
            for at in [at for at in self.actions if at[0] == "csms"]:
                del self.actions[at]
            self.feed("control", ["csms_down"])

    def returns(self) -> None:
        if not self.up:
            self.up = True
            self.feed("control", ["csms_up"])

    def ends(self) -> None:
        """Everybody answers; nothing may stay open."""
        self.returns()
        for _ in range(PATIENCE):
            for side in SIDES:
                while self.asked[side]:
                    self.answers_to(side, well=True)
            if not self.actions:
                return
            self.waits(20)
        if self.silent and all(who == "charger" for who, _ in self.actions):
            return
        raise AssertionError(f"never answered: {self.actions}")


@pytest.mark.parametrize(("charger", "csms"), [tuple(v.removeprefix("ocpp") for v in pair) for pair in PAIRS])
@settings(max_examples=int(os.environ.get("EXAMPLES", "20")), deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_conversation(charger: str, csms: str, data: st.DataObject) -> None:
    features = FEATURES if data.draw(st.booleans()) else Options().features
    topology = data.draw(st.sampled_from([{}, {"1": (1, 1), "2": (1, 2)}]))
    peers = Peers(charger, csms, data, Options(features=features, topology=topology))
    for _ in range(data.draw(st.integers(1, 12))):
        match data.draw(st.integers(0, 11)):
            case 0 | 1 | 2:
                peers.says("charger")
            case 3 | 4:
                if peers.up:
                    peers.says("csms")
            case 5 | 6 | 7:
                peers.answers_to("csms")
            case 8 | 9:
                peers.answers_to("charger")
            case 10:
                peers.waits(data.draw(st.sampled_from([1, 26])))
            case 11:
                peers.leaves() if peers.up else peers.returns()
    peers.ends()
    assert all(number == 1 for number in peers.answers.values()), peers.answers
