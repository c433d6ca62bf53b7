"""StartTransaction and StopTransaction (spec 3.2, 3.4, 4.5, 4.7, 4.8, 8.1, 8.3)."""

from __future__ import annotations

from typing import Any

import pytest

from translators.facts import RemoteStart, Token
from translators.losses import Loss

from .conversation import AT, OK, TOKEN, Charger, ended, start, started, status_of, stop, talk, updated, wh


def test_a_refused_token_is_told_and_the_charger_stops() -> None:
    c = Charger()
    c.says("StartTransaction", start(), started())
    info = {"status": "NotAtThisTime", "groupIdToken": {"idToken": "FLEET", "type": "Central"}, "language1": "de"}
    told = {"status": "Blocked", "parentIdTag": "FLEET"}
    c.hears({"idTokenInfo": info}, c.answer({"transactionId": "$int:tid1", "idTagInfo": told}))
    assert Loss("idTokenInfo.status", "folded") in c.play.losses
    assert Loss("idTokenInfo.language1", "dropped") in c.play.losses
    c.passes(
        "StopTransaction",
        stop(meter=1000, minute=2, reason="DeAuthorized"),
        ended(1, 2, meter=1000, trigger="Deauthorized", reason="DeAuthorized"),
        {},
        {},
    )


REASONS: list[tuple[str | None, str, str, bool]] = [
    (None, "Local", "StopAuthorized", True),
    ("Local", "Local", "StopAuthorized", True),
    ("Remote", "Remote", "RemoteStop", False),
    ("DeAuthorized", "DeAuthorized", "Deauthorized", False),
    ("EVDisconnected", "EVDisconnected", "EVCommunicationLost", False),
    ("EmergencyStop", "EmergencyStop", "AbnormalCondition", False),
    ("HardReset", "ImmediateReset", "ResetCommand", False),
    ("SoftReset", "ImmediateReset", "ResetCommand", False),
    ("PowerLoss", "PowerLoss", "AbnormalCondition", False),
    ("Reboot", "Reboot", "AbnormalCondition", False),
    ("UnlockCommand", "Remote", "UnlockCommand", False),
    ("Other", "Other", "ChargingStateChanged", False),
    ("Whatever", "Other", "ChargingStateChanged", False),
]


@pytest.mark.parametrize(("reason", "stopped", "trigger", "with_token"), REASONS)
def test_every_stop_reason(reason: str | None, stopped: str, trigger: str, with_token: bool) -> None:
    c = Charger()
    c.starts()
    given: dict[str, Any] = {"idTag": "04a1b2c3", **({"reason": reason} if reason else {})}
    more: dict[str, Any] = {"idToken": TOKEN} if with_token else {}
    state = "Idle" if reason == "EVDisconnected" else None
    c.passes("StopTransaction", stop(**given), ended(1, trigger=trigger, reason=stopped, state=state, **more), {}, {})
    assert (Loss("idTag", "dropped") in c.play.losses) is not with_token


def test_other_while_a_fault_is_active() -> None:
    c = Charger()
    c.starts()
    c.says(
        "StatusNotification",
        {"connectorId": 1, "errorCode": "GroundFailure", "status": "Faulted", "timestamp": AT.format(2)},
        status_of(1, "Faulted", AT.format(2)),
    )
    c.hears({}, c.answer({}), updated(1, 2, reason="AbnormalCondition"))
    c.refused("InternalError", ("csms", [2, "$uuid", "NotifyEvent", "$any"]))
    c.hears({})
    c.passes("StopTransaction", stop(reason="Other"), ended(2, trigger="AbnormalCondition", reason="Other"), {}, {})


def test_folded_reasons_can_be_carried() -> None:
    c = Charger(carry_lossy="customData", vendor_id="org.example.gw")
    c.starts()
    ours = {"vendorId": "org.example.gw"}
    custom = {"customData": ours | {"reason16": "SoftReset"}}
    final = wh(2500, "Transaction.End") | {"customData": ours | {"meterStop": True}}
    values = [{"timestamp": AT.format(20), "sampledValue": [final]}]
    c.passes(
        "StopTransaction",
        stop(reason="SoftReset"),
        ended(1, trigger="ResetCommand", reason="ImmediateReset", info=custom, values=values),
        {},
        {},
    )
    assert Loss("reason", "folded") not in c.play.losses


def test_a_repeated_stop_gets_the_same_answer() -> None:
    c = Charger()
    c.starts()
    info = {"idTagInfo": {"status": "Accepted"}}
    c.passes("StopTransaction", stop(idTag="04A1B2C3"), ended(1, idToken=TOKEN), OK, info)
    c.local("StopTransaction", stop(idTag="04A1B2C3"), info)
    c.local("StopTransaction", stop(minute=21), {})


