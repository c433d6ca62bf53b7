"""One owned partition: its sessions, and the order decide -> commit -> send.

Everything that a tick decided for the partition is one commit, checked against the lease's fencing token; frames to sockets and
items for an edge's inbox leave only once that commit is confirmed, in the order of the decisions. One commit is under way at a
time: under load the next carries what came meanwhile.
"""

from __future__ import annotations

import math
import time
from asyncio import Future
from collections.abc import Callable

from gateway import failpoints
from gateway.clock import now_ms
from gateway.journal.entry import Entry
from gateway.journal.errors import StoreDown
from gateway.journal.facts import Commit
from gateway.journal.journal import Journal
from gateway.journal.streams import Batch

from .effects import Effects
from .session import SESSION, Session
from .shared import FIELD, field_of
from .shared import encode as encode_shared
from .terms import FIELD as TERMS
from .terms import encode as encode_terms

SKIPPED_MOST = 64
"""Charger CALLs that the session group may be behind: it has no business with them, and an owner that reads them skips them."""


class Handed:
    """Entries that one group was told and has not passed; those that are done wait here for the next commit."""

    __slots__ = ("all", "done", "due", "ids")

    def __init__(self) -> None:
        self.ids: dict[str, None] = {}
        """In the order of the stream."""
        self.done: set[str] = set()
        self.due = False
        """The next commit has to pass them."""
        self.all = False
        """Also those that are not done."""

    def __len__(self) -> int:
        return len(self.ids)

    def pass_done(self) -> tuple[str, list[str]]:
        """Forget everything up to the last entry that is done, or `all`: gives its id, and the ids before it that are not done."""
        last, open = "", []
        while self.done or (self.all and self.ids):
            last = next(iter(self.ids))
            del self.ids[last]
            if last in self.done:
                self.done.remove(last)
            else:
                open.append(last)
        self.due = self.all = False
        return last, open


class Loading(list["Callable[[Session], None]"]):
    """What happened to a charger while its facts are being read."""

    def __init__(self) -> None:
        super().__init__()
        self.first: dict[str, str] = {}
        """Group -> id of the first CALL of the charger that is for it."""


