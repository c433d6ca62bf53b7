from msgspec.structs import replace

from gateway.journal import Commit, Journal

from .conftest import HEAD, Partition, Server, now_ms

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
    batch = await partition.read("session")
    (opened,) = batch["session"]
    assert opened.kind == "open"
    assert opened.head == partition.head


async def test_an_append_is_read_as_it_was(partition: Partition) -> None:
    head = replace(partition.head, seq=7, action="Authorize", message_id="x", cls="K3", deadline=9, trace="t")
    appended = await partition.journal.append("call", head, FRAME)
    (entry,) = (await partition.read("a"))["a"]
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
    batch = await partition.read("session", "a")
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
    repeat = (await partition.read("session"))["session"][-1]
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
    numbers = [entry.tx for entry in (await partition.read("a"))["a"]]
    assert numbers == sorted(set(numbers))
    assert now_ms() // 1000 - 60 < numbers[0] < numbers[-1] < 2**31


async def test_numbers_stay_within_32_bits(partition: Partition) -> None:
    await partition.server.ask("SET", f"{{p{partition.number:02}}}:tx:cp-1", 2**31 - 2)
    for _ in range(3):
        await partition.journal.append("call", partition.head, FRAME, mint_tx=True)
    numbers = [entry.tx for entry in (await partition.read("a"))["a"]]
    assert numbers[0] == 2**31 - 1 and all(0 < number < 2**31 for number in numbers)
    assert len(set(numbers)) == 3


async def test_close_ends_the_home_and_is_told_to_the_session(partition: Partition) -> None:
    await partition.journal.close_charger(replace(partition.head, reason="going"))
    assert await partition.journal.homes(partition.number) == {}
    closed = (await partition.read("session"))["session"][-1]
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
    batch = await partition.read("a", count=1000)
    assert [(entry.id, entry.head.seq, entry.frame) for entry in batch["a"]] == [
        (id, n, b"%d" % n) for n, id in enumerate(ids)
    ]


async def test_scripts_that_the_server_forgot_are_loaded_again(partition: Partition) -> None:
    await partition.server.ask("SCRIPT", "FLUSH")
    futures = [partition.journal.append("call", partition.head, b"%d" % n) for n in range(3)]
    assert [(await future).outcome for future in futures] == ["new"] * 3
    assert [entry.frame for entry in (await partition.read("a"))["a"]] == [b"0", b"1", b"2"]
