"""A 1.6 charger, a 2.0.1 primary and a 2.0.1 mirror around one session: what may reach the charger, and what is told late."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from gateway.config_upstream import Upstream
from gateway.hub.effects import Effects
from gateway.hub.link import TIMED, Link
from gateway.hub.linking import hand_on
from gateway.hub.lot import park
from gateway.hub.observer import Observer
from gateway.hub.session import Session
from gateway.journal.entry import Entry, Head, ToCharger
from tests.schemas import validate
from translators import Options, translator
from translators.engine import Translator
from translators.facts import Authorization
from translators.frames import Side, decode

from .outage import Bench

START = {"connectorId": 1, "idTag": "04A1B2C3", "meterStart": 1000, "timestamp": "2025-03-01T10:01:00Z"}
OK = {"idTokenInfo": {"status": "Accepted"}}
CLASSES: dict[str, Any] = {"StartTransaction": "K0", "StopTransaction": "K0", "MeterValues": "K0", "Heartbeat": "K2"}


class Site:
    """The clock moves by hand; what leaves is taken with `to_csms` and `to_charger`."""

    def __init__(self, *names: str, registered: bool = True, policy: Any = "buffer", gate_open: bool = True) -> None:
        self.now = 1_772_366_400_000
        self.seq = 0
        self.effects = Effects()
        self.session = Session("CP", self.effects, Observer())
        self.translators: dict[str, Translator] = {}
        ids = itertools.count(1)
        for name in names or ("main",):
            primary = not self.session.links
            made = translator("ocpp1.6", "ocpp2.0.1", b"", Options(), lambda: f"g{next(ids)}")
            assert isinstance(made, Translator)
            made.assume(registered, 2)
            self.translators[name] = made
            versions = ("ocpp1.6", "ocpp2.0.1")
            self.session.links[name] = Link(
                name, self.session, made, versions=versions, primary=primary, policy=policy, may_command=primary
            )
        self.session.opened("edge", 1, "ocpp1.6", self.now - 10**12, gate_open=gate_open)
        self.up()

    def up(self) -> None:
        for name in self.session.links:
            self.session.connected(name, self.now)

    def call(self, action: str, payload: dict[str, Any], **head: Any) -> Entry:
        self.seq += 1
        about = Head("CP", 1, self.seq, "ocpp1.6", "edge", self.now, action, "m", CLASSES.get(action, "K1"), **head)
        frame = json.dumps([2, "m", action, payload]).encode()
        entry = Entry(f"{self.now}-{self.seq}", "call", about, frame, self.seq if action == "StartTransaction" else 0)
        for name in self.session.links:
            self.session.called(name, entry, self.now)
        return entry

    def wait(self, seconds: float) -> None:
        self.now += round(seconds * 1000)
        self.session.tick(self.now)

    def to_csms(self, name: str = "main") -> list[Any]:
        """What left for an upstream since the last look, checked."""
        left = [json.loads(raw) for link, raw in self.effects.to_upstream if link.name == name]
        self.effects.to_upstream = [each for each in self.effects.to_upstream if each[0].name != name]
        for frame in left:
            if frame[0] == 2:
                validate("2.0.1", frame[2], "request", frame[3])
        return left

    def to_charger(self) -> list[ToCharger]:
        left, self.effects.to_charger = self.effects.to_charger, []
        return [item for _, item in left]

    def answers(self, payload: dict[str, Any], name: str = "main") -> list[Any]:
        """The upstream answers the CALL it got; that CALL."""
        (call,) = self.to_csms(name)
        self.session.from_upstream(name, decode(json.dumps([3, call[1], payload])), self.now)
        return list(call)

    def refuses(self, code: str = "InternalError") -> list[Any]:
        (call,) = self.to_csms()
        self.session.from_upstream("main", decode(json.dumps([4, call[1], code, "no", {}])), self.now)
        return list(call)


def meter_values(minute: int) -> dict[str, Any]:
    value = {"timestamp": f"2025-03-01T10:{minute:02d}:00Z", "sampledValue": [{"value": "1500"}]}
    return {"connectorId": 1, "meterValue": [value]}


class Clocked(Observer):
    """Counts the frames of which the time was told."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def timed(self, link: Link, side: Side, seconds: float) -> None:
        self.times.append(seconds)


