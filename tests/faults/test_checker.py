"""The checker finds what it is there to find: each way to break a history is noticed by the rule that forbids it."""

# mypy: disable-error-code="func-returns-value"
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

import pytest

from .checker import RULES, check
from .history import (
    Answered,
    Closed,
    Commanded,
    Counters,
    Delivered,
    Fault,
    History,
    Kind,
    Load,
    Opened,
    Ordered,
    Said,
    Sent,
)

Break: TypeAlias = Callable[[History], Any]

MAIN, COPY = "main", "copy"
STORY: list[tuple[Kind, int | None]] = [
    ("boot", None),
    ("status", None),
    ("start", 100),
    ("meter", 110),
    ("meter", 120),
    ("stop", 130),
    ("status", None),
]


def said(charger: str, number: int) -> Said:
    kind, register = STORY[number]
    session = f"{charger}-2" if kind in ("start", "meter", "stop") else ""
    value = {1: "Available", 6: "Occupied"}.get(number, "")
    return Said(charger, kind, f"{charger}-{number}", register, session, value)


def whole() -> History:
    """Two chargers tell their story to two upstreams; nothing is wrong, although the hub was killed at 2."""
    h = History(MAIN, (MAIN, COPY))
    for shift, charger in ((0.0, "CP1"), (0.01, "CP2")):
        h.opened.append(Opened(shift, charger, 1))
        for number in range(len(STORY)):
            at = 1.0 + number + shift
            message, call = said(charger, number), f"id{number}"
            h.sent.append(Sent(at, message, 1, call))
            h.delivered.append(Delivered(at + 0.1, MAIN, message, 1, f"u{number}", answered=True))
            h.answered.append(Answered(at + 0.2, charger, 1, call))
            h.delivered.append(Delivered(at + 0.3, COPY, message, 1, f"u{number}", answered=True))
    h.sent.sort(key=lambda each: each.at)
    h.delivered.sort(key=lambda each: each.at)
    h.answered.sort(key=lambda each: each.at)
    h.ordered.append(Ordered(2.0, MAIN, "CP1", "RemoteStartTransaction", "order1", [(2.1, "result")]))
    h.commanded.append(Commanded(2.05, "CP1", "RemoteStartTransaction", "order1"))
    h.ordered.append(Ordered(2.0, MAIN, "CP2", "GetConfiguration", "order2", [(2.1, "GenericError")]))
    h.faults.append(Fault("kill", "hub", 2.0, 2.5))
    h.counters.append(Counters("edge0", received=12, answered=10, errors=1, refused=1, unanswered=0, open=0))
    h.loads.append(Load("edge0", 100 << 20, 101 << 20, 200, 201))
    h.backlog = {MAIN: 0, COPY: 0}
    return h


def delivery(h: History, upstream: str, charger: str, number: int) -> Delivered:
    return next(x for x in h.delivered if x.upstream == upstream and x.message.key == said(charger, number).key)


def again(h: History, at: float, upstream: str = MAIN, number: int = 4) -> Delivered:
    twice = replace(delivery(h, upstream, "CP1", number), at=at)
    h.delivered.append(twice)
    return twice


def swap(h: History, upstream: str, charger: str, one: int, two: int) -> None:
    a, b = delivery(h, upstream, charger, one), delivery(h, upstream, charger, two)
    a.message, b.message = b.message, a.message


def no_faults(h: History) -> None:
    h.faults.clear()


def test_a_whole_history() -> None:
    assert check(whole()) == []


