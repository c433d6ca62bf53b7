"""What the store still has of a person's token: found everywhere, erased where nobody waits for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec

from gateway.config import RedisConfig
from gateway.journal import keys
from gateway.journal.connection import Argument
from gateway.journal.packed import unpack
from gateway.journal.store import Store
from gateway.journal.streams import read_entry

PAGE: Final = 500


class Erased(msgspec.Struct):
    """Where a token was."""

    dead_letters: int = 0
    """Erased."""
    quarantined: int = 0
    """Erased."""
    undelivered: int = 0
    """Messages that some CSMS is still to be told; they go when it has been."""
    chargers: list[str] = []
    """Those of whose facts it is a part (an open transaction, a verdict for outages, a local list); it goes with these."""


class Erasing:
    """Part of Journal. Every method raises StoreDown."""

    _store: Store
    _config: RedisConfig

    async def erase(self, token: str, *, dry: bool = False) -> Erased:
        """Deletes the dead letters and quarantined frames with this idTag or idToken; counts what else has it.

        `dry`: only counts. Upper and lower case are the same. Takes as long as reading the whole store.
        """
        found = Erased()
        for number in range(self._config.partitions):
            for upstream in await self._store.call("SMEMBERS", keys.dead_letter_index(number)):
                stream = keys.dead_letters(number, upstream.decode())
                found.dead_letters += await self._clear(stream, token, dry)
            found.quarantined += await self._clear(keys.quarantine(number), token, dry)
            async for raw in self._all(keys.stream(number)):
                found.undelivered += mentions(read_entry(number, raw).frame, token)
            for field in await self._store.call("HKEYS", keys.parked_index(number)):
                upstream, _, charger = field.decode().partition("\n")
                for packed in await self._store.call("ZRANGE", keys.parked(number, upstream, charger), 0, -1):
                    found.undelivered += mentions(unpack(packed).frame, token)
            for name in await self._store.call("HKEYS", keys.epochs(number)):
                values = await self._store.call("HVALS", keys.facts(number, name.decode()))
                if any(token.casefold().encode() in value.lower() for value in values):
                    found.chargers.append(name.decode())
        return found

    async def _clear(self, stream: str, token: str, dry: bool) -> int:
        wanted: list[Argument] = []
        async for raw in self._all(stream):
            fields = dict(zip(raw[1][::2], raw[1][1::2], strict=True))
            if mentions(fields.get(b"f", b""), token):
                wanted.append(raw[0])
        if wanted and not dry:
            for start in range(0, len(wanted), PAGE):
                await self._store.call("XDEL", stream, *wanted[start : start + PAGE])
        return len(wanted)

    async def _all(self, stream: str) -> AsyncIterator[list[Any]]:
        least = "-"
        while page := await self._store.call("XRANGE", stream, least, "+", "COUNT", PAGE):
            for raw in page:
                yield raw
            least = f"({page[-1][0].decode()}"


def mentions(frame: bytes, token: str) -> bool:
    """Whether some text in a frame is this token. One that is no JSON mentions it when it has it anywhere."""
    folded = token.casefold()
    if folded.encode() not in frame.lower() and b"\\" not in frame:
        return False
    try:
        return _has(msgspec.json.decode(frame), folded)
    except (msgspec.MsgspecError, RecursionError):
        return folded.encode() in frame.lower()


def _has(value: Any, folded: str) -> bool:
    if isinstance(value, str):
        return value.casefold() == folded
    if isinstance(value, dict):
        return any(_has(each, folded) for each in value.values())
    return isinstance(value, list) and any(_has(each, folded) for each in value)
