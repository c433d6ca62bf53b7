"""What operators have done, kept in the store for all processes to read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from gateway.journal.store import Store

KEY = "audit"
"""Stream of `Deed`s."""
KEPT_MS = 90 * 86_400_000


class Deed(msgspec.Struct, omit_defaults=True):
    """Something that was asked of an admin port and may have changed something."""

    who: str
    """Name of the token; `cli:` and the user for a command that went to the store itself."""
    method: str
    """Of HTTP; `CLI` for such a command."""
    path: str
    """The command with its arguments, if it is one."""
    status: int
    """0: a command."""
    process: str = ""
    remote: str = ""
    change: dict[str, Any] = {}
    """What was asked, what was `before` and is `after`, without secrets."""
    id: str = ""
    """Of the entry in the stream; its first part is the time, ms."""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Deed).decode


class Audit:
    """Part of Journal. Every method raises StoreDown."""

    _store: Store
    _now_ms: Callable[[], int]

    async def note(self, deed: Deed) -> None:
        """Keep it for 90 days."""
        await self._store.call("XADD", KEY, "MINID", "~", self._now_ms() - KEPT_MS, "*", "d", _encode(deed))

    async def deeds(self, count: int, before: str = "") -> list[Deed]:
        """The newest, those before an id, newest first."""
        end: Any = f"({before}" if before else "+"
        found = []
        for id, fields in await self._store.call("XREVRANGE", KEY, end, "-", "COUNT", count):
            deed = _decode(fields[1])
            deed.id = id.decode()
            found.append(deed)
        return found
