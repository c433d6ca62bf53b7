"""While the CSMS is away, once it is back, and tokens that it refuses late (spec 8.2, 8.3, 8.4)."""

from __future__ import annotations

from typing import Any

from .conversation import (
    ACCEPTED,
    OK,
    TAG,
    TOKEN,
    Left,
    World,
    event,
    register,
    reported,
    start,
    status_of,
    stop,
    to_charger,
    to_csms,
)

UNKNOWN = {"idTokenInfo": {"status": "Invalid"}}
BLOCKED = {"idTagInfo": {"status": "Blocked"}}


class Outage(World):
    """A CSMS that knows the token, and goes away."""

    def __init__(self, *, known: bool = True, **options: Any) -> None:
        super().__init__(**options)
        if known:
            self.passes("Authorize", {"idToken": TOKEN}, to_csms("Authorize", {"idTag": TAG}), OK, ACCEPTED)
        assert self.play.down() == []

    def back(self, *expected: Left) -> None:
        self.play.up(*self._named(expected))


def test_a_whole_session_is_told_in_order_once_the_csms_is_back() -> None:
    w = Outage()
    w.local("TransactionEvent", event("Started", evse=1), ACCEPTED)
    w.local("TransactionEvent", event("Updated", seq=1, minute=3, state="Charging", wh=6000), {})
    w.local("TransactionEvent", event("Ended", seq=2, minute=9, token=TOKEN, wh=7000), ACCEPTED)
    w.back(start())
    told = {"connectorId": 1, "transactionId": 987, "meterValue": "$any"}
    w.csms({"transactionId": 987, **OK}, to_csms("MeterValues", told))
    w.csms({}, stop(7000, data=[{"timestamp": "2026-03-01T10:09:00Z", "sampledValue": [
        {"value": "7000", "context": "Transaction.End", "unit": "Wh"}]}], idTag=TAG))  # fmt: skip
    w.csms({}, status_of(1, "Finishing", 9))
    w.csms({})


def test_later_events_wait_for_the_number() -> None:
    w = Outage()
    w.local("TransactionEvent", event("Started", evse=1), ACCEPTED)
    w.local("TransactionEvent", event("Updated", seq=1, minute=3, state="Charging"), {})
    w.back(start())
    w.csms({"transactionId": 987, **OK}, status_of(1, "Charging", 3))


def test_an_unknown_token_has_the_status_of_the_option() -> None:
    w = Outage(known=False)
    w.local("Authorize", {"idToken": TOKEN}, UNKNOWN)
    w.local("TransactionEvent", event("Started", evse=1), UNKNOWN)
    w = Outage(known=False, offline_unknown_id="Accepted")
    w.local("TransactionEvent", event("Started", evse=1), ACCEPTED)


def test_a_token_of_the_local_list_is_known() -> None:
    w = World()
    entries = [{"idTag": TAG, "idTagInfo": {"status": "Blocked", "parentIdTag": "P"}}]
    w.commands("SendLocalList", {"listVersion": 1, "updateType": "Full", "localAuthorizationList": entries},
               to_charger("SendLocalList", {"versionNumber": 1, "updateType": "Full", "localAuthorizationList": "$any"}))  # fmt: skip
    w.charger({"status": "Accepted"}, w.result({"status": "Accepted"}))
    assert w.play.down() == []
    info = {"status": "Blocked", "groupIdToken": {"idToken": "P", "type": "Central"}}
    w.local("Authorize", {"idToken": TOKEN}, {"idTokenInfo": info})


def test_a_verdict_that_has_expired_is_no_verdict() -> None:
    w = World()
    w.says("Authorize", {"idToken": TOKEN}, to_csms("Authorize", {"idTag": TAG}))
    w.csms({"idTagInfo": {"status": "Accepted", "expiryDate": "2026-03-01T11:00:00Z"}}, (
        "charger", [3, "c1", "$any"]))  # fmt: skip
    assert w.play.down() == []
    w.says("Authorize", {"idToken": TOKEN}, ("charger", [3, "c2", "$any"]))
    w.local("Authorize", {"idToken": {"idToken": "", "type": "NoAuthorization"}}, ACCEPTED)


def test_a_late_refusal_is_in_the_next_answer() -> None:
    w = Outage()
    w.local("TransactionEvent", event("Started", evse=1), ACCEPTED)
    w.back(start())
    w.csms({"transactionId": 5, **BLOCKED})
    w.local("TransactionEvent", event("Updated", seq=1, state="EVConnected"), {"idTokenInfo": {"status": "Blocked"}})
    w.local("TransactionEvent", event("Updated", seq=2, state="EVConnected"), {})
    w.waits(61)


def test_a_late_refusal_stops_a_charger_that_is_silent() -> None:
    w = Outage()
    w.local("TransactionEvent", event("Started", evse=1), ACCEPTED)
    w.back(start())
    w.csms({"transactionId": 5, **BLOCKED})
    w.waits(59)
    w.waits(2, to_charger("RequestStopTransaction", {"transactionId": "TX-1"}))
    w.charger({"status": "Accepted"})
    w.says("TransactionEvent", event("Ended", seq=1, minute=9, trigger="RemoteStop", reason="Remote"),
           stop(5000, reason="DeAuthorized", tid=5))  # fmt: skip


