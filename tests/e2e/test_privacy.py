"""No canary is in logs, wire logs, metrics, traces, captures, live frames, dead letters or anything else that the operators' port
shows (reliability I-32, 2.9): every message of a version passes with canaries in all that is secret or about a person, and marked
text everywhere else."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import signal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests import schemas
from tests.gateway.test_redact import CANARY, filled
from tests.schemas import Kind, Version

from .conftest import StartGateway
from .lines import MODELS
from .process import COMMAND, Gateway
from .puppet import Side, Stage, Step
from .test_tracing import Collector, collector
from .wire import PATIENCE

__all__ = ["collector"]

SIDES: tuple[Side, Side] = ("charger", "csms")
PLAIN = re.compile(r"plain\d")
BILLS = {"1.6": "StartTransaction", "2.0.1": "TransactionEvent"}


def step(version: Version, by: Side, action: str) -> Step:
    def text(kind: Kind) -> bytes:
        schema = schemas.schema(version, action, kind)
        return json.dumps(filled(schema, schema, action)).encode()

    return Step(by, action, text("request"), b"3," + text("response"))


def everything(version: Version) -> list[Step]:
    """Every message once, the boot first."""
    model = MODELS[version]
    said = sorted(model.FROM_CHARGER, key=lambda action: (action != "BootNotification", action))
    pairs = itertools.zip_longest(said, sorted(model.FROM_CSMS))
    return [
        step(version, by, action)
        for pair in pairs
        for by, action in zip(SIDES, pair, strict=True)
        if action is not None
    ]


async def put_aside(stage: Stage, mirror: Stage, version: Version, session: aiohttp.ClientSession) -> None:
    """A mirror never takes a billing message, which becomes a dead letter."""
    action, bill = BILLS[version], step(version, "charger", BILLS[version])
    stage.csms.answers.append(bill.answer)
    mirror.csms.answers += [b'4,"NotSupported","never",{}'] * 2
    await mirror.charger.call(action, bill.payload)
    async with asyncio.timeout(PATIENCE):
        while BILLS[version] not in await (await session.get("/api/v1/dead-letters/other")).text():  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def everything_shown(session: aiohttp.ClientSession, version: Version) -> dict[str, str]:
    """Path -> answer of every GET of the operators' port, whatever there will be."""
    shown = {}

    async def show(path: str) -> Any:
        async with session.get(path) as response:
            shown[path] = await response.text()
            return json.loads(shown[path]) if response.content_type == "application/json" else None

    document = await show("/api/v1/openapi.json")
    for path, methods in document["paths"].items():
        stream = "text/event-stream" in json.dumps(methods.get("get", {}).get("responses", {}))
        if "get" not in methods or stream or "{id}" in path:
            continue
        for upstream in ("main", "other"):
            names = {"charger": "CP1", "upstream": upstream, "name": upstream, "csms": f"ocpp{version}", "process": "x"}
            await show("/api/v1" + path.removeprefix("/api/v1").format_map(names))
    for letter in (await show("/api/v1/dead-letters/other"))["dead_letters"]:
        await show(f"/api/v1/dead-letters/other/{letter['id']}")
    for path in ("/metrics", "/metrics/chargers", "/readyz", "/console/"):
        await show(path)
    return shown


async def live(session: aiohttp.ClientSession, kept: bytearray) -> None:
    """Live frames as a reader of the port gets them."""
    async with session.get("/api/v1/frames", params={"match": "*"}) as response:
        async for piece in response.content.iter_any():
            kept += piece


async def command(gateway: Gateway, *arguments: str | Path) -> asyncio.subprocess.Process:
    server = f"http://127.0.0.1:{gateway.admin_port}"
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(COMMAND, *arguments, "--server", server, stdout=pipe, stderr=pipe)


