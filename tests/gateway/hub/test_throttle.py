"""Fewer meter values: which are told, which wait, which are dropped."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from gateway.hub.backlog import Exchange
from gateway.hub.throttle import TRANSACTIONS_MOST, Throttle
from gateway.journal.entry import Entry, Head
from translators.frames import Call


def exchange(at: int, action: str, payload: dict[str, Any]) -> Exchange:
    head = Head("CP", 1, at, "ocpp1.6", "edge", at, action, f"c{at}", "K0")
    return Exchange(Entry(f"{at}-1", "call", head), Call(f"{at}-1", action, Raw(json.dumps(payload).encode())))


def meter(at: int, *, tx: int | None = 7, context: str | None = None) -> Exchange:
    sample = {"value": "1"} if context is None else {"value": "1", "context": context}
    payload: dict[str, Any] = {"connectorId": 1, "meterValue": [{"timestamp": "x", "sampledValue": [sample]}]}
    return exchange(at, "MeterValues", payload if tx is None else {**payload, "transactionId": tx})


def stop(at: int, tx: int = 7) -> Exchange:
    return exchange(at, "StopTransaction", {"transactionId": tx, "transactionData": [{"sampledValue": []}]})


def event(at: int, kind: str = "Updated", trigger: str = "MeterValuePeriodic", **more: Any) -> Exchange:
    info = {"transactionId": "t", **({"chargingState": more.pop("state")} if "state" in more else {})}
    values = [{"timestamp": "x", "sampledValue": [{"value": 1}]}]
    return exchange(
        at,
        "TransactionEvent",
        {"eventType": kind, "triggerReason": trigger, "transactionInfo": info, "meterValue": values, **more},
    )


def told(throttle: Throttle, *exchanges: Exchange) -> list[int]:
    """When what is told was received; time passes between, so that what waits long enough is told too."""
    found: list[int] = []
    for each in exchanges:
        at = each.entry.head.received_at
        if (due := throttle.deadline) and due <= at:
            found += [one.entry.head.received_at for one in throttle.due(at)]
        found += [one.entry.head.received_at for one in throttle.take(each).passed]
    return found


def test_one_in_an_interval_and_the_last_before_the_stop() -> None:
    throttle = Throttle(60_000)
    said = [meter(at * 1000) for at in range(0, 150, 10)] + [stop(151_000)]
    # 50 is the newest of the first minute when it ends at 60; what came at 60 begins a wait of its own
    assert told(throttle, *said) == [0, 50_000, 100_000, 140_000, 151_000]
    assert not throttle.holds and throttle.deadline == 0


def test_what_is_dropped_is_told() -> None:
    throttle = Throttle(60_000)
    first, second, third = meter(0), meter(10), meter(20)
    assert throttle.take(first).passed == [first]
    assert throttle.take(second) == ([], [])
    assert throttle.take(third) == ([], [second])
    assert throttle.holds and throttle.deadline == 60_000
    assert throttle.due(60_000) == [third]


def test_another_context_passes_at_once() -> None:
    throttle = Throttle(60_000)
    said = [meter(0), meter(1), meter(2, context="Sample.Clock"), meter(3), meter(4, context="Trigger")]
    assert told(throttle, *said, meter(5, context="Sample.Clock"), stop(6)) == [0, 2, 4, 5, 6]


def test_transactions_have_turns_of_their_own_and_what_belongs_to_none_passes() -> None:
    throttle = Throttle(60_000)
    said = [meter(0), meter(1, tx=8), meter(2, tx=None), meter(3, tx=None), meter(4, tx=8), stop(5, 8), stop(6)]
    assert told(throttle, *said) == [0, 1, 2, 3, 4, 5, 6]


def test_events_of_2x() -> None:
    throttle = Throttle(60_000)
    said = [
        event(0, "Started", "Authorized"),
        event(1),
        event(2, state="Charging"),
        event(3, state="Charging"),
        event(4, trigger="ChargingStateChanged", state="SuspendedEV"),
        event(5, idToken={"idToken": "A", "type": "Central"}),
        event(6),
        event(7),
        event(8, "Ended", "StopAuthorized"),
    ]
    assert told(throttle, *said) == [0, 2, 4, 5, 7, 8]


def test_an_event_without_readings_does_not_swallow_the_reading_before() -> None:
    throttle = Throttle(60_000)
    bare = exchange(
        3,
        "TransactionEvent",
        {"eventType": "Updated", "triggerReason": "Deauthorized", "transactionInfo": {"transactionId": "t"}},
    )
    assert told(throttle, event(0, "Started"), event(1), event(2), bare, event(4), event(5, "Ended")) == [0, 2, 3, 4, 5]


def test_15() -> None:
    throttle = Throttle(60_000)
    payload = {"connectorId": 1, "transactionId": 7, "values": [{"timestamp": "x", "values": [{"value": "1"}]}]}
    assert told(throttle, *(exchange(at, "MeterValues", payload) for at in range(3)), stop(9)) == [0, 2, 9]


def test_what_cannot_be_read_passes() -> None:
    throttle = Throttle(60_000)
    assert told(throttle, exchange(0, "MeterValues", {"meterValue": 7}), exchange(1, "Heartbeat", {})) == [0, 1]


def test_transactions_without_an_end_do_not_add_up() -> None:
    throttle = Throttle(60_000)
    for tx in range(TRANSACTIONS_MOST):
        told(throttle, meter(tx, tx=tx), meter(tx, tx=tx))
    assert told(throttle, meter(99, tx=99)) == [0, 99], "what waited for the oldest is told"


@given(
    st.lists(
        st.tuples(st.integers(1, 40), st.integers(1, 2), st.sampled_from([None, "Trigger", "Sample.Clock"])),
        max_size=60,
    ),
    st.integers(1, 90),
)
def test_nothing_is_lost_without_a_word_and_nothing_told_twice(
    steps: list[tuple[int, int, str | None]], interval: int
) -> None:
    throttle, at = Throttle(interval), 0
    passed: list[Exchange] = []
    dropped: list[Exchange] = []
    said: list[Exchange] = []
    for after, tx, context in steps:
        at += after
        if (due := throttle.deadline) and due <= at:
            passed += throttle.due(at)
        said.append(meter(at, tx=tx, context=context))
        verdict = throttle.take(said[-1])
        passed += verdict.passed
        dropped += verdict.dropped
    for tx in (1, 2):
        said.append(stop(at + 1, tx))
        verdict = throttle.take(said[-1])
        passed += verdict.passed
        dropped += verdict.dropped
    assert sorted(map(id, passed + dropped)) == sorted(map(id, said))
    for tx in (1, 2):
        own = [each for each in said if json.loads(bytes(each.call.payload)).get("transactionId") == tx]
        assert not own[:-1] or own[-2] in passed, "the last before the stop"
        order = [each.entry.head.received_at for each in passed if each in own]
        assert order == sorted(order)
