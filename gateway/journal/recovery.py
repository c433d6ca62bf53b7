"""Where each group stood, told from what this hub has read and committed lately: a new primary may know less.

Facts and the positions of the groups belong together: facts that are newer than the position would have entries decided
again that they already count. So both come back, and only under the lease that they were decided under.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import msgspec

from gateway.journal import keys

Id: TypeAlias = tuple[int, int]


class Step(msgspec.Struct, frozen=True, gc=False):
    """A look at or a commit of one partition, as far as the groups but the session's are concerned."""

    at: float
    partition: int
    token: int
    number: int = 0
    """Of the commit; 0: a look."""
    size: int = 0
    keys: tuple[str, ...] = ()
    args: tuple[str | bytes | int, ...] = ()
    """Those of commit.lua for a commit that acknowledges nothing."""
    pending: dict[str, list[str]] = {}
    """Group -> entries that its hub has found in its pending list."""
    taken: dict[str, list[str]] = {}
    """Group -> entries that its hub has taken behind its place."""
    passed: dict[str, tuple[str, list[str]]] = {}
    """Group -> id that it has passed, and what lies before it and is not done."""
    acks: dict[str, list[str]] = {}


class Group:
    """One group, step by step."""

    def __init__(self) -> None:
        self.top: Id = (0, 0)
        self.open: set[str] = set()
        self.taken: set[str] = set()
        """Not passed yet."""
        self.acked: dict[str, None] = {}

    def take(self, step: Step, group: str) -> None:
        self.open.update(step.pending.get(group, ()))
        for id in step.pending.get(group, ()):
            self.acked.pop(id, None)
        self.taken.update(step.taken.get(group, ()))
        top, open = step.passed.get(group, ("", []))
        if top:
            behind = {id for id in self.taken if order(id) <= order(top)}
            self.taken -= behind
            self.acked.update(dict.fromkeys(behind.difference(open)))
        self.open.update(open)
        for id in step.acks.get(group, ()):
            self.open.discard(id)
            self.taken.discard(id)
            self.acked[id] = None
        for id in (top, *step.pending.get(group, ()), *step.acks.get(group, ())):
            self.top = max(self.top, order(id)) if id else self.top


def order(id: str) -> Id:
    ms, _, seq = id.partition("-")
    return int(ms), int(seq or 0)


def recovered(
    partition: int, steps: Iterable[Step], own: Iterable[str]
) -> Iterable[tuple[tuple[str, ...], tuple[str | int, ...]]]:
    """Keys and arguments of recover.lua, per group. `own`: ids of the entries that this process appended: those that a
    group has passed and that are not open are done, as they were handed over."""
    made = list(steps)
    token = max((step.token for step in made), default=0)
    groups: dict[str, Group] = {}
    for step in made:
        if step.token == token:
            for name in {*step.pending, *step.taken, *step.passed, *step.acks} - {"session"}:
                groups.setdefault(name, Group()).take(step, name)
    mine = [(order(id), id) for id in own]
    for name, group in groups.items():
        done = [id for at, id in mine if at <= group.top and id not in group.open and id not in group.acked]
        top = f"{group.top[0]}-{group.top[1]}"
        yield (
            (keys.lease(partition), keys.stream(partition)),
            (token, name, top, len(group.acked), *group.acked, len(group.open), *group.open, *done),
        )
