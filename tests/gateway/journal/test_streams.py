import asyncio
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

import gateway.journal
from gateway.journal import Commit, Fenced, Journal, UnsafeStore, keys
from gateway.journal.entry import FORMAT

from .conftest import Partition, Server


async def test_session_gets_everything_but_calls_and_upstreams_only_calls(partition: Partition) -> None:
    journal, head = partition.journal, partition.head
    await partition.call()
    await journal.append("answer", head, b"[3]")
    await partition.call()
    await journal.close_charger(head)
    batch = await partition.take("session", "a")
    assert [entry.kind for entry in batch["session"]] == ["open", "answer", "close"]
    assert [entry.kind for entry in batch["a"]] == ["call", "call"]
    assert (await journal.lag(partition.number, ["session", "a"]))["session"].pending == 0
    assert (await journal.lag(partition.number, ["a"]))["a"].pending == 2


async def test_each_group_has_its_own_pace(partition: Partition) -> None:
    ids = [await partition.call(n) for n in range(6)]
    assert [entry.id for entry in (await partition.take("a"))["a"]] == ids
    slow = await partition.take("b", count=3)
    assert [entry.id for entry in slow["b"]] == ids[:2], "the first of the three is the open"
    assert slow.more == {"b"}
    batch = await partition.take("a", "b")
    assert batch["a"] == [] and [entry.id for entry in batch["b"]] == ids[2:]


async def test_a_new_owner_takes_what_was_pending_first(partition: Partition) -> None:
    ids = [await partition.call(n) for n in range(5)]
    await partition.take("session", "a")
    await partition.journal.commit(partition.number, partition.token, Commit(acks={"a": [ids[1]]}))
    later = await partition.call(9)
    await partition.own()
    first = await partition.pending("session", "a", count=3)
    assert [entry.id for entry in first["a"]] == [ids[0], ids[2], ids[3]]
    assert "session" not in first and first.more == {"a"} and first.position == ""
    rest = await partition.pending("session", "a", count=3)
    assert [entry.id for entry in rest["a"]] == [ids[4]]
    assert not rest.more
    assert [entry.id for entry in (await partition.peek("session", "a"))["a"]] == [later]


async def test_what_is_pending_is_given_from_the_beginning_after_its_end_and_to_each_owner(
    partition: Partition,
) -> None:
    ids = [await partition.call(n) for n in range(3)]
    await partition.take("a")
    for _ in range(2):
        assert [entry.id for entry in (await partition.pending("a", count=2))["a"]] == ids[:2]
        assert [entry.id for entry in (await partition.pending("a", count=2))["a"]] == ids[2:]
    assert [entry.id for entry in (await partition.pending("a", count=1))["a"]] == ids[:1]
    await partition.own()
    assert [entry.id for entry in (await partition.pending("a", count=1))["a"]] == ids[:1]


async def test_each_group_has_a_pending_list_of_its_own(partition: Partition) -> None:
    ids = [await partition.call(n) for n in range(5)]
    await partition.take("a", "b")
    await partition.journal.commit(partition.number, partition.token, Commit(acks={"b": ids[:3]}))
    first = await partition.pending("session", "a", "b", count=3)
    assert [entry.id for entry in first["a"]] == ids[:3] and [entry.id for entry in first["b"]] == ids[3:]
    assert first.more == {"a"}
    rest = await partition.pending("session", "a", "b", count=3)
    assert [entry.id for entry in rest["a"]] == ids[3:] and rest["b"] == []


async def test_the_number_of_the_next_entry_does_not_follow_what_the_owner_before_has_taken(
    partition: Partition,
) -> None:
    """So that one that still lives is not handed it: it looks, and is fenced."""
    before = (await partition.peek("a")).run
    await partition.own()
    await partition.pending("session", "a")
    await partition.call()
    assert (await partition.peek("a")).run == before + 2


async def test_a_full_store_gives_what_is_pending(partition: Partition) -> None:
    id = await partition.call()
    await partition.take("a")
    await partition.server.ask("CONFIG", "SET", "maxmemory", "1")
    assert [entry.id for entry in (await partition.pending("a"))["a"]] == [id]


