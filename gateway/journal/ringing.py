"""The writes that go into the ring of this process as they are confirmed, when the store is one that may lose them."""

from __future__ import annotations

import asyncio
from typing import Any

from gateway.journal.connection import Argument, Convert
from gateway.journal.ring import NUMBER_TTL, Args, Decided, Keys, Ring
from gateway.journal.store import Store


def append(
    store: Store, ring: Ring, partition: int, keys: Keys, homes: str, args: Args, convert: Convert
) -> asyncio.Future[Any]:
    """append.lua with its keys and arguments; `homes`: the key that again.lua wants besides."""
    number = ring.numbers[partition] = ring.numbers[partition] + 1

    def keep(reply: list[Any]) -> Any:
        outcome = reply[0]
        if outcome == b"new" or outcome == b"repeat":
            size = len(args[3]) + len(args[4])
            repeat = outcome == b"repeat"
            ring.keep((ring.now, size, partition, number, keys, args, homes, reply[1], repeat, reply[3]))
        return convert(reply)

    return store.run("append", (*keys, ring.keys[partition]), *args, number, NUMBER_TTL, convert=keep)


def connect(store: Store, ring: Ring, partition: int, keys: Keys, args: Args) -> asyncio.Future[list[bytes]]:
    """connect.lua with its keys and arguments."""
    number = ring.numbers[partition] = ring.numbers[partition] + 1

    def keep(reply: list[bytes]) -> list[bytes]:
        charger, _, edge, version, identity, head = args
        home = "\n".join((reply[0].decode(), edge, version, identity))
        _keep(ring, partition, number, keys, reply[2], ("open", charger, reply[0], head), home)
        return reply

    return store.run("connect", (*keys, ring.keys[partition]), *args, number, NUMBER_TTL, convert=keep)


def close(store: Store, ring: Ring, partition: int, keys: Keys, args: Args) -> asyncio.Future[None]:
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
    ring.keep((ring.now, len(what[3]) + len(home), partition, number, made, args, "", b"", False, 0))


def commit(
    store: Store, ring: Ring, partition: int, keys: Keys, args: list[Argument], decided: int
) -> asyncio.Future[None]:
    """commit.lua with its keys and arguments; those before `decided` are facts and answers.

    What it acknowledges is not done again: an entry whose acknowledgement the store lost is delivered once more.
    """
    if decided <= 4:  # no facts and no answers
        return store.run("commit", keys, *args, convert=_nothing)

    def keep(_: Any) -> None:
        size = sum(len(arg) for arg in args[:decided] if isinstance(arg, bytes))
        ring.decided(Decided(ring.now, size, partition, keys, (*args[:decided], 0, 0)))

    return store.run("commit", keys, *args, convert=keep)


def _nothing(_: Any) -> None:
    return None
