import asyncio

from msgspec.structs import replace

from gateway.journal import Commit, Journal, StoreDown
from gateway.journal.appending import MOST
from gateway.journal.entry import Entry

from .conftest import HEAD, Partition, Server, now_ms, until

FRAME = b'[2,"17","StartTransaction",{"connectorId":1}]'


async def test_connect_gives_growing_epochs_and_the_previous_home(journal: Journal) -> None:
    first, nobody = await journal.connect(HEAD)
    second, before = await journal.connect(replace(HEAD, charger="cp-1", home="edge-2"))
    assert second > first
    assert (nobody, before) == ("", "edge-1")
    assert await journal.homes(journal.partition("CP-1")) == {"cp-1": ("edge-2", second, "ocpp1.6")}


async def test_epochs_grow_after_the_store_lost_everything(journal: Journal, server: Server) -> None:
    first, _ = await journal.connect(HEAD)
    await server.ask("FLUSHALL")
    second, _ = await journal.connect(HEAD)
    assert second >= first


async def test_connect_appends_an_open_with_its_epoch(partition: Partition) -> None:
    batch = await partition.peek("session")
    (opened,) = batch["session"]
    assert opened.kind == "open"
    assert opened.head == partition.head


async def test_an_append_is_read_as_it_was(partition: Partition) -> None:
    head = replace(partition.head, seq=7, action="Authorize", message_id="x", cls="K3", deadline=9, trace="t")
    appended = await partition.journal.append("call", head, FRAME)
    (entry,) = (await partition.peek("a"))["a"]
    assert (entry.id, entry.kind, entry.head, entry.frame, entry.tx) == (appended.id, "call", head, FRAME, 0)


async def test_an_append_of_an_older_connection_is_refused(partition: Partition) -> None:
    old = partition.head
    await partition.charger()
    before = await partition.ids()
    assert (await partition.journal.append("call", old, FRAME)).outcome == "stale"
    assert await partition.ids() == before


async def test_an_append_of_an_unknown_charger_is_refused(journal: Journal) -> None:
    assert (await journal.append("call", replace(HEAD, charger="nobody", epoch=1), FRAME)).outcome == "stale"


async def test_a_retry_appends_a_repeat_with_frame_and_original_number(partition: Partition) -> None:
    journal, head = partition.journal, replace(partition.head, dedup="content")
    first = await journal.append("call", head, FRAME, ttl=60, mint_tx=True)
    again = await journal.append("call", replace(head, seq=2), FRAME, ttl=60, mint_tx=True)
    assert (first.outcome, again.outcome) == ("new", "repeat")
    batch = await partition.peek("session", "a")
    (call,) = batch["a"]
    repeat = batch["session"][-1]
    assert repeat.kind == "repeat" and repeat.id == again.id
    assert repeat.head == replace(head, seq=2, of=first.id)
    assert repeat.frame == FRAME
    assert repeat.tx == call.tx > 0


async def test_a_retry_from_a_new_connection_is_a_repeat(partition: Partition) -> None:
    head = replace(partition.head, dedup="content")
    first = await partition.journal.append("call", head, FRAME, ttl=60)
    newer = replace(await partition.charger(), dedup="content")
    assert (await partition.journal.append("call", newer, FRAME, ttl=60)).outcome == "repeat"
    repeat = (await partition.peek("session"))["session"][-1]
    assert (repeat.head.of, repeat.head.epoch, repeat.tx) == (first.id, newer.epoch, 0)


async def test_a_retry_of_an_answered_message_gets_the_stored_answer(partition: Partition) -> None:
    journal, head = partition.journal, replace(partition.head, dedup="content")
    first = await journal.append("call", head, FRAME, ttl=60)
    answer = b'{"transactionId": 7,\n "text": "a b  c"}'
    key = f"{{p{partition.number:02}}}:d:cp-1:content"
    await partition.server.ask("EXPIRE", key, 1000)
    commit = Commit(answers=[("CP-1", "content", answer)], acks={"a": [first.id]})
    await journal.commit(partition.number, partition.token, commit)
    before = await partition.ids()
    again = await journal.append("call", replace(head, seq=2), FRAME, ttl=60)
    assert (again.outcome, again.body) == ("answered", answer)
    assert await partition.ids() == before
    assert 900 < await partition.server.ask("TTL", key) <= 1000


