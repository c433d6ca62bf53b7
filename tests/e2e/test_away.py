"""A CALL of a CSMS for a charger that is away for a moment."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect

from .process import Gateway
from .raw import RawCsms, raw_csms, until

__all__ = ["raw_csms"]


async def test_a_command_waits_for_its_charger(raw_csms: Callable[[str], Any], tmp_path: Path) -> None:
    """`charger.offline_commands: queue`, row S13."""
    csms: RawCsms = await raw_csms("ocpp1.6")
    gateway = Gateway(tmp_path, {
        "upstreams": {"main": {"url": csms.url, "version": "ocpp1.6"}},
        "charger": {"offline_commands": "queue", "boot_gate_seconds": 0},
    })  # fmt: skip
    try:
        await gateway.start()
        async with connect(f"{gateway.url}/CP1", subprotocols=["ocpp1.6"], proxy=None) as socket:  # type: ignore[list-item]
            await socket.send('[2,"1","Heartbeat",{}]')
            assert json.loads(await socket.recv())[0] == 3
        await asyncio.sleep(0.3)
        await csms.send(2, "c1", "ClearCache", {})
        await asyncio.sleep(0.3)
        assert "c1" not in csms.answers, "it waits"
        async with connect(f"{gateway.url}/CP1", subprotocols=["ocpp1.6"], proxy=None) as socket:  # type: ignore[list-item]
            call = json.loads(await asyncio.wait_for(socket.recv(), 10))
            assert call[2] == "ClearCache"
            await socket.send(json.dumps([3, call[1], {"status": "Accepted"}]))
            await until("the answer", lambda: "c1" in csms.answers)
        assert csms.answers["c1"] == [3, "c1", {"status": "Accepted"}]
    finally:
        await gateway.stop()
