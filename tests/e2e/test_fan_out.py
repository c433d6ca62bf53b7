"""Several CSMSs and one charger, each by its own rules: who answers, who hears what, who may command."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from typing import Any

import pytest
from ocpp.exceptions import OCPPError
from ocpp.routing import on
from ocpp.v16 import call as call16
from ocpp.v16 import call_result as result16
from ocpp.v201 import call as call201

from .charger import Charger16, Charger201, Peer16
from .charges import charges_16
from .conftest import Connect, StartCsms, StartGateway
from .csms import Csms
from .raw import RawCsms, polite, raw_csms, until
from .wire import Recorder

__all__ = ["raw_csms"]

TAG = "04A1B2C3"
StartRaw = Callable[[str], Any]


def upstream(csms: Csms | RawCsms, **settings: Any) -> dict[str, Any]:
    return {"url": csms.url, "version": csms.version, "reconnect_max": 1, **settings}


def route(*mirrors: str, **policies: Any) -> list[dict[str, Any]]:
    return [{"match": "*", "primary": "main", "mirrors": list(mirrors), **policies}]


async def told(heard: Recorder, action: str, count: int = 1) -> None:
    await heard.until(f"{count} {action}", lambda: sum(x.answer is not None for x in heard.calls(action)) >= count)


class Commanded(Peer16):
    """A 1.6 charger that also takes charging profiles and reservations."""

    @on("SetChargingProfile")
    def set_profile(self, **_: Any) -> Any:
        return result16.SetChargingProfile(status="Accepted")

    @on("ClearChargingProfile")
    def clear_profile(self, **_: Any) -> Any:
        return result16.ClearChargingProfile(status="Accepted")

    @on("ReserveNow")
    def reserve(self, **_: Any) -> Any:
        return result16.ReserveNow(status="Accepted")

    @on("CancelReservation")
    def cancel(self, **_: Any) -> Any:
        return result16.CancelReservation(status="Accepted")


class Charger(Charger16):
    peer_type = Commanded


# -- who answers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["ocpp1.6", "ocpp2.0.1"])
async def test_one_authorises_another_does_the_rest(
    version: str, start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    main = await start_csms(version, first_transaction_id=41)
    roaming = await start_csms("ocpp1.6", first_transaction_id=941)
    copy = await start_csms("ocpp1.6", first_transaction_id=1941)
    main.verdict = lambda _action, _token: "Blocked"
    gateway = await start_gateway(
        {"main": upstream(main), "roaming": upstream(roaming), "copy": upstream(copy)},
        routes=route("roaming", "copy", authority={"Authorize": "roaming", "StartTransaction": "roaming"}),
    )
    charger = await plug_in(Charger16, gateway.url, "CP1")
    main.registration = "Pending"
    assert (await charger.boot()).status == "Pending", "the boot is the primary's"
    main.registration = "Accepted"
    assert (await charger.boot()).status == "Accepted"
    assert await charger.authorize(TAG) == "Accepted"
    transaction = await charger.start(1, TAG)
    assert transaction == 941
    charger.meter += 500
    await charger.meter_values(1, transaction)
    answer = await roaming.station("CP1").call(call16.RemoteStopTransaction(transaction_id=941))
    assert answer.status == "Accepted", "who answers the start may command"
    for csms, number in ((roaming, 941), (copy, 1941)):
        heard = csms.station("CP1").recorder
        await told(heard, "StopTransaction")
        [charge] = charges_16(heard)
        assert charge.energy == 500
        assert {x.payload["transactionId"] for x in heard.calls("StopTransaction")} == {number}
    if version == "ocpp1.6":
        heard = main.station("CP1").recorder
        await told(heard, "StopTransaction")
        assert [x.payload["transactionId"] for x in heard.calls("StopTransaction")] == [41]


async def test_early_answers_do_not_wait_for_the_csms_and_survive_a_kill(
    raw_csms: StartRaw, start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms = await raw_csms("ocpp1.6")
    gateway = await start_gateway(
        {"main": upstream(csms)}, routes=route(answers={"billing": "early", "must_arrive": "early"})
    )
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    transaction = await charger.start(1, TAG)
    csms.reply = lambda id, action, payload: (
        None if action in ("MeterValues", "StopTransaction") else polite(id, action, payload)
    )
    async with asyncio.timeout(5):
        await charger.meter_values(1, transaction)
        charger.meter += 100
        await charger.meter_values(1, transaction)
        await charger.stop(transaction)
    await gateway.kill()
    await charger.lost()
    csms.reply = polite
    before = len(csms.heard)
    await gateway.start()
    await until("stop", lambda: csms.said("StopTransaction")[-1:], 30)
    after = [action for action, _ in csms.heard[before:] if action in ("MeterValues", "StopTransaction")]
    assert after == ["MeterValues", "MeterValues", "StopTransaction"]


# -- who hears what ------------------------------------------------------------------------------------------------------


async def test_each_hears_what_it_is_to_hear(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    main, few, slow = await start_csms("ocpp1.6"), await start_csms("ocpp1.6"), await start_csms("ocpp2.0.1")
    gateway = await start_gateway(
        {
            "main": upstream(main),
            "few": upstream(few, forward={"only": ["BootNotification", "StartTransaction", "StopTransaction"]}),
            "slow": upstream(slow, meter_interval="1h"),
        },
        routes=route("few", "slow"),
    )
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    await charger.status(1, "Preparing")
    transaction = await charger.start(1, TAG)
    for _ in range(5):
        charger.meter += 100
        await charger.meter_values(1, transaction)
    await charger.stop(transaction)
    heard = few.station("CP1").recorder
    await told(heard, "StopTransaction")
    assert [x.action for x in heard.calls()] == ["BootNotification", "StartTransaction", "StopTransaction"]
    events = slow.station("CP1").recorder

    def over() -> bool:
        return "Ended" in [x.payload["eventType"] for x in events.calls("TransactionEvent")]

    await events.until("end", over)
    metered = [
        float(x.payload["meterValue"][0]["sampledValue"][0]["value"])
        for x in events.calls("TransactionEvent")
        if x.payload["eventType"] == "Updated"
    ]
    assert metered == [1100, 1500], "the first, and the last before the end"
    assert len(main.station("CP1").recorder.calls("MeterValues")) == 5
    async with asyncio.timeout(10):
        while 'ocppgw_messages_dropped_total{class="meter",reason="policy",upstream="slow"} 3' not in (  # noqa: ASYNC110
            await metrics(gateway.admin_port)
        ):
            await asyncio.sleep(0.1)


async def metrics(port: int) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")
    body = (await reader.read()).decode()
    writer.close()
    return body


async def test_each_knows_the_charger_by_its_own_id_and_credentials(
    raw_csms: StartRaw, start_gateway: StartGateway, plug_in: Connect
) -> None:
    main, other, bare = await raw_csms("ocpp1.6"), await raw_csms("ocpp1.6"), await raw_csms("ocpp1.6")
    gateway = await start_gateway(
        {
            "main": upstream(main, credentials="passthrough"),
            "other": upstream(other, charger_ids={"cp1": "acme-0007"}, passwords={"CP1": "theirs"}),
            "bare": upstream(bare, charger_id="depot-{id}"),
        },
        routes=route("other", "bare"),
    )
    charger = await plug_in(Charger16, gateway.url, "CP1", password="mine")
    await charger.boot()
    await until("all", lambda: main.sockets and other.sockets and bare.sockets)

    def seen(csms: RawCsms) -> tuple[str, str]:
        request = next(iter(csms.sockets)).request
        assert request is not None
        return request.path.rpartition("/")[2], request.headers.get("Authorization", "")

    def basic(pair: str) -> str:
        return "Basic " + base64.b64encode(pair.encode()).decode()

    assert seen(main) == ("CP1", basic("CP1:mine"))
    assert seen(other) == ("acme-0007", basic("acme-0007:theirs"))
    assert seen(bare) == ("depot-CP1", "")
    for file in (gateway.directory / "data").iterdir():
        if file.is_file():
            assert base64.b64encode(b"CP1:mine") not in file.read_bytes(), "never stored"
    assert base64.b64encode(b"CP1:mine").decode() not in gateway.tail(1000)


# -- who may command -----------------------------------------------------------------------------------------------------


async def test_what_an_upstream_may_not_is_always_answered(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    main, ems, copy = await start_csms("ocpp2.0.1"), await start_csms("ocpp1.6"), await start_csms("ocpp2.0.1")
    gateway = await start_gateway(
        {
            "main": upstream(main),
            "ems": upstream(ems, may_command=["SetChargingProfile", "ClearChargingProfile", "Reset"]),
            "copy": upstream(copy),
        },
        routes=route("ems", "copy", commands={"Reset": ["main"]}),
    )
    charger = await plug_in(Charger, gateway.url, "CP1")
    await charger.boot()
    await charger.status(1, "Available")
    third = ems.station("CP1")
    assert (await third.call(call16.UnlockConnector(connector_id=1))).status == "UnlockFailed"
    assert (await third.call(call16.Reset(type="Soft"))).status == "Rejected", "that is the primary's alone"
    assert (await third.call(call16.ClearChargingProfile(id=1))).status == "Unknown"
    with pytest.raises(OCPPError):
        await third.call(call16.GetConfiguration())
    mirror = copy.station("CP1")
    assert (await mirror.call(call201.ClearCache())).status == "Rejected"
    [result] = (
        await mirror.call(
            call201.SetVariables(
                set_variable_data=[
                    {
                        "attribute_value": "5",
                        "component": {"name": "OCPPCommCtrlr"},
                        "variable": {"name": "HeartbeatInterval"},
                    }
                ]
            )
        )
    ).set_variable_result
    assert result["attribute_status"] == "Rejected"
    assert not {"UnlockConnector", "Reset", "ClearCache", "ClearChargingProfile"} & {
        x.action for x in charger.recorder.calls()
    }
    assert (await main.station("CP1").call(call201.Reset(type="Immediate"))).status == "Accepted"


async def test_two_versions_command_one_charger(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    """The ids of both overlap, the gateway is killed between, and who started a session keeps the other off."""
    main, ems = await start_csms("ocpp2.0.1"), await start_csms("ocpp1.6")
    gateway = await start_gateway(
        {"main": upstream(main), "ems": upstream(ems, may_command=True, stack_levels=[5, 8])}, routes=route("ems")
    )
    charger = await plug_in(Charger, gateway.url, "CP1")
    await charger.boot()
    for connector in (1, 2):
        await charger.status(connector, "Available")
    token = {"id_token": TAG, "type": "ISO14443"}
    late = "2035-01-01T00:00:00Z"
    first = call201.ReserveNow(id=5, expiry_date_time=late, id_token=token, evse_id=1)
    assert (await main.station("CP1").call(first)).status == "Accepted"
    second = call16.ReserveNow(connector_id=2, expiry_date=late, id_tag=TAG, reservation_id=5)
    assert (await ems.station("CP1").call(second)).status == "Accepted"
    one, two = [x.payload["reservationId"] for x in charger.recorder.calls("ReserveNow")]
    assert one != two
    profile = {
        "charging_profile_id": 1,
        "stack_level": 0,
        "charging_profile_purpose": "TxDefaultProfile",
        "charging_profile_kind": "Relative",
        "charging_schedule": {
            "charging_rate_unit": "A",
            "charging_schedule_period": [{"start_period": 0, "limit": 10.0}],
        },
    }
    answer = await ems.station("CP1").call(call16.SetChargingProfile(connector_id=2, cs_charging_profiles=profile))
    assert answer.status == "Accepted"
    [set_] = charger.recorder.calls("SetChargingProfile")
    assert set_.payload["csChargingProfiles"]["stackLevel"] == 5

    await gateway.kill()
    await charger.lost()
    await gateway.start()
    await charger.close()
    await charger.connect()
    await charger.heartbeat()
    unlock = call201.UnlockConnector(evse_id=2, connector_id=1)
    assert (await main.station("CP1").call(unlock)).status == "UnlockFailed", "the other has reserved it"
    assert (await ems.station("CP1").call(call16.CancelReservation(reservation_id=5))).status == "Accepted"
    assert charger.recorder.calls("CancelReservation")[-1].payload == {"reservationId": two}
    assert (await main.station("CP1").call(unlock)).status == "Unlocked"


async def test_two_of_the_chargers_version_use_the_same_ids(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    main, ems = await start_csms("ocpp1.6"), await start_csms("ocpp1.6", first_transaction_id=941)
    gateway = await start_gateway({"main": upstream(main), "ems": upstream(ems, may_command=True)}, routes=route("ems"))
    charger = await plug_in(Charger, gateway.url, "CP1")
    await charger.boot()
    for connector, csms in ((1, main), (2, ems)):
        request = call16.ReserveNow(
            connector_id=connector, expiry_date="2035-01-01T00:00:00Z", id_tag=TAG, reservation_id=5
        )
        assert (await csms.station("CP1").call(request)).status == "Accepted"
    one, two = [x.payload["reservationId"] for x in charger.recorder.calls("ReserveNow")]
    assert one == 5 != two
    stamp = charger.clock()
    said = f'{{"connectorId":2,"idTag":"{TAG}","meterStart":0,"timestamp":"{stamp}","reservationId":{two}}}'
    assert (await charger.say("StartTransaction", said)).answer["transactionId"] == 41
    for csms, id in ((main, None), (ems, 5)):
        heard = csms.station("CP1").recorder
        await told(heard, "StartTransaction")
        assert heard.calls("StartTransaction")[0].payload.get("reservationId") == id
    answer = await ems.station("CP1").call(call16.CancelReservation(reservation_id=5))
    assert answer.status == "Accepted"
    assert charger.recorder.calls("CancelReservation")[-1].payload == {"reservationId": two}
    profile = {
        "charging_profile_id": 1,
        "stack_level": 0,
        "charging_profile_purpose": "TxProfile",
        "charging_profile_kind": "Relative",
        "transaction_id": 941,
        "charging_schedule": {
            "charging_rate_unit": "A",
            "charging_schedule_period": [{"start_period": 0, "limit": 10.0}],
        },
    }
    for csms, transaction in ((ems, 941), (main, 41)):
        request = call16.SetChargingProfile(
            connector_id=2, cs_charging_profiles={**profile, "transaction_id": transaction}
        )
        assert (await csms.station("CP1").call(request)).status == "Accepted"
    theirs, own = [x.payload["csChargingProfiles"] for x in charger.recorder.calls("SetChargingProfile")]
    assert theirs["chargingProfileId"] != own["chargingProfileId"] == 1
    assert theirs["transactionId"] == own["transactionId"] == 41
    assert (await ems.station("CP1").call(call16.ClearChargingProfile())).status == "Accepted"
    [cleared] = charger.recorder.calls("ClearChargingProfile")
    assert cleared.payload == {"id": theirs["chargingProfileId"]}


async def test_the_minimum_of_two_profiles(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    main, ems = await start_csms("ocpp2.0.1"), await start_csms("ocpp1.6")
    gateway = await start_gateway(
        {"main": upstream(main), "ems": upstream(ems, may_command=["SetChargingProfile", "ClearChargingProfile"])},
        routes=route("ems", charging_profiles="minimum"),
    )
    charger = await plug_in(Charger, gateway.url, "CP1")
    await charger.boot()
    await charger.status(1, "Available")

    def limit() -> float:
        profile = charger.recorder.calls("SetChargingProfile")[-1].payload["csChargingProfiles"]
        [period] = profile["chargingSchedule"]["chargingSchedulePeriod"]
        return float(period["limit"])

    schedule = {"charging_rate_unit": "A", "charging_schedule_period": [{"start_period": 0, "limit": 32.0}]}
    common = {"stack_level": 0, "charging_profile_purpose": "TxDefaultProfile", "charging_profile_kind": "Relative"}
    profile = {"id": 1, **common, "charging_schedule": [{"id": 1, **schedule}]}
    answer = await main.station("CP1").call(call201.SetChargingProfile(evse_id=0, charging_profile=profile))
    assert answer.status == "Accepted" and limit() == 32
    schedule["charging_schedule_period"] = [{"start_period": 0, "limit": 11.0}]
    theirs = {"charging_profile_id": 1, **common, "charging_schedule": schedule}
    answer = await ems.station("CP1").call(call16.SetChargingProfile(connector_id=0, cs_charging_profiles=theirs))
    assert answer.status == "Accepted" and limit() == 11
    assert (await ems.station("CP1").call(call16.ClearChargingProfile(id=1))).status == "Accepted"
    assert limit() == 32


@pytest.mark.parametrize("version", ["ocpp1.6", "ocpp2.0.1"])
async def test_configuration_kept_for_one(
    version: str, start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    main, ems = await start_csms("ocpp1.6"), await start_csms(version)
    gateway = await start_gateway(
        {"main": upstream(main), "ems": upstream(ems, may_command=True, may_configure=["HeartbeatInterval"])},
        routes=route("ems"),
    )
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    await charger.status(1, "Available")

    async def change(key: str, component: str, variable: str, value: str) -> str:
        station = ems.station("CP1")
        if version == "ocpp1.6":
            return str((await station.call(call16.ChangeConfiguration(key=key, value=value))).status)
        item = {"component": {"name": component}, "variable": {"name": variable}, "attribute_value": value}
        [result] = (await station.call(call201.SetVariables(set_variable_data=[item]))).set_variable_result
        return str(result["attribute_status"])

    async def read() -> str:
        station = ems.station("CP1")
        if version == "ocpp1.6":
            answer = await station.call(call16.GetConfiguration(key=["MeterValueSampleInterval"]))
            return str(answer.configuration_key[0]["value"])
        item = {"component": {"name": "SampledDataCtrlr"}, "variable": {"name": "TxUpdatedInterval"}}
        [result] = (await station.call(call201.GetVariables(get_variable_data=[item]))).get_variable_result
        return str(result["attribute_value"])

    sampled = ("MeterValueSampleInterval", "SampledDataCtrlr", "TxUpdatedInterval", "3600")
    assert await change(*sampled) == "Accepted"
    assert charger.configuration["MeterValueSampleInterval"] == "60", "the charger never hears of it"
    assert await read() == "3600"
    assert await change("HeartbeatInterval", "OCPPCommCtrlr", "HeartbeatInterval", "30") == "Accepted"
    assert charger.configuration["HeartbeatInterval"] == "30"

    await gateway.kill()
    await charger.lost()
    await gateway.start()
    await charger.close()
    await charger.connect()
    await charger.heartbeat()
    assert await read() == "3600"
    transaction = await charger.start(1, TAG)
    for _ in range(4):
        charger.meter += 100
        await charger.meter_values(1, transaction)
    await charger.stop(transaction)
    heard = ems.station("CP1").recorder
    if version == "ocpp1.6":
        await told(heard, "StopTransaction")
        assert len(heard.calls("MeterValues")) == 2
    assert len(main.station("CP1").recorder.calls("MeterValues")) == 4


async def test_a_2x_charger_with_two_of_its_version(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    main, ems = await start_csms("ocpp2.0.1"), await start_csms("ocpp2.0.1")
    gateway = await start_gateway(
        {"main": upstream(main), "ems": upstream(ems, may_command=True, may_configure=False, meter_interval="1h")},
        routes=route("ems"),
    )
    charger = await plug_in(Charger201, gateway.url, "CP1")
    await charger.boot()
    interval = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}}
    change = call201.SetVariables(set_variable_data=[{**interval, "attribute_value": "7"}])
    [result] = (await ems.station("CP1").call(change)).set_variable_result
    assert result["attribute_status"] == "Accepted"
    assert not charger.recorder.calls("SetVariables")
    for csms, value in ((ems, "7"), (main, "300")):
        read = call201.GetVariables(get_variable_data=[interval])
        [result] = (await csms.station("CP1").call(read)).get_variable_result
        assert result["attribute_value"] == value
    token = {"id_token": TAG, "type": "ISO14443"}
    start = call201.RequestStartTransaction(id_token=token, remote_start_id=1, evse_id=1)
    assert (await ems.station("CP1").call(start)).status == "Accepted"
    await told(main.station("CP1").recorder, "TransactionEvent")
    assert (await main.station("CP1").call(call201.Reset(type="Immediate"))).status == "Rejected"
    [transaction] = charger.transactions
    for _ in range(4):
        charger.meter += 100
        await charger.updated(transaction)
    await charger.ended(transaction)
    heard = ems.station("CP1").recorder
    await told(heard, "TransactionEvent", 4)
    assert [x.payload["seqNo"] for x in heard.calls("TransactionEvent")] == [0, 1, 4, 5]
    assert (await main.station("CP1").call(call201.Reset(type="Immediate"))).status == "Accepted"


# -- late ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deauthorise", [True, False])
async def test_who_was_accepted_here_and_is_refused_later_is_stopped(
    deauthorise: bool, start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    main, copy = await start_csms("ocpp1.6"), await start_csms("ocpp1.6", first_transaction_id=941)
    gateway = await start_gateway(
        {"main": upstream(main, options={"offline_unknown_id": "Accepted"}), "copy": upstream(copy)},
        routes=route("copy", primary_down="buffer", deauthorise=deauthorise),
    )
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    await main.stop()
    transaction = await charger.start(1, TAG)
    charger.meter += 100
    await charger.meter_values(1, transaction)
    main.verdict = lambda action, _token: "Blocked" if action == "StartTransaction" else "Accepted"
    await main.start()
    heard = main.station("CP1").recorder
    if not deauthorise:
        await told(heard, "MeterValues")
        await charger.stop(transaction)
        assert not charger.recorder.calls("RemoteStopTransaction")
        return
    await told(heard, "StopTransaction")
    [stop] = charger.recorder.calls("RemoteStopTransaction")
    assert stop.payload == {"transactionId": transaction}
    [end] = heard.calls("StopTransaction")
    assert (end.payload["transactionId"], end.payload["reason"]) == (41, "DeAuthorized")
    theirs = copy.station("CP1").recorder
    await told(theirs, "StopTransaction")
    assert theirs.calls("StopTransaction")[0].payload["reason"] == "Remote", "a mirror hears what the charger said"
