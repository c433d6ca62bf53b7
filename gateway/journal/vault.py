"""Sealed secrets of single chargers for an upstream (see gateway/vault.py). The store never sees what is in them."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.journal import keys
from gateway.journal.store import Store

_BATCH = 500


def _key(upstream: str) -> str:
    """Hash: casefolded charger -> sealed secret."""
    return f"vault:{{{upstream}}}"


class Vault:
    """Part of Journal. Every method raises StoreDown."""

    _store: Store

    async def sealed(self, upstream: str, charger: str) -> bytes | None:
        """The secret of a charger; None: there is none."""
        found: bytes | None = await self._store.call("HGET", _key(upstream), keys.fold(charger))
        return found

    async def put_sealed(self, upstream: str, secrets: Mapping[str, bytes | None]) -> int:
        """Adds or replaces secrets; None: removes one. How many were removed. Repeating it does no harm."""
        put = [part for charger, each in secrets.items() if each is not None for part in (keys.fold(charger), each)]
        for start in range(0, len(put), 2 * _BATCH):
            await self._store.call("HSET", _key(upstream), *put[start : start + 2 * _BATCH])
        gone = [keys.fold(charger) for charger, each in secrets.items() if each is None]
        return int(await self._store.call("HDEL", _key(upstream), *gone)) if gone else 0

    async def all_sealed(self, upstream: str) -> dict[str, bytes]:
        """All secrets for an upstream, by casefolded charger."""
        found: dict[str, bytes] = {}
        cursor: bytes | int = 0
        while True:
            cursor, values = await self._store.call("HSCAN", _key(upstream), cursor, "COUNT", 1000)
            found |= {charger.decode(): each for charger, each in zip(values[::2], values[1::2], strict=True)}
            if int(cursor) == 0:
                return found
