"""Upstreams that an operator has paused have no sockets; what they are to be told waits, as while they are down."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Mapping
from functools import partial

import structlog

from gateway.journal import paused
from gateway.journal.errors import StoreDown
from gateway.journal.journal import Journal
from gateway.wheel import Wheel

from .partition import Partition
from .sessions import Sessions
from .sockets import BACK_PER_SECOND

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0


class Pausing:
    """Keeps the sockets of one hub to what operators have said, in whatever process they said it."""

    def __init__(self, journal: Journal, wheel: Wheel, sessions: Sessions, partitions: Mapping[int, Partition]) -> None:
        self._journal = journal
        self._wheel = wheel
        self._sessions = sessions
        self._partitions = partitions

    async def run(self) -> None:
        """Follow, until cancelled."""
        while True:
            with contextlib.suppress(StoreDown):
                self._follow(frozenset(await paused.read(self._journal)))
            await asyncio.sleep(LOOK_SECONDS)

    def _follow(self, wanted: frozenset[str]) -> None:
        health = self._sessions.health
        before = health.paused
        if wanted == before:
            return
        health.pause(wanted)
        log.warning("upstreams_paused", upstreams=sorted(wanted))
        for upstream in list(self._sessions.upstreams.values()):
            if upstream.name in wanted:
                upstream.stop(1000, "paused", "paused")
        for partition in self._partitions.values():
            for session in partition.sessions.values():
                if not (wanted - before).isdisjoint(session.links):
                    self._sessions.happen(partition, session.charger, session.version, self._sessions.connect)
        back = before - wanted
        waiting = [
            (partition, folded)
            for partition in self._partitions.values()
            for folded, session in partition.sessions.items()
            if not back.isdisjoint(session.links)
        ]
        for partition, folded in waiting:
            later = random.uniform(0, len(waiting) / BACK_PER_SECOND)
            self._wheel.after(later, partial(self._connect, partition, folded))

    def _connect(self, partition: Partition, folded: str) -> None:
        session = partition.sessions.get(folded)
        if session is not None and not partition.failed:
            self._sessions.connect(session)
