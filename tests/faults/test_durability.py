"""What was acknowledged is stored, and survives the death of whatever dies."""

from __future__ import annotations

import asyncio
import re
import signal
import time
from pathlib import Path

import pytest

from gateway.journal import keys
from tests.e2e.raw import handshake, ready

from .backend import slow
from .fleet import Fleet
from .history import Said
from .nodes import Store, needs_redis

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

EARLY = {"MeterValues": "early", "StatusNotification": "early"}


async def kept(store: Store, charger: str, partitions: int) -> bytes:
    """Everything in the stream of the charger's partition."""
    stream = keys.stream(keys.partition(charger, partitions))
    return b"\n".join(field for _, fields in await store.ask("XRANGE", stream, "-", "+") for field in fields)


async def test_i01_no_answer_before_the_append_is_confirmed(fleet: Fleet) -> None:
    """With the eagerest policy there is: answered as soon as it is stored. It is in the store when the answer comes."""
    await fleet.backend("main", "ocpp1.6")
    fleet.route = {"primary_down": "buffer", "answers": EARLY}
    await fleet.single()
    charger = await fleet.booted("CP1")
    await charger.start()
    for _ in range(20):
        at = charger.clock()
        said = Said("CP1", "meter", at, charger.register, charger.begun)
        answer = asyncio.create_task(charger.call(said, "MeterValues", charger.meter_payload(at)))
        assert await answer == [3, charger.last_id, {}]
        assert at.encode() in await kept(fleet.store, "CP1", fleet.partitions)
    with fleet.fault("pause the store", "store"):
        fleet.store.signal(signal.SIGSTOP)
        try:
            at = charger.clock()
            said = Said("CP1", "meter", at, charger.register, charger.begun)
            answer = asyncio.create_task(charger.call(said, "MeterValues", charger.meter_payload(at)))
            await asyncio.sleep(2)
            assert not answer.done(), "nothing is promised that is not stored"
        finally:
            fleet.store.signal(signal.SIGCONT)
    assert await answer == [3, charger.last_id, {}]
    await charger.stop()
    await fleet.right()


async def test_i02_acknowledged_messages_survive_kill_9_at_any_instant(fleet: Fleet) -> None:
    """At each fail-point once, under chargers that go on."""
    await fleet.backend("main", "ocpp2.0.1")
    await fleet.backend("copy", "ocpp1.6", mood=slow)
    node = await fleet.single()
    points = ["after_append", "before_commit", "after_commit", "before_send_upstream", "after_upstream_answer"]
    async with fleet.load(12) as chargers:
        with fleet.fault("kill again and again", "hub"):
            await node.kill()
            for number, point in enumerate(points):
                await fleet.expire()
                await node.run(failpoint=f"{point}:kill:{40 + 7 * number}", until_ready=False)
                await node.died()
            await fleet.expire()
            await node.run(until_ready=False)
        told = sum(each.told for each in chargers)
        async with asyncio.timeout(30):
            while sum(each.told for each in chargers) < told + 60:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    assert node.deaths == len(points)
    await fleet.right()


async def test_i03_acknowledged_messages_survive_kill_9_of_the_store(fleet: Fleet) -> None:
    """Several times under load, once with the last bytes of its file torn off: what was acknowledged there, the
    gateway still has, and gives it back."""
    await fleet.backend("main", "ocpp2.0.1")
    copy = await fleet.backend("copy", "ocpp1.6")
    await fleet.single()
    async with fleet.load(12) as chargers:
        for torn in (0, 7, 5_000, 0):
            with fleet.fault("kill the store", "store"):
                await copy.stop()  # what it has not heard yet is in the store alone
                await asyncio.sleep(1)
                await fleet.store.kill()
                if torn:
                    tear(fleet.store.directory, torn)
                await fleet.store.start()
                await copy.start()
            told = sum(each.told for each in chargers)
            async with asyncio.timeout(30):
                while sum(each.told for each in chargers) < told + 60:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
    await fleet.right()


def tear(directory: Path, size: int) -> None:
    """Cuts the end of the append-only file off, as a crash in the middle of a write does."""
    files = [each for each in directory.rglob("*.aof") if each.stat().st_size > size]
    newest = max(files, key=lambda each: each.stat().st_mtime)
    with newest.open("r+b") as file:
        file.truncate(newest.stat().st_size - size)


