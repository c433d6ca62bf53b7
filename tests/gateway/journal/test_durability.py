"""What survives what: the level that is shown, and that it holds (reliability 5.4, I-03, I-28)."""

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from gateway.config import RedisConfig
from gateway.journal import Journal, StoreDown, UnsafeStore
from gateway.journal.durability import Server, durability

from .conftest import HEAD, now_ms, until
from .servers import Redis, opened, running


@pytest.mark.parametrize(
    ("server", "config", "follows", "level"),
    [
        (Server(persists=False, replicas=3), RedisConfig(replicas=1), True, 0),
        (Server(fsync="everysec"), RedisConfig(), False, 1),
        (Server(fsync="no"), RedisConfig(), False, 1),
        (Server(fsync=""), RedisConfig(fsync="always"), False, 1),
        (Server(fsync="always"), RedisConfig(), False, 2),
        (Server(fsync="always", replicas=1), RedisConfig(), False, 2),
        (Server(fsync="everysec", replicas=1), RedisConfig(replicas=1), False, 3),
        (Server(fsync="everysec", replicas=1), RedisConfig(replicas=2), False, 1),
        (Server(fsync="everysec", replicas=1), RedisConfig(), True, 3),
        (Server(fsync="always", replicas=0), RedisConfig(), True, 2),
    ],
)
def test_the_weakest_reading_counts(server: Server, config: RedisConfig, follows: bool, level: int) -> None:
    assert durability(server, config, follows=follows).level == level


@pytest.mark.parametrize(
    ("appendonly", "appendfsync", "level"), [("no", "everysec", 0), ("yes", "everysec", 1), ("yes", "always", 2)]
)
async def test_the_level_is_found_at_start_and_said(
    appendonly: str, appendfsync: str, level: int, binary: str, tmp_path: Path
) -> None:
    server = Redis(binary, tmp_path / "1", appendonly=appendonly, appendfsync=appendfsync)
    async with running(server):
        if level == 0:
            with pytest.raises(UnsafeStore, match="accept_data_loss"):
                await Journal(RedisConfig(url=server.url), now_ms=now_ms).start()
        with capture_logs() as logs:
            async with opened(RedisConfig(url=server.url, accept_data_loss=level == 0)) as journal:
                assert str(journal.durability) == f"D{level}"
        [said] = [line for line in logs if line["event"] == "store_durability"]
        assert (said["durability"], said["survives"]) == (f"D{level}", journal.durability.survives)


async def test_a_level_that_changes_is_said(binary: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.journal.store.AUDIT", 0.1)
    server = Redis(binary, tmp_path / "1", appendfsync="always")
    async with running(server), opened(RedisConfig(url=server.url)) as journal:
        assert journal.durability.level == 2
        with capture_logs() as logs:
            await server.ask("CONFIG", "SET", "appendfsync", "everysec")
            await until(lambda: journal.durability.level == 1)
        assert journal.healthy and "D1" in [line["durability"] for line in logs if line["event"] == "store_durability"]


async def test_a_store_that_does_not_tell_its_policy_counts_as_the_weaker(binary: str, tmp_path: Path) -> None:
    server = Redis(binary, tmp_path / "1", appendfsync="always")
    async with running(server):
        await server.ask("ACL", "SETUSER", "gw", "on", ">secret", "~*", "&*", "+@all", "-config")
        url = server.url.replace("redis://", "redis://gw:secret@")
        async with opened(RedisConfig(url=url, fsync="always")) as journal:
            assert journal.durability.level == 1


@pytest.mark.parametrize(("kills", "torn"), [(3, False), (1, True), pytest.param(20, True, marks=pytest.mark.full)])
async def test_a_store_killed_under_load(kills: int, torn: bool, binary: str, tmp_path: Path) -> None:
    """I-03: whatever was acknowledged is there, also when the end of the append-only file is torn off."""
    server = Redis(binary, tmp_path / "1")
    said: list[list[bytes]] = [[] for _ in range(10)]
    async with running(server), opened(RedisConfig(url=server.url)) as journal:
        number = journal.partition("CP-1")
        epoch, _ = await journal.connect(HEAD)
        stop = asyncio.Event()

        async def talk(charger: int) -> None:
            while not stop.is_set():
                frame = b"%d:%d" % (charger, len(said[charger]))
                head = replace(HEAD, epoch=epoch, dedup=frame.decode())
                while True:
                    try:
                        await journal.append("call", head, frame, ttl=600)
                        break
                    except StoreDown:
                        await asyncio.sleep(0.02)
                said[charger].append(frame)

        talking = [asyncio.create_task(talk(charger)) for charger in range(10)]
        for _ in range(kills):
            before = [len(frames) for frames in said]
            await until(lambda before=before: all(len(f) > n + 30 for f, n in zip(said, before, strict=True)))  # type: ignore[misc]
            server.kill()
            if torn:
                [file] = (tmp_path / "1" / "appendonlydir").glob("*.incr.aof")
                with open(file, "r+b") as tail:  # noqa: ASYNC230
                    tail.truncate(file.stat().st_size - 7)
            await server.start()
        stop.set()
        await asyncio.gather(*talking)
        frames = [fields[b"f"] for _, fields in await server.entries(number) if fields[b"k"] == b"call"]
        # Redis 7.0 cuts a torn transaction off but for its MULTI and the commands that were whole, and carries them out after
        # the next start: what was appended again meanwhile is there twice then.
        assert len(frames) - len(set(frames)) <= (kills if torn else 0)
        for charger in range(10):
            mine = b"%d:" % charger
            assert [frame for frame in dict.fromkeys(frames) if frame.startswith(mine)] == said[charger]
