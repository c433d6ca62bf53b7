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
        "commits",
        "destroy",
        "expire",
        "pending",
        "renew",
        "requeue",
        "trim",
        "vacate",
    }
)
"""Scripts that must work on a full store, or nothing would ever drain it. Redis 6.2 cannot do that."""

TOGETHER = {"append": "appends", "commit": "commits", "peek": "peeks"}
"""Script -> name of the same script for several calls (together.lua)."""

_SOURCES = {path.stem: path.read_text() for path in sorted((Path(__file__).parent / "scripts").glob("*.lua"))}
_MANY = _SOURCES.pop("together")


class Script(msgspec.Struct, frozen=True, gc=False):
    """A Lua script as the server knows it."""

    name: str
    source: str
    sha: str


def scripts(version: tuple[int, ...]) -> dict[str, Script]:
    """The scripts by name, for a server of this Redis version."""
    sources = dict(_SOURCES)
    for name, several in TOGETHER.items():
        sources[several] = f"local function one(KEYS, ARGV)\n{_SOURCES[name]}end\n{_MANY}"
    made = {}
    for name, text in sources.items():
        source = "#!lua flags=allow-oom\n" + text if version >= (7,) and name in ALLOW_OOM else text
        made[name] = Script(name, source, sha1(source.encode(), usedforsecurity=False).hexdigest())
    return made
