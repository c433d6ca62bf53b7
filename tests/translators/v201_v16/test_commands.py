"""Commands of a 1.6 CSMS (spec 2.9, 2.10, 2.11, 7)."""

from __future__ import annotations

from typing import Any

import pytest

from .conversation import (
    ACCEPTED,
    AT,
    OK,
    TAG,
    TOKEN,
    World,
    event,
    reported,
    start,
    status_of,
    stop,
    to_charger,
    to_csms,
)

YES, NO = {"status": "Accepted"}, {"status": "Rejected"}
PNC = "org.openchargealliance.iso15118pnc"
COST = "org.openchargealliance.costmsg"
HASH = {"hashAlgorithm": "SHA256", "issuerNameHash": "a", "issuerKeyHash": "b", "serialNumber": "c"}


def station(status: str) -> Any:
    return to_csms(
        "StatusNotification", {"connectorId": 0, "errorCode": "NoError", "status": status, "timestamp": "$now"}
    )


def test_remote_stop() -> None:
    w = World()
    w.starts()
    w.obeys("RemoteStopTransaction", {"transactionId": 987},
            to_charger("RequestStopTransaction", {"transactionId": "TX-1"}), YES, YES)  # fmt: skip
    w.decides("RemoteStopTransaction", {"transactionId": 986}, NO)
    w.says("TransactionEvent", event("Ended", seq=1, minute=9, trigger="RemoteStop", reason="Remote"),
           stop(5000, reason="Remote"))  # fmt: skip
    w.csms({}, w.answer({}), status_of(1, "Finishing", 9))
    w.csms({})
    w.decides("RemoteStopTransaction", {"transactionId": 987}, NO)


