"""Whatever changes something at the operators' port is in the audit, by the document of the port itself (reliability 2.8)."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from .conftest import StartCsms, StartGateway

NAMES = {"charger": "CP1", "upstream": "main", "name": "main", "process": "nobody", "id": "1-0"}
SECRET = "CANARY-of-the-audit"


@pytest.mark.slow
async def test_every_action_is_kept(start_csms: StartCsms, start_gateway: StartGateway) -> None:
    """Refused ones too. Reading leaves no trace."""
    gateway = await start_gateway({"main": await start_csms("ocpp1.6")}, registry={"source": "redis"})
    async with aiohttp.ClientSession(f"http://127.0.0.1:{gateway.admin_port}") as session:
        async with session.get("/api/v1/openapi.json") as response:
            paths = (await response.json())["paths"]
        done = []
        for path, methods in paths.items():
            for method in sorted({"post", "put", "delete"} & set(methods)):
                there = "/api/v1" + path.removeprefix("/api/v1").format_map(NAMES)
                async with session.request(method, there, json={"password": SECRET}) as response:
                    done.append((method.upper(), there, response.status))
        assert len(done) >= 20
        async with asyncio.timeout(10):
            while True:
                async with session.get("/api/v1/audit", params={"count": "1000"}) as response:
                    text = await response.text()
                    deeds = (await response.json())["deeds"]
                if len(deeds) >= len(done):
                    break
                await asyncio.sleep(0.05)
    assert sorted((each["method"], each["path"], each["status"]) for each in deeds) == sorted(done)
    assert all(each["who"] == "local" and each["remote"] == "127.0.0.1" for each in deeds)
    assert SECRET not in text and SECRET not in gateway.log.read_text()
    [made] = [each for each in deeds if (each["method"], each["path"]) == ("PUT", "/api/v1/chargers/CP1")]
    assert made["change"]["after"] == {"id": "CP1", "password": True}