async def test_an_answer_whose_dedup_key_is_gone_is_not_stored(partition: Partition) -> None:
    await partition.journal.commit(partition.number, partition.token, Commit(answers=[("CP-1", "gone", b"{}")]))
    assert await partition.server.ask("EXISTS", f"{{p{partition.number:02}}}:d:cp-1:gone") == 0


async def test_the_same_content_of_another_charger_is_no_retry(journal: Journal) -> None:
    outcomes = []
    for charger in ("CP-1", "CP-2"):
        epoch, _ = await journal.connect(replace(HEAD, charger=charger))
        head = replace(HEAD, charger=charger, epoch=epoch, dedup="content")
        outcomes.append((await journal.append("call", head, FRAME, ttl=60)).outcome)
    assert outcomes == ["new", "new"]


async def test_without_ttl_or_key_nothing_is_a_retry(partition: Partition) -> None:
    journal = partition.journal
    for head, ttl in ((replace(partition.head, dedup="content"), 0), (partition.head, 60)):
        for _ in range(2):
            assert (await journal.append("call", head, FRAME, ttl=ttl)).outcome == "new"


async def test_numbers_are_positive_and_grow_per_charger(partition: Partition) -> None:
    journal, head = partition.journal, partition.head
    for _ in range(5):
        await journal.append("call", head, FRAME, mint_tx=True)
    numbers = [entry.tx for entry in (await partition.peek("a"))["a"]]
    assert numbers == sorted(set(numbers))
    assert now_ms() // 1000 - 60 < numbers[0] < numbers[-1] < 2**31


async def test_numbers_stay_within_32_bits(partition: Partition) -> None:
    await partition.server.ask("SET", f"{{p{partition.number:02}}}:tx:cp-1", 2**31 - 2)
    for _ in range(3):
        await partition.journal.append("call", partition.head, FRAME, mint_tx=True)
    numbers = [entry.tx for entry in (await partition.peek("a"))["a"]]
    assert numbers[0] == 2**31 - 1 and all(0 < number < 2**31 for number in numbers)
    assert len(set(numbers)) == 3


async def test_close_ends_the_home_and_is_told_to_the_session(partition: Partition) -> None:
    await partition.journal.close_charger(replace(partition.head, reason="going"))
    assert await partition.journal.homes(partition.number) == {}
    closed = (await partition.peek("session"))["session"][-1]
    assert (closed.kind, closed.head.reason, closed.head.epoch) == ("close", "going", partition.head.epoch)


async def test_a_late_close_changes_nothing(partition: Partition) -> None:
    old = partition.head
    newer = await partition.charger()
    before = await partition.ids()
    await partition.journal.close_charger(old)
    assert await partition.ids() == before
    assert await partition.journal.homes(partition.number) == {"CP-1": ("edge-1", newer.epoch, "ocpp1.6")}


async def test_appends_of_one_tick_keep_their_order(partition: Partition) -> None:
    journal = partition.journal
    futures = [journal.append("call", replace(partition.head, seq=n), b"%d" % n) for n in range(500)]
    ids = [(await future).id for future in futures]
    batch = await partition.peek("a", count=1000)
    assert [(entry.id, entry.head.seq, entry.frame) for entry in batch["a"]] == [
        (id, n, b"%d" % n) for n, id in enumerate(ids)
    ]


async def test_scripts_that_the_server_forgot_are_loaded_again(partition: Partition) -> None:
    await partition.server.ask("SCRIPT", "FLUSH")
    futures = [partition.journal.append("call", partition.head, b"%d" % n) for n in range(3)]
    assert [(await future).outcome for future in futures] == ["new"] * 3
    assert [entry.frame for entry in (await partition.peek("a"))["a"]] == [b"0", b"1", b"2"]


async def evaluated(partition: Partition) -> int:
    """How many scripts the server has run."""
    stats = (await partition.server.ask("INFO", "commandstats")).decode()
    line = next(line for line in stats.splitlines() if line.startswith("cmdstat_evalsha:"))
    return int(line.partition("calls=")[2].partition(",")[0])