def test_few_frames_are_timed_once_a_link_is_at_work() -> None:
    site = Site()
    site.session.observer = clocked = Clocked()
    ticks = itertools.count(0.5)
    site.session.links["main"]._stopwatch = lambda: next(ticks)
    for minute in range(4 * TIMED // 2):
        site.call("MeterValues", meter_values(minute))
        site.answers({})
        assert len(clocked.times) == min(2 * (minute + 1), TIMED + 2 * (minute + 1) // TIMED - 1)
    assert set(clocked.times) == {1.0}


def test_a_mirror_never_commands_the_charger() -> None:
    site = Site("main", "mirror")
    site.call("StartTransaction", START)
    site.answers(OK)
    site.answers(OK, "mirror")
    site.call("MeterValues", meter_values(5))
    site.answers({})
    assert [item.kind for item in site.to_charger()] == ["answer", "answer"]
    site.answers({"idTokenInfo": {"status": "Blocked"}}, "mirror")
    site.wait(20)
    assert site.to_charger() == []
    site.call("MeterValues", meter_values(6))
    site.answers({"idTokenInfo": {"status": "Blocked"}})
    assert [item.kind for item in site.to_charger()] == ["answer", "call"]  # the primary may


def test_what_a_mirror_missed_was_offline_for_it_alone() -> None:
    site = Site("main", "mirror")
    site.session.disconnected("mirror", site.now)
    site.call("StartTransaction", START)
    assert "offline" not in site.answers(OK)[3]
    site.up()
    assert site.answers(OK, "mirror")[3]["offline"] is True


def test_a_start_that_is_refused_again_and_again() -> None:
    site = Site()
    for count in range(4):
        site.call("StartTransaction", START, dedup="d")
        site.refuses()
        assert [item.kind for item in site.to_charger()] == ["error"], count
    entry = site.call("StartTransaction", START, dedup="d")
    site.refuses()
    (item,) = site.to_charger()
    assert item.kind == "answer" and json.loads(item.body)["idTagInfo"] == {"status": "Invalid"}
    assert [(each.upstream, each.entry.id) for each in site.effects.dead] == [("main", entry.id)]
    assert site.effects.acks["main"].count(entry.id) == 1
    assert site.effects.answers[-1][1] == "d"
    assert site.translators["main"].facts.given == {}
    site.call("MeterValues", meter_values(5))
    assert site.answers({})[2] == "TransactionEvent"


def test_a_security_error_is_not_counted() -> None:
    site = Site()
    site.translators["main"].facts.registration = "Rejected"
    for _ in range(8):
        site.call("MeterValues", meter_values(5))
        assert [item.kind for item in site.to_charger()] == ["error"]
    assert site.effects.dead == []


def test_a_start_without_an_answer_gets_one_of_the_gateway() -> None:
    site = Site(policy="close")
    facts = site.translators["main"].facts
    facts.authorizations["04a1b2c3"] = Authorization(info={"status": "Accepted"}, at=site.now)
    site.call("StartTransaction", START)
    (asked,) = site.to_csms()
    site.wait(21)
    (item,) = site.to_charger()
    assert json.loads(item.body) == {"transactionId": 1, "idTagInfo": {"status": "Accepted"}}
    site.wait(10)
    (again,) = site.to_csms()
    assert again[1] != asked[1] and again[3]["transactionInfo"] == asked[3]["transactionInfo"]
    site.session.from_upstream(
        "main", decode(json.dumps([3, again[1], {"idTokenInfo": {"status": "Invalid"}}])), site.now
    )
    (item,) = site.to_charger()
    assert item.kind == "call" and b"RemoteStopTransaction" in item.body


def test_an_event_after_the_answer_stays_in_the_queue() -> None:
    site = Site()
    site.call("StartTransaction", START)
    site.answers(OK)
    site.call("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Charging"})
    site.answers({})
    (event,) = site.to_csms()
    assert event[2] == "TransactionEvent" and [item.kind for item in site.to_charger()] == ["answer", "answer"]
    site.session.disconnected("main", site.now)
    site.up()
    again = site.answers({})
    assert again[3] == {**event[3], "offline": True}
    assert site.to_charger() == []


def test_a_dead_letter_leaves_nothing_behind() -> None:
    site = Site()
    site.call("StartTransaction", START)
    for count in range(1, 6):
        (_,) = site.to_csms()
        site.wait(21)
        site.wait(10 * count)
    assert len(site.effects.dead) == 1 and site.to_csms() == []
    assert site.translators["main"].facts.given == {}


def test_the_boot_overtakes_what_waits_for_it() -> None:
    site = Site(registered=False, gate_open=False)
    site.call("MeterValues", meter_values(5))
    (item,) = site.to_charger()
    trigger = json.loads(item.body)
    assert trigger[2:] == ["TriggerMessage", {"requestedMessage": "BootNotification"}]
    head = Head("CP", 1, 99, "ocpp1.6", "edge", site.now)
    accepted = json.dumps([3, trigger[1], {"status": "Accepted"}]).encode()
    site.session.answered(Entry("1-1", "answer", head, accepted), site.now)
    site.call("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Available"})
    site.call("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
    answer = {"currentTime": "2026-03-01T12:00:00Z", "interval": 300, "status": "Accepted"}
    assert site.answers(answer)[2] == "BootNotification"
    assert site.answers({})[2] == "MeterValues"
    assert site.answers({})[2] == "StatusNotification"


def test_a_new_connection_is_known_to_every_link() -> None:
    site = Site("main", "mirror")
    site.session.opened("edge", 2, "ocpp1.6", site.now)
    assert [each.facts.connected_at for each in site.translators.values()] == [site.now, site.now]


def test_a_status_that_changed_is_told_even_if_the_upstream_leaves_while_it_hears_of_it() -> None:
    site = Site("main", "copy")
    site.call("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Preparing"})
    site.answers({}, "copy")
    site.session.disconnected("copy", site.now)
    site.call("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Available"})
    for _ in range(2):
        site.session.connected("copy", site.now)
        (call,) = site.to_csms("copy")
        assert (call[2], call[3]["connectorStatus"]) == ("StatusNotification", "Available")
        site.session.disconnected("copy", site.now)
    site.session.connected("copy", site.now)
    site.answers({}, "copy")
    assert not site.to_csms("copy")


