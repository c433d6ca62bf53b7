"""The guard without a socket: what the table of examples does not show."""

from __future__ import annotations

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.edge.guard import Guard
from gateway.edge.jsontext import BOUNDS
from gateway.edge.verdict import Refuse, Take
from translators.frames import Call, decode


def take(guard: Guard, frame: str, now: int = 0) -> Take:
    verdict = guard.read(frame.encode(), now)
    assert isinstance(verdict, Take), verdict
    return verdict


def refuse(guard: Guard, frame: str, now: int = 0) -> Refuse:
    verdict = guard.read(frame.encode(), now)
    assert isinstance(verdict, Refuse), verdict
    return verdict


def test_a_call_is_answered_once_and_only_in_time() -> None:
    guard = Guard("ocpp1.6", 1_000)
    first = take(guard, '[2,"a","Heartbeat",{}]', 100)
    second = take(guard, '[2,"b","Heartbeat",{}]', 200)
    assert (first.seq, first.deadline, second.seq) == (1, 1_100, 2)
    call = guard.answered(1, 1_100)
    assert call is not None
    assert (call.id, call.action, call.received) == (b'"a"', "Heartbeat", 100)
    assert guard.answered(1, 1_100) is None
    assert guard.answered(2, 1_201) is None
    assert [call.id for call in guard.expire(1_201)] == [b'"b"']
    assert guard.idle


def test_an_idle_guard_keeps_no_room() -> None:
    guard, fresh = Guard("ocpp1.6"), sys.getsizeof({})
    for seq in (1, 2, 3):
        take(guard, f'[2,"{seq}","Heartbeat",{{}}]')
    assert sys.getsizeof(guard._open) > fresh
    assert all(guard.answered(seq, 0) for seq in (2, 1, 3)) and guard.idle
    assert sys.getsizeof(guard._open) == fresh


def test_sixteen_open_calls_fill_it_and_deadlines_empty_it() -> None:
    guard = Guard("ocpp1.6", 1_000)
    for number in range(BOUNDS.open):
        assert not guard.full
        take(guard, f'[2,"{number}","Heartbeat",{{}}]', number)
    assert guard.full
    assert guard.oldest_deadline == 1_000
    assert [call.id for call in guard.expire(1_002)] == [b'"0"', b'"1"']
    assert len(guard.abandon()) == BOUNDS.open - 2
    assert guard.oldest_deadline == 0


def test_a_twin_is_only_one_that_is_open_and_has_the_same_bytes() -> None:
    guard = Guard("ocpp1.6")
    frame = '[2,"a","StatusNotification",{"x":1}]'
    first = take(guard, frame)
    assert refuse(guard, frame) == Refuse("R16")
    take(guard, '[2,"a","StatusNotification",{"x": 1}]')
    guard.answered(first.seq, 0)
    assert take(guard, frame).seq == 3


def test_a_charger_that_has_waited_is_heard_again_and_answered_once() -> None:
    """The answer may have been lost on its way to this edge."""
    guard = Guard("ocpp1.6", 10_000)
    frame = '[2,"a","StatusNotification",{"x":1}]'
    first = take(guard, frame, 100)
    assert refuse(guard, frame, 5_099) == Refuse("R16")
    second = take(guard, frame, 5_100)
    assert guard.answered(first.seq, 5_101) is None
    assert guard.answered(second.seq, 5_101) is not None
    assert [call.received for call in guard.expire(5_102)] == [100], "the first counts as unanswered"
    third = take(guard, frame, 6_000)
    assert take(guard, frame, 20_000).seq == third.seq + 1, "nobody waits for an answer beyond its time"


def test_signed_messages_of_2x_pass_untouched() -> None:
    frame = '[2,"a","MeterValues-Signed",{"payload":"e30","signature":"x"}]'
    verdict = take(Guard("ocpp2.0.1"), frame)
    assert (verdict.action, verdict.cls, verdict.frame.decode(), verdict.row) == ("MeterValues-Signed", "K0", frame, "")
    assert refuse(Guard("ocpp1.6"), frame).row == "R22"


def test_answers_belong_to_the_one_call_that_is_open() -> None:
    guard = Guard("ocpp2.0.1")
    guard.asked("m1", "Reset")
    verdict = take(guard, '[3,"m1",{"status":"Accepted"}]')
    assert (verdict.kind, verdict.message_id, verdict.action, verdict.seq) == ("answer", "m1", "Reset", 1)
    assert refuse(guard, '[3,"m1",{}]').row == "R28"
    guard.asked("7", "Reset")
    assert take(guard, "[3,7,null]").frame == b'[3,"7",{}]', "a number echoed for a string is what was meant"
    guard.asked("m1", "Reset")
    assert take(guard, '[3,"m1",null]').frame == b'[3,"m1",{}]'
    guard.asked("m2", "Reset")
    assert take(guard, '[4,"m2",null,7,"text"]').frame == b'[4,"m2","GenericError","",{}]'


@pytest.mark.parametrize("version", ["ocpp1.5", "ocpp1.6", "ocpp2.0.1", "ocpp2.1"])
def test_every_version_has_its_table(version: str) -> None:
    assert take(Guard(version), '[2,"a","BootNotification",{}]').cls == "K1"
    assert refuse(Guard(version), '[2,"a","Reset",{}]').row == "R24"


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10)
pieces = st.sampled_from(
    ["[", "]", "{", "}", ",", ":", "2", "3", "4", '"a"', '"Heartbeat"', "{}", "null", "\\", '"', "\x00", "\ufeff", " "]
)


@given(st.lists(values, max_size=6), st.sampled_from(["ocpp1.6", "ocpp2.0.1"]))
def test_what_is_taken_from_any_json_can_be_read_by_the_hub(parts: list[object], version: str) -> None:
    for head in ([], [2], [2, "i", "Heartbeat"], [2, "i"], [3], [4]):
        _judge(version, json.dumps(head + parts, ensure_ascii=False).encode("utf-8", "replace"))


@given(st.lists(pieces, max_size=40), st.sampled_from(["ocpp1.6", "ocpp2.0.1"]))
def test_no_text_makes_it_raise(parts: list[str], version: str) -> None:
    _judge(version, "".join(parts).encode())


def _judge(version: str, data: bytes) -> None:
    guard = Guard(version)
    guard.asked("a")
    verdict = guard.read(data, 0)
    if isinstance(verdict, Take):
        frame = decode(verdict.frame)
        assert frame.id == verdict.message_id
        if verdict.kind == "call":
            assert isinstance(frame, Call)
            assert frame.action == verdict.action
            assert bytes(frame.payload) == verdict.payload
    elif verdict.reply:
        reply = json.loads(verdict.reply)
        assert reply[0] == 4
        assert len(reply) == 5
