"""A 1.5 charger charges behind a 2.0.1 CSMS and behind a 1.6 one, with commands from the CSMS in between."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from ocpp.v16 import call as call16
from ocpp.v201 import call as call201

from .charger15 import Charger15
from .charges import charges_16, charges_201
from .conftest import Connect, StartCsms, StartGateway
from .csms import Station
from .test_charge import command

TAG = "04A1B2C3"
TOKEN = {"id_token": TAG, "type": "ISO14443"}
HEARTBEAT = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}}
BLINK = {"component": {"name": "OCPP16LegacyCtrlr"}, "variable": {"name": "BlinkRepeat"}}


def commands(charger: Charger15, action: str) -> list[dict[str, Any]]:
    """The payloads of one command that the charger received."""
    return [exchange.payload for exchange in charger.recorder.calls(action)]


async def boot(charger: Charger15) -> None:
    answer = await charger.boot()
    assert answer["status"] == "Accepted" and answer["heartbeatInterval"] > 0
    for connector in (0, 1, 2):
        await charger.status(connector, "Available")


async def charge(charger: Charger15, connector: int) -> int:
    """Occupied, 1500 Wh told in three dialects, Available again. Returns the transaction number."""
    await charger.status(connector, "Occupied")
    assert (await charger.call("Authorize", {"idTag": TAG}))["idTagInfo"]["status"] == "Accepted"
    number = await charger.start(connector, TAG)
    await charger.status(connector, "Occupied")
    for dialect in "ABC":
        charger.meter += 500
        await charger.meter_values(connector, number, dialect)
    await charger.stop(number, TAG)
    await charger.status(connector, "Available")
    return number


async def test_15_charger_charges_against_201_csms(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms = await start_csms("ocpp2.0.1")
    gateway = await start_gateway({"main": csms})
    charger: Charger15 = await plug_in(Charger15, gateway.url, "CB15")
    heard = csms.station("CB15").recorder

    await boot(charger)
    [booted] = heard.calls("BootNotification")
    assert booted.payload["chargingStation"] == {
        "vendorName": "DBT",
        "model": "NQC-ACDC",
        "serialNumber": "SN-15",
        "firmwareVersion": "1.0.49",
    }
    await charge(charger, 1)
    statuses = [x.payload["connectorStatus"] for x in heard.calls("StatusNotification") if x.payload["evseId"] == 1]
    assert statuses == ["Available", "Occupied", "Available"]
    [told] = charges_201(heard)
    assert told.energy == Decimal(1500)
    assert told.events[0]["idToken"] == {"idToken": TAG, "type": "ISO14443"}
    assert "reservationId" not in told.events[0]
    assert told.events[-1]["transactionInfo"]["stoppedReason"] == "Local"
    samples = [
        sample for event in told.events for each in event.get("meterValue", []) for sample in each["sampledValue"]
    ]
    assert {sample["unitOfMeasure"]["unit"] for sample in samples if sample.get("measurand") == "Current.Import"} == {
        "A"
    }

    await charge(charger, 2)
    assert [each.energy for each in charges_201(heard)] == [Decimal(1500), Decimal(1500)]


async def test_commands_of_a_201_csms_reach_a_15_charger(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms = await start_csms("ocpp2.0.1")
    gateway = await start_gateway({"main": csms})
    charger: Charger15 = await plug_in(Charger15, gateway.url, "CB15")
    station = csms.station("CB15")
    heard = station.recorder
    await boot(charger)

    start = call201.RequestStartTransaction(evse_id=1, remote_start_id=7001, id_token=TOKEN)
    await command(station, start)
    await charger.recorder.until("start", lambda: bool(charger.transactions))
    [number] = charger.transactions
    charger.meter += 700
    await charger.meter_values(1, number, "B")
    [told] = charges_201(heard)
    assert told.events[0]["triggerReason"] == "RemoteStart"
    assert told.events[0]["transactionInfo"]["remoteStartId"] == 7001
    await command(station, call201.RequestStopTransaction(transaction_id=told.id))
    await heard.until("end", lambda: charges_201(heard)[0].energy is not None)
    [told] = charges_201(heard)
    assert told.energy == Decimal(700) and told.events[-1]["transactionInfo"]["stoppedReason"] == "Remote"

    got = await station.call(call201.GetVariables(get_variable_data=[HEARTBEAT, BLINK]))
    assert [each["attribute_value"] for each in got.get_variable_result] == ["300", "3"]
    put = await station.call(call201.SetVariables(set_variable_data=[{**HEARTBEAT, "attribute_value": "120"}]))
    assert put.set_variable_result[0]["attribute_status"] == "Accepted"
    assert commands(charger, "ChangeConfiguration") == [{"key": "HeartBeatInterval", "value": "120"}]

    entries = [{"id_token": TOKEN, "id_token_info": {"status": "Accepted"}}]
    await command(
        station, call201.SendLocalList(version_number=5, update_type="Full", local_authorization_list=entries)
    )
    assert commands(charger, "SendLocalList") == [
        {
            "updateType": "Full",
            "listVersion": 5,
            "localAuthorisationList": [{"idTag": TAG, "idTagInfo": {"status": "Accepted"}}],
        }
    ]
    assert (await station.call(call201.GetLocalListVersion())).version_number == 5

    reserve = call201.ReserveNow(id=31, expiry_date_time="2099-01-01T00:00:00Z", id_token=TOKEN, evse_id=2)
    await command(station, reserve)
    await charger.status(2, "Reserved")
    number = await charger.start(2, TAG, reservation=31)
    assert charges_201(heard)[-1].events[0]["reservationId"] == 31
    await charger.stop(number)
    await command(station, call201.ReserveNow(id=32, expiry_date_time="2099-01-01T00:00:00Z", id_token=TOKEN))
    await command(station, call201.CancelReservation(reservation_id=32))
    assert commands(charger, "CancelReservation") == [{"reservationId": 32}]

    await command(station, call201.UnlockConnector(evse_id=1, connector_id=1), "Unlocked")
    await command(station, call201.ChangeAvailability(operational_status="Inoperative", evse={"id": 2}))
    before = len(heard.calls("StatusNotification"))
    trigger = call201.TriggerMessage(requested_message="StatusNotification", evse={"id": 1, "connector_id": 1})
    await command(station, trigger)
    await heard.until("triggered status", lambda: len(heard.calls("StatusNotification")) > before)
    await command(station, call201.ClearCache())
    await command(station, call201.Reset(type="Immediate"))
    assert commands(charger, "Reset") == [{"type": "Hard"}]


@pytest.mark.parametrize("version", ["ocpp1.6", "ocpp2.0.1"])
async def test_a_gateway_that_dies_loses_nothing_of_a_15_charge(
    version: str, start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms = await start_csms(version)
    gateway = await start_gateway({"main": csms})
    charger: Charger15 = await plug_in(Charger15, gateway.url, "CB15")
    recorder = csms.station("CB15").recorder
    await boot(charger)
    await charger.status(1, "Occupied")
    number = await charger.start(1, TAG)
    charger.meter += 500
    await charger.meter_values(1, number, "C")
    await gateway.kill()
    await gateway.start()
    await charger.connect()
    charger.meter += 500
    await charger.meter_values(1, number, "A")
    await charger.stop(number)
    find = charges_16 if version == "ocpp1.6" else charges_201
    assert [each.energy for each in find(recorder)] == [Decimal(1000)]


async def test_15_charger_and_16_csms(start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect) -> None:
    csms = await start_csms("ocpp1.6")
    gateway = await start_gateway({"main": csms})
    charger: Charger15 = await plug_in(Charger15, gateway.url, "CB15")
    station: Station = csms.station("CB15")
    await boot(charger)
    assert await charge(charger, 1) == 41, "the CSMS gives the transaction id"
    assert [each.energy for each in charges_16(station.recorder)] == [Decimal(1500)]
    statuses = [
        x.payload["status"] for x in station.recorder.calls("StatusNotification") if x.payload["connectorId"] == 1
    ]
    assert statuses == ["Available", "Preparing", "Charging", "Available"]
    await command(station, call16.TriggerMessage(requested_message="Heartbeat"))
    await station.recorder.until("heartbeat", lambda: bool(station.recorder.calls("Heartbeat")))
    await command(station, call16.UnlockConnector(connector_id=1), "Unlocked")
    got = await station.call(call16.GetConfiguration(key=["HeartbeatInterval", "NumberOfConnectors"]))
    assert {each["key"]: each["value"] for each in got.configuration_key} == {
        "HeartbeatInterval": "300",
        "NumberOfConnectors": "2",
    }
