"""One owned partition: its sessions, and the order decide -> commit -> send.

Everything that a tick decided for the partition is one commit, checked against the lease's fencing token; frames to sockets and
items for an edge's inbox leave only once that commit is confirmed, in the order of the commits.
"""

from __future__ import annotations

from asyncio import Future
from collections import deque
from collections.abc import Callable

from gateway import failpoints
from gateway.journal.facts import Commit
from gateway.journal.journal import Journal

from .link import Effects
from .session import Session


class Partition:
    """Holds what one lease protects. `on_failed` is told when a commit was refused or its outcome is unknown."""

    __slots__ = (
        "_in_flight",
        "_journal",
        "_on_failed",
        "_send",
        "dirty",
        "effects",
        "failed",
        "loading",
        "number",
        "position",
        "reading",
        "rung",
        "sessions",
        "token",
    )

    def __init__(
        self,
        number: int,
        token: int,
        journal: Journal,
        send: Callable[[Effects], None],
        on_failed: Callable[[Partition, BaseException], None],
    ) -> None:
        self.number = number
        self.token = token
        self.sessions: dict[str, Session] = {}
        """By casefolded identity."""
        self.loading: dict[str, list[Callable[[Session], None]]] = {}
        """What happened to chargers whose facts are still being read."""
        self.position = "0-0"
        """Stream id after which there may be news."""
        self.reading = False
        """A read is under way."""
        self.rung = False
        """There was news since it began."""
        self.effects = Effects()
        self.dirty = False
        self.failed = False
        self._journal = journal
        self._send = send
        self._on_failed = on_failed
        self._in_flight: deque[tuple[Future[None] | None, Effects]] = deque()

    def flush(self) -> None:
        """Commit what was decided since the last flush, then send it."""
        self.dirty = False
        if self.failed:
            return
        effects = self.effects.take()
        facts: dict[tuple[str, str], bytes | None] = {}
        for link in effects.links:
            state = link.translator.state()
            if state != link.stored:
                facts[(link.charger, f"link:{link.name}")] = state
                link.stored = state
        if facts or effects.to_commit:
            if failpoints.armed:
                failpoints.hit("before_commit")
            for upstream, entry, why in effects.dead:
                self._journal.dead_letter(upstream, entry, why)
            commit = Commit(facts, effects.answers, effects.acks)
            future = self._journal.commit(self.number, self.token, commit)
            self._in_flight.append((future, effects))
            future.add_done_callback(self._committed)
        elif self._in_flight:
            self._in_flight.append((None, effects))
        else:
            self._send(effects)

    @property
    def quiet(self) -> bool:
        """Nothing is decided and not yet sent."""
        return not self._in_flight and not self.dirty

    def _committed(self, future: Future[None]) -> None:
        if self.failed:
            if not future.cancelled():
                future.exception()  # looked at, so that the loop does not complain
            return
        error: BaseException | None = None if not future.cancelled() else RuntimeError("the commit was cancelled")
        error = error or future.exception()
        if error is not None:
            self.failed = True
            self._in_flight.clear()
            self._on_failed(self, error)
            return
        if failpoints.armed:
            failpoints.hit("after_commit")
        while self._in_flight and ((head := self._in_flight[0][0]) is None or head.done()):
            _, effects = self._in_flight.popleft()
            self._send(effects)
