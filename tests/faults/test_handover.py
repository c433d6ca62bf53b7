"""What a CSMS notices when an edge dies and when the store stalls."""

from __future__ import annotations

import asyncio
import signal
import time

import pytest

from .fleet import Fleet
from .history import Ordered

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


async def ended(*orders: Ordered, patience: float = 40) -> list[str]:
    """How each of them ended, once."""
    async with asyncio.timeout(patience):
        while not all(each.outcomes for each in orders):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert all(len(each.outcomes) == 1 for each in orders), orders
    return [each.outcomes[0][1] for each in orders]


def written(fleet: Fleet, token: str) -> int:
    """How often chargers read this command."""
    return sum(each.token == token for each in fleet.history.commanded)


async def test_commands_of_a_dead_edge_end_by_their_class(fleet: Fleet) -> None:
    """The CSMS keeps its socket. What was written and is harmless goes to the new connection, so does what was not
    written; of the rest the CSMS hears that nobody knows."""
    main = await fleet.backend("main", "ocpp1.6")
    await fleet.start(edges=2, hubs=1)
    one, two = fleet.urls
    charger = await fleet.booted("CP1", urls=[one])
    socket = main.sockets["CP1"]

    charger.answer_after = 60
    order = [
        await main.order("CP1", "RemoteStartTransaction", {"idTag": "open1"}, "open1"),
        await main.order("CP1", "ClearCache", {"data": "waits0"}, "waits0"),
        await main.order("CP1", "RemoteStartTransaction", {"idTag": "waits1"}, "waits1"),
    ]
    await asyncio.sleep(0.5)
    with fleet.fault("kill edge", "edge"):
        await fleet.edges[0].kill()
        await charger.lost()
        await charger.close()
        charger.answer_after, charger.urls = 0, [two]
        await charger.connect()
        await charger.status("Available")  # opens the boot gate
    assert await ended(*order) == ["GenericError", "result", "result"]
    assert [written(fleet, each.token) for each in order] == [1, 1, 1]

    await fleet.edges[0].run()
    charger.answer_after = 60
    again = await main.order("CP1", "ClearCache", {"data": "open0"}, "open0")
    await asyncio.sleep(0.5)
    with fleet.fault("kill edge", "edge"):
        await fleet.edges[1].kill()
        await charger.lost()
        await charger.close()
        charger.answer_after, charger.urls = 0, [one]
        await charger.connect()
        await charger.status("Available")
    assert await ended(again) == ["result"]
    assert written(fleet, "open0") == 2
    assert main.sockets["CP1"] is socket, "the CSMS has noticed nothing"
    await fleet.edges[1].run()
    await charger.charge(2)
    await fleet.right(5)


async def test_a_stall_of_the_store_costs_no_session(fleet: Fleet) -> None:
    """Three seconds: no CSMS sees a reconnect, commands meanwhile fail at once, and nothing is lost or told twice."""
    main = await fleet.backend("main", "ocpp1.6")
    await fleet.backend("copy", "ocpp2.0.1")
    await fleet.start(edges=1, hubs=1)
    async with fleet.load(16) as chargers:
        before = [{id: backend.sockets[id] for id in backend.sockets} for backend in fleet.backends.values()]
        for seconds in (1.0, 3.0):
            with fleet.fault("pause the store", "store"):
                fleet.store.signal(signal.SIGSTOP)
                try:
                    await asyncio.sleep(2 if seconds > 2 else 1)
                    if seconds > 2:
                        at = time.monotonic()
                        order = await main.order("CP1", "RemoteStartTransaction", {"idTag": "away"}, "away")
                        assert await ended(order) == ["InternalError"]
                        assert time.monotonic() - at < 1
                        await asyncio.sleep(1)
                finally:
                    fleet.store.signal(signal.SIGCONT)
            told = {each.identity: each.told for each in chargers}
            async with asyncio.timeout(15):
                while any(each.told < told[each.identity] + 3 for each in chargers):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        assert [backend.sockets for backend in fleet.backends.values()] == before
    assert "store_back" in fleet.hubs[0].log.read_text()
    await fleet.right(100)


@pytest.mark.parametrize("mode", ["blackhole", "stall", "reset"])
async def test_a_hub_without_its_store_for_a_moment_loses_nothing(fleet: Fleet, mode: str) -> None:
    """Again and again, in the middle of its reads and commits; what it had sent may come to the store late."""
    main = await fleet.backend("main", "ocpp1.6")
    await fleet.start(edges=1, hubs=1)
    link = fleet.hubs[0].to_store
    async with fleet.load(16, patience=10) as chargers:
        sockets = dict(main.sockets)
        for _ in range(4):
            with fleet.fault(f"{mode} hub", "store"):
                link.set(mode)  # type: ignore[arg-type]
                await asyncio.sleep(1.6)
                link.heal()
            await asyncio.sleep(1.5)
        assert dict(main.sockets) == sockets
        told = {each.identity: each.told for each in chargers}
        async with asyncio.timeout(20):
            while any(each.told == told[each.identity] for each in chargers):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    await fleet.right(100)


async def test_a_hub_that_drains_ends_what_is_open_and_takes_no_more_commands(fleet: Fleet) -> None:
    main = await fleet.backend("main", "ocpp1.6")
    await fleet.start(edges=1, hubs=2)
    charger = await fleet.booted("CP1")
    owner = await fleet.owner("CP1")
    charger.answer_after = 2
    order = await main.order("CP1", "RemoteStartTransaction", {"idTag": "open"}, "open")
    await asyncio.sleep(0.3)
    with fleet.fault("restart hub", "hub"):
        owner.signal(signal.SIGTERM)
        await asyncio.sleep(0.5)
        late = await main.order("CP1", "RemoteStartTransaction", {"idTag": "late"}, "late")
        assert await ended(late, order) == ["GenericError", "result"]
        at = time.monotonic()
        charger.answer_after = 0
        await charger.status("Available")
        assert time.monotonic() - at < 5, "another hub goes on soon"
        assert owner.process is not None
        assert await asyncio.wait_for(owner.process.wait(), 10) == 0
    assert written(fleet, "late") == 0 and charger.connection == 1
    await owner.run()
    await charger.charge(2)
    await fleet.right(5)