BROKEN: list[tuple[int, str, Break]] = [
    (1, "never came to main", lambda h: h.delivered.remove(delivery(h, MAIN, "CP1", 3))),
    (1, "never came to copy", lambda h: h.delivered.remove(delivery(h, COPY, "CP2", 5))),
    (1, "meter of CP2-4 was acknowledged and never came to copy", lambda h: thin(h, COPY, 3, 4)),
    (1, "stop of CP2-5 was acknowledged and never came to copy", lambda h: thin(h, COPY, 5)),
    (1, "meter of CP2-3 was acknowledged and never came to main", lambda h: thin(h, MAIN, 3)),
    (1, "never came to copy", lambda h: setattr(delivery(h, COPY, "CP2", 5), "answered", False)),
    (1, "boot of", lambda h: h.delivered.remove(delivery(h, COPY, "CP2", 0))),
    (1, "never came", lambda h: h.letters.add((MAIN, said("CP1", 3).key)) or h.delivered.remove(delivery(h, COPY, "CP1", 3))),
    (2, "nobody said", lambda h: (setattr(h, "modern", frozenset({"CP1"})), connector(h, "other"))),
    (2, "nobody said", lambda h: connector(h, said("CP1", 3).stamp)),
    (1, "status of CP2-1", lambda h: (fold(h), setattr(h, "modern", frozenset({"CP2"})))),
    (6, "2 times", lambda h: (setattr(h.ordered[0], "action", "RequestStartTransaction"), h.commanded.append(h.commanded[0]))),
    (2, "nobody said", lambda h: setattr(delivery(h, MAIN, "CP1", 3), "message", Said("CP1", "meter", "other", 110, "CP1-2"))),
    (2, "111 Wh, not 110", lambda h: alter(h, register=111)),
    (1, "status of CP2-1", lambda h: (fold(h), h.faults.clear())),
    (1, "status of CP2-1", lambda h: (fold(h), setattr(h, "folding", frozenset()))),
    (1, "copy has heard is Available", lambda h: (folding(h), h.delivered.remove(delivery(h, COPY, "CP2", 6)))),
    (1, "the last that copy has heard is nothing", lambda h: (fold(h), h.delivered.remove(delivery(h, COPY, "CP2", 6)))),
    (2, "heard Faulted, not Available", lambda h: alter(h, 1, value="Faulted")),
    (2, "in transaction 'CP2-2'", lambda h: alter(h, session="CP2-2")),
    (2, "in transaction ''", lambda h: alter(h, session="")),
    (3, "after", lambda h: swap(h, MAIN, "CP1", 3, 4)),
    (3, "after", lambda h: swap(h, COPY, "CP2", 1, 2)),
    (3, "after", lambda h: (folding(h), swap(h, COPY, "CP2", 3, 4))),
    (3, "after", lambda h: (folding(h), swap(h, COPY, "CP2", 1, 6))),
    (4, "twice", lambda h: again(h, 30.0)),
    (4, "twice", lambda h: again(h, 8.0, COPY)),
    (4, "twice", lambda h: (no_faults(h), h.faults.append(Fault("cut", "upstream:copy", 5.0, 6.0)), again(h, 6.0))),
    (4, "twice", lambda h: (no_faults(h), h.faults.append(Fault("kill", "edge", 5.0, 6.0)), again(h, 6.0))),
    (5, "did not wait", lambda h: h.answered.append(Answered(9.0, "CP1", 1, "id3"))),
    (5, "did not wait", lambda h: h.answered.append(Answered(9.0, "CP1", 1, "id99", "GenericError"))),
    (5, "connection 2", lambda h: retarget(h, 2)),
    (5, "after its end", lambda h: h.closed.append(Closed(4.05, "CP1", 1, 1006))),
    (6, "2 times", lambda h: h.commanded.append(Commanded(2.5, "CP1", "RemoteStartTransaction", "order1"))),
    (6, "nobody ordered", lambda h: h.commanded.append(Commanded(2.5, "CP2", "Reset", "order1"))),
    (6, "ended 2 times", lambda h: h.ordered[0].outcomes.append((3.0, "GenericError"))),
    (6, "never ended", lambda h: h.ordered[1].outcomes.clear()),
    (6, "took 98 s", lambda h: h.ordered[1].outcomes.__setitem__(0, (100.0, "result"))),
    (7, "accounts for 11", lambda h: h.counters.append(replace(h.counters[0], answered=9))),
    (7, "accounts for 13", lambda h: h.counters.append(replace(h.counters[0], open=1))),
    (7, "-1 open", lambda h: h.counters.append(replace(h.counters[0], open=-1, answered=11))),
    (7, "3 entries", lambda h: h.backlog.update({COPY: 3})),
    (8, "descriptors", lambda h: h.loads.append(replace(h.loads[0], descriptors_after=220))),
    (8, "MiB", lambda h: h.loads.append(replace(h.loads[0], rss_after=160 << 20))),
    (9, "within 15 s", lambda h: ask_in_vain(h, 22.0)),
    (9, "within 45 s", lambda h: (ask_in_vain(h, 22.0), setattr(h, "busy", 3.0))),
    (9, "within 15 s", lambda h: [h.answered.__setitem__(i, replace(x, error="InternalError")) for i, x in enumerate(h.answered)]),
]  # fmt: skip


def alter(h: History, number: int = 3, **changes: Any) -> None:
    heard = delivery(h, COPY, "CP1", number)
    heard.message = replace(heard.message, **changes)


def retarget(h: History, connection: int) -> None:
    number = next(i for i, x in enumerate(h.answered) if x.charger == "CP1" and x.call == "id3")
    h.answered[number] = replace(h.answered[number], connection=connection)


@pytest.mark.parametrize(
    ("number", "words", "harm"), BROKEN, ids=[f"{n}-{w}-{i}" for i, (n, w, _) in enumerate(BROKEN)]
)
def test_a_broken_history(number: int, words: str, harm: Break) -> None:
    h = whole()
    harm(h)
    wrong = check(h)
    assert any(each.startswith(f"({number}) ") and words in each for each in wrong), wrong


def test_each_rule_is_broken_once() -> None:
    assert {number for number, _, _ in BROKEN} == set(range(1, len(RULES) + 1))