def test_remote_starts_have_numbers_of_their_own() -> None:
    w = World()
    for number in (1, 2):
        w.obeys("RemoteStartTransaction", {"connectorId": 2, "idTag": TAG},
                to_charger("RequestStartTransaction", {"evseId": 2, "remoteStartId": f"$int:r{number}",
                                                       "idToken": TOKEN}), NO, NO)  # fmt: skip
    assert w.play.bound["$int:r1"] != w.play.bound["$int:r2"]
    w.decides("RemoteStartTransaction", {"connectorId": 7, "idTag": TAG}, NO)
    wrong = {"chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile",
             "chargingProfileKind": "Relative", "chargingSchedule": {"chargingRateUnit": "A",
             "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 1}]}}  # fmt: skip
    w.decides("RemoteStartTransaction", {"idTag": TAG, "chargingProfile": wrong}, NO)


@pytest.mark.parametrize(
    ("tag", "kind"),
    [
        ("04A1B2C3", "ISO14443"), ("04A1B2C3D4E5F6", "ISO14443"), ("E00401500A1B2C3D", "ISO15693"),
        ("04A1B2C3D4", "Central"), ("hello", "Central"), ("0123456789ABCDEF0123", "Central"),
    ],
)  # fmt: skip
def test_the_kind_of_token_that_an_id_tag_is(tag: str, kind: str) -> None:
    World().commands("RemoteStartTransaction", {"idTag": tag}, to_charger(
        "RequestStartTransaction", {"remoteStartId": "$int", "idToken": {"idToken": tag, "type": kind}}))  # fmt: skip


# Unlock


def test_unlock_without_a_transaction() -> None:
    for status, told in (
        ("Unlocked", "Unlocked"), ("UnlockFailed", "UnlockFailed"), ("UnknownConnector", "NotSupported"),
        ("OngoingAuthorizedTransaction", "UnlockFailed"),
    ):  # fmt: skip
        World().obeys("UnlockConnector", {"connectorId": 2},
                      to_charger("UnlockConnector", {"evseId": 2, "connectorId": 1}), {"status": status},
                      {"status": told})  # fmt: skip
    World().decides("UnlockConnector", {"connectorId": 7}, {"status": "NotSupported"})
    World().decides("UnlockConnector", {"connectorId": 0}, {"status": "NotSupported"})


def test_unlock_goes_on_if_the_transaction_does_not_end() -> None:
    w = World()
    w.starts()
    w.commands("UnlockConnector", {"connectorId": 1}, to_charger("RequestStopTransaction", {"transactionId": "TX-1"}))
    w.charger(YES)
    w.waits(29)
    w.waits(2, to_charger("UnlockConnector", {"evseId": 1, "connectorId": 1}))
    w.charger({"status": "OngoingAuthorizedTransaction"}, w.result({"status": "UnlockFailed"}))
    w.says("TransactionEvent", event("Ended", seq=1, minute=9, reason="Local"), stop(5000))


def test_unlock_goes_on_if_the_charger_refuses_to_stop() -> None:
    w = World()
    w.starts()
    w.commands("UnlockConnector", {"connectorId": 1}, to_charger("RequestStopTransaction", {"transactionId": "TX-1"}))
    w.refused("charger", "InternalError", to_charger("UnlockConnector", {"evseId": 1, "connectorId": 1}))
    w.charger({"status": "OngoingAuthorizedTransaction"}, w.result({"status": "UnlockFailed"}))
    w.says("TransactionEvent", event("Ended", seq=1, minute=9, reason="Local"), stop(5000))


def test_unlock_leaves_the_transaction_alone_if_the_option_says_so() -> None:
    w = World(unlock_stops_transaction=False)
    w.starts()
    w.commands("UnlockConnector", {"connectorId": 1}, to_charger("UnlockConnector", {"evseId": 1, "connectorId": 1}))


# Triggers


@pytest.mark.parametrize(
    ("message", "asked"),
    [
        ("BootNotification", "BootNotification"), ("Heartbeat", "Heartbeat"), ("MeterValues", "MeterValues"),
        ("FirmwareStatusNotification", "FirmwareStatusNotification"),
        ("DiagnosticsStatusNotification", "LogStatusNotification"),
    ],
)  # fmt: skip
def test_triggers(message: str, asked: str) -> None:
    for status in ("Accepted", "Rejected", "NotImplemented"):
        World().obeys("TriggerMessage", {"requestedMessage": message},
                      to_charger("TriggerMessage", {"requestedMessage": asked}), {"status": status},
                      {"status": status})  # fmt: skip


@pytest.mark.parametrize(
    ("message", "asked"),
    [
        ("BootNotification", "BootNotification"), ("Heartbeat", "Heartbeat"), ("MeterValues", "MeterValues"),
        ("FirmwareStatusNotification", "FirmwareStatusNotification"),
        ("LogStatusNotification", "LogStatusNotification"),
        ("SignChargePointCertificate", "SignChargingStationCertificate"),
    ],
)  # fmt: skip
def test_extended_triggers(message: str, asked: str) -> None:
    World().obeys("ExtendedTriggerMessage", {"requestedMessage": message},
                  to_charger("TriggerMessage", {"requestedMessage": asked}), YES, YES)  # fmt: skip


def test_a_status_of_every_connector_is_one_trigger_each_and_the_gateways_own() -> None:
    for command in ("TriggerMessage", "ExtendedTriggerMessage"):
        w = World()

        def trigger(n: int) -> Any:
            about = {"requestedMessage": "StatusNotification", "evse": {"id": n, "connectorId": 1}}
            return to_charger("TriggerMessage", about)

        w.commands(command, {"requestedMessage": "StatusNotification"}, trigger(1))
        w.charger(NO, trigger(2))
        w.charger(YES, w.result(YES), station("Available"))
        w.csms({})
        w.commands(command, {"requestedMessage": "StatusNotification", "connectorId": 0},
                   w.result(YES, w.count + 1), station("Available"))  # fmt: skip


def test_a_trigger_that_one_connector_refuses_is_for_the_others() -> None:
    w = World()
    w.commands("TriggerMessage", {"requestedMessage": "StatusNotification"}, to_charger("TriggerMessage", "$any"))
    w.refused("charger", "InternalError", to_charger("TriggerMessage", "$any"))
    w.charger(YES, w.result(YES), station("Available"))


def test_a_charger_without_triggers() -> None:
    w = World()
    w.commands("TriggerMessage", {"requestedMessage": "StatusNotification"}, to_charger("TriggerMessage", "$any"))
    w.refused("charger", "NotSupported", w.result({"status": "NotImplemented"}))
    w.decides("TriggerMessage", {"requestedMessage": "Heartbeat"}, {"status": "NotImplemented"})
    w.decides("TriggerMessage", {"requestedMessage": "StatusNotification", "connectorId": 9}, NO)


def test_a_trigger_of_one_connectors_meter_values() -> None:
    World().obeys("TriggerMessage", {"requestedMessage": "MeterValues", "connectorId": 2},
                  to_charger("TriggerMessage", {"requestedMessage": "MeterValues",
                                                "evse": {"id": 2, "connectorId": 1}}), YES, YES)  # fmt: skip


# Availability


def test_availability_of_connectors() -> None:
    about = {"type": "Inoperative", "connectorId": 2}
    asked = {"operationalStatus": "Inoperative", "evse": {"id": 2}}
    for status in ("Accepted", "Rejected", "Scheduled"):
        World().obeys("ChangeAvailability", about, to_charger("ChangeAvailability", asked), {"status": status},
                      {"status": status})  # fmt: skip
    w = World(topology={"1": [1, 1], "2": [1, 2]})
    asked = {"operationalStatus": "Inoperative", "evse": {"id": 1, "connectorId": 2}}
    w.obeys("ChangeAvailability", about, to_charger("ChangeAvailability", asked), YES, YES)
    w.decides("ChangeAvailability", {"type": "Operative", "connectorId": 3}, NO)


def test_a_station_out_of_order_is_connector_0_unavailable() -> None:
    w = World()
    w.commands("ChangeAvailability", {"type": "Inoperative", "connectorId": 0},
               to_charger("ChangeAvailability", {"operationalStatus": "Inoperative"}))  # fmt: skip
    w.charger(YES, w.result(YES), station("Unavailable"))
    w.csms({})
    w.commands("ChangeAvailability", {"type": "Operative", "connectorId": 0},
               to_charger("ChangeAvailability", {"operationalStatus": "Operative"}))  # fmt: skip
    w.charger({"status": "Scheduled"}, w.result({"status": "Scheduled"}))
    w.commands("ChangeAvailability", {"type": "Operative", "connectorId": 0},
               to_charger("ChangeAvailability", {"operationalStatus": "Operative"}))  # fmt: skip
    w.charger(YES, w.result(YES), station("Available"))


# Reset, cache, reservations, local list


def test_resets() -> None:
    kinds = (("Hard", "Immediate", "OnIdle"), ("Soft", "OnIdle", "OnIdle"), ("Soft", "Immediate", "Immediate"))
    for kind, asked, option in kinds:
        for status, told in (("Accepted", "Accepted"), ("Rejected", "Rejected"), ("Scheduled", "Accepted")):
            World(soft_reset_as=option).obeys("Reset", {"type": kind}, to_charger("Reset", {"type": asked}),
                                              {"status": status}, {"status": told})  # fmt: skip


def test_clear_cache_forgets_the_gateways_verdicts() -> None:
    w = World()
    w.passes("Authorize", {"idToken": TOKEN}, to_csms("Authorize", {"idTag": TAG}), OK, {"idTokenInfo": YES})
    w.obeys("ClearCache", {}, to_charger("ClearCache", {}), YES, YES)
    assert not w.facts.authorizations


def test_reservations() -> None:
    about = {"connectorId": 0, "expiryDate": AT.format(9), "idTag": TAG, "parentIdTag": "P", "reservationId": 4}
    asked = {
        "id": 4,
        "expiryDateTime": AT.format(9),
        "idToken": TOKEN,
        "groupIdToken": {"idToken": "P", "type": "Central"},
    }
    for status in ("Accepted", "Faulted", "Occupied", "Rejected", "Unavailable"):
        World().obeys("ReserveNow", about, to_charger("ReserveNow", asked), {"status": status}, {"status": status})
    World().obeys("ReserveNow", {**about, "connectorId": 2}, to_charger("ReserveNow", {**asked, "evseId": 2}), YES, YES)
    World().decides("ReserveNow", {**about, "connectorId": 5}, NO)
    for answer in (YES, NO):
        World().obeys("CancelReservation", {"reservationId": 4}, to_charger("CancelReservation", {"reservationId": 4}),
                      answer, answer)  # fmt: skip


def test_local_list_versions() -> None:
    w = World()
    w.obeys("GetLocalListVersion", {}, to_charger("GetLocalListVersion", {}), {"versionNumber": 3}, {"listVersion": 3})
    w.commands("GetLocalListVersion", {}, to_charger("GetLocalListVersion", {}))
    w.refused("charger", "NotSupported", w.result({"listVersion": -1}))
    for version in (0, -1):
        w.decides("SendLocalList", {"listVersion": version, "updateType": "Full"}, {"status": "Failed"})


def report(
    component: str, variable: str, value: str = "", instance: str | None = None, **traits: Any
) -> dict[str, Any]:
    name: dict[str, Any] = {"name": variable}
    if instance:
        name["instance"] = instance
    found: dict[str, Any] = {"component": {"name": component}, "variable": name,
                             "variableAttribute": [{"value": value, "mutability": traits.pop("mutability", "ReadWrite")}]}  # fmt: skip
    if traits:
        found["variableCharacteristics"] = {"dataType": "integer", "supportsMonitoring": False, **traits}
    return found


def test_a_long_list_goes_in_parts() -> None:
    w = World()
    w.local("NotifyReport", {"requestId": 1, "seqNo": 0, "generatedAt": AT.format(0),
            "reportData": [report("LocalAuthListCtrlr", "ItemsPerMessage", "2", mutability="ReadOnly")]}, {})  # fmt: skip
    entries = [{"idTag": f"T{n}"} for n in range(3)]
    about = {"listVersion": 9, "updateType": "Full", "localAuthorizationList": entries}

    def part(version: int, update: str, *tags: int) -> Any:
        rows = [{"idToken": {"idToken": f"T{n}", "type": "Central"}, "idTokenInfo": YES} for n in tags]
        return to_charger(
            "SendLocalList", {"versionNumber": version, "updateType": update, "localAuthorizationList": rows}
        )

    w.commands("SendLocalList", about, part(8, "Full", 0, 1))
    w.charger(YES, part(9, "Differential", 2))
    w.charger(YES, w.result(YES))
    w.decides("SendLocalList", {**about, "listVersion": 1}, {"status": "Failed"})


# Smart charging


def profile16(
    id: int = 1, purpose: str = "TxDefaultProfile", kind: str = "Relative", level: int = 0, **more: Any
) -> Any:
    schedule = {
        "chargingRateUnit": "W",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 11000.5, "numberPhases": 3}],
    }
    schedule.update(more.pop("schedule", {}))
    return {"chargingProfileId": id, "stackLevel": level, "chargingProfilePurpose": purpose, "chargingProfileKind": kind,
            "chargingSchedule": schedule, **more}  # fmt: skip


