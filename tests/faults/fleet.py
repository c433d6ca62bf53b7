"""Store, edges and hubs as real processes, every link between them through a fault proxy, and the peers around them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from gateway.hub.ownership import owner
from gateway.journal import keys
from gateway.journal.errors import StoreDown
from tests.e2e.wire import PATIENCE

from .backend import Backend, Mood, good, stamp
from .checker import check
from .history import Counters, Fault, History, Load
from .nodes import Node, Store, total
from .proxy import FaultProxy
from .swarm import Charger

PARTITIONS = 24
EAGER: Mapping[str, Any] = {"options": {"tx_attempts": 20, "tx_retry_interval": 0.3}}
"""Settings of an upstream that is told again soon."""


class Fleet:
    """Everything of one run. Nothing is started until it is asked for."""

    def __init__(self, directory: Path, *, seed: int = 0, partitions: int = PARTITIONS) -> None:
        self.directory = directory
        self.seed = seed
        self.partitions = partitions
        self.history = History("main", ())
        self.store = Store(directory / "store")
        self.nodes: list[Node] = []
        self.backends: dict[str, Backend] = {}
        self.to_upstream: dict[str, FaultProxy] = {}
        self.chargers: list[Charger] = []
        self.config: dict[str, Any] = {}
        """Sections that every node gets; `upstreams` and `routes` are made from the backends."""
        self.upstream_settings: dict[str, dict[str, Any]] = {}
        self.route: dict[str, Any] = {"primary_down": "buffer"}
        self.proxies: list[FaultProxy] = []
        self._before: dict[str, tuple[int, int, int]] = {}

    # -- building ----------------------------------------------------------------------------------------------------

    async def proxy(self, port: int) -> FaultProxy:
        proxy = FaultProxy("127.0.0.1", port, seed=self.seed)
        await proxy.start()
        self.proxies.append(proxy)
        return proxy

    async def backend(
        self, name: str, version: str, *, mood: Mood = good, settings: Mapping[str, Any] = EAGER
    ) -> Backend:
        """A CSMS; the first one is the primary, the others are its mirrors."""
        backend = Backend(self.history, name, version, mood=mood, seed=self.seed)
        backend.call_timeout = settings.get("call_timeout", backend.call_timeout)
        await backend.start()
        self.backends[name] = backend
        self.to_upstream[name] = await self.proxy(backend.port)
        self.upstream_settings[name] = dict(settings)
        self.history.upstreams += (name,)
        if version != "ocpp1.6":
            self.history.folding |= {name}
        self.history.primary = self.history.upstreams[0]
        return backend

    async def node(self, role: str, *, failpoint: str = "") -> Node:
        """Adds an edge, a hub, or a process that is `both`, and waits until it is ready."""
        node = await self.prepare(role)
        await node.run(failpoint=failpoint)
        return node

    async def prepare(self, role: str) -> Node:
        to_store = await self.proxy(self.store.port)
        names = list(self.backends)
        config: dict[str, Any] = {
            "redis": {"url": f"redis://127.0.0.1:{to_store.port}", "partitions": self.partitions},
            "upstreams": {
                name: {
                    "url": f"ws://127.0.0.1:{self.to_upstream[name].port}/ocpp",
                    "version": each.version,
                    "reconnect_max": 1,
                    **self.upstream_settings[name],
                }
                for name, each in self.backends.items()
            },
            "routes": [{"match": "*", "primary": names[0], "mirrors": names[1:], **self.route}],
            **self.config,
        }
        number = sum(each.role == role for each in self.nodes)
        node = Node(role, number, self.directory, config, to_store)
        if role != "hub":
            node.from_chargers = await self.proxy(node.port)
        self.nodes.append(node)
        return node

    async def single(self) -> Node:
        """The store and one process that is edge and hub."""
        await self.store.start()
        return await self.node("both")

    async def start(self, edges: int = 1, hubs: int = 1) -> None:
        """The store, then so many of each."""
        await self.store.start()
        nodes = [await self.prepare(role) for role in ["edge"] * edges + ["hub"] * hubs]
        await asyncio.gather(*(each.run() for each in nodes))
        await self.balanced(hubs)

    @property
    def edges(self) -> list[Node]:
        return [each for each in self.nodes if each.role != "hub"]

    @property
    def hubs(self) -> list[Node]:
        return [each for each in self.nodes if each.role != "edge"]

    @property
    def urls(self) -> list[str]:
        """Where chargers connect."""
        return [f"ws://127.0.0.1:{each.from_chargers.port}/ocpp" for each in self.edges if each.from_chargers]

    def charger(
        self, identity: str, urls: list[str] | None = None, *, kind: type[Charger] = Charger, **options: Any
    ) -> Charger:
        charger = kind(self.history, identity, urls or self.urls, seed=self.seed, **options)
        self.chargers.append(charger)
        return charger

    async def booted(self, identity: str, **options: Any) -> Charger:
        """A charger that is connected and has booted."""
        charger = self.charger(identity, **options)
        await charger.connect()
        assert await charger.boot()
        return charger

    @contextlib.asynccontextmanager
    async def load(
        self, count: int = 20, *, prefix: str = "CP", kinds: Sequence[type[Charger]] = (Charger,), **options: Any
    ) -> AsyncIterator[list[Charger]]:
        """So many chargers that charge meanwhile, in turn of these kinds; afterwards they end what they have begun."""
        enough = asyncio.Event()
        habits = ("uuid", "counter", "kept")
        chargers = [
            self.charger(f"{prefix}{number}", ids=habits[number % 3], kind=kinds[number % len(kinds)], **options)
            for number in range(count)
        ]
        lives = [asyncio.create_task(each.live(enough)) for each in chargers]
        try:
            async with asyncio.timeout(PATIENCE):
                while any(each.told < 3 for each in chargers):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            yield chargers
            self.history.until = time.monotonic()
            enough.set()
            await asyncio.wait_for(asyncio.gather(*lives), 90)
        finally:
            for life in lives:
                life.cancel()
            await asyncio.gather(*lives, return_exceptions=True)

    # -- looking -----------------------------------------------------------------------------------------------------

    async def owner(self, charger: str) -> Node:
        """The hub that owns the charger's partition, once one does."""
        lease = keys.lease(keys.partition(charger, self.partitions))
        async with asyncio.timeout(PATIENCE):
            while True:
                if held := await self.store.ask("GET", lease):
                    pid = int(held.decode().split()[1].split("-")[-2])
                    for each in self.hubs:
                        if each.running and each.pid == pid:
                            return each
                await asyncio.sleep(0.05)

    async def balanced(self, hubs: int, patience: float = 40.0) -> None:
        """Waits until that many hubs own partitions, every partition has its owner, and none is to move any more."""
        async with asyncio.timeout(patience):
            while True:
                try:
                    held = [await self.store.ask("GET", keys.lease(number)) for number in range(self.partitions)]
                except StoreDown:  # a connection takes its time on a busy machine
                    continue
                living = sorted(key.decode()[len("hub:{") : -1] for key in await self.store.ask("KEYS", "hub:*"))
                owners = [each.decode().split()[1] if each else "" for each in held]
                if len(living) == hubs and owners == [owner(number, living) for number in range(self.partitions)]:
                    return
                await asyncio.sleep(0.05)

    async def quiet(self, patience: float = 60.0) -> None:
        """Waits until every upstream has acknowledged every entry; what remains after that is in `history.backlog`."""
        end = time.monotonic() + patience
        while True:
            self.history.backlog = await self.backlog()
            if not any(self.history.backlog.values()) or time.monotonic() > end:
                return
            await asyncio.sleep(0.2)

    async def backlog(self) -> dict[str, int]:
        """Upstream -> calls in the journal that it has not acknowledged."""
        kept: dict[str, int] = dict.fromkeys(self.history.upstreams, 0)
        for number in range(self.partitions):
            try:
                groups = await self.store.ask("XINFO", "GROUPS", keys.stream(number))
            except Exception as error:
                if "no such key" in str(error):
                    continue
                raise
            for fields in groups:
                group: dict[str, Any] = {
                    key.decode(): value.decode() if isinstance(value, bytes) else value
                    for key, value in zip(fields[::2], fields[1::2], strict=True)
                }
                if group["name"] not in kept:
                    continue
                unread = await self.store.ask(
                    "XRANGE", keys.stream(number), "(" + group["last-delivered-id"], "+", "COUNT", 1000
                )
                kept[group["name"]] += group["pending"]
                kept[group["name"]] += sum(b"call" in entry[1][1::2][:1] for entry in unread)
            for parked in await self.store.ask("HKEYS", keys.parked_index(number)):
                kept[parked.decode().partition("\n")[0]] += 1
        return kept

    async def letters(self) -> None:
        """Reads the dead letters into the history."""
        said = {(each.message.charger.casefold(), each.message.stamp): each.message.key for each in self.history.sent}
        for charger, frame, upstream in await self.dead_letters():
            for text in _stamps(frame[3]):
                if key := said.get((charger.casefold(), text)):
                    self.history.letters.add((upstream, key))

    def thinned(self) -> None:
        """Reads from the logs, which outlive the processes, what was left out because the store was full."""
        for node in [each for each in self.hubs if not each.unread]:
            for line in node.log.read_text(errors="replace").splitlines():
                if '"retention_drop"' in line and line.endswith("}"):  # the process may have died while it wrote
                    told = json.loads(line)
                    key = told["upstream"], told["charger_id"]
                    if told["reason"] == "memory":
                        self.history.thinned[key] = self.history.thinned.get(key, 0) + told["dropped"]

    async def dead_letters(self) -> list[tuple[str, list[Any], str]]:
        """(charger, its frame, upstream) of every dead letter."""
        found = []
        for number in range(self.partitions):
            for upstream in self.history.upstreams:
                for _, fields in await self.store.ask("XRANGE", keys.dead_letters(number, upstream), "-", "+"):
                    values = dict(zip(fields[::2], fields[1::2], strict=True))
                    charger = msgspec.msgpack.decode(values[b"h"])[0]
                    found.append((charger, json.loads(values[b"f"]), upstream))
        return found

    async def count(self) -> None:
        """Takes the counters of every edge that lives."""
        for node in [each for each in self.edges if each.running]:
            m = await node.metrics()
            self.history.counters.append(
                Counters(
                    f"{node.name}/{node.lives}",
                    received=int(total(m, "ocppgw_messages_total", side="charger", direction="in", type="call")),
                    answered=int(total(m, "ocppgw_calls_total", initiator="charger", outcome="ok")),
                    errors=int(total(m, "ocppgw_calls_total", initiator="charger", outcome="call_error")),
                    refused=0,
                    unanswered=int(
                        sum(
                            total(m, "ocppgw_calls_total", initiator="charger", outcome=outcome)
                            for outcome in ("timeout", "abandoned", "gateway_error", "other")
                        )
                    ),
                    open=int(total(m, "ocppgw_calls_in_flight", initiator="charger")),
                )
            )

    def weigh(self) -> None:
        """Notes what the nodes take now, to compare it with later."""
        self._before = {name: self._weight(name) for name in ("edge", "hub", *(each.name for each in self.nodes))}

    def weigh_again(self) -> None:
        """With the same load as before. Descriptors are compared by role: after a fault the hubs share the chargers
        in another way. Memory is compared in processes that lived through it all."""
        for name, before in self._before.items():
            after = self._weight(name)
            if name in ("edge", "hub"):
                self.history.loads.append(Load(f"{name}s", 0, 0, before[1], after[1]))
            elif before[2] == after[2]:
                self.history.loads.append(Load(name, before[0], after[0], 0, 0))

    def _weight(self, name: str) -> tuple[int, int, int]:
        """(bytes, descriptors, lives) of a node or of all nodes of a role."""
        nodes = [each for each in self.nodes if name in (each.name, each.role)]
        parts = [each.resources() for each in nodes]
        return sum(part[0] for part in parts), sum(part[1] for part in parts), sum(each.lives for each in nodes)

    async def expire(self, asleep: Node | None = None) -> None:
        """Ends the leases of the processes that are dead, and of one that sleeps, as time would within 15 s."""
        living = {each.pid for each in self.nodes if each.running and each is not asleep}
        named = [*await self.store.ask("KEYS", "edge:*"), *await self.store.ask("KEYS", "hub:*")]
        held = [(key.decode(), key.decode().rstrip("}")) for key in named]
        for number in range(self.partitions):
            if value := await self.store.ask("GET", keys.lease(number)):
                held.append((keys.lease(number), value.decode().split()[1]))
        for key, holder in held:
            if int(holder.split("-")[-2]) not in living:
                await self.store.ask("DEL", key)

    # -- breaking ----------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def fault(self, kind: str, target: str) -> Iterator[None]:
        """Notes that something is broken meanwhile."""
        begin = time.monotonic()
        try:
            yield
        finally:
            self.history.faults.append(Fault(kind, target, begin, time.monotonic()))

    # -- the end -----------------------------------------------------------------------------------------------------

    def noticed(self) -> None:
        """Notes the outages of the store that the nodes have seen, be it that this machine was too busy: what was under way then is
        in doubt."""
        shift, began = time.monotonic() - time.time(), min((each.at for each in self.history.sent), default=0.0)
        for node in [each for each in self.nodes if not each.unread]:
            lost = 0.0
            for line in node.log.read_text(errors="replace").splitlines():
                if '"event":"store_' not in line or not line.endswith("}"):
                    continue
                told = json.loads(line)
                at = datetime.fromisoformat(told["ts"]).timestamp() + shift
                if told["event"] == "store_lost":
                    lost = at - 2
                elif told["event"] == "store_back" and lost:
                    if at > began:  # else it was in an earlier round of the same run
                        self.history.faults.append(Fault(f"{node.name} saw no store", "store", lost, at + 1, seen=True))
                    lost = 0.0

    def started(self) -> None:
        """Notes when processes were starting: how long Python takes to begin is this machine's business."""
        shift = time.monotonic() - time.time()
        for node in [each for each in self.nodes if not each.unread]:
            for line in node.log.read_text(errors="replace").splitlines():
                if '"event":"started"' in line and line.endswith("}"):
                    at = datetime.fromisoformat(json.loads(line)["ts"]).timestamp() + shift
                    if begun := max((each for each in node.spawned if each <= at), default=0.0):
                        self.history.faults.append(Fault(f"{node.name} starts", "start", begun, at, seen=True))

    async def verdict(self) -> list[str]:
        """Waits until all is quiet, reads what is left, and checks the whole run."""
        await self.quiet()
        self.noticed()
        self.started()
        self.history.busy = os.getloadavg()[0] / (os.cpu_count() or 1)
        await self.letters()
        self.thinned()
        await self.count()
        wrong = [f"{each.name}: {fault}" for each in self.backends.values() for fault in each.faults]
        wrong += [f"{each.identity}: stray answer {id}" for each in self.chargers for id in each.strays]
        return wrong + check(self.history)

    async def right(self, least: int = 10) -> None:
        """Nothing that happened may have been wrong, and each CSMS has heard so much at least. Raises AssertionError."""
        wrong = await self.verdict()
        story = "; ".join(f"{each.kind} {each.begin:.1f}-{each.end:.1f}" for each in self.history.faults[:20])
        assert not wrong, "\n".join([f"faults: {story}", *wrong[:40], *self._trace(wrong[0])])
        assert not [each for charger in self.chargers for each in charger.discarded]
        for backend in self.backends.values():
            assert len(backend.heard()) >= least, f"{backend.name} has heard too little to tell"

    def _trace(self, wrong: str) -> list[str]:
        """The end of what the first charger that a fault names has said, and of what was heard of it."""
        named = next((each.identity for each in self.chargers if re.search(rf"\b{each.identity}\b", wrong)), "")
        lines = [(each.at, f"said  {each.message}") for each in self.history.sent if each.message.charger == named]
        lines += [
            (each.at, f"{each.upstream}/{each.connection} {'answered' if each.answered else 'silent'} {each.message}")
            for each in self.history.delivered
            if each.message.charger == named and each.upstream in wrong
        ]
        lines += [(each.begin, f"FAULT {each.kind} {each.target}") for each in self.history.faults]
        return [f"{at:.3f} {text}" for at, text in sorted(lines)[-80:]]

    async def stop(self) -> list[int | None]:
        """Ends everything, gently; the exit codes of the nodes."""
        await asyncio.gather(*(each.close() for each in self.chargers), return_exceptions=True)
        for proxy in self.proxies:
            proxy.heal()
        running = [each for each in self.nodes if each.running]
        for each in running:
            each.signal(signal.SIGCONT)
        codes = await asyncio.gather(*(each.stop() for each in running))
        for backend in self.backends.values():
            await backend.stop()
        for proxy in self.proxies:
            await proxy.stop()
        await self.store.stop()
        return list(codes)

    def tails(self, lines: int = 60) -> str:
        return "\n".join(f"--- log of {each.name} ---\n{each.tail(lines)}" for each in self.nodes if not each.unread)


def _stamps(payload: dict[str, Any]) -> set[str]:
    """Every timestamp in a payload, in one spelling, and the firmware of a boot."""
    found = {str(payload.get("firmwareVersion", ""))}
    for text in re.findall(r"\d{4}-\d\d-\d\dT[\d:.]+Z", json.dumps(payload)):
        found.add(stamp(text))
    return found
