"""Two gateways back to back: a 2.0.1 charger behind a 1.6 link behind a 2.0.1 CSMS, and a 1.6 charger behind a 2.0.1 link."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Raw

from tests.schemas import Kind, Version, validate
from tests.translators.members import Maker
from translators import Options, Translator, pair
from translators.chain import Chain
from translators.dialogue import Out, Step
from translators.frames import OTHER, Call, Result, Side, encode
from translators.models import v201
from translators.v16_v201 import tunnel

NOW = 1_740_823_200_000
WAYS = (("ocpp2.0.1", "ocpp1.6"), ("ocpp1.6", "ocpp2.0.1"))


class Gateways:
    """The chain of two gateways, and what its ends hear. Both ends speak 2.0.1."""

    def __init__(self, carry: str = "datatransfer") -> None:
        numbers = itertools.count(1)
        options = Options(carry_lossy=carry, vendor_id="org.example.gateway")  # type: ignore[arg-type]
        parts = []
        for way in WAYS:
            rules = pair(*way)
            part = Translator(rules, rules.facts(), options, lambda: f"00000000-0000-4000-8000-{next(numbers):012d}")
            part.facts.registration = "Accepted"
            parts.append(part)
        parts[1].facts.known_connectors = 2
        self.chain = Chain(parts)
        self.count = 0
        self.heard: list[tuple[Side, str, Any]] = []
        self.losses: set[str] = set()
        self.answer: Any = None

    def exchange(self, side: Side, action: str, payload: Any, reply: Any) -> None:
        """A CALL of one end; the other end answers `reply` to the same action, and {} to anything else."""
        self.count += 1
        self.heard, self.losses, self.answer = [], set(), None
        key = f"{self.count}-0" if side == "charger" else ""
        todo = self.chain.receive(side, Call(f"s{self.count}", action, Raw(encode(payload))), NOW, now=NOW, key=key)
        for _ in range(60):
            while todo:
                todo += self._take(todo.pop(0), action, reply)
            if self.answer is not None or self.chain.next_wake is None:
                break
            todo = self.chain.tick(self.chain.next_wake)

    def _take(self, step: Step, action: str, reply: Any) -> list[Step]:
        if not isinstance(step, Out):
            return []
        self.losses |= {loss.field for loss in step.losses}
        match step.frame:
            case Call(id=id, action=name, payload=raw):
                body = json.loads(bytes(raw))
                validate("2.0.1", name, "request", body)
                self.heard.append((step.to, name, body))
                answer = reply if name == action else {}
                return self.chain.receive(step.to, Result(id, Raw(encode(answer))), NOW)
            case Result(payload=raw):
                self.answer = json.loads(bytes(raw))
            case other:
                self.answer = other
        return []


COMMANDS = sorted(tunnel.ACTIONS)
MESSAGES = sorted(
    (
        "ClearedChargingLimit",
        "NotifyChargingLimit",
        "NotifyCustomerInformation",
        "NotifyDisplayMessages",
        "NotifyEVChargingNeeds",
        "NotifyEVChargingSchedule",
        "NotifyMonitoringReport",
        "NotifyReport",
        "PublishFirmwareStatusNotification",
        "ReportChargingProfiles",
        "ReservationStatusUpdate",
    )
)


@pytest.mark.parametrize(("side", "action"), [("csms", x) for x in COMMANDS] + [("charger", x) for x in MESSAGES])
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_1_6_has_no_words_for_passes_whole(side: Side, action: str, data: st.DataObject) -> None:
    gateways, maker = Gateways(), Maker(data)
    request, reply = (drawn(maker, action, kind) for kind in ("request", "response"))
    gateways.exchange(side, action, request, reply)
    assert gateways.heard == [(OTHER[side], action, request)]
    assert gateways.answer == reply
    assert not gateways.losses


def drawn(maker: Maker, action: str, kind: Kind) -> Any:
    version: Version = "2.0.1"
    return json.loads(encode(maker.payload(version, action, kind)))


@pytest.mark.parametrize("carry", ["off", "customData"])
def test_without_the_tunnel_each_gateway_answers_itself(carry: str) -> None:
    gateways = Gateways(carry)
    gateways.exchange("csms", "SetMonitoringLevel", {"severity": 3}, {"status": "Rejected"})
    assert (gateways.heard, gateways.answer) == ([], {"status": "Accepted"})


def test_a_charger_that_takes_no_tunnel_is_asked_once() -> None:
    rules = pair("ocpp1.6", "ocpp2.0.1")
    options = Options(carry_lossy="datatransfer", vendor_id="org.example.gateway")
    numbers = itertools.count(1)
    translator = Translator(rules, rules.facts(), options, lambda: f"g{next(numbers)}")
    translator.facts.registration = "Accepted"
    call = Call("s", "SetMonitoringLevel", Raw(b'{"severity": 3}'))
    [asked] = translator.receive("csms", call, NOW)
    assert isinstance(asked, Out) and isinstance(asked.frame, Call) and asked.frame.action == "DataTransfer"
    [answered] = translator.receive("charger", Result(asked.frame.id, Raw(b'{"status": "UnknownVendorId"}')), NOW)
    assert isinstance(answered, Out) and answered.frame == Result("s", Raw(b'{"status":"Accepted"}'))
    [local] = translator.receive("csms", call, NOW)
    assert isinstance(local, Out) and isinstance(local.frame, Result)


def test_what_is_tunnelled_is_known() -> None:
    assert v201.FROM_CSMS >= tunnel.ACTIONS
    assert set(MESSAGES) <= v201.FROM_CHARGER
