"""Two transactions at once, in any order, with refusals, lost answers and crashes at any step.

Whatever happens on the way, each transaction keeps its own number and its own energy; and a process that takes over goes on
with the very frame that was not answered.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from translators.values import format_time

from .conversation import Talk

Frame = list[Any]
OUTCOMES = ("ok", "ok", "ok", "error", "lost before", "lost after", "crash")
START, STOP = "StartTransaction", "StopTransaction"


class Books:
    """A charger that repeats what got no good answer, and a CSMS that keeps books."""

    def __init__(self, draw: Any, *, outcomes: tuple[str, ...] = OUTCOMES) -> None:
        self.play = Talk(keyed=True)
        self.draw = draw
        self.outcomes = outcomes
        self.count = 0
        self.tids: dict[int, list[int]] = {}
        """Connector -> the numbers that the CSMS gave for it; the last one is the one that counts."""
        self.heard: list[tuple[str, Any]] = []

    def says(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        """A CALL of the charger, repeated until it is answered well."""
        for attempt in range(40):
            answer = self._once(action, payload, calm=attempt > 8)
            if answer is not None:
                return answer
        raise AssertionError("never answered")

    def _once(self, action: str, payload: dict[str, Any], *, calm: bool) -> dict[str, Any] | None:
        self.count += 1
        key = f"k{self.count}"
        call = [2, f"c{self.count}", action, payload]
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
                    self.book(frame)
                self.play.restart()
                left = self.play.feed("charger", call, key=key)
                again = [each for side, each in left if side == "csms"]
                assert [each[2:] for each in again] == [frame[2:]], "another frame after the crash"
                continue
            left = self._answered(frame, outcome)
        self.play.translator.forget(key)
        good = [answer[2] for answer in answers if answer[0] == 3]
        return good[-1] if good else None

    def _answered(self, frame: Frame, outcome: str) -> list[Any]:
        if outcome == "error":
            return self.play.feed("csms", [4, frame[1], "InternalError", "", {}])
        if outcome.startswith("lost"):
            if outcome == "lost after":
                self.book(frame)
            return self.play.take(self.play.translator.expire("csms", frame[1], self.play.clock))
        answer: dict[str, Any] = {}
        number = self.book(frame)
        if frame[2] == START:
            answer = {"transactionId": number, "idTagInfo": {"status": "Accepted"}}
        return self.play.feed("csms", [3, frame[1], answer])

    def book(self, frame: Frame) -> int:
        """What the CSMS writes down; a StartTransaction gets a number, a repeated one another."""
        self.heard.append((frame[2], frame[3]))
        if frame[2] != START:
            return 0
        numbers = self.tids.setdefault(frame[3]["connectorId"], [])
        numbers.append(100 + len(self.heard))
        return numbers[-1]


def script(connector: int, meters: int) -> list[tuple[str, dict[str, Any]]]:
    """What happens on one EVSE; energies tell the transactions apart."""
    base, begin = connector * 100_000, 1_772_352_000_000 + connector
    seq = iter(range(100))

    def at(minute: int) -> str:
        return format_time(begin + 60_000 * minute)

    def event(
        kind: str, minute: int, trigger: str, wh: int | None = None, context: str = "Sample.Periodic", **more: Any
    ) -> Any:
        info = {"transactionId": f"TX-{connector}", **more.pop("info", {})}
        payload = {"eventType": kind, "timestamp": at(minute), "triggerReason": trigger, "seqNo": next(seq),
                   "transactionInfo": info, **more}  # fmt: skip
        if wh is not None:
            unit = {"unit": "kWh"} if minute % 2 else {"unit": "Wh"}
            sample = {"value": wh / 1000 if minute % 2 else wh, "context": context, "unitOfMeasure": unit}
            payload["meterValue"] = [{"timestamp": at(minute), "sampledValue": [sample]}]
        return "TransactionEvent", payload

    place: dict[str, Any] = {"evse": {"id": connector, "connectorId": 1}}
    token: dict[str, Any] = {"idToken": {"idToken": f"TAG{connector}", "type": "Central"}}
    occupied = {"timestamp": at(0), "connectorStatus": "Occupied", "evseId": connector, "connectorId": 1}
    steps = [
        ("StatusNotification", occupied),
        event(
            "Started", 0, "CablePluggedIn", base, "Transaction.Begin", info={"chargingState": "EVConnected"}, **place
        ),
        event("Updated", 1, "Authorized", info={"chargingState": "EVConnected"}, **token),
        event("Updated", 2, "ChargingStateChanged", info={"chargingState": "Charging"}),
    ]
    for number in range(meters):
        steps.append(event("Updated", 3 + number, "MeterValuePeriodic", base + number + 1))
    state = {"stoppedReason": "Local", "chargingState": "EVConnected"}
    steps.append(event("Ended", 20, "StopAuthorized", base + 1000 * connector, "Transaction.End", info=state, **token))
    return [*steps, ("StatusNotification", {**occupied, "timestamp": at(30), "connectorStatus": "Available"})]


def run(books: Books, draw: Any) -> None:
    queues = {1: script(1, draw(st.integers(0, 3))), 2: script(2, draw(st.integers(0, 3)))}
    while any(queues.values()):
        connector = draw(st.sampled_from([each for each in queues if queues[each]]))
        action, payload = queues[connector].pop(0)
        books.says(action, payload)


def check(books: Books) -> None:
    for connector in (1, 2):
        base, own = connector * 100_000, books.tids[connector]
        starts = [each for action, each in books.heard if action == START and each["connectorId"] == connector]
        stops = [each for action, each in books.heard if action == STOP and each["transactionId"] in own]
        assert all(each == starts[0] for each in starts) and starts[0]["idTag"] == f"TAG{connector}"
        assert stops and all(each == stops[0] for each in stops)
        assert stops[0]["meterStop"] - starts[0]["meterStart"] == 1000 * connector, "energy in is energy out"
        assert starts[0]["meterStart"] == base
        for action, each in books.heard:
            if action == "MeterValues" and each["connectorId"] == connector:
                assert each["transactionId"] in own
                sample = each["meterValue"][0]["sampledValue"][0]
                wh = float(sample["value"]) * (1000 if sample["unit"] == "kWh" else 1)
                assert base < wh <= base + 3
    assert books.play.state.given == {}
    assert books.play.state.transactions == []


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_nothing_crosses_and_nothing_is_lost(data: st.DataObject) -> None:
    books = Books(data.draw)
    run(books, data.draw)
    check(books)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_without_trouble_everything_arrives_once_and_in_order(data: st.DataObject) -> None:
    books = Books(data.draw, outcomes=("ok",))
    run(books, data.draw)
    check(books)
    for connector in (1, 2):
        [tid] = books.tids[connector]
        told = [
            each.get("status", action)
            for action, each in books.heard
            if each.get("connectorId") == connector or each.get("transactionId") == tid
        ]
        meters = told.count("MeterValues")
        assert told == ["Preparing", START, "Charging", *["MeterValues"] * meters, STOP, "Finishing", "Available"]


@pytest.mark.parametrize("at", range(24))
def test_a_crash_at_every_step(at: int) -> None:
    steps = iter(range(1000))
    answers: dict[str, Any] = {
        repr(st.sampled_from(OUTCOMES)): lambda: "crash" if next(steps) == at else "ok",
        repr(st.booleans()): lambda: True,
        repr(st.integers(0, 3)): lambda: 2,
        repr(st.sampled_from([1, 2])): lambda: 1,
        repr(st.sampled_from([1])): lambda: 1,
        repr(st.sampled_from([2])): lambda: 2,
    }

    def draw(strategy: Any) -> Any:
        return answers[repr(strategy)]()

    books = Books(draw)
    run(books, draw)
    check(books)
