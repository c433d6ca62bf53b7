"""What was accepted here while the CSMS was away, and what becomes of it when the CSMS does not accept it."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from msgspec import Raw

from translators.dialogue import Out, Step
from translators.frames import Call, Error, Result
from translators.late import RETRY_MS, stops
from translators.v16_v16 import Renumbering
from translators.v16_v16.verdicts import deauthorised, refused_in

NOW = 1_000_000


class Bench:
    """A primary of several; a StartTransaction was answered here with number 900, and told to the CSMS afterwards."""

    def __init__(self, state: bytes = b"", *, early: bool = True, deauthorise: bool = True) -> None:
        ids = itertools.count(1)
        self.ours = Renumbering(state, lambda: f"g{next(ids)}", primary=True, accept_away=True)
        self.ours.deauthorise = deauthorise
        self.early = early

    def start(self, status: str) -> list[Any]:
        """What leaves for the charger when the CSMS answers."""
        call = Call("1-1", "StartTransaction", Raw(b'{"connectorId":1,"idTag":"A","meterStart":0,"timestamp":"x"}'))
        if self.early:
            assert self.ours.away(call, NOW, key="1-1", tx=900) is not None
        [told] = self.ours.receive("charger", call, NOW, key="1-1", tx=900, early=self.early)
        assert isinstance(told, Out)
        answer = json.dumps({"transactionId": 7, "idTagInfo": {"status": status}}).encode()
        return commands(self.ours.receive("csms", Result(told.frame.id, Raw(answer)), NOW))

    def stop(self, **payload: Any) -> dict[str, Any]:
        """A StopTransaction as the CSMS hears it."""
        body = {"transactionId": 900, "meterStop": 1, "timestamp": "x", **payload}
        call = Call("2-1", "StopTransaction", Raw(json.dumps(body).encode()))
        [told] = self.ours.receive("charger", call, NOW, key="2-1")
        assert isinstance(told, Out) and isinstance(told.frame, Call)
        self.ours.receive("csms", Result(told.frame.id), NOW)
        heard: dict[str, Any] = json.loads(bytes(told.frame.payload))
        return heard


def commands(steps: list[Step]) -> list[Any]:
    frames = [step.frame for step in steps if isinstance(step, Out) and step.to == "charger"]
    return [(each.id, each.action, json.loads(bytes(each.payload))) for each in frames if isinstance(each, Call)]


@pytest.mark.parametrize("status", ["Blocked", "Expired", "Invalid", "ConcurrentTx"])
def test_a_refused_transaction_is_stopped_and_its_end_says_why(status: str) -> None:
    bench = Bench()
    [(id, action, payload)] = bench.start(status)
    assert (action, payload) == ("RemoteStopTransaction", {"transactionId": 900})
    assert bench.ours.receive("charger", Result(id, Raw(b'{"status":"Accepted"}')), NOW) == []
    again = Bench(bench.ours.state())
    assert again.stop(reason="Remote") == {
        "transactionId": 7,
        "meterStop": 1,
        "timestamp": "x",
        "reason": "DeAuthorized",
    }


def test_other_reasons_stay() -> None:
    bench = Bench()
    bench.start("Blocked")
    assert bench.stop(reason="EVDisconnected")["reason"] == "EVDisconnected"


def test_what_is_accepted_or_was_not_answered_here_goes_on() -> None:
    assert Bench().start("Accepted") == []
    assert Bench(early=False).start("Blocked") == [], "the charger hears the refusal itself"
    assert Bench(deauthorise=False).start("Blocked") == []
    bench = Bench()
    bench.start("Accepted")
    assert bench.stop(reason="Remote")["reason"] == "Remote"


def test_a_transaction_that_is_over_is_not_stopped() -> None:
    bench = Bench()
    bench.ours.backlog = lambda: [Call("2-1", "StopTransaction", Raw(b'{"transactionId":900}'))]
    assert bench.start("Blocked") == []


@pytest.mark.parametrize("answer", [Result("", Raw(b'{"status":"Rejected"}')), Error("", "GenericError"), None])
def test_a_charger_that_does_not_stop_is_told_once_more(answer: Result | Error | None) -> None:
    bench = Bench()
    [(id, _, _)] = bench.start("Blocked")

    def said(id: str) -> None:
        match answer:
            case Result(_, payload):
                assert bench.ours.receive("charger", Result(id, payload), NOW) == []
            case Error(_, code):
                assert bench.ours.receive("charger", Error(id, code), NOW) == []
            case None:
                assert bench.ours.expire("charger", id, NOW) == []

    said(id)
    assert bench.ours.next_wake == NOW + RETRY_MS
    assert bench.ours.tick(NOW + RETRY_MS - 1) == []
    [(id, _, payload)] = commands(bench.ours.tick(NOW + RETRY_MS))
    assert payload == {"transactionId": 900}
    said(id)
    assert bench.ours.next_wake is None


def test_answers_that_cannot_be_read() -> None:
    assert not refused_in(b"[]") and not refused_in(b"{}") and not stops(b"3")
    assert deauthorised(b"[]") == b"[]"
