"""BootNotification, the registration gate, what follows a boot, Authorize (spec 3.1, 3.12, 4.1, 4.2)."""

from __future__ import annotations

from typing import Any

import pytest

from translators.facts import Job
from translators.losses import Loss

from .conversation import AT, OK, TAG, TOKEN, Charger, status_of, to_csms

BOOT = {"chargePointVendor": "ACME", "chargePointModel": "M1"}
STATION = {"vendorName": "ACME", "model": "M1"}


def answer(status: str, interval: int = 300) -> dict[str, Any]:
    return {"currentTime": AT.format(0), "interval": interval, "status": status}


def boot(reason: str = "PowerUp", **station: Any) -> Any:
    return to_csms("BootNotification", {"reason": reason, "chargingStation": {**STATION, **station}})


def boots(c: Charger, reason: str = "PowerUp", status: str = "Accepted") -> None:
    c.passes("BootNotification", BOOT, boot(reason), answer(status), answer(status))


@pytest.mark.parametrize(
    ("given", "station", "lost"),
    [
        ({"chargePointSerialNumber": "S1"}, {"serialNumber": "S1"}, []),
        ({"chargePointSerialNumber": "", "chargeBoxSerialNumber": "B1"}, {"serialNumber": "B1"}, []),
        (
            {"chargePointSerialNumber": "S1", "chargeBoxSerialNumber": "B1"},
            {"serialNumber": "S1"},
            ["chargeBoxSerialNumber dropped"],
        ),
        ({"chargePointSerialNumber": "S" * 34}, {"serialNumber": "S" * 25}, ["chargePointSerialNumber shortened"]),
        ({"firmwareVersion": "1.2"}, {"firmwareVersion": "1.2"}, []),
        ({"iccid": "8931", "imsi": ""}, {"modem": {"iccid": "8931"}}, []),
        ({"iccid": "", "imsi": None}, {}, []),
        ({"meterType": "M", "meterSerialNumber": "7"}, {}, ["meterType dropped", "meterSerialNumber dropped"]),
        ({"chargePointVendor": ""}, {"vendorName": "unknown"}, ["chargePointVendor defaulted"]),
    ],
)
def test_who_the_station_is(given: dict[str, Any], station: dict[str, Any], lost: list[str]) -> None:
    c = Charger(registered=False)
    c.says("BootNotification", {**BOOT, **given}, boot(**station))
    assert [f"{loss.field} {loss.kind}" for loss in c.play.losses] == lost


@pytest.mark.parametrize("status", ["Accepted", "Pending", "Rejected"])
def test_what_the_csms_says_of_it(status: str) -> None:
    c = Charger(registered=False)
    reply = answer(status, 0) | {"statusInfo": {"reasonCode": "X"}, "currentTime": "2026-03-01T10:00:00.123456+00:00"}
    told = answer(status, 0) | {"currentTime": "2026-03-01T10:00:00.123Z"}
    c.passes("BootNotification", BOOT, boot(), reply, told)
    assert (c.play.facts.registration, c.play.facts.interval) == (status, 0)
    assert Loss("statusInfo", "dropped") in c.play.losses
    if status == "Accepted":
        c.passes(
            "Heartbeat", {}, to_csms("Heartbeat", {}), {"currentTime": AT.format(1)}, {"currentTime": AT.format(1)}
        )
        return
    c.says("Heartbeat", {}, ("charger", [4, "c2", "SecurityError", "$any", {}]))
    c.says("StatusNotification", {}, ("charger", [4, "c3", "SecurityError", "$any", {}]))
    c.play.facts.triggers = {"StatusNotification:1": c.play.clock + 1000}
    if status == "Pending":
        c.reported(1, "Available", "Available")
    boots(c, status="Accepted")
    c.reported(2, "Available", "Available")


STRANGER = to_csms(
    "BootNotification", {"reason": "Unknown", "chargingStation": {"vendorName": "unknown", "model": "unknown"}}
)


def asked_to_boot(c: Charger) -> str:
    """The first message of a charger that nobody knows; the id of the TriggerMessage it gets."""
    c.says(
        "StatusNotification",
        {"connectorId": 1, "errorCode": "NoError", "status": "Available", "timestamp": AT.format(0)},
        ("charger", [2, "$uuid:trigger", "TriggerMessage", {"requestedMessage": "BootNotification"}]),
    )
    return "$uuid:trigger"


@pytest.mark.parametrize("refusal", [[3, {"status": "Rejected"}], [4, "NotImplemented", "", {}]])
def test_a_charger_that_nobody_knows_is_introduced_by_the_gateway(refusal: list[Any]) -> None:
    c = Charger(registered=False)
    trigger = asked_to_boot(c)
    c.play.step("charger", [refusal[0], trigger, *refusal[1:]], *c._named((STRANGER,)))
    c.hears(answer("Accepted"), status_of(1, "Available"))
    c.hears({}, c.answer({}))
    c.reported(2, "Available", "Available")