def profile201(
    id: int = 1, purpose: str = "TxDefaultProfile", kind: str = "Relative", level: int = 0, **more: Any
) -> Any:
    schedule = {"id": "$int", "chargingRateUnit": "W",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 11000.5, "numberPhases": 3}]}  # fmt: skip
    schedule.update(more.pop("schedule", {}))
    return {"id": id, "stackLevel": level, "chargingProfilePurpose": purpose, "chargingProfileKind": kind,
            "chargingSchedule": [schedule], **more}  # fmt: skip


MAX, STATION_MAX = "ChargePointMaxProfile", "ChargingStationMaxProfile"
START = {"startSchedule": AT.format(0)}
NOW = {"startSchedule": "$now"}


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        (profile16(), profile201()),
        (profile16(kind="Absolute"), profile201(kind="Relative")),
        (profile16(kind="Absolute", schedule=START), profile201(kind="Absolute", schedule=START)),
        (profile16(schedule=START), profile201()),
        (profile16(kind="Recurring", recurrencyKind="Daily"),
         profile201(kind="Recurring", recurrencyKind="Daily", schedule={"startSchedule": "2026-03-01T00:00:00Z"})),
        (profile16(purpose=MAX, kind="Absolute"), profile201(purpose=STATION_MAX, kind="Absolute", schedule=NOW)),
        (profile16(purpose=MAX), profile201(purpose=STATION_MAX, kind="Absolute", schedule=NOW)),
        (profile16(validFrom=AT.format(0), validTo=AT.format(9), schedule={"duration": 60, "minChargingRate": 6.5}),
         profile201(validFrom=AT.format(0), validTo=AT.format(9), schedule={"duration": 60, "minChargingRate": 6.5})),
    ],
)  # fmt: skip
def test_profiles(given: Any, asked: Any) -> None:
    World().obeys("SetChargingProfile", {"connectorId": 0, "csChargingProfiles": given},
                  to_charger("SetChargingProfile", {"evseId": 0, "chargingProfile": asked}), YES, YES)  # fmt: skip


