"""SENDs of 2.1 chargers: told to whoever is there and speaks that version, and to nobody later."""

from __future__ import annotations

import json

from gateway.hub.link import Link
from gateway.hub.observer import Observer
from gateway.journal.entry import Entry, Head
from translators import Options, translator
from translators.frames import ResultError

from .test_session import Bench

ACTION = "NotifyPeriodicEventStream"


class Heard(Observer):
    """Remembers what was told and what was not."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def passed_on(self, link: Link, action: str) -> None:
        self.seen.append((link.name, action))

    def dropped(self, link: Link, entry: Entry, reason: str) -> None:
        self.seen.append((link.name, reason))


def bench() -> tuple[Bench, Heard]:
    made, heard = Bench("main", "mirror", "old"), Heard()
    made.session.observer = heard
    for link in made.session.links.values():
        link.versions = ("ocpp2.1", "ocpp2.0.1" if link.name == "old" else "ocpp2.1")
    return made, heard


def say(made: Bench, *names: str) -> None:
    made.seq += 1
    head = Head("CP", 1, made.seq, "ocpp2.1", "edge", made.now, ACTION, "s", "K2")
    frame = b'[6,"s","NotifyPeriodicEventStream",{"id":1, "value":1.50}]'
    for name in names:
        made.session.called(name, Entry(f"{made.now}-{made.seq}", "call", head, frame), made.now)


def test_who_is_there_hears_it_while_a_call_is_open() -> None:
    made, heard = bench()
    made.up("main", "mirror", "old")
    made.call("Heartbeat")
    say(made, "main", "mirror", "old")
    assert heard.seen == [("main", ACTION), ("mirror", ACTION), ("old", "policy")]
    (_, call), (_, told), (_, copy) = [(link.name, raw) for link, raw in made.effects.to_upstream]
    assert json.loads(call)[0] == 2
    assert told == copy == b'[6,"%d-2","NotifyPeriodicEventStream",{"id":1, "value":1.50}]' % made.now
    acks = {name: len(ids) for name, ids in made.clear().acks.items()}
    assert acks == {"main": 1, "mirror": 1, "old": 1}
    assert made.charger_items() == []


def test_who_is_away_never_hears_it() -> None:
    made, heard = bench()
    say(made, "main")
    assert heard.seen == [("main", "expired")] and list(made.clear().acks) == ["main"]
    made.up("main")
    assert made.upstream_frames() == []


def made_21() -> Bench:
    made = Bench("main", "mirror")
    for link in made.session.links.values():
        link.versions = ("ocpp2.1", "ocpp2.1")
        link.translator = translator("ocpp2.1", "ocpp2.1", b"", Options(), link.translator._new_id)  # type: ignore[attr-defined]
    made.up("main", "mirror")
    return made


def reject(made: Bench, id: str, *names: str) -> list[tuple[str, object]]:
    made.clear()
    made.seq += 1
    head = Head("CP", 1, made.seq, "ocpp2.1", "edge", made.now, "", id, "K2")
    frame = b'[5,"%b","FormatViolation","no time",{}]' % id.encode()
    for name in names:
        made.session.called(name, Entry(f"{made.now}-{made.seq}", "call", head, frame), made.now)
    return [(link.name, json.loads(raw)) for link, raw in made.effects.to_upstream]


def test_whose_answer_the_charger_cannot_use_hears_so_once() -> None:
    made = made_21()
    made.call("Heartbeat", groups=("main", "mirror"))
    assert reject(made, "c1", "main", "mirror") == [], "it has no answer yet"
    made.csms([3, "g2", {}], "mirror")
    made.csms([3, "g1", {}])
    assert reject(made, "c2", "main", "mirror") == [], "it is of another CALL"
    assert reject(made, "c1", "main", "mirror") == [("main", [5, "g1", "FormatViolation", "no time", {}])]
    assert reject(made, "c1", "main", "mirror") == []


def test_a_charger_whose_answer_a_csms_cannot_use_hears_so_once() -> None:
    made = made_21()
    made.csms([2, "b9", "GetVariables", {}])
    ((_, asked),) = made.clear().to_charger
    wrong = ResultError("b9", "OccurrenceConstraintViolation", "empty")
    made.session.from_upstream("main", wrong, made.now)
    assert made.charger_items() == [], "it has no answer yet"
    made.charger([3, asked.message_id, {}])
    made.clear()
    for name in ("mirror", "main", "main"):
        made.session.from_upstream(name, wrong, made.now)
    (item,) = made.charger_items()
    assert item.kind == "call" and not item.message_id
    assert json.loads(item.body) == [5, asked.message_id, "OccurrenceConstraintViolation", "empty", {}]
