"""A Redis Cluster of three primaries as the store."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.config import RedisConfig
from gateway.journal import Commit, Journal, StoreDown, UnsafeStore, keys
from gateway.journal.entry import Head, ToCharger
from tests.e2e.process import free_port

from .conftest import HEAD, now_ms, owned, take, until
from .servers import DEADLINE, Redis, debian, opened, running

pytestmark = pytest.mark.full

PARTITIONS = 8


class Cluster:
    def __init__(self, nodes: list[Redis]) -> None:
        self.nodes = nodes

    def config(self, replicas: int = 0) -> RedisConfig:
        url = "redis://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes[:2])
        return RedisConfig(url=url, cluster=True, partitions=PARTITIONS, replicas=replicas, replica_timeout=5)

    async def create(self, replicas: int) -> None:
        cli = shutil.which("redis-cli")
        assert cli, "the marker `full` needs redis-cli on PATH"
        places = [f"127.0.0.1:{node.port}" for node in self.nodes]
        command = [cli, "--cluster", "create", *places, "--cluster-replicas", str(replicas), "--cluster-yes"]
        await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)
        await self.settled()

    async def settled(self) -> None:
        async with asyncio.timeout(DEADLINE):
            for node in self.nodes:
                while not await self._sees_all(node):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)

    async def _sees_all(self, node: Redis) -> bool:
        info = await node.ask("CLUSTER", "INFO")
        told = await node.ask("CLUSTER", "NODES")
        return (
            b"cluster_state:ok" in info
            and told.count(b" connected") == len(self.nodes)
            and told.count(b"slave") == len(self.nodes) - 3
            and (await node.info()).get("master_link_status", "up") == "up"
        )

    async def owner(self, slot: int) -> Redis:
        for first, last, primary, *_ in await self.alive.ask("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(node for node in self.nodes if node.port == primary[1])
        raise AssertionError(slot)

    @property
    def alive(self) -> Redis:
        return next(node for node in self.nodes if node.process is not None and node.process.poll() is None)

    async def entries(self, partition: int) -> list[bytes]:
        """The frames of the calls in a partition."""
        node = await self.owner(keys.slot(keys.tag(partition)))
        return [fields[b"f"] for _, fields in await node.entries(partition) if fields[b"k"] == b"call"]


@pytest.fixture(params=[0])
async def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Cluster]:
    options = {"cluster-enabled": "yes", "cluster-config-file": "nodes.conf", "cluster-node-timeout": 1000}
    number = 3 * (1 + request.param)
    nodes = [Redis(debian(), tmp_path / str(n), **options) for n in range(number)]  # type: ignore[arg-type]
    for node in nodes:
        node.options["cluster-port"] = free_port()
    async with running(*nodes):
        made = Cluster(nodes)
        await made.create(request.param)
        yield made


def one_charger_each(journal: Journal) -> list[str]:
    """A charger for every partition."""
    names: dict[int, str] = {}
    number = 0
    while len(names) < PARTITIONS:
        names.setdefault(journal.partition(f"CP-{number}"), f"CP-{number}")
        number += 1
    return [names[partition] for partition in range(PARTITIONS)]


async def connect_all(journal: Journal) -> list[Head]:
    heads = []
    for charger in one_charger_each(journal):
        epoch, _ = await journal.connect(replace(HEAD, charger=charger))
        heads.append(replace(HEAD, charger=charger, epoch=epoch))
    return heads


async def test_everything_a_gateway_does(cluster: Cluster) -> None:
    async with opened(cluster.config()) as journal:
        await journal.edge_alive("edge-1")
        await journal.hub_alive("hub-1")
        assert (await journal.edges(), await journal.hubs()) == ({"edge-1"}, {"hub-1"})
        await journal.publish_upstream("a", "up")
        assert await journal.upstream_health(["a", "b"]) == {"a": "up", "b": ""}
        for head in await connect_all(journal):
            number = journal.partition(head.charger)
            token = await owned(journal, number, "a", hub="hub-1")
            assert await journal.groups(number)
            appended = await journal.append("call", replace(head, dedup="d"), b"[]", ttl=60, mint_tx=True)
            batch = await take(journal, number, token, "session", "a")
            assert [entry.id for entry in batch["a"]] == [appended.id]
            commit = Commit({(head.charger, "shared"): b"x"}, [(head.charger, "d", b"{}")], {"a": [appended.id]})
            await journal.commit(number, token, commit)
            assert await journal.load_facts(number, head.charger) == {"shared": b"x"}
            assert list(await journal.homes(number)) == [head.charger]
            assert await journal.trim(number, token, ["session", "a"]) == 2
            assert (await journal.lag(number, ["a"]))["a"].pending == 0
            assert await journal.renew(number, token)
            await journal.close_charger(head)
        await journal.deliver("edge-1", [ToCharger("CP-1", 1, "answer", b"{}")])
        [[id, item]] = await journal.read_inbox("edge-1", "0", 1000)
        assert item.body == b"{}" and await journal.read_inbox("edge-1", id, 10) == []
        assert (await cluster.nodes[0].info())["cluster_enabled"] == "1"


async def test_news_of_any_partition_wakes(cluster: Cluster) -> None:
    async with opened(cluster.config()) as journal:
        heads = await connect_all(journal)
        positions = {}
        for head in heads:
            appended = await journal.append("call", head, b"[]")
            positions[journal.partition(head.charger)] = appended.id
        assert await journal.wait(positions, 100) == []
        for _ in range(2):
            for partition in (7, 0, 3):
                waiting = asyncio.create_task(journal.wait(positions, 20_000))
                await asyncio.sleep(0.05)
                positions[partition] = (await journal.append("call", heads[partition], b"[]")).id
                assert await asyncio.wait_for(waiting, 5) == [partition]
        assert await journal.wait({}, 1) == []


async def talk_through(journal: Journal, cluster: Cluster, event: Callable[[], object], enough: int = 300) -> None:
    """Appends in all partitions while something happens to the cluster: each frame is there, once, in order."""
    heads = await connect_all(journal)
    said: list[list[bytes]] = [[] for _ in heads]
    stop = asyncio.Event()

    async def talk(number: int) -> None:
        while not stop.is_set():
            frame = b"%d" % len(said[number])
            while True:
                try:
                    await journal.append("call", replace(heads[number], dedup=frame.decode()), frame, ttl=60)
                    break
                except StoreDown:
                    await asyncio.sleep(0.05)
            said[number].append(frame)
            await asyncio.sleep(0.002)

    def more() -> Callable[[], bool]:
        before = [len(frames) for frames in said]
        return lambda: all(len(now) > then + enough for now, then in zip(said, before, strict=True))

    talking = [asyncio.create_task(talk(number)) for number in range(PARTITIONS)]
    await until(more())
    happened = event()
    if asyncio.iscoroutine(happened):
        await happened
    await until(more())
    stop.set()
    await asyncio.gather(*talking)
    for number, frames in enumerate(said):
        assert await cluster.entries(number) == frames


async def test_a_slot_moves_to_another_node_under_load(cluster: Cluster) -> None:
    slot = keys.slot(keys.tag(2))
    source = await cluster.owner(slot)
    target = next(node for node in cluster.nodes if node is not source)
    async with opened(cluster.config()) as journal:

        async def move() -> None:
            from_id, to_id = (await source.ask("CLUSTER", "MYID"), await target.ask("CLUSTER", "MYID"))
            await target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", from_id)
            await source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", to_id)
            while names := await source.ask("CLUSTER", "GETKEYSINSLOT", slot, 50):
                await source.ask("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *names)
                await asyncio.sleep(0.05)
            for node in (target, source, *cluster.nodes):
                await node.ask("CLUSTER", "SETSLOT", slot, "NODE", to_id)

        await talk_through(journal, cluster, move)
        assert await cluster.owner(slot) is target


@pytest.mark.parametrize("cluster", [1], indirect=True)
async def test_a_node_dies_under_load(cluster: Cluster) -> None:
    """Its replica takes over; what that one lacks is appended again."""
    async with opened(cluster.config()) as journal:
        assert journal.durability.level == 3
        dying = await cluster.owner(keys.slot(keys.tag(2)))
        await talk_through(journal, cluster, dying.kill)
        assert dying.process is not None and dying.process.poll() is not None


@pytest.mark.parametrize("cluster", [1], indirect=True)
async def test_replicas_of_every_node_confirm(cluster: Cluster) -> None:
    async with opened(cluster.config(replicas=1)) as journal:
        dying = await cluster.owner(keys.slot(keys.tag(2)))
        head = (await connect_all(journal))[2]
        for number in range(100):
            await journal.append("call", head, b"%d" % number)
        dying.kill()
        frames = [b"%d" % number for number in range(100)]
        await until(lambda: not journal.healthy)
        async with asyncio.timeout(DEADLINE):
            while await cluster.owner(keys.slot(keys.tag(2))) is dying:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        assert await cluster.entries(2) == frames


async def test_the_mode_must_be_the_one_of_the_configuration(cluster: Cluster, tmp_path: Path) -> None:
    with pytest.raises(UnsafeStore, match=r"redis\.cluster: true"):
        await Journal(RedisConfig(url=cluster.nodes[0].url), now_ms=now_ms).start()
    single = Redis(debian(), tmp_path / "single")
    async with running(single):
        with pytest.raises((UnsafeStore, StoreDown), match=r"no node of a Cluster|cluster support disabled"):
            await Journal(RedisConfig(url=single.url, cluster=True), now_ms=now_ms).start()
    with pytest.raises(UnsafeStore, match="needs a redis://"):
        Journal(RedisConfig(cluster=True), now_ms=now_ms)