class Partition:
    """Holds what one lease protects. `on_failed` is told when a commit was refused or its outcome is unknown."""

    __slots__ = (
        "_commit",
        "_committing",
        "_freed",
        "_journal",
        "_on_failed",
        "_send",
        "_sends",
        "caught_up",
        "deserted",
        "dirty",
        "effects",
        "failed",
        "handed",
        "interrupted",
        "leased_until",
        "loading",
        "number",
        "passing",
        "position",
        "positions",
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
        freed: Callable[[Partition], None] | None = None,
    ) -> None:
        """`freed` is told when a commit has ended: then it sees to the next `flush`."""
        self.number = number
        self.token = token
        self.sessions: dict[str, Session] = {}
        """By casefolded identity."""
        self.loading: dict[str, Loading] = {}
        """By casefolded identity."""
        self.leased_until = math.inf
        """Until when the lease is certainly held (`time.monotonic`): nothing leaves after that."""
        self.interrupted = False
        """The store was away: what was under way there may have happened or not. Nothing is read, committed or sent that
        needs a commit, until `resume`."""
        self.deserted = False
        """Its owner before may have died: what is read first may have been told already."""
        self.caught_up = False
        """What was pending at the take-over is taken."""
        self.positions: dict[str, str] = {}
        """Group -> id of the last entry that was taken for it."""
        self.position = "0-0"
        """Stream id after which there may be news."""
        self.run = -1
        """Number of the newest entry that was taken; -1: not known."""
        self.handed: dict[str, Handed] = {}
        """Per group, entries that it was told and has not passed: its hub would be told them again."""
        self.passing = False
        """The next commit passes all."""
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
        self._freed = freed
        self._committing: Future[None] | None = None
        self._commit: Commit | None = None
        """The one under way, or whose outcome is unknown."""
        self._sends: list[Effects] = []
        """Leave when that commit is confirmed."""

    def hand(self, entry: Entry, groups: list[str], reader: str) -> None:
        """Note that an entry is taken without being read. Only `reader` (empty: every group but the session) has a
        business with it; the others are done."""
        for group in groups:
            handed = self.handed.get(group)
            if handed is None:
                handed = self.handed[group] = Handed()
            handed.ids[entry.id] = None
            self.positions[group] = entry.id
            if group != reader if reader else group == SESSION:
                handed.done.add(entry.id)
                handed.due = handed.due or bool(reader) or len(handed.done) >= SKIPPED_MOST

    def took(self, batch: Batch) -> None:
        """Note what a look at the stream has brought."""
        for group, entries in batch.all.items():
            if not entries:
                continue
            handed = self.handed.get(group)
            if handed is None:
                handed = self.handed[group] = Handed()
            for entry in entries:
                handed.ids[entry.id] = None
                if (entry.kind == "call") is (group == SESSION):
                    handed.done.add(entry.id)
            handed.due = handed.due or len(handed.done) >= SKIPPED_MOST
            self.positions[group] = entries[-1].id

    def acknowledge(self, group: str, id: str) -> None:
        """`group` has done with an entry."""
        handed = self.handed.get(group)
        if handed is not None and id in handed.ids:
            handed.done.add(id)
            handed.due = True
        else:
            self.effects.acks.setdefault(group, []).append(id)

    def pass_all(self) -> None:
        """Have each group pass all that it was told; what is not done goes to its pending list."""
        for handed in self.handed.values():
            if handed.ids:
                handed.due = handed.all = self.passing = True
        if self.passing:
            self.flush()

    def _settle(self, effects: Effects) -> tuple[dict[str, list[str]], dict[str, tuple[str, list[str]]]]:
        """Acknowledgements as the store needs them: of entries that were pending, and how far the others reach."""
        acks: dict[str, list[str]] = {}
        for group, ids in effects.acks.items():
            handed = self.handed.get(group)
            for id in ids:
                if handed is not None and id in handed.ids:
                    handed.done.add(id)
                    handed.due = True
                else:
                    acks.setdefault(group, []).append(id)
        self.passing = False
        due = {group: handed for group, handed in self.handed.items() if handed.due and (handed.done or handed.all)}
        return acks, {group: handed.pass_done() for group, handed in due.items()}

    def flush(self) -> None:
        """Commit what was decided since the last flush, then send it."""
        self.dirty = False
        if self.failed:
            return
        if time.monotonic() > self.leased_until:
            self.dirty = True  # until the lease is renewed, or lost
            return
        if self._sends and self._committing is None and self._commit is None:
            self._release()
        if self._committing is not None or self.interrupted:
            if self.passing or self.effects.to_commit:
                self.dirty = True  # until that commit has ended
            else:
                self._sends.append(self.effects.take())
            return
        effects = self.effects.take()
        facts = effects.facts
        for link in effects.links:
            for part, state in link.translator.stored().items():
                if state != link.stored.get(part, b""):
                    facts[(link.charger, field_of(link.name, part))] = state
                    link.stored[part] = state
        for charger, shared in effects.shared.items():
            facts[(charger, FIELD)] = encode_shared(shared)
        for charger, terms in effects.terms.items():
            facts[(charger, TERMS)] = encode_terms(terms)
        moves = effects.dead or effects.parks or effects.unparks
        if facts or effects.answers or effects.acks or moves or self.passing:
            if failpoints.armed:
                failpoints.hit("before_commit")
            acks, passed = self._settle(effects)
            if self.effects.unstored:
                facts |= self.effects.unstored.take(now_ms())
            self._commit = Commit(facts, effects.answers, acks, passed, effects.parks, effects.unparks, effects.dead)
            self._sends.append(effects)
            self._send_commit(self._commit)
        else:
            self._send(effects)

    def _send_commit(self, commit: Commit) -> Future[None]:
        committing = self._committing = self._journal.commit(self.number, self.token, commit)
        committing.add_done_callback(self._committed)
        return committing

    @property
    def committing(self) -> bool:
        """A commit is under way."""
        return self._committing is not None

    @property
    def steady(self) -> bool:
        """No answer of the store is awaited."""
        return not self.reading and self._committing is None

    async def resume(self, token: int) -> None:
        """The store is back, it is the same, and the lease was held all the time: bring it to where this hub is.

        The commit whose outcome is unknown is made again, which is harmless. Raises StoreDown, Fenced.
        """
        self.token = token
        if self._commit is not None:
            await self._send_commit(self._commit)
        self.interrupted = False
        self.run = -1
        self.waiting.clear()  # the next read brings them
        self.flush()

    @property
    def quiet(self) -> bool:
        """Nothing is decided and not yet sent."""
        return self._committing is None and self._commit is None and not self.dirty

    def _committed(self, future: Future[None]) -> None:
        self._conclude(future)
        if self._freed is not None:
            self._freed(self)
        elif self.dirty:
            self.flush()

    def _conclude(self, future: Future[None]) -> None:
        if self.failed:
            if not future.cancelled():
                future.exception()  # looked at, so that the loop does not complain
            return
        error: BaseException | None = None if not future.cancelled() else RuntimeError("the commit was cancelled")
        error = error or future.exception()
        self._committing = None
        if isinstance(error, StoreDown):
            self.interrupted = True
            self._on_failed(self, error)
            return
        if error is not None:
            self.failed = True
            self._sends.clear()
            self._on_failed(self, error)
            return
        if failpoints.armed:
            failpoints.hit("after_commit")
        self._commit = None
        if time.monotonic() > self.leased_until:
            self.dirty = True  # this process has slept: another hub may speak for these chargers now
            return
        self._release()

    def _release(self) -> None:
        sends, self._sends = self._sends, []
        for effects in sends:
            self._send(effects)
