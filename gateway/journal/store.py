"""The link to the store: opened, watched, reopened; commands and scripts go through it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter
from typing import Any

import structlog

from gateway.config import RedisConfig
from gateway.journal import durability, keys, safety, sentinel
from gateway.journal.address import Address, parse
from gateway.journal.connection import Argument, Connection, Convert, connect
from gateway.journal.embedded import Embedded
from gateway.journal.errors import StoreDown, UnsafeStore
from gateway.journal.joint import MOST_ARGUMENTS, Joint, Single
from gateway.journal.lua import TOGETHER, Script, scripts
from gateway.journal.node import Node, open_node
from gateway.journal.reply import Reply
from gateway.journal.ring import Ring

log = structlog.get_logger(__name__)

TICK = 0.2
"""Seconds between two looks at the connection. Each asks the store something that needs it to be well and writable."""
PATIENCE = 5
"""Ticks that a command may stay unanswered; with the tick in which it was sent a stall is seen within 1.2 s."""
FIRST_DELAY, LAST_DELAY = 0.1, 2.0
"""Seconds before the first attempt to reconnect, doubled up to the last."""
AUDIT = 10.0
"""Seconds between two checks that the store is still safe."""
FOLLOW = 1.0
"""Seconds between two questions to the Sentinels who the primary is."""
RECONCILE = 30.0
"""Seconds that a store has to take back what it lost."""


SAMPLE = 15
"""Scripts whose number has one of these bits are not timed."""


class Store:
    """One command connection and, on demand, connections that block."""

    _mixes = True
    """One script may have keys of several partitions."""

    def __init__(self, config: RedisConfig) -> None:
        self._config = config
        self._embedded = Embedded(config.data_dir, config.fsync) if config.url == "embedded" else None
        self._address = Address() if config.url == "embedded" else parse(config.url)
        self._connection = Connection()
        self._nodes: list[Node] = []
        self._scripts: dict[str, Script] = scripts((0,))
        self._idle: list[Connection] = []
        self._blocked: set[Connection] = set()
        self._broken = asyncio.Event()
        self._why = ""
        self._watcher: asyncio.Task[None] | None = None
        self._lives: tuple[tuple[str, str], ...] = ()
        self.ring = Ring(config.partitions) if self._address.host else None
        """Only for a store on another machine: what runs here loses nothing that this process would survive."""
        self.healthy = False
        self.problem = ""
        """Why chargers must wait: what is wrong with a store that is not healthy, or that it is full."""
        self.observe: Callable[[str, float], None] | None = None
        """Told of some commands how many seconds they took: name of the script, or `ping`."""
        self.errors: dict[str, int] = {}
        """Kind (the label of `redis_errors_total`) -> commands that failed, and attempts to connect."""
        self.runs = 0
        """Scripts run since the start."""
        self.outages = 0
        """How often the store was away or had to be given back what it lost."""
        self.durability = durability.UNKNOWN
        self.on_health: Callable[[bool], None] | None = None
        self.on_flush: Callable[[str], None] | None = None
        """Called when the store turns out to have been emptied."""

    async def start(self) -> None:
        """Starts the embedded server if there is one, connects and checks. Raises UnsafeStore, StoreDown."""
        try:
            if self._embedded is not None:
                self._address = await self._embedded.start()
            await self._open()
        except BaseException:
            await self.stop()
            raise
        self._turn(True)
        self._watcher = asyncio.create_task(self._watch(), name="journal-store")

    async def stop(self) -> None:
        """Closes all connections and stops the embedded server."""
        if self._watcher is not None:
            while not self._watcher.done():
                # More than once if need be: wait_for of Python 3.11 may swallow a cancellation when its wait ends in the same turn.
                self._watcher.cancel()
                await asyncio.wait([self._watcher], timeout=0.2)
            self._watcher = None
        self._turn(False)
        if self._embedded is not None:
            await self._embedded.stop()

    def call(self, *args: Argument, convert: Convert | None = None) -> Reply[Any]:
        """Runs a command whose second word is its key; fails with StoreDown at once while the store is not healthy."""
        return self._connection.call(args, convert)

    def run(self, name: str, keys: tuple[str, ...], *args: Argument, convert: Convert | None = None) -> Reply[Any]:
        """Runs a script of `scripts/`."""
        script = self._scripts[name]
        future = self._connection.call(("EVALSHA", script.sha, len(keys), *keys, *args), convert, script.source)
        self.runs += 1
        if not self.runs & SAMPLE:
            self._time(name, future)
        return future

    def join(self, name: str, key: str, call: Joint) -> None:
        """Runs a script of TOGETHER with what has been added to the call by the time it leaves. `key`: one of its keys."""
        many = self._scripts[TOGETHER[name]] if self._mixes else None
        together = self._at(key).join(call, self._scripts[name], many)
        self.runs += 1
        if not self.runs & SAMPLE and together is not None:
            self._time(name, together)

    def gather(self, name: str, keys: tuple[str, ...], args: Sequence[Argument], convert: Convert) -> Reply[Any]:
        """Like `run`, of a script of TOGETHER: with other calls of it, if there are any in this turn of the loop."""
        if len(args) > MOST_ARGUMENTS:
            return self.run(name, keys, *args, convert=convert)
        call = Single(asyncio.get_running_loop(), (keys, tuple(args)), convert)
        self.join(name, keys[0], call)
        return call.future

    def _at(self, key: str) -> Connection:
        return self._connection

    def _time(self, name: str, future: asyncio.Future[Any]) -> None:
        if (observe := self.observe) is not None:
            began = perf_counter()
            future.add_done_callback(lambda _: observe(name, perf_counter() - began))

    async def news(self, positions: dict[str, str], block_ms: int) -> list[str]:
        """Waits until streams have entries after the given ids; gives those streams. Raises StoreDown."""
        args: tuple[Argument, ...] = (
            "XREAD",
            "COUNT",
            1,
            "BLOCK",
            block_ms,
            "STREAMS",
            *positions,
            *positions.values(),
        )
        return [name.decode() for name, _ in await self.block(*args, block_ms=block_ms) or ()]

    async def block(self, *args: Argument, block_ms: int) -> Any:
        """Runs a blocking XREAD on a connection that nobody else uses meanwhile. Raises StoreDown."""
        if not self._nodes:
            raise StoreDown("no connection to the store")
        return await self._block(self._nodes[0].address, self._idle, args, block_ms)

    async def _block(self, address: Address, idle: list[Connection], args: tuple[Argument, ...], block_ms: int) -> Any:
        if not self.healthy:
            raise StoreDown("no connection to the store")
        idle[:] = [connection for connection in idle if not connection.lost]
        connection = idle.pop() if idle else await connect(address, "ocpp-gateway-wait", errors=self.errors)
        self._blocked.add(connection)
        try:
            async with asyncio.timeout(block_ms / 1000 + TICK * (PATIENCE + 1)):
                reply = await connection.call(args)
        except TimeoutError as error:
            connection.close("timeout")
            raise StoreDown("the store does not answer") from error
        except BaseException:
            # a reply may still come; nobody else must get it
            connection.close()
            raise
        finally:
            self._blocked.discard(connection)
        if self.healthy:
            idle.append(connection)
        else:
            connection.close()
        return reply

    @property
    def pool(self) -> dict[str, int]:
        """How many connections there are, by what they do."""
        return {"command": len(self._nodes), "waiting": len(self._blocked), "idle": len(self._idle)}

    @property
    def life(self) -> tuple[tuple[str, str], ...]:
        """Of each node: id of its run, id of its replication history."""
        return self._lives

    def suspect(self, why: str) -> None:
        """The store seems to have lost something: connects anew, which gives it back what this process knows of."""
        if self.ring is not None:
            self._break(why)

    def _break(self, why: str) -> None:
        self._why = self._why or why
        self._broken.set()

    # -- opening -----------------------------------------------------------------------------------------------------

    async def _open(self) -> None:
        self._broken.clear()
        self._why = ""
        address = self._address
        if address.service:
            address = address.at(await sentinel.primary(address))
        node = await self._open_node(address, keys.PARTITIONS)
        try:
            await self._reconcile([node], lambda _: node.connection)
        except BaseException:
            node.connection.close()
            raise
        self._nodes, self._connection = [node], node.connection

    async def _open_node(self, address: Address, marker: str) -> Node:
        node = await open_node(address, marker, self._config, self._broken.set, self.errors)
        self._scripts = node.scripts
        return node

    async def _reconcile(self, nodes: list[Node], connection: Callable[[int], Connection]) -> None:
        lives = tuple(sorted(node.server.life for node in nodes))
        if self.ring is not None:
            try:
                async with asyncio.timeout(RECONCILE):
                    await self.ring.reconcile(connection, self._scripts, decisions=lives != self._lives)
            except TimeoutError as error:
                raise StoreDown("the store does not take back what it lost") from error
        self._lives = lives
        self._judge(nodes)

    def _judge(self, nodes: list[Node]) -> None:
        follows = bool(self._address.service) or self._config.cluster
        levels = [durability.durability(node.server, self._config, follows=follows) for node in nodes]
        found = min(levels, key=lambda each: each.level)
        if found != self.durability:
            self.durability = found
            log.info("store_durability", durability=str(found), survives=found.survives)

    # -- watching ----------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        while True:
            why = await self._until_broken()
            log.error("store_lost", reason=why)
            self.problem = f"the store is unreachable or unsafe: {why}"
            self._turn(False)
            delay = FIRST_DELAY
            while not self.healthy:
                try:
                    if self._embedded is not None and not self._embedded.running:
                        self._address = await self._embedded.start()
                    await self._open()
                    self._turn(True)
                    log.warning("store_back")
                except (StoreDown, UnsafeStore) as error:
                    self.problem = f"the store is unreachable or unsafe: {error}"
                    if delay == FIRST_DELAY:
                        log.error("store_not_ready", reason=str(error))
                    await asyncio.sleep(delay)
                    delay = min(delay * 2, LAST_DELAY)

    async def _until_broken(self) -> str:
        loop = asyncio.get_running_loop()
        audited = followed = before = loop.time()
        following: asyncio.Task[None] | None = None
        try:
            while True:
                try:
                    await asyncio.wait_for(self._broken.wait(), TICK)
                    return self._why or next((n.connection.why for n in self._nodes if n.connection.lost), "")
                except TimeoutError:
                    pass
                now = loop.time()
                late, before = now - before > 2 * TICK, now
                if late:
                    # this process slept, not the store: its replies may be waiting to be read
                    for node in self._nodes:
                        node.marks.clear()
                    continue
                if self.ring is not None:
                    self.ring.tick()
                for node in self._nodes:
                    if why := await self._look(node):
                        return why
                if self._address.service and now - followed > FOLLOW and (following is None or following.done()):
                    followed, following = now, asyncio.create_task(self._follow())
                if now - audited > AUDIT:
                    audited = now
                    if why := await self._audit():
                        return why
                    before = loop.time()
        finally:
            if following is not None:
                following.cancel()

    async def _look(self, node: Node) -> str:
        """Why this node is of no use any more, or ""."""
        connection, marks = node.connection, node.marks
        if connection.full and (why := await self._look_for_room(connection)):
            return why
        self._time("ping", connection.call(("GETEX", node.marker, "PERSIST"), partial(self._marked, node)))
        marks.append(connection.sent)
        if len(marks) > PATIENCE and connection.replied < marks.popleft():
            connection.close("timeout")
            return f"no answer for {TICK * PATIENCE:.0f} s"
        return ""

    def _marked(self, node: Node, reply: bytes | None) -> None:
        if reply is None and not self._broken.is_set():
            self._break("it was emptied (stream_reset)")
            log.error("stream_reset", store=str(node.address), hint="it has lost all its data; was it flushed?")
            if self.on_flush is not None:
                self.on_flush(str(node.address))

    async def _follow(self) -> None:
        """A primary that the Sentinels have replaced may still answer: nothing must be written to it any more."""
        [node] = self._nodes
        try:
            place = await sentinel.primary(self._address)
        except StoreDown:
            return  # without Sentinels the primary is still the primary
        if place != (node.address.host, node.address.port):
            self._break(f"the Sentinels name another primary, {place[0]}:{place[1]}")

    async def _audit(self) -> str:
        for node in self._nodes:
            try:
                async with asyncio.timeout(TICK * PATIENCE):
                    node.server = await safety.check(node.connection, self._config)
            except UnsafeStore as error:
                return str(error)
            except (StoreDown, TimeoutError):
                return ""
        self._judge(self._nodes)
        return ""

    async def _look_for_room(self, connection: Connection) -> str:
        """The store refused writes for want of memory: hubs go on draining it, chargers wait until there is room.

        Gives why it is of no use at all, or "".
        """
        if not self.problem:
            log.error("store_full")
        try:
            async with asyncio.timeout(TICK * PATIENCE):
                full = safety.is_full(await connection.call(("INFO", "memory")))
        except TimeoutError:
            # The wait takes as long as a stall: what tells stalls from a sleep of this process would not see it.
            connection.close("timeout")
            return f"no answer for {TICK * PATIENCE:.0f} s"
        except StoreDown:
            return ""
        connection.full = full
        self.problem = (
            "the store is full: give it more memory (maxmemory), or mend the upstream that is behind" if full else ""
        )
        return ""

    def _turn(self, healthy: bool) -> None:
        if healthy:
            self.problem = ""
        else:
            self.outages += self.healthy
            self._close_all()
        if healthy != self.healthy:
            self.healthy = healthy
            if self.on_health is not None:
                self.on_health(healthy)

    def _close_all(self) -> None:
        self._connection.close()
        for connection in [*self._idle, *self._blocked, *(node.connection for node in self._nodes)]:
            connection.close()
        self._idle.clear()