def test_a_stop_that_the_csms_refused_keeps_its_number() -> None:
    c = Charger()
    c.starts()
    c.says("StopTransaction", stop(), ended(1))
    c.refused("InternalError", c.error("InternalError"))
    c.passes("StopTransaction", stop(), ended(1), {}, {})
    assert c.play.facts.ended[0].next_seq == 2


def test_a_repeated_start_on_its_way_is_answered_once_under_the_newest_id() -> None:
    c = Charger()
    c.says("StartTransaction", start(), started())
    c.says("StartTransaction", start())
    c.hears(OK, c.answer({"transactionId": "$int", "idTagInfo": {"status": "Accepted"}}))
    assert len(c.play.facts.transactions) == 1


def test_a_repeated_start_after_a_timeout_is_the_same_event() -> None:
    c = Charger()
    c.says("StartTransaction", start(), started())
    first = c.play.bound[c.open]
    assert c.play.take(c.play.translator.expire("csms", first, c.play.clock)) == []
    c.play.step("csms", [3, first, OK])  # too late
    c.status(1, "Charging", status_of(1, "Occupied"))
    c.hears({}, c.answer({}))
    c.says("StartTransaction", start(), started())
    assert c.play.bound[c.open] != first
    answer = c.answer({"transactionId": "$int:tid1", "idTagInfo": {"status": "Accepted"}})
    c.hears(OK, answer, updated(1, state="Charging"))  # what was held back until the start was known
    c.hears({})


def test_an_answer_without_a_verdict() -> None:
    c = Charger()
    c.says("StartTransaction", start(), started())
    c.hears({}, c.answer({"transactionId": "$int", "idTagInfo": {"status": "Accepted"}}))
    assert Loss("idTagInfo.status", "defaulted") in c.play.losses
    c.says("Authorize", {"idTag": "GUEST"}, ("csms", [2, "$uuid", "Authorize", "$any"]))
    c.hears({"idTokenInfo": {"status": "Blocked"}}, c.answer({"idTagInfo": {"status": "Blocked"}}))
    c.says("StartTransaction", start(2, "GUEST"), started(2, token={"idToken": "GUEST", "type": "Central"}))
    c.hears({}, c.answer({"transactionId": "$int", "idTagInfo": {"status": "Blocked"}}))


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("Charging", "Charging"),
        ("SuspendedEV", "SuspendedEV"),
        ("SuspendedEVSE", "SuspendedEVSE"),
        ("Preparing", "EVConnected"),
        ("Finishing", "EVConnected"),
        ("Available", "EVConnected"),
        ("Reserved", "EVConnected"),
    ],
)
def test_the_state_at_the_start(status: str, state: str) -> None:
    c = Charger()
    c.status(1, status, ("csms", [2, "$uuid", "StatusNotification", "$any"]))
    c.hears({}, c.answer({}))
    c.starts(state=state)


def test_no_authorization_and_reservations() -> None:
    c = Charger()
    nobody = {"idToken": "", "type": "NoAuthorization"}
    c.says("StartTransaction", start(1, "noauth", reservationId=0), started(token=nobody))
    c.hears(OK, c.answer({"transactionId": "$int", "idTagInfo": {"status": "Accepted"}}))
    assert Loss("reservationId", "dropped") in c.play.losses
    c.says("StartTransaction", start(2, reservationId=7), started(2, reservationId=7))


def remote(c: Charger, connector: int, tag: str = "APP-1", number: int = 7, kind: str = "Central") -> None:
    token = Token(idToken=tag, type=kind)
    pending = RemoteStart(
        remote_start_id=number, id_tag=tag, token=token, connector=connector, expires=c.play.clock + 60_000
    )
    c.play.facts.remote_starts.append(pending)


def test_the_oldest_remote_start_of_the_tag_and_connector_is_meant() -> None:
    c = Charger()
    for connector, number in ((2, 6), (0, 7), (1, 8)):
        remote(c, connector, number=number)
    token = {"idToken": "APP-1", "type": "Central"}
    c.local("Authorize", {"idTag": "app-1"}, {"idTagInfo": {"status": "Accepted"}})
    c.starts(1, "app-1", token=token, reason="RemoteStart", info={"remoteStartId": 7})
    assert [each.remote_start_id for each in c.play.facts.remote_starts] == [6, 8]
    c.play.clock += 61_000
    c.says("StartTransaction", start(2, "APP-1"), started(2, token=token))


def test_a_remote_start_with_a_card_is_still_authorised_by_the_csms() -> None:
    c = Charger()
    remote(c, 1, "04A1B2C3", kind="ISO14443")
    c.says("Authorize", {"idTag": "04A1B2C3"}, ("csms", [2, "$uuid", "Authorize", {"idToken": TOKEN}]))


