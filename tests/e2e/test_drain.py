"""SIGTERM: no new chargers, open exchanges finish, sockets close 1012, nothing is lost."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from .charger import Charger16
from .charges import charges_201
from .conftest import Connect, StartCsms, StartGateway
from .csms import now
from .raw import RawCsms, handshake, polite, raw_csms, readiness, until
from .test_commands import run
from .test_store import persist

__all__ = ["raw_csms"]

TAG = "04A1B2C3"


def slow(csms: RawCsms, action: str) -> asyncio.Event:
    """Makes the CSMS keep its answers to one action until the event is set."""
    release = asyncio.Event()
    tasks: set[asyncio.Task[None]] = set()

    async def later(id: str, payload: dict[str, Any]) -> None:
        await release.wait()
        await csms.send(*polite(id, action, payload))

    def reply(id: str, heard: str, payload: dict[str, Any]) -> list[Any] | None:
        if heard != action:
            return polite(id, heard, payload)
        tasks.add(asyncio.create_task(later(id, payload)))
        return None

    csms.reply = reply
    return release


async def test_open_exchanges_finish_before_the_socket_closes(
    raw_csms: Callable[[str], Any], start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms: RawCsms = await raw_csms("ocpp1.6")
    gateway = await start_gateway({"main": {"url": csms.url, "version": csms.version}})
    busy = await plug_in(Charger16, gateway.url, "CP1")
    idle = await plug_in(Charger16, gateway.url, "CP2")
    await busy.boot()
    await idle.boot()
    release = slow(csms, "StartTransaction")
    starting = asyncio.create_task(busy.start(1, TAG))
    await until("StartTransaction", lambda: csms.said("StartTransaction"))
    assert gateway.process is not None
    gateway.process.terminate()
    await idle.lost()
    assert idle.close_code == 1012
    status, reasons = await readiness(gateway)
    assert status == 503 and "draining" in reasons
    assert await handshake(gateway.url, "CP3") in (0, 503)
    assert busy.close_code is None, "its exchange is open"
    release.set()
    assert await starting == 7
    await busy.lost()
    assert busy.close_code == 1012
    assert await gateway.stop() == 0


@pytest.mark.slow
async def test_an_open_command_finishes_too(
    raw_csms: Callable[[str], Any], start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms: RawCsms = await raw_csms("ocpp1.6")
    gateway = await start_gateway({"main": {"url": csms.url, "version": csms.version}})
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    release = asyncio.Event()
    handler = charger.peer.route_map["ClearCache"]["_on_action"]

    async def answer(**payload: Any) -> Any:
        await release.wait()
        return handler(**payload)

    charger.peer.route_map["ClearCache"]["_on_action"] = answer
    await csms.send(2, "c1", "ClearCache", {})
    await until("ClearCache", lambda: charger.recorder.calls("ClearCache"))
    assert gateway.process is not None
    gateway.process.terminate()
    await asyncio.sleep(0.5)
    assert charger.close_code is None
    release.set()
    await until("answer", lambda: "c1" in csms.answers)
    assert csms.answers["c1"] == [3, "c1", {"status": "Accepted"}]
    await charger.lost()
    assert charger.close_code == 1012
    assert await gateway.stop() == 0


async def test_the_timeout_ends_the_wait_and_nothing_is_lost(
    raw_csms: Callable[[str], Any], start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms: RawCsms = await raw_csms("ocpp1.6")
    gateway = await start_gateway({"main": {"url": csms.url, "version": csms.version}}, drain={"timeout": 1})
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    slow(csms, "StartTransaction")
    began = now()
    starting = asyncio.create_task(charger.start(1, TAG, began))
    await until("StartTransaction", lambda: csms.said("StartTransaction"))
    loop = asyncio.get_running_loop()
    at = loop.time()
    assert await gateway.stop() == 0
    assert loop.time() - at < 10
    await charger.lost()
    assert charger.close_code == 1012
    assert not starting.done()
    starting.cancel()
    csms.reply = polite
    await gateway.start()
    await charger.close()
    await charger.connect()
    assert await charger.start(1, TAG, began) == 7


async def test_readiness_ends_before_listening_does(start_csms: StartCsms, start_gateway: StartGateway) -> None:
    """`drain.delay`: a balancer has time to notice; whoever comes meanwhile is served."""
    csms = await start_csms("ocpp1.6")
    gateway = await start_gateway({"main": csms}, drain={"delay": 4})
    assert gateway.process is not None
    gateway.process.terminate()
    async with asyncio.timeout(30):
        while (await readiness(gateway))[0] != 503:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert await handshake(gateway.url, "CP1") == 101
    async with asyncio.timeout(30):
        while await handshake(gateway.url, "CP2") == 101:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert await asyncio.wait_for(gateway.process.wait(), 30) == 0


async def test_an_operator_says_how_fast(
    raw_csms: Callable[[str], Any], start_gateway: StartGateway, plug_in: Connect
) -> None:
    """`ocpp-gateway drain --rate`: two a second, where the configuration allows a hundred."""
    csms: RawCsms = await raw_csms("ocpp1.6")
    gateway = await start_gateway({"main": {"url": csms.url, "version": csms.version}})
    chargers = [await plug_in(Charger16, gateway.url, f"CP{number}") for number in range(4)]
    for each in chargers:
        await each.boot()
    begun = time.monotonic()
    drained = await run(gateway, "drain", "--rate", "2", "--yes", "-o", "json")
    assert json.loads(drained.stdout)["process"]
    for each in chargers:
        await each.lost()
    assert time.monotonic() - begun > 1.2 and {each.close_code for each in chargers} == {1012}


async def test_a_second_signal_hurries(
    raw_csms: Callable[[str], Any], start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms: RawCsms = await raw_csms("ocpp1.6")
    config = {"delay": 20, "timeout": 30}
    gateway = await start_gateway({"main": {"url": csms.url, "version": csms.version}}, drain=config)
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    slow(csms, "StartTransaction")
    starting = asyncio.create_task(charger.start(1, TAG))
    await until("StartTransaction", lambda: csms.said("StartTransaction"))
    assert gateway.process is not None
    gateway.process.terminate()
    await asyncio.sleep(0.5)
    assert charger.close_code is None and gateway.process.returncode is None
    gateway.process.terminate()
    assert await asyncio.wait_for(gateway.process.wait(), 8) == 0
    await charger.lost()
    assert charger.close_code == 1012
    starting.cancel()


@pytest.mark.slow
async def test_restarts_under_load_lose_nothing(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms = await start_csms("ocpp2.0.1")
    gateway = await start_gateway({"main": csms})
    chargers = [await plug_in(Charger16, gateway.url, f"CP{number}") for number in range(5)]
    done = asyncio.Event()
    readings = dict.fromkeys((charger.identity for charger in chargers), 0)

    async def charge(charger: Charger16) -> None:
        await charger.boot()
        transaction = await persist(charger, charger.start, 1, TAG)
        while not done.is_set():
            charger.meter += 10
            await persist(charger, charger.meter_values, 1, transaction)
            readings[charger.identity] += 1
        await persist(charger, charger.stop, transaction)

    running = [asyncio.create_task(charge(charger)) for charger in chargers]
    for _ in range(2):
        before = dict(readings)
        await until("some readings", lambda before=before: all(readings[i] >= before[i] + 5 for i in readings))
        assert await gateway.stop() == 0
        await gateway.start()
    done.set()
    await asyncio.gather(*running)
    for charger in chargers:
        [heard] = charges_201(csms.station(charger.identity).recorder)
        assert heard.energy == Decimal(10 * readings[charger.identity])
        assert not [x.error for x in charger.recorder.calls(mine=True) if x.error]
