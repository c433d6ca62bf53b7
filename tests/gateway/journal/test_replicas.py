"""A primary that dies before its replicas have everything (durability D3)."""

import asyncio
import signal
import time
from pathlib import Path

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from gateway.config import RedisConfig
from gateway.journal import Commit, Fenced, Journal, StoreDown
from gateway.journal.entry import Head
from tests.faults.proxy import FaultProxy

from .conftest import HEAD, owned, peek, take, until
from .servers import Redis, opened, running

NOON = 1_764_000_000_000


class Pair:
    """A primary and a replica whose link can be broken, and a journal that reaches them through another one."""

    def __init__(self, primary: Redis, replica: Redis, between: FaultProxy, front: FaultProxy) -> None:
        self.primary, self.replica, self.between, self.front = primary, replica, between, front

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.front.port}"

    async def fail_over(self) -> None:
        """The primary is gone for good, its replica takes over as it is."""
        self.primary.kill()
        await self.replica.ask("REPLICAOF", "NO", "ONE")
        self.front.target = ("127.0.0.1", self.replica.port)
        self.front.drop_all()


@pytest.fixture
async def pair(binary: str, tmp_path: Path):  # type: ignore[no-untyped-def]
    primary, replica = Redis(binary, tmp_path / "1"), Redis(binary, tmp_path / "2")
    async with running(primary, replica):
        between, front = FaultProxy("127.0.0.1", primary.port), FaultProxy("127.0.0.1", primary.port)
        await between.start()
        await front.start()
        await replica.follow(between.port)
        yield Pair(primary, replica, between, front)
        await between.stop()
        await front.stop()


async def connected(journal: Journal, charger: str) -> Head:
    epoch, _ = await journal.connect(replace(HEAD, charger=charger))
    return replace(HEAD, charger=charger, epoch=epoch)


async def test_a_lagging_replica_that_takes_over_is_given_what_it_lacks(pair: Pair) -> None:
    """I-04: nothing lost, nothing doubled, the order kept; new connections and numbers of transactions included."""
    chargers = [f"CP-{number}" for number in range(8)]
    said: dict[str, list[bytes]] = {charger: [] for charger in chargers}
    ids: dict[bytes, str] = {}
    async with opened(RedisConfig(url=pair.url, partitions=4)) as journal:
        heads = {charger: await connected(journal, charger) for charger in chargers}
        stop = asyncio.Event()

        async def talk(charger: str) -> None:
            number = 0
            while not stop.is_set():
                number += 1
                frame = f"{charger}:{number}".encode()
                dedup = f"d{number}" if number % 2 else ""
                while True:
                    try:
                        appended = await journal.append(
                            "call", replace(heads[charger], dedup=dedup), frame, ttl=60, mint_tx=number == 7
                        )
                        break
                    except StoreDown:
                        await asyncio.sleep(0.02)
                        if not dedup:
                            frame = f"{charger}:{number}:again".encode()  # its outcome is unknown: another message
                        await until(lambda: journal.healthy)
                said[charger].append(frame)
                ids[frame] = appended.id
                await asyncio.sleep(0.002)

        talking = [asyncio.create_task(talk(charger)) for charger in chargers]
        await asyncio.sleep(0.3)
        pair.between.set("blackhole")
        await asyncio.sleep(0.2)
        late = await connected(journal, "LATE")
        assert (await journal.append("call", late, b"late")).outcome == "new"
        await asyncio.sleep(1.3)
        acknowledged = {charger: len(frames) for charger, frames in said.items()}
        await pair.fail_over()
        await until(lambda: all(len(said[charger]) > acknowledged[charger] + 20 for charger in chargers))
        stop.set()
        await asyncio.gather(*talking)
        assert journal.again > 100
        assert (await journal.append("call", late, b"later")).outcome == "new", "its epoch was given back too"
        found: dict[str, list[bytes]] = {charger: [] for charger in chargers}
        kept = 0
        for partition in range(4):
            for id, fields in await pair.replica.entries(partition):
                frame = fields.get(b"f", b"")
                charger = frame.split(b":")[0].decode()
                if fields[b"k"] == b"call" and charger in found:
                    found[charger].append(frame)
                    kept += ids.get(frame) == id
    for charger in chargers:
        sure = set(said[charger])
        assert [frame for frame in found[charger] if frame in sure] == said[charger]
    assert kept >= sum(acknowledged.values()), "what was appended again has the id that it had"


