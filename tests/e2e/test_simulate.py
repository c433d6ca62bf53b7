"""The swarm through a real gateway, against demo CSMSs: every version, profile and quirk; nothing gets an error."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gateway.simulator.charger import SimulatedCharger, Stats
from gateway.simulator.csms import DemoCsms
from gateway.simulator.orders import obeyed
from gateway.simulator.profile import PROFILES, Profile
from gateway.simulator.swarm import swarm

from .operator import until
from .process import Gateway

pytestmark = [pytest.mark.full, pytest.mark.timeout(150)]

VERSIONS = ["ocpp1.5", "ocpp1.6", "ocpp2.0.1"]


class System:
    """A gateway between a 2.0.1 CSMS with a 1.6 mirror, and whoever comes."""

    def __init__(self, directory: Path) -> None:
        self.new, self.old = DemoCsms(["ocpp2.0.1"]), DemoCsms(["ocpp1.6"])
        self._directory = directory
        self.gateway: Gateway

    async def __aenter__(self) -> System:
        await self.new.start()
        await self.old.start()
        upstreams = {
            "new": {"url": f"ws://127.0.0.1:{self.new.port}", "version": "ocpp2.0.1"},
            "old": {"url": f"ws://127.0.0.1:{self.old.port}", "version": "ocpp1.6"},
        }
        routes = [{"match": "*", "primary": "new", "mirrors": ["old"]}]
        self.gateway = Gateway(self._directory, {"upstreams": upstreams, "routes": routes})
        await self.gateway.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.gateway.stop()
        await self.new.stop()
        await self.old.stop()


async def play(url: str, **more: Any) -> Stats:
    wanted = {"profile": "highway", "versions": VERSIONS, "speed": 600.0, "rate": 30.0, "seconds": 9.0, "prefix": "X"}
    wanted |= {"quirks": frozenset(), "told": lambda _stats: None}
    return await swarm(url, 3, **{**wanted, **more})


async def test_profiles_in_all_versions(tmp_path: Path) -> None:
    """A day at home and at a depot passes in seconds; connections break, and what happened meanwhile is told later."""
    speeds = {"home": 20_000.0, "depot": 6000.0, "highway": 600.0}
    assert speeds.keys() == PROFILES.keys()
    async with System(tmp_path) as system:
        plays = [
            play(
                system.gateway.url, profile=profile, versions=[version], speed=speed, prefix=f"{profile}-{version[4:]}-"
            )
            for profile, speed in speeds.items()
            for version in VERSIONS
        ]
        found = await asyncio.gather(*plays)
    for stats in found:
        assert stats.calls and stats.sessions and stats.energy_kwh > 0, found
        assert stats.call_errors == stats.unanswered == stats.refused_tags == 0, stats
    assert sum(each.connections for each in found) > 27, "none came back"
    assert sum(each.told_later for each in found) > 0


@pytest.mark.parametrize("quirk", ["counter-ids", "nulls", "slow"])
async def test_quirks(quirk: str, tmp_path: Path) -> None:
    """The gateway copes: no CALL gets an error."""
    async with System(tmp_path) as system:
        stats = await play(system.gateway.url, quirks=frozenset((quirk,)), speed=1200.0)
    assert stats.sessions and stats.connections >= 3 and stats.call_errors == stats.unanswered == 0, stats


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_command_of_the_csms_is_done(version: str, tmp_path: Path) -> None:
    """Started, configured, triggered, stopped, unlocked and reset, as the 2.0.1 CSMS says."""
    quiet = Profile("waits for commands", 1, 9000, 9000, 11_000, 0.3, 60, 9000, 0.2, "Calm", "One")
    async with System(tmp_path) as system:
        stats = Stats(ms=[], actions={})
        charger = SimulatedCharger(system.gateway.url, "CP1", version, quiet, stats, 1.0, frozenset())
        running = asyncio.create_task(charger.run())
        new = system.new
        try:
            await until("a charger", lambda: "cp1" in new.stations and bool(new.station("CP1").statuses))
            await until("a boot", lambda: bool(new.station("CP1").about))
            assert "Accepted" in await obeyed(new, "start CP1 TAG00001")
            await until("a transaction", lambda: bool(new.station("CP1").transactions))
            [transaction] = new.station("CP1").transactions.values()
            assert transaction.tag.casefold() == "tag00001"
            await until("energy", lambda: transaction.wh > 0)
            assert '"Accepted"' in await obeyed(new, "set CP1 OCPPCommCtrlr.HeartbeatInterval 77")
            assert '"77"' in await obeyed(new, "get CP1 OCPPCommCtrlr.HeartbeatInterval")
            assert charger.configuration["HeartbeatInterval"] == "77"
            assert "Accepted" in await obeyed(new, "stop CP1")
            await until("an end", lambda: not new.station("CP1").transactions and stats.sessions == 1)
            assert '"Unlocked"' in await obeyed(new, "unlock CP1")
            beats = stats.actions.get("Heartbeat", 0)
            if version != "ocpp1.5":
                assert "Accepted" in await obeyed(new, "trigger CP1 Heartbeat")
                await until("a heartbeat", lambda: stats.actions.get("Heartbeat", 0) > beats)
            assert "Accepted" in await obeyed(new, "reset CP1 hard")
            await until("a second connection", lambda: stats.connections == 2 and stats.connected == 1)
        finally:
            running.cancel()
            await asyncio.wait([running])
    assert stats.call_errors == stats.unanswered == 0
