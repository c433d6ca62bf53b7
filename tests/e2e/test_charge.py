"""A charger of the `ocpp` package charges, with commands from the CSMS in between."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from ocpp.v16 import call as call16
from ocpp.v201 import call as call201

from .charger import Charger16, Charger201
from .charges import charges_16, charges_201
from .conftest import Connect, StartCsms, StartGateway
from .csms import Csms, Station
from .wire import Recorder

TAG = "04A1B2C3"
HEARTBEAT = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}}


async def command(station: Station, request: Any, expected: str = "Accepted") -> Any:
    answer = await station.call(request)
    assert answer.status == expected, f"{type(request).__name__}: {answer}"
    return answer


def commands(charger: Charger16 | Charger201, action: str) -> list[dict[str, Any]]:
    """The payloads of one command that the charger received."""
    return [exchange.payload for exchange in charger.recorder.calls(action)]


async def charge_locally(charger: Charger16, connector: int = 1) -> int:
    """Plugs in, authorises, charges 1500 Wh with two meter readings, stops. Returns the transaction id."""
    await charger.status(connector, "Preparing")
    assert await charger.authorize(TAG) == "Accepted"
    transaction = await charger.start(connector, TAG)
    await charger.status(connector, "Charging")
    for _ in range(2):
        charger.meter += 500
        await charger.meter_values(connector, transaction)
    charger.meter += 500
    await charger.stop(transaction, tag=TAG)
    await charger.status(connector, "Finishing")
    await charger.status(connector, "Available")
    return transaction


async def boot(charger: Charger16) -> None:
    assert (await charger.boot()).status == "Accepted"
    for connector in (0, 1, 2):
        await charger.status(connector, "Available")


async def test_16_charger_charges_against_201_csms(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms = await start_csms("ocpp2.0.1")
    gateway = await start_gateway({"main": csms})
    charger = await plug_in(Charger16, gateway.url, "CP1")
    station = csms.station("CP1")
    heard = station.recorder

    await boot(charger)
    [booted] = heard.calls("BootNotification")
    assert booted.payload["chargingStation"]["vendorName"] == "ACME"
    assert booted.payload["chargingStation"]["serialNumber"] == "SN-001"
    statuses = [(x.payload["evseId"], x.payload["connectorStatus"]) for x in heard.calls("StatusNotification")]
    assert statuses == [(1, "Available"), (2, "Available")]

    first = await charge_locally(charger)
    assert first > 0
    [charge] = charges_201(heard)
    assert charge.energy == Decimal(1500)
    assert charge.events[0]["idToken"] == {"idToken": TAG, "type": "ISO14443"}
    assert charge.events[0]["evse"] == {"id": 1, "connectorId": 1}
    assert charge.kinds[-1] == "Ended" and charge.kinds.count("Updated") >= 3
    assert charge.events[-1]["transactionInfo"]["stoppedReason"] == "Local"
    assert not any(event.get("offline") for event in charge.events)

    second = await charge_locally(charger, connector=2)
    assert second > first
    assert [x.energy for x in charges_201(heard)] == [Decimal(1500), Decimal(1500)]


async def test_commands_of_a_201_csms_reach_a_16_charger(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms = await start_csms("ocpp2.0.1")
    gateway = await start_gateway({"main": csms})
    charger = await plug_in(Charger16, gateway.url, "CP1")
    station = csms.station("CP1")
    heard = station.recorder
    await boot(charger)

    got = await station.call(call201.GetVariables(get_variable_data=[HEARTBEAT]))
    assert got.get_variable_result[0]["attribute_status"] == "Accepted"
    assert got.get_variable_result[0]["attribute_value"] == "300"
    assert got.get_variable_result[0]["variable"]["name"] == "HeartbeatInterval"

    put = await station.call(call201.SetVariables(set_variable_data=[{**HEARTBEAT, "attribute_value": "120"}]))
    assert put.set_variable_result[0]["attribute_status"] == "Accepted"
    assert commands(charger, "ChangeConfiguration") == [{"key": "HeartbeatInterval", "value": "120"}]
    assert charger.configuration["HeartbeatInterval"] == "120"

    await command(station, call201.GetBaseReport(request_id=55, report_base="ConfigurationInventory"))
    await heard.until("last NotifyReport", lambda: any(not x.payload.get("tbc") for x in heard.calls("NotifyReport")))
    reports = [exchange.payload for exchange in heard.calls("NotifyReport")]
    assert {report["requestId"] for report in reports} == {55}
    assert [report["seqNo"] for report in reports] == list(range(len(reports)))
    values = {
        item["variable"]["name"]: item["variableAttribute"][0].get("value")
        for report in reports
        for item in report.get("reportData", [])
    }
    assert values["HeartbeatInterval"] == "120"

    await command(station, call201.ClearCache())
    answer = await command(station, call201.DataTransfer(vendor_id="com.example", message_id="echo", data="ping"))
    assert answer.data == "ping"
    assert commands(charger, "DataTransfer") == [{"vendorId": "com.example", "messageId": "echo", "data": "ping"}]

    await command(station, call201.ChangeAvailability(operational_status="Inoperative", evse={"id": 2}))
    await command(station, call201.ChangeAvailability(operational_status="Operative", evse={"id": 2}))
    assert commands(charger, "ChangeAvailability") == [
        {"connectorId": 2, "type": "Inoperative"},
        {"connectorId": 2, "type": "Operative"},
    ]

    before = len(heard.calls("StatusNotification"))
    trigger = call201.TriggerMessage(requested_message="StatusNotification", evse={"id": 1, "connector_id": 1})
    await command(station, trigger)
    await heard.until("triggered status", lambda: len(heard.calls("StatusNotification")) > before)
    assert heard.calls("StatusNotification")[-1].payload["connectorStatus"] == "Available"
    await command(station, call201.TriggerMessage(requested_message="Heartbeat"))
    await heard.until("triggered heartbeat", lambda: bool(heard.calls("Heartbeat")))

    await command(station, call201.UnlockConnector(evse_id=1, connector_id=1), "Unlocked")
    assert commands(charger, "UnlockConnector") == [{"connectorId": 1}]


async def test_remote_start_and_stop_across_versions(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms = await start_csms("ocpp2.0.1")
    gateway = await start_gateway({"main": csms})
    charger = await plug_in(Charger16, gateway.url, "CP1")
    station = csms.station("CP1")
    heard = station.recorder
    await boot(charger)

    await command(
        station,
        call201.RequestStartTransaction(
            evse_id=1, remote_start_id=7001, id_token={"id_token": "APP-USER-1", "type": "Central"}
        ),
    )
    await charger.recorder.until("start", lambda: bool(charger.transactions))
    [transaction] = charger.transactions
    [charge] = charges_201(heard)
    assert charge.events[0]["triggerReason"] == "RemoteStart"
    assert charge.events[0]["transactionInfo"]["remoteStartId"] == 7001
    assert charge.events[0]["idToken"] == {"idToken": "APP-USER-1", "type": "Central"}

    await command(station, call201.UnlockConnector(evse_id=1, connector_id=1), "OngoingAuthorizedTransaction")
    assert commands(charger, "UnlockConnector") == []
    await command(station, call201.RequestStopTransaction(transaction_id="no-such"), "Rejected")
    assert commands(charger, "RemoteStopTransaction") == []

    charger.meter += 700
    await charger.meter_values(1, transaction)
    await command(station, call201.RequestStopTransaction(transaction_id=charge.id))
    assert commands(charger, "RemoteStopTransaction") == [{"transactionId": transaction}]
    await heard.until("end", lambda: charges_201(heard)[0].energy is not None)
    [charge] = charges_201(heard)
    assert charge.energy == Decimal(700)
    assert charge.events[-1]["triggerReason"] == "RemoteStop"
    assert charge.events[-1]["transactionInfo"]["stoppedReason"] == "Remote"

    await command(station, call201.Reset(type="Immediate"))
    assert commands(charger, "Reset") == [{"type": "Hard"}]
    await charger.close()
    await charger.connect()
    await boot(charger)
    assert heard.calls("BootNotification")[-1].payload["reason"] == "RemoteReset"
    assert heard.connections == 1, "the upstream socket stays through a short absence"


def same(charger: Recorder, csms: Recorder) -> None:
    """Every exchange, both ways, has the same action, payload and answer, byte for byte, at both ends."""
    for mine in (True, False):
        sent = [(x.action, x.raw, x.raw_answer, x.error) for x in charger.calls(mine=mine)]
        heard = [(x.action, x.raw, x.raw_answer, x.error) for x in csms.calls(mine=not mine)]
        assert heard == sent


async def test_16_charger_and_16_csms_see_the_same_bytes(
    start_csms: StartCsms, charger_url: Callable[[Csms], Awaitable[str]], plug_in: Connect
) -> None:
    csms = await start_csms("ocpp1.6")
    charger = await plug_in(Charger16, await charger_url(csms), "CP1")
    station = csms.station("CP1")
    await boot(charger)
    transaction = await charge_locally(charger)
    assert transaction == 41, "the CSMS gives the transaction id on an untouched route"

    await command(station, call16.RemoteStartTransaction(connector_id=2, id_tag=TAG))
    await charger.recorder.until("start", lambda: bool(charger.transactions))
    charger.meter += 321
    await command(station, call16.RemoteStopTransaction(transaction_id=42))
    await station.recorder.until("end", lambda: charges_16(station.recorder)[-1].energy is not None)
    await charger.recorder.until("conf", lambda: charger.recorder.calls(mine=True)[-1].answer is not None)
    assert [charge.energy for charge in charges_16(station.recorder)] == [Decimal(1500), Decimal(321)]

    got = await station.call(call16.GetConfiguration(key=["HeartbeatInterval", "Nonsense"]))
    assert got.unknown_key == ["Nonsense"]
    await command(station, call16.ChangeConfiguration(key="HeartbeatInterval", value="60"))
    await command(station, call16.TriggerMessage(requested_message="Heartbeat"))
    await charger.recorder.until(
        "triggered heartbeat", lambda: charger.recorder.calls(mine=True)[-1].answer is not None
    )
    await station.recorder.until("heartbeat", lambda: bool(station.recorder.calls("Heartbeat")))
    await command(station, call16.UnlockConnector(connector_id=1), "Unlocked")
    await command(station, call16.ChangeAvailability(connector_id=0, type="Operative"))
    await command(station, call16.ClearCache())
    await command(station, call16.DataTransfer(vendor_id="com.example", data='{"a": 1.10}'))
    await command(station, call16.Reset(type="Soft"))
    same(charger.recorder, station.recorder)


async def test_201_charger_and_201_csms_see_the_same_bytes(
    start_csms: StartCsms, charger_url: Callable[[Csms], Awaitable[str]], plug_in: Connect
) -> None:
    csms = await start_csms("ocpp2.0.1")
    charger = await plug_in(Charger201, await charger_url(csms), "CS1")
    station = csms.station("CS1")
    token = {"id_token": TAG, "type": "ISO14443"}
    assert (await charger.boot()).status == "Accepted"
    await charger.status(1, "Available")
    await charger.status(1, "Occupied")
    assert await charger.authorize(TAG) == "Accepted"
    transaction = await charger.started(1, token)
    charger.meter += 250
    await charger.updated(transaction)
    charger.meter += 250
    await charger.ended(transaction)

    start = call201.RequestStartTransaction(evse_id=1, remote_start_id=9, id_token=token)
    await command(station, start)
    await charger.recorder.until("start", lambda: bool(charger.transactions))
    [remote] = charger.transactions
    charger.meter += 125
    await command(station, call201.RequestStopTransaction(transaction_id=remote))
    await charger.recorder.until("end", lambda: not charger.transactions)
    assert [charge.energy for charge in charges_201(station.recorder)] == [Decimal(500), Decimal(125)]
    assert [charge.id for charge in charges_201(station.recorder)] == [transaction, remote]

    await station.call(call201.GetVariables(get_variable_data=[HEARTBEAT]))
    await station.call(call201.SetVariables(set_variable_data=[{**HEARTBEAT, "attribute_value": "60"}]))
    await command(station, call201.GetBaseReport(request_id=1, report_base="FullInventory"))
    await station.recorder.until("report", lambda: bool(station.recorder.calls("NotifyReport")))
    await charger.recorder.until(
        "ack", lambda: charger.recorder.calls("NotifyReport", mine=True)[-1].answer is not None
    )
    await command(station, call201.ClearCache())
    await command(station, call201.UnlockConnector(evse_id=1, connector_id=1), "Unlocked")
    await command(station, call201.ChangeAvailability(operational_status="Operative"))
    await command(station, call201.DataTransfer(vendor_id="com.example", data={"nested": [1.5, None]}))
    await command(station, call201.Reset(type="OnIdle"))
    same(charger.recorder, station.recorder)


UNTIDY = [
    ("DataTransfer", '{ "vendorId":"com.example",\t"data":"\\u00e9\\/ \\ud83d\\ude00 1.10" }'),
    ("DataTransfer", '{"data":"é","vendorId":"com.example","messageId":""}'),
    (
        "MeterValues",
        '{"connectorId":1,"meterValue":[{"timestamp":"2025-03-01T10:00:00+02:00","sampledValue":[{"value":"3.320"}]}]}',
    ),
    (
        "StatusNotification",
        '{"status":"Available","errorCode":"NoError","connectorId":1,"timestamp":"2025-03-01T10:00:00Z"}',
    ),
]


async def test_untidy_but_valid_json_is_not_tidied(
    start_csms: StartCsms, charger_url: Callable[[Csms], Awaitable[str]], plug_in: Connect
) -> None:
    csms = await start_csms("ocpp1.6")
    charger = await plug_in(Charger16, await charger_url(csms), "CP1")
    await boot(charger)
    for action, payload in UNTIDY:
        exchange = await charger.say(action, payload)
        assert exchange.error is None, exchange
        assert csms.station("CP1").recorder.calls(action)[-1].raw == payload.encode()
    same(charger.recorder, csms.station("CP1").recorder)
