"""Sessions and links without a loop: charger and CSMS of the same version, so that what passes is easy to read."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from gateway.hub.effects import Effects
from gateway.hub.link import Link
from gateway.hub.observer import Observer
from gateway.hub.session import HOLD_MS, Session
from gateway.journal.entry import Entry, Head, ToCharger
from translators.frames import decode
from translators.untouched import Untouched

CLASSES = {"Heartbeat": "K2", "Authorize": "K3", "StartTransaction": "K0", "MeterValues": "K0", "StopTransaction": "K0"}


class Bench:
    """A charger (epoch 1) and named upstreams around one session; `now` moves by hand."""

    def __init__(self, *names: str, policy: Any = "close", gate_open: bool = True) -> None:
        self.now = 1_000_000
        self.seq = 0
        self.effects = Effects()
        self.session = Session("CP", self.effects, Observer())
        ids = itertools.count(1)
        for name in names or ("main",):
            primary = not self.session.links
            self.session.links[name] = Link(
                name,
                self.session,
                Untouched(lambda: f"g{next(ids)}"),
                versions=("ocpp1.6", "ocpp1.6"),
                primary=primary,
                policy=policy,
                may_command=primary,
            )
        self.session.opened("edge", 1, "ocpp1.6", self.now, gate_open=gate_open)

    def up(self, *names: str) -> None:
        for name in names or ("main",):
            self.session.connected(name, self.now)

    def call(self, action: str, payload: Any = None, *, groups: tuple[str, ...] = ("main",), dedup: str = "d") -> Entry:
        self.seq += 1
        head = Head(
            "CP",
            1,
            self.seq,
            "ocpp1.6",
            "edge",
            self.now,
            action,
            f"c{self.seq}",
            CLASSES.get(action, "K1"),  # type: ignore[arg-type]
            self.now + 25_000,
            dedup,
        )
        frame = json.dumps([2, f"c{self.seq}", action, payload or {}]).encode()
        entry = Entry(f"{self.now}-{self.seq}", "call", head, frame)
        for group in groups:
            self.session.called(group, entry, self.now)
        return entry

    def csms(self, frame: list[Any], name: str = "main") -> None:
        self.session.from_upstream(name, decode(json.dumps(frame)), self.now)

    def charger(self, frame: list[Any], epoch: int = 1) -> None:
        head = Head("CP", epoch, 99, "ocpp1.6", "edge", self.now)
        self.session.answered(Entry("1-1", "answer", head, json.dumps(frame).encode()), self.now)

    def upstream_frames(self, name: str = "main") -> list[Any]:
        return [json.loads(raw) for link, raw in self.effects.to_upstream if link.name == name]

    def charger_items(self) -> list[ToCharger]:
        return [item for _, item in self.effects.to_charger]

    def clear(self) -> Effects:
        return self.effects.take()


def test_a_call_crosses_under_an_id_of_our_own_and_comes_back_to_its_sequence_number() -> None:
    bench = Bench()
    bench.up()
    entry = bench.call("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Available"})
    assert bench.upstream_frames() == [
        [2, "g1", "StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Available"}]
    ]
    assert not bench.effects.acks, "nothing is acknowledged before the upstream has answered"
    bench.csms([3, "g1", {}])
    effects = bench.clear()
    assert effects.to_charger == [("edge", ToCharger("CP", 1, "answer", b"{}", entry.head.seq))]
    assert effects.acks == {"main": [entry.id]}
    assert effects.answers == [("CP", "d", b"{}")]


def test_payload_bytes_are_untouched() -> None:
    bench = Bench()
    bench.up()
    raw = b'[2,"c1","MeterValues",{ "connectorId" : 1, "meterValue":[{"timestamp":"x","sampledValue":[{"value":"1.10"}]}]}]'
    head = Head("CP", 1, 1, "ocpp1.6", "edge", bench.now, "MeterValues", "c1", "K0")
    bench.session.called("main", Entry("5-1", "call", head, raw), bench.now)
    ((_, sent),) = bench.effects.to_upstream
    assert sent == raw.replace(b'"c1"', b'"g1"')


def test_callerror_is_relayed_and_never_stored() -> None:
    bench = Bench()
    bench.up()
    entry = bench.call("StartTransaction")
    bench.csms([4, "g1", "InternalError", "db down", {}])
    effects = bench.clear()
    assert [item.kind for _, item in effects.to_charger] == ["error"]
    assert effects.to_charger[0][1].body == b'"InternalError","db down",{}'
    assert effects.acks == {"main": [entry.id]} and not effects.answers


def test_calls_wait_for_each_other_and_keep_their_order() -> None:
    bench = Bench()
    bench.up()
    bench.call("MeterValues", {"n": 1})
    bench.call("MeterValues", {"n": 2})
    assert len(bench.upstream_frames()) == 1
    bench.csms([3, "g1", {}])
    assert [frame[3] for frame in bench.upstream_frames()] == [{"n": 1}, {"n": 2}]


def test_answer_of_a_mirror_goes_nowhere_and_its_calls_are_refused() -> None:
    bench = Bench("main", "copy")
    bench.up("main", "copy")
    entry = bench.call("StatusNotification", groups=("main", "copy"))
    bench.csms([3, "g2", {}], "copy")
    effects = bench.clear()
    assert not effects.to_charger and not effects.answers
    assert effects.acks == {"copy": [entry.id]}
    bench.csms([2, "x1", "Reset", {"type": "Hard"}], "copy")
    assert bench.upstream_frames("copy")[-1] == [3, "x1", {"status": "Rejected"}]
    assert not bench.charger_items()


def test_command_goes_to_the_charger_and_its_answer_back() -> None:
    bench = Bench()
    bench.up()
    bench.csms([2, "s1", "Reset", {"type": "Hard"}])
    (item,) = bench.charger_items()
    assert (item.kind, item.message_id, json.loads(item.body)) == ("call", "g1", [2, "g1", "Reset", {"type": "Hard"}])
    bench.csms([2, "s2", "ClearCache", {}])
    assert len(bench.charger_items()) == 1, "one open CALL towards the charger"
    bench.charger([3, "g1", {"status": "Accepted"}])
    assert bench.upstream_frames() == [[3, "s1", {"status": "Accepted"}]]
    assert len(bench.charger_items()) == 2


@pytest.mark.parametrize("frame", [[3, "nobody", {}], [4, "nobody", "GenericError", "", {}], [2, "g1", "Boot", {}]])
def test_unmatched_answers_of_the_charger_are_dropped(frame: list[Any]) -> None:
    bench = Bench()
    bench.up()
    bench.csms([2, "s1", "Reset", {"type": "Hard"}])
    bench.clear()
    bench.charger(frame)
    assert not bench.upstream_frames()


def test_answer_on_an_older_connection_is_dropped() -> None:
    bench = Bench()
    bench.up()
    bench.csms([2, "s1", "Reset", {"type": "Hard"}])
    bench.session.opened("edge", 2, "ocpp1.6", bench.now)
    bench.clear()
    bench.charger([3, "g1", {"status": "Accepted"}], epoch=1)
    assert not bench.upstream_frames()


def test_charger_that_never_answers() -> None:
    bench = Bench()
    bench.up()
    bench.csms([2, "s1", "Reset", {"type": "Hard"}])
    bench.now = bench.session.deadline()
    bench.session.tick(bench.now)
    assert bench.upstream_frames() == [[4, "s1", "GenericError", "outcome unknown: the charger did not answer", {}]]


def test_command_for_an_absent_charger_fails_at_once() -> None:
    bench = Bench()
    bench.up()
    bench.session.closed(1, bench.now)
    bench.csms([2, "s1", "Reset", {"type": "Hard"}])
    assert bench.upstream_frames() == [[4, "s1", "GenericError", "charger offline", {}]]


def test_commands_for_an_absent_charger_wait_if_they_may() -> None:
    """`charger.offline_commands: queue`: for the time that the charger would have had for its answer."""
    bench = Bench()
    bench.session.patient = True
    bench.up()
    bench.session.closed(1, bench.now)
    bench.csms([2, "s1", "Reset", {"type": "Hard"}])
    bench.csms([2, "s2", "ClearCache", {}])
    assert not bench.upstream_frames() and not bench.session.idle
    bench.now = bench.session.deadline() - 1
    bench.session.tick(bench.now)
    bench.session.opened("edge", 2, "ocpp1.6", bench.now, gate_open=True)
    (item,) = [each for each in bench.charger_items() if each.kind == "call"]
    assert json.loads(item.body)[2] == "Reset"
    bench.charger([3, item.message_id, {"status": "Accepted"}], epoch=2)
    assert bench.upstream_frames() == [[3, "s1", {"status": "Accepted"}]]
    bench.clear()
    bench.session.closed(2, bench.now)
    bench.csms([2, "s3", "ClearCache", {}])
    for _ in range(2):
        bench.now = bench.session.deadline()
        bench.session.tick(bench.now)
    assert {frame[1]: frame[3] for frame in bench.upstream_frames() if frame[0] == 4}["s3"] == "charger offline"
    assert bench.session.idle


def test_commands_of_a_lost_connection_end_by_their_class() -> None:
    """Reliability 5.7: what was not written goes to the next connection, so does what is harmless twice; of the rest
    nobody knows what became."""
    bench = Bench()
    bench.up()
    bench.csms([2, "s1", "Reset", {"type": "Hard"}])
    bench.csms([2, "s2", "ClearCache", {}])
    bench.csms([2, "s3", "UnlockConnector", {"connectorId": 1}])
    bench.session.closed(1, bench.now)
    assert bench.upstream_frames() == [[4, "s1", "GenericError", "outcome unknown: the charger did not answer", {}]]
    bench.clear()
    bench.session.opened("other", 2, "ocpp1.6", bench.now, gate_open=True)
    (item,) = bench.charger_items()
    assert (item.epoch, json.loads(item.body)[2]) == (2, "ClearCache")
    bench.clear()
    bench.session.opened("edge", 3, "ocpp1.6", bench.now, gate_open=True)
    again = [each for each in bench.charger_items() if each.kind == "call"]
    assert [(each.epoch, each.message_id) for each in again] == [(3, item.message_id)]
    bench.charger([3, item.message_id, {"status": "Accepted"}], epoch=2)
    assert not bench.upstream_frames(), "an answer on another connection than the newest counts for nothing"
    bench.charger([3, item.message_id, {"status": "Accepted"}], epoch=3)
    assert bench.upstream_frames() == [[3, "s2", {"status": "Accepted"}]]
    assert [json.loads(each.body)[2] for each in bench.charger_items() if each.kind == "call"][-1] == "UnlockConnector"


def test_commands_wait_for_an_absent_charger_until_their_time_is_over() -> None:
    bench = Bench()
    bench.up()
    bench.csms([2, "s1", "ClearCache", {}])
    bench.csms([2, "s2", "Reset", {"type": "Hard"}])
    bench.session.closed(1, bench.now)
    assert not bench.upstream_frames() and not bench.session.idle
    bench.now = bench.session.deadline()
    bench.session.tick(bench.now)
    assert bench.upstream_frames() == [[4, id, "GenericError", "charger offline", {}] for id in ("s1", "s2")]
    assert not bench.session.deadline() and bench.session.idle


def test_queue_towards_the_charger_is_bounded() -> None:
    bench = Bench()
    bench.up()
    for number in range(50):
        bench.csms([2, f"s{number}", "ClearCache", {}])
    refused = bench.upstream_frames()
    assert {(frame[2], frame[3]) for frame in refused} == {("InternalError", "queue full")}
    assert len(refused) == 50 - 33, "one open and 32 that wait"


def test_boot_gate_holds_commands_until_the_boot_is_answered() -> None:
    bench = Bench(gate_open=False)
    bench.up()
    bench.csms([2, "s1", "Reset", {"type": "Hard"}])
    assert not bench.charger_items()
    bench.call("BootNotification")
    bench.csms([3, bench.upstream_frames()[-1][1], {"status": "Accepted"}])
    assert [item.kind for item in bench.charger_items()] == ["answer", "call"]


def test_boot_gate_opens_after_its_grace() -> None:
    bench = Bench(gate_open=False)
    bench.up()
    bench.csms([2, "s1", "Reset", {"type": "Hard"}])
    bench.now = bench.session.deadline()
    bench.session.tick(bench.now)
    assert [item.kind for item in bench.charger_items()] == ["call"]


def test_billing_message_without_answer_is_acknowledged_and_sent_again() -> None:
    bench = Bench()
    bench.up()
    entry = bench.call("MeterValues")
    bench.now = bench.session.deadline()
    bench.session.tick(bench.now)
    (item,) = bench.charger_items()
    assert (item.kind, item.body) == ("answer", b"{}")
    assert not bench.effects.acks, "the upstream does not have it"
    bench.now = bench.session.deadline()
    bench.session.tick(bench.now)
    assert [frame[1] for frame in bench.upstream_frames()] == ["g1", "g2"], "never the same message id twice"
    bench.csms([3, "g2", {}])
    assert bench.effects.acks == {"main": [entry.id]}
    assert len(bench.charger_items()) == 1


def test_start_without_answer_stays_unanswered_and_its_retry_gets_the_answer() -> None:
    bench = Bench()
    bench.up()
    entry = bench.call("StartTransaction")
    bench.now = bench.session.deadline()
    bench.session.tick(bench.now)
    assert not bench.charger_items()
    head = Head("CP", 1, 7, "ocpp1.6", "edge", bench.now, "StartTransaction", "c7", "K0", 0, "d", entry.id)
    bench.session.repeated(Entry("9-9", "repeat", head, entry.frame), bench.now)
    bench.csms([3, bench.upstream_frames()[-1][1], {"transactionId": 5}])
    (item,) = bench.charger_items()
    assert item.seq == 7
    assert bench.effects.acks == {"main": [entry.id]}


def test_a_retry_that_comes_while_the_answer_is_being_stored_is_answered_and_not_told_again() -> None:
    bench = Bench()
    bench.up()
    entry = bench.call("StartTransaction")
    bench.csms([3, bench.upstream_frames()[-1][1], {"transactionId": 5}])
    assert [item.seq for item in bench.charger_items()] == [1]
    head = Head("CP", 1, 7, "ocpp1.6", "edge", bench.now, "StartTransaction", "c7", "K0", 0, "d", entry.id)
    bench.session.repeated(Entry("9-9", "repeat", head, entry.frame), bench.now)
    assert len(bench.upstream_frames()) == 1
    assert [(item.seq, item.body) for item in bench.charger_items()] == [
        (1, b'{"transactionId": 5}'),
        (7, b'{"transactionId": 5}'),
    ]


def test_what_a_mirror_refuses_is_told_again_and_then_put_aside() -> None:
    """Nobody else would: the charger has the primary's answer."""
    bench = Bench("main", "copy")
    bench.up("main", "copy")
    entry = bench.call("MeterValues", groups=("main", "copy"))
    bench.csms([3, bench.upstream_frames("main")[0][1], {}])
    for attempt in range(8):
        frames = bench.upstream_frames("copy")
        assert len(frames) == attempt + 1
        bench.csms([4, frames[-1][1], "InternalError", "not today", {}], "copy")
        if due := bench.session.deadline():
            bench.now = due
            bench.session.tick(bench.now)
    assert [(dead.upstream, dead.entry.id) for dead in bench.effects.dead] == [("copy", entry.id)]
    assert bench.effects.acks == {"main": [entry.id], "copy": [entry.id]}


