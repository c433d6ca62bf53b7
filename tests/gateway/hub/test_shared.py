"""What every upstream of a charger needs to know, without a loop: the charger's transaction numbers, boot and statuses."""

from __future__ import annotations

import itertools
import json
from typing import Any

import msgspec
import pytest

from gateway.hub import shared
from gateway.hub.effects import Effects
from gateway.hub.link import Link
from gateway.hub.observer import Observer
from gateway.hub.session import Session
from gateway.journal.entry import Entry, Head
from translators import Options, translator
from translators.frames import decode

START = {"connectorId": 1, "idTag": "TAG", "meterStart": 100, "timestamp": "2026-01-01T00:00:00Z"}
ACCEPTED = {"status": "Accepted"}
OPTIONS = Options(post_boot=False, offline_unknown_id="Accepted")


class Bench:
    """A charger and its upstreams, by name with their versions, the primary first. `crash` begins again from what was stored."""

    def __init__(self, charger: str = "ocpp1.6", policy: Any = "close", **versions: str) -> None:
        self.charger = charger
        self.policy = policy
        self.versions = versions
        self.now = 1_760_000_000_000
        self.seq = 0
        self.stored: dict[str, bytes] = {}
        self.ids = itertools.count(1)
        self.crash()

    def crash(self) -> None:
        """A new owner: what was not acknowledged is to be fed again by the test."""
        self.effects = Effects()
        self.session = Session("CP", self.effects, Observer())
        self.session.shared = shared.decode(self.stored.get(shared.FIELD, b""))
        self.session.version = self.charger
        for name, version in self.versions.items():
            primary = not self.session.links
            role: Any = "only" if len(self.versions) == 1 else "primary" if primary else "mirror"
            state = self.stored.get(name, b"")
            made = translator(self.charger, version, state, OPTIONS, lambda: f"g{next(self.ids)}", role)
            if not state:
                made.assume(True, 2)
            self.session.links[name] = Link(
                name, self.session, made, versions=(self.charger, version), primary=primary,
                policy=self.policy, may_command=primary,
            )  # fmt: skip
        self.session.opened("edge", 1, self.charger, self.now, gate_open=True)

    def up(self, *names: str) -> None:
        for name in names:
            self.session.connected(name, self.now)

    def call(self, action: str, payload: Any, *groups: str, tx: int = 0) -> Entry:
        self.now += 1000
        self.seq += 1
        cls: Any = "K0" if action in ("StartTransaction", "MeterValues", "StopTransaction") else "K1"
        head = Head(
            "CP", 1, self.seq, self.charger, "edge", self.now, action, f"c{self.seq}", cls, dedup=f"d{self.seq}"
        )
        entry = Entry(f"{self.now}-0", "call", head, json.dumps([2, f"c{self.seq}", action, payload]).encode(), tx)
        self.feed(entry, *(groups or self.versions))
        return entry

    def feed(self, entry: Entry, *groups: str) -> None:
        for group in groups:
            self.session.called(group, entry, self.now)

    def feed_all(self, entries: list[Entry], group: str) -> None:
        for entry in entries:
            self.feed(entry, group)

    def sent(self, name: str) -> list[Any]:
        """CALLs that left for an upstream since the last look, with what the commit before them has stored."""
        self.commit()
        sent = [json.loads(raw) for link, raw in self.out if link.name == name]
        self.out = [(link, raw) for link, raw in self.out if link.name != name]
        return sent

    out: list[tuple[Link, bytes]] = []  # noqa: RUF012  replaced, never changed

    def commit(self) -> Effects:
        effects = self.effects.take()
        for link in effects.links:
            self.stored[link.name] = link.translator.state()
        for one in effects.shared.values():
            self.stored[shared.FIELD] = shared.encode(one)
        self.out = [*self.out, *effects.to_upstream]
        self.told = [json.loads(item.body) for _, item in effects.to_charger if item.kind == "answer"] or self.told
        return effects

    told: list[Any] = []  # noqa: RUF012
    """Answers that the charger got last."""

    def answer(self, name: str, payload: Any) -> Any:
        """Answer the last CALL that left for an upstream; gives its payload."""
        _, id, _, asked = self.sent(name)[-1]
        self.session.from_upstream(name, decode(json.dumps([3, id, payload])), self.now)
        self.commit()
        return asked

    def start(self, name: str, number: int) -> None:
        self.answer(name, {"transactionId": number, "idTagInfo": ACCEPTED})

    @property
    def known(self) -> shared.Shared:
        return shared.decode(self.stored[shared.FIELD])