def test_a_connector_that_starts_anew_ends_what_it_had() -> None:
    c = Charger()
    c.starts()
    c.says(
        "MeterValues",
        {
            "connectorId": 1,
            "transactionId": "$int:tid1",
            "meterValue": [{"timestamp": AT.format(3), "sampledValue": [{"value": "1.75", "unit": "kWh"}]}],
        },
        ("csms", [2, "$uuid", "TransactionEvent", "$any"]),
    )
    c.hears({}, c.answer({}))
    second = start(1, "GUEST", 1800, 5)
    orphan = ended(2, 5, meter=1750, trigger="AbnormalCondition", reason="Other")
    c.says("StartTransaction", second, orphan)
    c.play.bound["$uuid:old"] = c.play.bound.pop("$uuid:tx1")
    c.hears({}, started(1, meter=1800, minute=5, token={"idToken": "GUEST", "type": "Central"}))
    c.hears(OK, c.answer({"transactionId": "$int:new", "idTagInfo": {"status": "Accepted"}}))
    assert c.play.bound["$int:new"] > c.play.bound["$int:tid1"]
    assert Loss("TransactionEvent", "synthesised") in c.play.losses


@pytest.mark.parametrize("number", [-1, 0, 4711, 9223372036854775807])
def test_a_stop_by_a_number_nobody_gave_means_the_only_open_transaction(number: int) -> None:
    c = Charger()
    c.starts()
    payload = stop() | {"transactionId": number}
    c.passes("StopTransaction", payload, ended(1), {}, {})
    c.local("StopTransaction", payload, {})


def test_with_two_open_transactions_nobody_guesses() -> None:
    c = Charger()
    c.starts(1)
    c.starts(2)
    c.local("StopTransaction", stop() | {"transactionId": -1}, {})
    assert Loss("StopTransaction", "dropped") in c.play.losses


def test_a_stop_from_before_the_start_is_not_meant() -> None:
    c = Charger()
    c.starts()
    c.local("StopTransaction", stop(minute=0) | {"transactionId": -1}, {})


def test_the_stop_of_a_start_that_was_never_taken_tells_both() -> None:
    c = Charger()
    c.says("StartTransaction", start(), started())
    c.refused("InternalError", c.error("InternalError"))
    c.says("StopTransaction", stop() | {"transactionId": -1}, started())
    c.hears(OK, ended(1))
    c.hears({}, c.answer({}))


def test_an_unknown_stop_can_be_told_as_a_pair() -> None:
    c = Charger(unknown_tx_policy="synthesize")
    data = [
        {"timestamp": AT.format(3), "sampledValue": [{"value": "0.9", "unit": "kWh", "context": "Transaction.Begin"}]}
    ]
    begin = {"value": 0.9, "context": "Transaction.Begin", "unitOfMeasure": {"unit": "kWh"}}
    payload = stop() | {"transactionId": -1, "transactionData": data, "idTag": "04A1B2C3"}
    mark = {"customData": {"vendorId": "$any", "synthetic": True}}
    side, first = started(1, meter=900, minute=3, **mark)
    del first[3]["evse"]
    c.says("StopTransaction", payload, (side, first))
    values = [
        {"timestamp": AT.format(3), "sampledValue": [begin]},
        {"timestamp": AT.format(20), "sampledValue": [wh(2500, "Transaction.End")]},
    ]
    c.hears(OK, ended(1, values=values, idToken=TOKEN, **mark))
    c.hears({}, c.answer({}))
    c.local("StopTransaction", payload, {})
    c.says(
        "StopTransaction", stop(minute=30) | {"transactionId": -1}, ("csms", [2, "$uuid", "TransactionEvent", "$any"])
    )


def test_a_clock_that_was_never_set_makes_no_two_sessions_one() -> None:
    c = Charger()
    payload = start() | {"timestamp": "1970-01-01T00:00:10Z"}
    for number in ("first", "second"):
        c.count += 1
        left = c.play.feed("charger", [2, number, "StartTransaction", payload])
        frame = left[-1][1]
        if number == "second":  # the orphan's end goes first
            left = c.play.feed("csms", [3, frame[1], {}])
            frame = left[-1][1]
        assert frame[3]["timestamp"] == "2026-03-01T12:00:00Z"
        c.play.feed("csms", [3, frame[1], OK])
    assert Loss("timestamp", "defaulted") in c.play.losses
    assert [each.state for each in [*c.play.facts.ended, *c.play.facts.transactions]] == ["ended", "open"]


def test_a_start_from_before_the_connection_is_offline() -> None:
    c = Charger()
    c.play.facts.connected_at = c.play.clock
    c.starts(offline=True)


def test_the_minted_number_is_the_charger_s() -> None:
    play = talk()
    play.translator.receive("charger", _call("StartTransaction", start(1)), play.clock, key="k1", tx=77)
    play.translator.receive("charger", _call("StartTransaction", start(2)), play.clock)
    assert [each.tid for each in play.facts.transactions] == [77, 78]


