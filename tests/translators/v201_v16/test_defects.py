"""Defects of other translators that concern this arrangement, and have no test of their own elsewhere (spec 15)."""

from __future__ import annotations

from .conversation import OK, TAG, World, event, register, start, status_of, stop, to_charger, to_csms


def test_the_numbers_of_transactions_survive_a_restart() -> None:
    w = World()
    w.starts()
    w.play.restart()
    w.obeys("RemoteStopTransaction", {"transactionId": 987},
            to_charger("RequestStopTransaction", {"transactionId": "TX-1"}),
            {"status": "Accepted"}, {"status": "Accepted"})  # fmt: skip
    w.says("TransactionEvent", event("Ended", seq=1, minute=9, trigger="RemoteStop", reason="Remote", wh=6000),
           stop(6000, reason="Remote", data=[{"timestamp": "2026-03-01T10:09:00Z", "sampledValue": [
               {"value": "6000", "context": "Transaction.End", "unit": "Wh"}]}]))  # fmt: skip


def test_an_update_without_a_charging_state_keeps_its_meter_values() -> None:
    w = World()
    w.starts()
    values = [{"timestamp": "2026-03-01T10:03:00Z", "sampledValue": [
        {"value": "6.5", "context": "Sample.Periodic", "unit": "kWh"}]}]  # fmt: skip
    told = to_csms("MeterValues", {"connectorId": 1, "transactionId": 987, "meterValue": values})
    about = event("Updated", seq=1, minute=3, state=None, meterValue=register(6.5, minute=3, unit="kWh"))
    w.passes("TransactionEvent", about, told, {}, {})


def test_missing_begin_and_end_samples_are_no_error() -> None:
    w = World()
    w.says(
        "TransactionEvent", event("Started", evse=1, meterValue=register(5.25, minute=1, unit="kWh")), start(wh=5250)
    )
    w.csms({"transactionId": 987, **OK}, w.answer({"idTokenInfo": {"status": "Accepted"}}))
    w.says("TransactionEvent", event("Ended", seq=1, minute=9), stop(5250))
    w.csms({}, w.answer({}), status_of(1, "Finishing", 9))


def test_a_retry_of_a_start_never_makes_another_transaction() -> None:
    w = World()
    w.says("TransactionEvent", event("Started", evse=1), start())
    w.refused("csms", "InternalError", w.error("InternalError"))
    w.says("TransactionEvent", event("Started", evse=1), start())
    w.csms({"transactionId": 5, **OK}, w.answer({"idTokenInfo": {"status": "Accepted"}}))
    assert [each.tid for each in w.facts.transactions] == [5]


def test_nothing_of_a_refusal_is_taken_for_accepted() -> None:
    w = World()
    info = {"status": "Expired", "parentIdTag": "P"}
    w.says("Authorize", {"idToken": {"idToken": TAG, "type": "ISO14443"}}, to_csms("Authorize", {"idTag": TAG}))
    group = {"idToken": "P", "type": "Central"}
    w.csms({"idTagInfo": info}, w.answer({"idTokenInfo": {"status": "Expired", "groupIdToken": group}}))


def test_a_refused_start_without_a_number_of_its_own() -> None:
    w = World()
    for number, evse in enumerate((1, 2)):
        txid = f"TX-{number}"
        w.says("TransactionEvent", event("Started", evse=evse, txid=txid), start(evse))
        refused = {"transactionId": -1, "idTagInfo": {"status": "Invalid"}}
        w.csms(refused, w.answer({"idTokenInfo": {"status": "Invalid"}}))
    for number, evse in enumerate((1, 2)):
        about = event("Ended", seq=1, minute=9, txid=f"TX-{number}", reason="DeAuthorized")
        w.says("TransactionEvent", about, stop(5000, reason="DeAuthorized", tid=-1))
        w.csms({}, w.answer({}), status_of(evse, "Finishing", 9))
        w.csms({})


def test_a_kilowatt_hour_is_a_thousand() -> None:
    w = World()
    about = event("Started", evse=1, meterValue=register(5.4321, "Transaction.Begin", 1, "kWh"))
    w.says("TransactionEvent", about, start(wh=5432))


def test_a_security_event_that_the_csms_does_not_know_is_acknowledged() -> None:
    w = World()
    about = {"type": "MemoryExhaustion", "timestamp": "2026-03-01T10:00:00Z"}
    w.says("SecurityEventNotification", about, to_csms("SecurityEventNotification", about))
    w.refused("csms", "NotImplemented", w.answer({}))


def test_a_trigger_without_a_connector_has_no_evse() -> None:
    w = World()
    asked = to_charger("TriggerMessage", {"requestedMessage": "MeterValues"})
    w.obeys(
        "TriggerMessage", {"requestedMessage": "MeterValues"}, asked, {"status": "Accepted"}, {"status": "Accepted"}
    )


def test_a_trigger_of_the_security_extension() -> None:
    w = World()
    asked = to_charger("TriggerMessage", {"requestedMessage": "SignChargingStationCertificate"})
    accepted = {"status": "Accepted"}
    w.obeys("ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"}, asked, accepted, accepted)
