"""Random faults under load, then the nine rules: seeds 1 to 3 deal out every fault once."""

from __future__ import annotations

import asyncio
import time

import pytest

from .backend import hostile, slow
from .fleet import Fleet
from .nemesis import Nemesis

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]

CHARGERS = 20
PATIENT = {"call_timeout": 4, "connect_timeout": 3, "options": {"tx_attempts": 20, "tx_retry_interval": 0.5}}


async def build(fleet: Fleet, seed: int) -> None:
    """Two edges, two hubs, a good primary, a slow mirror and a hostile one."""
    fleet.seed = seed
    versions = ["ocpp2.0.1", "ocpp1.6"] if seed % 2 else ["ocpp1.6", "ocpp2.0.1"]
    await fleet.backend("main", versions[0], **PATIENT)
    await fleet.backend("copy", versions[1], mood=slow, **PATIENT)
    await fleet.backend("third", "ocpp1.6", mood=hostile, **PATIENT)
    fleet.config = {"drain": {"timeout": 2}}
    await fleet.start(edges=2, hubs=2)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_i38_the_nine_rules_hold_after_random_faults(fleet: Fleet, seed: int) -> None:
    await build(fleet, seed)
    enough = asyncio.Event()
    habits = ["uuid", "counter", "kept"]
    chargers = [fleet.charger(f"CP{number}", ids=habits[number % 3], patience=12) for number in range(CHARGERS)]
    lives = [asyncio.create_task(each.live(enough)) for each in chargers]
    await asyncio.sleep(3)
    fleet.weigh()
    nemesis = Nemesis(fleet, seed)
    await nemesis.strike(nemesis.hand())
    await asyncio.sleep(2)
    fleet.history.until = time.monotonic()
    enough.set()
    await asyncio.wait_for(asyncio.gather(*lives), 90)
    fleet.weigh_again()
    wrong = await fleet.verdict()
    story = "; ".join(
        f"{each.kind} {each.begin:.1f}-{each.end:.1f}" for each in fleet.history.faults if each.end > each.begin
    )
    assert not wrong, "\n".join([f"seed {seed}: {story}", *wrong[:40]])
    assert all(each.told > 20 for each in chargers), "there was something to lose"
    assert not [each for charger in chargers for each in charger.discarded]
