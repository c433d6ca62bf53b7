"""One integer member of a JSON text, read and replaced in place: every other byte stays as it was received."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

import msgspec

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s"{}\[\],:]+')
_COLON = re.compile(rb"\s*:\s*")
_NUMBER = re.compile(rb"-?[0-9][0-9.eE+-]*")
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_EXACT = 2**53
"""Up to here every integer that is written as a decimal fraction or with an exponent is exact."""


def edit(raw: bytes, path: tuple[str, ...], change: Callable[[int], int]) -> bytes:
    """`raw` with the integer at `path` (names of nested objects' members, outermost first) replaced by `change(integer)`.

    Where the member is not there, or is no integer, nothing is changed. A member that is there more than once is replaced each
    time. An integer that a peer has quoted stays quoted. `raw` is valid JSON.
    """
    made, end = b"", 0
    for start, stop, value in _integers(raw, path):
        new = change(value)
        if new == value:
            continue
        text = b"%d" % new
        if raw[start] == 0x22:
            text = b'"' + text + b'"'
        made += raw[end:start] + text
        end = stop
    return made + raw[end:] if end else raw


def read(raw: bytes, path: tuple[str, ...]) -> int | None:
    """The integer at `path`, the last one if it is there more than once; None if there is none."""
    found = None
    for start, stop in _spans(raw, path):
        found = _integer(raw[start:stop])
    return found


@lru_cache(maxsize=8)  # each upstream of a charger is told the same message, one after the other
def _integers(raw: bytes, path: tuple[str, ...]) -> list[tuple[int, int, int]]:
    """Where the integers at `path` are, and their values."""
    found = ((start, stop, _integer(raw[start:stop])) for start, stop in _spans(raw, path))
    return [(start, stop, value) for start, stop, value in found if value is not None]


def without(raw: bytes, name: str) -> bytes:
    """`raw`, an object, without its member `name`."""
    return msgspec.json.encode({each: value for each, value in _members(raw).items() if each != name})


def _spans(raw: bytes, path: tuple[str, ...]) -> list[tuple[int, int]]:
    """Where the simple values (no objects, no arrays) at `path` are."""
    names = [b'"' + name.encode() + b'"' for name in path]
    if len(path) == 1 and b"\\" not in raw and (count := raw.count(names[0])) < 2:
        return _only(raw, path[0], names[0]) if count else []
    found: list[tuple[int, int]] = []
    depth = entered = 0  # objects and arrays around this token; how many of them, from outside, are on the path
    wanted = False  # the next value belongs to the member of the path
    last = b""
    for token in _TOKEN.finditer(raw):
        first = raw[token.start()]
        if first == 0x7B:  # {
            if entered == depth and (depth == 0 or (wanted and depth < len(path))):
                entered += 1
            depth += 1
            wanted = False
        elif first == 0x5B:  # [
            depth += 1
            wanted = False
        elif first in b"}]":
            if entered == depth:
                entered -= 1
            depth -= 1
            wanted = False
        elif first == 0x3A:  # :
            wanted = entered == depth > 0 and _same(last, names[depth - 1])
        elif first == 0x2C:  # ,
            wanted = False
        else:
            if wanted and depth == len(path):
                found.append(token.span())
            wanted = False
            last = token.group()
    return found


def _only(raw: bytes, name: str, token: bytes) -> list[tuple[int, int]]:
    """`_spans` of a member of the outermost object whose name is there once, at whatever depth, and nothing with escapes."""
    try:
        value = _members(raw).get(name)
    except msgspec.ValidationError:
        return []
    if value is None or bytes(value)[:1] in b"{[":
        return []
    colon = _COLON.match(raw, raw.index(token) + len(token))
    assert colon is not None
    return [(colon.end(), colon.end() + len(bytes(value)))]


def _same(token: bytes, name: bytes) -> bool:
    """Whether a member's name, as written, is `name`; it may be written with escapes."""
    return token == name or (b"\\" in token and bool(msgspec.json.decode(token) == msgspec.json.decode(name)))


def _integer(token: bytes) -> int | None:
    text = token.strip(b'"')
    if not _NUMBER.fullmatch(text):
        return None
    try:
        if text.removeprefix(b"-").isdigit():
            return int(text)
        value = float(text)
    except ValueError:
        return None
    return int(value) if value.is_integer() and abs(value) < _EXACT else None
