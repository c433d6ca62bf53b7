"""TransactionEvent: the guard, the registers, the history of the status, retries (spec 2.5, 2.7, 2.8, 3.3, 6.21, 8.1)."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from translators.models import v201

from .conversation import (
    ACCEPTED,
    AT,
    OK,
    TAG,
    TOKEN,
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

INVALID = {"idTokenInfo": {"status": "Invalid"}}
FINISHING = status_of(1, "Finishing", 9)


def data(value: str, minute: int = 9) -> list[dict[str, Any]]:
    sample = {"value": value, "context": "Transaction.End", "unit": "Wh"}
    return [{"timestamp": AT.format(minute), "sampledValue": [sample]}]


def meter(value: str, minute: int, tid: int = 987, connector: int = 1, context: str = "Sample.Periodic") -> Any:
    sample = {"value": value, "context": context, "unit": "Wh"}
    values = [{"timestamp": AT.format(minute), "sampledValue": [sample]}]
    return to_csms("MeterValues", {"connectorId": connector, "transactionId": tid, "meterValue": values})


def test_a_session() -> None:
    w = World()
    w.status("Occupied", "Preparing")
    w.starts()
    charging = event("Updated", seq=1, minute=2, trigger="ChargingStateChanged", state="Charging")
    w.passes("TransactionEvent", charging, status_of(1, "Charging", 2), {}, {})
    metered = event("Updated", seq=2, minute=3, trigger="MeterValuePeriodic", state=None, wh=6000)
    w.passes("TransactionEvent", metered, meter("6000", 3), {}, {})
    ended = event("Ended", seq=3, minute=9, trigger="StopAuthorized", token=TOKEN, wh=7500, reason="Local")
    w.says("TransactionEvent", ended, stop(7500, data=data("7500"), idTag=TAG))
    w.csms(OK, w.answer(ACCEPTED), FINISHING)
    w.csms({})
    w.status("Available", "Available", minute=10)
    assert w.facts.transactions == [] and w.facts.ended[0].state == "ended"


def test_samples_and_status_in_one_event_are_two_messages() -> None:
    w = World()
    w.starts()
    both = event("Updated", seq=1, minute=2, trigger="ChargingStateChanged", state="Charging", wh=5001)
    w.says("TransactionEvent", both, meter("5001", 2))
    w.csms({}, w.answer({}), status_of(1, "Charging", 2))
    w.csms({})


def test_a_status_that_fails_after_the_meter_values_fails_alone() -> None:
    w = World()
    w.starts()
    both = event("Updated", seq=1, minute=2, trigger="ChargingStateChanged", state="Charging", wh=5001)
    w.says("TransactionEvent", both, meter("5001", 2))
    w.csms({}, w.answer({}), status_of(1, "Charging", 2))
    w.refused("csms", "InternalError")
    w.passes("TransactionEvent", event("Updated", seq=2, minute=3, state=None), status_of(1, "Charging", 3), {}, {})


# The guard


def test_a_refused_start_tells_the_charger_although_its_event_had_no_token() -> None:
    w = World()
    w.local("TransactionEvent", event("Started", seq=0, state="EVConnected", evse=1, idToken=()), {})
    w.says("Authorize", {"idToken": TOKEN}, to_csms("Authorize", {"idTag": TAG}))
    w.csms(OK, w.answer(ACCEPTED))
    w.says("TransactionEvent", event("Updated", seq=1, minute=2, token=TOKEN), start(minute=2))
    w.csms({"transactionId": 0, "idTagInfo": {"status": "Blocked"}}, w.answer({"idTokenInfo": {"status": "Blocked"}}))
    ended = event("Ended", seq=2, minute=9, trigger="Deauthorized", reason="DeAuthorized", state=None)
    w.says("TransactionEvent", ended, stop(5000, reason="DeAuthorized", tid=0))
    w.csms({}, w.answer({}), FINISHING)
    w.csms({})


def test_an_event_without_a_token_is_told_of_a_refusal() -> None:
    w = World()
    held = event("Started", state="Idle", meterValue=())
    w.says("TransactionEvent", held, to_csms("Authorize", {"idTag": TAG}))
    w.csms(OK, w.answer(ACCEPTED))
    plugged = event("Updated", seq=1, minute=2, trigger="CablePluggedIn", evse=1, wh=100)
    w.says("TransactionEvent", plugged, start(wh=100, minute=2))
    w.csms({"transactionId": -1, "idTagInfo": {"status": "Invalid"}}, w.answer(INVALID))


def test_a_held_start_is_answered_from_an_authorize_of_the_last_minutes() -> None:
    w = World()
    w.passes("Authorize", {"idToken": TOKEN}, to_csms("Authorize", {"idTag": TAG}), OK, ACCEPTED)
    w.local("TransactionEvent", event("Started", state="Idle"), ACCEPTED)
    w.play.clock += 601_000
    w.says("TransactionEvent", event("Updated", seq=1, state="Idle", token=TOKEN), to_csms("Authorize", {"idTag": TAG}))
    w.csms({"idTagInfo": {"status": "Expired"}}, w.answer({"idTokenInfo": {"status": "Expired"}}))


def test_authorized_is_enough_if_the_option_says_so() -> None:
    w = World(start_on="authorized")
    w.says("TransactionEvent", event("Started", state="Idle", evse=1), start())
    w.csms({"transactionId": 5, **OK}, w.answer(ACCEPTED))


def test_a_start_without_a_charging_state_is_a_start() -> None:
    w = World()
    w.says("TransactionEvent", event("Started", state=None, evse=1), start())


def test_a_transaction_that_never_starts_leaves_no_trace() -> None:
    w = World()
    w.local("TransactionEvent", event("Started", evse=1, idToken=()), {})
    w.local("TransactionEvent", event("Updated", seq=1, state="EVConnected", wh=6000), {})
    w.local("TransactionEvent", event("Ended", seq=2, state="Idle", reason="EVDisconnected"), {})
    assert w.facts.transactions == [] and w.facts.ended[0].state == "ended"


def test_the_token_of_a_remote_start_counts_for_an_event_without_one() -> None:
    w = World()
    w.commands(
        "RemoteStartTransaction",
        {"connectorId": 1, "idTag": TAG},
        to_charger("RequestStartTransaction", {"evseId": 1, "remoteStartId": "$int:rs", "idToken": TOKEN}),
    )
    w.charger({"status": "Accepted"}, w.result({"status": "Accepted"}))
    started = event("Started", trigger="RemoteStart", evse=1, idToken=())
    started["transactionInfo"]["remoteStartId"] = "$int:rs"
    w.says("TransactionEvent", started, start())
    w.csms({"transactionId": 5, **OK}, w.answer({}))


def test_a_transaction_that_ran_before_the_remote_start_gets_its_token() -> None:
    w = World()
    w.local("TransactionEvent", event("Started", evse=1, idToken=()), {})
    w.commands(
        "RemoteStartTransaction",
        {"idTag": TAG},
        to_charger("RequestStartTransaction", {"remoteStartId": "$int", "idToken": TOKEN}),
    )
    w.charger({"status": "Accepted", "transactionId": "TX-1"}, w.result({"status": "Accepted"}))
    w.says("TransactionEvent", event("Updated", seq=1, minute=2, trigger="RemoteStart"), start(minute=2))


def test_a_reservation_goes_along_but_never_number_0() -> None:
    w = World()
    w.says("TransactionEvent", event("Started", evse=1, reservationId=7), start(reservationId=7))
    w = World()
    w.says("TransactionEvent", event("Started", evse=1, reservationId=0), start())


# Registers


def test_kilowatt_hours_and_multipliers_are_whole_watt_hours() -> None:
    for value, unit, multiplier, wh in (
        (5, "kWh", 0, 5000),
        (5.0005, "kWh", 0, 5000),  # half to the even
        (5.0015, "kWh", 0, 5002),
        (12, "Wh", 2, 1200),
        (1.5, "kWh", -1, 150),
    ):
        w = World()
        values = register(value, "Transaction.Begin", 1, unit)
        values[0]["sampledValue"][0]["unitOfMeasure"]["multiplier"] = multiplier
        w.says("TransactionEvent", event("Started", evse=1, meterValue=values), start(wh=wh))


def test_phases_are_summed_if_nothing_else_is_read() -> None:
    samples = [{"value": 100 * n, "context": "Transaction.Begin", "phase": f"L{n}"} for n in (1, 2, 3)]
    w = World()
    values = [{"timestamp": AT.format(1), "sampledValue": samples}]
    w.says("TransactionEvent", event("Started", evse=1, meterValue=values), start(wh=600))


def test_phases_of_one_time_are_summed_wherever_they_are() -> None:
    w = World()
    values = [
        {"timestamp": AT.format(minute), "sampledValue": [{"value": 100 * n, "phase": f"L{n}"}]}
        for minute in (2, 1)
        for n in (1, 2, 3)
    ]
    values[-1]["sampledValue"] = [{"value": 1, "phase": "L3"}]
    w.says("TransactionEvent", event("Started", evse=1, meterValue=values), start(wh=600))


def test_the_newest_register_of_the_evse_stands_in_for_a_missing_one() -> None:
    w = World()
    values = register(4321, "Sample.Clock", 0)
    told = {"connectorId": 1, "meterValue": [{"timestamp": AT.format(0), "sampledValue": [
        {"value": "4321", "context": "Sample.Clock", "unit": "Wh"}]}]}  # fmt: skip
    w.passes("MeterValues", {"evseId": 1, "meterValue": values}, to_csms("MeterValues", told), {}, {})
    w.says("TransactionEvent", event("Started", evse=1, meterValue=()), start(wh=4321))


def test_a_start_without_any_register_waits_for_the_next_event() -> None:
    w = World()
    w.passes("Authorize", {"idToken": TOKEN}, to_csms("Authorize", {"idTag": TAG}), OK, ACCEPTED)
    w.local("TransactionEvent", event("Started", evse=1, meterValue=()), ACCEPTED)
    w.says("TransactionEvent", event("Updated", seq=1, minute=2, state="Charging", wh=7000), start(wh=7000))
    w.csms({"transactionId": 5, **OK}, w.answer({}), status_of(1, "Charging", 2))


def test_without_any_register_only_what_was_charged_since_is_told() -> None:
    """No phantom energy: never an absolute register against a start at 0."""
    w = World()
    w.passes("Authorize", {"idToken": TOKEN}, to_csms("Authorize", {"idTag": TAG}), OK, ACCEPTED)
    w.local("TransactionEvent", event("Started", evse=1, meterValue=()), ACCEPTED)
    w.waits(9)
    w.waits(2, start(wh=0))
    w.csms({"transactionId": 987, **OK})
    w.passes("TransactionEvent", event("Updated", seq=1, minute=3, wh=900_000), meter("900000", 3), {}, {})
    ended = event("Ended", seq=2, minute=9, wh=901_500, reason="Local", state=None)
    w.says("TransactionEvent", ended, stop(1500, data=data("901500")))
    w.csms({}, w.answer({}), FINISHING)


def test_a_transaction_that_never_shows_a_register_charges_nothing() -> None:
    w = World()
    w.passes("Authorize", {"idToken": TOKEN}, to_csms("Authorize", {"idTag": TAG}), OK, ACCEPTED)
    w.local("TransactionEvent", event("Started", evse=1, meterValue=()), ACCEPTED)
    w.says("TransactionEvent", event("Ended", seq=1, minute=9, reason="Local", state=None), start(wh=0))
    w.csms({"transactionId": 987, **OK}, stop(0))
    w.csms({}, w.answer({}), FINISHING)


def test_a_start_that_waits_is_told_when_meter_values_come() -> None:
    w = World()
    w.passes("Authorize", {"idToken": TOKEN}, to_csms("Authorize", {"idTag": TAG}), OK, ACCEPTED)
    w.local("TransactionEvent", event("Started", evse=1, meterValue=()), ACCEPTED)
    told = {"connectorId": 1, "meterValue": "$any"}
    w.says("MeterValues", {"evseId": 1, "meterValue": register(800)}, to_csms("MeterValues", told), start(wh=800))


def test_the_event_after_a_start_that_waited_waits_for_its_answer() -> None:
    w = World()
    w.passes("Authorize", {"idToken": TOKEN}, to_csms("Authorize", {"idTag": TAG}), OK, ACCEPTED)
    w.local("TransactionEvent", event("Started", evse=1, meterValue=()), ACCEPTED)
    w.waits(10, start(wh=0))
    w.says("TransactionEvent", event("Updated", seq=1, minute=3, wh=50))
    w.csms({"transactionId": 987, **OK}, meter("50", 3))
    w.csms({}, w.answer({}))


def test_meter_stop_is_the_last_register_if_the_end_shows_none() -> None:
    w = World()
    w.starts()
    w.passes("TransactionEvent", event("Updated", seq=1, minute=3, wh=5250), meter("5250", 3), {}, {})
    w.says("TransactionEvent", event("Ended", seq=2, minute=9, reason="GroundFault"), stop(5250, reason="Other"))


def test_meter_stop_is_meter_start_if_nothing_was_read() -> None:
    w = World()
    w.starts()
    w.says("TransactionEvent", event("Ended", seq=1, minute=9), stop(5000))


def test_samples_that_1_6_does_not_know_are_left_out() -> None:
    samples = [
        {"value": 12, "measurand": "Energy.Active.Net"},
        {"value": 1, "measurand": "Energy.Active.Import.Register", "unitOfMeasure": {"unit": "ft"}},
    ]
    w = World()
    w.starts()
    values = [{"timestamp": AT.format(2), "sampledValue": samples}]
    w.local("TransactionEvent", event("Updated", seq=1, meterValue=values), {})
    assert {loss.field for loss in w.play.losses} >= {"seqNo"}


def test_a_signed_sample_is_two() -> None:
    signed = {"signedMeterData": "T0NNRg==", "signingMethod": "", "encodingMethod": "OCMF", "publicKey": ""}
    sample = {"value": 5.1, "context": "Transaction.End", "unitOfMeasure": {"unit": "kWh"}, "signedMeterValue": signed}
    w = World()
    w.starts()
    values = [{"timestamp": AT.format(9), "sampledValue": [sample]}]
    same = {"context": "Transaction.End", "unit": "kWh"}
    told = [{"timestamp": AT.format(9), "sampledValue": [
        {"value": "5.1", "format": "Raw", **same},
        {"value": {"$json": signed}, "format": "SignedData", **same}]}]  # fmt: skip
    w.says("TransactionEvent", event("Ended", seq=1, minute=9, meterValue=values), stop(5100, data=told))


def test_the_rest_of_the_event_that_starts_it_follows() -> None:
    w = World()
    w.passes("Authorize", {"idToken": TOKEN}, to_csms("Authorize", {"idTag": TAG}), OK, ACCEPTED)
    w.local("TransactionEvent", event("Started", state="Idle", meterValue=()), ACCEPTED)
    values = register(10, "Transaction.Begin", 2)
    values[0]["sampledValue"].append(
        {"value": 3.7, "measurand": "Power.Active.Import", "unitOfMeasure": {"unit": "kW"}}
    )
    w.says("TransactionEvent", event("Updated", seq=1, minute=2, evse=1, meterValue=values), start(wh=10, minute=2))
    told = {"connectorId": 1, "transactionId": 5, "meterValue": [{"timestamp": AT.format(2), "sampledValue": [
        {"value": "3.7", "measurand": "Power.Active.Import", "unit": "kW"}]}]}  # fmt: skip
    w.csms({"transactionId": 5, **OK}, w.answer({}), to_csms("MeterValues", told))


def test_a_register_that_is_not_the_start_is_told() -> None:
    w = World()
    w.passes("Authorize", {"idToken": TOKEN}, to_csms("Authorize", {"idTag": TAG}), OK, ACCEPTED)
    w.local("TransactionEvent", event("Started", state="Idle", evse=1), ACCEPTED)
    charging = event("Updated", seq=1, minute=2, state="Charging", wh=5001)
    w.says("TransactionEvent", charging, start(wh=5000, minute=2))
    w.csms({"transactionId": 5, **OK}, w.answer({}), meter("5001", 2, tid=5))
    w.csms({}, status_of(1, "Charging", 2))


# Status by history


def state(w: World, seq: int, now: str, told: str | None, trigger: str = "ChargingStateChanged", **more: Any) -> None:
    payload = event("Updated", seq=seq, minute=2, trigger=trigger, state=now)
    if told is None:
        w.local("TransactionEvent", payload, {})
    else:
        w.passes("TransactionEvent", payload, status_of(1, told, 2, **more), {}, {})


UNPLUGGED = {"info": "EV side disconnected"}


def test_the_status_that_each_charging_state_makes() -> None:
    w = World()
    w.status("Occupied", "Preparing")
    w.starts()
    state(w, 1, "EVConnected", None)
    state(w, 2, "Charging", "Charging")
    state(w, 3, "SuspendedEV", "SuspendedEV")
    state(w, 4, "SuspendedEVSE", "SuspendedEVSE")
    state(w, 5, "EVConnected", "SuspendedEV")
    state(w, 6, "Charging", "Charging")
    state(w, 7, "Idle", "SuspendedEV", **UNPLUGGED)
    state(w, 8, "Charging", "Charging")
    state(w, 9, "EVConnected", "Finishing", trigger="StopAuthorized")


def test_a_connector_that_is_out_of_order_stays_so_whatever_the_transaction_does() -> None:
    w = World()
    w.starts()
    w.status("Unavailable", "Unavailable")
    state(w, 1, "Charging", None)
    w.status("Occupied", "Charging")
    w.passes("StatusNotification", reported("Faulted"), status_of(1, "Faulted", code="OtherError"), {}, {})


def test_an_ev_that_left_before_the_end_leaves_no_finishing() -> None:
    w = World()
    w.status("Occupied", "Preparing")
    w.starts()
    w.status("Available", "Available", minute=8)
    w.says("TransactionEvent", event("Ended", seq=1, minute=9, reason="EVDisconnected", state="Idle"),
           stop(5000, reason="EVDisconnected"))  # fmt: skip
    w.csms({}, w.answer({}))


def test_an_available_from_before_the_start_does_not_count_at_the_end() -> None:
    w = World()
    w.status("Available", "Available")
    w.starts()
    state(w, 1, "Charging", "Charging")
    w.says("TransactionEvent", event("Ended", seq=2, minute=9, reason="EVDisconnected", state="Idle"),
           stop(5000, reason="EVDisconnected"))  # fmt: skip
    w.csms({}, w.answer({}), FINISHING)
    w.csms({})
    w.status("Available", "Available", minute=10)


def test_occupied_after_the_end_is_finishing_and_a_new_transaction_prepares() -> None:
    w = World()
    w.status("Occupied", "Preparing")
    w.starts()
    w.says("TransactionEvent", event("Ended", seq=1, minute=9), stop(5000))
    w.csms({}, w.answer({}), FINISHING)
    w.csms({})
    w.local("StatusNotification", reported("Occupied", minute=9), {})
    new = event("Started", txid="TX-2", minute=10, evse=1, idToken=())
    w.says("TransactionEvent", new, w.answer_next({}), status_of(1, "Preparing", 10))


# The end


@pytest.mark.parametrize(
    ("stopped", "reason"),
    [
        ("Local", "Local"), ("Remote", "Remote"), ("DeAuthorized", "DeAuthorized"),
        ("EVDisconnected", "EVDisconnected"), ("EmergencyStop", "EmergencyStop"), ("ImmediateReset", "HardReset"),
        ("PowerLoss", "PowerLoss"), ("Reboot", "Reboot"), (None, "Local"),
        *((each, "Other") for each in ("MasterPass", "EnergyLimitReached", "TimeLimitReached", "SOCLimitReached",
          "LocalOutOfCredit", "GroundFault", "OvercurrentFault", "PowerQuality", "StoppedByEV", "Timeout", "Other")),
    ],
)  # fmt: skip
def test_stop_reasons(stopped: str | None, reason: str) -> None:
    w = World()
    w.starts()
    w.says("TransactionEvent", event("Ended", seq=1, minute=9, trigger="AbnormalCondition", reason=stopped),
           stop(5000, reason=reason))  # fmt: skip


def test_every_stop_reason_has_a_row() -> None:
    assert len(get_args(v201.Reason)) == 19


@pytest.mark.parametrize(
    ("reset", "stopped", "reason"),
    [
        ("Soft", "ImmediateReset", "SoftReset"),
        ("Hard", "ImmediateReset", "HardReset"),
        ("Soft", "Other", "SoftReset"),
        ("Hard", "PowerLoss", "PowerLoss"),
        ("Hard", "EmergencyStop", "EmergencyStop"),
    ],
)
def test_what_the_csms_asked_for_says_why(reset: str, stopped: str, reason: str) -> None:
    w = World()
    w.starts()
    kind = {"Soft": "OnIdle", "Hard": "Immediate"}[reset]
    w.obeys("Reset", {"type": reset}, to_charger("Reset", {"type": kind}), {"status": "Accepted"},
            {"status": "Accepted"})  # fmt: skip
    w.says("TransactionEvent", event("Ended", seq=1, minute=9, trigger="ResetCommand", reason=stopped),
           stop(5000, reason=reason))  # fmt: skip


def test_an_unlock_by_the_charger_says_so() -> None:
    w = World()
    w.starts()
    w.says("TransactionEvent", event("Ended", seq=1, minute=9, trigger="UnlockCommand", reason="Remote"),
           stop(5000, reason="UnlockCommand"))  # fmt: skip


def test_stop_when_the_token_is_withdrawn_if_the_option_says_so() -> None:
    w = World(stop_on="deauthorized")
    w.starts()
    w.says("TransactionEvent", event("Updated", seq=1, minute=9, trigger="RemoteStop"), stop(5000, reason="Remote"))
    w.csms({}, w.answer({}), FINISHING)
    w.csms({})
    w.local("TransactionEvent", event("Ended", seq=2, minute=12, reason="Remote"), {})


# Retries and identity


def test_the_same_event_is_answered_again_and_told_once() -> None:
    w = World()
    w.starts()
    w.local("TransactionEvent", event("Started", evse=1), ACCEPTED)
    w.passes("TransactionEvent", event("Updated", seq=1, minute=3, wh=6000), meter("6000", 3), {}, {})
    w.local("TransactionEvent", event("Updated", seq=1, minute=3, wh=6000), {})
    w.local("TransactionEvent", event("Updated", seq=1, minute=4, wh=9999), {})
    w.says("TransactionEvent", event("Ended", seq=2, minute=9, token=TOKEN), stop(6000, idTag=TAG))
    w.csms({"idTagInfo": {"status": "Blocked"}}, w.answer({"idTokenInfo": {"status": "Blocked"}}), FINISHING)
    w.csms({})
    w.local("TransactionEvent", event("Ended", seq=2, minute=9, token=TOKEN), {"idTokenInfo": {"status": "Blocked"}})
    w.local("TransactionEvent", event("Updated", seq=7, minute=8, wh=7000), {})


def test_a_charger_that_never_counts_is_understood() -> None:
    w = World()
    w.starts()
    w.passes("TransactionEvent", event("Updated", minute=3, wh=6000), meter("6000", 3), {}, {})
    w.local("TransactionEvent", event("Updated", minute=3, wh=6000), {})
    w.passes("TransactionEvent", event("Updated", minute=4, wh=6100), meter("6100", 4), {}, {})
    w.says("TransactionEvent", event("Ended", minute=9), stop(6100))


def test_an_end_under_a_number_that_came_before_is_an_end() -> None:
    w = World()
    w.starts()
    w.passes("TransactionEvent", event("Updated", seq=2, minute=3, wh=6000), meter("6000", 3), {}, {})
    ended = event("Ended", seq=2, minute=9)
    w.says("TransactionEvent", ended, stop(6000))
    w.csms({}, w.answer({}), FINISHING)
    w.csms({})
    w.local("TransactionEvent", ended, {})


def test_a_refused_start_is_sent_again_as_it_was() -> None:
    w = World()
    w.says("TransactionEvent", event("Started", evse=1), start())
    w.refused("csms", "InternalError", w.error("InternalError"))
    w.says("TransactionEvent", event("Updated", seq=1, minute=2, wh=5100), start())
    w.csms({"transactionId": 5, **OK}, w.answer({}), meter("5100", 2, tid=5))


def test_two_that_start_together_keep_their_numbers() -> None:
    w = World()
    w.says("TransactionEvent", event("Started", evse=1, txid="TX-A"), start(1))
    first = w.open["csms"]
    w.says("TransactionEvent", event("Started", evse=2, txid="TX-B", wh=100), start(2, wh=100))
    w.csms({"transactionId": 22, **OK}, w.answer(ACCEPTED, 2))
    w.open["csms"] = first
    w.csms({"transactionId": 11, **OK}, w.answer(ACCEPTED, 1))
    w.passes("TransactionEvent", event("Updated", txid="TX-A", seq=1, wh=1), meter("1", 1, 11), {}, {})
    w.passes("TransactionEvent", event("Updated", txid="TX-B", seq=1, wh=2), meter("2", 1, 22, 2), {}, {})


@pytest.mark.parametrize("tid", [0, -1, 1, 2**31 - 1])
def test_a_csms_may_give_the_same_number_twice(tid: int) -> None:
    w = World()
    w.starts(tid=tid, txid="TX-A")
    w.says("TransactionEvent", event("Ended", seq=1, minute=9, txid="TX-A"), stop(5000, tid=tid))
    w.csms({}, w.answer({}), FINISHING)
    w.csms({})
    w.says("TransactionEvent", event("Started", evse=2, txid="TX-B"), start(2))
    w.csms({"transactionId": tid, **OK}, w.answer(ACCEPTED))
    w.obeys("RemoteStopTransaction", {"transactionId": tid},
            to_charger("RequestStopTransaction", {"transactionId": "TX-B"}),
            {"status": "Accepted"}, {"status": "Accepted"})  # fmt: skip


def test_an_evse_in_every_event_changes_nothing() -> None:
    w = World()
    w.starts()
    w.passes("TransactionEvent", event("Updated", seq=1, evse=1, wh=6000), meter("6000", 1), {}, {})


def test_the_second_connector_of_an_evse() -> None:
    w = World(topology={"1": [1, 1], "2": [1, 2]})
    w.passes("StatusNotification", reported("Occupied", 1, 0, 2), status_of(2, "Preparing"), {}, {})
    started = event("Started", evse=1)
    started["evse"] = {"id": 1, "connectorId": 2}
    w.says("TransactionEvent", started, start(2))
    w.csms({"transactionId": 5, **OK}, w.answer(ACCEPTED))
    w.passes("MeterValues", {"evseId": 1, "meterValue": register(5100, minute=3)}, meter("5100", 3, 5, 2), {}, {})


def test_an_evse_alone_means_the_connector_that_was_occupied_last() -> None:
    w = World(topology={"1": [1, 1], "2": [1, 2]})
    w.passes("StatusNotification", reported("Occupied", 1, 0, 2), status_of(2, "Preparing"), {}, {})
    started = event("Started", evse=1)
    started["evse"] = {"id": 1}
    w.says("TransactionEvent", started, start(2))
