from gateway.journal import Journal, keys

from .conftest import Server


async def test_one_hub_owns_a_partition(journal: Journal) -> None:
    token = await journal.acquire(1, "hub-1")
    assert token is not None
    assert await journal.acquire(1, "hub-2") is None
    assert await journal.acquire(2, "hub-2") is not None
    assert await journal.renew(1, token)


async def test_tokens_grow(journal: Journal, server: Server) -> None:
    first = await journal.acquire(1, "hub-1")
    again = await journal.acquire(1, "hub-1")
    await server.ask("DEL", "{p01}:lease")
    other = await journal.acquire(1, "hub-2")
    assert first is not None and again is not None and other is not None
    assert first < again < other


async def test_a_released_partition_is_free_at_once(journal: Journal) -> None:
    token = await journal.acquire(1, "hub-1")
    assert token is not None
    await journal.release(1, token)
    assert not await journal.renew(1, token)
    assert await journal.acquire(1, "hub-2") is not None


async def test_leases_expire_unless_renewed(journal: Journal, server: Server) -> None:
    token = await journal.acquire(1, "hub-1")
    assert token is not None
    await server.ask("PEXPIRE", "{p01}:lease", 5000)
    assert await journal.renew(1, token)
    assert 14_000 < await server.ask("PTTL", "{p01}:lease") <= 15_000
    await server.ask("DEL", "{p01}:lease")
    assert not await journal.renew(1, token), "a lost lease is not revived"


async def test_edges_and_hubs_live_as_long_as_their_lease(journal: Journal, server: Server) -> None:
    await journal.edge_alive("e1")
    await journal.edge_alive("e2")
    await journal.hub_alive("h1")
    assert await journal.edges() == {"e1", "e2"}
    assert await journal.hubs() == {"h1"}
    assert 14 <= await server.ask("TTL", "edge:{e1}") <= 15
    await server.ask(
        "DEL",
        "edge:{e1}",
    )
    assert await journal.edges() == {"e2"}
    assert await server.ask("SMEMBERS", "edges") == [b"e2"]
    await server.ask("EXPIRE", "edge:{e2}", 5)
    await journal.edge_alive("e2")
    assert await server.ask("TTL", "edge:{e2}") >= 14


async def test_upstream_health_expires(journal: Journal, server: Server) -> None:
    await journal.publish_upstream("main", "down")
    assert await journal.upstream_health(["main", "other"]) == {"main": "down", "other": ""}
    assert 14 <= await server.ask("TTL", "upstream:main") <= 15


async def test_a_partition_that_was_not_given_up_is_deserted(journal: Journal, server: Server) -> None:
    """Its owner may have died: what the next one reads first may have been told."""
    first = await journal.acquire(3, "hub-1")
    assert first is not None
    assert 3 not in journal.deserted, "nobody had it"
    await server.ask("DEL", keys.lease(3))  # it has expired
    second = await journal.acquire(3, "hub-2")
    assert second is not None
    assert 3 in journal.deserted
    await journal.release(3, second)
    third = await journal.acquire(3, "hub-1")
    assert third is not None
    assert third > second > first
    assert 3 not in journal.deserted
    assert await server.ask("TTL", keys.token(3)) == -1
