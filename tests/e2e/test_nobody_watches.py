"""While nobody watches, nothing is made, remembered or sent for those who might: not before, and not after somebody did."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from ocpp.v201 import call as call201

from gateway.admin.frames import QUIET_SECONDS
from gateway.fleet import RENEW_SECONDS, WATCH_SECONDS
from tests.faults.fleet import Fleet

from .called import WATCHING, calls, counting
from .charger import Charger16
from .conftest import Connect, StartCsms, StartGateway
from .operator import until
from .process import Gateway
from .test_operate import TAG, Watching, two, watch


@pytest.fixture
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every gateway counts."""
    monkeypatch.setattr(Gateway, "command", counting(tmp_path))
    monkeypatch.setenv("CALLED_FILE", str(tmp_path / "called"))
    return tmp_path / "called"


def made(counted: Path, gateway: Gateway) -> Counter[str]:
    assert gateway.process is not None
    return calls(counted.with_name(f"called.{gateway.process.pid}"))


async def forgotten(charger: Any) -> None:
    """That a watcher has left is seen when something is sent to it."""
    await charger.heartbeat()
    await asyncio.sleep(1)


@pytest.mark.slow
async def test_one_process(counted: Path, start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect) -> None:
    main, _, gateway = await two(start_csms, start_gateway)
    charger = await plug_in(Charger16, gateway.url, "CP1")

    async def everything() -> Counter[str]:
        """All that both legs can show; what was called for it."""
        before = await asyncio.to_thread(made, counted, gateway)
        await charger.boot()
        transaction = await charger.start(1, TAG)
        await charger.meter_values(1, transaction)
        await main.station("CP1").call(call201.Reset(type="OnIdle"))
        await main.station("CP1").call(call201.GetDisplayMessages(request_id=1))  # answered without the charger
        await charger.stop(transaction)
        await charger.say("NoSuchAction", "{}")
        await charger.close()
        await charger.connect()
        await charger.heartbeat()
        return await asyncio.to_thread(made, counted, gateway) - before

    assert await everything() == {}
    async with watch(gateway, "chargers/CP1/frames"):
        shown = await everything()
        looked_at = {name.split()[0] for name in shown}
        assert looked_at == set(WATCHING), shown
        assert shown["gateway/tap.py show"] > 20
    await forgotten(charger)
    assert await everything() == {}
    async with watch(gateway, "chargers/CP1/frames"), watch(gateway, "frames"):
        pass
    await asyncio.sleep(QUIET_SECONDS + 1)  # or without a frame: a sign of life goes to nobody
    assert await everything() == {}


@pytest.mark.full
async def test_several_processes(counted: Path, tmp_path: Path) -> None:
    """The one that has the watcher is not the one that has the charger; then it dies without a farewell."""
    fleet = Fleet(tmp_path / "fleet")
    await fleet.backend("main", "ocpp2.0.1")
    try:
        await fleet.start(edges=2, hubs=1)
        charger = await fleet.booted("CP1", urls=[fleet.urls[0]])
        working = [fleet.edges[0], fleet.hubs[0]]

        async def session() -> Counter[str]:
            """What was called in the processes that have the charger, and what they wrote to mailboxes."""
            before = [await asyncio.to_thread(made, counted, node) for node in working]
            posts = await posted()
            await charger.start()
            await charger.stop()
            await asyncio.sleep(0.5)
            after = [await asyncio.to_thread(made, counted, node) for node in working]
            found = sum((new - old for new, old in zip(after, before, strict=True)), Counter[str]())
            found["posted"] = await posted() - posts
            return +found

        async def posted() -> int:
            """Letters that processes have sent to each other, ever."""
            total = 0
            for box in await fleet.store.ask("KEYS", "mail:*"):
                about = await fleet.store.ask("XINFO", "STREAM", box)
                total += int(about[about.index(b"entries-added") + 1])
            return total

        async def armed(watching: Watching) -> None:
            """The others hear by mail that somebody watches."""

            async def shown() -> bool:
                await charger.status("Available")
                return bool(watching.of("frame", action="StatusNotification"))

            await until("a frame", shown)

        assert await session() == {}
        async with watch(fleet.edges[1], "chargers/CP1/frames") as watching:
            await armed(watching)
            found = await session()
            assert found["posted"] > 0 and found["gateway/tap.py show"] > 4, found
            await until("frames", lambda: bool(watching.of("frame", action="TransactionEvent")))
        await charger.status("Faulted")  # that a watcher has left is seen when something is sent to it
        await asyncio.sleep(1)
        assert await session() == {}
        async with watch(fleet.edges[1], "chargers/CP1/frames") as watching:
            await armed(watching)
            assert (await session())["posted"] > 0
            await fleet.edges[1].kill()
        await session()  # what is sent to nobody ends the watch
        await asyncio.sleep(WATCH_SECONDS + RENEW_SECONDS + 1)
        assert await session() == {}
    finally:
        await fleet.stop()
