"""SENDs of 2.1 chargers: told to whoever is there and speaks that version, and to nobody later."""

from __future__ import annotations

import json

from gateway.hub.link import Link
from gateway.hub.observer import Observer
from gateway.journal.entry import Entry, Head

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
