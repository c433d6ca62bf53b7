"""One server that the store consists of: checked and tried before anything is trusted to it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from gateway.config import RedisConfig
from gateway.journal import safety
from gateway.journal.address import Address
from gateway.journal.confirming import Confirming
from gateway.journal.connection import Connection, establish
from gateway.journal.durability import Server
from gateway.journal.errors import StoreDown
from gateway.journal.lua import Script, scripts


class Node:
    """One server that the store consists of."""

    def __init__(self, address: Address, connection: Connection, marker: str) -> None:
        self.address = address
        self.connection = connection
        self.marker = marker
        """The key that holds the number of partitions: gone, the store was flushed."""
        self.server = Server()
        self.scripts: dict[str, Script] = {}
        """Those that it knows."""
        self.marks: deque[int] = deque()
        """Commands sent at each of the last ticks."""


async def open_node(
    address: Address, marker: str, config: RedisConfig, lost: Callable[[], None], errors: dict[str, int]
) -> Node:
    """A server that was checked, knows the scripts, takes writes, and whose replicas confirm them if they must.

    `lost` is called when its connection is. Raises UnsafeStore, StoreDown.
    """
    new = Confirming(lost) if config.replicas else Connection(lost)
    new.errors = errors
    connection = await establish(new, address, "ocpp-gateway")
    node = Node(address, connection, marker)
    try:
        async with asyncio.timeout(1.0 + config.replica_timeout):
            server = node.server = await safety.check(connection, config)
            node.scripts = scripts(server.version)
            for script in node.scripts.values():
                await connection.call(("SCRIPT", "LOAD", script.source))
            if isinstance(connection, Confirming):
                connection.confirm(config.replicas, config.replica_timeout)
            await _try_to_write(node)
            await safety.fix_partitions(connection, config.partitions, marker)
    except TimeoutError as error:
        connection.close("timeout")
        raise StoreDown(f"the store at {address} does not answer") from error
    except BaseException:
        connection.close()
        raise
    return node


async def _try_to_write(node: Node) -> None:
    """Raises StoreDown if writes are refused, but for want of memory: hubs drain a full store."""
    tried = node.marker + ":tried"
    connection = node.connection
    await connection.call(("DEL", tried))
    try:
        await connection.call(("SET", tried, 1))
    except StoreDown:
        if not connection.full:
            raise