async def test_entries_that_somebody_deleted_are_counted_as_gone(partition: Partition) -> None:
    ids = [await partition.call(n) for n in range(4)]
    await partition.take("a")
    await partition.server.ask("XDEL", keys.stream(partition.number), *ids[:3])
    first = await partition.pending("a", count=2)
    assert (first["a"], first.gone, first.more) == ([], {"a": 2}, {"a"})
    rest = await partition.pending("a", count=2)
    assert [entry.id for entry in rest["a"]] == ids[3:] and rest.gone == {"a": 1}
    assert (await partition.journal.lag(partition.number, ["a"]))["a"].pending == 1
    await partition.own()
    assert (await partition.pending("a")).gone == {}, "once"


async def test_an_old_token_is_refused_everywhere(partition: Partition) -> None:
    journal, number, old = partition.journal, partition.number, partition.token
    id = await partition.call()
    await partition.take("a")
    await partition.own()
    with pytest.raises(Fenced):
        await journal.peek(number, old, {"a": "0-0"}, count=1)
    with pytest.raises(Fenced):
        await journal.pending(number, old, ["a"], count=1)
    with pytest.raises(Fenced):
        await journal.commit(number, old, Commit(facts={("CP-1", "shared"): b"x"}, acks={"a": [id]}))
    with pytest.raises(Fenced):
        await journal.trim(number, old, ["a"])
    assert not await journal.renew(number, old)
    await journal.release(number, old)
    assert await journal.load_facts(number, "CP-1") == {}
    assert len((await partition.pending("a"))["a"]) == 1, "the new token still works"


async def test_a_lease_that_expired_is_refused(partition: Partition) -> None:
    await partition.server.ask("DEL", f"{{p{partition.number:02}}}:lease")
    with pytest.raises(Fenced):
        await partition.peek("a")
    with pytest.raises(Fenced):
        await partition.pending("a")


async def test_nothing_unacknowledged_by_any_group_is_trimmed(partition: Partition) -> None:
    journal, number, token = partition.journal, partition.number, partition.token
    opened = (await partition.ids())[0]
    ids = [await partition.call(n) for n in range(6)]
    await partition.take("session")
    assert await journal.trim(number, token, ["session", "a", "b"]) == 0, "nobody took a call"
    await partition.take("a", "b")
    # the opening was never wanted by a and b, the calls are pending
    assert await journal.trim(number, token, ["session", "a", "b"]) == 1
    assert await partition.ids() == ids
    await journal.commit(number, token, Commit(acks={"a": ids, "b": [ids[0], ids[1], ids[3]]}))
    assert await journal.trim(number, token, ["session", "a", "b"]) == 2
    assert await partition.ids() == ids[2:], "b has not acknowledged the third; everything after it stays"
    await journal.commit(number, token, Commit(acks={"b": ids}))
    assert await journal.trim(number, token, ["session", "a", "b"], keep=60) == 0, "it is not old enough"
    await asyncio.sleep(0.2)
    late = await partition.call(7)
    assert await journal.trim(number, token, ["session", "a", "b"], keep=0.15) == 4
    assert await partition.ids() == [late]
    await partition.take("a", "b")
    assert await journal.trim(number, token, ["session", "a", "b"], keep=0.001) == 0, "it is pending"
    await journal.commit(number, token, Commit(acks={"a": [late], "b": [late]}))
    assert await journal.trim(number, token, ["session", "a", "b"]) == 0, "the session group has not passed it"
    await partition.take("session")
    assert await journal.trim(number, token, ["session", "a", "b"]) == 1
    assert await partition.ids() == []
    assert opened < ids[0]


async def test_a_group_that_is_not_named_still_holds_its_entries(partition: Partition) -> None:
    ids = [await partition.call()]
    await partition.take("session", "a")
    await partition.journal.commit(partition.number, partition.token, Commit(acks={"a": ids}))
    await partition.journal.trim(partition.number, partition.token, ["session", "a"])
    assert ids[0] in await partition.ids(), "b has not taken it"


