"""Appends, reads and commits of several partitions that leave together: one script of the server, and each has its own end."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from gateway.journal import Commit, Fenced, Journal, StoreDown
from gateway.journal.entry import Head
from gateway.journal.joint import MOST, MOST_ARGUMENTS
from gateway.journal.lua import TOGETHER, scripts

from .conftest import HEAD, Partition, Server
from .test_append import evaluated

FRAME = b'[2,"17","Heartbeat",{}]'


@pytest.fixture
async def partitions(journal: Journal, server: Server) -> AsyncIterator[list[Partition]]:
    """Five of them, each with a charger of its own."""
    found: dict[int, Partition] = {}
    number = 0
    while len(found) < 5:
        number += 1
        head = replace(HEAD, charger=f"CP-{number}")
        at = journal.partition(head.charger)
        if at in found:
            continue
        partition = found[at] = Partition(journal, server)
        partition.number = at
        await partition.own("a")
        epoch, _ = await journal.connect(head)
        partition.head = replace(head, epoch=epoch)
    yield list(found.values())


def dedups(partitions: list[Partition]) -> list[Head]:
    return [replace(partition.head, dedup="content") for partition in partitions]


async def test_appends_of_several_partitions_are_one_script(journal: Journal, partitions: list[Partition]) -> None:
    told: list[tuple[int, int, str]] = []
    journal.on_append = lambda number, run, entry: told.append((number, run, entry.id))
    before = await evaluated(partitions[0])
    futures = [journal.append("call", head, FRAME, ttl=60, mint_tx=True) for head in dedups(partitions) * 2]
    done = [await each for each in futures]
    # The second of the same content comes behind, in a call of its own.
    assert [each.outcome for each in done] == ["new"] * 5 + ["repeat"] * 5
    assert await evaluated(partitions[0]) == before + 1
    assert len({(number, id) for number, _, id in told}) == 10
    for at, partition in enumerate(partitions):
        batch = await partition.peek("session", "a")
        assert [entry.id for entry in batch["a"]] == [done[at].id]
        assert batch["session"][-1].head.of == done[at].id
        runs = [run for number, run, _ in told if number == partition.number]
        assert runs == [batch.run - 1, batch.run]


async def test_a_commit_that_is_fenced_takes_no_other_with_it(journal: Journal, partitions: list[Partition]) -> None:
    heads = dedups(partitions)
    ids = [(await journal.append("call", head, FRAME, ttl=60)).id for head in heads]
    for partition in partitions:
        await partition.take("a")
    taken = partitions[2]
    await journal.release(taken.number, taken.token)
    assert await journal.acquire(taken.number, "hub-2") is not None
    before = await evaluated(taken)
    commits = [
        journal.commit(
            partition.number,
            partition.token,
            Commit(
                facts={(head.charger, "shared"): b"facts"}, acks={"a": [id]}, answers=[(head.charger, "content", b"{}")]
            ),
        )
        for partition, head, id in zip(partitions, heads, ids, strict=True)
    ]
    ended = await asyncio.gather(*commits, return_exceptions=True)
    assert await evaluated(taken) == before + 1
    assert [type(each) for each in ended] == [type(None), type(None), Fenced, type(None), type(None)]
    assert journal.errors == {"fenced": 1}
    for partition, head in zip(partitions, heads, strict=True):
        mine = partition is not taken
        facts = await journal.load_facts(partition.number, head.charger)
        assert facts == ({"shared": b"facts"} if mine else {})
        again = await journal.append("call", head, FRAME, ttl=60)
        assert again.outcome == ("answered" if mine else "repeat")
        pending = await journal.lag(partition.number, ["a"])
        assert pending["a"].pending == (0 if mine else 1)


async def test_reads_of_several_partitions_are_one_script(journal: Journal, partitions: list[Partition]) -> None:
    ids = [(await journal.append("call", partition.head, FRAME)).id for partition in partitions]
    fenced = partitions[3]
    await journal.release(fenced.number, fenced.token)
    before = await evaluated(fenced)
    reads = [
        journal.peek(partition.number, partition.token, {"session": "0-0", "a": "0-0"}, count=10)
        for partition in partitions
    ]
    batches = await asyncio.gather(*reads, return_exceptions=True)
    assert await evaluated(fenced) == before + 1
    for partition, batch, id in zip(partitions, batches, ids, strict=True):
        if partition is fenced:
            assert isinstance(batch, Fenced)
        else:
            assert not isinstance(batch, BaseException)
            assert [entry.id for entry in batch["a"]] == [id]
            assert [entry.kind for entry in batch["session"]] == ["open"]


async def test_a_partition_whose_data_are_broken_takes_no_other_with_it(
    journal: Journal, server: Server, partitions: list[Partition]
) -> None:
    broken = partitions[1]
    await server.ask("SET", f"{{p{broken.number:02}}}:live", "somebody was here")
    futures = [journal.append("call", head, FRAME, ttl=60) for head in dedups(partitions)]
    ended = await asyncio.gather(*futures, return_exceptions=True)
    assert [isinstance(each, StoreDown) for each in ended] == [False, True, False, False, False]
    assert "WRONGTYPE" in str(ended[1])
    assert journal.healthy


async def test_a_full_store_refuses_all_appends_and_takes_all_commits(
    journal: Journal, server: Server, partitions: list[Partition]
) -> None:
    heads = dedups(partitions)
    ids = [(await journal.append("call", head, FRAME, ttl=60)).id for head in heads]
    for partition in partitions:
        await partition.take("a")
    await server.ask("CONFIG", "SET", "maxmemory", "1mb")
    try:
        refused = [journal.append("call", partition.head, FRAME) for partition in partitions]
        commits = [
            journal.commit(partition.number, partition.token, Commit(acks={"a": [id]}))
            for partition, id in zip(partitions, ids, strict=True)
        ]
        ended = await asyncio.gather(*refused, *commits, return_exceptions=True)
        assert [isinstance(each, StoreDown) for each in ended] == [True] * 5 + [False] * 5
        assert "full" in await problem(journal)
    finally:
        await server.ask("CONFIG", "SET", "maxmemory", 0)


async def problem(journal: Journal) -> str:
    async with asyncio.timeout(5):
        while not journal.problem:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return journal.problem


async def test_scripts_that_the_server_forgot_are_loaded_again(server: Server, partitions: list[Partition]) -> None:
    await server.ask("SCRIPT", "FLUSH")
    futures = [each.journal.append("call", each.head, FRAME) for each in partitions]
    commits = [each.journal.commit(each.number, each.token, Commit(facts={("x", "y"): b"z"})) for each in partitions]
    assert [(await each).outcome for each in futures] == ["new"] * 5
    await asyncio.gather(*commits)


async def test_a_commit_that_is_too_long_for_the_stack_leaves_alone(
    journal: Journal, partitions: list[Partition]
) -> None:
    before = await evaluated(partitions[0])
    facts: dict[tuple[str, str], bytes | None] = {
        ("CP-1", f"link:{number}"): b"facts" for number in range(MOST_ARGUMENTS)
    }
    commits = [journal.commit(each.number, each.token, Commit(facts=dict(facts))) for each in partitions[:2]]
    commits += [
        journal.commit(each.number, each.token, Commit(facts={("CP-1", "shared"): b"x"})) for each in partitions[2:]
    ]
    await asyncio.gather(*commits)
    assert await evaluated(partitions[0]) == before + 3
    assert len(await journal.load_facts(partitions[0].number, "CP-1")) == MOST_ARGUMENTS


async def test_what_is_looked_at_behind_a_commit_does_not_come_before_it(
    journal: Journal, partitions: list[Partition]
) -> None:
    one, two = partitions[:2]
    ids = [(await journal.append("call", each.head, FRAME)).id for each in (one, two)]
    before = await evaluated(one)
    first = journal.peek(one.number, one.token, {"a": "0-0"}, count=10)
    passing = journal.commit(two.number, two.token, Commit(passed={"a": (ids[1], [])}))
    second = journal.peek(two.number, two.token, {"a": "0-0"}, count=10)
    assert [entry.id for entry in (await first)["a"]] == ids[:1]
    assert [entry.id for entry in (await second)["a"]] == ids[1:]
    await passing
    assert await evaluated(one) == before + 3


async def test_a_question_comes_between_the_commits_before_and_after_it(
    journal: Journal, partitions: list[Partition]
) -> None:
    one, two = partitions[:2]
    facts: list[dict[tuple[str, str], bytes | None]] = [{("CP", "shared"): value} for value in (b"old", b"new")]
    first = journal.commit(one.number, one.token, Commit(facts=facts[0]))
    known = asyncio.ensure_future(journal.load_facts(one.number, "CP"))
    await asyncio.sleep(0)
    second = journal.commit(one.number, one.token, Commit(facts=facts[1]))
    other = journal.commit(two.number, two.token, Commit(facts=facts[1]))
    await asyncio.gather(first, second, other)
    assert await known == {"shared": b"old"}


async def test_more_than_leave_together_leave_as_several(journal: Journal, partitions: list[Partition]) -> None:
    before = await evaluated(partitions[0])
    one = partitions[0]
    await asyncio.gather(*(journal.commit(one.number, one.token, Commit()) for _ in range(MOST + 1)))
    assert await evaluated(one) == before + 2


def test_every_script_for_several_is_made_for_old_and_new_servers() -> None:
    for version in ((6, 2), (7, 0), (9, 1)):
        made = scripts(version)
        assert made.keys() >= set(TOGETHER) | set(TOGETHER.values())
        assert made["commits"].source.startswith("#!lua flags=allow-oom\n") == (version >= (7,))
        assert not made["appends"].source.startswith("#!"), "a full store refuses appends"
