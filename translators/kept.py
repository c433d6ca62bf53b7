"""Facts that few messages touch. They rest packed, so that a charger that does nothing costs little memory and a message
that needs none of them neither encodes nor stores them.

A facts struct has a member `kept: dict[str, bytes]` and, for each of these parts, a class attribute `name = Kept(...)`. Looking
at the attribute unpacks the part; `pack` says what is to be stored, and packs what was looked at again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, Protocol, TypeVar, overload

import msgspec

T = TypeVar("T")

_encoder = msgspec.msgpack.Encoder().encode

_NONE: dict[str, bytes] = {}
"""Stands for what is kept while the rest is encoded; never added to."""

HOT = ""
"""Name of the part that holds everything else."""


def _encode(value: Any) -> bytes:
    """`value` packed, and no byte more: what an encoder returns holds on to all the room it was written in."""
    return bytes(memoryview(_encoder(value)))


class Facts(Protocol):
    kept: dict[str, bytes]


class Kept(Generic[T]):
    """A part of the facts that is unpacked when somebody looks at it. `make` gives what it is at first: an empty container.

    What was unpacked is an attribute of the facts from then on (their struct has `dict=True`), until they rest.
    """

    def __init__(self, type_: type[T], make: Callable[[], T]) -> None:
        self._decode = msgspec.msgpack.Decoder(type_).decode
        self._make = make
        self._name = ""

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self._name = name

    @overload
    def __get__(self, facts: None, owner: type[Any]) -> Kept[T]: ...
    @overload
    def __get__(self, facts: Facts, owner: type[Any]) -> T: ...
    def __get__(self, facts: Facts | None, owner: type[Any]) -> Kept[T] | T:
        if facts is None:
            return self
        packed = facts.kept.get(self._name, b"")
        value = self._decode(packed) if packed else self._make()
        facts.__dict__[self._name] = value
        return value


def pack(facts: Facts, encode: Callable[[Any], bytes], *, rest: bool) -> dict[str, bytes]:
    """The hot part, and the other parts that have changed since they were packed last.

    `rest`: nobody holds on to anything of the facts, so that they may rest again.
    """
    kept, facts.kept = facts.kept, _NONE
    parts = {HOT: encode(facts)}
    facts.kept = kept
    opened = facts.__dict__
    if opened:
        for name, value in opened.items():
            packed = _encode(value) if value else b""
            if packed != kept.get(name, b""):
                kept[name] = parts[name] = packed
        if rest:
            opened.clear()
    return parts


def whole(facts: Facts, encode: Callable[[Any], bytes]) -> bytes:
    """All parts as one."""
    kept = facts.kept
    facts.kept = {**kept, **{name: _encode(value) if value else b"" for name, value in facts.__dict__.items()}}
    packed = encode(facts)
    facts.kept = kept
    return packed


def holds(facts: Facts, name: str, what: str | int) -> bool:
    """Whether a part may hold this text or number: looked for in what is packed, without unpacking it."""
    return name in facts.__dict__ or _encoder(what) in facts.kept.get(name, b"")


def restore(facts: Facts, parts: Mapping[str, bytes]) -> None:
    """Add the parts that were stored beside the hot one."""
    facts.kept.update((name, packed) for name, packed in parts.items() if name != HOT)
