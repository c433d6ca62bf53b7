"""What the store knows of single chargers, for operators: who was ever here, where somebody is, and forgetting one."""

from __future__ import annotations

import asyncio

from gateway.journal import keys
from gateway.journal.errors import UnsafeStore
from gateway.journal.facts import FORMAT
from gateway.journal.store import Store


class Forgotten(dict[str, int]):
    """What `forget` has deleted: `facts`, `parked`, `answers` (stored ones), `transactions` (the counter)."""


class Known:
    """Part of Journal. Every method raises StoreDown."""

    _store: Store

    async def met(self, partition: int) -> set[str]:
        """Casefolded identities of everyone who has ever connected."""
        return {name.decode() for name in await self._store.call("HKEYS", keys.epochs(partition))}

    async def home(self, partition: int, charger: str) -> tuple[str, str, int, str] | None:
        """(identity as spelled, edge, epoch, version) of a connected charger. Its edge may be dead: see `edges`."""
        value = await self._store.call("HGET", keys.homes(partition), keys.fold(charger))
        if value is None:
            return None
        epoch, edge, version, spelled = value.decode().split("\n", 3)
        return spelled, edge, int(epoch), version

    async def fact(self, partition: int, charger: str, field: str) -> bytes:
        """One field of a charger's facts; empty if there is none, or if a newer release wrote it."""
        value = await self._store.call("HGET", keys.facts(partition, charger), field)
        return b"" if value is None or value[0] > FORMAT else value[1:]

    async def stored_answers(self, partition: int, charger: str) -> int:
        """How many messages of a charger are remembered in case that it sends them again."""
        return len(await self._dedup(partition, charger))

    async def forget(self, partition: int, charger: str) -> Forgotten:
        """Deletes what is kept of an absent charger: facts, parked entries, stored answers, counters, its security profile.
        What the stream still holds for its upstreams stays. No hub may hold its session."""
        if await self.home(partition, charger) is not None:
            raise UnsafeStore(f"{charger} is connected")
        folded = keys.fold(charger)
        parked = 0
        for field in await self._store.call("HKEYS", keys.parked_index(partition)):
            upstream, _, who = field.decode().partition("\n")
            if who == folded:
                await self._store.call("UNLINK", keys.parked(partition, upstream, folded))
                parked += await self._store.call("HDEL", keys.parked_index(partition), field)
        answers = await self._dedup(partition, charger)
        deleted = await asyncio.gather(*(self._store.call("UNLINK", key) for key in answers))
        facts = await self._store.call("UNLINK", keys.facts(partition, charger))
        counters = await self._store.call("UNLINK", keys.tx(partition, charger))
        await self._store.call("HDEL", keys.profiles(partition), folded)
        await self._store.call("HDEL", keys.epochs(partition), folded)
        return Forgotten(facts=int(facts), parked=parked, answers=sum(deleted), transactions=int(counters))

    async def _dedup(self, partition: int, charger: str) -> list[bytes]:
        """Keys of what is remembered of a charger's messages. Looks at all keys: for a person, not for a loop."""
        escaped = "".join(f"\\{char}" if char in "*?[]^\\-" else char for char in keys.dedup(partition, charger))
        found: set[bytes] = set()
        cursor: bytes | int = 0
        while True:
            # The second word of a command is its key, by which a cluster finds the node: SCAN needs another way there.
            cursor, names = await self._store.run("scan", (keys.stream(partition),), cursor, escaped + "*")
            found.update(names)
            if int(cursor) == 0:
                return sorted(found)
