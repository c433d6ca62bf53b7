"""One owned partition: its sessions, and the order decide -> commit -> send.

Everything that a tick decided for the partition is one commit, checked against the lease's fencing token; frames to sockets and
items for an edge's inbox leave only once that commit is confirmed, in the order of the commits.
"""

from __future__ import annotations

from asyncio import Future
from collections import deque
from collections.abc import Callable

from gateway import failpoints
from gateway.journal.entry import Entry
from gateway.journal.facts import Commit
from gateway.journal.journal import Journal
from gateway.journal.streams import Batch, order

from .link import Effects
from .session import SESSION, Session


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
        "handed",
        "loading",
        "number",
        "position",
        "reading",
        "run",
        "rung",
        "sessions",
        "token",
        "waiting",
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
        self.run = -1
        """Number of the newest entry that was taken; -1: not known."""
        self.handed: dict[str, dict[str, bool]] = {}
        """Per group, entries that this process handed over after their append and the group has not read: id -> done."""
        self.waiting: list[tuple[int, Entry]] = []
        """Entries (with their number) that were to be handed over during a read."""
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

    def hand(self, entry: Entry, groups: list[str], reader: str) -> None:
        """Note that an entry is taken without being read. Only `reader` (empty: every group but the session) has a
        business with it; the others are done."""
        for group in groups:
            self.handed.setdefault(group, {})[entry.id] = group != reader if reader else group == SESSION

    def took(self, batch: Batch) -> None:
        """Note what a read has passed, so that it is not taken twice; leaves in `batch` only what is new."""
        for group, last in batch.passed.items():
            handed = self.handed.get(group)
            if not handed:
                continue
            entries = batch[group]
            batch[group] = [entry for entry in entries if entry.id not in handed]
            if group != SESSION:
                # They are in the group's pending list now, and acknowledged like any other.
                done = [entry.id for entry in entries if handed.get(entry.id)]
                if done:
                    self.effects.acks.setdefault(group, []).extend(done)
            end = order(last)
            for id in [id for id in handed if order(id) <= end]:
                del handed[id]

    def acknowledge(self, group: str, id: str) -> None:
        """`group` has done with an entry."""
        handed = self.handed.get(group)
        if handed and id in handed:
            handed[id] = True
        else:
            self.effects.acks.setdefault(group, []).append(id)

    def _settle(self, effects: Effects) -> tuple[dict[str, list[str]], dict[str, str]]:
        """Acknowledgements as the store needs them: of entries that were read, and how far the others reach."""
        acks: dict[str, list[str]] = {}
        for group, ids in effects.acks.items():
            handed = self.handed.get(group)
            if not handed:
                acks[group] = ids
                continue
            for id in ids:
                if id in handed:
                    handed[id] = True
                else:
                    acks.setdefault(group, []).append(id)
        passed: dict[str, str] = {}
        if self.reading:
            return acks, passed  # a read that is under way may pass them first, and a group never goes back
        for group, handed in self.handed.items():
            while handed:
                id = next(iter(handed))
                if not handed[id]:
                    break
                passed[group] = id
                del handed[id]
        return acks, passed

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
            commit = Commit(facts, effects.answers, *self._settle(effects))
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
