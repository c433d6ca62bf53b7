"""The gateway dies in the middle of a transaction; after its restart the CSMS sees one transaction without a gap."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from .charger import Charger16
from .charges import charges_16, charges_201
from .conftest import Connect, StartCsms, StartGateway
from .csms import Csms, now
from .process import Gateway

TAG = "04A1B2C3"
FAILPOINTS = ["after_append", "before_commit", "after_commit", "before_send_upstream", "after_upstream_answer"]


async def boot(charger: Charger16) -> None:
    assert (await charger.boot()).status == "Accepted"
    await charger.status(1, "Available")


async def die_at(gateway: Gateway, charger: Charger16, failpoint: str) -> None:
    """Restarts the gateway with a fail-point armed; the charger comes back, and its next CALL runs into it."""
    await gateway.kill()
    await charger.lost()
    await gateway.start(failpoint=f"{failpoint}:kill")
    await charger.close()
    await charger.connect()


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


@pytest.mark.parametrize("failpoint", FAILPOINTS)
async def test_kill_between_append_and_answer_of_a_start(
    failpoint: str, start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    """The charger never hears an answer to its StartTransaction, reconnects and sends it again."""
    csms = await start_csms("ocpp2.0.1")
    gateway = await start_gateway({"main": csms})
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await boot(charger)
    await die_at(gateway, charger, failpoint)
    began = now()
    unanswered = asyncio.create_task(charger.start(1, TAG, began))
    try:
        await gateway.died()
        await charger.lost()
    finally:
        unanswered.cancel()
        await asyncio.gather(unanswered, return_exceptions=True)
    await come_back(gateway, charger)
    transaction = await charger.start(1, TAG, began)
    assert await charger.start(1, TAG, began) == transaction, "a retry gets the same integer id"
    await finish(charger, transaction)
    assert_one_charge(csms, 1000)


@pytest.mark.parametrize("failpoint", FAILPOINTS)
async def test_kill_between_append_and_answer_of_a_stop(
    failpoint: str, start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    """A stop that was never answered is sent again with the same content; the CSMS bills once."""
    csms = await start_csms("ocpp2.0.1")
    gateway = await start_gateway({"main": csms})
    charger = await plug_in(Charger16, gateway.url, "CP1", clock=lambda: STAMP)
    await boot(charger)
    transaction = await charger.start(1, TAG, now())
    await die_at(gateway, charger, failpoint)
    charger.meter += 1000
    unanswered = asyncio.create_task(charger.stop(transaction, tag=TAG))
    try:
        await gateway.died()
        await charger.lost()
    finally:
        unanswered.cancel()
        await asyncio.gather(unanswered, return_exceptions=True)
    await come_back(gateway, charger)
    await charger.stop(transaction, tag=TAG)
    assert_one_charge(csms, 1000)


STAMP = now()
"""A clock that stands still, so that a repeated message has the same content."""


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