def test_message_that_no_delivery_gets_through_becomes_a_dead_letter() -> None:
    bench = Bench()
    bench.up()
    entry = bench.call("MeterValues")
    for _ in range(20):
        if due := bench.session.deadline():
            bench.now = due
            bench.session.tick(bench.now)
    assert [(dead.upstream, dead.entry.id) for dead in bench.effects.dead] == [("main", entry.id)]
    assert bench.effects.acks == {"main": [entry.id]}
    assert len(bench.upstream_frames()) == 5


def test_live_question_is_not_asked_after_its_deadline() -> None:
    bench = Bench()
    entry = bench.call("Authorize")
    bench.now += 25_001
    bench.up()
    assert not bench.upstream_frames()
    assert bench.effects.acks == {"main": [entry.id]}


def test_upstream_lost_in_the_middle_gets_the_message_again() -> None:
    bench = Bench()
    bench.up()
    entry = bench.call("MeterValues")
    bench.session.disconnected("main", bench.now)
    assert not bench.effects.acks and not bench.charger_items()
    bench.up()
    assert [frame[1] for frame in bench.upstream_frames()] == ["g1", "g2"]
    bench.csms([3, "g2", {}])
    assert bench.effects.acks == {"main": [entry.id]}


def test_a_message_at_which_the_upstream_always_hangs_up_is_put_aside() -> None:
    bench = Bench()
    link = bench.session.links["main"]
    entry = bench.call("MeterValues")
    for number in range(link.attempts):
        assert not bench.effects.dead
        bench.now += number * link.retry_ms
        bench.up()
        bench.session.disconnected("main", bench.now, hung_up=True)
    (letter,) = bench.effects.dead
    assert (letter.entry.id, letter.why, letter.attempts) == (entry.id, "hang-up", link.attempts)
    assert bench.effects.acks == {"main": [entry.id]}
    assert not link.backlog


