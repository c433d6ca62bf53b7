"""The primary is the one that the Sentinels name, whichever it is."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.config import RedisConfig
from gateway.journal import Journal, StoreDown
from gateway.journal.address import parse
from gateway.journal.sentinel import primary

from .conftest import HEAD, now_ms, until
from .servers import DEADLINE, Redis, Sentinel, debian, opened, running

pytestmark = pytest.mark.full


@pytest.fixture
def binary() -> str:
    """Debian's is enough: what differs is the Sentinels' business."""
    return debian()


class Watched:
    """A primary, its replica, three Sentinels."""

    def __init__(self, servers: list[Redis], sentinels: list[Sentinel]) -> None:
        self.primary, self.replica = servers
        self.sentinels = sentinels

    @property
    def url(self) -> str:
        return "redis+sentinel://" + ",".join(f"127.0.0.1:{each.port}" for each in self.sentinels) + "/main"


@pytest.fixture
async def watched(binary: str, tmp_path: Path) -> AsyncIterator[Watched]:
    servers = [Redis(binary, tmp_path / "1"), Redis(binary, tmp_path / "2")]
    sentinels = [Sentinel(binary, tmp_path / f"s{n}", servers[0].port, quorum=2) for n in range(3)]
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(running(*servers))
        await servers[1].follow(servers[0].port)
        await stack.enter_async_context(running(*sentinels))
        async with asyncio.timeout(DEADLINE):
            for sentinel in sentinels:
                while not await _knows_all(sentinel):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        yield Watched(servers, sentinels)


async def _knows_all(sentinel: Sentinel) -> bool:
    reply = await sentinel.ask("SENTINEL", "MASTER", "main")
    told = dict(zip(reply[::2], reply[1::2], strict=True))
    return bool(told[b"num-slaves"] == b"1" and told[b"num-other-sentinels"] == b"2")


@pytest.mark.parametrize("end", ["kill", "stall"])
async def test_the_primary_goes_under_load(watched: Watched, end: str) -> None:
    """Killed, or silent for so long that it is replaced and comes back: nothing acknowledged is lost, nothing is doubled."""
    said: list[tuple[bytes, str]] = []
    async with opened(RedisConfig(url=watched.url)) as journal:
        assert journal.durability.level == 3
        number = journal.partition("CP-1")
        epoch, _ = await journal.connect(HEAD)
        head = replace(HEAD, epoch=epoch)
        stop = asyncio.Event()

        async def talk() -> None:
            while not stop.is_set():
                frame = b"%d" % len(said)
                while True:
                    try:
                        appended = await journal.append("call", replace(head, dedup=frame.decode()), frame, ttl=60)
                        break
                    except StoreDown:
                        await asyncio.sleep(0.02)
                said.append((frame, appended.outcome))

        talking = asyncio.create_task(talk())
        await until(lambda: len(said) > 300)
        if end == "kill":
            watched.primary.kill()
        else:
            watched.primary.signal(signal.SIGSTOP)
        await until(lambda: not journal.healthy)
        acknowledged = len(said)
        await until(lambda: journal.healthy)
        await until(lambda: len(said) > acknowledged + 300)
        if end == "stall":
            watched.primary.signal(signal.SIGCONT)
            await asyncio.sleep(2)
        stop.set()
        await talking
        entries = [fields for _, fields in await watched.replica.entries(number) if fields[b"k"] == b"call"]
        assert [fields[b"f"] for fields in entries] == [frame for frame, _ in said]
        assert sum(outcome != "new" for _, outcome in said) <= 1
        assert (await watched.replica.info())["role"] == "master"


async def test_a_primary_that_was_replaced_but_answers_is_left(watched: Watched) -> None:
    async with opened(RedisConfig(url=watched.url)) as journal:
        await watched.sentinels[0].ask("SENTINEL", "FAILOVER", "main")
        seen: list[bool] = []
        journal.on_health = seen.append
        await until(lambda: seen == [False, True])
        epoch, _ = await journal.connect(HEAD)
        [[_, fields]] = await watched.replica.entries(journal.partition("CP-1"))
        assert fields[b"e"] == b"%d" % epoch


async def test_one_sentinel_is_enough(watched: Watched) -> None:
    watched.sentinels[0].kill()
    watched.sentinels[1].signal(signal.SIGSTOP)
    assert await primary(parse(watched.url)) == ("127.0.0.1", watched.primary.port)
    watched.sentinels[2].kill()
    watched.sentinels[1].kill()
    with pytest.raises(StoreDown, match="no Sentinel tells the primary"):
        await Journal(RedisConfig(url=watched.url), now_ms=now_ms).start()


async def test_an_unknown_service(watched: Watched) -> None:
    url = watched.url.removesuffix("main") + "other"
    with pytest.raises(StoreDown, match="does not know other"):
        await Journal(RedisConfig(url=url), now_ms=now_ms).start()