def meter(number: int) -> dict[str, Any]:
    return {
        "connectorId": 1,
        "transactionId": number,
        "meterValue": [{"timestamp": "2026-01-01T00:00:10Z", "sampledValue": [{"value": "1.10"}]}],
    }


def stop(number: int) -> dict[str, Any]:
    return {"transactionId": number, "meterStop": 900, "timestamp": "2026-01-01T00:10:00Z"}


@pytest.mark.parametrize("first", ["main", "copy"])
@pytest.mark.parametrize("crash", [False, True])
def test_each_sees_its_own_number_whoever_is_first(first: str, crash: bool) -> None:
    bench = Bench(main="ocpp1.6", copy="ocpp1.6")
    bench.up("main", "copy")
    bench.call("StartTransaction", START, tx=900)
    for name in (first, "copy" if first == "main" else "main"):
        bench.start(name, {"main": 41, "copy": 1001}[name])
    assert bench.told == [{"transactionId": 41, "idTagInfo": ACCEPTED}]
    if crash:
        bench.crash()
        bench.up("main", "copy")
    bench.call("MeterValues", meter(41))
    assert bench.answer("main", {}) == meter(41)
    assert bench.answer("copy", {}) == meter(1001)
    bench.call("StopTransaction", stop(41))
    assert bench.answer("main", {}) == stop(41)
    assert bench.answer("copy", {}) == stop(1001)
    assert bench.known.open == []


def test_a_mirror_that_was_down_at_the_start_and_a_new_owner_in_between() -> None:
    bench = Bench(main="ocpp1.6", copy="ocpp1.6")
    bench.up("main")
    entries = [bench.call("StartTransaction", START, tx=900)]
    bench.start("main", 41)
    entries.append(bench.call("MeterValues", meter(41)))
    bench.answer("main", {})
    entries.append(bench.call("StopTransaction", stop(41)))
    bench.answer("main", {})
    bench.crash()
    for entry in entries:  # pending in the mirror's group
        bench.feed(entry, "copy")
    bench.up("main", "copy")
    bench.start("copy", 1001)
    assert bench.answer("copy", {}) == meter(1001)
    assert bench.answer("copy", {}) == stop(1001)


def test_a_primary_of_another_version_gives_the_minted_number() -> None:
    bench = Bench(main="ocpp2.0.1", copy="ocpp1.6")
    bench.up("main", "copy")
    bench.call("StartTransaction", START, tx=900)
    bench.start("copy", 1001)
    bench.answer("main", {"idTokenInfo": ACCEPTED})
    assert bench.told == [{"transactionId": 900, "idTagInfo": ACCEPTED}]
    bench.call("StopTransaction", stop(900))
    assert bench.answer("copy", {}) == stop(1001)


@pytest.mark.parametrize("first", ["main", "copy"])
@pytest.mark.parametrize("crash", [False, True])
def test_a_mirror_of_another_version_knows_the_primarys_number(first: str, crash: bool) -> None:
    bench = Bench(main="ocpp1.6", copy="ocpp2.0.1")
    bench.up("main", "copy")
    entry = bench.call("StartTransaction", START, tx=900)
    if first == "main":
        bench.start("main", 41)
        if crash:  # before the mirror has answered
            bench.crash()
            bench.up("main", "copy")
            bench.feed(entry, "copy")
    started = bench.answer("copy", {"idTokenInfo": ACCEPTED})
    if first == "copy":
        bench.start("main", 41)
    uuid = started["transactionInfo"]["transactionId"]
    bench.call("StopTransaction", stop(41))
    ended = bench.answer("copy", {})
    assert (ended["eventType"], ended["transactionInfo"]["transactionId"]) == ("Ended", uuid)
    assert not msgspec.msgpack.decode(bench.stored["copy"]).get("given"), "nothing is left behind"


@pytest.mark.parametrize("first", ["main", "copy"])
def test_a_charger_of_1_5_with_two_of_1_6(first: str) -> None:
    bench = Bench("ocpp1.5", main="ocpp1.6", copy="ocpp1.6")
    bench.up("main", "copy")
    bench.call("StartTransaction", START, tx=900)
    for name in (first, "copy" if first == "main" else "main"):
        bench.start(name, {"main": 41, "copy": 1001}[name])
    assert bench.told[0]["transactionId"] == 41
    bench.call("StopTransaction", stop(41))
    assert bench.answer("main", {})["transactionId"] == 41
    assert bench.answer("copy", {})["transactionId"] == 1001