async def test_a_missing_group_stops_trimming(partition: Partition) -> None:
    ids = [await partition.call()]
    await partition.take("session", "a", "b")
    await partition.journal.commit(partition.number, partition.token, Commit(acks={"a": ids, "b": ids}))
    assert await partition.journal.trim(partition.number, partition.token, ["session", "a", "b", "c"]) == 0


async def test_trimming_an_absent_stream_is_nothing(journal: Journal) -> None:
    token = await journal.acquire(5, "hub")
    assert token is not None
    assert await journal.trim(5, token, ["a"]) == 0


async def test_the_first_groups_get_what_edges_appended_before(journal: Journal, server: Server) -> None:
    partition = Partition(journal, server)
    await partition.charger()
    id = await partition.call()
    await partition.own("a")
    batch = await partition.peek("session", "a")
    assert [entry.id for entry in batch["a"]] == [id]
    assert [entry.kind for entry in batch["session"]] == ["open"]


async def test_groups_lost_with_a_flush_are_created_again_and_reported(partition: Partition) -> None:
    journal, seen = partition.journal, []
    journal.on_reset = lambda number, group: seen.append((number, group))
    await partition.server.ask("FLUSHALL")
    with pytest.raises(Fenced):
        await partition.pending("session", "a")
    token = await journal.acquire(partition.number, "hub-1")
    assert token is not None and token >= partition.token
    partition.token = token
    await partition.charger()
    id = await partition.call()
    assert (await partition.pending("session", "a"))["a"] == []
    assert seen == [(partition.number, "a")]
    assert journal.resets == 1
    assert await journal.positions(partition.number) == {"a": "0-0"}
    assert [entry.id for entry in (await partition.peek("a"))["a"]] == [id]


async def test_wait_names_the_partitions_with_news(partition: Partition) -> None:
    journal = partition.journal
    batch = await partition.peek("session", "a")
    positions = dict.fromkeys(range(64), "0-0") | {partition.number: batch.position}
    assert await journal.wait(positions, 20) == []
    waiting = asyncio.create_task(journal.wait(positions, 20_000))
    await asyncio.sleep(0.05)
    await partition.call()
    assert await waiting == [partition.number]
    assert await journal.wait(positions, 20_000) == [partition.number], "until the position moves"


async def test_wait_without_partitions_only_waits(journal: Journal) -> None:
    assert await journal.wait({}, 1) == []


async def test_positions_pass_what_no_group_wanted(partition: Partition) -> None:
    await partition.take("session")
    id = await partition.call()
    batch = await partition.peek("session")
    assert batch["session"] == [] and batch.position == id


async def test_a_look_without_news_tells_where_the_stream_stands(partition: Partition) -> None:
    id = await partition.call()
    await partition.take("session", "a")
    assert (await partition.peek("session", "a")).position == id


async def test_lag_counts_what_is_to_do(partition: Partition) -> None:
    journal = partition.journal
    opened = (await partition.ids())[0]
    idle = await journal.lag(partition.number, ["session", "b"])
    assert (idle["b"].undelivered, idle["b"].unread) == ("", 0), "an `open` is nothing that an upstream waits for"
    assert (idle["session"].undelivered, idle["session"].unread) == (opened, 1)
    ids = [await partition.call(n) for n in range(3)]
    await partition.take("a")
    lag = await journal.lag(partition.number, ["a", "b", "absent"])
    assert (lag["a"].pending, lag["a"].oldest, lag["a"].undelivered, lag["a"].unread) == (3, ids[0], "", 0)
    assert (lag["b"].pending, lag["b"].oldest, lag["b"].undelivered, lag["b"].unread) == (0, "", ids[0], 3)
    assert lag["absent"].undelivered == ids[0]
    assert lag["a"].age_ms >= 0 and lag["a"].length == 4
    await journal.commit(partition.number, partition.token, Commit(acks={"a": ids}))
    assert (await journal.lag(partition.number, ["a"]))["a"].age_ms == 0


async def test_the_lag_of_a_long_backlog_is_the_stores_or_unknown(partition: Partition) -> None:
    journal = partition.journal
    first = await partition.call(0)
    for n in range(1, 120):
        await partition.call(n)
    behind = (await journal.lag(partition.number, ["b"]))["b"]
    assert behind.undelivered == first
    assert behind.unread in (-1, 121), "with the `open`; servers before 7.0 do not know"


