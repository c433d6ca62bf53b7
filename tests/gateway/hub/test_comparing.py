"""What upstreams say to the same message, put beside each other through whole sessions."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.config_upstream import Forward, Upstream
from gateway.hub import comparing
from gateway.hub.comparing import KEPT_MOST, LOOK_MS, STORE_COUNT, STORE_DIFFERENT_MS, STORE_MS, compare
from gateway.hub.effects import Effects
from gateway.hub.observer import Observer
from gateway.readiness import FIELD, Kind, Record, Records, decode, encode, summaries
from gateway.routes import Route
from tests.gateway.hub.test_intake import Bench

ACCEPTED = {"idTagInfo": {"status": "Accepted"}}
BLOCKED = {"idTagInfo": {"status": "Blocked"}}


class Seen(Observer):
    def __init__(self) -> None:
        self.compared_here: list[tuple[str, str, list[Kind], int | None]] = []
        self.errors: list[Exception] = []

    def compared(self, upstream: str, action: str, kinds: list[Kind], later_ms: int | None) -> None:
        self.compared_here.append((upstream, action, kinds, later_ms))

    def uncompared(self, charger: str, error: Exception) -> None:
        self.errors.append(error)


class Shadowed(Bench):
    """`main`, and shadows."""

    def __init__(self, *shadows: str, stored: bytes = b"", authority: Any = None, **settings: Any) -> None:
        route = Route("main", shadows or ("new",), authority=authority or {})
        super().__init__(route, **settings)
        self.seen = self.session.observer = Seen()
        self.upstreams = {
            name: Upstream(url="ws://x", version="ocpp1.6", shadow=name != "main", **settings.get(name, {}))
            for name in route.upstreams
        }
        self.session.compared = stored
        compare(self.session, route, self.upstreams)

    def record(self, name: str = "new") -> Record:
        assert self.session.comparison is not None
        return self.session.comparison.records.upstreams.get(name, Record())

    def both(self, action: str, one: Any, other: Any) -> None:
        self.say(action)
        self.reply("main", one)
        self.reply("new", other)

    def due(self) -> dict[tuple[str, str], bytes | None]:
        return self.effects.unstored.take(self.now)


def test_nothing_is_there_without_a_shadow() -> None:
    bench = Bench(Route("main", ("other",)))
    settings = {name: Upstream(url="ws://x", version="ocpp1.6") for name in ("main", "other")}
    compare(bench.session, Route("main", ("other",)), settings)
    assert bench.session.comparison is None
    assert [link.watch for link in bench.session.links.values()] == [None, None]


def test_whoever_answers_first_and_what_the_charger_hears() -> None:
    bench = Shadowed()
    bench.both("Authorize", ACCEPTED, BLOCKED)
    bench.say("Authorize")
    bench.reply("new", "InternalError")
    assert len(bench.seen.compared_here) == 1
    bench.now += 300
    bench.reply("main", ACCEPTED)
    assert bench.seen.compared_here == [
        ("new", "Authorize", ["verdict"], 0),
        ("new", "Authorize", ["error"], -300),
    ]
    told = '{"idTagInfo":{"status":"Accepted"}}'
    assert bench.answers() == [(1, told), (2, told)]
    record = bench.record()
    assert (record.compared, record.agreed, record.kinds) == (2, 0, {"verdict": 1, "error": 1})
    assert [(each.kind, each.answer, each.shadow) for each in record.recent] == [
        ("verdict", "Accepted", "Blocked"),
        ("error", "CALLRESULT", "InternalError"),
    ]
    assert bench.session.comparison is not None and not bench.session.comparison._pairs, "nothing stays behind"


def test_two_shadows_are_compared_each_for_itself() -> None:
    bench = Shadowed("new", "newer")
    bench.both("Authorize", ACCEPTED, ACCEPTED)
    bench.reply("newer", BLOCKED)
    assert [each[0] for each in bench.seen.compared_here] == ["new", "newer"]
    assert (bench.record().agreed, bench.record("newer").agreed) == (1, 0)


def test_what_counts_is_the_answer_of_the_authority() -> None:
    bench = Shadowed("new", "judge", authority={"Authorize": "judge"})
    bench.say("Authorize")
    bench.reply("main", ACCEPTED)
    bench.reply("new", BLOCKED)
    bench.reply("judge", BLOCKED)
    assert bench.seen.compared_here == [("new", "Authorize", [], 0)]


def test_silence_counts_once_and_a_later_answer_does_not() -> None:
    bench = Shadowed()
    bench.say("StartTransaction")
    bench.reply("main", {"transactionId": 5, **ACCEPTED})
    bench.now += 20_000
    bench.session.tick(bench.now)
    assert bench.seen.compared_here == [("new", "StartTransaction", ["missing"], None)]
    bench.now += 2_000
    bench.session.tick(bench.now)
    assert bench.told("new") == ["StartTransaction"] * 2, "it is told again all the same"
    bench.reply("new", {"transactionId": 9, **BLOCKED})
    assert len(bench.seen.compared_here) == 1


def test_a_primary_that_is_silent_is_nothing_to_compare_with() -> None:
    bench = Shadowed()
    bench.say("Authorize")
    bench.reply("new", ACCEPTED)
    bench.now += 20_000
    bench.session.tick(bench.now)
    assert bench.seen.compared_here == []
    bench.both("Heartbeat", {}, {})
    assert bench.seen.compared_here == [("new", "Heartbeat", [], 0)]


def test_a_shadow_that_is_away() -> None:
    """What keeps is compared when it was told; what does not has no answer. Nothing is late because it waited here."""
    bench = Shadowed()
    bench.session.disconnected("new", bench.now)
    bench.say("Authorize")
    bench.reply("main", ACCEPTED)
    bench.say("StartTransaction")
    bench.reply("main", {"transactionId": 5, **ACCEPTED})
    bench.now += 3_600_000
    bench.session.connected("new", bench.now)
    bench.reply("new", {"transactionId": 6, **ACCEPTED})
    assert bench.seen.compared_here == [
        ("new", "Authorize", ["missing"], None),
        ("new", "StartTransaction", [], 0),
    ]


def test_what_waits_for_the_other_side_is_bounded() -> None:
    bench = Shadowed()
    bench.session.disconnected("new", bench.now)
    bench.say("StartTransaction")
    bench.reply("main", {"transactionId": 5, **ACCEPTED})
    for _ in range(3 * KEPT_MOST):
        bench.say("Heartbeat")
        bench.reply("main", {})
    assert bench.session.comparison is not None
    assert len(bench.session.comparison._pairs) == KEPT_MOST
    bench.session.connected("new", bench.now)
    bench.reply("new", {"transactionId": 6, **BLOCKED})
    assert bench.seen.compared_here == [("new", "StartTransaction", ["verdict"], 0)], "the heartbeats went first"


def test_what_a_shadow_does_not_get_is_not_compared() -> None:
    bench = Shadowed(new={"forward": Forward(only=("Authorize",))})
    bench.both("Authorize", ACCEPTED, ACCEPTED)
    bench.say("Heartbeat")
    bench.reply("main", {})
    assert bench.session.comparison is not None and not bench.session.comparison._pairs
    assert len(bench.seen.compared_here) == 1


def test_when_it_is_stored() -> None:
    bench = Shadowed()
    assert bench.due() == {}
    bench.both("Heartbeat", {}, {})
    assert not bench.effects.take().shared, "it is no reason for a commit"
    facts = bench.due()
    assert decode(facts[("CP", FIELD)] or b"").upstreams["new"].compared == 1
    [summary] = summaries({"shadow:cp": facts[("", "shadow:cp")] or b""})
    assert summary.charger == "CP" and summary.upstreams["new"].agreed == 1

    bench.both("Heartbeat", {}, {})
    bench.now += STORE_MS - 1
    assert bench.due() == {}, "not that often"
    bench.now += LOOK_MS
    assert bench.due(), "but after a while"
    bench.both("Heartbeat", {}, "InternalError")
    bench.now += STORE_DIFFERENT_MS - 1
    assert bench.due() == {}
    bench.now += LOOK_MS
    assert bench.due(), "sooner, if something differs"
    for _ in range(STORE_COUNT):
        bench.both("Heartbeat", {}, {})
    bench.now += LOOK_MS
    assert bench.due(), "or there is much of it"
    assert not bench.effects.unstored


def test_it_goes_on_with_what_was_stored_and_forgets_upstreams_that_are_gone() -> None:
    old = Records(upstreams={"new": Record(since=1, at=2, compared=30, agreed=30), "gone": Record(compared=1)})
    bench = Shadowed(stored=encode(old))
    bench.both("Heartbeat", {}, {})
    assert (bench.record().compared, bench.record().since) == (31, 1)
    assert bench.session.comparison is not None and set(bench.session.comparison.records.upstreams) == {"new"}


def test_a_shadow_that_becomes_the_primary_is_compared_no_more() -> None:
    bench = Shadowed()
    bench.both("Heartbeat", {}, {})
    compare(bench.session, Route("new", ("main",)), msgspec_upstreams(bench))
    assert all(link.watch is None for link in bench.session.links.values())
    compare(bench.session, Route("main", ("new",)), bench.upstreams)
    bench.both("Heartbeat", {}, {})
    assert bench.record().compared == 2, "and goes on where it was"


def msgspec_upstreams(bench: Shadowed) -> dict[str, Upstream]:
    return {name: msgspec.structs.replace(each, shadow=name == "new") for name, each in bench.upstreams.items()}


def test_a_bug_in_it_costs_the_comparison_and_nothing_else(monkeypatch: Any) -> None:
    bench = Shadowed()

    def broken(*_: Any) -> Any:
        raise RuntimeError("a bug")

    monkeypatch.setattr(comparing, "heard", broken)
    bench.both("Authorize", ACCEPTED, BLOCKED)
    assert bench.answers() == [(1, '{"idTagInfo":{"status":"Accepted"}}')]
    assert len(bench.effects.acks["main"]) == len(bench.effects.acks["new"]) == 1 and not bench.effects.dead
    assert [str(error) for error in bench.seen.errors] == ["a bug"]
    bench.both("Authorize", ACCEPTED, BLOCKED)
    assert len(bench.seen.errors) == 1 and isinstance(bench.effects, Effects)