@pytest.mark.parametrize("crash", [False, True])
def test_a_primary_that_is_away_leaves_the_minted_number(crash: bool) -> None:
    bench = Bench(policy="buffer", main="ocpp1.6", copy="ocpp1.6")
    bench.up("copy")
    bench.session.disconnected("main", bench.now)
    started = bench.call("StartTransaction", START, tx=900)
    bench.start("copy", 1001)
    assert bench.told == [{"transactionId": 900, "idTagInfo": ACCEPTED}]
    metered = bench.call("MeterValues", meter(900))
    assert bench.answer("copy", {}) == meter(1001)
    if crash:
        bench.crash()
        bench.feed(started, "main")
        bench.feed(metered, "main")
        bench.up("copy")
    bench.told = []
    bench.up("main")
    bench.start("main", 41)
    assert bench.answer("main", {}) == meter(41)
    assert bench.told == [], "it was answered before"
    bench.call("StopTransaction", stop(900))
    assert (bench.answer("main", {}), bench.answer("copy", {})) == (stop(41), stop(1001))


def test_an_untouched_route_is_read_and_not_changed() -> None:
    bench = Bench(main="ocpp1.6")
    bench.up("main")
    boot = {"chargePointVendor": "V", "chargePointModel": "M"}
    bench.call("BootNotification", boot)
    bench.answer("main", {"status": "Accepted", "interval": 300, "currentTime": "2026-01-01T00:00:00Z"})
    for connector, status in ((1, "Preparing"), (2, "Available"), (1, "Charging")):
        bench.call("StatusNotification", {"connectorId": connector, "status": status, "errorCode": "NoError"})
        bench.answer("main", {})
    entry = bench.call("StartTransaction", START, tx=900)
    bench.start("main", 41)
    known = bench.known
    assert json.loads(known.boot) == boot
    assert {place: json.loads(raw)["status"] for place, raw in known.statuses.items()} == {
        "1": "Charging",
        "2": "Available",
    }
    [one] = known.open
    assert (one.entry, one.number, one.by, one.minted, json.loads(one.start)) == (entry.id, 41, "main", False, START)
    bench.call("Heartbeat", {})
    bench.call("MeterValues", meter(41))
    assert not bench.effects.shared, "nothing else is looked at"
    assert bench.stored.get("main", b"") == b""


def test_a_primary_is_switched_in_the_middle_of_a_transaction_and_back() -> None:
    bench = Bench(main="ocpp1.6", copy="ocpp1.6")
    bench.up("main", "copy")
    bench.call("StartTransaction", START, tx=900)
    bench.start("main", 41)
    bench.start("copy", 1001)
    bench.versions = {"copy": "ocpp1.6", "main": "ocpp1.6"}
    bench.crash()
    bench.up("main", "copy")
    bench.call("MeterValues", meter(41))
    assert (bench.answer("main", {}), bench.answer("copy", {})) == (meter(41), meter(1001))
    bench.session.from_upstream("copy", decode('[2,"r","RemoteStopTransaction",{"transactionId": 1001}]'), bench.now)
    [item] = [item for _, item in bench.commit().to_charger]
    assert json.loads(item.body)[2:] == ["RemoteStopTransaction", {"transactionId": 41}]
    bench.versions = {"main": "ocpp1.6", "copy": "ocpp1.6"}
    bench.crash()
    bench.up("main", "copy")
    bench.call("StopTransaction", stop(41))
    assert (bench.answer("main", {}), bench.answer("copy", {})) == (stop(41), stop(1001))


def test_what_is_nonsense_teaches_nothing() -> None:
    bench = Bench(main="ocpp1.6")
    bench.up("main")
    bench.call("StartTransaction", START)
    bench.answer("main", {"transactionId": "many"})
    bench.call("StopTransaction", {"transactionId": None})
    bench.answer("main", {})
    assert bench.known == shared.Shared(version="ocpp1.6")
    with pytest.raises(ValueError, match="format 9"):
        shared.decode(msgspec.msgpack.encode({"format": 9}))


def test_the_shared_facts_are_bounded() -> None:
    bench = Bench(main="ocpp1.6")
    bench.up("main")
    for n in range(40):
        bench.call("StartTransaction", START)
        bench.start("main", 41 + n)
    assert [one.number for one in bench.known.open] == list(range(49, 81))
