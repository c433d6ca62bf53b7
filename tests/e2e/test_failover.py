"""The store's primary is lost with what its replica did not have yet; a Cluster as the store of a whole gateway."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
import urllib.request
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import WebSocketException

from tests.faults.proxy import FaultProxy
from tests.gateway.journal.servers import Redis, debian, running
from tests.gateway.journal.test_cluster import Cluster

from .charger import Charger16
from .charges import charges_201
from .conftest import Connect, StartCsms, StartGateway
from .csms import Csms, now
from .process import Gateway, free_port
from .raw import handshake, ready
from .test_store import TAG, boot
from .test_store import persist as once
from .wire import PATIENCE

pytestmark = pytest.mark.full

CHARGERS = 6


async def persist(charger: Charger16, step: Any, *arguments: Any) -> Any:
    """`test_store.persist` of a charger that also comes back later when it is refused, with the same content."""
    stamp = now()
    while True:
        try:
            return await once(charger, lambda *_: _with_clock(charger, stamp, step, *arguments))
        except (OSError, WebSocketException):
            await asyncio.sleep(0.5)
            with contextlib.suppress(OSError, WebSocketException):
                await charger.close()
                await charger.connect()


async def _with_clock(charger: Charger16, stamp: str, step: Any, *arguments: Any) -> Any:
    charger.clock = lambda: stamp
    return await step(*arguments)


class Charge:
    """One charge of each charger, with readings that go on until `enough`."""

    def __init__(self, chargers: list[Charger16]) -> None:
        self.chargers = chargers
        self.acknowledged = {charger.identity: 0 for charger in chargers}
        self.enough = asyncio.Event()

    def start(self) -> list[asyncio.Task[None]]:
        self._tasks = [asyncio.create_task(self._charge(charger)) for charger in self.chargers]
        return self._tasks

    async def _charge(self, charger: Charger16) -> None:
        await boot(charger)
        transaction = await persist(charger, charger.start, 1, TAG)
        while not self.enough.is_set():
            charger.meter += 10
            await persist(charger, charger.meter_values, 1, transaction)
            self.acknowledged[charger.identity] += 1
            await asyncio.sleep(0.02)
        await persist(charger, charger.stop, transaction)

    async def more(self, number: int) -> None:
        before = dict(self.acknowledged)
        async with asyncio.timeout(2 * PATIENCE):
            while any(self.acknowledged[each] < before[each] + number for each in before):
                await asyncio.sleep(0.02)
                for task in self._tasks:
                    assert not task.done() or task.result()


def check(charge: Charge, csms: Csms) -> None:
    """Each CSMS session is one transaction with every reading, and nobody got a CALLERROR."""
    for charger in charge.chargers:
        heard = csms.station(charger.identity).recorder
        [charged] = charges_201(heard)
        assert charged.energy == Decimal(10 * charge.acknowledged[charger.identity])
        assert not [x.error for x in charger.recorder.calls(mine=True) if x.error]
        registers = {
            sample["value"]
            for x in heard.calls("TransactionEvent")
            for element in x.payload.get("meterValue", [])
            for sample in element["sampledValue"]
            if sample.get("measurand") == "Energy.Active.Import.Register" and x.payload["eventType"] == "Updated"
        }
        assert registers == {1000 + 10 * n for n in range(1, charge.acknowledged[charger.identity] + 1)}


@pytest.mark.parametrize("roles", ["one", "split"])
async def test_a_lagging_replica_takes_over(
    roles: str, tmp_path: Path, start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    """I-04 from charger to CSMS, with both roles in one process and in two."""
    primary, replica = Redis(debian(), tmp_path / "1"), Redis(debian(), tmp_path / "2")
    async with running(primary, replica), contextlib.AsyncExitStack() as stack:
        between, front = FaultProxy("127.0.0.1", primary.port), FaultProxy("127.0.0.1", primary.port)
        await between.start()
        stack.push_async_callback(between.stop)
        await front.start()
        stack.push_async_callback(front.stop)
        await replica.follow(between.port)
        csms = await start_csms("ocpp2.0.1")
        redis = {"url": f"redis://127.0.0.1:{front.port}"}
        if roles == "one":
            gateway = await start_gateway({"main": csms}, redis=redis)
        else:
            gateway = await start_gateway({"main": csms}, redis=redis, arguments=("--role", "edge"))
            await start_gateway({"main": csms}, redis=redis, arguments=("--role", "hub"))
        chargers = [await plug_in(Charger16, gateway.url, f"CP{number}") for number in range(CHARGERS)]
        charge = Charge(chargers)
        running_charges = charge.start()
        await charge.more(5)
        between.set("blackhole")
        late = await plug_in(Charger16, gateway.url, "LATE")
        await boot(late)
        transaction = await late.start(1, TAG)
        await charge.more(10)
        primary.kill()
        await replica.ask("REPLICAOF", "NO", "ONE")
        front.target = ("127.0.0.1", replica.port)
        front.drop_all()
        await ready(gateway, 200)
        await charge.more(5)
        charge.enough.set()
        await asyncio.gather(*running_charges)
        late.meter += 70
        await persist(late, late.meter_values, 1, transaction)
        await persist(late, late.stop, transaction)
        check(charge, csms)
        [charged] = charges_201(csms.station("LATE").recorder)
        assert charged.energy == Decimal(70)


async def test_a_cluster_that_loses_a_node(
    tmp_path: Path, start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    options = {"cluster-enabled": "yes", "cluster-config-file": "nodes.conf", "cluster-node-timeout": 1000}
    nodes = [Redis(debian(), tmp_path / str(n), **options) for n in range(6)]  # type: ignore[arg-type]
    for node in nodes:
        node.options["cluster-port"] = free_port()
    async with running(*nodes):
        cluster = Cluster(nodes)
        await cluster.create(1)
        csms = await start_csms("ocpp2.0.1")
        gateway = await start_gateway({"main": csms}, redis={"url": nodes[1].url, "cluster": True})
        chargers = [await plug_in(Charger16, gateway.url, f"CP{number}") for number in range(CHARGERS)]
        charge = Charge(chargers)
        charges = charge.start()
        await charge.more(5)
        (await cluster.owner(0)).kill()
        await charge.more(10)
        charge.enough.set()
        await asyncio.gather(*charges)
        check(charge, csms)


async def test_the_level_is_shown_and_a_store_that_refuses_writes_lets_nobody_in(
    tmp_path: Path, start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    """D3 while the replica is there. Without it (min-replicas-to-write) new chargers get 503, and again 101 with it."""
    primary, replica = Redis(debian(), tmp_path / "1"), Redis(debian(), tmp_path / "2")
    async with running(primary, replica):
        await replica.follow(primary.port)
        csms = await start_csms("ocpp1.6")
        gateway = await start_gateway({"main": csms}, redis={"url": primary.url, "replicas": 1})
        metrics = await asyncio.to_thread(page, gateway)
        assert "ocppgw_store_durability_level 3.0" in metrics
        assert "ocppgw_store_resets_total 0.0" in metrics and "ocppgw_store_reappended_total 0.0" in metrics
        assert '"durability":"D3"' in gateway.tail(50)
        await boot(await plug_in(Charger16, gateway.url, "CP1"))
        replica.signal(signal.SIGSTOP)
        await primary.ask("SET", "elsewhere", "1")  # or nothing would be missing on the replica
        started = time.monotonic()
        await ready(gateway, 503, "replicas")
        assert time.monotonic() - started < 1.5
        assert await handshake(gateway.url, "CP2") == 503
        replica.signal(signal.SIGCONT)
        await ready(gateway, 200)
        assert await handshake(gateway.url, "CP2") == 101


def page(gateway: Gateway) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{gateway.admin_port}/metrics", timeout=5) as answer:
        text: str = answer.read().decode()
    return text
