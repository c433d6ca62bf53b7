"""No canary is in logs, metrics or the operators' port (reliability I-32, 2.9): every message of a version passes with canaries in all
that is secret or about a person, and marked text everywhere else."""

from __future__ import annotations

import itertools
import json
import re

import aiohttp
import pytest

from tests import schemas
from tests.gateway.test_redact import CANARY, filled
from tests.schemas import Kind, Version

from .conftest import StartGateway
from .lines import MODELS
from .puppet import Side, Stage, Step

SIDES: tuple[Side, Side] = ("charger", "csms")
PLAIN = re.compile(r"plain\d")
SHOWN = ("/api/v1/chargers", "/api/v1/routes", "/api/v1/routes/CP1", "/api/v1/shadow", "/api/v1/upstreams")


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


@pytest.mark.parametrize(("version", "level"), [("1.6", "info"), ("2.0.1", "info"), ("2.0.1", "debug")])
async def test_no_canary_anywhere(version: Version, level: str, start_gateway: StartGateway) -> None:
    stage = Stage(f"ocpp{version}")
    await stage.open()
    try:
        upstream = {"url": stage.url.replace("ws://", f"ws://user:{CANARY}url@"), "version": f"ocpp{version}"}
        lifeline = dict.fromkeys(("address", "security_profile"), "alert")
        gateway = await start_gateway(
            {"main": upstream},
            routes=[{"match": "*", "primary": "main", "lifeline": lifeline}],
            log={"level": level, "format": "json"},
        )
        stage.identity = f"CP1?token={CANARY}query"
        await stage.plug_in(gateway.url)
        await stage.play(everything(version))
        assert stage.charger.socket is not None
        # What is no OCPP is told in the log; not what it says.
        for garbage in (
            f'[2,"g1","Authorize",{{"idTag":"{CANARY}"',
            f'{{"idTag":"{CANARY}"}}',
            f'[2,"g2","{CANARY}",{{}}]',
        ):
            await stage.charger.socket.send(garbage)
        shown = {}
        async with aiohttp.ClientSession() as session:
            for path in ("/metrics", *SHOWN):
                async with session.get(f"http://127.0.0.1:{gateway.admin_port}{path}") as response:
                    shown[path] = await response.text()
    finally:
        await stage.close()
    await gateway.stop()
    log = gateway.tail(100_000)
    assert '"charger_connected"' in log and "lifeline_command" in log, "it does log"
    assert "ocppgw_messages_total" in shown["/metrics"] and "CP1" in shown["/api/v1/routes/CP1"]
    for where, text in {"log": log, **shown}.items():
        assert CANARY not in text, (where, [line for line in text.splitlines() if CANARY in line])
    for where in ("log", "/metrics"):
        text = {"log": log, **shown}[where]
        assert not PLAIN.search(text), (where, [line for line in text.splitlines() if PLAIN.search(line)])
