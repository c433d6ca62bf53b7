"""Frames in the log, for one charger, for a while; without secrets; others' frames stay out."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from ocpp.v16 import call as call16

from .charger import Charger16
from .conftest import Connect, StartCsms, StartGateway
from .operator import ask, until
from .process import COMMAND, Gateway
from .wire import PATIENCE


def lines(gateway: Gateway, event: str = "frame") -> list[dict[str, Any]]:
    found = [json.loads(line) for line in gateway.log.read_text().splitlines() if line.startswith("{")]
    return [line for line in found if line["event"] == event]


async def command(gateway: Gateway, *arguments: str) -> tuple[int, str]:
    """`ocpp-gateway wire-log ...`: exit code and output."""
    server = ("--server", f"http://127.0.0.1:{gateway.admin_port}")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(COMMAND, "wire-log", *arguments, *server, stdout=pipe, stderr=pipe)
    output, errors = await asyncio.wait_for(process.communicate(), PATIENCE)
    return process.returncode or 0, (output or errors).decode()


async def test_the_frames_of_a_charger_are_logged_for_a_while(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms = await start_csms("ocpp2.0.1")
    gateway = await start_gateway({"main": csms}, log={"level": "error"})
    one, other = await plug_in(Charger16, gateway.url, "CP1"), await plug_in(Charger16, gateway.url, "CP2")
    await one.boot()
    await other.boot()
    assert lines(gateway) == []
    assert (await ask(gateway, "PUT", "/api/v1/wire-logs", {"match": "CP1", "seconds": 1e9}))[0] == 400
    assert (await ask(gateway, "PUT", "/api/v1/wire-logs", {"match": "re:(", "seconds": 9}))[0] == 409
    code, said = await command(gateway, "CP1", "--for", "3s", "--output", "json")
    assert code == 0 and [each["match"] for each in json.loads(said)["wire_logs"]] == ["CP1"], said
    await one.start(1, "SECRETTAG")
    await other.start(1, "OTHERTAG")
    await one.call(call16.DataTransfer(vendor_id="V", data="VENDORSECRET"))
    await until("frames", lambda: len(lines(gateway)) >= 6)
    shown = lines(gateway)
    assert {line["charger_id"] for line in shown} == {"CP1"}
    assert {"charger", "csms"} == {line["side"] for line in shown}
    [call] = [line for line in shown if line["action"] == "StartTransaction" and line["direction"] == "in"]
    assert (call["logger"], call["level"], call["ocpp_version"]) == ("wire", "info", "1.6")
    assert call["frame"][0] == 2 and call["frame"][3]["connectorId"] == 1 and call["message_id"]
    [told] = [line for line in shown if line["action"] == "TransactionEvent" and line["frame"][0] == 2]
    assert (told["upstream"], told["direction"], told["ocpp_version"]) == ("main", "out", "2.0.1")
    assert told["exchange"] == call["exchange"]
    text = gateway.log.read_text()
    assert "SECRETTAG" not in text and "VENDORSECRET" not in text and "OTHERTAG" not in text
    await until("its end", lambda: bool(lines(gateway, "wire_log_ended")))
    assert (await ask(gateway, "GET", "/api/v1/wire-logs"))[1]["wire_logs"] == []
    assert (await command(gateway, "CP1", "--for", "soon"))[0] == 2
    assert (await command(gateway, "--stop"))[0] == 2
    before = len(lines(gateway))
    await one.heartbeat()
    await asyncio.sleep(0.3)
    assert len(lines(gateway)) == before
