"""A charger is shown to its CSMS with a password from the vault; one that the CSMS gives it takes its place there."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest

from gateway.vault import new_key
from tests.gateway.test_cli_store import run

from .conftest import StartGateway
from .puppet import Stage, Step

NEW = bytes(range(0xE0, 0xF0)).hex()
"""As the key of a 1.6 charger is configured: its bytes are the password."""


async def shown(stage: Stage, count: int) -> str:
    """The password of the newest of so many connections to the CSMS."""
    async with asyncio.timeout(20):
        while stage.csms.recorder.connections < count or stage.csms.socket is None:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert stage.csms.socket.request is not None
    header = stage.csms.socket.request.headers["Authorization"]
    return base64.b64decode(header.removeprefix("Basic ")).partition(b":")[2].decode("latin-1")


@pytest.mark.parametrize("policy", ["alert", "consume"])
async def test_the_vault_follows_the_csms(policy: str, start_gateway: StartGateway) -> None:
    stage = Stage("ocpp1.6")
    await stage.open()
    try:
        upstream = {"url": stage.url, "version": "ocpp1.6", "credentials": "vault", "reconnect_min": 0.1}
        gateway = await start_gateway(
            {"main": upstream},
            routes=[{"match": "*", "primary": "main", "hold": 60, "lifeline": {"passwords": policy}}],
            vault={"key": new_key()},
        )
        set_ = await asyncio.to_thread(
            run, "vault", "set", "main", "CP1", "--config", str(gateway.file), cwd=gateway.directory, answer="first\n"
        )
        assert set_.returncode == 0, set_.stderr
        await stage.plug_in(gateway.url)
        assert await shown(stage, 1) == "first"

        boot: dict[str, Any] = {"chargePointVendor": "V", "chargePointModel": "M"}
        told = {"status": "Accepted", "currentTime": "2026-01-01T00:00:00Z", "interval": 300}
        await stage.play(
            [Step("charger", "BootNotification", json.dumps(boot).encode(), b"3," + json.dumps(told).encode())]
        )
        change = Step(
            "csms", "ChangeConfiguration", json.dumps({"key": "AuthorizationKey", "value": NEW}).encode(), b""
        )
        if policy == "alert":
            await stage.play([Step(change.by, change.action, change.payload, b'3,{"status":"Rejected"}')])
            await stage.play([Step(change.by, change.action, change.payload, b'3,{"status":"Accepted"}')])
        else:
            await stage.csms.call(change.action, change.payload)
            heard = [each for each in stage.charger.recorder.seen if b"AuthorizationKey" in each.text]
            assert heard == [], "it is none of the charger's business"
        assert stage.csms.socket is not None
        await stage.csms.socket.close()
        assert (await shown(stage, 2)).encode("latin-1") == bytes.fromhex(NEW)
    finally:
        await stage.close()
