"""The life of a consumer group: begun with its upstream, an orphan without it, ended by hand or when its time is over."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import structlog

from gateway.config import RedisConfig
from gateway.journal import keys
from gateway.journal.connection import Argument
from gateway.journal.store import Store

log = structlog.get_logger(__name__)

TAIL = "$"
"""As the beginning of a group: what comes from now on."""


class Removed(dict[str, int]):
    """What `remove_upstream` has deleted: `groups`, `parked` (chargers), `dead_letters`."""


class Groups:
    """Part of Journal."""

    _store: Store
    _config: RedisConfig

    async def ensure_groups(
        self, partition: int, groups: list[str], begins: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """Creates missing groups. They begin with the first entry if the stream is empty or no group ever read it, else
        after the id that `begins` has for them (default: at the end).

        Gives the id after which they begin, of those that it has added to a stream in use. Raises StoreDown.
        """
        pairs = [part for group in groups for part in (group, (begins or {}).get(group, TAIL))]
        made, begun = await self._store.run("ensure", (keys.stream(partition), keys.begun(partition)), *pairs)
        kept = {name.decode(): id.decode() for name, id in zip(begun[::2], begun[1::2], strict=True)}
        found = {group.decode(): kept[group.decode()] for group in made if group.decode() in kept}
        for group in made:
            name = group.decode()
            log.log(
                logging.INFO if name in found else logging.DEBUG,
                "group_created",
                partition=partition,
                group=name,
                after=found.get(name, "0"),
            )
        return found

    async def groups(self, partition: int) -> list[str]:
        """The groups that there are. Raises StoreDown."""
        return list(await self.positions(partition))

    async def positions(self, partition: int) -> dict[str, str]:
        """Group -> id up to which it was given entries. Raises StoreDown."""
        stream = keys.stream(partition)
        if not await self._store.call("EXISTS", stream):
            return {}
        reply = await self._store.call("XINFO", "GROUPS", stream)
        infos = [dict(zip(info[::2], info[1::2], strict=True)) for info in reply]
        return {info[b"name"].decode(): info[b"last-delivered-id"].decode() for info in infos}

    async def destroy_group(self, partition: int, token: int, group: str) -> bool:
        """Ends a group under the partition's lease; what it had not done is nobody's any more. Raises Fenced, StoreDown."""
        return bool(await self._destroy(partition, token, group))

    async def remove_upstream(self, name: str, *, dead_letters: bool = False) -> Removed:
        """Forgets an upstream that no hub has in its configuration: its groups and what is parked for it, and if wanted its
        dead letters. Raises StoreDown.
        """
        removed = Removed(groups=0, parked=0, dead_letters=0)
        for number in range(self._config.partitions):
            removed["groups"] += await self._destroy(number, "", name)
            for field in await self._store.call("HKEYS", keys.parked_index(number)):
                upstream, _, charger = field.decode().partition("\n")
                if upstream == name:
                    await self._store.call("UNLINK", keys.parked(number, name, charger))
                    removed["parked"] += await self._store.call("HDEL", keys.parked_index(number), field)
            letters = keys.dead_letters(number, name)
            removed["dead_letters"] += await self._store.call("XLEN", letters)
            if dead_letters:
                await self._store.call("UNLINK", letters)
                await self._store.call("SREM", keys.dead_letter_index(number), name)
        return removed

    async def _destroy(self, partition: int, token: Argument, group: str) -> int:
        made = (keys.lease(partition), keys.stream(partition), keys.begun(partition))
        return int(await self._store.run("destroy", made, token, group))