def test_a_charger_that_nobody_knows_introduces_itself() -> None:
    c = Charger(registered=False)
    trigger = asked_to_boot(c)
    c.play.step("charger", [3, trigger, {"status": "Accepted"}])
    assert c.play.translator.overtakes("BootNotification") and not c.play.translator.overtakes("Heartbeat")
    c.play.step(
        "charger",
        [2, "boot", "BootNotification", {"chargePointVendor": "ACME", "chargePointModel": "M1"}],
        *c._named((boot(),)),
    )
    c.hears(
        answer("Accepted"),
        ("charger", [3, "boot", answer("Accepted")]),
        status_of(1, "Available"),
    )
    assert not c.play.translator.overtakes("BootNotification")
    c.play.step("csms", [3, c.open, {}], ("charger", [3, "c1", {}]))


def test_a_charger_that_promised_a_boot_and_sends_none() -> None:
    c = Charger(registered=False)
    c.play.step("charger", [3, asked_to_boot(c), {"status": "Accepted"}])
    c.play.wait(9)
    c.play.wait(1, *c._named((STRANGER,)))
    c.refused("NotSupported", status_of(1, "Available"))
    c.hears({}, c.answer({}))
    c.reported(2, "Available", "Available")


def test_a_new_connection_forgets_what_the_charger_could_not_do() -> None:
    c = Charger()
    c.play.facts.unsupported.append("GetLog")
    c.play.translator.connected(c.play.clock)
    assert c.play.facts.unsupported == [] and c.play.facts.connected_at == c.play.clock


def test_a_message_without_its_time_happened_when_it_was_received() -> None:
    c = Charger()
    c.says(
        "SecurityEventNotification",
        {"type": "TamperDetectionActivated"},
        to_csms("SecurityEventNotification", {"type": "TamperDetectionActivated", "timestamp": "$now"}),
    )
    assert Loss("timestamp", "defaulted") in c.play.losses


def test_the_reason_of_a_boot_by_precedence() -> None:
    c = Charger()
    facts = c.play.facts
    facts.triggers = {"BootNotification:0": c.play.clock + 1000}
    facts.firmware = Job(request_id=1, via="UpdateFirmware", last_status="Installing")
    facts.reset, facts.reset_expires = "ScheduledReset", c.play.clock + 600_000
    boots(c, "Triggered", "Pending")
    boots(c, "FirmwareUpdate", "Pending")
    boots(c, "FirmwareUpdate")
    boots(c, "PowerUp")  # the accepted boot has been explained
    facts.firmware = Job(request_id=2, via="SignedUpdateFirmware", last_status="InstallRebooting")
    boots(c, "FirmwareUpdate")
    boots(c, "PowerUp")
    facts.reset, facts.reset_expires = "RemoteReset", c.play.clock + 600_000
    boots(c, "RemoteReset")
    boots(c, "PowerUp")
    facts.reset, facts.reset_expires = "RemoteReset", c.play.clock
    boots(c, "PowerUp")
    boots(Charger(boot_reason_default="Unknown"), "Unknown")


def test_a_heartbeat_reminds_a_csms_that_forgot_the_station() -> None:
    c = Charger()
    boots(c)
    c.says("Heartbeat", {}, to_csms("Heartbeat", {}))
    c.refused("SecurityError", boot("Unknown"))
    c.hears(answer("Accepted"), to_csms("Heartbeat", {}))
    c.hears({"currentTime": AT.format(1)}, c.answer({"currentTime": AT.format(1)}))


def test_a_csms_that_forgot_the_station_is_told_again_once() -> None:
    c = Charger()
    boots(c)
    c.status(1, "Available", status_of(1, "Available"))
    c.refused("SecurityError", boot("Unknown"))
    c.hears(answer("Accepted"), status_of(1, "Available"))
    c.hears({}, c.answer({}))
    c.status(2, "Available", status_of(2, "Available"))
    c.refused("SecurityError", boot("Unknown"))
    c.hears(answer("Pending"), c.error("SecurityError"))
    assert c.play.facts.registration == "Pending"


def post_boot(c: Charger) -> str:
    """An accepted boot; the id of the GetConfiguration that follows it."""
    c.says("BootNotification", {"chargePointVendor": "ACME", "chargePointModel": "M1"}, boot())
    c.hears(
        answer("Accepted"),
        c.answer(answer("Accepted")),
        ("charger", [2, "$uuid:keys", "GetConfiguration", {}]),
    )
    return "$uuid:keys"


