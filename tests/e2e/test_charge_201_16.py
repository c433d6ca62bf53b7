"""A 2.0.1 charger of the `ocpp` package charges behind a 1.6 CSMS, with commands from the CSMS in between."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ocpp.routing import on
from ocpp.v16 import call as call16
from ocpp.v201 import call as call201
from ocpp.v201 import call_result as result201

from .charger import Charger201, Peer201
from .charges import charges_16
from .conftest import Connect, StartCsms, StartGateway
from .test_charge import command

TAG = "04A1B2C3"
TOKEN = {"id_token": TAG, "type": "ISO14443"}
PLUGGED = {"charging_state": "EVConnected"}


class Peer(Peer201):
    """More commands than most tests need."""

    @on("GetLog")
    def get_log(self, **_: Any) -> Any:
        return result201.GetLog(status="Accepted", filename="log.tgz")

    @on("SetChargingProfile")
    def set_profile(self, **_: Any) -> Any:
        return result201.SetChargingProfile(status="Accepted")

    @on("SendLocalList")
    def send_local_list(self, **_: Any) -> Any:
        return result201.SendLocalList(status="Accepted")


class Charger(Charger201):
    peer_type = Peer

    async def plugged(self, evse: int) -> str:
        """A transaction that begins with the cable: nobody has authorised it yet."""
        transaction = f"{self.identity}-{next(self._next_transaction)}"
        self.transactions[transaction] = 0
        await self._event(
            transaction,
            "Started",
            "CablePluggedIn",
            PLUGGED,
            evse={"id": evse, "connector_id": 1},
            meter_value=self._register("Transaction.Begin"),
        )
        return transaction

    async def authorized(self, transaction: str) -> Any:
        return await self._event(transaction, "Updated", "Authorized", PLUGGED, id_token=TOKEN)

    async def charging(self, transaction: str) -> Any:
        return await self._event(transaction, "Updated", "ChargingStateChanged", {"charging_state": "Charging"})

    async def log_status(self, status: str, request_id: int) -> Any:
        return await self.call(call201.LogStatusNotification(status=status, request_id=request_id))


def commands(charger: Charger, action: str) -> list[dict[str, Any]]:
    """The payloads of one command that the charger received."""
    return [exchange.payload for exchange in charger.recorder.calls(action)]


async def boot(charger: Charger) -> None:
    assert (await charger.boot()).status == "Accepted"
    await charger.recorder.until("provisioning", lambda: bool(commands(charger, "GetBaseReport")))
    for evse in (1, 2):
        await charger.status(evse, "Available")


async def test_a_session(start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect) -> None:
    csms = await start_csms("ocpp1.6")
    gateway = await start_gateway({"main": csms})
    charger: Charger = await plug_in(Charger, gateway.url, "CS1")
    heard = csms.station("CS1").recorder

    await boot(charger)
    [booted] = heard.calls("BootNotification")
    assert booted.payload == {
        "chargePointVendor": "ACME",
        "chargePointModel": "FastBox 22",
        "chargePointSerialNumber": "SN-001",
    }
    await heard.until("statuses", lambda: len(heard.calls("StatusNotification")) == 3)
    assert {(x.payload["connectorId"], x.payload["status"]) for x in heard.calls("StatusNotification")} == {
        (0, "Available"),
        (1, "Available"),
        (2, "Available"),
    }

    await charger.status(2, "Occupied")
    transaction = await charger.plugged(2)
    assert await charger.authorize(TAG) == "Accepted"
    answer = await charger.authorized(transaction)
    assert answer.id_token_info == {"status": "Accepted"}
    await charger.charging(transaction)
    for _ in range(2):
        charger.meter += 750
        await charger.updated(transaction)
    await charger.ended(transaction)
    await charger.status(2, "Available")

    [charge] = charges_16(heard)
    assert charge.energy == Decimal(1500)
    [start] = heard.calls("StartTransaction")
    assert start.payload["connectorId"] == 2 and start.payload["idTag"] == TAG and start.payload["meterStart"] == 1000
    meters = [x.payload for x in heard.calls("MeterValues")]
    assert [each["transactionId"] for each in meters] == [int(charge.id)] * 2
    assert [each["meterValue"][0]["sampledValue"][0]["value"] for each in meters] == ["1750", "2500"]
    [stop] = heard.calls("StopTransaction")
    assert stop.payload["reason"] == "Local" and len(stop.payload["transactionData"]) == 1
    told = [x.payload["status"] for x in heard.calls("StatusNotification") if x.payload["connectorId"] == 2]
    assert told == ["Available", "Preparing", "Charging", "Finishing", "Available"]


async def test_commands(start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect) -> None:
    csms = await start_csms("ocpp1.6")
    gateway = await start_gateway({"main": csms})
    charger: Charger = await plug_in(Charger, gateway.url, "CS1")
    station = csms.station("CS1")
    heard = station.recorder
    await boot(charger)

    got = await station.call(call16.GetConfiguration(key=["HeartbeatInterval", "NumberOfConnectors", "Nonsense"]))
    values = {each["key"]: each["value"] for each in got.configuration_key}
    assert values == {"HeartbeatInterval": "300", "NumberOfConnectors": "2"} and got.unknown_key == ["Nonsense"]
    await command(station, call16.ChangeConfiguration(key="MeterValueSampleInterval", value="60"))
    await command(station, call16.ChangeConfiguration(key="Nonsense", value="60"), "NotSupported")

    await command(station, call16.RemoteStartTransaction(connector_id=1, id_tag=TAG))
    await heard.until("start", lambda: bool(charges_16(heard)))
    assert commands(charger, "RequestStartTransaction")[0]["idToken"] == {"idToken": TAG, "type": "ISO14443"}
    charger.meter += 320
    number = int(charges_16(heard)[0].id)
    await command(station, call16.RemoteStopTransaction(transaction_id=number + 1), "Rejected")
    await command(station, call16.RemoteStopTransaction(transaction_id=number))
    await heard.until("end", lambda: charges_16(heard)[0].energy is not None)
    assert charges_16(heard)[0].energy == Decimal(320)
    assert heard.calls("StopTransaction")[0].payload["reason"] == "Remote"

    await command(station, call16.RemoteStartTransaction(connector_id=2, id_tag=TAG))
    await heard.until("second start", lambda: len(charges_16(heard)) == 2)
    await command(station, call16.UnlockConnector(connector_id=2), "Unlocked")
    assert heard.calls("StopTransaction")[1].payload["reason"] == "UnlockCommand"
    assert commands(charger, "UnlockConnector") == [{"evseId": 2, "connectorId": 1}]

    await command(station, call16.ChangeAvailability(connector_id=2, type="Inoperative"))
    assert commands(charger, "ChangeAvailability") == [{"evse": {"id": 2}, "operationalStatus": "Inoperative"}]
    await command(station, call16.ClearCache())
    echo = await command(station, call16.DataTransfer(vendor_id="com.example", data="ping"))
    assert echo.data == "ping"
    await command(station, call16.TriggerMessage(requested_message="Heartbeat"))
    await heard.until("triggered heartbeat", lambda: bool(heard.calls("Heartbeat")))

    schedule = {"charging_rate_unit": "A", "charging_schedule_period": [{"start_period": 0, "limit": 16}]}
    profile = {
        "charging_profile_id": 7,
        "stack_level": 0,
        "charging_profile_purpose": "TxDefaultProfile",
        "charging_profile_kind": "Relative",
        "charging_schedule": schedule,
    }
    await command(station, call16.SetChargingProfile(connector_id=1, cs_charging_profiles=profile))
    assert commands(charger, "SetChargingProfile")[0]["chargingProfile"]["chargingSchedule"][0]["id"] > 0
    await command(station, call16.SendLocalList(list_version=3, update_type="Full", local_authorization_list=[]))
    assert commands(charger, "SendLocalList") == [{"versionNumber": 3, "updateType": "Full"}]

    log = await station.call(call16.GetDiagnostics(location="ftp://logs.example"))
    assert log.file_name == "log.tgz"
    await charger.log_status("UploadFailure", commands(charger, "GetLog")[0]["requestId"])
    assert [x.payload for x in heard.calls("DiagnosticsStatusNotification")] == [{"status": "UploadFailed"}]

    await command(station, call16.Reset(type="Soft"))
    assert commands(charger, "Reset") == [{"type": "OnIdle"}]


async def test_a_token_that_the_csms_refuses(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms = await start_csms("ocpp1.6")
    csms.verdict = lambda action, _tag: "Accepted" if action == "Authorize" else "Blocked"
    gateway = await start_gateway({"main": csms})
    charger: Charger = await plug_in(Charger, gateway.url, "CS1")
    heard = csms.station("CS1").recorder
    await boot(charger)
    await charger.status(1, "Occupied")
    transaction = await charger.plugged(1)
    assert await charger.authorize(TAG) == "Accepted"
    assert (await charger.authorized(transaction)).id_token_info == {"status": "Blocked"}
    await charger.ended(transaction, trigger="Deauthorized", reason="DeAuthorized")
    await heard.until("end", lambda: bool(heard.calls("StopTransaction")))
    assert heard.calls("StopTransaction")[0].payload["reason"] == "DeAuthorized"
    assert charges_16(heard)[0].energy == 0