async def test_what_a_partition_is_told_in_one_turn_is_one_command_and_keeps_its_order(partition: Partition) -> None:
    journal, head = partition.journal, partition.head
    told: list[tuple[int, Entry]] = []
    journal.on_append = lambda _, run, entry: told.append((run, entry))
    run = (await partition.peek("a")).run
    before = await evaluated(partition)
    many = [journal.append("call", replace(head, seq=seq, dedup=f"c{seq}"), b"[%d]" % seq, ttl=60) for seq in range(10)]
    old = journal.append("call", replace(head, epoch=head.epoch - 1), FRAME)
    answer = journal.append("answer", replace(head, seq=10), b"[10]")
    done = [await each for each in [*many, old, answer]]
    assert await evaluated(partition) == before + 1
    assert [each.outcome for each in done] == ["new"] * 10 + ["stale", "new"]
    batch = await partition.peek("session", "a")
    entries = [*batch["a"], batch["session"][-1]]
    assert [(entry.id, entry.frame) for entry in entries] == [
        (each.id, b"[%d]" % seq) for seq, each in enumerate(each for each in done if each.id)
    ]
    assert told == list(enumerate(entries, run + 1))
    assert batch.run == run + 11


async def test_more_than_one_command_may_hold_leave_as_several(partition: Partition) -> None:
    before = await evaluated(partition)
    done = [partition.journal.append("call", partition.head, b"[%d]" % number) for number in range(MOST + 1)]
    ids = [(await each).id for each in done]
    assert await evaluated(partition) == before + 2
    assert (await partition.ids())[-len(ids) :] == ids


async def test_a_retry_in_the_same_turn_is_a_retry(partition: Partition) -> None:
    journal, head = partition.journal, replace(partition.head, dedup="content")
    first = journal.append("call", head, FRAME, ttl=60, mint_tx=True)
    other = journal.append("call", replace(head, dedup="other"), FRAME, ttl=60, mint_tx=True)
    again = journal.append("call", replace(head, seq=2), FRAME, ttl=60, mint_tx=True)
    assert [(await each).outcome for each in (first, other, again)] == ["new", "new", "repeat"]
    batch = await partition.peek("session", "a")
    one, two = batch["a"]
    assert two.tx == one.tx + 1
    assert (batch["session"][-1].head.of, batch["session"][-1].tx) == (one.id, one.tx)


async def test_retries_of_one_turn_are_each_answered_for_themselves(partition: Partition) -> None:
    journal, number = partition.journal, partition.number
    heads = [replace(partition.head, dedup=name) for name in ("answered", "open", "new")]
    known = [await journal.append("call", head, FRAME, ttl=60) for head in heads[:2]]
    await journal.commit(number, partition.token, Commit(answers=[("CP-1", "answered", b"{}")]))
    run = (await partition.peek("a")).run
    done = [await each for each in [journal.append("call", head, FRAME, ttl=60) for head in heads]]
    assert [(each.outcome, each.body) for each in done] == [("answered", b"{}"), ("repeat", b""), ("new", b"")]
    batch = await partition.peek("session", "a")
    assert batch["session"][-1].head.of == known[1].id
    assert batch.run == run + 2


async def test_what_comes_after_a_close_in_the_same_turn_lies_behind_it(partition: Partition) -> None:
    journal, head = partition.journal, partition.head
    first = journal.append("call", head, FRAME)
    closing = journal.close_charger(head)
    second = journal.append("call", head, FRAME)
    await closing
    ids = [(await first).id, (await second).id]
    found = (await partition.ids())[-3:]
    assert [found[0], found[2]] == ids


async def test_nothing_of_a_turn_is_left_without_an_end_when_the_connection_breaks(partition: Partition) -> None:
    done = [partition.journal.append("call", partition.head, FRAME) for _ in range(3)]
    partition.server.kill()
    lost = [partition.journal.append("call", partition.head, FRAME) for _ in range(3)]
    ended = await asyncio.wait_for(asyncio.gather(*done, *lost, return_exceptions=True), 5)
    assert isinstance(ended[-1], StoreDown)
    await until(lambda: not partition.journal.healthy)
    late = [partition.journal.append("call", partition.head, FRAME) for _ in range(3)]
    assert all(isinstance(each.exception(), StoreDown) for each in late)