def _call(action: str, payload: dict[str, Any]) -> Any:
    import json

    from translators.frames import decode

    return decode(json.dumps([2, "x", action, payload]))


def test_numbers_start_at_the_present_second() -> None:
    c = Charger()
    c.starts()
    assert c.play.bound["$int:tid1"] == c.play.clock // 1000


def test_costs_for_a_charger_that_shows_them() -> None:
    c = Charger(features=["costmsg"])
    c.starts()
    c.says("StopTransaction", stop(), ended(1))
    data = {"$json": {"transactionId": "$int:tid1", "cost": 1.25, "priceText": "Thanks"}}
    final = (
        "charger",
        [
            2,
            "$uuid:cost",
            "DataTransfer",
            {"vendorId": "org.openchargealliance.costmsg", "messageId": "FinalCost", "data": data},
        ],
    )
    message = {"format": "UTF8", "content": "Thanks"}
    c.hears({"totalCost": 1.25, "updatedPersonalMessage": message}, c.answer({}), final)
    c.play.step("charger", [3, "$uuid:cost", {"status": "Accepted"}])


def test_a_reset_that_waits_for_the_last_transaction() -> None:
    c = Charger()
    c.starts()
    c.play.facts.reset_when_idle = True
    c.says("StopTransaction", stop(), ended(1))
    c.hears({}, c.answer({}), ("charger", [2, "$uuid", "Reset", {"type": "Soft"}]))


def test_a_late_refusal_in_an_update_stops_the_transaction() -> None:
    c = Charger()
    c.starts()
    c.status(1, "Charging", status_of(1, "Occupied"))
    c.hears({}, c.answer({}), updated(1, state="Charging"))
    remote_stop = ("charger", [2, "$uuid:stop", "RemoteStopTransaction", {"transactionId": "$int:tid1"}])
    c.hears({"idTokenInfo": {"status": "Invalid"}}, remote_stop)
    c.play.step("charger", [3, "$uuid:stop", {"status": "Rejected"}])
    c.play.wait(10, ("charger", [2, "$uuid:again", "RemoteStopTransaction", {"transactionId": "$int:tid1"}]))
    c.play.step("charger", [3, "$uuid:again", {"status": "Accepted"}])
    c.passes(
        "StopTransaction",
        stop(reason="Remote"),
        ended(2, trigger="Deauthorized", reason="DeAuthorized", state="EVConnected"),
        {},
        {},
    )


def test_ended_transactions_are_forgotten_after_a_week() -> None:
    c = Charger()
    c.starts()
    c.passes("StopTransaction", stop(), ended(1), {}, {})
    c.play.clock += 8 * 86_400_000
    del c.play.bound["$uuid:tx1"]
    c.says("StartTransaction", start(1, meter=9), ("csms", [2, "$uuid", "TransactionEvent", "$any"]))
    assert len(c.play.facts.transactions) == 1


def test_a_tag_with_junk_behind_it() -> None:
    c = Charger()
    c.starts()
    c.passes(
        "StopTransaction",
        stop(idTag="04a1b2c3\x10\x0e"),
        ended(1, idToken=TOKEN),
        OK,
        {"idTagInfo": {"status": "Accepted"}},
    )


def test_a_tag_longer_than_1_6_allows() -> None:
    c = Charger()
    tag = "123456789012345678901234567890123456789"
    c.says("StartTransaction", start(1, tag), started(token={"idToken": tag[:36], "type": "Central"}))
    assert Loss("idTag", "shortened") in c.play.losses


def test_the_profile_of_a_remote_start_ends_with_its_transaction() -> None:
    c = Charger()
    remote(c, 1)
    schedule = {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.0}]}
    profile = {
        "id": 11,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": [schedule],
    }
    c.play.facts.remote_starts[0].profile = profile
    c.starts(1, "APP-1", token={"idToken": "APP-1", "type": "Central"}, reason="RemoteStart", info={"remoteStartId": 7})
    asked = {"requestId": 1, "evseId": 1, "chargingProfile": {"chargingProfilePurpose": "TxProfile"}}
    left = c.play.feed("csms", [2, "s1", "GetChargingProfiles", asked])
    assert left[1][1][3]["chargingProfile"] == [profile | {"transactionId": c.play.bound["$uuid:tx1"]}]
    c.play.feed("csms", [3, left[1][1][1], {}])
    c.passes("StopTransaction", stop(), ended(1), {}, {})
    left = c.play.feed("csms", [2, "s2", "GetChargingProfiles", asked | {"requestId": 2}])
    assert [frame[2] for _, frame in left] == [{"status": "NoProfiles"}]