ALLOWED: list[tuple[str, Break]] = [
    ("dead letter", lambda h: (h.letters.add((MAIN, said("CP1", 3).key)), h.delivered.remove(delivery(h, MAIN, "CP1", 3)))),
    ("a meter value that was left out of a full store", lambda h: thin(h, COPY, 4)),
    ("synthetic boot", lambda h: h.delivered.append(Delivered(9.0, COPY, Said("CP1", "boot", "", None), 2, "x", answered=True))),
    ("doubled while a hub was dead", lambda h: (no_faults(h), h.faults.append(Fault("kill", "hub", 5.0, 5.5)), again(h, 8.0))),
    ("doubled as the first was not answered", lambda h: again(h, 30.0) and setattr(delivery(h, MAIN, "CP1", 4), "answered", False)),
    ("statuses that come after the transactions", lambda h: (folding(h), swap(h, COPY, "CP2", 5, 6))),
    ("doubled after its CSMS was cut off", lambda h: (h.faults.append(Fault("cut", "upstream:main", 5.2, 5.2)), again(h, 8.0))),
    ("retried after a lost connection", lambda h: retry(h)),
    ("a store that is away twice", lambda h: twice_away(h)),
    ("nobody asks after a fault", lambda h: h.faults.append(Fault("kill", "store", 20.0, 21.0))),
    ("a machine that is busy", lambda h: (setattr(h, "busy", 2.5), late(h, 50.0))),
    ("a process that takes long to start", lambda h: (h.faults.append(Fault("starts", "start", 20.5, 40, seen=True)), late(h, 50.0))),
    ("a status that was over when the upstream came back", lambda h: fold(h)),
    ("the last fault comes when all is said", lambda h: (setattr(h, "until", 30.0), h.faults.append(Fault("kill", "hub", 31, 32)))),
    ("the connector of a 2.0.1 charger, as its transaction tells it", lambda h: modern(h)),
    ("not told accepted, not delivered", lambda h: unanswered(h)),
]  # fmt: skip


def connector(h: History, stamp: str) -> None:
    """A CSMS hears a status of CP1 with this time."""
    h.delivered.append(
        Delivered(9.5, MAIN, Said("CP1", "status", stamp, value="Occupied"), 1, "derived", answered=True)
    )


def modern(h: History) -> None:
    h.modern, h.folding = frozenset({"CP1", "CP2"}), frozenset()
    connector(h, said("CP1", 3).stamp)


def thin(h: History, upstream: str, *numbers: int) -> None:
    """The gateway says that it left out one meter value of CP2 for the mirror."""
    h.thinned = {(COPY, "CP2"): 1}
    for number in numbers:
        h.delivered.remove(delivery(h, upstream, "CP2", number))


def folding(h: History) -> None:
    h.folding = frozenset({COPY})


def fold(h: History) -> None:
    """The mirror speaks another version, and has not heard a status that was over when it came back."""
    folding(h)
    h.delivered.remove(delivery(h, COPY, "CP2", 1))


def retry(h: History) -> None:
    """The answer to the last meter value is lost with the connection; the retry is answered from the store."""
    h.answered = [x for x in h.answered if not (x.charger == "CP1" and x.call in ("id4", "id5", "id6"))]
    h.sent = [x for x in h.sent if not (x.message.charger == "CP1" and x.call in ("id5", "id6"))]
    h.closed.append(Closed(5.1, "CP1", 1, 1006))
    h.opened.append(Opened(5.2, "CP1", 2))
    for at, number in ((5.3, 4), (6.0, 5), (7.0, 6)):
        h.sent.append(Sent(at, said("CP1", number), 2, "id4"))  # ids start anew
        h.answered.append(Answered(at + 0.05, "CP1", 2, "id4"))


def ask_in_vain(h: History, at: float) -> None:
    """After the death of the store."""
    h.faults.append(Fault("kill", "store", 20.0, 21.0))
    h.sent.append(Sent(at, said("CP1", 4), 1, "vain"))


def late(h: History, at: float) -> None:
    ask_in_vain(h, 22.0)
    h.sent.append(Sent(at, said("CP1", 4), 1, "late"))
    h.answered.append(Answered(at + 0.1, "CP1", 1, "late"))


def twice_away(h: History) -> None:
    h.faults += [Fault("stall", "store", 20.0, 25.0), Fault("stall", "store", 30.0, 45.0)]
    h.sent.append(Sent(46.0, said("CP1", 4), 1, "late"))
    h.answered.append(Answered(55.0, "CP1", 1, "late"))


def unanswered(h: History) -> None:
    h.answered = [x for x in h.answered if not (x.charger == "CP1" and x.call == "id5")]
    for upstream in (MAIN, COPY):
        h.delivered.remove(delivery(h, upstream, "CP1", 5))


@pytest.mark.parametrize(("name", "happen"), ALLOWED, ids=[name for name, _ in ALLOWED])
def test_what_is_allowed(name: str, happen: Break) -> None:
    h = whole()
    happen(h)
    assert check(h) == []
