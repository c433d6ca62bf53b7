"""A CSMS that commands chargers while everything breaks."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator

from .backend import Backend
from .fleet import Fleet
from .swarm import Charger

PATIENCE = 70.0
"""Seconds after which each has ended: longer than the checker allows."""


def order(backend: Backend, token: str, dice: random.Random) -> tuple[str, dict[str, object]]:
    """A command that must not be done twice, and carries its name."""
    if dice.random() < 0.5:
        return "DataTransfer", {"vendorId": "ACME", "data": token}
    if backend.version == "ocpp1.6":
        return "RemoteStartTransaction", {"idTag": token, "connectorId": 1}
    id_token = {"idToken": token, "type": "Central"}
    return "RequestStartTransaction", {"idToken": id_token, "remoteStartId": dice.randrange(1 << 20), "evseId": 1}


@contextlib.asynccontextmanager
async def commanding(fleet: Fleet, backend: Backend, chargers: list[Charger], pace: float = 0.2) -> AsyncIterator[None]:
    """Meanwhile this CSMS commands one of these chargers after another; afterwards what it asked has ended."""
    dice, numbers, prefix = random.Random(f"{fleet.seed}/orders"), itertools.count(1), chargers[0].identity

    async def ask() -> None:
        while True:
            await asyncio.sleep(dice.uniform(0, 2 * pace))
            charger, token = dice.choice(chargers).identity, f"{prefix}-{next(numbers)}"
            if charger in backend.sockets:
                action, payload = order(backend, token, dice)
                await backend.order(charger, action, payload, token)

    asking = asyncio.create_task(ask())
    try:
        yield
    finally:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    with contextlib.suppress(TimeoutError):  # the checker says which
        async with asyncio.timeout(PATIENCE):
            while not all(each.outcomes for each in fleet.history.ordered):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
