"""Random faults for hours: `make soak`. It prints its seed; SOAK_SEED and SOAK_SECONDS set seed and length."""

from __future__ import annotations

import asyncio
import os
import random
import re
import time

import pytest

from .checker import check
from .fleet import Fleet
from .history import History
from .nemesis import BLOWS, Nemesis
from .ordering import commanding
from .test_smoke import KINDS, build

pytestmark = [pytest.mark.soak, pytest.mark.timeout(0)]

HOURS_4 = 4 * 3600
CHARGERS = 100
SLOPE = 1 << 20
"""Bytes that a process that was not killed may grow in an hour, once it is warm."""
WARM_SECONDS = 600


async def test_i37_i38_soak(fleet: Fleet) -> None:
    """Rounds of a minute: chargers that come and go, one fault, quiet, the nine rules. Memory is a line, not a slope."""
    seed = int(os.environ.get("SOAK_SEED") or random.SystemRandom().randrange(1, 1 << 30))
    seconds = float(os.environ.get("SOAK_SECONDS") or HOURS_4)
    print(f"\nSOAK_SEED={seed} SOAK_SECONDS={seconds:.0f}", flush=True)
    await build(fleet, seed, call_timeout=8)
    dice, end = random.Random(seed), time.monotonic() + seconds
    sizes: dict[tuple[str, int], list[tuple[float, int]]] = {}
    round = 0
    while time.monotonic() < end:
        round += 1
        upstreams, folding = fleet.history.upstreams, fleet.history.folding
        fleet.history = History("main", upstreams, folding=folding)
        for backend in fleet.backends.values():
            backend.history = fleet.history
        fleet.chargers.clear()
        async with fleet.load(CHARGERS, patience=12, prefix=f"R{round}C", kinds=KINDS) as chargers:
            nemesis = Nemesis(fleet, seed + round, scale=2.0)
            async with commanding(fleet, fleet.backends["main"], chargers):
                await nemesis.strike(dice.sample(sorted(BLOWS), 3))
                for each in dice.sample(chargers, CHARGERS // 4):
                    each.abort()
                await asyncio.sleep(5)
        await asyncio.gather(*(each.close() for each in chargers))
        # A mirror that hangs up again and again may hear the last of a charger of an earlier round in this one.
        wrong = [each for each in await fleet.verdict() if not re.search(rf"\bR(?!{round}C)\d+C\d", each)]
        print(f"round {round}: {', '.join(nemesis.done)}: {len(fleet.history.sent)} CALLs", flush=True)
        assert not wrong, "\n".join([f"SOAK_SEED={seed}, round {round}, {check.__name__}:", *wrong[:40]])
        for node in fleet.nodes:
            sizes.setdefault((node.name, node.lives), []).append((time.monotonic(), node.resources()[0]))
    for (name, lives), points in sizes.items():
        warm = [each for each in points if each[0] > points[0][0] + WARM_SECONDS]
        if len(warm) > 10:
            hours = (warm[-1][0] - warm[0][0]) / 3600
            assert warm[-1][1] - warm[0][1] < SLOPE * max(hours, 1), f"{name}/{lives} grows: {warm}"
