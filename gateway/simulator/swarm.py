"""Many simulated chargers: started one after the other, for some time, with what they met."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import Any

from .charger import SimulatedCharger, Stats
from .profile import PROFILES


async def swarm(
    url: str,
    count: int,
    *,
    profile: str,
    versions: list[str],
    speed: float,
    rate: float,
    seconds: float,
    prefix: str,
    quirks: frozenset[str],
    told: Callable[[Stats], None],
) -> Stats:
    """`rate`: chargers that connect per second; `seconds`: how long (0: until cancelled); `told` is called once a second."""
    stats = Stats(ms=[], actions={})
    tasks: list[asyncio.Task[None]] = []
    end = time.monotonic() + seconds if seconds else float("inf")

    async def begin() -> None:
        for number in range(1, count + 1):
            charger = SimulatedCharger(
                url, f"{prefix}{number:05}", versions[number % len(versions)], PROFILES[profile], stats, speed, quirks
            )
            tasks.append(asyncio.create_task(charger.run()))
            await asyncio.sleep(1 / rate * random.uniform(0.5, 1.5))

    beginning = asyncio.create_task(begin())
    try:
        while time.monotonic() < end:
            await asyncio.sleep(min(1.0, max(0.0, end - time.monotonic())))
            told(stats)
    except asyncio.CancelledError:
        pass
    finally:
        beginning.cancel()
        for each in tasks:
            each.cancel()
        await asyncio.gather(beginning, *tasks, return_exceptions=True)
    return stats


def summary(stats: Stats) -> dict[str, Any]:
    """For programs and people."""
    ordered = sorted(stats.ms)
    return {
        "connections": stats.connections,
        "refused": stats.refused,
        "calls": stats.calls,
        "answered": stats.answered,
        "call_errors": stats.call_errors,
        "unanswered": stats.unanswered,
        "told_later": stats.told_later,
        "commands": stats.commands,
        "sessions": stats.sessions,
        "refused_tags": stats.refused_tags,
        "energy_kwh": round(stats.energy_kwh, 1),
        "median_ms": round(ordered[len(ordered) // 2], 1) if ordered else None,
        "p99_ms": round(ordered[int(len(ordered) * 0.99)], 1) if ordered else None,
        "actions": dict(sorted(stats.actions.items())),
    }
