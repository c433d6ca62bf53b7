"""A CSMS gives a charger of 2.0.1 another password through a gateway whose registry is a file (reliability 2.2, I-31)."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from .conftest import StartGateway
from .process import free_port
from .puppet import Stage, Step


class Guarded(Stage):
    """Its charger comes with a password."""

    async def knock(self, url: str, password: str) -> int:
        """101 and it is there; or the status with which it is refused."""
        given = base64.b64encode(f"{self.identity}:{password}".encode()).decode()
        try:
            socket = await connect(
                f"{url}/{self.identity}", subprotocols=[Subprotocol(self.charger.version)], compression=None, proxy=None,
                additional_headers={"Authorization": f"Basic {given}"}, close_timeout=1,
            )  # fmt: skip
        except InvalidStatus as refused:
            return refused.response.status_code
        self._listening = asyncio.create_task(self.charger.listen(socket))
        await self.charger.recorder.until("connection", lambda: self.charger.socket is socket)
        return 101

    async def give(self, password: str, status: str) -> None:
        """The CSMS gives the charger a password, which says this to it."""
        which: dict[str, Any] = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
        call = {"setVariableData": [{**which, "attributeValue": password}]}
        answer = {"setVariableResult": [{**which, "attributeStatus": status}]}
        now = b'3,{"currentTime":"2026-01-01T00:00:00Z"}'
        await self.play([Step("charger", "Heartbeat", b"{}", now)])  # the CSMS has its newest connection
        step = Step("csms", "SetVariables", json.dumps(call).encode(), b"3," + json.dumps(answer).encode())
        await self.play([step])
        assert self.charger.socket is not None
        await self.charger.socket.close()


async def test_a_password_that_a_2_0_1_charger_is_given(start_gateway: StartGateway, tmp_path: Path) -> None:
    """I-31: refused, the old one stays; accepted, it is wrong within five seconds."""
    first, second = "the-first-password", "the-second-password"
    file = tmp_path / "chargers.csv"
    file.write_text(f"id,password\nCP1,{first}\n")
    stage, port = Guarded("ocpp2.0.1"), free_port()
    url = f"ws://127.0.0.1:{port}/ocpp"
    await stage.open()
    try:
        gateway = await start_gateway(
            {"main": {"url": stage.url, "version": "ocpp2.0.1"}},
            registry={"source": "file", "file": str(file)},
            listen={"host": "127.0.0.1", "port": port, "security_profile": 1},
        )
        assert await stage.knock(url, second) == 401
        assert await stage.knock(url, first) == 101
        boot = {"reason": "PowerUp", "chargingStation": {"vendorName": "V", "model": "M"}}
        told = {"status": "Accepted", "currentTime": "2026-01-01T00:00:00Z", "interval": 300}
        await stage.play(
            [Step("charger", "BootNotification", json.dumps(boot).encode(), b"3," + json.dumps(told).encode())]
        )
        await stage.give(second, "Rejected")
        async with asyncio.timeout(5):
            while await stage.knock(url, second) != 401:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        assert await stage.knock(url, first) == 101
        await stage.give(second, "Accepted")
        async with asyncio.timeout(5):
            while await stage.knock(url, first) != 401:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        assert await stage.knock(url, second) == 101
        assert second not in gateway.log.read_text()
    finally:
        await stage.close()
