"""A hub of its own in this process: a real store, a real CSMS on a socket; the chargers are what an edge would append."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.typing import Subprotocol

from gateway.config import Config, RedisConfig, RouteConfig, Upstream
from gateway.hub.hub import Hub
from gateway.hub.metering import Metering
from gateway.journal import Journal
from gateway.journal.entry import Head
from gateway.metrics import Metrics
from gateway.wheel import Wheel
from tests.gateway.journal.conftest import now_ms

EDGE = "edge-1"


class Csms:
    """Answers every CALL with `reply(charger, action, payload)`; None: not at all. `refused`: ids that get 404."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str, dict[str, Any]]] = []
        self.reply: Callable[[str, str, dict[str, Any]], dict[str, Any] | None] = lambda charger, action, payload: {}
        self.refused: set[str] = set()
        self.open: set[ServerConnection] = set()
        self.delay = 0.0
        """Seconds before each answer."""
        self.last_id = ""
        """Of the newest CALL."""
        self._server: Server | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ocpp"

    async def start(self) -> None:
        self._server = await serve(
            self._talk, "127.0.0.1", self.port, subprotocols=[Subprotocol("ocpp1.6")], process_request=self._admit
        )
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    def heard(self, charger: str) -> list[int]:
        """The numbers that this charger's meter values carried."""
        return [payload["n"] for who, _, payload in self.said if who == charger and "n" in payload]

    def _admit(self, connection: ServerConnection, request: Any) -> Any:
        return connection.respond(404, "") if request.path.rpartition("/")[2] in self.refused else None

    async def _talk(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        charger = connection.request.path.rpartition("/")[2]
        self.open.add(connection)
        async for text in connection:
            kind, id, *rest = json.loads(text)
            if kind == 2:
                self.last_id = id
                self.said.append((charger, rest[0], rest[1]))
                answer = self.reply(charger, rest[0], rest[1])
                await asyncio.sleep(self.delay)
                if answer is not None:
                    await connection.send(json.dumps([3, id, answer]))


class Site:
    """The hub under test, its journal, and another one that appends like an edge."""

    def __init__(self, store: RedisConfig, upstreams: dict[str, Upstream], route: RouteConfig) -> None:
        self.config = Config(upstreams=upstreams, routes=(route,), redis=store)
        self.metrics = Metrics(upstreams)
        self.edge = Journal(store, now_ms=now_ms)
        self.heads: dict[str, Head] = {}
        self.journal: Journal
        self.hub: Hub
        self._running: asyncio.Task[None] | None = None

    async def start_hub(self) -> None:
        self.journal = Journal(self.config.redis, now_ms=now_ms)
        await self.journal.start()
        self.hub = Hub(self.config, self.journal, Wheel(), Metering(self.metrics))
        self._running = asyncio.create_task(self.hub.run())
        await self.hub.ready.wait()

    async def stop_hub(self, *, kill: bool = False) -> None:
        """`kill`: it hands nothing back, and its leases end as they would 15 s later."""
        assert self._running is not None
        if not kill:
            await self.hub.drain(0)
        for partition in list(self.hub.partitions.values()):
            self.hub._ownership.drop(partition)
        self._running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._running
        await self.journal.stop()
        await self.edge.nobody_else(self.config.redis.partitions, EDGE)

    async def connect(self, charger: str) -> None:
        head = Head(charger, 0, 1, "ocpp1.6", EDGE, now_ms())
        epoch, _ = await self.edge.connect(head)
        self.heads[charger] = msgspec.structs.replace(head, epoch=epoch)

    async def say(
        self,
        charger: str,
        action: str,
        payload: dict[str, Any],
        cls: str = "K0",
        tx: bool = False,
        *,
        here: bool = False,
        dedup: str = "",
    ) -> str:
        """A CALL of the charger; `here`: its edge is in the hub's process, so that entries are handed over; `dedup`: what is
        the same is a retry."""
        head = self.heads[charger]
        head = self.heads[charger] = msgspec.structs.replace(
            head, seq=head.seq + 1, action=action, cls=cls, received_at=now_ms(), message_id=str(head.seq), dedup=dedup
        )
        frame = json.dumps([2, str(head.seq), action, payload]).encode()
        journal = self.journal if here else self.edge
        return (await journal.append("call", head, frame, ttl=60, mint_tx=tx)).id

    async def meter(self, charger: str, numbers: range, *, here: bool = False) -> list[str]:
        return [await self.say(charger, "MeterValues", {"n": n}, here=here) for n in numbers]

    def partition(self, charger: str) -> int:
        return self.edge.partition(charger)

    async def parked(self, charger: str, upstream: str = "main") -> list[str]:
        found = await self.edge.read_parked(self.partition(charger), upstream, charger, count=10_000)
        return [entry.id for entry in found]

    async def settled(self, charger: str, upstream: str = "main") -> None:
        """Nothing of the charger's partition waits for the upstream: what was decided is in the store."""

        async def nothing() -> bool:
            return (await self.edge.lag(self.partition(charger), [upstream]))[upstream].waiting == 0

        await eventually(f"nothing waits for {upstream}", nothing)

    def count(self, name: str) -> float:
        """Sum of a metric's series."""
        return sum(cell.n for _, cell in getattr(self.metrics, name).items())


@contextlib.asynccontextmanager
async def site(
    store: RedisConfig, upstreams: dict[str, Upstream], route: RouteConfig | None = None
) -> AsyncIterator[Site]:
    made = Site(store, upstreams, route or RouteConfig(primary="main"))
    await made.edge.start()
    await made.edge.edge_alive(EDGE)
    await made.start_hub()
    try:
        yield made
    finally:
        await made.stop_hub()
        await made.edge.stop()


async def eventually(what: str, condition: Callable[[], Any], seconds: float = 15) -> None:
    """Waits for something that must happen; the limit only ends a test that failed."""
    try:
        async with asyncio.timeout(seconds):
            while True:
                found = condition()
                if asyncio.iscoroutine(found):
                    found = await found
                if found:
                    return
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"never: {what}") from None
