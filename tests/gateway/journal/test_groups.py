"""Groups begin with their upstream, are orphans without it, and end for good."""

import asyncio

import pytest

from gateway.journal import Commit, Dead, Fenced
from gateway.journal.entry import Entry

from .conftest import HEAD, Partition


async def test_groups_start_at_the_beginning_of_an_empty_stream_else_at_its_end(partition: Partition) -> None:
    before = await partition.call(1)
    begun = await partition.journal.ensure_groups(partition.number, ["a", "late"])
    after = await partition.call(2)
    batch = await partition.peek("a", "late")
    assert [entry.id for entry in batch["a"]] == [before, after]
    assert [entry.id for entry in batch["late"]] == [after]
    assert begun == {"late": before}
    assert await partition.journal.ensure_groups(partition.number, ["a", "late"]) == {}


async def test_an_upstream_may_begin_in_the_past(partition: Partition) -> None:
    first = await partition.call(1)
    await asyncio.sleep(0.002)
    second = await partition.call(2)
    begins = {"start": "0", "time": second.split("-")[0] + "-0"}
    await partition.journal.ensure_groups(partition.number, ["start", "time"], begins)
    batch = await partition.peek("start", "time")
    assert [entry.id for entry in batch["start"]] == [first, second]
    assert [entry.id for entry in batch["time"]] in ([second], []), "the first of that millisecond has number 0"


async def test_a_group_that_is_ended_holds_no_entries_any_more(partition: Partition) -> None:
    journal, number, token = partition.journal, partition.number, partition.token
    ids = [await partition.call(1)]
    await partition.take("session", "a")
    await journal.commit(number, token, Commit(acks={"a": ids}))
    assert sorted(await journal.groups(number)) == ["a", "b", "session"]
    assert await journal.trim(number, token, ["session", "a"]) == 0
    assert await journal.destroy_group(number, token, "b")
    assert not await journal.destroy_group(number, token, "b")
    assert await journal.trim(number, token, ["session", "a"]) == 2
    with pytest.raises(Fenced):
        await journal.destroy_group(number, token - 1, "a")


async def test_a_removed_upstream_leaves_its_dead_letters_unless_told_otherwise(partition: Partition) -> None:
    journal, number, token = partition.journal, partition.number, partition.token
    entry = Entry("1-1", "call", HEAD, b"[2]")
    commit = Commit(parks={("a", "CP-1"): [entry], ("b", "CP-1"): [entry]}, dead=[Dead("a", entry, "refused")])
    await journal.commit(number, token, commit)
    assert await journal.remove_upstream("a") == {"groups": 1, "parked": 1, "dead_letters": 1}
    assert sorted(await journal.groups(number)) == ["b", "session"]
    assert set(await journal.parked(number)) == {("b", "cp-1")}
    assert len(await journal.letters("a")) == 1
    assert await journal.remove_upstream("a", dead_letters=True) == {"groups": 0, "parked": 0, "dead_letters": 1}
    assert await journal.letters("a") == []


async def test_there_are_no_groups_before_the_first_hub(partition: Partition) -> None:
    assert await partition.journal.groups(partition.number + 1) == []
