import pytest

from gateway.journal import Commit, Journal, StoreDown, UnsafeStore
from gateway.journal.facts import FORMAT

from .conftest import Partition, Server


async def test_facts_are_stored_changed_and_removed(partition: Partition) -> None:
    journal, number, token = partition.journal, partition.number, partition.token
    assert await journal.load_facts(number, "CP-1") == {}
    await journal.commit(
        number,
        token,
        Commit(facts={("CP-1", "shared"): b"\x00\xff", ("CP-1", "link:a"): b"1", ("CP-9", "shared"): b""}),
    )
    assert await journal.load_facts(number, "cp-1") == {"shared": b"\x00\xff", "link:a": b"1"}
    assert await journal.load_facts(number, "CP-9") == {"shared": b""}
    await journal.commit(number, token, Commit(facts={("CP-1", "shared"): None, ("CP-1", "link:a"): b"2"}))
    assert await journal.load_facts(number, "CP-1") == {"link:a": b"2"}


async def test_facts_answers_and_acks_of_many_go_together(partition: Partition) -> None:
    journal, number, token = partition.journal, partition.number, partition.token
    ids = [await partition.call(n) for n in range(1500)]
    await partition.take("a", "b", count=2000)
    facts: dict[tuple[str, str], bytes | None] = {(f"CP-{n}", "link:a"): b"%d" % n for n in range(50)}
    facts |= {(f"CP-{n}", "link:b"): None for n in range(50)}
    answers = [("CP-1", f"key-{n}", b"{}") for n in range(50)]
    await journal.commit(number, token, Commit(facts, answers, {"a": ids, "b": ids[:1], "none": []}))
    lag = await journal.lag(number, ["a", "b"])
    assert (lag["a"].pending, lag["b"].pending) == (0, 1499)
    assert await journal.load_facts(number, "CP-49") == {"link:a": b"49"}


async def test_an_empty_commit_is_fine(partition: Partition) -> None:
    await partition.journal.commit(partition.number, partition.token, Commit())


async def test_facts_of_a_newer_format_are_refused(journal: Journal, server: Server) -> None:
    await server.ask("HSET", "{p01}:facts:cp-1", "shared", bytes([FORMAT + 1]) + b"x")
    with pytest.raises(UnsafeStore, match="newer"):
        await journal.load_facts(1, "CP-1")


async def test_a_full_store_refuses_appends_and_still_drains(partition: Partition) -> None:
    journal, number, token = partition.journal, partition.number, partition.token
    id = await partition.call()
    await partition.server.ask("CONFIG", "SET", "maxmemory", "1")
    with pytest.raises(StoreDown, match="OOM"):
        await journal.append("call", partition.head, b"[]")
    assert [entry.id for entry in (await partition.take("a", "b", "session"))["a"]] == [id]
    await journal.commit(number, token, Commit(facts={("CP-1", "link:a"): b"1"}, acks={"a": [id], "b": [id]}))
    assert await journal.renew(number, token)
    assert await journal.trim(number, token, ["a", "b"]) == 2
    assert await journal.load_facts(number, "CP-1") == {"link:a": b"1"}
