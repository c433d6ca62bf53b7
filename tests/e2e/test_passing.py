"""`credentials: passthrough`: whichever process dials shows a charger's own header, and it is nowhere else."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest

from gateway.vault import new_key

from .charger import Charger16
from .conftest import Connect
from .raw import RawCsms, raw_csms, until
from .redis_server import RedisServer, redis_server
from .test_roles import Fleet

__all__ = ["raw_csms", "redis_server"]

pytestmark = [pytest.mark.full, pytest.mark.timeout(120)]


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"CP1:{password}".encode()).decode()


class Passing(Fleet):
    def __init__(self, directory: Path, csms: Any, store: RedisServer, **more: Any) -> None:
        super().__init__(directory, csms, store)
        self._config["upstreams"]["main"] |= {"credentials": "passthrough", "reconnect_min": 0.1}  # type: ignore[index]
        self._config |= more


async def newest(csms: RawCsms, dials: int) -> str:
    await until(f"{dials} dials", lambda: csms.dials >= dials and csms.sockets)
    [socket] = csms.sockets
    assert socket.request is not None
    return socket.request.headers.get("Authorization", "")


async def test_any_hub_shows_what_the_charger_showed(
    tmp_path: Path, raw_csms: Any, redis_server: RedisServer, plug_in: Connect
) -> None:
    csms = await raw_csms("ocpp1.6")
    await redis_server.start()
    fleet = Passing(tmp_path, csms, redis_server, vault={"key": new_key()})
    try:
        edge, other, _ = await fleet.start("edge"), await fleet.start("edge"), await fleet.start("hub")
        charger = await plug_in(Charger16, edge.url, "CP1", password="first")
        assert await newest(csms, 1) == basic("first")
        await fleet.start("hub")
        await (await fleet.owner("CP1")).stop()
        assert await newest(csms, 2) == basic("first"), "the next hub has never seen the charger's socket"
        await charger.close()
        charger = await plug_in(Charger16, other.url, "CP1", password="second")
        [socket] = csms.sockets
        await socket.close()
        assert await newest(csms, 3) == basic("second")
        for file in redis_server.directory.rglob("*"):
            if file.is_file():
                assert basic("first")[6:].encode() not in file.read_bytes(), "never stored as it is"
        for each in fleet.processes:
            assert basic("first")[6:] not in each.tail(1000)
    finally:
        assert [await each.stop() for each in reversed(fleet.processes)] == [0] * len(fleet.processes)


async def test_without_a_key_nobody_is_dialled_from_another_process(
    tmp_path: Path, raw_csms: Any, redis_server: RedisServer, plug_in: Connect
) -> None:
    csms = await raw_csms("ocpp1.6")
    await redis_server.start()
    fleet = Passing(tmp_path, csms, redis_server)
    try:
        one, two = await fleet.start("both"), await fleet.start("both")
        await fleet.balanced(2)
        owner = await fleet.owner("CP1")
        foreign = one if owner is two else two
        charger = await plug_in(Charger16, foreign.url, "CP1", password="mine")
        await until("said", lambda: "has not shown its own to this process" in owner.tail(1000))
        await asyncio.sleep(0.5)
        assert csms.dials == 0
        await charger.close()
        await plug_in(Charger16, owner.url, "CP1", password="mine")
        assert await newest(csms, 1) == basic("mine")
    finally:
        assert [await each.stop() for each in reversed(fleet.processes)] == [0] * len(fleet.processes)