async def test_what_a_hub_decided_is_given_back_too(pair: Pair) -> None:
    async with opened(RedisConfig(url=pair.url)) as journal:
        number = journal.partition("CP-1")
        token = await owned(journal, number, "a")
        head = replace(await connected(journal, "CP-1"), dedup="start")
        start = await journal.append("call", head, b"[]", ttl=60, mint_tx=True)
        await asyncio.sleep(0.2)
        pair.between.set("blackhole")
        [entry] = (await take(journal, number, token, "session", "a"))["a"]
        assert entry.id == start.id and entry.tx > 0
        read = [(await journal.append("call", head, b"%d" % n)).id for n in range(3)]
        assert len((await take(journal, number, token, "a"))["a"]) == 3
        handed = [(await journal.append("call", head, b"%d" % n)).id for n in range(3)]
        answer = b'{"transactionId":7}'
        commit = Commit(facts={("CP-1", "shared"): b"new"}, answers=[("CP-1", "start", answer)], acks={"a": [start.id]})
        await journal.commit(number, token, commit)
        await journal.commit(number, token, Commit(acks={"a": [read[1]]}, passed={"a": (handed[2], [handed[1]])}))
        unread = await journal.append("call", head, b"unread")
        await pair.fail_over()
        await until(lambda: not journal.healthy)
        await until(lambda: journal.healthy)
        assert await journal.load_facts(number, "CP-1") == {"shared": b"new"}
        assert (await journal.append("call", head, b"[]", ttl=60)).body == answer
        again = (await journal.pending(number, token, ["a"], count=9))["a"]
        assert [entry.id for entry in again] == [read[0], read[2], handed[1]]
        new = (await peek(journal, number, token, "a"))["a"]
        assert [entry.id for entry in new] == [unread.id]
        with pytest.raises(StoreDown, match="was away"):
            await journal.wait({number: "0-0"}, 10)


async def test_what_was_pending_at_a_take_over_and_is_not_done_stays_so(pair: Pair) -> None:
    """The new owner has done with the last of it; the replica knows of none."""
    async with opened(RedisConfig(url=pair.url)) as journal:
        number = journal.partition("CP-1")
        first = await owned(journal, number, "a")
        head = await connected(journal, "CP-1")
        await asyncio.sleep(0.2)
        pair.between.set("blackhole")
        ids = [(await journal.append("call", head, b"%d" % n)).id for n in range(3)]
        await take(journal, number, first, "a")
        token = await journal.acquire(number, "hub")
        assert token is not None
        assert [entry.id for entry in (await journal.pending(number, token, ["a"], count=9))["a"]] == ids
        await journal.commit(number, token, Commit(acks={"a": ids[2:]}))
        await pair.fail_over()
        await until(lambda: not journal.healthy)
        await until(lambda: journal.healthy)
        assert [entry.id for entry in (await journal.pending(number, token, ["a"], count=9))["a"]] == ids[:2]
        assert (await peek(journal, number, token, "a"))["a"] == []


async def test_so_is_the_lease_that_it_was_decided_under(pair: Pair) -> None:
    """The replica knows nothing of this hub yet, nor of the groups."""
    async with opened(RedisConfig(url=pair.url)) as journal:
        number = journal.partition("CP-1")
        pair.between.set("blackhole")
        token = await owned(journal, number, "a", "b")
        head = await connected(journal, "CP-1")
        ids = [(await journal.append("call", head, b"%d" % n)).id for n in range(3)]
        assert len((await take(journal, number, token, "session", "a", "b"))["b"]) == 3
        commit = Commit(facts={("CP-1", "shared"): b"new"}, acks={"a": [ids[0]], "b": ids})
        await journal.commit(number, token, commit)
        await pair.fail_over()
        await until(lambda: not journal.healthy)
        await until(lambda: journal.healthy)
        assert await journal.renew(number, token)
        assert await journal.load_facts(number, "CP-1") == {"shared": b"new"}
        again = await journal.pending(number, token, ["a", "b"], count=9)
        assert [entry.id for entry in again["a"]] == ids[1:] and again["b"] == []
        new = await peek(journal, number, token, "session", "a", "b")
        assert (len(new["session"]), new["a"], new["b"]) == (1, [], [])


