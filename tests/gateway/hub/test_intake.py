"""Filter, throttle, early answers and split authority, through whole sessions."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from msgspec import Raw

from gateway.config_upstream import Forward, Upstream
from gateway.hub.effects import Effects
from gateway.hub.intake import intake, neutral
from gateway.hub.link import Link
from gateway.hub.observer import Observer
from gateway.hub.session import Session
from gateway.journal.entry import Entry, Head
from gateway.routes import Route
from translators.frames import EMPTY, Call, decode
from translators.untouched import Untouched

CLASSES = {"StartTransaction": "K0", "StopTransaction": "K0", "MeterValues": "K0", "Authorize": "K3", "Heartbeat": "K2"}


class Drops(Observer):
    def __init__(self) -> None:
        self.dropped_here: list[tuple[str, str, str]] = []

    def dropped(self, link: Link, entry: Entry, reason: str) -> None:
        self.dropped_here.append((link.name, entry.head.action, reason))


class Bench:
    """`main` and `other` behind one charger."""

    def __init__(self, route: Route, **settings: dict[str, Any]) -> None:
        self.now, ids = 1_000_000, itertools.count(1)
        self.seq = 0
        self.effects, self.drops = Effects(), Drops()
        self.session = Session("CP", self.effects, self.drops)
        for name in route.upstreams:
            upstream = Upstream(url="ws://x", version="ocpp1.6", **settings.get(name, {}))
            link = Link(
                name,
                self.session,
                Untouched(lambda: f"g{next(ids)}"),
                versions=("ocpp1.6", "ocpp1.6"),
                primary=name == route.primary,
                answers=name in route.answerers,
                policy=route.primary_down,
            )
            link.attempts, link.retry_ms = 2, 1000
            link.intake = intake(name, route, upstream)
            self.session.links[name] = link
            self.session.connected(name, self.now)
        self.session.opened("edge", 1, "ocpp1.6", self.now)

    def say(self, action: str, payload: dict[str, Any] | None = None) -> Entry:
        self.seq += 1
        cls: Any = CLASSES.get(action, "K1")
        head = Head("CP", 1, self.seq, "ocpp1.6", "edge", self.now, action, "c", cls, self.now + 25_000, f"d{self.seq}")
        frame = json.dumps([2, "c", action, payload or {}]).encode()
        entry = Entry(f"{self.now}-{self.seq}", "call", head, frame)
        for name in self.session.links:
            self.session.called(name, entry, self.now)
        return entry

    def told(self, name: str) -> list[str]:
        return [json.loads(raw)[2] for link, raw in self.effects.to_upstream if link.name == name]

    def reply(self, name: str, payload: Any) -> None:
        """Answer the last CALL to an upstream; a text is the code of a CALLERROR."""
        id = [json.loads(raw)[1] for link, raw in self.effects.to_upstream if link.name == name][-1]
        frame = [4, id, payload, "", {}] if isinstance(payload, str) else [3, id, payload]
        self.session.from_upstream(name, decode(json.dumps(frame)), self.now)

    def answers(self) -> list[tuple[int, str]]:
        return [
            (item.seq, item.body.decode().replace(" ", ""))
            for _, item in self.effects.to_charger
            if item.kind != "call"
        ]


def test_without_any_of_it_there_is_no_intake() -> None:
    assert intake("main", Route("main", ("other",)), Upstream(url="ws://x", version="ocpp1.6")) is None


def test_what_is_filtered_is_acknowledged_unread_and_counted() -> None:
    bench = Bench(Route("main", ("other",)), other={"forward": Forward(only=("StartTransaction",))})
    entry = bench.say("StatusNotification")
    assert bench.told("main") == ["StatusNotification"] and bench.told("other") == []
    assert bench.effects.acks == {"other": [entry.id]}
    assert bench.drops.dropped_here == [("other", "StatusNotification", "policy")]
    bench.say("StartTransaction")
    assert bench.told("other") == ["StartTransaction"]


METER = {"transactionId": 1, "meterValue": [{"timestamp": "x", "sampledValue": [{"value": "1"}]}]}


def test_throttled_values_wait_for_their_turn_or_the_stop() -> None:
    bench = Bench(Route("main", ("other",)), other={"meter_interval": 60.0})
    for _ in range(4):
        bench.say("MeterValues", METER)
        bench.reply("main", {})
        if len(bench.told("other")) == 1 and not bench.effects.acks.get("other"):
            bench.reply("other", {})
        bench.now += 10_000
    assert bench.told("main") == ["MeterValues"] * 4 and bench.told("other") == ["MeterValues"]
    assert bench.drops.dropped_here == [("other", "MeterValues", "policy")] * 2
    link = bench.session.links["other"]
    assert not link.idle, "one waits"
    assert bench.session.deadline() == 1_060_000
    bench.now = 1_060_000
    bench.session.tick(bench.now)
    assert bench.told("other") == ["MeterValues"] * 2
    bench.reply("other", {})
    assert link.idle
    bench.say("MeterValues", METER)
    bench.say("StopTransaction", {"transactionId": 1})
    bench.reply("other", {})
    assert bench.told("other") == ["MeterValues"] * 3 + ["StopTransaction"]
    bench.reply("other", {})
    assert len(bench.effects.acks["other"]) == 6, "every entry is acknowledged once"


def test_another_link_goes_on_with_what_waits() -> None:
    bench = Bench(Route("main", ("other",)), other={"meter_interval": 60.0})
    entries = [bench.say("MeterValues", METER), bench.say("MeterValues", METER), bench.say("StatusNotification")]
    link = bench.session.links["other"]
    assert [each.entry.id for each in link.hand_over(bench.now)] == [each.id for each in entries]
    assert link.intake is not None and not link.intake.holds


def test_a_throttled_primary_answers_what_it_is_not_told() -> None:
    bench = Bench(Route("main"), main={"meter_interval": 60.0})
    bench.say("MeterValues", METER)
    bench.reply("main", {})
    bench.say("MeterValues", METER)
    assert bench.answers() == [(1, "{}"), (2, "{}")]


def test_who_answers_what() -> None:
    bench = Bench(Route("main", ("other",), authority={"Authorize": "other", "StartTransaction": "other"}))
    bench.say("Authorize", {"idTag": "A"})
    bench.reply("main", {"idTagInfo": {"status": "Blocked"}})
    assert bench.answers() == []
    bench.reply("other", {"idTagInfo": {"status": "Accepted"}})
    assert bench.answers() == [(1, '{"idTagInfo":{"status":"Accepted"}}')]
    bench.say("Heartbeat")
    bench.reply("other", {"currentTime": "other"})
    bench.reply("main", {"currentTime": "main"})
    assert bench.answers()[1:] == [(2, '{"currentTime":"main"}')]
    bench.say("StopTransaction", {"transactionId": 7})
    bench.reply("main", {})
    assert len(bench.answers()) == 2, "it goes with the start"
    bench.reply("other", {})
    assert len(bench.answers()) == 3


def test_any_upstream_that_answers_closes_the_charger_when_it_is_away() -> None:
    bench = Bench(Route("main", ("other", "third"), authority={"Authorize": "other"}))
    bench.session.disconnected("third", bench.now)
    assert bench.session.deadline() == 0
    bench.session.disconnected("other", bench.now)
    assert bench.session.deadline() == bench.now + bench.session.hold_ms
    bench.session.tick(bench.now + bench.session.hold_ms)
    assert [item.kind for _, item in bench.effects.to_charger] == ["close"]


def test_early_answers_come_at_once_and_are_kept_for_a_retry() -> None:
    bench = Bench(Route("main", answers={"must_arrive": "early"}))
    bench.say("StatusNotification")
    assert bench.answers() == [(1, "{}")]
    assert bench.effects.answers == [("CP", "d1", b"{}")]
    assert bench.told("main") == ["StatusNotification"] and not bench.effects.acks
    bench.reply("main", {})
    assert bench.effects.acks and bench.answers() == [(1, "{}")]
    bench.say("DataTransfer", {"vendorId": "x"})
    assert len(bench.answers()) == 1, "a decision is waited for"


def test_what_was_answered_early_and_is_refused_is_tried_again_and_put_aside() -> None:
    bench = Bench(Route("main", answers={"StatusNotification": "early"}))
    bench.say("StatusNotification")
    bench.reply("main", "NotSupported")
    assert not bench.effects.acks and not bench.effects.dead
    bench.now += 1000
    bench.session.tick(bench.now)
    bench.reply("main", "NotSupported")
    assert bench.effects.acks and len(bench.effects.dead) == 1
    assert bench.answers() == [(1, "{}")]


def test_early_while_the_primary_is_away() -> None:
    bench = Bench(Route("main", answers={"must_arrive": "early"}))
    bench.session.disconnected("main", bench.now)
    bench.say("StatusNotification")
    assert bench.answers() == [(1, "{}")] and bench.told("main") == []
    bench.session.connected("main", bench.now)
    assert bench.told("main") == ["StatusNotification"]


@pytest.mark.parametrize(
    ("action", "payload", "answer"),
    [
        ("StatusNotification", b"{}", "{}"),
        ("StopTransaction", b'{"transactionId":1}', "{}"),
        ("StopTransaction", b'{"transactionId":1,"idTag":"A"}', None),
        ("TransactionEvent", b'{"eventType":"Updated"}', "{}"),
        ("TransactionEvent", b'{"eventType":"Updated","idToken":{}}', None),
        ("TransactionEvent", b'{"eventType":"Started"}', None),
        ("TransactionEvent", b'{"eventType":"Ended"}', None),
        ("TransactionEvent", b"[]", None),
        ("Authorize", b"{}", None),
        ("Heartbeat", b"{}", '{"currentTime":"1970-01-01T00:00:01Z"}'),
    ],
)
def test_which_answers_decide_nothing(action: str, payload: bytes, answer: str | None) -> None:
    made = neutral(Call("1", action, Raw(payload)), Untouched.neutral, 1000)
    assert (None if made is None else bytes(made).decode()) == answer
    assert Raw(b"{}") == EMPTY
