"""What an edge gives up when memory runs short: first new chargers, then heartbeats, then idle connections (reliability 2.7)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from gateway.config_limits import Limits

if TYPE_CHECKING:
    from gateway.edge.listener import Edge

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 1.0
CLOSED_AT_ONCE: Final = 100
"""Idle connections closed in one look."""
CALM: Final = 2
"""Percent below a step at which it ends."""
REFUSE, SHED, CLOSE = 1, 2, 3
"""Levels; each includes those before it."""

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_GROUP: Final = Path("/sys/fs/cgroup")


class Usage:
    """Memory of this process, or of its container, and the limit it has. Bytes."""

    def __init__(self, group: Path = _GROUP, statm: Path = Path("/proc/self/statm")) -> None:
        self._group = group
        self._statm = statm

    def read(self, limits: Limits) -> tuple[int, int]:
        """(used, limit); a limit of 0 is none. With a limit of its own the process counts alone, with that of the container everything
        in it but the files that the kernel may forget."""
        if limits.memory:
            return self._resident(), limits.memory
        most = _number(self._group / "memory.max")
        if not most:
            return self._resident(), 0
        used = _number(self._group / "memory.current")
        try:
            stat = dict(line.split() for line in (self._group / "memory.stat").read_text().splitlines())
            used -= int(stat.get("inactive_file", 0))
        except (OSError, ValueError):
            pass
        return max(0, used), most

    def _resident(self) -> int:
        try:
            return int(self._statm.read_text().split()[1]) * _PAGE
        except (OSError, ValueError, IndexError):
            return 0


def _number(path: Path) -> int:
    """0: no such file, or "max"."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0


def level(used: int, limit: int, limits: Limits, before: int) -> int:
    """The level that this use of memory has; one that is left is left a little later than it was reached. Pure."""
    if not limit:
        return 0
    percent = used * 100 / limit
    found = 0
    for step, bound in ((REFUSE, limits.memory_refuse), (SHED, limits.memory_shed), (CLOSE, limits.memory_close)):
        if percent >= bound - (CALM if before >= step else 0):
            found = step
    return found


async def watch(edge: Edge, read: Callable[[Limits], tuple[int, int]] | None = None) -> None:
    """Keep `edge.overload` up to date, and make room at the highest level. Until cancelled."""
    read = read or Usage().read
    while True:
        counters = edge.counters
        counters.memory, counters.memory_limit = read(edge.limits)
        now = level(counters.memory, counters.memory_limit, edge.limits, edge.overload)
        if now != edge.overload:
            log.warning("overload", step=now, used=counters.memory, limit=counters.memory_limit)
            edge.overload = now
        if now == CLOSE:
            edge.make_room(CLOSED_AT_ONCE)
        await asyncio.sleep(LOOK_SECONDS)
