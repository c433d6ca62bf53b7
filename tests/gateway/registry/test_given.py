"""Passwords that a CSMS gives to chargers, in a registry in the store and in one in a file."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway import passwords
from gateway.config import RegistryConfig
from gateway.journal import Journal, StoreDown
from gateway.journal.chargers import GIVEN
from gateway.registry import Charger, Registry
from gateway.registry.feed import feed_of, registry_of
from gateway.registry.given import Given
from tests.gateway.journal.conftest import Server, binary, config, journal, server, until

__all__ = ["binary", "config", "journal", "server"]


@pytest.fixture(params=["redis", "file"])
async def settings(request: pytest.FixtureRequest, tmp_path: Path, journal: Journal) -> RegistryConfig:
    file = tmp_path / "chargers.csv"
    file.write_text("id,password\nCP1,old\nOPEN,\n")
    await journal.register({"CP1": Charger("CP1", passwords.digest(b"old")), "OPEN": Charger("OPEN")})
    return RegistryConfig(source=request.param, file=str(file) if request.param == "file" else "")


class Process:
    def __init__(self, settings: RegistryConfig, journal: Journal) -> None:
        self.registry: Registry = registry_of(settings)
        self.given = Given(self.registry, settings, journal)
        feed = feed_of(self.registry, settings, journal)
        assert feed is not None
        self._feed = feed

    async def __aenter__(self) -> Process:
        await self._feed.begin()
        self._following = asyncio.create_task(self._feed.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._following.cancel()

    def right(self, *which: bytes) -> bool:
        """These passwords are right, and none of the others."""
        charger = self.registry.get("cp1")
        assert charger is not None
        stored = [each for each in (charger.password, charger.next) if each]
        found = {each for each in (b"old", b"new", b"newer") if any(passwords.matches(x, each) for x in stored)}
        return found == set(which)


def rewrite(settings: RegistryConfig, text: str) -> None:
    Path(settings.file).write_text(text)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.registry.feed.LOOK_SECONDS", 0.02)
    monkeypatch.setattr("gateway.registry.given.AGAIN_SECONDS", 0.05)


async def test_both_are_right_until_the_charger_has_decided(settings: RegistryConfig, journal: Journal) -> None:
    async with Process(settings, journal) as hub, Process(settings, journal) as edge:
        assert hub.given.concerns("CP1") and not hub.given.concerns("OPEN") and not hub.given.concerns("CP9")
        await hub.given.promise("CP1", b"new")
        await until(lambda: edge.right(b"old", b"new"))
        hub.given.told("CP1", accepted=False)
        await until(lambda: edge.right(b"old"))
        await hub.given.promise("cp1", b"newer")
        hub.given.told("CP1", accepted=True)
        await until(lambda: edge.right(b"newer") and hub.right(b"newer"))
        hub.given.told("CP1", accepted=False)  # nothing was promised since
        await asyncio.sleep(0.1)
        assert edge.right(b"newer")


async def test_using_it_settles_it_and_a_later_one_is_not_touched(settings: RegistryConfig, journal: Journal) -> None:
    async with Process(settings, journal) as hub, Process(settings, journal) as edge:
        await hub.given.promise("CP1", b"new")
        await until(lambda: edge.right(b"old", b"new"))
        used = edge.registry.get("CP1")
        assert used is not None
        await hub.given.promise("CP1", b"newer")
        edge.given.used("CP1", used.next)
        await until(lambda: edge.right(b"old", b"newer"))
        now = edge.registry.get("CP1")
        assert now is not None
        edge.given.used("CP1", now.next)
        await until(lambda: edge.right(b"newer"))
    async with Process(settings, journal) as later:
        assert later.right(b"newer")


async def test_nothing_is_promised_without_a_store_and_what_was_said_is_stored_later(
    settings: RegistryConfig, journal: Journal, server: Server
) -> None:
    async with Process(settings, journal) as hub:
        await hub.given.promise("CP1", b"new")
        server.kill()
        await until(lambda: not journal.healthy)
        with pytest.raises(StoreDown):
            await hub.given.promise("CP1", b"newer")
        hub.given.told("CP1", accepted=True)
        await asyncio.sleep(0.2)
        await server.stop()
        await server.start()
        await until(lambda: journal.healthy)
        await until(lambda: hub.right(b"new"))


async def test_another_password_in_the_file_counts_again(settings: RegistryConfig, journal: Journal) -> None:
    if settings.source != "file":
        return
    async with Process(settings, journal) as hub:
        await hub.given.promise("CP1", b"new")
        hub.given.told("CP1", accepted=True)
        await until(lambda: hub.right(b"new"))
        rewrite(settings, "id,password\nCP1,old\nOPEN,\nMORE,\n")
        await until(lambda: hub.registry.exists("MORE"))
        await asyncio.sleep(0.1)
        assert hub.right(b"new"), "that was another charger"
        rewrite(settings, "id,password\nCP1,newer\nOPEN,\n")
        await until(lambda: hub.right(b"newer"))
        assert await journal.registered(["CP1"], GIVEN) == {"cp1": None}