async def test_a_lease_that_another_hub_was_given_since_stays_its(pair: Pair) -> None:
    async with opened(RedisConfig(url=pair.url)) as journal:
        pair.between.set("blackhole")
        token = await journal.acquire(0, "hub")
        assert token is not None
        pair.front.set("refuse")
        pair.primary.kill()
        await pair.replica.ask("REPLICAOF", "NO", "ONE")
        async with opened(RedisConfig(url=pair.replica.url)) as other:
            theirs = await other.acquire(0, "other")
            assert theirs is not None
            await until(lambda: not journal.healthy)
            pair.front.target = ("127.0.0.1", pair.replica.port)
            pair.front.heal()
            await until(lambda: journal.healthy)
            assert not await journal.renew(0, token)
            assert await other.renew(0, theirs)


@pytest.mark.parametrize("taken_before", [False, True])
async def test_a_token_that_a_failover_has_lost_is_not_given_again(pair: Pair, taken_before: bool) -> None:
    """Not in the same second either, nor by counting on from one that is ahead of all clocks."""

    def ahead() -> int:
        return NOON + 3_600_000

    async with opened(RedisConfig(url=pair.url), now_ms=lambda: NOON) as journal:
        if taken_before:
            async with opened(RedisConfig(url=pair.url), now_ms=ahead) as earlier:
                first = await earlier.acquire(0, "earlier")
                assert first is not None
                await earlier.release(0, first)
            await asyncio.sleep(0.2)
        pair.between.set("blackhole")
        lost = await owned(journal, 0, "a")
        pair.front.set("refuse")
        pair.primary.kill()
        await pair.replica.ask("REPLICAOF", "NO", "ONE")
        async with opened(RedisConfig(url=pair.replica.url), now_ms=lambda: NOON) as other:
            theirs = await other.acquire(0, "other")
            assert theirs is not None and theirs != lost
            await other.ensure_groups(0, ["session", "a"])
            await until(lambda: not journal.healthy)
            pair.front.target = ("127.0.0.1", pair.replica.port)
            pair.front.heal()
            await until(lambda: journal.healthy)
            with pytest.raises(Fenced):
                await journal.commit(0, lost, Commit(facts={("CP-1", "shared"): b"old"}))
            with pytest.raises(Fenced):
                await journal.pending(0, lost, ["a"], count=9)
            await other.commit(0, theirs, Commit(facts={("CP-1", "shared"): b"new"}))


async def test_an_entry_that_its_edge_has_not_brought_back_yet_is_waited_for(pair: Pair) -> None:
    """Edge and hub are two processes, and the hub is sooner."""
    async with opened(RedisConfig(url=pair.url)) as hub, opened(RedisConfig(url=pair.url)) as edge:
        token = await hub.acquire(0, "hub")
        assert token is not None
        charger = next(f"CP-{n}" for n in range(999) if hub.partition(f"CP-{n}") == 0)
        await hub.ensure_groups(0, ["session", "a"])
        head = await connected(edge, charger)
        await take(hub, 0, token, "session", "a")
        await asyncio.sleep(0.3)
        pair.between.set("blackhole")
        ids = [(await edge.append("call", head, b"%d" % n)).id for n in range(3)]
        assert len((await take(hub, 0, token, "session", "a"))["a"]) == 3
        await hub.commit(0, token, Commit(acks={"a": ids[2:]}))
        brings = edge._store.ring.reconcile  # type: ignore[union-attr]
        late = asyncio.Event()

        async def later(*args, **more):  # type: ignore[no-untyped-def]
            await late.wait()
            await brings(*args, **more)

        edge._store.ring.reconcile = later  # type: ignore[union-attr,method-assign]
        await pair.fail_over()
        await until(lambda: not hub.healthy)
        await until(lambda: hub.healthy)
        assert (await hub.pending(0, token, ["a"], count=9))["a"] == []
        late.set()
        await until(lambda: edge.healthy)
        new = (await peek(hub, 0, token, "session", "a"))["a"]
        assert [entry.id for entry in new][:2] == ids[:2]