def test_a_slot_is_cleared_before_it_is_used_again() -> None:
    w = World()

    def put(id: int, evse: int = 1, level: int = 0) -> tuple[Any, Any]:
        return ({"connectorId": evse, "csChargingProfiles": profile16(id, level=level)},
                to_charger("SetChargingProfile", {"evseId": evse, "chargingProfile": profile201(id, level=level)}))  # fmt: skip

    for given, asked in (put(1), put(2, level=1), put(3, evse=2), put(1)):
        w.obeys("SetChargingProfile", given, asked, YES, YES)
    given, asked = put(4)
    w.commands("SetChargingProfile", given, to_charger("ClearChargingProfile", {"chargingProfileId": 1}))
    w.charger({"status": "Unknown"}, asked)
    w.charger(YES, w.result(YES))
    assert {each.id for each in w.facts.profiles} == {2, 3, 4}


def test_a_profile_of_a_transaction_has_the_chargers_id() -> None:
    w = World()
    tx = profile16(purpose="TxProfile")
    w.decides("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": tx}, NO)
    w.starts()
    asked = to_charger(
        "SetChargingProfile", {"evseId": 1, "chargingProfile": profile201(purpose="TxProfile", transactionId="TX-1")}
    )
    w.obeys("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": tx}, asked, YES, YES)
    w.obeys(
        "SetChargingProfile", {"connectorId": 1, "csChargingProfiles": {**tx, "transactionId": 987}}, asked, YES, YES
    )
    w.decides("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": {**tx, "transactionId": 1}}, NO)
    w.says("TransactionEvent", event("Ended", seq=1, minute=9), stop(5000))
    w.csms({}, w.answer({}), status_of(1, "Finishing", 9))
    assert not w.facts.profiles


