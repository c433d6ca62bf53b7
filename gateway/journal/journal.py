"""The durable log between edges and hubs: what every charger said, until every upstream has it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec

from gateway.config import RedisConfig
from gateway.journal import keys, ringing
from gateway.journal.appending import Appended, Appends, Place
from gateway.journal.audit import Audit
from gateway.journal.chargers import Chargers
from gateway.journal.cluster import ClusterStore
from gateway.journal.durability import Durability
from gateway.journal.entry import Entry, Head, Kind
from gateway.journal.erasing import Erasing
from gateway.journal.facts import Facts
from gateway.journal.groups import Groups
from gateway.journal.inbox import Inbox
from gateway.journal.known import Known
from gateway.journal.leases import Leases
from gateway.journal.letters import Letters
from gateway.journal.looking import Looking
from gateway.journal.mail import Mail
from gateway.journal.parking import Parking
from gateway.journal.reply import Reply
from gateway.journal.store import Store
from gateway.journal.streams import Streams
from gateway.journal.vault import Vault

_encode = msgspec.msgpack.Encoder().encode


class Journal(
    Leases, Facts, Inbox, Streams, Parking, Groups, Letters, Chargers, Mail, Known, Looking, Audit, Vault, Erasing
):
    """The only way to the store. One per process; belongs to the event loop that started it.

    Nothing is ever sent twice by itself. A failed write has an unknown outcome; an `append` with a dedup key, a
    `commit` and a lease may be repeated by the caller, anything else may not.
    """

    def __init__(self, config: RedisConfig, *, now_ms: Callable[[], int]) -> None:
        """`now_ms`: wall clock in milliseconds since 1970. Raises UnsafeStore for a `redis.url` of unknown form."""
        self._config = config
        self._tokens = {}
        self.deserted = set()
        self._now_ms = now_ms
        self._store = ClusterStore(config) if config.cluster else Store(config)
        self._ring = self._store.ring
        self._store.on_flush = self._flushed
        self._cursors = {}
        self._appends: dict[int, Appends] = {}
        """By partition: those that the next one may join, unless they are closed."""
        self.on_change: Callable[[int], None] | None = None
        """Called with the partition when a charger of it connects or leaves here; a read asked for then comes behind."""
        self.on_append: Callable[[int, int, Entry], None] | None = None
        """Called with (partition, number of the entry in it, entry) when the store has confirmed an append of this
        process, in the order of the entries."""
        self.resets = 0
        """How many groups, or whole stores, were found missing and created again."""
        self.on_reset = None
        """Called with (partition, group) for each of them."""
        self._place = lru_cache(65536)(self._find)

    async def start(self) -> None:
        """Starts the embedded server if `redis.url` says so, connects, checks that the store is safe.

        Raises UnsafeStore (says what to fix) and StoreDown (not reachable now).
        """
        await self._store.start()

    async def stop(self) -> None:
        """Closes all connections and stops the embedded server."""
        await self._store.stop()

    @property
    def healthy(self) -> bool:
        """False while the store is unreachable, does not answer (noticed within 1.5 s) or is unsafe; mends itself."""
        return self._store.healthy

    @property
    def life(self) -> tuple[tuple[str, str], ...]:
        """Which servers the store consists of; changes when one of them starts anew or another one takes over."""
        return self._store.life

    @property
    def problem(self) -> str:
        """Why no charger may connect now, "" when all is well: the store is not healthy, or it is full."""
        return self._store.problem

    @property
    def durability(self) -> Durability:
        """What an acknowledged message survives, as the store is set up now."""
        return self._store.durability

    @property
    def pool(self) -> dict[str, int]:
        """Connections to the store, by what they do: command, waiting, idle."""
        return self._store.pool

    @property
    def errors(self) -> dict[str, int]:
        """Kind (the label of `redis_errors_total`) -> commands that failed, and attempts to connect."""
        return self._store.errors

    def observe(self, told: Callable[[str, float], None]) -> None:
        """Have `told` called with the name and the seconds of one command in a few."""
        self._store.observe = told

    @property
    def again(self) -> int:
        """How many acknowledged entries a store had lost and was given again."""
        return 0 if self._ring is None else self._ring.again

    def _flushed(self, _: str) -> None:
        self.resets += 1

    @property
    def on_health(self) -> Callable[[bool], None] | None:
        """Called with the new value whenever `healthy` changes."""
        return self._store.on_health

    @on_health.setter
    def on_health(self, callback: Callable[[bool], None] | None) -> None:
        self._store.on_health = callback

    def partition(self, charger: str) -> int:
        """Number of the partition that holds this charger, from 0; the case of its letters does not matter."""
        return keys.partition(charger, self._config.partitions)

    def _find(self, charger: str) -> tuple[int, str, Place, str]:
        number = self.partition(charger)
        place = (keys.stream(number), keys.epochs(number), keys.live(number))
        return number, keys.fold(charger), place, keys.dedup(number, charger)

    async def connect(self, head: Head) -> tuple[int, str]:
        """A charger connected: gives it a new epoch, records its home and appends `open`, all or nothing.

        `head.epoch` is ignored. Gives the epoch, which grows with every connection of the charger, and the edge that
        held the charger before ("": none). Raises StoreDown.
        """
        number, charger, (stream, epochs, live), _ = self._place(head.charger)
        self._close_appends(number)
        made = (stream, epochs, keys.homes(number), live)
        args = (charger, self._now_ms() // 1000, head.home, head.version, head.charger, _encode(head))
        if self.on_change is not None:
            self.on_change(number)
        if self._ring is not None:
            epoch, home, _ = await ringing.connect(self._store, self._ring, number, made, args)
        else:
            epoch, home, _ = await self._store.run("connect", made, *args)
        return int(epoch), home.split(b"\n")[1].decode() if home else ""

    def append(self, kind: Kind, head: Head, frame: bytes, *, ttl: int = 0, mint_tx: bool = False) -> Reply[Appended]:
        """Appends a frame; the future gives what became of it once the store confirmed it.

        `ttl`: seconds for which the same `head.dedup` of this charger is a retry; 0 or an empty `head.dedup`: never.
        `mint_tx`: gives the entry a transaction number of the charger's own, positive, 32 bits, always growing.
        Raises in the future StoreDown (outcome unknown; with a dedup key the same append may be made again).
        """
        number, charger, place, dedup = self._place(head.charger)
        counter, seed = "", 0
        if ttl and head.dedup:
            dedup += head.dedup
        else:
            ttl = 0
        if mint_tx:
            counter, seed = keys.tx(number, charger), self._now_ms() // 1000
        appends = self._appends.get(number)
        if appends is not None and not appends.closed:
            if not ttl or not appends.knows(dedup):
                return appends.add(charger, kind, head, frame, dedup, ttl, counter, seed)
            appends.close()
        loop = asyncio.get_running_loop()
        appends = self._appends[number] = Appends(loop, number, place, self._ring, self.on_append)
        future = appends.add(charger, kind, head, frame, dedup, ttl, counter, seed)
        self._store.join("append", place[0], appends)
        return future

    def _close_appends(self, number: int) -> None:
        """What the partition is told from now on comes behind the appends until now."""
        appends = self._appends.get(number)
        if appends is not None and not appends.closed:
            appends.close()

    def close_charger(self, head: Head) -> asyncio.Future[None]:
        """The socket of (`head.charger`, `head.epoch`) is gone: appends `close` and ends its home.

        Does nothing when the charger has a newer connection. Raises StoreDown in the future.
        """
        number, charger, (stream, epochs, live), _ = self._place(head.charger)
        self._close_appends(number)
        made = (stream, epochs, keys.homes(number), live)
        if self.on_change is not None:
            self.on_change(number)
        args = (charger, head.epoch, head.home, _encode(head))
        if self._ring is not None:
            return ringing.close(self._store, self._ring, number, made, args)
        return self._store.run("close", made, *args, convert=_nothing)

    async def vacate(self, partition: int, token: int, homes: dict[str, tuple[str, int]]) -> int:
        """Ends homes at edges that are dead: charger -> (edge, epoch), of each only if it is still that one.

        Gives how many. Raises Fenced, StoreDown.
        """
        pairs = [(keys.fold(charger), f"{epoch}\n{edge}\n") for charger, (edge, epoch) in homes.items()]
        made = (keys.lease(partition), keys.homes(partition))
        return int(await self._store.run("vacate", made, token, *(part for pair in pairs for part in pair)))

    async def homes(self, partition: int) -> dict[str, tuple[str, int, str]]:
        """Everyone connected: charger as it spells itself -> (edge, epoch, version). Edges may be dead: see `edges`.

        Raises StoreDown.
        """
        reply = await self._store.call("HVALS", keys.homes(partition))
        found = {}
        for value in reply:
            epoch, edge, version, charger = value.decode().split("\n", 3)
            found[charger] = (edge, int(epoch), version)
        return found


def _nothing(_: Any) -> None:
    return None
