"""The command line against a running gateway: what operators type at night."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from gateway.capture import read
from gateway.cli.commands import app

from .charger import Charger16
from .conftest import Connect, StartCsms, StartGateway
from .operator import until
from .process import COMMAND, Gateway
from .test_operate import TAG, two
from .wire import PATIENCE


async def run(gateway: Gateway, *arguments: str, code: int = 0, **options: Any) -> Result:
    """A command, in a thread; its exit code is checked."""
    server = f"http://127.0.0.1:{gateway.admin_port}"
    environment = {"OCPPGW_SERVER": server, "NO_COLOR": "1", "COLUMNS": "200"}
    done = await asyncio.to_thread(CliRunner().invoke, app, list(arguments), env=environment, **options)
    assert done.exit_code == code, f"{arguments}: {done.exit_code}\n{done.output}\n{done.exception!r}"
    return done


async def spawn(gateway: Gateway, *arguments: str) -> Callable[[], Awaitable[str]]:
    """A command that watches, in a process of its own, once it does; awaiting what it gives is awaiting its output."""
    process = await asyncio.create_subprocess_exec(
        COMMAND,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "OCPPGW_SERVER": f"http://127.0.0.1:{gateway.admin_port}", "NO_COLOR": "1"},
    )
    assert process.stdout is not None
    first = (await asyncio.wait_for(process.stdout.readline(), PATIENCE)).decode()
    assert first.startswith("watching"), first

    async def output() -> str:
        text, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
        assert process.returncode == 0, text.decode()
        return text.decode()

    return output


async def test_looking_and_acting(start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect) -> None:
    _, _, gateway = await two(start_csms, start_gateway)
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    await charger.start(1, TAG)
    table = (await run(gateway, "chargers", "ls", "cp")).output
    assert table.splitlines()[1].split()[:3] == ["CP1", "connected", "ocpp1.6"] and "1 chargers, 1 connected" in table
    found = json.loads((await run(gateway, "chargers", "ls", "-o", "json")).stdout)
    assert found["chargers"][0]["id"] == "CP1"
    shown_edge = found["chargers"][0]["edge"]
    assert json.loads((await run(gateway, "chargers", "ls", "-o", "ndjson")).stdout)["id"] == "CP1"
    assert yaml.safe_load((await run(gateway, "chargers", "ls", "-o", "yaml")).stdout)["total"] == 1
    shown = (await run(gateway, "chargers", "show", "CP1")).output
    assert "primary main, mirror old" in shown and "UPSTREAM" in shown
    assert "nobody has ever heard of CP2" in (await run(gateway, "chargers", "show", "CP2", code=2)).output

    dry = await run(gateway, "send", "CP1", "Reset", '{"type": "Soft"}', "--dry-run")
    assert "Reset may be sent (ocpp1.6)" in dry.output
    await run(gateway, "send", "CP1", "Reset", '{"type": "Weak"}', "--dry-run", code=1)
    await run(gateway, "send", "CP1", "Reset", '{"type": "Weak"}', code=2)
    await run(gateway, "send", "CP1", "Reset", "nonsense", code=2)
    assert json.loads((await run(gateway, "send", "CP1", "Reset", "-", input='{"type": "Soft"}')).stdout) == {
        "status": "Accepted"
    }

    upstreams = (await run(gateway, "upstreams", "ls")).output.splitlines()
    assert [line.split()[0] for line in upstreams] == ["UPSTREAM", "main", "old"]
    assert "1 connected" in (await run(gateway, "upstreams", "show", "main")).output
    assert (await run(gateway, "upstreams", "test", "main")).output.startswith("ok")
    paused = json.loads((await run(gateway, "upstreams", "pause", "old", "-o", "json")).stdout)
    assert paused["upstream"] == "old" and paused["paused_at"]
    assert yaml.safe_load((await run(gateway, "upstreams", "resume", "old", "-o", "yaml")).stdout)["paused_at"] is None
    assert (await run(gateway, "upstreams", "reconnect", "old", "--charger", "nobody")).output == "0 sockets\n"
    queues = (await run(gateway, "queue", "ls")).output.splitlines()
    assert [line.split()[0] for line in queues] == ["UPSTREAM", "main", "old"]
    assert "ENTRY" in (await run(gateway, "queue", "peek", "main")).output
    replayed = await run(gateway, "queue", "replay", "main", "--from", "2020-01-01", "--dry-run", "--rate", "50")
    assert "told again" in replayed.output
    assert "ready" in (await run(gateway, "processes")).output
    assert (await run(gateway, "log-level", "warning")).output.startswith("warning: ")
    reporting = await spawn(gateway, "migrate", "report", "--to", "ocpp2.0.1", "--for", "0.5s")
    for _ in range(8):
        await charger.heartbeat()
        await asyncio.sleep(0.1)
    assert "\nVendor and model" not in (report := await reporting()) and "(ocpp1.6): 1 chargers" in report, report

    watching = await spawn(gateway, "chargers", "watch", "--every", "0.5", "--count", "1", "-o", "ndjson")
    await run(gateway, "chargers", "kick", "CP1")
    change, summary = (await watching()).splitlines()
    assert json.loads(change) | {"at": ""} == {
        "at": "", "charger": "CP1", "event": "disconnected", "what": "", "was": shown_edge, "is": "",
    }  # fmt: skip
    assert summary == "1 changes"
    await until("a farewell", lambda: charger.close_code == 1000)
    await run(gateway, "drain", "--yes")
    assert gateway.process is not None
    assert await asyncio.wait_for(gateway.process.wait(), PATIENCE) == 0
    assert "not reachable" in (await run(gateway, "processes", code=1)).output


async def test_live_frames(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect, tmp_path: Path
) -> None:
    _, _, gateway = await two(start_csms, start_gateway)
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    assert "no upstream has the name nobody" in (await run(gateway, "tail", "--upstream", "nobody", code=2)).output
    file = tmp_path / "fleet.jsonl"
    watching = await asyncio.gather(
        spawn(gateway, "tail", "CP1", "--both-sides", "--count", "6", "--action", "StartTransaction"),
        spawn(gateway, "trace", "cp1", "--count", "15", "--for", "20s"),
        spawn(gateway, "capture", "*", "--file", str(file), "--for", "20s", "--count", "15"),
        spawn(gateway, "tail", "--count", "4", "-o", "ndjson"),
        spawn(gateway, "tail", "--count", "4", "-o", "yaml"),
    )
    transaction = await charger.start(1, TAG)
    for _ in range(5):
        await charger.heartbeat()
    tail, trace, capture, plain, documents = await asyncio.gather(*(each() for each in watching))
    await charger.stop(transaction)
    assert "-> main TransactionEvent" in tail and "<- StartTransaction ok" in tail, tail
    assert "6 frames" in tail and TAG not in tail
    assert "main hears TransactionEvent" in trace and "charger hears answer" in trace, trace
    assert f"written: {file}" in capture
    lines = list(read(file.read_text().splitlines()))
    assert {each.source for each in lines if each.frame} == {
        "charger",
        "gateway",
        "csms",
    } and TAG not in file.read_text()
    assert {each.charger for each in lines if each.gap is None} == {"CP1"}
    assert not [each for each in lines if each.gap is not None], lines
    assert all(json.loads(line)["event"] in ("frame", "state") for line in plain.splitlines() if line.startswith("{"))
    assert "---\nevent: frame\n" in documents


@pytest.mark.parametrize("arguments", [("tail", "--for", "soon"), ("queue", "replay", "main"), ("send", "CP1")])
def test_wrong_usage(arguments: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == 2


@pytest.mark.parametrize("name", ["sap_16", pytest.param("microocpp_16", marks=pytest.mark.slow)])
async def test_a_recording_is_replayed(name: str, start_csms: StartCsms, start_gateway: StartGateway) -> None:
    main, _, gateway = await two(start_csms, start_gateway)
    file = Path(__file__).parent / "recordings" / f"{name}.jsonl"
    done = await run(
        gateway, "replay", str(file), "--to", gateway.url, "--speed", "0", "--version", "ocpp1.6", "-o", "json"
    )
    played = json.loads(done.stdout)
    assert played["errors"] == [] and played["calls"] == played["answered"] > 20
    started = [each.payload["eventType"] for each in main.station(name).recorder.calls("TransactionEvent")]
    assert started.count("Started") == started.count("Ended") > 0


async def test_doctor_and_completion(start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect) -> None:
    main, _, gateway = await two(start_csms, start_gateway)
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    well = await run(gateway, "doctor", "--config", str(gateway.file))
    lines = [line for line in well.output.splitlines() if not line.startswith("      ")]
    looked = {line[6:].partition(":")[0] for line in lines}
    assert looked >= {
        "configuration",
        "store",
        "clocks",
        "descriptors",
        "upstream main",
        "processes",
        "queue of old",
    }, lines
    assert "1, 1 chargers" in well.output
    await run(gateway, "upstreams", "pause", "old")
    await main.stop()
    ill = json.loads((await run(gateway, "doctor", "--config", str(gateway.file), "-o", "json", code=1)).stdout)
    verdicts = {each["what"]: each["verdict"] for each in ill}
    assert verdicts["upstream main"] == "fail" and verdicts["queue of old"] == "warn"
    assert [main.url in each["said"] for each in ill if each["what"] == "upstream main"] == [True]
    assert all(each["fix"] for each in ill if each["verdict"] != "ok")
    await main.start()

    script = (await run(gateway, "completion", "bash")).stdout
    checks = (
        ("upstreams", "re", "reconnect remove resume"), ("tail", "--both", "--both-sides"), ("tail --output", "y", "yaml"),
        ("chargers show", "c", "CP1"), ("upstreams test", "", "main old"), ("send", "CP", "CP1"),
    )  # fmt: skip
    calls = "".join(
        f"COMP_WORDS=(ocpp-gateway {words} '{current}'); COMP_CWORD={len(words.split()) + 1}; _ocpp_gateway; "
        'echo "${COMPREPLY[@]}"\n'
        for words, current, _ in checks
    )
    environment = {
        **os.environ,
        "OCPPGW_SERVER": f"http://127.0.0.1:{gateway.admin_port}",
        "PATH": f"{COMMAND.parent}:{os.environ['PATH']}",
    }
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    shell = await asyncio.to_thread(
        subprocess.run, ["bash", "-c", script + calls], env=environment, capture_output=True, text=True, timeout=20
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert shell.stdout.splitlines() == [wanted for *_, wanted in checks], shell.stderr
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert seconds / 3 < 0.1, "three names were asked for: each within 100 ms"


@pytest.mark.slow
async def test_a_simulated_fleet(start_csms: StartCsms, start_gateway: StartGateway) -> None:
    """Chargers of three versions and three profiles; both CSMSs check every frame that they get."""
    main, old, gateway = await two(start_csms, start_gateway)
    versions = ("--version", "ocpp1.5", "--version", "ocpp1.6", "--version", "ocpp2.0.1")
    done = await run(
        gateway, "simulate", "--to", gateway.url, "-n", "6", "--profile", "highway", *versions, "--speed", "1500", "--rate", "20",
        "--for", "8s", "--quirk", "counter-ids", "-o", "json", code=0,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert found["call_errors"] == found["unanswered"] == 0 and found["connections"] > 6, found
    assert found["sessions"] > 3 and found["told_later"] > 0 and found["energy_kwh"] > 0, found
    started = main.station("SIM00001").recorder.calls("TransactionEvent") + main.station("SIM00002").recorder.calls(
        "TransactionEvent"
    )
    assert {each.payload["eventType"] for each in started} >= {"Started", "Updated"}
    assert old.station("SIM00001").recorder.calls("BootNotification")
    await run(gateway, "simulate", "--to", "ws://example.com", code=2)
    await run(gateway, "simulate", "--to", "ws://127.0.0.1:1", "-n", "1", "--for", "1s", code=1)
