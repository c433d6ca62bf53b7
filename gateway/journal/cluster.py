"""A Redis Cluster as the store: one command connection per node, every key sent to the node that holds its slot."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import Any

from gateway.config import RedisConfig
from gateway.journal import keys as names
from gateway.journal.address import Address, Place
from gateway.journal.connection import Argument, Connection, Convert, connect
from gateway.journal.errors import StoreDown, UnsafeStore
from gateway.journal.node import Node
from gateway.journal.reply import Reply
from gateway.journal.store import SAMPLE, Store
from gateway.journal.streams import order

WITHIN = 1.0
"""Seconds that a node has to tell the map of the slots."""
SLOTS = 16384
LONGEST_WAIT = 2000
"""Milliseconds."""


class ClusterStore(Store):
    """The same as one server, for as long as all its nodes are well.

    A node that breaks, or says that a slot has moved, costs all connections: the slots are looked up anew. So one node that
    is down holds all partitions up until its replica has taken over.
    """

    _mixes = False

    def __init__(self, config: RedisConfig) -> None:
        super().__init__(config)
        if not self._address.host or self._address.service:
            raise UnsafeStore("redis.cluster needs a redis:// or rediss:// address of one or more nodes")
        self._places = list(self._address.seeds)
        self._slots: list[Node | None] = [None] * SLOTS
        self._idle_at: dict[str, list[Connection]] = {}
        self._waits: dict[str, asyncio.Task[Any]] = {}
        """Stream -> the wait for its news."""
        self._slot = lru_cache(65536)(names.slot)

    def call(self, *args: Argument, convert: Convert | None = None) -> Reply[Any]:
        return self._at(str(args[2] if args[0] in ("XINFO", "XGROUP") else args[1])).call(args, convert)

    def run(self, name: str, keys: tuple[str, ...], *args: Argument, convert: Convert | None = None) -> Reply[Any]:
        script = self._scripts[name]
        future = self._at(keys[0]).call(("EVALSHA", script.sha, len(keys), *keys, *args), convert, script.source)
        self.runs += 1
        if not self.runs & SAMPLE:
            self._time(name, future)
        return future

    @property
    def pool(self) -> dict[str, int]:
        return super().pool | {"idle": sum(map(len, self._idle_at.values()))}

    def _at(self, key: str) -> Connection:
        node = self._slots[self._slot(key)]
        return self._connection if node is None else node.connection

    async def news(self, positions: dict[str, str], block_ms: int) -> list[str]:
        """One command per stream: none goes over two slots. A wait that found nothing goes on into the next call: that it
        began at an earlier position does no harm, as there was nothing after that one either.
        """
        for stream in self._waits.keys() - positions.keys():
            self._waits.pop(stream).cancel()
        for stream, position in positions.items():
            if stream not in self._waits:
                args = ("XREAD", "COUNT", 1, "BLOCK", LONGEST_WAIT, "STREAMS", stream, position)
                wait = self._waits[stream] = asyncio.create_task(self.block(*args, block_ms=LONGEST_WAIT))
                wait.add_done_callback(_seen)
        await asyncio.wait(self._waits.values(), timeout=block_ms / 1000, return_when=asyncio.FIRST_COMPLETED)
        done = [stream for stream, wait in self._waits.items() if wait.done()]
        replies = {stream: self._waits.pop(stream).result() for stream in done}
        return [
            stream
            for stream, reply in replies.items()
            if reply and order(reply[0][1][0][0].decode()) > order(positions[stream])
        ]

    async def block(self, *args: Argument, block_ms: int) -> Any:
        node = self._slots[self._slot(str(args[args.index("STREAMS") + 1]))]
        if node is None:
            raise StoreDown("no connection to the store")
        idle = self._idle_at.setdefault(str(node.address), [])
        return await self._block(node.address, idle, args, block_ms)

    async def _open(self) -> None:
        self._broken.clear()
        self._why = ""
        owners = await self._discover()
        markers: dict[Place, str] = {}
        for number in range(self._config.partitions):
            markers.setdefault(owners[names.slot(names.tag(number))], names.marker(number))
        # A node without partitions still holds leases and the like, under the marker of any slot of its own.
        nodes: dict[Place, Node] = {}
        try:
            for place in dict.fromkeys(owners):
                marker = markers.get(place) or _marker(owners, place)
                nodes[place] = await self._open_node(self._address.at(place), marker)
            at = [nodes[place] for place in owners]
            await self._reconcile(list(nodes.values()), lambda number: at[names.slot(names.tag(number))].connection)
        except BaseException:
            for node in nodes.values():
                node.connection.close()
            raise
        self._places = [*nodes, *(seed for seed in self._address.seeds if seed not in nodes)]
        self._nodes, self._slots, self._connection = list(nodes.values()), list(at), at[0].connection

    async def _discover(self) -> list[Place]:
        """The place of the primary of each slot. Raises StoreDown with what each node said."""
        said = []
        for place in self._places:
            try:
                return await _owners(self._address.at(place), self.errors)
            except StoreDown as error:
                said.append(str(error))
        raise StoreDown("no node tells where the slots are: " + "; ".join(said))

    def _close_all(self) -> None:
        super()._close_all()
        for idle in self._idle_at.values():
            for connection in idle:
                connection.close()
        self._idle_at.clear()
        for wait in self._waits.values():
            wait.cancel()
        self._waits.clear()
        self._slots = [None] * SLOTS


async def _owners(address: Address, errors: dict[str, int]) -> list[Place]:
    connection = await connect(address, "ocpp-gateway-slots", within=WITHIN, errors=errors)
    try:
        async with asyncio.timeout(WITHIN):
            reply = await connection.call(("CLUSTER", "SLOTS"))
    except TimeoutError as error:
        raise StoreDown(f"the node at {address} does not answer") from error
    finally:
        connection.close()
    owners: list[Place | None] = [None] * SLOTS
    for first, last, primary, *_ in reply:
        place = ((primary[0] or b"").decode() or address.host, int(primary[1]))
        owners[first : last + 1] = [place] * (last + 1 - first)
    found = [owner for owner in owners if owner is not None]
    if len(found) < SLOTS:
        raise StoreDown(f"CLUSTERDOWN the node at {address} knows the owners of {len(found)} of {SLOTS} slots only")
    return found


def _seen(wait: asyncio.Task[Any]) -> None:
    if not wait.cancelled():
        wait.exception()  # whoever asks for the next news is told by them


def _marker(owners: list[Place], place: Place) -> str:
    """A key that this node holds."""
    number = 0
    while owners[names.slot(key := f"{{n{number}}}:partitions")] != place:
        number += 1
    return key