def test_a_status_of_which_nobody_knows_whether_it_was_heard_is_corrected() -> None:
    """Available, then Occupied is read but not answered, then Available again while the upstream is away."""
    site = Site("main", "copy")
    site.call("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Available"})
    site.answers({}, "copy")
    site.call("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Preparing"})
    (call,) = site.to_csms("copy")
    assert call[3]["connectorStatus"] == "Occupied"
    site.session.disconnected("copy", site.now)
    site.call("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Available"})
    site.session.connected("copy", site.now)
    assert site.answers({}, "copy")[3]["connectorStatus"] == "Available"
    assert not site.to_csms("copy")


def status(site: Site, word: str) -> Entry:
    return site.call("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": word})


def bring_back(site: Site, entry: Entry, name: str = "copy") -> None:
    site.session.unparked(name, entry, site.now)


def end_of_lot(site: Site, name: str = "copy") -> None:
    site.session.links[name].lot = None
    site.session.links[name].pump(site.now)


def test_a_status_that_was_put_aside_is_told_when_the_lot_is_at_its_end() -> None:
    """The upstream is up all the while: there is no other time at which what changed would be told."""
    site = Site("main", "copy")
    copy = site.session.links["copy"]
    park(copy, site.now)
    occupied, available = status(site, "Preparing"), status(site, "Available")
    bring_back(site, occupied)
    bring_back(site, available)
    assert [len(ids) for ids in site.effects.unparks.values()] == [2]
    assert not site.to_csms("copy")
    end_of_lot(site)
    assert site.answers({}, "copy")[3]["connectorStatus"] == "Available"
    assert not site.to_csms("copy")


