"""The store is away, slow, killed, unsafe or full: nobody gets a CALLERROR for it, and nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import os
import signal
from decimal import Decimal
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from .charger import Charger16
from .charges import charges_16, charges_201
from .conftest import Connect, StartCsms, StartGateway
from .csms import now
from .process import Gateway
from .raw import handshake, ready, refused
from .redis_server import RedisServer, redis_server
from .wire import PATIENCE

__all__ = ["redis_server"]

TAG = "04A1B2C3"


async def boot(charger: Charger16) -> None:
    assert (await charger.boot()).status == "Accepted"
    await charger.status(1, "Available")


async def test_an_embedded_store_that_is_killed_comes_back_with_everything(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    """Under load: what was acknowledged is at the CSMS, in order and once per transaction."""
    csms = await start_csms("ocpp2.0.1")
    gateway = await start_gateway({"main": csms})
    chargers = [await plug_in(Charger16, gateway.url, f"CP{number}") for number in range(4)]

    acknowledged: dict[str, int] = {}
    enough = asyncio.Event()

    async def charge(charger: Charger16) -> None:
        await boot(charger)
        acknowledged[charger.identity] = 0
        begin = charger.meter
        transaction = await persist(charger, charger.start, 1, TAG)
        while not enough.is_set() or acknowledged[charger.identity] < 5:
            charger.meter += 10
            await persist(charger, charger.meter_values, 1, transaction)
            acknowledged[charger.identity] += 1
        await persist(charger, charger.stop, transaction)
        assert charger.meter - begin == 10 * acknowledged[charger.identity]

    running = [asyncio.create_task(charge(charger)) for charger in chargers]
    for _ in range(2):
        before = dict(acknowledged)
        async with asyncio.timeout(PATIENCE):
            while len(acknowledged) < 4 or any(acknowledged[i] < before.get(i, 0) + 5 for i in acknowledged):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        os.kill(gateway.store_pid, signal.SIGKILL)
    enough.set()
    await asyncio.gather(*running)
    for charger in chargers:
        heard = csms.station(charger.identity).recorder
        [charge_heard] = charges_201(heard)
        assert charge_heard.energy == Decimal(10 * acknowledged[charger.identity])
        registers = [
            sample["value"]
            for x in heard.calls("TransactionEvent")
            if x.payload["eventType"] == "Updated"
            for element in x.payload.get("meterValue", [])
            for sample in element["sampledValue"]
            if sample.get("measurand") == "Energy.Active.Import.Register"
        ]
        assert sorted(set(registers)) == [1000 + 10 * n for n in range(1, acknowledged[charger.identity] + 1)]
        assert not [x.error for x in charger.recorder.calls(mine=True) if x.error]


async def persist(charger: Charger16, step: Any, *arguments: Any) -> Any:
    """Does a step; without an answer within 30 s, or when the connection ends, again with the same content."""
    stamp = now()
    charger.clock = lambda: stamp
    while True:
        attempt = asyncio.create_task(step(*arguments))
        gone = asyncio.create_task(charger.lost(60))
        await asyncio.wait([attempt, gone], timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        if attempt.done() and not isinstance(attempt.exception(), ConnectionClosed):
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)
            return attempt.result()
        lost = gone.done() or attempt.done()
        for task in (attempt, gone):
            task.cancel()
        await asyncio.gather(attempt, gone, return_exceptions=True)
        if lost:
            await charger.close()
            await charger.connect()


@pytest.mark.slow
async def test_a_short_stall_of_the_store_is_not_noticed(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms = await start_csms("ocpp2.0.1")
    gateway = await start_gateway({"main": csms})
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await boot(charger)
    transaction = await charger.start(1, TAG)
    store = gateway.store_pid
    os.kill(store, signal.SIGSTOP)
    try:
        charger.meter += 100
        reading = asyncio.create_task(charger.meter_values(1, transaction))
        await ready(gateway, 503, "store")
        assert await handshake(gateway.url, "CP2") == 503
        await asyncio.sleep(1.5)
    finally:
        os.kill(store, signal.SIGCONT)
    await reading
    charger.meter += 100
    await charger.stop(transaction)
    assert charger.recorder.connections == 1
    [charge] = charges_201(csms.station("CP1").recorder)
    assert charge.energy == Decimal(200)
    await ready(gateway, 200)


@pytest.mark.slow
async def test_a_long_stall_closes_the_chargers_and_refuses_them(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms = await start_csms("ocpp2.0.1")
    gateway = await start_gateway({"main": csms})
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await boot(charger)
    transaction = await charger.start(1, TAG)
    store = gateway.store_pid
    os.kill(store, signal.SIGSTOP)
    stamp = now()
    charger.clock = lambda: stamp
    try:
        charger.meter += 100
        reading = asyncio.create_task(charger.meter_values(1, transaction))
        await charger.lost()
        assert charger.close_code == 1013
        assert not reading.done()
        reading.cancel()
        assert await handshake(gateway.url, "CP1") == 503
    finally:
        os.kill(store, signal.SIGCONT)
    await charger.close()
    await charger.connect()
    await charger.meter_values(1, transaction)
    await charger.stop(transaction)
    [charge] = charges_201(csms.station("CP1").recorder)
    assert charge.energy == Decimal(100)


# -- an external store ------------------------------------------------------------------------------------------------


def external(server: RedisServer, **more: Any) -> dict[str, Any]:
    return {"url": server.url, **more}


async def start_unready(start_gateway: StartGateway, csms: Any, **config: Any) -> Gateway:
    """A gateway that cannot become ready yet."""
    gateway: Gateway = await start_gateway({"main": csms}, until_ready=False, **config)
    return gateway


@pytest.mark.full
async def test_a_store_that_comes_after_the_gateway(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect, redis_server: RedisServer
) -> None:
    csms = await start_csms("ocpp1.6")
    gateway = await start_unready(start_gateway, csms, redis=external(redis_server))
    await ready(gateway, 503, "unreachable")
    await refused(gateway.url, "CP1")
    await redis_server.start()
    await ready(gateway, 200)
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await boot(charger)


@pytest.mark.full
async def test_a_store_that_is_killed_and_started_again(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect, redis_server: RedisServer
) -> None:
    csms = await start_csms("ocpp2.0.1")
    await redis_server.start()
    gateway = await start_gateway({"main": csms}, redis=external(redis_server))
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await boot(charger)
    transaction = await charger.start(1, TAG)
    charger.meter += 100
    await charger.meter_values(1, transaction)
    await redis_server.kill()
    await ready(gateway, 503, "store")
    await refused(gateway.url, "CP2")
    charger.meter += 100
    reading = asyncio.create_task(charger.meter_values(1, transaction))
    await asyncio.sleep(1)
    assert not reading.done()
    await redis_server.start()
    await reading
    await charger.stop(transaction)
    [charge] = charges_201(csms.station("CP1").recorder)
    assert charge.energy == Decimal(200)
    assert charger.recorder.connections == 1


@pytest.mark.full
@pytest.mark.parametrize(
    ("options", "mend", "reason"),
    [
        ({"maxmemory": "50mb", "maxmemory_policy": "allkeys-lru"}, ("maxmemory-policy", "noeviction"), "evict"),
        ({"appendonly": "no"}, ("appendonly", "yes"), "append-only"),
    ],
)
async def test_an_unsafe_store(
    options: dict[str, str],
    mend: tuple[str, str],
    reason: str,
    start_csms: StartCsms,
    start_gateway: StartGateway,
    redis_server: RedisServer,
) -> None:
    csms = await start_csms("ocpp1.6")
    await redis_server.start(**options)
    gateway = await start_unready(start_gateway, csms, redis=external(redis_server))
    await ready(gateway, 503, reason)
    await refused(gateway.url, "CP1")
    await redis_server.ask("CONFIG", "SET", *mend)
    await ready(gateway, 200)
    key = mend[0]
    await redis_server.ask("CONFIG", "SET", key, "no" if key == "appendonly" else "allkeys-lru")
    await ready(gateway, 503, reason)  # found by the audit, with the reason
    await refused(gateway.url, "CP1")


@pytest.mark.full
async def test_data_loss_is_accepted_on_request(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect, redis_server: RedisServer
) -> None:
    csms = await start_csms("ocpp1.6")
    await redis_server.start(appendonly="no")
    gateway = await start_gateway({"main": csms}, redis=external(redis_server, accept_data_loss=True))
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await boot(charger)


@pytest.mark.full
@pytest.mark.parametrize("version", ["ocpp1.6", "ocpp2.0.1"])
async def test_a_full_store(
    version: str, start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect, redis_server: RedisServer
) -> None:
    """No CALLERROR to billing messages, new chargers are refused, and room is all that it takes to go on."""
    csms = await start_csms(version)
    await redis_server.start()
    gateway = await start_gateway({"main": csms}, redis=external(redis_server))
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await boot(charger)
    transaction = await charger.start(1, TAG)
    await redis_server.ask("CONFIG", "SET", "maxmemory", "1mb")
    charger.meter += 100
    stamp = now()
    charger.clock = lambda: stamp
    reading = asyncio.create_task(charger.meter_values(1, transaction))
    await ready(gateway, 503, "full")
    await refused(gateway.url, "CP2")
    await charger.lost()
    assert charger.close_code == 1013
    assert not reading.done()
    reading.cancel()
    await redis_server.ask("CONFIG", "SET", "maxmemory", "0")
    await ready(gateway, 200)
    await charger.close()
    await charger.connect()
    await charger.meter_values(1, transaction)
    await charger.stop(transaction)
    recorder = csms.station("CP1").recorder
    [charge] = charges_201(recorder) if version == "ocpp2.0.1" else charges_16(recorder)
    assert charge.energy == Decimal(100)
