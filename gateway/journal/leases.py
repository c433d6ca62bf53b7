"""Who lives and who owns what: edges, hubs, partitions, upstream health. Everything here expires by itself."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from gateway.journal import keys
from gateway.journal.errors import StoreDown
from gateway.journal.inbox import INBOX_TTL
from gateway.journal.ring import Lease
from gateway.journal.store import Store

LEASE_TTL = 15
"""Seconds for which an edge, a hub or a partition's owner counts as alive after its last sign; renew every 5 s."""
LEFT_TTL = 10 * 365 * 86400
"""Seconds that a token lives once its owner has given the partition up; that it has a limit tells so."""
SPREAD = 1 << 20
"""Tokens per second of the clock. Two hubs that are given a partition in the same second, because a failover lost what the
first was given, draw different ones. Until the year 2242 the store's numbers hold them exactly."""


class Leases:
    """Part of Journal. Every method raises StoreDown."""

    _store: Store
    _now_ms: Callable[[], int]
    _tokens: dict[int, int]
    """The newest token of each partition that this process was given: the next is higher, whatever the store has forgotten."""
    deserted: set[int]
    """Partitions that this process was given without their owner before having given them up: it may have died."""

    async def edge_alive(self, edge: str) -> None:
        """Takes or renews the lease of an edge; `edge` names one incarnation of it, e.g. host plus a random part."""
        lease = self._store.run("alive", (keys.edge(edge), keys.inbox(edge)), LEASE_TTL, INBOX_TTL)
        await self._list(keys.EDGES, edge, lease)

    async def edges(self) -> set[str]:
        """The edges that live."""
        return await self._living(keys.EDGES, keys.edge)

    async def hub_alive(self, hub: str) -> None:
        """Takes or renews the lease of a hub."""
        lease = self._store.run("alive", (keys.hub(hub),), LEASE_TTL, 0)
        await self._list(keys.HUBS, hub, lease)

    async def _list(self, listed: str, name: str, lease: Awaitable[Any]) -> None:
        """A full store takes no new member, but prolongs the lease of an old one."""
        adding = self._store.call("SADD", listed, name)
        await lease
        try:
            await adding
        except StoreDown as error:
            if not str(error).startswith("OOM") or not await self._store.call("SISMEMBER", listed, name):
                raise

    async def hubs(self) -> set[str]:
        """The hubs that live."""
        return await self._living(keys.HUBS, keys.hub)

    async def hub_gone(self, hub: str) -> None:
        """A hub has handed everything back: others need not wait for its lease to end."""
        await self._gone(keys.HUBS, hub, keys.hub(hub))

    async def edge_gone(self, edge: str) -> None:
        """An edge has closed all its sockets."""
        await self._gone(keys.EDGES, edge, keys.edge(edge))

    async def nobody_else(self, partitions: int, edge: str) -> None:
        """Ends every lease but that of `edge`. Only for a store that nobody else can use: the others are dead."""
        for listed, lease in ((keys.HUBS, keys.hub), (keys.EDGES, keys.edge), (keys.PROCESSES, keys.process)):
            for name in await self._store.call("SMEMBERS", listed):
                if name.decode() != edge:
                    await self._gone(listed, name.decode(), lease(name.decode()))
        for ended in [self._store.call("DEL", keys.lease(number)) for number in range(partitions)]:
            await ended

    async def buried(self, partitions: int, begin: str) -> None:
        """Ends the leases of edges, hubs and partitions whose holder's name begins like this: that process is dead for certain."""
        for listed, lease in ((keys.HUBS, keys.hub), (keys.EDGES, keys.edge), (keys.PROCESSES, keys.process)):
            for name in await self._store.call("SMEMBERS", listed):
                if name.decode().startswith(begin):
                    await self._gone(listed, name.decode(), lease(name.decode()))
        held = {number: self._store.call("GET", keys.lease(number)) for number in range(partitions)}
        for number, asked in held.items():
            token, _, holder = (await asked or b"").decode().partition(" ")
            if holder.startswith(begin):
                await self._store.run("renew", (keys.lease(number),), int(token), 0)

    async def _gone(self, listed: str, name: str, lease: str) -> None:
        ended = self._store.call("DEL", lease)
        await self._store.call("SREM", listed, name)
        await ended

    async def _living(self, listed: str, lease: Callable[[str], str]) -> set[str]:
        names = [name.decode() for name in await self._store.call("SMEMBERS", listed)]
        checks = [self._store.call("EXISTS", lease(name)) for name in names]
        living = {name for name, check in zip(names, checks, strict=True) if await check}
        dead = [name for name in names if name not in living]
        if dead:
            await self._store.call("SREM", listed, *dead)
        return living

    async def acquire(self, partition: int, hub: str) -> int | None:
        """Makes `hub` the owner of a partition; gives its fencing token, or None while another hub is the owner.

        A hub that already is the owner gets a new token and its old one is refused from then on.
        """
        made, until = (keys.lease(partition), keys.token(partition)), time.monotonic() + LEASE_TTL
        step = random.randrange(1, SPREAD)
        lowest = max(self._now_ms() // 1000 * SPREAD, self._tokens.get(partition, 0)) + step
        given = await self._store.run("acquire", made, hub, LEASE_TTL * 1000, lowest, step)
        if given is None:
            return None
        token, before, left = map(int, given)
        self._tokens[partition] = token
        if before and not left:
            self.deserted.add(partition)
        else:
            self.deserted.discard(partition)
        if self._store.ring is not None:
            self._store.ring.leases[partition] = Lease(token, hub, until, before)
        return token

    async def renew(self, partition: int, token: int) -> bool:
        """Prolongs the ownership. False: it is lost, the partition must be dropped."""
        until, ring = time.monotonic() + LEASE_TTL, self._store.ring
        renewed = bool(await self._store.run("renew", (keys.lease(partition),), token, LEASE_TTL * 1000))
        if ring is not None and (lease := ring.leases.get(partition)) is not None and lease.token == token:
            ring.leases[partition] = lease._replace(until=until if renewed else 0.0)
        return renewed

    async def release(self, partition: int, token: int) -> None:
        """Gives a partition up, for another hub to take at once; does nothing if it is lost already."""
        if self._store.ring is not None:
            self._store.ring.leases.pop(partition, None)
        marked = self._store.call("EXPIRE", keys.token(partition), LEFT_TTL)
        await self._store.run("renew", (keys.lease(partition),), token, 0)
        await marked

    async def publish_upstream(self, name: str, state: str) -> None:
        """Tells all edges how an upstream is, "up" or "down", for 15 s."""
        await self._store.call("SET", keys.upstream(name), state, "EX", LEASE_TTL)

    async def upstream_health(self, names: Iterable[str]) -> dict[str, str]:
        """Per upstream "up", "down" or "" (no hub said anything for 15 s)."""
        calls = {name: self._store.call("GET", keys.upstream(name)) for name in names}
        return {name: (await call or b"").decode() for name, call in calls.items()}
