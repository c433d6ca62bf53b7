"""The writes that go into the ring of this process as they are confirmed, when the store is one that may lose them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gateway.journal.connection import Argument
from gateway.journal.entry import Entry
from gateway.journal.recovery import Step
from gateway.journal.reply import Reply
from gateway.journal.ring import NUMBER_TTL, Args, Keys, Ring
from gateway.journal.store import Store

if TYPE_CHECKING:
    from gateway.journal.facts import Commit

_ID = 72
"""Bytes of memory that an entry's id takes in a list."""
_ARGUMENT = 40
"""Bytes of memory that an argument takes beside its text."""


def connect(store: Store, ring: Ring, partition: int, keys: Keys, args: Args) -> Reply[list[bytes]]:
    """connect.lua with its keys and arguments."""
    number = ring.numbers[partition] = ring.numbers[partition] + 1

    def keep(reply: list[bytes]) -> list[bytes]:
        charger, _, edge, version, identity, head = args
        home = "\n".join((reply[0].decode(), edge, version, identity))
        _keep(ring, partition, number, keys, reply[2], ("open", charger, reply[0], head), home)
        return reply

    return store.run("connect", (*keys, ring.keys[partition]), *args, number, NUMBER_TTL, convert=keep)


def close(store: Store, ring: Ring, partition: int, keys: Keys, args: Args) -> Reply[None]:
    """close.lua with its keys and arguments."""
    number = ring.numbers[partition] = ring.numbers[partition] + 1

    def keep(reply: bytes | None) -> None:
        if reply is not None:
            charger, epoch, _, head = args
            _keep(ring, partition, number, keys, reply, ("close", charger, epoch, head), "")

    return store.run("close", (*keys, ring.keys[partition]), *args, number, NUMBER_TTL, convert=keep)


def _keep(ring: Ring, partition: int, number: int, keys: Keys, id: bytes, what: Args, home: str) -> None:
    stream, epochs, homes, live = keys
    made = (stream, epochs, homes, live, ring.keys[partition])
    args = (number, NUMBER_TTL, id, *what, b"", 0, 0, home, 0)
    ring.keep((ring.now, len(what[3]) + len(home), partition, number, made, args, "", False, 0))


def commit(
    store: Store,
    ring: Ring,
    partition: int,
    keys: Keys,
    args: list[Argument],
    again: list[Argument],
    what: Commit,
    done: Callable[[Any], None],
) -> Reply[None]:
    """commit.lua with its keys and arguments; `again`: those without acknowledgements. Both begin with the token. `done` is given the
    reply."""
    token = int(args[0])
    number = ring.decisions[partition] = ring.decisions[partition] + 1
    args[0] = again[0] = f"{token} {number}"
    made = (*keys, ring.decision_keys[partition])

    def keep(reply: Any) -> None:
        done(reply)
        size = sum(len(arg) for arg in again if isinstance(arg, bytes)) + _ARGUMENT * len(again)
        size += _ID * sum(map(len, what.acks.values()))
        kept = tuple(again)
        ring.step(Step(ring.now, partition, token, number, size, made, kept, passed=what.passed, acks=what.acks))

    return store.gather("commit", made, args, keep)


def pending(ring: Ring, partition: int, token: int, batch: dict[str, list[Entry]]) -> None:
    """What a hub has found in the pending lists."""
    ids = {group: [entry.id for entry in entries] for group, entries in batch.items() if entries}
    if ids:
        ring.step(Step(ring.now, partition, token, size=_ID * sum(map(len, ids.values())), pending=ids))


def peek(ring: Ring, partition: int, token: int, batch: dict[str, list[Entry]]) -> None:
    """What a hub has taken and did not do with yet."""
    ids = {group: [entry.id for entry in entries] for group, entries in batch.items() if entries}
    if ids:
        ring.step(Step(ring.now, partition, token, size=_ID * sum(map(len, ids.values())), taken=ids))