def test_an_outage_is_no_message_s_fault() -> None:
    """The upstream hangs up and cannot be reached, again and again; or it is the gateway that closes the socket."""
    bench = Bench()
    link = bench.session.links["main"]
    bench.call("MeterValues")
    for _ in range(3 * link.attempts):
        bench.up()
        bench.session.disconnected("main", bench.now, hung_up=True)
        bench.session.disconnected("main", bench.now)
    for _ in range(3 * link.attempts):
        bench.up()
        bench.session.disconnected("main", bench.now)
    assert not bench.effects.dead and len(link.backlog) == 1
    assert len(bench.upstream_frames()) == 6 * link.attempts


def test_primary_away_for_too_long_closes_the_charger() -> None:
    bench = Bench()
    bench.up()
    bench.session.disconnected("main", bench.now)
    bench.session.tick(bench.now + HOLD_MS - 1)
    assert not bench.charger_items()
    bench.session.tick(bench.now + HOLD_MS)
    (item,) = bench.charger_items()
    assert (item.kind, item.code) == ("close", 1001)


def test_buffer_policy_answers_what_needs_no_decision() -> None:
    bench = Bench(policy="buffer")
    bench.up()
    bench.session.disconnected("main", bench.now)
    status = bench.call("StatusNotification", {"n": 1})
    bench.call("StartTransaction")
    (item,) = bench.charger_items()
    assert (item.kind, item.seq) == ("answer", status.head.seq)
    bench.session.tick(bench.now + 10 * HOLD_MS)
    assert len(bench.charger_items()) == 1, "never closed"


