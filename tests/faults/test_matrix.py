"""What the public proxies get wrong, probe by probe: ours must not. Primary and mirror both speak the charger's version."""

from __future__ import annotations

import asyncio
import base64

import pytest
from websockets.asyncio.client import connect

from tests.e2e.raw import handshake

from .backend import Backend
from .fleet import Fleet

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


async def pair(fleet: Fleet, **route: object) -> tuple[Backend, Backend]:
    main = await fleet.backend("main", "ocpp1.6", settings={"connect_timeout": 2})
    copy = await fleet.backend("copy", "ocpp1.6", settings={"connect_timeout": 2})
    fleet.route = {"primary_down": "buffer", **route}
    await fleet.single()
    return main, copy


async def test_matrix_a_secondary_has_its_own_transaction_ids(fleet: Fleet) -> None:
    main, copy = await pair(fleet)
    charger = await fleet.booted("CP1")
    for _ in range(3):
        await charger.charge(3)
        assert charger.transaction == main.transaction("CP1", charger.begun), "the charger has the primary's"
        assert main.transaction("CP1", charger.begun) != copy.transaction("CP1", charger.begun)
    await fleet.right()  # the rules compare the transaction of every MeterValues and StopTransaction
    assert len(copy.heard("meter")) == 9 and len(copy.heard("stop")) == 3


async def test_matrix_no_boot_right_after_the_handshake_is_lost(fleet: Fleet) -> None:
    """Twenty chargers that send their BootNotification together with the end of the handshake."""
    main, copy = await pair(fleet)
    chargers = [fleet.charger(f"CP{number}") for number in range(20)]

    async def at_once(number: int) -> None:
        await chargers[number].connect()
        assert await chargers[number].boot()

    await asyncio.gather(*(at_once(number) for number in range(20)))
    await fleet.right()
    assert len(main.heard("boot")) == len(copy.heard("boot")) == 20


async def test_matrix_a_secondary_dies_and_nobody_notices(fleet: Fleet) -> None:
    """Nor is a transactional message of the outage lost to it: none of 150, more than others keep in memory."""
    main, copy = await pair(fleet)
    charger = await fleet.booted("CP1", pace=0)
    await charger.start()
    with fleet.fault("stop copy", "upstream:copy"):
        await copy.stop()
        for _ in range(146):
            await charger.meter()
        await charger.stop()
        await charger.start()
        assert len(main.heard("meter")) == 146, "the primary has them at once"
        await copy.start()
    await charger.meter()
    await charger.stop()
    assert charger.connection == 1
    await fleet.right(100)
    assert len(copy.heard("meter")) == 147


@pytest.mark.parametrize("policy", ["close", "buffer"])
async def test_matrix_a_primary_dies_and_the_policy_decides(fleet: Fleet, policy: str) -> None:
    main, copy = await pair(fleet, primary_down=policy, hold=1)
    charger = await fleet.booted("CP1")
    await charger.start()
    with fleet.fault("stop main", "upstream:main"):
        await main.stop()
        if policy == "close":
            telling = asyncio.create_task(charger.meter())
            assert await charger.lost() == 1001
            async with asyncio.timeout(10):
                while await handshake(fleet.edges[0].url, "CP2") != 503:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
        else:
            telling = asyncio.create_task(charger.meter())
            await asyncio.wait_for(asyncio.shield(telling), 5)
            assert charger.connection == 1
        await main.start()
    await telling
    await charger.stop()
    assert copy.heard("stop")
    await fleet.right(4)


async def test_matrix_a_command_of_a_secondary_gets_an_answer_and_goes_nowhere(fleet: Fleet) -> None:
    main, copy = await pair(fleet)
    charger = await fleet.booted("CP1")
    await charger.charge(2)
    await fleet.quiet()
    order = await copy.order("CP1", "Reset", {"type": "Hard"}, "reset")
    async with asyncio.timeout(10):
        while not order.outcomes:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert order.outcomes[0][1] != "lost"
    assert not fleet.history.commanded
    order = await main.order("CP1", "DataTransfer", {"vendorId": "ACME", "data": "mine"}, "mine")
    async with asyncio.timeout(10):
        while not order.outcomes:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert [each.token for each in fleet.history.commanded] == ["mine"]
    await fleet.right(5)


async def test_matrix_the_authorization_goes_to_the_backends_that_are_to_have_it(fleet: Fleet) -> None:
    main = await fleet.backend("main", "ocpp1.6", settings={"credentials": "passthrough"})
    copy = await fleet.backend("copy", "ocpp1.6", settings={"credentials": "none"})
    third = await fleet.backend("third", "ocpp1.6", settings={"username": "gw", "password": "own"})
    await fleet.single()
    basic = "Basic " + base64.b64encode(b"CP1:secret").decode()
    socket = await connect(
        f"{fleet.edges[0].url}/CP1",
        subprotocols=["ocpp1.6"],  # type: ignore[list-item]
        additional_headers={"Authorization": basic},
        proxy=None,
    )
    try:
        async with asyncio.timeout(10):
            while not all("CP1" in each.authorization for each in (main, copy, third)):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    finally:
        await socket.close()
    assert main.authorization["CP1"] == basic
    assert copy.authorization["CP1"] == ""
    assert third.authorization["CP1"] == "Basic " + base64.b64encode(b"gw:own").decode()
