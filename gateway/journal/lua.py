"""The scripts of the store, one per file in `scripts/`."""

from __future__ import annotations

from hashlib import sha1
from pathlib import Path

import msgspec

ALLOW_OOM = frozenset(
    {
        "acquire",
        "alive",
        "close",
        "commit",
        "destroy",
        "expire",
        "read",
        "renew",
        "requeue",
        "rewind",
        "trim",
        "vacate",
    }
)
"""Scripts that must work on a full store, or nothing would ever drain it. Redis 6.2 cannot do that."""

_SOURCES = {path.stem: path.read_text() for path in sorted((Path(__file__).parent / "scripts").glob("*.lua"))}


class Script(msgspec.Struct, frozen=True, gc=False):
    """A Lua script as the server knows it."""

    name: str
    source: str
    sha: str


def scripts(version: tuple[int, ...]) -> dict[str, Script]:
    """The scripts by name, for a server of this Redis version."""
    made = {}
    for name, text in _SOURCES.items():
        source = "#!lua flags=allow-oom\n" + text if version >= (7,) and name in ALLOW_OOM else text
        made[name] = Script(name, source, sha1(source.encode(), usedforsecurity=False).hexdigest())
    return made
