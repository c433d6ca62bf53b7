"""ocpp-ws-cli: its tester, and its simulator as a 2.0.1 charger (installed by tests/peers/install.sh)."""

from __future__ import annotations

import asyncio
import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from ocpp.v16 import call as call16

from .charger import Charger16
from .charges import charges_16
from .conftest import Connect, StartCsms, StartGateway, StartPeer
from .csms import Station
from .peer import NODE_MODULES, Peer
from .test_charge import charge_locally, command
from .wire import Recorder

pytestmark = [pytest.mark.full, pytest.mark.timeout(180)]

CLI = NODE_MODULES / "ocpp-ws-cli" / "dist" / "index.js"
TAG = "04A1B2C3"


@pytest.mark.parametrize("version", ["ocpp1.6", "ocpp2.0.1"])
async def test_ocpp_ws_cli_suite_is_a_report(
    version: str,
    start_csms: StartCsms,
    start_gateway: StartGateway,
    plug_in: Connect,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its checks are its opinion, so they are printed; what must hold is that the next charger charges."""
    csms = await start_csms(version)
    url = (await start_gateway({"main": csms})).url
    report = tmp_path / "report"
    options = [
        "-e",
        url,
        "-i",
        "TESTER",
        "-p",
        version,
        "--suite",
        "all",
        "--report",
        "json",
        "--report-dir",
        str(report),
    ]
    process = await asyncio.create_subprocess_exec(
        "node",
        CLI,
        "test",
        *options,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), 120)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    files = list(report.glob("**/*.json"))
    assert files, output.decode(errors="replace")
    with capsys.disabled():
        print(f"\nocpp-ws-cli against the gateway, {version}:")
        for check in json.loads(files[0].read_text())["testResults"]:
            verdict = "passed" if check["passed"] else f"failed ({check['severity']})"
            print(f"  {verdict:16} {check['name']}: {check.get('issue', '')}")
    csms.station("TESTER").recorder.faults.clear()
    if version == "ocpp1.6":
        charger = await plug_in(Charger16, url, "AFTER1")
        assert (await charger.boot()).status == "Accepted"
        await charge_locally(charger)


async def press(simulator: Peer, key: str) -> None:
    assert simulator.process is not None and simulator.process.stdin is not None
    simulator.process.stdin.write(key.encode())
    await simulator.process.stdin.drain()


async def test_its_201_simulator_charges_behind_a_16_csms(
    start_csms: StartCsms, start_gateway: StartGateway, start_peer: StartPeer, tmp_path: Path
) -> None:
    """A charge by keyboard, one by remote control, and ten more commands.

    It boots with the names of 1.6, its update and its end have the same seqNo, and it answers GetBaseReport with an error.
    """
    csms = await start_csms("ocpp1.6")
    gateway = await start_gateway({"main": csms})
    station = csms.station("SIM1")
    heard = station.recorder
    options = ["-e", gateway.url, "-i", "SIM1", "-p", "ocpp2.0.1", "-t", TAG, "--report", "json"]
    simulator = await start_peer("node", CLI, "simulate", *options, "--report-dir", str(tmp_path), ready=False)
    await heard.until("boot", lambda: statuses(heard)[-1:] == ["Available"])
    assert heard.calls("BootNotification")[0].payload["chargePointModel"] == "VirtualSimulator-v1"

    await press(simulator, "a")
    await heard.until("authorization", lambda: bool(heard.calls("Authorize")))
    await press(simulator, "t")
    await heard.until("start", lambda: len(charges_16(heard)) == 1)
    await simulator.until("start", lambda: len(started(simulator)) == 1)
    await press(simulator, "m")
    await heard.until("reading", lambda: bool(heard.calls("MeterValues")))
    await press(simulator, "e")
    await heard.until("end", lambda: charges_16(heard)[0].energy == Decimal(14))
    assert heard.calls("StartTransaction")[0].payload["idTag"] == TAG
    await heard.until("free connector", lambda: statuses(heard)[-1] == "Available")

    await command(station, call16.RemoteStartTransaction(id_tag=TAG, connector_id=1))
    await simulator.until("remote start", lambda: len(started(simulator)) == 2)
    await command(station, call16.RemoteStopTransaction(transaction_id=42))
    await heard.until("remote end", lambda: charges_16(heard)[1].energy == 0)
    await heard.until("free connector", lambda: statuses(heard)[-1] == "Available")
    await ten_commands(station)


def statuses(heard: Recorder) -> list[str]:
    return [x.payload["status"] for x in heard.calls("StatusNotification") if x.payload["connectorId"] == 1]


def started(simulator: Peer) -> set[str]:
    """The transactions that it has begun: its screen shows a line more than once."""
    return {
        found[1]
        for line in simulator.lines
        if (found := re.search(r"Transaction (\d+) Started", line.get("text", ""))) is not None
    }


async def ten_commands(station: Station) -> None:
    heard = station.recorder
    await command(station, call16.ChangeConfiguration(key="HeartbeatInterval", value="90"))
    got = await station.call(call16.GetConfiguration(key=["HeartbeatInterval", "Nonsense"]))
    assert {each["key"]: each.get("value") for each in got.configuration_key} == {"HeartbeatInterval": "90"}
    await command(station, call16.UnlockConnector(connector_id=1), "Unlocked")
    await command(station, call16.ClearCache())
    await command(station, call16.DataTransfer(vendor_id="com.example", data="d"))
    schedule = {"charging_rate_unit": "A", "charging_schedule_period": [{"start_period": 0, "limit": 16}]}
    profile = {
        "charging_profile_id": 7,
        "stack_level": 0,
        "charging_profile_purpose": "TxDefaultProfile",
        "charging_profile_kind": "Relative",
        "charging_schedule": schedule,
    }
    await command(station, call16.SetChargingProfile(connector_id=1, cs_charging_profiles=profile))
    await command(station, call16.ClearChargingProfile(id=7))
    entry = {"id_tag": TAG, "id_tag_info": {"status": "Accepted"}}
    await command(station, call16.SendLocalList(list_version=2, update_type="Full", local_authorization_list=[entry]))
    await command(station, call16.ChangeAvailability(connector_id=1, type="Operative"))
    before = len(heard.calls("Heartbeat"))
    await command(station, call16.TriggerMessage(requested_message="Heartbeat"))
    await heard.until("triggered heartbeat", lambda: len(heard.calls("Heartbeat")) > before)
