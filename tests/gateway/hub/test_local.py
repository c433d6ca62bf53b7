"""What a charger hears while its primary is away, row by row: who is accepted, and until when that is left to the primary."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from gateway.config_route import Local
from gateway.hub.linking import fit
from gateway.hub.lot import park
from gateway.routes import Route
from translators.frames import decode
from translators.standin import PART, Kept

from .outage import BOOT, DAY, TAG, VERSIONS, Bench

# -- boot ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("charger", "csms"), VERSIONS)
def test_a_boot_is_accepted_here_if_the_primary_has_accepted_the_same_charger(charger: str, csms: str) -> None:
    bench = Bench(charger, csms)
    assert bench.boot()["status"] == "Accepted"
    bench.commands()
    bench.down()
    bench.now += 29 * DAY * 1000
    said = bench.boot()
    assert said["status"] == "Accepted" and said.get("interval", said.get("heartbeatInterval")) == 77
    assert said["currentTime"].startswith("2026-03-30T12:00")
    later = bench.boot(**{"serialNumber" if charger == "ocpp2.0.1" else "chargePointSerialNumber": "2"})
    unknown = "Rejected" if charger == "ocpp1.5" else "Pending"
    assert later["status"] == unknown and later.get("interval", later.get("heartbeatInterval")) == 300
    bench.now += 2 * DAY * 1000
    assert bench.boot()["status"] == unknown, "too long ago"
    assert bench.heard.local == [("BootNotification", "local")] * 3


@pytest.mark.parametrize(("charger", "csms"), VERSIONS)
def test_a_charger_that_the_primary_never_accepted_waits(charger: str, csms: str) -> None:
    bench = Bench(charger, csms, boot_interval=120)
    bench.down()
    said = bench.boot()
    assert said["status"] == ("Rejected" if charger == "ocpp1.5" else "Pending")
    assert said.get("interval", said.get("heartbeatInterval")) == 120


def test_a_charger_that_the_primary_rejects_since_is_not_accepted() -> None:
    bench = Bench()
    bench.boot()
    bench.registration = "Rejected"
    bench.wait(31)  # before, the same boot would be answered like the last one
    bench.boot()
    bench.down()
    assert bench.boot()["status"] == "Pending"
    assert bench.say("DataTransfer", {"vendorId": "x"}) == "SecurityError"
    assert bench.outcomes == ["rejected_policy"]


def test_buffer_accepts_a_boot_of_whoever_was_accepted_once() -> None:
    bench = Bench(policy="buffer")
    bench.boot()
    bench.down()
    bench.now += 400 * DAY * 1000
    assert bench.boot(chargePointModel="Other") == {
        "status": "Accepted",
        "interval": 77,
        "currentTime": "2027-04-05T12:00:00Z",
    }
    stranger = Bench(policy="buffer")
    stranger.down()
    assert stranger.boot()["status"] == "Pending"


# -- tokens -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("charger", "csms"), VERSIONS)
@pytest.mark.parametrize(
    ("rules", "known", "stranger"),
    [
        ({}, "Accepted", "Invalid"),
        ({"authorize": "accept"}, "Accepted", "Accepted"),
        ({"authorize": "deny"}, "Invalid", "Invalid"),
        ({"cache_ttl": 10}, "Invalid", "Invalid"),
    ],
)
def test_who_may_charge(charger: str, csms: str, rules: dict[str, Any], known: str, stranger: str) -> None:
    bench = Bench(charger, csms, **rules)
    bench.boot()
    bench.commands()
    assert bench.authorize() == "Accepted"
    bench.down()
    bench.now += 11_000
    assert bench.authorize(TAG.lower()) == known
    assert bench.authorize("STRANGER") == stranger
    bench.crash()
    assert bench.authorize() == known, "after a crash the same"
    bench.up()
    assert bench.actions().count("Authorize") == 1, "a question that was answered is not asked later"


@pytest.mark.parametrize(("charger", "csms"), VERSIONS)
def test_what_the_primary_says_no_to_is_no_even_if_strangers_are_accepted(charger: str, csms: str) -> None:
    bench = Bench(charger, csms, authorize="accept")
    bench.boot()
    bench.commands()
    bench.verdict = "Blocked"
    assert bench.authorize() == "Blocked"
    bench.down()
    assert bench.authorize() == "Blocked"
    bench.now += DAY * 1000
    assert bench.authorize() == "Accepted", "a verdict is forgotten after a day"


@pytest.mark.parametrize("version", ["ocpp1.6", "ocpp2.0.1"])
def test_a_verdict_that_has_expired_and_a_cache_that_is_cleared(version: str) -> None:
    bench = Bench(version, version)
    until = "2026-03-01T12:00:30Z"
    name, key = ("cacheExpiryDateTime", "idTokenInfo") if version == "ocpp2.0.1" else ("expiryDate", "idTagInfo")
    bench._reply = lambda *_: {key: {"status": "Accepted", name: until}}  # type: ignore[method-assign]
    assert bench.authorize() == "Accepted"
    bench.down()
    assert bench.authorize() == "Accepted"
    bench.now += 31_000
    assert bench.authorize() == "Expired"
    bench.up()
    bench.session.from_upstream("main", decode('[2,"c","ClearCache",{}]'), bench.now)
    bench.down()
    assert bench.authorize() == "Invalid"


@pytest.mark.parametrize("version", ["ocpp1.6", "ocpp2.0.1"])
def test_a_new_release_cannot_be_misread(version: str) -> None:
    bench = Bench(version, version)
    newer = msgspec.msgpack.encode(Kept(format=7, version=version))
    with pytest.raises(ValueError, match="format 7"):
        bench.link.translator.restore({PART: newer})


# -- what only the primary can decide, and what needs no decision --------------------------------------------------------


def test_other_answers_of_a_1_6_charger() -> None:
    bench = Bench()
    bench.down()
    assert bench.say("Heartbeat", {}) == {"currentTime": "2026-03-01T12:00:00Z"}
    assert bench.say("DataTransfer", {"vendorId": "x"}) == {"status": "Rejected"}
    assert bench.say("SignCertificate", {"csr": "x"}) == {"status": "Rejected"}
    assert bench.status() == {}
    bench.up()
    assert bench.actions() == ["StatusNotification"], "what was refused is not told later"
    assert len(bench.effects.acks["main"]) == 4


@pytest.mark.parametrize("charger", ["ocpp1.6", "ocpp2.0.1"])
def test_an_outage_so_long_that_messages_are_put_aside(charger: str) -> None:
    bench = Bench(charger, charger)
    bench.boot()
    bench.authorize()
    bench.down()
    bench.status()
    lot = park(bench.link, bench.now)
    assert bench.status() == {} and bench.boot()["status"] == "Accepted" and bench.authorize() == "Accepted"
    assert bench.say("DataTransfer", {"vendorId": "x"}) == {"status": "Rejected"}
    [parked] = bench.effects.parks.values()
    assert [entry.head.action for entry in parked] == ["StatusNotification", "StatusNotification", "BootNotification"]
    assert lot.parking == 3


def test_a_retry_is_answered_here_too() -> None:
    bench = Bench()
    bench.down()
    assert bench.say("DataTransfer", {"vendorId": "x"}) == {"status": "Rejected"}
    [entry] = bench.effects.acks["main"]
    assert bench.repeat(entry, "DataTransfer", {"vendorId": "x"}) == {"status": "Rejected"}
    number = bench.start()["transactionId"]
    [start] = bench.link.backlog
    assert (
        bench.repeat(start.entry.id, "StartTransaction", json.loads(bytes(start.call.payload)))["transactionId"]
        == number
    )
    bench.up()
    assert bench.actions() == ["StartTransaction"]


def test_other_answers_of_a_2_0_1_charger() -> None:
    bench = Bench("ocpp2.0.1", "ocpp2.0.1")
    bench.down()
    assert bench.say("Heartbeat", {}) == {"currentTime": "2026-03-01T12:00:00Z"}
    assert bench.status() == {}
    assert bench.say("DataTransfer", {"vendorId": "x"}) == {"status": "Rejected"}
    certified = {"idToken": {"idToken": "E", "type": "eMAID"}, "certificate": "x"}
    assert bench.say("Authorize", certified) == {
        "idTokenInfo": {"status": "Invalid"},
        "certificateStatus": "NoCertificateAvailable",
    }
    free = {"idToken": {"idToken": "", "type": "NoAuthorization"}}
    assert bench.say("Authorize", free) == {"idTokenInfo": {"status": "Accepted"}}


def test_close_answers_nothing() -> None:
    bench = Bench(policy="close")
    bench.boot()
    bench.down()
    assert bench.boot() is None and bench.authorize() is None and bench.start() is None and bench.status() is None
    assert bench.heard.local == []


ASKS = {
    "ocpp1.6": {
        "BootNotification": BOOT["ocpp1.6"],
        "DataTransfer": {"vendorId": "x"},
        "SignCertificate": {"csr": "x"},
    },
    "ocpp2.0.1": {
        "BootNotification": BOOT["ocpp2.0.1"],
        "DataTransfer": {"vendorId": "x"},
        "SignCertificate": {"csr": "x"},
    },
}


@pytest.mark.parametrize(("charger", "csms"), [pair for pair in VERSIONS if pair[0] != "ocpp1.5"])
@pytest.mark.parametrize("action", ["BootNotification", "DataTransfer", "SignCertificate"])
def test_what_only_the_primary_can_answer_is_answered_though_it_is_silent(charger: str, csms: str, action: str) -> None:
    """The charger hears that nobody answered, and says it again if it still matters: the CSMS is not told later."""
    bench = Bench(charger, csms, policy="close")
    bench.boot()
    bench.commands()
    bench.now += 60_000
    usual, bench.talk = bench.talk, lambda: None  # type: ignore[method-assign]
    assert bench.say(action, ASKS[charger][action]) is None
    asked = bench.seq
    bench.wait(19)
    assert bench.answer(asked) is None
    bench.wait(2)
    assert bench.answer(asked) == "GenericError"
    assert bench.outcomes == ["timeout"]
    bench.effects.to_upstream.clear()
    told = len(bench.told)
    bench.talk = usual  # type: ignore[method-assign]
    bench.wait(120)
    assert len(bench.told) == told and not bench.effects.dead
    assert bench.link.idle and bench.status() == {}


def test_no_command_reaches_a_charger_whose_boot_nobody_answered() -> None:
    bench = Bench(policy="close")
    usual, bench.talk = bench.talk, lambda: None  # type: ignore[method-assign]
    assert bench.boot() is None
    bench.wait(21)
    assert bench.answer(bench.seq) == "GenericError"
    bench.effects.to_upstream.clear()
    bench.talk = usual  # type: ignore[method-assign]
    bench.session.from_upstream("main", decode('[2,"c","ClearCache",{}]'), bench.now)
    bench.wait(5)
    assert bench.commands() == []
    assert bench.boot()["status"] == "Accepted"
    assert [action for action, _ in bench.commands()] == ["ClearCache"]


def test_what_had_no_turn_in_time_is_answered_too() -> None:
    bench = Bench(policy="close")
    bench.boot()
    bench.talk = lambda: None  # type: ignore[method-assign]
    assert bench.start() is None
    bench.wait(15)
    assert bench.say("DataTransfer", {"vendorId": "x"}) is None
    asked = bench.seq
    bench.wait(10)
    assert bench.answer(asked) is None
    bench.wait(11)
    assert bench.answer(asked) == "GenericError"
    assert [exchange.call.action for exchange in bench.link.backlog] in ([], ["StartTransaction"])


def test_a_primary_that_hangs_up_at_a_question() -> None:
    bench = Bench(policy="close")
    bench.boot()
    bench.talk = lambda: None  # type: ignore[method-assign]
    assert bench.say("DataTransfer", {"vendorId": "x"}) is None
    for _ in range(bench.link.attempts):
        assert bench.answer(bench.seq) is None
        bench.session.disconnected("main", bench.now, hung_up=True)
        bench.session.connected("main", bench.now)
        while bench.link.backlog:
            bench.wait(1)
    assert bench.answer(bench.seq) == "GenericError"
    assert bench.link.idle and not bench.effects.dead


# -- hold ---------------------------------------------------------------------------------------------------------------


def test_a_decision_is_left_to_a_primary_that_has_only_just_gone() -> None:
    bench = Bench(hold=15)
    bench.down()
    assert bench.say("Heartbeat", {}) and bench.status() == {}, "what needs none is answered at once"
    assert bench.authorize() is None
    asked = bench.seq
    assert bench.session.deadline() == bench.now + 15_000
    bench.wait(14)
    assert bench.answer(asked) is None
    bench.wait(1)
    assert bench.answer(asked) == {"idTagInfo": {"status": "Invalid"}}
    assert bench.authorize() == "Invalid", "then at once"
    assert bench.session.deadline() == 0


def test_a_primary_that_is_back_in_time_decides() -> None:
    bench = Bench(hold=15)
    bench.down()
    assert bench.start() is None
    bench.wait(5)
    bench.up()
    assert bench.answer(bench.seq) == {"transactionId": 41, "idTagInfo": {"status": "Accepted"}}
    assert bench.heard.local == []


@pytest.mark.parametrize(("charger", "csms"), [("ocpp1.6", "ocpp1.6"), ("ocpp1.6", "ocpp2.0.1")])
def test_a_silent_primary_is_answered_for(charger: str, csms: str) -> None:
    bench = Bench(charger, csms, authorize="accept")
    bench.boot()
    bench.commands()
    bench.talk = lambda: None  # type: ignore[method-assign]
    assert bench.authorize() is None
    bench.wait(21)
    assert bench.answer(bench.seq) == {"idTagInfo": {"status": "Accepted"}}
    bench.wait(10)  # the same boot within 30 s is answered like the last one
    assert bench.boot() is None
    bench.wait(21)
    assert bench.answer(bench.seq)["status"] == "Accepted"


def test_other_rules_reach_a_charger_that_is_here() -> None:
    bench = Bench("ocpp2.0.1", "ocpp2.0.1", policy="close")
    bench.boot()
    route = Route("main", primary_down="local", hold=0, local=Local(authorize="accept"))
    fit(bench.link, bench.session, route, bench.upstreams, bench.now)
    bench.down()
    assert bench.boot()["status"] == "Accepted" and bench.authorize("STRANGER") == "Accepted"
    fit(bench.link, bench.session, Route("main"), bench.upstreams, bench.now)
    assert bench.authorize() is None