def test_a_status_that_is_put_aside_after_the_flush_is_told() -> None:
    """The upstream is back and has heard the lot so far; the lot has not ended when the charger says something again."""
    site = Site("main", "copy")
    site.session.disconnected("copy", site.now)
    first = status(site, "Preparing")
    park(site.session.links["copy"], site.now)
    site.session.connected("copy", site.now)
    assert first.id in site.effects.unparks["copy", "CP"]
    bring_back(site, status(site, "Available"))
    end_of_lot(site)
    assert site.answers({}, "copy")[3]["connectorStatus"] == "Available"
    assert not site.to_csms("copy")


def test_a_new_owner_tells_the_status_that_the_one_before_owed() -> None:
    site = Site("main", "copy")
    park(site.session.links["copy"], site.now)
    bring_back(site, status(site, "Preparing"))
    stored = site.translators["copy"].stored()
    again = translator("ocpp1.6", "ocpp2.0.1", stored.pop(""), Options(), lambda: "g")
    again.restore(stored)
    link = Link("copy", site.session, again, versions=("ocpp1.6", "ocpp2.0.1"), primary=False)
    site.session.links["copy"] = link
    site.session.connected("copy", site.now)
    assert site.answers({}, "copy")[3]["connectorStatus"] == "Occupied"
    assert not site.to_csms("copy") and not again.owes


def test_what_a_link_hands_on_is_stored_although_nothing_changes_any_more() -> None:
    site = Site()
    link = site.session.links["main"]
    link.stored = link.translator.stored()
    status(site, "Preparing")
    before = link.stored[""]
    known = hand_on(link)
    assert known[""] != before
    assert site.effects.to_commit
    assert site.effects.take().facts == {("CP", "link:main"): known[""]}
    assert hand_on(link) == known and not site.effects.facts


def test_a_status_that_changed_is_told_again_to_an_upstream_that_was_silent_but_not_for_ever() -> None:
    site = Site("main", "copy")
    site.session.disconnected("copy", site.now)
    status(site, "Preparing")
    site.session.connected("copy", site.now)
    told = 0
    for _ in range(60):
        told += len(site.to_csms("copy"))
        site.wait(10)
    assert told == site.session.links["copy"].attempts


def test_a_billing_message_that_no_translation_takes_is_kept_before_it_is_refused() -> None:
    """Once, however often the charger says it; in the end it is answered."""
    site = Site()
    for attempt in range(1, 6):
        site.call("StopTransaction", {"transactionId": 7, "timestamp": "2025-03-01T10:00:00Z"}, dedup="d")
        (item,) = site.to_charger()
        assert item.kind == ("error" if attempt < 5 else "answer")
        (dead,) = site.effects.dead
        assert dead.why == "untranslatable" and dead.entry.head.seq == 1
    assert site.to_csms() == []
    site.call("StatusNotification", {"connectorId": 1})
    (item,) = site.to_charger()
    assert item.kind == "error" and len(site.effects.dead) == 1, "only what bills"


def test_what_the_csms_refuses_is_its_own_business() -> None:
    site = Site()
    site.call("StartTransaction", START)
    site.refuses("PropertyConstraintViolation")
    (item,) = site.to_charger()
    assert item.kind == "error" and not site.effects.dead


@pytest.mark.parametrize("version", ["ocpp1.5", "ocpp1.6"])
def test_a_translator_knows_what_its_csms_calls_the_charger(version: str) -> None:
    bench = Bench(version, "ocpp2.0.1")
    bench.upstreams["main"] = Upstream(url="ws://x", version="ocpp2.0.1", charger_id="acme-{id}")
    bench.crash()
    made: Any = bench.link.translator
    assert {part.identity for part in getattr(made, "parts", [made])} == {"acme-CP"}
