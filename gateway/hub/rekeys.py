"""A charger is told its new password only once the store knows that it will be right."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

from gateway.clock import now_ms
from gateway.journal.entry import ToCharger
from gateway.journal.errors import StoreDown

from .partition import Partition
from .rekeying import Rekey
from .session import Session
from .turn import Turn

log = structlog.get_logger(__name__)


class Given(Protocol):
    """What is remembered of passwords; see `gateway.registry.given`."""

    def concerns(self, charger: str) -> bool: ...
    async def promise(self, charger: str, password: bytes) -> None: ...
    def told(self, charger: str, accepted: bool) -> None: ...


class Rekeys:
    """Of one hub."""

    def __init__(self, given: Given, turn: Turn, partition_of: Callable[[Session], Partition | None]) -> None:
        """`partition_of`: where a session is, if it still is here."""
        self._given = given
        self._turn = turn
        self._partition_of = partition_of
        self._tasks: set[asyncio.Task[None]] = set()
        turn.rekeyed = self._take

    def _take(self, rekeys: list[Rekey]) -> None:
        for each in rekeys:
            if each.item is None:
                if each.accepted is not None:
                    self._given.told(each.session.charger, each.accepted)
                continue
            task = asyncio.get_running_loop().create_task(
                self._promise(each.session, each.edge, each.item, each.password)
            )
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _promise(self, session: Session, edge: str, item: ToCharger, password: bytes) -> None:
        stored = True
        if self._given.concerns(session.charger):
            try:
                await self._given.promise(session.charger, password)
            except StoreDown:
                stored = False
        partition = self._partition_of(session)
        if partition is None or partition.failed:
            return
        if not stored:
            log.warning("password_not_promised", charger_id=session.charger)
            session.withheld(item.message_id, now_ms())
        elif session.epoch == item.epoch and session.edge == edge and session.lane.open_id == item.message_id:
            session.effects.to_charger.append((edge, item))
        self._turn.touched(partition, session)
