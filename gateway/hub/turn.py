"""The end of each turn of the loop: what was decided for a partition is committed, and then sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

from gateway import failpoints, tap
from gateway.clock import now_ms
from gateway.journal.entry import ToCharger
from gateway.journal.journal import Journal
from gateway.wheel import Wheel

from . import watching
from .effects import Effects
from .link import Link
from .metering import Metering
from .partition import Partition
from .rekeying import Rekey
from .session import Session
from .upstream import Upstream

log = structlog.get_logger(__name__)

TIMER_MS = 1000
"""Resolution of a session's deadlines: they are looked up only when its timer fires."""

MOST_COMMITS = 1
"""Commits under way beyond which what is decided waits for one of them: under load fewer commits carry more each."""


class LocalEdge(Protocol):
    """An edge in the same process."""

    @property
    def id(self) -> str: ...
    def take(self, item: ToCharger) -> None: ...
    def authorization(self, charger: str) -> str | None: ...


class Turn:
    """Collects the partitions for which something was decided, flushes them, and carries out what their commits release."""

    def __init__(self, journal: Journal, wheel: Wheel, observer: Metering, local: LocalEdge | None) -> None:
        """`local`: the edge of this process, if it has one; what is for its chargers needs no inbox."""
        self.upstreams: dict[Link, Upstream] = {}
        """Where the frames of a link go."""
        self.moved: Callable[[Effects], None] = lambda effects: None
        """Told when a commit that parked or unparked entries is confirmed."""
        self.rekeyed: Callable[[list[Rekey]], None] = lambda rekeys: None
        """Given the passwords that chargers are to be told, and what they said to them."""
        self.on_boot: Callable[[Session], None] | None = None
        """Called when a charger's boot was answered."""
        self._journal = journal
        self._wheel = wheel
        self._observer = observer
        self._local = local
        self._dirty: set[Partition] = set()
        self._committing: set[Partition] = set()
        self._flush_due = False
        self._outbox: dict[str, list[ToCharger]] = {}
        self.authorization = None if local is None else local.authorization
        """The Authorization header with which a charger came that is connected to this process."""

    def touched(self, partition: Partition, session: Session) -> None:
        """Something was decided for this session: flush at the end of the loop's turn, and arm its timer."""
        partition.dirty = True
        self._dirty.add(partition)
        if not self._flush_due:
            self._go_on()
        if session.timer is None:
            self._arm(partition, session, TIMER_MS)
        if session.booted and self.on_boot is not None:
            self.on_boot(session)

    def forget(self, partition: Partition) -> None:
        """The partition is another hub's now."""
        self._dirty.discard(partition)
        self._committing.discard(partition)
        self._go_on()

    def committed(self, partition: Partition) -> None:
        """A commit of this partition has ended."""
        self._committing.discard(partition)
        if partition.dirty and not partition.failed:
            self._dirty.add(partition)
        self._go_on()

    def send(self, effects: Effects) -> None:
        """A commit is confirmed: what waited for it leaves."""
        for group, ids in effects.acks.items():
            self._observer.acknowledged(group, len(ids))
        if effects.parks or effects.unparks:
            self.moved(effects)
        for link, frame in effects.to_upstream:
            if failpoints.armed:
                failpoints.hit("before_send_upstream")
            if tap.armed:
                watching.wrote(link, frame)
            if upstream := self.upstreams.get(link):
                upstream.write(frame)
        if effects.rekeys:
            self.rekeyed(effects.rekeys)
        if effects.to_charger:
            if not self._outbox:
                asyncio.get_running_loop().call_soon(self._deliver)
            for edge, item in effects.to_charger:
                if tap.armed:
                    watching.delivered(item)
                self._outbox.setdefault(edge, []).append(item)

    def _go_on(self) -> None:
        if not self._flush_due and self._dirty and len(self._committing) <= MOST_COMMITS:
            self._flush_due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        dirty, self._dirty = self._dirty, set()
        for partition in dirty:
            partition.flush()
            if partition.committing:
                self._committing.add(partition)

    def _deliver(self) -> None:
        """Everything for the chargers of an edge that the commits of this turn released, as one command."""
        outbox, self._outbox = self._outbox, {}
        for edge, items in outbox.items():
            if self._local is not None and edge == self._local.id:
                for item in items:
                    self._local.take(item)
                continue
            self._journal.deliver(edge, items).add_done_callback(_looked_at)

    def _arm(self, partition: Partition, session: Session, ms: int) -> None:
        session.timer = self._wheel.after(ms / 1000, lambda: self._tick(partition, session))

    def _tick(self, partition: Partition, session: Session) -> None:
        session.timer = None
        if partition.failed or partition.sessions.get(session.charger.casefold()) is not session:
            return
        now, due = now_ms(), session.deadline()
        if due and due <= now:
            try:
                session.tick(now)
            except Exception:
                log.exception("tick_poisoned", charger_id=session.charger)
                session.stumbled("", now)
            self.touched(partition, session)
        elif due:
            self._arm(partition, session, min(due - now, TIMER_MS))


def _looked_at(future: asyncio.Future[None]) -> None:
    if not future.cancelled() and (error := future.exception()) is not None:
        log.warning("inbox_unreachable", reason=repr(error))