@pytest.mark.parametrize("connector", [1, None])
def test_the_profile_of_a_remote_start_is_its_transactions(connector: int | None) -> None:
    w = World()
    about = {"idTag": TAG, "chargingProfile": profile16(purpose="TxProfile")}
    asked = {"idToken": TOKEN, "remoteStartId": "$int:rs", "chargingProfile": profile201(purpose="TxProfile")}
    if connector is not None:
        about["connectorId"], asked["evseId"] = connector, connector
    w.obeys("RemoteStartTransaction", about, to_charger("RequestStartTransaction", asked), YES, YES)
    started = event("Started", trigger="RemoteStart", evse=1)
    started["transactionInfo"]["remoteStartId"] = "$int:rs"
    w.says("TransactionEvent", started, start())
    w.csms({"transactionId": 987, **OK}, w.answer(ACCEPTED))
    wanted = {"connectorId": 1, "csChargingProfiles": profile16(2, purpose="TxProfile")}
    w.commands("SetChargingProfile", wanted, to_charger("ClearChargingProfile", {"chargingProfileId": 1}))
    w.charger(YES, to_charger("SetChargingProfile", {
        "evseId": 1, "chargingProfile": profile201(2, purpose="TxProfile", transactionId="TX-1")}))  # fmt: skip
    w.charger(YES, w.result(YES))
    w.says("TransactionEvent", event("Ended", seq=1, minute=9), stop(5000))
    w.csms({}, w.answer({}), status_of(1, "Finishing", 9))
    assert not w.facts.profiles


def test_profiles_of_remote_starts_that_never_began_are_forgotten() -> None:
    w = World()
    for number in (1, 2):
        about = {"idTag": TAG, "connectorId": 1, "chargingProfile": profile16(number, purpose="TxProfile")}
        w.obeys("RemoteStartTransaction", about, to_charger("RequestStartTransaction", "$any"), YES, YES)
        w.waits(300)
    assert [each.id for each in w.facts.profiles] == [2]


def test_profiles_that_2_0_1_cannot_hold() -> None:
    empty = profile16(schedule={"chargingSchedulePeriod": []})
    World().decides("SetChargingProfile", {"connectorId": 0, "csChargingProfiles": empty}, NO)


