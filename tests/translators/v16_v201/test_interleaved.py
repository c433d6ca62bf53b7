"""Two transactions at once, in any order, with refusals, lost answers and crashes at any step.

Whatever happens on the way, the CSMS can tell the transactions apart, every number is used for one event, and the energy
that goes in comes out; and a process that takes over goes on with the very frame that was not answered.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from translators.values import format_time

from .conversation import talk

Frame = list[Any]
OUTCOMES = ("ok", "ok", "ok", "error", "lost before", "lost after", "crash")


class World:
    """A charger that repeats what got no good answer, and a CSMS that keeps books."""

    def __init__(self, draw: Any, *, outcomes: tuple[str, ...] = OUTCOMES) -> None:
        self.play = talk(keyed=True)
        self.draw = draw
        self.outcomes = outcomes
        self.count = 0
        self.tids: dict[int, int] = {}
        self.told: dict[str, dict[int, Any]] = defaultdict(dict)
        self.sent: dict[str, set[int]] = defaultdict(set)

    def says(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        """A CALL of the charger, repeated until it is answered well."""
        for attempt in range(40):
            answer = self._once(action, payload, calm=attempt > 8)
            if answer is not None:
                return answer
        raise AssertionError("never answered")

    def _once(self, action: str, payload: dict[str, Any], *, calm: bool) -> dict[str, Any] | None:
        self.count += 1
        id, key = f"c{self.count}", f"k{self.count}"
        call = [2, id, action, payload]
        answers: list[Frame] = []
        left = self.play.feed("charger", call, key=key)
        crashed = False
        while True:
            asked = [frame for side, frame in left if side == "csms"]
            answers += [frame for side, frame in left if side == "charger"]
            assert len(answers) <= 1 or crashed, answers
            if not asked:
                break
            (frame,) = asked
            outcome = "ok" if calm else self.draw(st.sampled_from(self.outcomes))
            if outcome == "crash":
                crashed = True
                if self.draw(st.booleans()):
                    self.hears(frame)
                self.play.restart()
                left = self.play.feed("charger", call, key=key)
                again = [each for side, each in left if side == "csms"]
                assert [each[2:] for each in again] == [frame[2:]]
                continue
            left = self.answers(frame, outcome)
        self.play.facts.given.pop(key, None)
        good = [answer[2] for answer in answers if answer[0] == 3]
        return good[-1] if good else None

    def answers(self, frame: Frame, outcome: str) -> list[Any]:
        if outcome == "error":
            self.note(frame)
            return self.play.feed("csms", [4, frame[1], "InternalError", "", {}])
        if outcome.startswith("lost"):
            self.note(frame)
            if outcome == "lost after":
                self.hears(frame)
            return self.play.take(self.play.translator.expire("csms", frame[1], self.play.clock))
        self.hears(frame)
        payloads: dict[str, Any] = {"TransactionEvent": {"idTokenInfo": {"status": "Accepted"}}}
        return self.play.feed("csms", [3, frame[1], payloads.get(frame[2], {})])

    def note(self, frame: Frame) -> None:
        if frame[2] == "TransactionEvent":
            self.sent[frame[3]["transactionInfo"]["transactionId"]].add(frame[3]["seqNo"])

    def hears(self, frame: Frame) -> None:
        """Into the books: a number that comes again comes with the same event."""
        self.note(frame)
        if frame[2] == "TransactionEvent":
            event = frame[3]
            book = self.told[event["transactionInfo"]["transactionId"]]
            assert book.setdefault(event["seqNo"], event) == event


def script(connector: int, meters: int) -> list[tuple[str, dict[str, Any]]]:
    """What happens on one connector; energies tell the connectors apart."""
    base, start = connector * 100_000, 1_772_352_000_000 + connector

    def at(minute: int) -> str:
        return format_time(start + 60_000 * minute)

    def status(minute: int, status: str) -> tuple[str, dict[str, Any]]:
        about = {"connectorId": connector, "errorCode": "NoError", "status": status, "timestamp": at(minute)}
        return "StatusNotification", about

    begin = {"connectorId": connector, "idTag": f"TAG{connector}", "meterStart": base, "timestamp": at(1)}
    steps = [status(0, "Preparing"), ("StartTransaction", begin), status(2, "Charging")]
    for number in range(meters):
        values = [
            {"timestamp": at(3 + number * 2 + part), "sampledValue": [{"value": str(base + number * 2 + part)}]}
            for part in (0, 1)
        ]
        steps.append(("MeterValues", {"connectorId": connector, "meterValue": values}))
    end = {"meterStop": base + 1000 * connector, "timestamp": at(30), "reason": "Local", "idTag": f"TAG{connector}"}
    return [*steps, status(29, "SuspendedEV"), ("StopTransaction", end), status(31, "Available")]


def run(world: World, draw: Any) -> None:
    queues = {1: script(1, draw(st.integers(0, 3))), 2: script(2, draw(st.integers(0, 3)))}
    while any(queues.values()):
        connector = draw(st.sampled_from([each for each in queues if queues[each]]))
        action, payload = queues[connector].pop(0)
        if action == "StopTransaction" or (action == "MeterValues" and draw(st.booleans())):
            payload = payload | {"transactionId": world.tids[connector]}
        answer = world.says(action, payload)
        if action == "StartTransaction":
            world.tids[connector] = answer["transactionId"]


def check(world: World) -> None:
    assert len(set(world.tids.values())) == 2 == len(world.told)
    for uuid, book in world.told.items():
        assert world.sent[uuid] == set(range(max(book) + 1))
        first, last = book[0], book[max(book)]
        connector = first["evse"]["id"]
        base = connector * 100_000
        assert first["eventType"] == "Started" and last["eventType"] == "Ended"
        assert first["idToken"]["idToken"] == f"TAG{connector}" == last["idToken"]["idToken"]
        assert first["meterValue"][0]["sampledValue"][0]["value"] == base
        assert last["meterValue"][-1]["sampledValue"][0]["value"] == base + 1000 * connector
        contents = [json.dumps({**event, "seqNo": 0}, default=str) for event in book.values()]
        assert len(set(contents)) == len(contents), "the same event under two numbers"
        for number, event in book.items():
            if number:
                assert "evse" not in event
            for value in event.get("meterValue", []):
                assert base <= value["sampledValue"][0]["value"] <= base + 1000 * connector
    assert world.play.facts.transactions == []
    for transaction in world.play.facts.ended:
        assert transaction.state == "ended" and not transaction.pending
    assert world.play.facts.given == {}


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_nothing_crosses_and_nothing_is_lost(data: st.DataObject) -> None:
    world = World(data.draw)
    run(world, data.draw)
    check(world)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_without_trouble_every_number_arrives_once(data: st.DataObject) -> None:
    world = World(data.draw, outcomes=("ok",))
    run(world, data.draw)
    check(world)
    for book in world.told.values():
        assert sorted(book) == list(range(len(book)))


@pytest.mark.parametrize("at", range(24))
def test_a_crash_at_every_step(at: int) -> None:
    steps = iter(range(1000))

    def draw(strategy: Any) -> Any:
        return draw_from[repr(strategy)]()

    draw_from: dict[str, Any] = {
        repr(st.sampled_from(OUTCOMES)): lambda: "crash" if next(steps) == at else "ok",
        repr(st.booleans()): lambda: True,
        repr(st.integers(0, 3)): lambda: 2,
        repr(st.sampled_from([1, 2])): lambda: 1,
        repr(st.sampled_from([1])): lambda: 1,
        repr(st.sampled_from([2])): lambda: 2,
    }
    world = World(draw)
    run(world, draw)
    check(world)
