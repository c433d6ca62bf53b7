"""The link to the store: opened, watched, reopened; commands and scripts go through it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

from gateway.config import RedisConfig
from gateway.journal import safety
from gateway.journal.address import Address, parse
from gateway.journal.connection import Argument, Connection, Convert, connect
from gateway.journal.embedded import Embedded
from gateway.journal.errors import StoreDown, UnsafeStore
from gateway.journal.lua import Script, scripts

log = logging.getLogger(__name__)

TICK = 0.2
"""Seconds between two looks at the connection. An idle one is pinged each time."""
PATIENCE = 5
"""Ticks that a command may stay unanswered; with the tick in which it was sent a stall is seen within 1.2 s."""
FIRST_DELAY, LAST_DELAY = 0.1, 2.0
"""Seconds before the first attempt to reconnect, doubled up to the last."""
AUDIT = 10.0
"""Seconds between two checks that the store is still safe."""


class Store:
    """One command connection and, on demand, connections that block."""

    def __init__(self, config: RedisConfig) -> None:
        self._config = config
        self._embedded = Embedded(config.data_dir, config.fsync) if config.url == "embedded" else None
        self._address = Address() if config.url == "embedded" else parse(config.url)
        self._connection = Connection()
        self._scripts: dict[str, Script] = scripts((0,))
        self._idle: list[Connection] = []
        self._blocked: set[Connection] = set()
        self._broken = asyncio.Event()
        self._watcher: asyncio.Task[None] | None = None
        self.healthy = False
        self.problem = ""
        """Why chargers must wait: what is wrong with a store that is not healthy, or that it is full."""
        self.on_health: Callable[[bool], None] | None = None

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

    def call(self, *args: Argument, convert: Convert | None = None) -> asyncio.Future[Any]:
        """Runs a command; fails with StoreDown at once while the store is not healthy."""
        return self._connection.call(args, convert)

    def run(
        self, name: str, keys: tuple[str, ...], *args: Argument, convert: Convert | None = None
    ) -> asyncio.Future[Any]:
        """Runs a script of `scripts/`."""
        script = self._scripts[name]
        return self._connection.call(("EVALSHA", script.sha, len(keys), *keys, *args), convert, script.source)

    async def block(self, *args: Argument, block_ms: int) -> Any:
        """Runs a blocking command on a connection that nobody else uses meanwhile. Raises StoreDown."""
        if not self.healthy:
            raise StoreDown("no connection to the store")
        self._idle = [idle for idle in self._idle if not idle.lost]
        connection = self._idle.pop() if self._idle else await connect(self._address, "ocpp-gateway-wait")
        self._blocked.add(connection)
        try:
            async with asyncio.timeout(block_ms / 1000 + TICK * (PATIENCE + 1)):
                reply = await connection.call(args)
        except TimeoutError as error:
            connection.close()
            raise StoreDown("the store does not answer") from error
        except BaseException:
            # a reply may still come; nobody else must get it
            connection.close()
            raise
        finally:
            self._blocked.discard(connection)
        if self.healthy:
            self._idle.append(connection)
        else:
            connection.close()
        return reply

    async def _open(self) -> None:
        self._broken.clear()
        connection = await connect(self._address, "ocpp-gateway", lost=self._broken.set)
        try:
            async with asyncio.timeout(1.0):
                version = await safety.check(connection, self._config)
                made = scripts(version)
                for script in made.values():
                    await connection.call(("SCRIPT", "LOAD", script.source))
                await safety.fix_partitions(connection, self._config.partitions)
        except TimeoutError as error:
            connection.close()
            raise StoreDown(f"the store at {self._address} does not answer") from error
        except BaseException:
            connection.close()
            raise
        self._scripts, self._connection = made, connection

    async def _watch(self) -> None:
        while True:
            why = await self._until_broken()
            log.error("journal store lost: %s", why)
            self.problem = f"the store is unreachable or unsafe: {why}"
            self._turn(False)
            delay = FIRST_DELAY
            while not self.healthy:
                try:
                    if self._embedded is not None and not self._embedded.running:
                        self._address = await self._embedded.start()
                    await self._open()
                    self._turn(True)
                    log.warning("journal store is back")
                except (StoreDown, UnsafeStore) as error:
                    self.problem = f"the store is unreachable or unsafe: {error}"
                    if delay == FIRST_DELAY:
                        log.error("journal store: %s", error)
                    await asyncio.sleep(delay)
                    delay = min(delay * 2, LAST_DELAY)

    async def _until_broken(self) -> str:
        loop, connection = asyncio.get_running_loop(), self._connection
        marks: deque[int] = deque()
        audited = before = loop.time()
        while True:
            try:
                await asyncio.wait_for(self._broken.wait(), TICK)
                return "connection broke"
            except TimeoutError:
                pass
            now = loop.time()
            late, before = now - before > 2 * TICK, now
            if late:
                # this process slept, not the store: its replies may be waiting to be read
                marks.clear()
                continue
            if connection.full:
                await self._look_for_room(connection)
            if connection.sent == connection.replied:
                connection.call(("PING",))
            marks.append(connection.sent)
            if len(marks) > PATIENCE and connection.replied < marks.popleft():
                return f"no answer for {TICK * PATIENCE:.0f} s"
            if now - audited > AUDIT:
                audited = now
                try:
                    async with asyncio.timeout(TICK * PATIENCE):
                        await safety.check(connection, self._config)
                except UnsafeStore as error:
                    return str(error)
                except (StoreDown, TimeoutError):
                    continue
                before = loop.time()

    async def _look_for_room(self, connection: Connection) -> None:
        """The store refused writes for want of memory: hubs go on draining it, chargers wait until there is room."""
        if not self.problem:
            log.error("journal store: full")
        try:
            async with asyncio.timeout(TICK * PATIENCE):
                full = safety.is_full(await connection.call(("INFO", "memory")))
        except (StoreDown, TimeoutError):
            return
        connection.full = full
        self.problem = (
            "the store is full: give it more memory (maxmemory), or mend the upstream that is behind" if full else ""
        )

    def _turn(self, healthy: bool) -> None:
        if healthy:
            self.problem = ""
        if not healthy:
            self._connection.close()
            for connection in [*self._idle, *self._blocked]:
                connection.close()
            self._idle.clear()
        if healthy != self.healthy:
            self.healthy = healthy
            if self.on_health is not None:
                self.on_health(healthy)