def test_a_charger_that_does_not_stop_is_told_once_more() -> None:
    w = Outage()
    w.local("TransactionEvent", event("Started", evse=1), ACCEPTED)
    w.back(start())
    w.csms({"transactionId": 5, **BLOCKED})
    w.waits(61, to_charger("RequestStopTransaction", {"transactionId": "TX-1"}))
    w.charger({"status": "Rejected"})
    w.waits(11, to_charger("RequestStopTransaction", {"transactionId": "TX-1"}))
    w.charger({"status": "Rejected"})
    w.waits(600)


def test_a_late_refusal_lets_it_go_on_if_the_option_says_so() -> None:
    w = Outage(deauthorise=False)
    w.local("TransactionEvent", event("Started", evse=1), ACCEPTED)
    w.back(start())
    w.csms({"transactionId": 5, **BLOCKED})
    w.local("TransactionEvent", event("Updated", seq=1, state="EVConnected"), {})
    w.waits(61)


def test_a_charger_that_was_refused_at_once_is_not_stopped() -> None:
    w = Outage(known=False)
    w.local("TransactionEvent", event("Started", evse=1), UNKNOWN)
    w.back(start())
    w.csms({"transactionId": 5, **BLOCKED})
    w.waits(61)


def test_a_late_refusal_survives_a_restart() -> None:
    w = Outage()
    w.local("TransactionEvent", event("Started", evse=1), ACCEPTED)
    w.back(start())
    w.csms({"transactionId": 5, **BLOCKED})
    w.play.restart()
    w.play.translator.connected(w.play.clock)
    w.waits(0)
    w.waits(61, to_charger("RequestStopTransaction", {"transactionId": "TX-1"}))


def test_only_the_last_status_of_a_connector_is_told() -> None:
    w = Outage()
    w.local("StatusNotification", reported("Occupied", minute=1), {})
    w.local("StatusNotification", reported("Available", minute=2), {})
    w.local("StatusNotification", reported("Faulted", evse=2, minute=3), {})
    w.back(status_of(1, "Available", 2))
    w.csms({}, status_of(2, "Faulted", 3, "OtherError"))
    w.csms({})


def test_a_status_of_which_nobody_knows_whether_it_was_heard_is_corrected() -> None:
    """Occupied is read but not answered, then it is Available again while the CSMS is away."""
    w = World()
    w.status("Available", "Available")
    w.says("StatusNotification", reported("Occupied", minute=1), status_of(1, "Preparing", 1))
    w.play.down()
    w.local("StatusNotification", reported("Available", minute=2), {})
    w.play.up(*w._named((status_of(1, "Available", 2),)))
    w.csms({})


def test_local_answers() -> None:
    w = Outage(registered=True)
    w.says("Heartbeat", {}, ("charger", [3, "c2", {"currentTime": "$now"}]))
    boot = {"reason": "PowerUp", "chargingStation": {"vendorName": "V", "model": "M"}}
    w.says(
        "BootNotification", boot, ("charger", [3, "c3", {"currentTime": "$now", "interval": 0, "status": "Accepted"}])
    )
    w.local("MeterValues", {"evseId": 1, "meterValue": register(5)}, {})
    w.local("DataTransfer", {"vendorId": "x"}, {"status": "Rejected"})
    w.local("SignCertificate", {"csr": "x"}, {"status": "Rejected"})
    w.local("NotifyEVChargingSchedule", {"evseId": 1, "timeBase": "2026-03-01T10:00:00Z", "chargingSchedule": {
        "id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 1}]}},
        {"status": "Accepted"})  # fmt: skip


def test_a_station_that_was_never_accepted_has_to_wait() -> None:
    w = World(registered=False)
    assert w.play.down() == []
    boot = {"reason": "PowerUp", "chargingStation": {"vendorName": "V", "model": "M"}}
    w.says(
        "BootNotification", boot, ("charger", [3, "c1", {"currentTime": "$now", "interval": 60, "status": "Pending"}])
    )


def test_a_remote_stop_waits_for_the_number() -> None:
    w = World()
    w.says("TransactionEvent", event("Started", evse=1), start())
    started = w.open["csms"]
    w.commands("RemoteStopTransaction", {"transactionId": 987})
    stopping = w.count
    w.open["csms"] = started
    w.csms({"transactionId": 987, **OK}, ("charger", [3, "c1", ACCEPTED]),
           to_charger("RequestStopTransaction", {"transactionId": "TX-1"}))  # fmt: skip
    w.charger({"status": "Accepted"}, w.result({"status": "Accepted"}, stopping))


def test_a_remote_stop_of_a_number_that_never_comes_is_rejected() -> None:
    w = World()
    w.says("TransactionEvent", event("Started", evse=1), start())
    w.commands("RemoteStopTransaction", {"transactionId": 987})
    w.waits(4.9)
    w.waits(0.2, w.result({"status": "Rejected"}))