def test_clearing() -> None:
    w = World()

    def criteria(**members: Any) -> Any:
        return to_charger("ClearChargingProfile", {"chargingProfileCriteria": members})

    w.obeys("ClearChargingProfile", {"id": 3, "stackLevel": 1}, to_charger("ClearChargingProfile", {"chargingProfileId": 3}),
            YES, YES)  # fmt: skip
    w.obeys("ClearChargingProfile", {"connectorId": 2, "stackLevel": 1, "chargingProfilePurpose": MAX},
            criteria(evseId=2, stackLevel=1, chargingProfilePurpose=STATION_MAX), {"status": "Unknown"},
            {"status": "Unknown"})  # fmt: skip
    w.commands("ClearChargingProfile", {}, criteria(chargingProfilePurpose=STATION_MAX))
    w.charger({"status": "Unknown"}, criteria(chargingProfilePurpose="TxDefaultProfile"))
    w.charger(YES, criteria(chargingProfilePurpose="TxProfile"))
    w.charger({"status": "Unknown"}, w.result(YES))
    w.commands("ClearChargingProfile", {}, criteria(chargingProfilePurpose=STATION_MAX))
    w.charger(YES, criteria(chargingProfilePurpose="TxDefaultProfile"))
    w.refused("charger", "InternalError", criteria(chargingProfilePurpose="TxProfile"))
    w.charger({"status": "Unknown"}, w.result(YES))
    w.commands("ClearChargingProfile", {}, criteria(chargingProfilePurpose=STATION_MAX))
    w.refused("charger", "NotSupported", ("csms", [4, f"s{w.count}", "NotSupported", "$any", "$any"]))


def test_a_composite_schedule_that_is_refused() -> None:
    World().obeys("GetCompositeSchedule", {"connectorId": 0, "duration": 60, "chargingRateUnit": "A"},
                  to_charger("GetCompositeSchedule", {"evseId": 0, "duration": 60, "chargingRateUnit": "A"}), NO, NO)  # fmt: skip


# Firmware and certificates


def test_a_refused_update_is_a_failed_download() -> None:
    w = World()
    w.commands("UpdateFirmware", {"location": "http://x", "retrieveDate": AT.format(0), "retries": 1, "retryInterval": 2},
               to_charger("UpdateFirmware", {"requestId": "$int", "retries": 1, "retryInterval": 2, "firmware": {
                   "location": "http://x", "retrieveDateTime": AT.format(0)}}))  # fmt: skip
    failed = to_csms("FirmwareStatusNotification", {"status": "DownloadFailed"})
    w.charger({"status": "InvalidCertificate"}, w.result({}), failed)


def test_certificates() -> None:
    w = World()
    for use, asked in (
        ("CentralSystemRootCertificate", "CSMSRootCertificate"),
        ("ManufacturerRootCertificate", "ManufacturerRootCertificate"),
    ):
        for status in ("Accepted", "Failed", "Rejected"):
            w.obeys("InstallCertificate", {"certificateType": use, "certificate": "C"},
                    to_charger("InstallCertificate", {"certificateType": asked, "certificate": "C"}),
                    {"status": status}, {"status": status})  # fmt: skip
        chain = {"certificateType": asked, "certificateHashData": HASH, "childCertificateHashData": [HASH]}
        w.obeys("GetInstalledCertificateIds", {"certificateType": use},
                to_charger("GetInstalledCertificateIds", {"certificateType": [asked]}),
                {"status": "Accepted", "certificateHashDataChain": [chain, chain]},
                {"status": "Accepted", "certificateHashData": [HASH, HASH]})  # fmt: skip
    w.obeys("GetInstalledCertificateIds", {"certificateType": "ManufacturerRootCertificate"},
            to_charger("GetInstalledCertificateIds", {"certificateType": ["ManufacturerRootCertificate"]}),
            {"status": "NotFound"}, {"status": "NotFound"})  # fmt: skip
    for status in ("Accepted", "Failed", "NotFound"):
        w.obeys("DeleteCertificate", {"certificateHashData": HASH},
                to_charger("DeleteCertificate", {"certificateHashData": HASH}), {"status": status}, {"status": status})  # fmt: skip


