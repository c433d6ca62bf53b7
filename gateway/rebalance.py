"""After a scale-up: a share of the chargers of edges that have more than others is sent away gently, to come back elsewhere.

Whoever balances the connections decides where they come back. One that prefers the edge with the fewest connections evens
them out at once; with any other each round moves a part of what is left.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Mapping
from math import ceil
from typing import Final

import msgspec
import structlog

from gateway.journal.entry import ToCharger
from gateway.journal.errors import StoreDown
from gateway.journal.journal import Journal

log = structlog.get_logger(__name__)

TOLERANCE: Final = 0.05
"""An edge that has so much more than its share is left alone."""
TICK: Final = 0.1
"""Seconds between two groups of closes."""


class Plan(msgspec.Struct, frozen=True):
    """Who is where, and who shall go. Edges are named by their incarnation."""

    chargers: dict[str, int]
    """Edge that lives -> chargers connected there."""
    moves: dict[str, int]
    """Edge that has too many -> chargers that it sends away."""

    @property
    def total(self) -> int:
        """Chargers that are sent away."""
        return sum(self.moves.values())


def plan(chargers: Mapping[str, int]) -> Plan:
    """What each edge has too many. Pure."""
    share = ceil(sum(chargers.values()) / len(chargers)) if chargers else 0
    most = share * (1 + TOLERANCE)
    return Plan(dict(chargers), {edge: count - share for edge, count in chargers.items() if count > most})


class Rebalance:
    """One round at a time, from any process: what an edge shall do goes through its inbox."""

    def __init__(self, journal: Journal, partitions: int) -> None:
        self.left = 0
        """Chargers that this process has still to send away."""
        self._journal = journal
        self._partitions = partitions
        self._task: asyncio.Task[None] | None = None

    async def look(self) -> tuple[Plan, list[tuple[str, str, int]]]:
        """A plan, and who would go: (edge, charger, epoch), in random order. Raises StoreDown."""
        edges = await self._journal.edges()
        there: dict[str, list[tuple[str, str, int]]] = {edge: [] for edge in sorted(edges)}
        for number in range(self._partitions):
            for charger, (edge, epoch, _) in (await self._journal.homes(number)).items():
                if edge in there:
                    there[edge].append((edge, charger, epoch))
        found = plan({edge: len(chargers) for edge, chargers in there.items()})
        going = [each for edge, count in found.moves.items() for each in random.sample(there[edge], count)]
        random.shuffle(going)
        return found, going

    async def start(self, rate: float) -> Plan | None:
        """Begin a round, `rate` chargers per second; None: one is under way. Raises StoreDown."""
        if self.left:
            return None
        found, going = await self.look()
        if self.left:
            return None
        self.left = len(going)
        if going:
            log.info("rebalancing", moves=found.moves, per_second=rate)
            self._task = asyncio.create_task(self._send_away(going, rate))
        return found

    async def stop(self) -> None:
        """Leave the rest where it is."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _send_away(self, going: list[tuple[str, str, int]], rate: float) -> None:
        allowed = 1.0
        try:
            while going:
                items: dict[str, list[ToCharger]] = {}
                while going and allowed >= 1:
                    edge, charger, epoch = going.pop()
                    items.setdefault(edge, []).append(ToCharger(charger, epoch, "close", b"rebalance", code=1012))
                    allowed -= 1
                for edge, each in items.items():
                    await self._journal.deliver(edge, each)
                self.left = len(going)
                await asyncio.sleep(TICK)
                allowed = min(allowed + rate * TICK, max(1.0, rate * TICK))
            log.info("rebalanced")
        except StoreDown as error:
            log.warning("rebalance_ended", left=len(going), reason=str(error))
        finally:
            self.left = 0
