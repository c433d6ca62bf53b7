"""Entries that an upstream cannot take now are put aside: nothing is lost, nobody else waits."""

import pytest
from msgspec.structs import replace

from gateway.journal import Commit, Fenced, Journal, UnsafeStore
from gateway.journal.entry import FORMAT, Entry
from gateway.journal.packed import pack, place, unpack

from .conftest import HEAD, Partition, Server


async def take(partition: Partition) -> list[Entry]:
    return (await partition.take("session", "a", "b"))["a"]


async def park(partition: Partition, entries: list[Entry]) -> None:
    ids = [entry.id for entry in entries]
    commit = Commit(acks={"a": ids}, parks={("a", "CP-1"): entries})
    await partition.journal.commit(partition.number, partition.token, commit)


async def test_parked_entries_are_acknowledged_and_kept_whole(partition: Partition) -> None:
    journal, number = partition.journal, partition.number
    for n in range(3):
        await partition.call(n)
    entries = await take(partition)
    await park(partition, entries)
    assert (await journal.lag(number, ["a"]))["a"].pending == 0
    assert await journal.read_parked(number, "a", "cp-1") == entries
    assert await journal.parked(number) == {("a", "cp-1"): sum(len(pack(entry)) for entry in entries)}
    assert await journal.read_parked(number, "b", "CP-1") == []


async def test_parked_entries_do_not_stop_trimming(partition: Partition) -> None:
    journal, number, token = partition.journal, partition.number, partition.token
    await partition.call(1)
    entries = await take(partition)
    await park(partition, entries)
    await journal.commit(number, token, Commit(acks={"b": [entries[0].id]}))
    assert await journal.trim(number, token, ["session", "a", "b"]) == 2
    assert await partition.ids() == []
    assert await journal.read_parked(number, "a", "CP-1") == entries


async def test_parked_entries_are_read_in_the_order_of_their_ids_in_pages(partition: Partition) -> None:
    journal, number = partition.journal, partition.number
    ids = [await partition.call(n) for n in range(25)]
    entries = await take(partition)
    await park(partition, entries[20:])
    await park(partition, entries[:20])
    found, after = [], ""
    while page := await journal.read_parked(number, "a", "CP-1", after=after, count=10):
        found += [entry.id for entry in page]
        after = found[-1]
    assert found == ids


async def test_the_oldest_of_all_chargers_are_found_page_by_page(partition: Partition) -> None:
    journal, number = partition.journal, partition.number
    ids = [await partition.call(n) for n in range(12)]
    entries = await take(partition)
    for charger, share in (("CP-1", entries[::2]), ("CP-2", entries[1::2])):
        await journal.commit(
            number, partition.token, Commit(acks={"a": [each.id for each in share]}, parks={("a", charger): share})
        )
    found, after = [], ""
    while page := await journal.oldest_parked(number, "a", 5, after=after):
        found += [entry.id for entry in page]
        after = found[-1]
    assert found == ids
    assert [entry.id for entry in await journal.oldest_parked(number, "a", 2, charger="cp-2")] == ids[1:4:2]
    assert await journal.oldest_parked(number, "b", 5) == []


async def test_the_last_one_done_removes_every_trace(partition: Partition, server: Server) -> None:
    journal, number, token = partition.journal, partition.number, partition.token
    first, second = await partition.call(1), await partition.call(2)
    await park(partition, await take(partition))
    await journal.commit(number, token, Commit(unparks={("a", "CP-1"): [first]}))
    assert [entry.id for entry in await journal.read_parked(number, "a", "CP-1")] == [second]
    await journal.commit(number, token, Commit(unparks={("a", "CP-1"): [first, second]}))
    assert await journal.parked(number) == {}
    assert not [key for key in await server.ask("KEYS", "*") if b":parked" in key]


async def test_parking_twice_counts_once(partition: Partition) -> None:
    journal, number = partition.journal, partition.number
    await partition.call(1)
    entries = await take(partition)
    await park(partition, entries)
    await park(partition, entries)
    assert await journal.parked(number) == {("a", "cp-1"): len(pack(entries[0]))}


async def test_who_lost_the_lease_parks_nothing(partition: Partition) -> None:
    journal, number = partition.journal, partition.number
    await partition.call(1)
    entries = await take(partition)
    old = partition.token
    await partition.own()
    with pytest.raises(Fenced):
        await journal.commit(number, old, Commit(acks={"a": [entries[0].id]}, parks={("a", "CP-1"): entries}))
    assert await journal.parked(number) == {}
    assert (await journal.lag(number, ["a"]))["a"].pending == 1


async def test_a_full_store_still_parks(partition: Partition) -> None:
    await partition.call(1)
    entries = await take(partition)
    await partition.server.ask("CONFIG", "SET", "maxmemory", "1")
    await park(partition, entries)
    assert await partition.journal.read_parked(partition.number, "a", "CP-1") == entries


async def test_an_entry_of_a_newer_release_is_refused(journal: Journal, server: Server) -> None:
    newer = Entry("1-1", "call", replace(HEAD, format=FORMAT + 1), b"[2]")
    await server.ask("ZADD", "{p01}:parked:a:cp-1", 0, pack(newer))
    with pytest.raises(UnsafeStore, match="newer"):
        await journal.read_parked(1, "a", "CP-1")


def test_packed_entries_sort_like_their_ids() -> None:
    ids = ["0-1", "9-0", "10-0", "10-2", "10-10", "1700000000000-0"]
    assert sorted(ids, key=place) == ids
    assert [unpack(pack(Entry(id, "call", HEAD, b"\x00\xff", 7))) for id in ids] == [
        Entry(id, "call", HEAD, b"\x00\xff", 7) for id in ids
    ]
