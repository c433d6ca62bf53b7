"""While the CSMS is away, and when it is back (spec 8.3)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.translators.saying import Saying, calls
from translators.facts import Facts

from .conversation import AT, OK, TAG, TOKEN, Charger, ended, start, started, status_of, stop, to_csms, updated
from .station import Station
from .test_metering import PERIODIC, element, meters, raw


def accepted(c: Charger, **info: Any) -> None:
    """The CSMS says the tag is good, then goes away."""
    reply = {"idTokenInfo": {"status": "Accepted", **info}}
    c.says("Authorize", {"idTag": TAG}, to_csms("Authorize", {"idToken": TOKEN}))
    c.play.feed("csms", [3, c.open, reply])


@pytest.mark.parametrize(
    ("action", "payload", "answer"),
    [
        ("Heartbeat", {}, {"currentTime": "$now"}),
        ("Authorize", {"idTag": "STRANGER"}, {"idTagInfo": {"status": "Invalid"}}),
        ("DiagnosticsStatusNotification", {"status": "Idle"}, {}),
        ("FirmwareStatusNotification", {"status": "Idle"}, {}),
        ("LogStatusNotification", {"status": "Idle"}, {}),
        ("SignedFirmwareStatusNotification", {"status": "Idle"}, {}),
        ("SecurityEventNotification", {"type": "X", "timestamp": AT.format(0)}, {}),
        ("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Available"}, {}),
        ("MeterValues", meters(element(1, raw("1")), tid=None), {}),
        ("StopTransaction", {"transactionId": 1, "meterStop": 1, "timestamp": AT.format(0)}, {}),
        ("DataTransfer", {"vendorId": "com.acme"}, {"status": "Rejected"}),
        ("SignCertificate", {"csr": "CSR"}, {"status": "Rejected"}),
        (
            "BootNotification",
            {"chargePointVendor": "A", "chargePointModel": "B"},
            {"currentTime": "$now", "interval": 300, "status": "Accepted"},
        ),
    ],
)
def test_every_local_answer(action: str, payload: Any, answer: Any) -> None:
    c = Charger()
    c.play.facts.interval = 300
    c.play.down()
    c.local(action, payload, answer)


def test_a_station_nobody_accepted_yet_shall_wait() -> None:
    c = Charger(registered=False)
    c.play.down()
    boot = {"chargePointVendor": "A", "chargePointModel": "B"}
    c.local("BootNotification", boot, {"currentTime": "$now", "interval": 60, "status": "Pending"})
    assert c.play.facts.registration == ""


def test_a_whole_transaction_during_an_outage() -> None:
    c = Charger()
    accepted(c)
    c.reported(1, "Available", "Available")
    c.play.down()
    c.local("Authorize", {"idTag": TAG}, {"idTagInfo": {"status": "Accepted"}})
    c.status(1, "Preparing", ("charger", [3, f"c{c.count + 1}", {}]))
    told = {"transactionId": "$int:tid1", "idTagInfo": {"status": "Accepted"}}
    c.local("StartTransaction", start(), told)
    c.local("StartTransaction", start(), told)
    c.status(1, "Charging", ("charger", [3, f"c{c.count + 1}", {}]), timestamp=AT.format(2))
    c.local("MeterValues", meters(element(5, raw("1500"))), {})
    c.local("StopTransaction", stop(reason="Local", idTag=TAG), {})
    c.status(1, "Finishing", ("charger", [3, f"c{c.count + 1}", {}]), timestamp=AT.format(21))
    assert len(c.play.facts.transactions) == 1
    c.open = "$uuid:first"
    side, frame = started(offline=True)
    frame[1] = c.open
    c.play.up((side, frame))
    c.hears(OK, updated(1, 2, state="Charging", offline=True))
    c.hears({}, updated(2, 5, reason=PERIODIC, meterValue=[element(5, {"value": 1500})], offline=True))
    c.hears({}, ended(3, state="EVConnected", idToken=TOKEN, offline=True))
    c.hears({}, status_of(1, "Occupied", AT.format(21)))
    c.hears({})
    c.status(1, "Available", status_of(1, "Available"))


def test_a_late_refusal_stops_what_was_allowed() -> None:
    c = Charger()
    accepted(c)
    c.play.down()
    c.local("StartTransaction", start(), {"transactionId": "$int:tid1", "idTagInfo": {"status": "Accepted"}})
    c.open = "$uuid:first"
    side, frame = started(offline=True)
    frame[1] = c.open
    c.play.up((side, frame))
    c.hears(
        {"idTokenInfo": {"status": "Blocked"}},
        ("charger", [2, "$uuid:stop", "RemoteStopTransaction", {"transactionId": "$int:tid1"}]),
    )
    c.play.step("charger", [3, "$uuid:stop", {"status": "Accepted"}])
    payload = stop(meter=1200, reason="Remote", idTag=TAG)
    c.passes("StopTransaction", payload, ended(1, meter=1200, trigger="Deauthorized", reason="DeAuthorized"), {}, {})


def test_a_refused_offline_start_is_not_stopped_twice() -> None:
    c = Charger(offline_unknown_id="Blocked")
    c.play.down()
    c.local("StartTransaction", start(), {"transactionId": "$int:tid1", "idTagInfo": {"status": "Blocked"}})
    c.open = "$uuid:first"
    side, frame = started(offline=True)
    frame[1] = c.open
    c.play.up((side, frame))
    c.hears({"idTokenInfo": {"status": "Blocked"}})


def test_what_is_older_than_an_offline_start_stays_with_the_old_transaction() -> None:
    c = Charger()
    c.starts()
    c.play.down()
    c.local("MeterValues", meters(element(5, raw("1500")), tid=None), {})
    c.local("StopTransaction", stop(), {})
    c.local(
        "StartTransaction",
        start(1, "GUEST", 2500, 25),
        {"transactionId": "$int:new", "idTagInfo": {"status": "Invalid"}},
    )
    c.open = "$uuid:first"
    side, frame = updated(1, 5, reason=PERIODIC, meterValue=[element(5, {"value": 1500})], offline=True)
    frame[1] = c.open
    c.play.up((side, frame))
    c.hears({}, ended(2, offline=True))
    c.play.bound["$uuid:old"] = c.play.bound.pop("$uuid:tx1")
    c.hears({}, started(1, meter=2500, minute=25, token={"idToken": "GUEST", "type": "Central"}, offline=True))
    c.hears(OK)
    assert c.play.bound["$uuid:tx1"] != c.play.bound["$uuid:old"]


def test_an_old_transaction_without_an_end_is_ended_before_the_offline_start() -> None:
    c = Charger()
    c.starts()
    c.play.down()
    c.local(
        "StartTransaction",
        start(1, "GUEST", 2500, 25),
        {"transactionId": "$int:new", "idTagInfo": {"status": "Invalid"}},
    )
    c.open = "$uuid:first"
    side, frame = ended(1, 25, meter=1000, trigger="AbnormalCondition", reason="Other", offline=True)
    frame[1] = c.open
    c.play.up((side, frame))
    c.play.bound.pop("$uuid:tx1")
    c.hears({}, started(1, meter=2500, minute=25, token={"idToken": "GUEST", "type": "Central"}, offline=True))


def test_the_last_status_of_each_connector_is_told_when_the_csms_is_back() -> None:
    c = Charger()
    c.reported(1, "Available", "Available")
    c.reported(2, "Available", "Available")
    c.play.down()
    for connector, status, minute in (
        (1, "Preparing", 3),
        (2, "Unavailable", 4),
        (1, "Charging", 5),
        (2, "Available", 6),
    ):
        c.status(connector, status, ("charger", [3, f"c{c.count + 1}", {}]), timestamp=AT.format(minute))
    c.status(0, "Unavailable", ("charger", [3, f"c{c.count + 1}", {}]))
    c.open = "$uuid:first"
    c.play.up(("csms", [2, c.open, "NotifyEvent", "$any"]))
    c.hears({}, status_of(1, "Occupied", AT.format(5)))
    c.hears({})
    c.reported(2, "Available", "Available")  # the first report after an outage is news


def test_a_status_that_did_not_change_is_not_told_by_the_gateway_however_often_the_csms_was_away() -> None:
    c = Charger()
    c.reported(1, "Available", "Available")
    for _ in range(2):
        c.play.down()
        c.play.up()
    c.play.down()
    c.status(1, "Available", ("charger", [3, f"c{c.count + 1}", {}]), timestamp=AT.format(5))
    c.play.up()
    c.reported(1, "Available", "Available")  # but what the charger says is news, once
    c.status(1, "Available", ("charger", [3, f"c{c.count + 1}", {}]), timestamp=AT.format(6))


def test_questions_are_not_asked_again_later() -> None:
    c = Charger()
    c.play.down()
    c.local("Authorize", {"idTag": TAG}, {"idTagInfo": {"status": "Invalid"}})
    c.local("SignCertificate", {"csr": "CSR"}, {"status": "Rejected"})
    c.local("DataTransfer", {"vendorId": "com.acme"}, {"status": "Rejected"})
    c.play.up()


def test_the_verdict_while_away_is_the_last_one() -> None:
    c = Charger()
    accepted(c, cacheExpiryDateTime="2026-03-01T13:00:00Z", evseId=[1])
    c.play.down()
    info = {"status": "Accepted", "expiryDate": "2026-03-01T13:00:00Z"}
    c.local("Authorize", {"idTag": TAG.lower()}, {"idTagInfo": info})
    c.local("StartTransaction", start(2), {"transactionId": "$int", "idTagInfo": info | {"status": "Blocked"}})
    c.play.clock += 2 * 3_600_000
    c.local("Authorize", {"idTag": TAG}, {"idTagInfo": info | {"status": "Expired"}})
    c.play.clock += 86_400_000
    c.local("Authorize", {"idTag": TAG}, {"idTagInfo": {"status": "Invalid"}})


def test_a_stop_in_flight_when_the_csms_goes_away() -> None:
    c = Charger()
    c.starts()
    c.says("StopTransaction", stop(), ended(1))
    assert c.play.down() == []  # the link decides about the charger's answer
    c.local("StopTransaction", stop(), {})
    c.open = "$uuid:first"
    side, frame = ended(1, offline=True)
    frame[1] = c.open
    c.play.up((side, frame))
    c.hears({})


def test_the_facts_of_an_outage_survive() -> None:
    c = Charger()
    c.play.down()
    c.local("StartTransaction", start(), {"transactionId": "$int:tid1", "idTagInfo": {"status": "Invalid"}})
    assert isinstance(c.play.facts, Facts)
    c.play.restart()
    c.open = "$uuid:first"
    side, frame = started(offline=True)
    frame[1] = c.open
    c.play.up((side, frame))
    c.hears(OK)
    c.passes("StopTransaction", stop(), ended(1), {}, {})


def test_an_offline_start_has_the_state_of_its_own_time() -> None:
    s = Saying("1.6", "2.0.1")
    status = {"connectorId": 1, "errorCode": "NoError"}
    s.charger("StatusNotification", {**status, "status": "Charging", "timestamp": AT.format(1)})
    s.control("csms_down")
    s.charger("StatusNotification", {**status, "status": "Available", "timestamp": AT.format(2)})
    s.charger("StartTransaction", start(minute=3))
    left = s.control("csms_up")
    [event] = calls(left, "csms", "TransactionEvent")
    assert event["transactionInfo"]["chargingState"] == "EVConnected"


@pytest.mark.parametrize("heard", [False, True])
def test_a_refused_transaction_is_stopped_after_a_restart_unless_the_charger_was_heard(heard: bool) -> None:
    s = Station()
    running = s.transaction(deauth_enforced=True)
    stop = [("charger", "RemoteStopTransaction", {"transactionId": running.tid})]
    s.translator.connected(s.clock)
    assert s.after(1) == stop
    if heard:
        s.answers("charger", status="Accepted")
    again = Station()
    again.facts.transactions.append(running)
    again.translator.connected(again.clock)
    assert again.after(1) == ([] if heard else stop)
    if not heard:
        again.answers("charger", status="Rejected")
        assert again.after(9) == []
        assert again.after(1) == stop
