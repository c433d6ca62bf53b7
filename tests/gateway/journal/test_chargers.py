"""The registry in the store: what one process changes every other learns."""

from __future__ import annotations

from gateway.journal import Journal
from gateway.journal.chargers import REGISTERED
from gateway.registry import Change, Charger, Registry
from gateway.registry.feed import StoreFeed


async def test_changes_are_followed(journal: Journal) -> None:
    registry = Registry(open=False)
    registry.ready = False
    feed = StoreFeed(registry, journal)
    told: list[Change] = []
    registry.on_change.append(told.append)
    await journal.register({"CP1": Charger("CP1", group="north")})
    await feed.look()
    assert registry.ready and registry.get("cp1") == Charger("CP1", group="north")
    await feed.look()
    assert len(told) == 1
    await journal.register({"cp1": Charger("CP1", group="north", blocked=True), "CP2": Charger("CP2")})
    await feed.look()
    assert told[1:] == [Change(frozenset({"cp1", "cp2"}), placed=False)]
    await journal.register({"CP1": None})
    await feed.look()
    assert told[2:] == [Change(frozenset({"cp1"}), placed=True)]
    assert [registry.exists(each) for each in ("CP1", "CP2", "CP3")] == [False, True, False]


async def test_who_has_missed_changes_reads_all(journal: Journal) -> None:
    registry = Registry(open=False)
    feed = StoreFeed(registry, journal)
    await journal.register({f"CP{number}": Charger(f"CP{number}") for number in range(1200)})
    await feed.look()
    assert len(registry) == 1200
    await journal.register({"CP0": None, "NEW": Charger("NEW")})
    await journal._store.call("XTRIM", REGISTERED.changes, "MINID", "9999999999999")
    await journal.register({"CP1": None})
    await feed.look()
    assert len(registry) == 1199
    assert registry.exists("new") and not registry.exists("CP0") and not registry.exists("CP1")


async def test_an_emptied_store_locks_nobody_out(journal: Journal) -> None:
    registry = Registry(open=False)
    feed = StoreFeed(registry, journal)
    await journal.register({"CP1": Charger("CP1")})
    await feed.look()
    await journal._store.call("DEL", REGISTERED.changes, "{registry}:chargers")
    for _ in range(2):
        await feed.look()
        assert registry.exists("CP1")
    await journal.register({"CP2": Charger("CP2")})
    await feed.look()
    assert registry.exists("CP2")


async def test_the_last_charger_is_removed(journal: Journal) -> None:
    registry = Registry(open=False)
    feed = StoreFeed(registry, journal)
    await journal.register({"CP1": Charger("CP1")})
    await feed.look()
    await journal.register({"CP1": None})
    await feed.look()
    assert len(registry) == 0


async def test_the_highest_profile_is_remembered(journal: Journal) -> None:
    where = journal.partition("CP1")
    assert await journal.highest_profile("CP1", where, 0) == 0
    assert await journal.highest_profile("CP1", where, 2) == 0
    assert await journal.highest_profile("cp1", where, 1) == 2
    assert await journal.highest_profile("CP1", where, 0) == 2
    await journal.forget_profile("CP1", where)
    assert await journal.highest_profile("CP1", where, 0) == 0
