import asyncio

from gateway.journal import Journal
from gateway.journal.entry import ToCharger

from .conftest import Server

ITEMS = [ToCharger("CP-1", 3, "answer", b"{}", seq=1), ToCharger("CP-1", 3, "call", b'[2,"x","Reset",{}]', 0, "x")]


async def test_items_arrive_in_order(journal: Journal) -> None:
    await journal.edge_alive("e1")
    await journal.deliver("e1", ITEMS)
    await journal.deliver("e1", [ToCharger("CP-2", 1, "close", b"bye", code=1001)])
    got = await journal.read_inbox("e1", "0", 1000)
    assert [item for _, item in got] == [*ITEMS, ToCharger("CP-2", 1, "close", b"bye", code=1001)]


async def test_reading_on_forgets_what_was_read(journal: Journal, server: Server) -> None:
    await journal.edge_alive("e1")
    await journal.deliver("e1", ITEMS)
    ((first, _), (last, _)) = await journal.read_inbox("e1", "0", 1000)
    assert [id for id, _ in await journal.read_inbox("e1", first, 1000)] == [last]
    assert await journal.read_inbox("e1", last, 10) == []
    assert await server.ask("XLEN", "inbox:{e1}") == 0


async def test_a_reader_is_woken(journal: Journal) -> None:
    await journal.edge_alive("e1")
    reading = asyncio.create_task(journal.read_inbox("e1", "0", 20_000))
    await asyncio.sleep(0.05)
    await journal.deliver("e1", ITEMS[:1])
    assert [item for _, item in await reading] == ITEMS[:1]


async def test_several_edges_wait_at_once(journal: Journal) -> None:
    readings = []
    for edge in ("e1", "e2"):
        await journal.edge_alive(edge)
        readings.append(asyncio.create_task(journal.read_inbox(edge, "0", 20_000)))
    await asyncio.sleep(0.05)
    await journal.deliver("e2", ITEMS[:1])
    assert len(await readings[1]) == 1
    await journal.deliver("e1", ITEMS)
    assert len(await readings[0]) == 2


async def test_a_cancelled_reader_leaves_nothing_behind(journal: Journal) -> None:
    await journal.edge_alive("e1")
    reading = asyncio.create_task(journal.read_inbox("e1", "0", 20_000))
    await asyncio.sleep(0.05)
    reading.cancel()
    await asyncio.wait([reading])
    await journal.deliver("e1", ITEMS)
    assert len(await journal.read_inbox("e1", "0", 1000)) == 2


async def test_items_for_a_dead_edge_are_dropped(journal: Journal, server: Server) -> None:
    await journal.deliver("gone", ITEMS)
    assert await server.ask("EXISTS", "inbox:{gone}") == 0


async def test_the_inbox_of_a_dead_edge_disappears(journal: Journal, server: Server) -> None:
    await journal.edge_alive("e1")
    await journal.deliver("e1", ITEMS)
    assert 50 < await server.ask("TTL", "inbox:{e1}") <= 60
    await server.ask("EXPIRE", "inbox:{e1}", 10)
    await journal.edge_alive("e1")
    assert 50 < await server.ask("TTL", "inbox:{e1}") <= 60
