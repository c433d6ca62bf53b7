"""What is looked at in JSON as text, without making objects of it: the shape of a header, depth, doubled keys, surrogates.

Pure. Rows R01, R03, R36-R40 of the table of bad inputs (malformed.yaml).
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NamedTuple

import msgspec

MOST_DIGITS: Final = 40
"""Of one number, its exponent included."""
LONGEST_TEXT: Final = 64 * 1024
"""Bytes of one string as it is written; no member of any version is allowed half of that, but the data of a DataTransfer."""


class Bounds(NamedTuple):
    """How much a charger may have at once."""

    open: int = 16
    """CALLs that wait for their answers, after which its socket is not read until one is answered (row R20)."""
    depth: int = 32
    """Levels of one message (row R37)."""
    nodes: int = 20_000
    """Values of one message."""


BOUNDS: Final = Bounds()

_HEADER = re.compile(
    rb'\s*\[\s*2\s*,\s*("(?:[^"\\\x00-\x1f]|\\.){0,512}"|-?\d{1,64}(?:\.\d{1,64})?)\s*,\s*"[^"\\]{0,128}"\s*[,\]]'
)
_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_NOT_NUMBERS = re.compile(rb"\b(?:NaN|Infinity)\b")
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_KEYS = re.compile(rb'"([^"\\]*)"\s*:')
_ESCAPES = re.compile(
    rb"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[dD][89a-fA-F][0-9a-fA-F]{2}|.)", re.S
)
_DIGITS = bytes.maketrans(b"123456789.eE+-", b"0" * 14)
_DENSE = b"0" * (MOST_DIGITS // 8)
_LONG_NUMBER = re.compile(rb"\d[\d.eE+-]{40,}")
_CONTROLS = re.compile(rb"[\x00-\x1f]")
_LONE = re.compile(rb"\\u[dD][89a-fA-F]")

sound = msgspec.json.Decoder().decode
"""Decodes; raises msgspec.ValidationError for a number that no parser's number is (row R40)."""


def header_id(data: bytes) -> bytes | None:
    """The message id, as JSON text, of a frame that is no JSON but whose header can be read; None: it cannot."""
    header = _HEADER.match(data.removeprefix(b"\xef\xbb\xbf"))
    return header[1] if header is not None and _is_json(header[1]) else None


def is_id(raw: bytes) -> bool:
    """A string, number or boolean can be echoed (row R12); null, arrays and objects cannot (row R15)."""
    return raw[:1] not in (b"n", b"{", b"[")


def as_text(raw: bytes) -> str:
    """A JSON string, number or boolean as text."""
    if raw[:1] != b'"':
        return raw.decode()
    if b"\\" not in raw:
        return raw[1:-1].decode()
    decoded: str = msgspec.json.decode(raw, type=str)
    return decoded


def has_not_numbers(data: bytes) -> bool:
    """Whether NaN or Infinity stands where a number should."""
    return _NOT_NUMBERS.search(_STRINGS.sub(b"", data)) is not None


def long_number(payload: bytes) -> bool:
    """Whether a number in this valid JSON has more than 40 digits (row R40)."""
    # Every eighth byte of such a number is one of its signs: five in a row, which texts without one hardly ever show.
    if _DENSE not in payload[::8].translate(_DIGITS):
        return False
    return any(
        sum(number.count(b"%d" % digit) for digit in range(10)) > MOST_DIGITS
        for number in _LONG_NUMBER.findall(_STRINGS.sub(b"", payload))
    )


def long_text(payload: bytes) -> bool:
    """Whether a string in this valid JSON is longer than 64 KiB."""
    return any(len(text[0]) > LONGEST_TEXT + 2 for text in _STRINGS.finditer(payload))


def doubled(payload: bytes) -> bool:
    """Whether an object in this valid JSON has a key twice. The last one counts, for every parser."""
    keys = _KEYS.findall(payload)
    if len(keys) == len(set(keys)) and b"\\" not in payload:
        return False
    found = False

    def look(pairs: list[tuple[str, Any]]) -> None:
        nonlocal found
        found = found or len(pairs) != len({key for key, _ in pairs})

    json.loads(payload, object_pairs_hook=look, parse_int=str, parse_float=str)
    return found


def mended(data: bytes) -> bytes:
    """The same with every lone surrogate, which is no character, as U+FFFD; `data` itself if there is none."""
    return _ESCAPES.sub(_mend, data) if _LONE.search(data) else data


def escaped(data: bytes) -> bytes:
    """The same with every control character that stands in a string as it is, which JSON does not allow, escaped; `data` itself
    if there is none."""
    return _STRINGS.sub(lambda text: _CONTROLS.sub(_escape, text[0]), data) if _CONTROLS.search(data) else data


def _escape(control: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % control[0][0]


def _mend(escape: re.Match[bytes]) -> bytes:
    whole = escape[0]
    return rb"\ufffd" if escape[1] is None and len(whole) == 6 else whole


def too_deep(data: bytes, bounds: Bounds = BOUNDS) -> bool:
    """Whether arrays and objects nest deeper inside the frame, or there are more values."""
    most, deepest = bounds.nodes, bounds.depth + 1
    if data.count(b",") + data.count(b"[") + data.count(b"{") > most:
        bare = _STRINGS.sub(b"", data)
        if bare.count(b",") + bare.count(b"[") + bare.count(b"{") > most:
            return True
    if _depth(data.translate(None, _NOT_BRACKETS), deepest) <= deepest:
        return False
    # Brackets inside strings may have deceived the quick look.
    return _depth(_STRINGS.sub(b"", data).translate(None, _NOT_BRACKETS), deepest) > deepest


def _depth(brackets: bytes, deepest: int) -> int:
    """Nesting of a text of nothing but brackets; of an unbalanced one, at least as much as a parser would see."""
    rounds = 0
    while rounds <= deepest:
        inner = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if len(inner) == len(brackets):
            break
        brackets = inner
        rounds += 1
    return rounds + brackets.count(b"[") + brackets.count(b"{")


def _is_json(raw: bytes) -> bool:
    try:
        msgspec.json.decode(raw)
    except msgspec.MsgspecError:
        return False
    return True
