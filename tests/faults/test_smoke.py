"""Random faults under load, then the nine rules: seeds 1 to 3 deal out every fault once."""

from __future__ import annotations

import asyncio

import pytest

from .backend import hostile, slow
from .fleet import Fleet
from .nemesis import Nemesis
from .ordering import commanding
from .swarm import Charger
from .swarm201 import Charger201

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

CHARGERS = 20
KINDS = (Charger, Charger, Charger201)
PATIENT = {"call_timeout": 4, "connect_timeout": 3, "options": {"tx_attempts": 20, "tx_retry_interval": 0.5}}


async def build(fleet: Fleet, seed: int, *, call_timeout: float = 4) -> None:
    """Two edges, two hubs, a good primary, a slow mirror and a hostile one. `call_timeout`: longer than any link is broken, or a
    CSMS gets two CALLs at once when it is mended."""
    settings = {**PATIENT, "call_timeout": call_timeout}
    fleet.seed = seed
    versions = ["ocpp2.0.1", "ocpp1.6"] if seed % 2 else ["ocpp1.6", "ocpp2.0.1"]
    await fleet.backend("main", versions[0], settings=settings)
    await fleet.backend("copy", versions[1], mood=slow, settings=settings)
    await fleet.backend("third", versions[0], mood=hostile, settings=settings)
    fleet.config = {"drain": {"timeout": 2}, "charger": {"answer_timeout": 10}}
    await fleet.start(edges=2, hubs=2)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_i38_the_nine_rules_hold_after_random_faults(fleet: Fleet, seed: int) -> None:
    await build(fleet, seed)
    async with fleet.load(CHARGERS, patience=12, kinds=KINDS) as chargers:
        fleet.weigh()
        async with commanding(fleet, fleet.backends["main"], chargers):
            nemesis = Nemesis(fleet, seed)
            await nemesis.strike(nemesis.hand())
            await asyncio.sleep(2)
    fleet.weigh_again()
    await fleet.right()
    assert sum(each.told for each in chargers) > 20 * CHARGERS
    assert sum(each.outcomes[0][1] == "result" for each in fleet.history.ordered) > 20
