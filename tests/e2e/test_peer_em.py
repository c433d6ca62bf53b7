"""em-ocpp-chargepoint-simulator, a 1.6 charger of others, behind CSMSs of 1.6 and 2.0.1 (installed by tests/peers/install.sh)."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from ocpp.exceptions import OCPPError
from ocpp.v16 import call as call16
from ocpp.v201 import call as call201

from .charges import charges_16, charges_201
from .conftest import StartCsms, StartGateway, StartPeer
from .csms import Station
from .peer import NODE_MODULES, SCRIPTS, Peer

pytestmark = [pytest.mark.full, pytest.mark.timeout(180)]


async def run_em(start_peer: StartPeer, tmp_path: Path, url: str) -> Peer:
    # The simulator takes its script relative to its working directory.
    (tmp_path / "session.js").write_bytes((SCRIPTS / "em_session.js").read_bytes())
    main = NODE_MODULES / "em-ocpp-chargepoint-simulator" / "build" / "src" / "main.js"
    return await start_peer("node", main, "./session.js", ready=False, CSMS_URL=f"{url}/EM1")


async def test_em_simulator_without_gateway(start_csms: StartCsms, start_peer: StartPeer, tmp_path: Path) -> None:
    csms = await start_csms("ocpp1.6")
    station = csms.station("EM1")
    em = await run_em(start_peer, tmp_path, csms.url)
    await station.recorder.until("local charge", lambda: bool(station.recorder.calls("StopTransaction")))
    answer = await station.call(call16.RemoteStartTransaction(id_tag="REMOTE01", connector_id=1))
    assert answer.status == "Accepted"
    await station.recorder.until("remote reading", lambda: len(station.recorder.calls("MeterValues")) == 2)
    await station.call(call16.RemoteStopTransaction(transaction_id=42))
    energies = [Decimal(1500), Decimal(250)]
    await station.recorder.until(
        "remote charge", lambda: [charge.energy for charge in charges_16(station.recorder)] == energies
    )
    await station.call(call16.Reset(type="Hard"))
    assert await em.exited() == 0


async def test_em_simulator_charges_against_a_201_csms(
    start_csms: StartCsms, start_gateway: StartGateway, start_peer: StartPeer, tmp_path: Path
) -> None:
    """A charge of its own, one by remote control, and ten more commands."""
    csms = await start_csms("ocpp2.0.1")
    gateway = await start_gateway({"main": csms})
    station = csms.station("EM1")
    heard = station.recorder
    em = await run_em(start_peer, tmp_path, gateway.url)

    def energies() -> list[Decimal | None]:
        return [charge.energy for charge in charges_201(heard)]

    await heard.until("local charge", lambda: energies() == [Decimal(1500)])
    token = {"id_token": "REMOTE01", "type": "Central"}
    start = call201.RequestStartTransaction(evse_id=1, remote_start_id=5, id_token=token)
    assert (await station.call(start)).status == "Accepted"
    await heard.until(
        "remote reading", lambda: len(charges_201(heard)) == 2 and "Updated" in charges_201(heard)[1].kinds
    )
    assert charges_201(heard)[1].events[0]["transactionInfo"]["remoteStartId"] == 5
    stop = call201.RequestStopTransaction(transaction_id=charges_201(heard)[1].id)
    assert (await station.call(stop)).status == "Accepted"
    await heard.until("remote charge", lambda: energies() == [Decimal(1500), Decimal(250)])

    await ten_commands(station)
    assert (await station.call(call201.Reset(type="Immediate"))).status == "Accepted"
    assert await em.exited() == 0


async def ten_commands(station: Station) -> None:
    heard = station.recorder
    variable = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}}
    got = await station.call(call201.GetVariables(get_variable_data=[variable]))
    assert got.get_variable_result[0]["attribute_value"] == "60"
    put = await station.call(call201.SetVariables(set_variable_data=[{**variable, "attribute_value": "90"}]))
    assert put.set_variable_result[0]["attribute_status"] == "RebootRequired"
    log = {"remote_location": "ftp://logs.example/"}
    accepted: list[Any] = [
        call201.GetBaseReport(request_id=1, report_base="FullInventory"),
        call201.ChangeAvailability(operational_status="Inoperative", evse={"id": 1}),
        call201.ChangeAvailability(operational_status="Operative"),
        call201.DataTransfer(vendor_id="com.example", message_id="m", data="d"),
        call201.ClearChargingProfile(charging_profile_criteria={"evse_id": 1, "stack_level": 0}),
        call201.GetLog(log=log, log_type="DiagnosticsLog", request_id=2),
        call201.UpdateFirmware(
            request_id=3, firmware={"location": "ftp://fw.example/1.bin", "retrieve_date_time": "2099-01-01T00:00:00Z"}
        ),
        call201.TriggerMessage(requested_message="Heartbeat"),
    ]
    for command in accepted:
        before = len(heard.calls("Heartbeat"))
        answer = await station.call(command)
        assert answer.status == "Accepted", (command, answer)
    await heard.until("triggered heartbeat", lambda: len(heard.calls("Heartbeat")) > before)
    await heard.until("report", lambda: any(not x.payload.get("tbc") for x in heard.calls("NotifyReport")))


async def test_em_simulator_never_answers_an_unknown_command(
    start_csms: StartCsms, start_gateway: StartGateway, start_peer: StartPeer, tmp_path: Path
) -> None:
    """The command times out towards the CSMS; neither side is stuck afterwards."""
    csms = await start_csms("ocpp2.0.1")
    gateway = await start_gateway({"main": csms})
    station = csms.station("EM1")
    await run_em(start_peer, tmp_path, gateway.url)
    await station.recorder.until(
        "local charge", lambda: [c.kinds[-1:] for c in charges_201(station.recorder)] == [["Ended"]]
    )
    assert station.peer is not None
    station.peer._response_timeout = 60
    try:
        answer = await station.call(call201.ClearCache(), 60)
        assert answer.status == "Rejected"
    except OCPPError:
        pass
    answer = await station.call(call201.DataTransfer(vendor_id="com.example"))
    assert answer.status == "Accepted"
