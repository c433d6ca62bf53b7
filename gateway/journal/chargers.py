"""The registry of chargers in the store: one hash, and a stream of what changed by which every process follows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import msgspec

from gateway.journal import keys
from gateway.journal.store import Store
from gateway.registry import Charger


class Where(NamedTuple):
    """Where chargers are kept."""

    chargers: str
    """Hash: casefolded identity -> charger."""
    changes: str
    """Stream of casefolded identities that changed, the latest of them."""


REGISTERED = Where("{registry}:chargers", "{registry}:changes")
"""The registry."""
GIVEN = Where("{registry}:given", "{registry}:given-changes")
"""Passwords that chargers of a registry in a file were given by their CSMS; a `password` of "" is the file's."""
KEPT_MS = 86_400_000
"""How long changes are kept; who has missed some reads all anew."""
_MANY = 10_000
"""Changes at once after which all is read anew."""
_BATCH = 500

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Charger).decode


class Chargers:
    """Part of Journal. Every method raises StoreDown."""

    _store: Store
    _now_ms: Callable[[], int]

    async def register(self, changes: Mapping[str, Charger | None], where: Where = REGISTERED) -> None:
        """Adds or replaces chargers; None: removes them. Repeating it does no harm."""
        args: list[str | bytes] = []
        for identity, charger in changes.items():
            args += (keys.fold(identity), b"" if charger is None else _encode(charger))
        for start in range(0, len(args), 2 * _BATCH):
            await self._store.run("register", where, self._now_ms() - KEPT_MS, *args[start : start + 2 * _BATCH])

    async def alter(
        self, identity: str, edit: Callable[[Charger | None], Charger | None], where: Where = REGISTERED
    ) -> None:
        """Changes a charger to what `edit` makes of it; `edit` is called again when somebody else was quicker."""
        folded = keys.fold(identity)
        while True:
            found = await self._store.call("HGET", where.chargers, folded)
            old = _read(found)
            new = edit(old)
            if new == old:
                return
            args = (self._now_ms() - KEPT_MS, folded, found or b"", b"" if new is None else _encode(new))
            if await self._store.run("alter", where, *args):
                return

    async def registered(self, identities: Iterable[str], where: Where = REGISTERED) -> dict[str, Charger | None]:
        """These chargers as they are registered, by casefolded identity."""
        wanted = [keys.fold(each) for each in identities]
        found: dict[str, Charger | None] = {}
        for start in range(0, len(wanted), _BATCH):
            part = wanted[start : start + _BATCH]
            for identity, value in zip(part, await self._store.call("HMGET", where.chargers, *part), strict=True):
                found[identity] = _read(value)
        return found

    async def all_registered(self, where: Where = REGISTERED) -> tuple[list[Charger], str]:
        """All chargers, and the position after which changes have to be followed."""
        position, newest = "0-0", await self._store.call("XREVRANGE", where.changes, "+", "-", "COUNT", 1)
        if newest:
            position = newest[0][0].decode()
        found: dict[bytes, Charger] = {}
        cursor: bytes | int = 0
        while True:
            cursor, values = await self._store.call("HSCAN", where.chargers, cursor, "COUNT", 1000)
            for identity, value in zip(values[::2], values[1::2], strict=True):
                if (charger := _read(value)) is not None:
                    found[identity] = charger
            if int(cursor) == 0:
                return list(found.values()), position

    async def registry_changes(
        self, after: str, where: Where = REGISTERED
    ) -> tuple[dict[str, Charger | None], str] | None:
        """What changed after a position, and the new position; None: too much, or the store was emptied: read all anew."""
        newest = await self._store.call("XREVRANGE", where.changes, "+", "-", "COUNT", 1)
        end = newest[0][0].decode() if newest else "0-0"
        if end == after:
            return {}, after
        # The entry at `after` must still be there, or some that follow it may be missing.
        entries = await self._store.call("XRANGE", where.changes, "-" if after == "0-0" else after, "+", "COUNT", _MANY)
        if after != "0-0":
            if not entries or entries[0][0].decode() != after:
                return None
            entries = entries[1:]
        if len(entries) >= _MANY - 1:
            return None
        changed = {fields[1].decode() for _, fields in entries}
        return await self.registered(changed, where), entries[-1][0].decode() if entries else after

    async def highest_profile(self, charger: str, partition: int, profile: int) -> int:
        """The highest security profile with which a charger was accepted so far (0: none); `profile` is remembered if it is
        higher."""
        where, identity = keys.profiles(partition), keys.fold(charger)
        if profile:
            return int(await self._store.run("profile", (where,), identity, profile))
        return int(await self._store.call("HGET", where, identity) or 0)

    async def forget_profile(self, charger: str, partition: int) -> None:
        """A charger may come with a lower security profile again."""
        await self._store.call("HDEL", keys.profiles(partition), keys.fold(charger))


def _read(value: bytes | None) -> Charger | None:
    """A charger that a newer release wrote, and that cannot be read, does not exist."""
    try:
        return None if value is None else _decode(value)
    except msgspec.MsgspecError:
        return None
