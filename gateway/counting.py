"""What one process has counted, in short: its part of the fleet's overview."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, Final

from gateway.metrics import Cell, Family, Metrics

FRESH_SECONDS: Final = 0.5
"""A look at the counters serves every question for so long."""


class Counting:
    """Reads the metrics, which are kept anyway: a frame costs nothing more."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._said: dict[str, Any] = {}
        self._until = 0.0
        self._looking = asyncio.Lock()

    async def reply(self, _: dict[str, Any]) -> dict[str, Any]:
        """Sums by what tells them apart. Counters count since the process began."""
        async with self._looking:
            now = asyncio.get_running_loop().time()
            if now >= self._until:
                self._metrics.look()
                self._said = await asyncio.to_thread(self._read)
                self._until = now + FRESH_SECONDS
        return self._said

    def _read(self) -> dict[str, Any]:
        metrics = self._metrics
        for source in metrics.sources:
            source()
        lost = Counter[tuple[str, ...]]()
        for values, cell in metrics.translation_lossy_fields.items():
            lost[values] += int(cell.n)
        return {
            "connected": _sums(metrics.connections, 0),
            "transactions": _sums(metrics.transactions_active, 0),
            "connectors": _sums(metrics.connectors, 0),
            "messages": _sums(metrics.messages, 0, 1),
            "translations": _sums(metrics.translations, 3),
            "calls": _sums(metrics.calls, 2),
            "lost": [[*values, count] for values, count in lost.most_common(50)],
            "lost_total": lost.total(),
            "dropped": _sums(metrics.messages_dropped, 0),
        }


def _sums(family: Family[Cell], *labels: int) -> dict[str, int]:
    """The values of a family, added up by some of its labels; of several the names are joined by a space."""
    found = Counter[str]()
    for values, cell in family.items():
        found[" ".join(values[label] for label in labels)] += int(cell.n)
    return dict(found)
