"""The gateway dies in the middle of a transaction; after its restart the CSMS sees one transaction without a gap."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from .charger import Charger16
from .charges import charges_16, charges_201
from .conftest import Connect, StartCsms, StartGateway
from .csms import Csms, now
from .operator import metric
from .process import Gateway
from .wire import PATIENCE

Result = TypeVar("Result")

TAG = "04A1B2C3"
FAILPOINTS = ["after_append", "before_commit", "after_commit", "before_send_upstream", "after_upstream_answer"]
MOMENTS = [
    pytest.param(failpoint, time, marks=[pytest.mark.slow] if time > 1 else [])
    for failpoint in FAILPOINTS
    for time in range(1, 9)
]
"""Where the gateway dies, and at which of its passes there, counted from the reconnect before the start."""


async def boot(charger: Charger16) -> None:
    assert (await charger.boot()).status == "Accepted"
    await charger.status(1, "Available")


async def come_back(gateway: Gateway, charger: Charger16) -> None:
    await gateway.start()
    await charger.close()
    await charger.connect()


async def finish(charger: Charger16, transaction: int) -> None:
    charger.meter += 500
    await charger.meter_values(1, transaction)
    charger.meter += 500
    await charger.stop(transaction, tag=TAG)


def assert_one_charge(csms: Csms, energy: int) -> None:
    """One transaction of that energy; charges_201 asserts its seqNo."""
    [charge] = charges_201(csms.station("CP1").recorder)
    assert charge.energy == Decimal(energy)
    assert charge.kinds[-1] == "Ended"


async def test_kill_after_start_transaction_was_answered(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms = await start_csms("ocpp2.0.1")
    gateway = await start_gateway({"main": csms})
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await boot(charger)
    began = now()
    transaction = await charger.start(1, TAG, began)
    await gateway.kill()
    await charger.lost()
    await come_back(gateway, charger)
    assert await charger.start(1, TAG, began) == transaction, "a retry gets the same integer id"
    await finish(charger, transaction)
    assert_one_charge(csms, 1000)

    again = await charger.start(1, TAG)
    assert again > transaction, "the counter survives"
    await finish(charger, again)
    assert [charge.energy for charge in charges_201(csms.station("CP1").recorder)] == [Decimal(1000), Decimal(1000)]


async def test_kill_twice_between_meter_values(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms = await start_csms("ocpp2.0.1")
    gateway = await start_gateway({"main": csms})
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await boot(charger)
    transaction = await charger.start(1, TAG)
    for _ in range(2):
        charger.meter += 100
        await charger.meter_values(1, transaction)
        await gateway.kill()
        await charger.lost()
        await come_back(gateway, charger)
    await finish(charger, transaction)
    assert_one_charge(csms, 1200)


async def persist(gateway: Gateway, charger: Charger16, step: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Does a step; when the gateway dies under it, restarts it, reconnects, and does it again with the same content."""
    stamp = now()
    charger.clock = lambda: stamp
    for _ in range(3):
        done, _pending = await asyncio.wait(
            [attempt := asyncio.create_task(step()), gone := asyncio.create_task(charger.lost(60))],
            timeout=PATIENCE,
            return_when=asyncio.FIRST_COMPLETED,
        )
        gone.cancel()
        if attempt in done:
            await asyncio.gather(gone, return_exceptions=True)
            return attempt.result()
        attempt.cancel()
        await asyncio.gather(attempt, gone, return_exceptions=True)
        assert gone in done, "neither an answer nor an end of the connection"
        await gateway.died()
        await come_back(gateway, charger)
    raise AssertionError("the gateway dies again and again")


@pytest.mark.parametrize(("failpoint", "time"), MOMENTS)
async def test_kill_at_a_fail_point(
    failpoint: str, time: int, start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    """Whatever was not answered is sent again with the same content; the CSMS sees one transaction."""
    csms = await start_csms("ocpp2.0.1")
    gateway = await start_gateway({"main": csms})
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await boot(charger)
    await gateway.kill()
    await charger.lost()
    await gateway.start(failpoint=f"{failpoint}:kill:{time}")
    await charger.close()
    try:
        await charger.connect(patience=5)
    except TimeoutError:
        await gateway.died()
        await come_back(gateway, charger)

    began = now()
    transaction = await persist(gateway, charger, lambda: charger.start(1, TAG, began))
    again = await persist(gateway, charger, lambda: charger.start(1, TAG, began))
    assert again == transaction, "a retry gets the same integer id"
    charger.meter += 400
    await persist(gateway, charger, lambda: charger.meter_values(1, transaction))
    charger.meter += 600
    await persist(gateway, charger, lambda: charger.stop(transaction, tag=TAG))
    assert_one_charge(csms, 1000)
    passes = 3 if "upstream" in failpoint else 4  # the retried start is answered from what is stored
    assert gateway.deaths == 1 or time > passes, "every CALL passes every place"
    if gateway.deaths and failpoint == "after_upstream_answer":  # it was told, and nobody knew
        for name in ("claimed", "redelivered"):
            assert await metric(gateway, f'ocppgw_stream_{name}_total{{upstream="main"}}') > 0
    if not gateway.deaths:  # a drain commits too
        await gateway.kill()
        await gateway.start()


async def test_kill_on_an_untouched_route_keeps_the_id_of_the_csms(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms = await start_csms("ocpp1.6")
    gateway = await start_gateway({"main": csms})
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await boot(charger)
    began = now()
    transaction = await charger.start(1, TAG, began)
    await gateway.kill()
    await charger.lost()
    await come_back(gateway, charger)
    assert await charger.start(1, TAG, began) == transaction == 41
    await finish(charger, transaction)
    [charge] = charges_16(csms.station("CP1").recorder)
    assert charge.energy == Decimal(1000)


async def test_drain_in_the_middle_of_a_transaction(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms = await start_csms("ocpp2.0.1")
    gateway = await start_gateway({"main": csms})
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await boot(charger)
    transaction = await charger.start(1, TAG)
    assert await gateway.stop() == 0
    await charger.lost()
    assert charger.close_code == 1012
    await come_back(gateway, charger)
    await finish(charger, transaction)
    assert_one_charge(csms, 1000)
