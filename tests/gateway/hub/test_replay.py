"""What a primary hears when it is back, and what becomes of what it refuses."""

from __future__ import annotations

import json

import pytest

from gateway.journal.entry import Entry, Head
from translators.frames import decode

from .outage import TAG, Bench

# -- transactions -------------------------------------------------------------------------------------------------------


def test_a_start_gets_a_number_that_is_mapped_when_the_primary_is_back() -> None:
    bench = Bench()
    bench.boot()
    bench.authorize()
    bench.down()
    said = bench.start()
    number = said["transactionId"]
    assert number > 5000 and said["idTagInfo"] == {"status": "Accepted"}
    value = {"timestamp": "2026-03-01T12:05:00Z", "sampledValue": [{"value": "20"}]}
    assert bench.say("MeterValues", {"connectorId": 1, "transactionId": number, "meterValue": [value]}) == {}
    pending = [exchange.entry for exchange in bench.link.backlog]
    bench.told.clear()
    bench.crash()
    for entry in pending:  # a new owner reads again what is pending
        bench.session.called("main", entry, bench.now)
    bench.up()
    assert bench.actions() == ["StartTransaction", "MeterValues"]
    assert bench.told[1][1]["transactionId"] == 41
    stop = {"transactionId": number, "meterStop": 30, "timestamp": "2026-03-01T12:09:00Z"}
    assert bench.say("StopTransaction", stop) == {}
    assert bench.told[2][1]["transactionId"] == 41
    bench.session.from_upstream("main", decode('[2,"c","RemoteStopTransaction",{"transactionId":41}]'), bench.now)
    assert bench.commands() == [("RemoteStopTransaction", {"transactionId": number})]


def test_the_order_of_a_replay_between_equal_versions() -> None:
    bench = Bench()
    bench.boot()
    bench.down()
    bench.told.clear()
    bench.status("Preparing")
    number = bench.start()["transactionId"]
    bench.status("Charging")
    bench.boot()
    bench.say("StopTransaction", {"transactionId": number, "meterStop": 30, "timestamp": "2026-03-01T12:09:00Z"})
    bench.status("Available")
    bench.up()
    assert bench.actions() == [
        "BootNotification",
        *["StatusNotification"] * 3,
        "StartTransaction",
        "StopTransaction",
    ]
    assert [said["status"] for action, said in bench.told if action == "StatusNotification"] == [
        "Preparing",
        "Charging",
        "Available",
    ]
    assert bench.told[-1][1]["transactionId"] == 41, "the number that the primary has given"


def test_the_order_of_a_replay_through_a_translation() -> None:
    bench = Bench("ocpp1.6", "ocpp2.0.1")
    bench.boot()
    bench.commands()
    bench.status()
    bench.down()
    bench.told.clear()
    number = bench.start()["transactionId"]
    bench.boot()
    bench.say("StopTransaction", {"transactionId": number, "meterStop": 30, "timestamp": "2026-03-01T12:09:00Z"})
    bench.status("Faulted")
    bench.up()
    bench.commands()
    events = [said["eventType"] for action, said in bench.told if action == "TransactionEvent"]
    assert bench.actions()[0] == "BootNotification" and events == ["Started", "Ended"]
    assert bench.actions().index("StatusNotification") > bench.actions().index("TransactionEvent")


def test_buffer_keeps_the_order_of_the_journal() -> None:
    bench = Bench(policy="buffer")
    bench.boot()
    bench.down()
    bench.told.clear()
    bench.start()
    bench.status("Charging")
    bench.boot()
    bench.up()
    assert bench.actions() == ["StartTransaction", "StatusNotification", "BootNotification"]


@pytest.mark.parametrize("deauthorise", [True, False])
def test_a_1_6_charger_whose_tag_is_refused_later_is_stopped(deauthorise: bool) -> None:
    bench = Bench(authorize="accept", deauthorise=deauthorise)
    bench.boot()
    bench.down()
    number = bench.start()["transactionId"]
    bench.verdict = "Blocked"
    bench.up()
    assert bench.commands() == ([("RemoteStopTransaction", {"transactionId": number})] if deauthorise else [])


def test_who_was_told_no_is_not_stopped_again() -> None:
    bench = Bench()
    bench.boot()
    bench.down()
    assert bench.start()["idTagInfo"] == {"status": "Invalid"}
    bench.verdict = "Blocked"
    bench.up()
    assert bench.commands() == []


@pytest.mark.parametrize("csms", ["ocpp2.0.1", "ocpp1.6"])
def test_a_2_0_1_charger_whose_token_is_refused_later_is_stopped(csms: str) -> None:
    bench = Bench("ocpp2.0.1", csms, authorize="accept")
    bench.boot()
    bench.commands()
    bench.down()
    assert bench.event("Started", 0, TAG) == {"idTokenInfo": {"status": "Accepted"}}
    assert bench.event("Updated", 1, trigger="MeterValuePeriodic") == {}
    bench.verdict = "Blocked"
    bench.up()
    if csms == "ocpp1.6":
        bench.wait(61)  # the translation waits for an event that could carry the verdict
    [stop] = bench.commands()
    assert stop == ("RequestStopTransaction", {"transactionId": "T1"})
    assert bench.event("Ended", 2, trigger="RemoteStop", stoppedReason="Remote") == {}
    if csms == "ocpp1.6":
        assert dict(bench.told)["StopTransaction"]["reason"] == "DeAuthorized"
        return
    ended = bench.told[-1][1]
    assert ended["triggerReason"] == "Deauthorized" and ended["transactionInfo"]["stoppedReason"] == "DeAuthorized"
    assert bench.link.translator.stored()["standin"] and not bench.link.translator.next_wake


