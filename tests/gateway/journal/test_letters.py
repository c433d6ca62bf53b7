"""Dead letters: kept whole, listed, given again to the upstream that did not take them, discarded, expired."""

import msgspec
import pytest
from msgspec.structs import replace

from gateway.journal import Commit, Dead, Fenced, Journal
from gateway.journal.entry import Entry

from .conftest import HEAD, Partition, Server, now_ms


async def bury(journal: Journal, entry: Entry, upstream: str = "a", why: str = "refused", attempts: int = 5) -> None:
    number = journal.partition(entry.head.charger)
    token = await journal.acquire(number, "hub-1")
    assert token is not None
    await journal.commit(number, token, Commit(dead=[Dead(upstream, entry, why, attempts, "c0ffee")]))


def entry(n: int, charger: str = "CP-1") -> Entry:
    return Entry(f"{n}-0", "call", replace(HEAD, charger=charger), b'[2,"%d","MeterValues",{}]' % n, n)


async def test_a_dead_letter_is_kept_whole_and_acknowledged_in_the_same_commit(partition: Partition) -> None:
    journal, number = partition.journal, partition.number
    id = await partition.call()
    (poison,) = (await partition.take("a"))["a"]
    before = now_ms()
    commit = Commit(acks={"a": [id]}, dead=[Dead("a", poison, "poisoned", 2, "c0ffee")])
    await journal.commit(number, partition.token, commit)
    (letter,) = await journal.letters("a")
    assert letter.entry == poison
    assert (letter.why, letter.attempts, letter.trace, letter.upstream) == ("poisoned", 2, "c0ffee", "a")
    assert before <= letter.at <= now_ms()
    assert await journal.letter("a", letter.id) == letter
    assert await journal.letters("b") == []
    assert (await journal.lag(number, ["a"]))["a"].pending == 0
    assert await journal.letter_counts(number) == {"a": 1}


async def test_those_of_one_charger_are_told_from_those_of_its_partition(journal: Journal) -> None:
    number = journal.partition("CP-1")
    neighbour = next(name for n in range(2, 9999) if journal.partition(name := f"CP-{n}") == number)
    for n, (charger, upstream) in enumerate([("CP-1", "a"), (neighbour, "a"), ("cp-1", "a"), (neighbour, "b")]):
        await bury(journal, entry(n + 1, charger), upstream)
    assert await journal.letters_of(number, "CP-1") == {"a": 2, "b": 0}
    assert await journal.letters_of(number, neighbour) == {"a": 1, "b": 1}


async def test_who_lost_the_lease_buries_nothing(partition: Partition) -> None:
    old = partition.token
    await partition.own()
    with pytest.raises(Fenced):
        await partition.journal.commit(partition.number, old, Commit(dead=[Dead("a", entry(1), "refused")]))
    assert await partition.journal.letters("a") == []


async def test_letters_of_all_partitions_are_listed_in_pages_by_time(journal: Journal) -> None:
    buried = [entry(n, f"CP-{n % 7}") for n in range(1, 31)]
    for each in buried:
        await bury(journal, each)
    found, after = [], ""
    while page := await journal.letters("a", after=after, count=4):
        assert len(page) <= 4
        found += page
        after = page[-1].id
    assert sorted(letter.entry.tx for letter in found) == [each.tx for each in buried]
    assert [letter.at for letter in found] == sorted(letter.at for letter in found)


async def test_a_requeued_letter_goes_to_its_upstream_under_its_old_id_ahead_of_newer_ones(
    partition: Partition,
) -> None:
    journal, number = partition.journal, partition.number
    await bury(journal, entry(5))
    await bury(journal, entry(4))
    partition.token = await journal.acquire(number, "hub-1") or 0
    await journal.commit(number, partition.token, Commit(parks={("a", "CP-1"): [entry(9)]}))
    ids = [letter.id for letter in await journal.letters("a")]
    assert await journal.requeue("a", ids) == 2
    assert await journal.read_parked(number, "a", "CP-1") == [entry(4), entry(5), entry(9)]
    assert await journal.letters("a") == []
    assert set(await journal.parked(number)) == {("a", "cp-1")}
    assert await journal.requeue("a", ids) == 0, "once"


async def test_discarded_letters_are_gone(journal: Journal) -> None:
    for n, charger in enumerate(["CP-1", "CP-2", "CP-3"], 1):
        await bury(journal, entry(n, charger))
    ids = [letter.id for letter in await journal.letters("a")]
    assert await journal.discard("a", ids[:2]) == 2
    assert [letter.id for letter in await journal.letters("a")] == ids[2:]
    assert await journal.letter("a", ids[0]) is None


@pytest.mark.parametrize("id", ["", "x", "1-1", "1-1.64", "1-1.x", "1.1"])
async def test_an_id_that_is_none_is_told(journal: Journal, id: str) -> None:
    with pytest.raises(ValueError, match="no id of a dead letter"):
        await journal.letter("a", id)


async def test_letters_expire_in_slices_under_the_lease(partition: Partition) -> None:
    journal, number = partition.journal, partition.number
    dead = [Dead("a", entry(n), "refused") for n in range(1, 8)]
    await journal.commit(number, partition.token, Commit(dead=dead))
    later = now_ms() + 1000
    assert await journal.expire_letters(number, partition.token, "a", now_ms() - 60_000) == 0
    assert await journal.expire_letters(number, partition.token, "a", later, 5) == 5
    assert await journal.expire_letters(number, partition.token, "a", later, 5) == 2
    with pytest.raises(Fenced):
        await journal.expire_letters(number, partition.token - 1, "a", later)


async def test_the_stream_of_dead_letters_can_be_read_by_hand(partition: Partition, server: Server) -> None:
    await bury(partition.journal, entry(3))
    ((_, fields),) = await server.ask("XRANGE", f"{{p{partition.number:02}}}:dlq:a", "-", "+")
    assert dict(zip(fields[::2], fields[1::2], strict=True)) == {
        b"k": b"call",
        b"h": msgspec.msgpack.encode(HEAD),
        b"f": b'[2,"3","MeterValues",{}]',
        b"x": b"3",
        b"id": b"3-0",
        b"why": b"refused",
        b"n": b"5",
        b"t": b"c0ffee",
    }