@pytest.mark.parametrize(
    ("version", "level"),
    [
        pytest.param("1.6", "info", marks=pytest.mark.slow),
        ("2.0.1", "info"),
        pytest.param("2.0.1", "debug", marks=pytest.mark.slow),
    ],
)
async def test_no_canary_anywhere(
    version: Version, level: str, start_gateway: StartGateway, collector: Collector, tmp_path: Path
) -> None:
    frames, capture = bytearray(), tmp_path / "capture.jsonl"
    stage, other = Stage(f"ocpp{version}"), Stage(f"ocpp{version}", "CP2")
    await stage.open()
    await other.open()
    try:
        upstream = {"url": stage.url.replace("ws://", f"ws://user:{CANARY}url@"), "version": f"ocpp{version}"}
        lifeline = dict.fromkeys(("address", "security_profile"), "alert")
        gateway = await start_gateway(
            {"main": upstream, "other": {"url": other.url, "version": f"ocpp{version}"}},
            routes=[
                {"match": "CP2", "primary": "main", "mirrors": ["other"]},
                {"match": "*", "primary": "main", "lifeline": lifeline},
            ],
            log={"level": level, "format": "json"},
            tracing={"endpoint": collector.url, "ratio": 1},
        )
        async with aiohttp.ClientSession(f"http://127.0.0.1:{gateway.admin_port}") as session:
            async with session.put("/api/v1/wire-logs", json={"match": "*", "seconds": 60}) as response:
                assert response.status == 200
            watching = asyncio.create_task(live(session, frames))
            capturing = await command(gateway, "capture", "*", "--file", capture, "--for", "20s")
            while not (frames and capture.is_file()):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            stage.identity = f"CP1?token={CANARY}query"
            await stage.plug_in(gateway.url)
            await stage.play(everything(version))
            await other.plug_in(gateway.url)
            await put_aside(stage, other, version, session)
            assert stage.charger.socket is not None
            # What is no OCPP is told in the log; not what it says.
            for garbage in (
                f'[2,"g1","Authorize",{{"idTag":"{CANARY}"',
                f'{{"idTag":"{CANARY}"}}',
                '[2,"g2","plain0",{}]',
                f'[2,"g3","{BILLS[version]}",{{"idTag":"{CANARY}"',
            ):
                await stage.charger.socket.send(garbage)
            await stage.charger.recorder.until("answers", lambda: b"g3" in stage.charger.recorder.seen[-1].text)
            shown = await everything_shown(session, version)
            letters = await asyncio.create_subprocess_exec(
                COMMAND, "dlq", "quarantined", "--config", gateway.file, stdout=asyncio.subprocess.PIPE
            )
            shown["dlq quarantined"] = (await asyncio.wait_for(letters.communicate(), 20))[0].decode()
            capturing.send_signal(signal.SIGINT)
            await asyncio.wait_for(capturing.communicate(), 30)
            watching.cancel()
    finally:
        await stage.close()
        await other.close()
    await gateway.stop()
    lines = gateway.tail(100_000).splitlines()
    wire = "\n".join(line for line in lines if '"logger": "wire"' in line or '"logger":"wire"' in line)
    log = "\n".join(line for line in lines if line not in wire)
    shown |= {
        "log": log,
        "wire log": wire,
        "frames": frames.decode(),
        "capture": capture.read_text("utf-8"),
        "traces": repr(collector.spans),
    }
    assert '"charger_connected"' in log and "lifeline_command" in log, "it does log"
    assert "ocppgw_messages_total" in shown["/metrics"] and "CP1" in shown["/api/v1/routes/CP1"]
    assert BILLS[version] in shown["/api/v1/dead-letters/other"], "there is a dead letter"
    assert "R03" in shown["dlq quarantined"]
    for where in ("wire log", "frames", "capture", "traces"):
        assert BILLS[version] in shown[where], where
    for where, text in shown.items():
        assert CANARY not in text, (where, [line for line in text.splitlines() if CANARY in line])
    for where in ("log", "/metrics", "traces"):
        text = shown[where]
        assert not PLAIN.search(text), (where, [line for line in text.splitlines() if PLAIN.search(line)])