def test_plug_and_charge_commands_come_out_of_their_tunnel() -> None:
    for action, payload in (
        ("CertificateSigned", {"certificateChain": "C", "certificateType": "V2GCertificate"}),
        ("InstallCertificate", {"certificateType": "V2GRootCertificate", "certificate": "C"}),
        ("DeleteCertificate", {"certificateHashData": HASH}),
        ("TriggerMessage", {"requestedMessage": "SignV2GCertificate"}),
    ):
        w = World()
        about = {"vendorId": PNC, "messageId": action, "data": {"$json": payload}}
        w.commands("DataTransfer", about, to_charger(action, payload))
        w.charger(YES, w.result({"status": "Accepted", "data": {"$json": YES}}))
        w.commands("DataTransfer", about, to_charger(action, payload))
        w.refused("charger", "InternalError", w.result(NO))
    w.decides("DataTransfer", {"vendorId": PNC, "messageId": "InstallCertificate", "data": "no"}, NO)
    w.decides("DataTransfer", {"vendorId": PNC, "messageId": "Foo"}, {"status": "UnknownMessageId"})


def test_costs() -> None:
    w = World(features=["costmsg"])
    w.starts()
    for message in ("RunningCost", "FinalCost"):
        about = {"vendorId": COST, "messageId": message, "data": {"$json": {"transactionId": 987, "cost": 1.25}}}
        w.obeys("DataTransfer", about, to_charger("CostUpdated", {"totalCost": 1.25, "transactionId": "TX-1"}), {}, YES)
    unknown = {"$json": {"transactionId": 1, "cost": 1.25}}
    w.decides("DataTransfer", {"vendorId": COST, "messageId": "RunningCost", "data": unknown}, NO)
    price = {"$json": {"idToken": TAG, "priceText": "0.30/kWh"}}
    w.decides("DataTransfer", {"vendorId": COST, "messageId": "SetUserPrice", "data": price}, YES)
    shown = {"format": "UTF8", "content": "0.30/kWh"}
    w.local("TransactionEvent", event("Updated", seq=1, state=None), {"updatedPersonalMessage": shown})
    w.local("TransactionEvent", event("Updated", seq=2, state=None), {})


def test_other_data_transfers() -> None:
    w = World()
    for answer, told in (({"status": "Accepted", "data": {"a": 1}}, {"status": "Accepted", "data": '{"a":1}'}),
                         ({"status": "UnknownVendorId"}, {"status": "UnknownVendorId"})):  # fmt: skip
        w.obeys("DataTransfer", {"vendorId": COST, "messageId": "m", "data": "x"},
                to_charger("DataTransfer", {"vendorId": COST, "messageId": "m", "data": "x"}), answer, told)  # fmt: skip


# Errors


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("FormatViolation", "FormationViolation"), ("OccurrenceConstraintViolation", "OccurenceConstraintViolation"),
        ("MessageTypeNotSupported", "ProtocolError"), ("RpcFrameworkError", "ProtocolError"), ("Strange", "GenericError"),
        ("InternalError", "InternalError"), ("NotSupported", "NotSupported"),
    ],
)  # fmt: skip
def test_errors_of_the_charger(code: str, told: str) -> None:
    w = World()
    w.commands("ClearCache", {}, to_charger("ClearCache", {}))
    w.play.step("charger", [4, w.open["charger"], code, "why", {}], ("csms", [4, "s1", told, "upstream: why", "$any"]))


def test_errors_of_the_csms() -> None:
    w = World()
    w.says("MeterValues", {"evseId": 0, "meterValue": [{"timestamp": AT.format(0), "sampledValue": [{"value": 1}]}]},
           to_csms("MeterValues", "$any"))  # fmt: skip
    w.refused("csms", "FormationViolation", w.error("FormatViolation"))
    w.says("StatusNotification", reported("Available"), to_csms("StatusNotification", "$any"))
    w.refused("csms", "OccurenceConstraintViolation", w.error("OccurrenceConstraintViolation"))


def test_a_charger_that_does_not_answer() -> None:
    w = World()
    w.commands("ClearCache", {}, to_charger("ClearCache", {}))
    id = w.play.bound[w.open["charger"]]
    left = w.play.take(w.play.translator.expire("charger", id, w.play.clock))
    assert [(side, frame[:3]) for side, frame in left] == [("csms", [4, "s1", "GenericError"])]