@needs_redis
async def test_i04_acknowledged_messages_survive_the_promotion_of_a_lagging_replica(fleet: Fleet) -> None:
    """The replica hears nothing for 2.5 s, then the primary dies and the replica takes over as it is."""
    await fleet.backend("main", "ocpp1.6")
    copy = await fleet.backend("copy", "ocpp1.6")
    node = await fleet.single()
    replica = Store(fleet.directory / "replica")
    try:
        between = await fleet.proxy(fleet.store.port)
        await replica.start(replicaof=f"127.0.0.1 {between.port}")
        async with asyncio.timeout(20):
            while b"master_link_status:up" not in await replica.ask("INFO", "replication"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        async with fleet.load(12) as chargers:
            await copy.stop()  # what it has not heard yet is in the store alone
            told = sum(each.told for each in chargers)
            between.set("blackhole")
            await asyncio.sleep(2.5)
            acknowledged = sum(each.told for each in chargers) - told
            with fleet.fault("kill the store", "store"):
                await fleet.store.kill()
                await replica.ask("REPLICAOF", "NO", "ONE")
                lost, fleet.store = fleet.store, replica
                node.to_store.target = ("127.0.0.1", replica.port)
                node.to_store.drop_all()
                await copy.start()
            await asyncio.sleep(2)
        assert acknowledged > 100, "the replica did not have these"
        await fleet.right()
        assert lost.process is not None and lost.process.returncode is not None
    finally:
        if replica is not fleet.store:
            await replica.stop()


async def test_i05_trouble_with_the_store_is_no_callerror_and_refuses_handshakes(fleet: Fleet) -> None:
    """Chargers like libocpp throw a billing message away after three CALLERRORs or silences: none does."""
    await fleet.backend("main", "ocpp1.6")
    node = await fleet.single()
    async with fleet.load(20) as chargers:
        with fleet.fault("pause the store", "store"):
            fleet.store.signal(signal.SIGSTOP)
            try:
                await ready(node, 503, "store")
                for _ in range(10):
                    assert await handshake(node.url, "NEWCOMER") == 503
                    await asyncio.sleep(1.0)
                away = [each for each in chargers if not each.connected]
                assert len(away) > len(chargers) / 2, "after 8 s they are sent away, but those that wait for a CSMS"
            finally:
                fleet.store.signal(signal.SIGCONT)
        back = time.monotonic()
        told = {each.identity: each.told for each in chargers}
        async with asyncio.timeout(30):
            while any(each.told == told[each.identity] for each in chargers):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert time.monotonic() - back < 30
    assert {each.code for each in fleet.history.closed if each.code != 1000} == {1013}
    assert not [each for each in fleet.history.answered if each.error]
    assert any(503 in each.refusals for each in chargers)
    await fleet.right()


async def test_i18_nothing_that_a_group_has_not_acknowledged_is_trimmed(fleet: Fleet) -> None:
    """The mirror is away during several rounds of trimming, and gets everything when it is back."""
    await fleet.backend("main", "ocpp1.6")
    copy = await fleet.backend("copy", "ocpp1.6")
    await fleet.single()
    async with fleet.load(10):
        with fleet.fault("stop copy", "upstream:copy"):
            await copy.stop()
            await asyncio.sleep(12)  # it is trimmed every 10 s
            waiting = (await fleet.backlog())["copy"]
            assert waiting > 200
            for number in range(fleet.partitions):
                groups = await fleet.store.ask("XINFO", "GROUPS", keys.stream(number))
                for fields in groups:
                    info = dict(zip(fields[::2], fields[1::2], strict=True))
                    if info[b"name"] == b"copy" and info[b"pending"]:
                        oldest = (await fleet.store.ask("XPENDING", keys.stream(number), "copy"))[1]
                        first = await fleet.store.ask("XRANGE", keys.stream(number), oldest, oldest)
                        assert first, "the oldest pending entry is there"
            await copy.start()
    await fleet.right()


def test_i18_no_stream_is_trimmed_by_length() -> None:
    sources = Path(__file__).parents[2] / "gateway"
    for path in sources.rglob("*"):
        if path.suffix in (".lua", ".py"):
            code = re.sub(r"(--|#).*", "", path.read_text())
            assert not re.search(r"MAXLEN", code), path


async def test_i27_one_append_is_one_entry_whatever_the_store_does(fleet: Fleet) -> None:
    """The client library would repeat the command by itself after a stall of 2.2 s; ours has no such habit."""
    await fleet.backend("main", "ocpp1.6")
    await fleet.store.start()
    await fleet.node("edge")  # no hub: entries stay as they are
    charger = fleet.charger("CP1", patience=10)
    await charger.connect()
    at = charger.clock()
    fleet.store.signal(signal.SIGSTOP)
    try:
        said = Said("CP1", "meter", at, 1000)
        telling = asyncio.create_task(charger.call(said, "MeterValues", charger.meter_payload(at)))
        await asyncio.sleep(2.2)
    finally:
        fleet.store.signal(signal.SIGCONT)
    await asyncio.sleep(2)
    telling.cancel()
    stream = keys.stream(keys.partition("CP1", fleet.partitions))
    entries = [fields for _, fields in await fleet.store.ask("XRANGE", stream, "-", "+")]
    kinds = [fields[1] for fields in entries if any(at.encode() in field for field in fields)]
    assert kinds in ([b"call"], [b"call", b"repeat"]), "a second attempt finds the first by its content"


BAD = [
    ({"appendonly": "no"}, "append-only"),
    ({"maxmemory": "100mb", "maxmemory_policy": "allkeys-lru"}, "evicts"),
    ({"maxmemory": "100mb", "maxmemory_policy": "volatile-ttl"}, "evicts"),
    ({"maxmemory": "100mb", "maxmemory_policy": "allkeys-random"}, "evicts"),
]


@pytest.mark.parametrize(("options", "word"), BAD, ids=["no-aof", "lru", "ttl", "random"])
async def test_i28_an_unsafe_store_is_refused(fleet: Fleet, options: dict[str, str], word: str) -> None:
    await fleet.backend("main", "ocpp1.6")
    await fleet.store.start(**options)
    node = await fleet.prepare("both")
    await node.run(until_ready=False)
    await ready(node, 503, word)
    assert await handshake(node.url, "CP1") == 503
    await fleet.store.ask("CONFIG", "SET", "appendonly", "yes")
    await fleet.store.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
    await ready(node, 200)


@needs_redis
async def test_i28_a_store_that_syncs_too_seldom_is_refused(fleet: Fleet) -> None:
    await fleet.backend("main", "ocpp1.6")
    await fleet.store.start(appendfsync="everysec")
    node = await fleet.prepare("both")
    node.config["redis"]["fsync"] = "always"
    await node.run(until_ready=False)
    await ready(node, 503, "fsync")
    assert await handshake(node.url, "CP1") == 503