def test_a_transaction_that_has_ended_is_not_stopped() -> None:
    bench = Bench("ocpp2.0.1", "ocpp2.0.1", authorize="accept")
    bench.down()
    bench.event("Started", 0, TAG)
    bench.event("Ended", 1, trigger="EVDeparted", stoppedReason="EVDisconnected")
    bench.verdict = "Invalid"
    bench.up()
    assert bench.commands() == [] and bench.told[-1][1]["transactionInfo"]["stoppedReason"] == "EVDisconnected"


def test_a_2_0_1_charger_that_does_not_stop_is_told_once_more() -> None:
    bench = Bench("ocpp2.0.1", "ocpp2.0.1", authorize="accept")
    bench.down()
    bench.event("Started", 0, TAG)
    bench.verdict = "Invalid"
    bench.up()

    def refuse() -> list[str]:
        left = [json.loads(item.body) for _, item in bench.effects.to_charger if item.kind == "call"]
        bench.effects.to_charger.clear()
        for _, id, _, _ in left:
            answer = json.dumps([3, id, {"status": "Rejected"}]).encode()
            bench.session.answered(Entry("1-1", "answer", Head("CP", 1, 99, "", "edge", 0), answer), bench.now)
        return [frame[2] for frame in left]

    assert refuse() == ["RequestStopTransaction"]
    bench.wait(9)
    assert refuse() == []
    bench.wait(2)
    assert refuse() == ["RequestStopTransaction"]
    bench.wait(30)
    assert refuse() == []


# -- what is refused ----------------------------------------------------------------------------------------------------


VALUE = {"connectorId": 1, "meterValue": [{"timestamp": "2026-03-01T12:05:00Z", "sampledValue": [{"value": "20"}]}]}


def missed(csms: str, count: int = 1, policy: str = "local") -> Bench:
    """A 1.6 charger whose primary has missed this many meter values and refuses them now."""
    bench = Bench("ocpp1.6", csms, policy)
    bench.boot()
    bench.commands()
    bench.down()
    bench.told.clear()
    for _ in range(count):
        assert bench.say("MeterValues", VALUE) == {}
    return bench


@pytest.mark.parametrize("csms", ["ocpp1.6", "ocpp2.0.1"])
@pytest.mark.parametrize("code", ["NotSupported", "NotImplemented", "PropertyConstraintViolation", "ProtocolError"])
def test_what_is_refused_for_good_is_tried_once_more_and_put_aside(csms: str, code: str) -> None:
    bench = missed(csms)
    bench.refusal = code
    bench.up()
    assert len(bench.told) == 1 and not bench.effects.dead
    bench.wait(1)
    assert len(bench.told) == 2
    [dead] = bench.effects.dead
    assert (dead.upstream, dead.attempts) == ("main", 2) and dead.entry.id in bench.effects.acks["main"]
    bench.wait(60)
    assert len(bench.told) == 2


@pytest.mark.parametrize("csms", ["ocpp1.6", "ocpp2.0.1"])
@pytest.mark.parametrize("code", ["InternalError", "GenericError"])
def test_what_may_be_taken_another_time_is_tried_again_with_growing_pauses(csms: str, code: str) -> None:
    bench = missed(csms, 2)
    bench.refusal = code
    bench.up()
    for attempt, seconds in enumerate((1, 2, 4, 8, 16, 32, 64), 1):
        assert len(bench.told) == attempt and not bench.effects.dead
        bench.wait(seconds - 0.1)
        assert len(bench.told) == attempt, "not before"
        bench.wait(0.1)
    assert len(bench.effects.dead) == 1
    bench.refusal = ""
    bench.wait(1)
    assert len(bench.effects.acks["main"]) >= 2 and len(bench.effects.dead) == 1, "the next is taken"


@pytest.mark.parametrize("csms", ["ocpp1.6", "ocpp2.0.1"])
def test_a_security_error_holds_everything_back_until_the_boot(csms: str) -> None:
    bench = missed(csms, 2)
    bench.refusal = "SecurityError"
    bench.up()
    assert bench.heard.alarms == 1 and not bench.effects.dead
    bench.refusal = ""
    bench.told.clear()
    bench.wait(3600)
    assert bench.say("MeterValues", VALUE) is None, "behind the others"
    assert bench.told == []
    assert bench.authorize() == "Accepted", "what cannot wait is asked"
    assert bench.boot()["status"] == "Accepted"
    bench.commands()
    told = [action for action in bench.actions() if action in ("MeterValues", "TransactionEvent")]
    assert len(told) == 3 and bench.heard.alarms == 1
    assert bench.link.idle


def test_a_new_connection_of_the_primary_gets_a_chance() -> None:
    bench = missed("ocpp1.6")
    bench.refusal = "SecurityError"
    bench.up()
    bench.down()
    bench.refusal = ""
    bench.up()
    assert bench.link.idle and bench.heard.alarms == 1


def test_a_live_message_is_refused_to_the_charger_and_forgotten() -> None:
    bench = Bench(policy="close")
    for code in ("NotSupported", "InternalError", "SecurityError"):
        bench.refusal = code
        assert bench.say("MeterValues", VALUE) == code
    assert bench.link.idle and not bench.effects.dead and bench.heard.alarms == 0