def test_answer_to_a_command_of_a_lost_socket_is_not_sent_on_the_new_one() -> None:
    bench = Bench()
    bench.up()
    bench.csms([2, "s1", "Reset", {"type": "Hard"}])
    bench.session.disconnected("main", bench.now)
    bench.up()
    bench.charger([3, "g1", {"status": "Accepted"}])
    assert not bench.upstream_frames()


def test_newer_connection_wins_and_the_older_edge_is_told() -> None:
    bench = Bench()
    bench.session.opened("other", 2, "ocpp1.6", bench.now)
    assert bench.effects.to_charger == [("edge", ToCharger("CP", 1, "close", b"superseded", code=1008))]
    bench.session.opened("edge", 1, "ocpp1.6", bench.now)
    assert bench.session.edge == "other", "an older epoch changes nothing"
    bench.session.closed(1, bench.now)
    assert bench.session.edge == "other"


def test_csms_with_one_slot_for_both_directions_is_asked_again() -> None:
    bench = Bench()
    bench.up()
    entry = bench.call("MeterValues")
    bench.csms([4, "g1", "RpcFrameworkError", "Call already in progress", {}])
    assert not bench.effects.acks
    bench.now = bench.session.deadline()
    bench.session.tick(bench.now)
    bench.csms([3, "g2", {}])
    assert bench.effects.acks == {"main": [entry.id]}


def test_idle_only_when_everything_is_told() -> None:
    bench = Bench()
    bench.call("MeterValues")
    bench.session.closed(1, bench.now)
    assert not bench.session.idle
    bench.up()
    bench.csms([3, "g1", {}])
    assert bench.session.idle


def test_a_new_owner_sends_no_command_before_the_boot_that_was_open_is_answered() -> None:
    bench = Bench()
    bench.session.opened("edge", 2, "ocpp1.6", bench.now, gate_open=True)
    head = Head("CP", 2, 1, "ocpp1.6", "edge", bench.now, "BootNotification", "c1", "K1", 0)
    entry = Entry("9-9", "call", head, b'[2,"c1","BootNotification",{}]')
    bench.session.called("main", entry, bench.now)
    bench.up()
    bench.csms([2, "x", "Reset", {"type": "Soft"}])
    assert not bench.charger_items()
    bench.csms([3, bench.upstream_frames()[0][1], {"status": "Accepted"}])
    assert [item.kind for item in bench.charger_items()] == ["answer", "call"]