def test_after_a_boot_the_configuration_is_read_and_missing_statuses_are_asked_for() -> None:
    c = Charger(post_boot=True)
    play = c.play
    asked = post_boot(c)
    keys = [
        {"key": "NumberOfConnectors", "readonly": True, "value": "2"},
        {"key": "HeartbeatInterval", "readonly": False, "value": "300"},
        {"key": "Empty", "readonly": "true"},
    ]
    assert play.feed("charger", [3, asked, {"configurationKey": keys, "unknownKey": []}]) == []
    assert play.facts.known_connectors == 2 and play.facts.keys["HeartbeatInterval"].value == "300"
    c.reported(1, "Available", "Available")
    play.wait(29)
    play.wait(1, ("charger", [2, "$uuid", "TriggerMessage", {"requestedMessage": "StatusNotification"}]))


def test_a_charger_that_was_introduced_is_read_like_one_that_booted() -> None:
    c = Charger(registered=False, post_boot=True)
    c.play.step("charger", [3, asked_to_boot(c), {"status": "Rejected"}], *c._named((STRANGER,)))
    c.hears(answer("Accepted"), status_of(1, "Available"), ("charger", [2, "$uuid", "GetConfiguration", {}]))


def test_a_charger_that_reports_by_itself_is_not_asked() -> None:
    c = Charger(post_boot=True)
    play = c.play
    asked = post_boot(c)
    assert play.feed("charger", [4, asked, "NotSupported", "", {}]) == []
    c.reported(1, "Available", "Available")
    c.reported(2, "Available", "Available")
    play.wait(60)


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("Accepted", "Accepted"),
        ("Blocked", "Blocked"),
        ("ConcurrentTx", "ConcurrentTx"),
        ("Expired", "Expired"),
        ("Invalid", "Invalid"),
        ("Unknown", "Invalid"),
        ("NoCredit", "Blocked"),
        ("NotAllowedTypeEVSE", "Blocked"),
        ("NotAtThisLocation", "Blocked"),
        ("NotAtThisTime", "Blocked"),
        ("NobodyKnows", "Invalid"),
    ],
)
def test_every_verdict(status: str, told: str) -> None:
    c = Charger()
    asked = to_csms("Authorize", {"idToken": TOKEN})
    c.passes("Authorize", {"idTag": TAG}, asked, {"idTokenInfo": {"status": status}}, {"idTagInfo": {"status": told}})
    assert (Loss("idTokenInfo.status", "folded") in c.play.losses) is (status != told)


@pytest.mark.parametrize(("evses", "told"), [([3], "Blocked"), ([2, 3], "Accepted"), ([1], "Accepted")])
def test_a_token_for_other_evses_only(evses: list[int], told: str) -> None:
    c = Charger()
    info = {"status": "Accepted", "evseId": evses}
    asked = to_csms("Authorize", {"idToken": TOKEN})
    c.passes("Authorize", {"idTag": TAG}, asked, {"idTokenInfo": info}, {"idTagInfo": {"status": told}})
    assert Loss("idTokenInfo.evseId", "dropped") in c.play.losses


def test_an_error_is_relayed_in_the_charger_s_spelling() -> None:
    c = Charger()
    for code, told in (("FormatViolation", "FormationViolation"), ("RpcFrameworkError", "ProtocolError")):
        c.says("Authorize", {"idTag": TAG}, to_csms("Authorize", {"idToken": TOKEN}))
        c.refused(code, c.error(told))


def test_what_the_driver_should_read() -> None:
    c = Charger(features=["costmsg"])
    message = {"format": "UTF8", "language": "en", "content": "0.30 per kWh"}
    c.says("Authorize", {"idTag": TAG}, to_csms("Authorize", {"idToken": TOKEN}))
    extra = [{"format": "UTF8", "language": "en", "content": "0.30 per kWh"}]
    data = {"$json": {"idToken": TAG, "priceText": "0.30 per kWh", "priceTextExtra": extra}}
    price = {"vendorId": "org.openchargealliance.costmsg", "messageId": "SetUserPrice", "data": data}
    c.hears(
        {"idTokenInfo": {"status": "Accepted", "personalMessage": message}},
        c.answer({"idTagInfo": {"status": "Accepted"}}),
        ("charger", [2, "$uuid", "DataTransfer", price]),
    )


def test_verdicts_and_tokens_do_not_pile_up() -> None:
    c = Charger()
    for number in range(600):
        left = c.play.feed("charger", [2, f"a{number}", "Authorize", {"idTag": f"TAG{number}"}])
        group = {"idToken": f"GROUP{number}", "type": "Central"}
        c.play.feed("csms", [3, left[0][1][1], {"idTokenInfo": {**OK["idTokenInfo"], "groupIdToken": group}}])
    assert len(c.play.facts.authorizations) == 256
    assert len(c.play.facts.tokens) == 512