async def test_an_entry_of_a_newer_format_is_refused(partition: Partition) -> None:
    await partition.journal.append("call", replace(partition.head, format=FORMAT + 1), b"[]")
    with pytest.raises(UnsafeStore, match=f"format {FORMAT + 1}.*reads up to {FORMAT}"):
        await partition.peek("a")


async def test_fields_added_to_the_head_later_are_ignored(partition: Partition, server: Server) -> None:
    longer = msgspec.msgpack.encode([*msgspec.to_builtins(partition.head), "new", 1])
    await server.ask("XADD", f"{{p{partition.number:02}}}:in", "*", "k", "call", "h", longer, "f", "[]", "z", "1")
    (entry,) = (await partition.peek("a"))["a"]
    assert entry.head == partition.head and entry.frame == b"[]"


def test_no_stream_is_cut_by_length() -> None:
    """It removes what nobody has read yet (reliability, decision 6)."""
    sources = [path for path in Path(gateway.journal.__file__).parents[1].rglob("*") if path.suffix in (".py", ".lua")]
    assert sources
    for path in sources:
        text = path.read_text()
        assert "MAXLEN" not in (text.upper() if path.suffix == ".lua" else text), path


async def test_a_look_gives_each_group_what_it_wants_behind_its_place_and_changes_nothing(partition: Partition) -> None:
    journal, number = partition.journal, partition.number
    ids = [await partition.call(at) for at in range(3)]
    answer = (await journal.append("answer", partition.head, b"[3]")).id
    places = {"session": "0-0", "a": "0-0", "b": ids[1]}
    for _ in range(2):
        batch = await journal.peek(number, partition.token, places, count=10)
        assert [entry.kind for entry in batch["session"]] == ["open", "answer"]
        assert [entry.id for entry in batch["a"]] == ids
        assert [entry.id for entry in batch["b"]] == ids[2:]
        assert [entry.id for entry in batch.all["b"]] == [ids[2], answer]
        assert [entries[-1].id for entries in batch.all.values()] == [answer] * 3
        assert (batch.position, batch.more) == (answer, frozenset())
    assert await journal.positions(number) == {"session": "0-0", "a": "0-0", "b": "0-0"}
    lag = await journal.lag(number, ["a"])
    assert (lag["a"].pending, lag["a"].unread) == (0, 3)
    some = await journal.peek(number, partition.token, places, count=2)
    assert some.more == {"session", "a", "b"}
    assert [entry.id for entry in some["a"]] == ids[:1], "the first of the two is the open"
    none = await journal.peek(number, partition.token, {"a": answer}, count=2)
    assert (none["a"], none.position, none.all) == ([], answer, {"a": []})


async def test_a_look_is_fenced_and_knows_the_number_of_the_newest(partition: Partition) -> None:
    journal = partition.journal
    runs: list[int] = []
    journal.on_append = lambda _, run, __: runs.append(run)
    await partition.call()
    batch = await journal.peek(partition.number, partition.token, {"a": "0-0"}, count=10)
    assert [batch.run] == runs
    with pytest.raises(Fenced):
        await journal.peek(partition.number, partition.token + 1, {"a": "0-0"}, count=10)


async def test_a_group_that_somebody_removed_is_there_again_where_its_hub_had_it(partition: Partition) -> None:
    journal, number = partition.journal, partition.number
    ids = [await partition.call(at) for at in range(3)]
    await partition.server.ask("XGROUP", "DESTROY", keys.stream(number), "a")
    gone: list[tuple[int, str]] = []
    journal.on_reset = lambda partition, group: gone.append((partition, group))
    await journal.commit(number, partition.token, Commit(passed={"a": (ids[1], [ids[0]]), "b": (ids[0], [])}))
    assert gone == [(number, "a")]
    assert journal.resets == 1
    places = await journal.positions(number)
    assert (places["a"], places["b"]) == (ids[1], ids[0])
    assert (await journal.lag(number, ["a"]))["a"].pending == 1