async def test_a_flushed_store_raises_an_alarm_and_is_filled_again(binary: str, tmp_path: Path) -> None:
    server = Redis(binary, tmp_path / "1")
    with capture_logs() as logs:
        await flush_and_fill(server)
    assert "stream_reset" in [line["event"] for line in logs]


async def flush_and_fill(server: Redis) -> None:
    async with running(server), opened(RedisConfig(url=server.url)) as journal:
        number = journal.partition("CP-1")
        head = await connected(journal, "CP-1")
        before = [(await journal.append("call", head, b"%d" % n)).id for n in range(10)]
        await server.ask("FLUSHALL")
        await until(lambda: journal.again == 11)
        await until(lambda: journal.healthy)
        assert [id for id, fields in await server.entries(number) if fields[b"k"] == b"call"] == before
        assert (await journal.append("call", head, b"more")).outcome == "new"
        assert journal.resets == 1
        token = await owned(journal, number, "a")
        batch = await peek(journal, number, token, "session", "a")
        assert len(batch["a"]) == 11


async def test_a_write_counts_when_the_replica_has_it(pair: Pair) -> None:
    async with opened(RedisConfig(url=pair.url, replicas=1)) as journal:
        assert journal.durability.level == 3
        number = journal.partition("CP-1")
        head = replace(await connected(journal, "CP-1"), dedup="one")
        assert (await journal.append("call", head, b"[1]", ttl=60)).outcome == "new"
        assert len(await pair.replica.entries(number)) == 2
        pair.replica.signal(signal.SIGSTOP)
        started = time.monotonic()
        with pytest.raises(StoreDown, match="NOREPLICAS"):
            await journal.append("call", replace(head, dedup="two"), b"[2]", ttl=60)
        assert time.monotonic() - started < 1.5
        await until(lambda: not journal.healthy)
        await asyncio.sleep(0.6)
        assert not journal.healthy and "replicas" in journal.problem
        pair.replica.signal(signal.SIGCONT)
        await until(lambda: journal.healthy)
        assert (await journal.append("call", replace(head, dedup="two"), b"[2]", ttl=60)).outcome == "repeat"
        assert [fields[b"k"] for _, fields in await pair.replica.entries(number)] == [
            b"open",
            b"call",
            b"call",
            b"repeat",
        ]


async def test_confirmed_appends_survive_any_failover_without_a_ring(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many at once, so that one WAIT serves many; the process that appended is gone as well."""
    acked: set[str] = set()
    async with opened(RedisConfig(url=pair.url, replicas=1)) as journal:
        number = journal.partition("CP-1")
        head = await connected(journal, "CP-1")

        async def append() -> None:
            with pytest.raises(StoreDown):
                while True:
                    acked.add((await journal.append("call", head, b"[]")).id)

        appending = [asyncio.create_task(append()) for _ in range(20)]
        await until(lambda: len(acked) > 1000)
        pair.between.set("blackhole")
        await asyncio.gather(*appending)
    await pair.fail_over()
    assert acked <= {id for id, _ in await pair.replica.entries(number)}
    async with opened(RedisConfig(url=pair.url)) as journal:
        assert journal.durability.level == 1


async def test_replicas_that_are_not_there_are_waited_for(pair: Pair) -> None:
    journal = Journal(RedisConfig(url=pair.url, replicas=2), now_ms=lambda: 1)
    with pytest.raises(StoreDown, match="1 of 2"):
        await journal.start()
