"""Recordings of 2.0.1 and 2.1 chargers that are not ours, imported from another tool's files and played by `replay`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .charges import charges_16
from .conftest import StartCsms, StartGateway
from .operator import metric, until
from .process import Gateway
from .raw import raw_csms as raw_csms
from .test_commands import run

FOLDER = Path(__file__).with_name("recordings")
NAMES = sorted(path.name.removesuffix(".jsonl") for path in (FOLDER / "ocpp201").glob("*_201.jsonl"))


def said(file: Path) -> list[tuple[str, dict[str, Any]]]:
    """The CALLs of the recorded charger."""
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    return [(each["frame"][2], each["frame"][3]) for each in lines if each["dir"] == "in" and each["frame"][0] == 2]


async def replayed(gateway: Gateway, file: Path) -> list[tuple[str, dict[str, Any]]]:
    """Plays it; every CALL is answered, and none with a CALLERROR that the recording has not. The version comes from the
    handshake beside the recording."""
    done = await run(gateway, "replay", str(file), "--to", gateway.url, "--speed", "0", "-o", "json")
    played, calls = json.loads(done.stdout), said(file)
    assert played["errors"] == [] and played["calls"] == played["answered"] == len(calls) > 8
    return calls


@pytest.mark.parametrize("name", NAMES)
async def test_of_201(name: str, start_csms: StartCsms, start_gateway: StartGateway) -> None:
    """The 2.0.1 CSMS hears what was said, the 1.6 one the same charging sessions: those of which somebody has told it the driver.
    The command that began another one was for the CSMS of the recording."""
    main, old = await start_csms("ocpp2.0.1"), await start_csms("ocpp1.6")
    routes = [{"match": "*", "primary": "main", "mirrors": ["old"]}]
    gateway = await start_gateway({"main": main, "old": old}, routes=routes)
    calls = await replayed(gateway, FOLDER / "ocpp201" / f"{name}.jsonl")
    heard = [(each.action, each.payload) for each in main.station(name).recorder.calls()]
    assert heard == calls
    known = {
        payload["transactionInfo"]["transactionId"]
        for _, payload in calls
        if "eventType" in payload and "idToken" in payload
    }
    assert known <= {
        payload["transactionInfo"]["transactionId"] for _, payload in calls if payload.get("eventType") == "Ended"
    }
    recorder = old.station(name).recorder
    await until("all stops", lambda: len(recorder.calls("StopTransaction")) == len(known) > 0)
    charges = charges_16(recorder)
    assert len(charges) == len(known) and all(each.energy is not None and each.energy >= 0 for each in charges)
    boot = next(payload["chargingStation"] for action, payload in calls if action == "BootNotification")
    [booted] = recorder.calls("BootNotification")
    assert booted.payload["chargePointModel"] == boot["model"][:20]


async def test_of_21(raw_csms: Callable[[str], Any], start_gateway: StartGateway) -> None:
    """A 2.1 CSMS hears it unchanged, also what 2.0.1 does not know."""
    csms = await raw_csms("ocpp2.1")
    file = FOLDER / "ocpp21" / "vcp_21.jsonl"
    gateway = await start_gateway({"main": {"url": csms.url, "version": "ocpp2.1"}})
    calls = await replayed(gateway, file)
    assert csms.heard == calls and "NotifySettlement" in dict(calls)


async def test_what_is_not_translated_for_a_mirror_is_counted(
    raw_csms: Callable[[str], Any], start_gateway: StartGateway
) -> None:
    main, old = await raw_csms("ocpp2.1"), await raw_csms("ocpp2.0.1")
    upstreams = {each.version.removeprefix("ocpp").replace(".", ""): each for each in (main, old)}
    gateway = await start_gateway(
        {name: {"url": each.url, "version": each.version} for name, each in upstreams.items()},
        routes=[{"match": "*", "primary": "21", "mirrors": ["201"]}],
    )
    calls = await replayed(gateway, FOLDER / "ocpp21" / "vcp_21.jsonl")
    lost = 'ocppgw_messages_dropped_total{class="transaction",reason="untranslatable",upstream="201"}'
    events = sum(action == "TransactionEvent" for action, _ in calls)
    assert (await metric(gateway, lost), old.heard) == (events, []) and events > 2


@pytest.mark.parametrize("file", sorted(FOLDER.glob("ocpp2*/*[0-9].jsonl")), ids=lambda file: file.stem)
async def test_looked_at(file: Path, start_gateway: StartGateway) -> None:
    """Without a gateway: every frame fits its schema; a report says who was recorded."""
    gateway = Gateway(file.parent, {})
    assert ", 0 errors" in (await run(gateway, "validate", str(file))).output
    boot = next(payload["chargingStation"] for action, payload in said(file) if action == "BootNotification")
    if file.parent.name == "ocpp201":
        report = json.loads(
            (await run(gateway, "migrate", "report", "--to", "ocpp1.6", str(file), "-o", "json")).stdout
        )
        assert boot["model"] in json.dumps(report), report
