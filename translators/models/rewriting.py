"""Changes a JSON text at some places and leaves every other byte of it as it was written."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypeAlias

import msgspec
from msgspec import Raw

Changes: TypeAlias = dict[str, bytes | None]
"""Path of a value (`meterValue[0].timestamp`) -> the JSON text in its place; None: it is left out."""

objects = msgspec.json.Decoder(dict[str, Raw]).decode
"""The members of an object, each as it is written. Of doubled ones the last."""
lists = msgspec.json.Decoder(list[Raw]).decode
"""The items of an array, each as it is written."""
_name = msgspec.json.encode


def rewrite(text: bytes, changes: Mapping[str, bytes | None], wrapped: Collection[str] = ()) -> bytes:
    """`text` with `changes`. `wrapped`: paths at which a lone item becomes an array of itself; what is inside of it has the
    path of the first item. Raises msgspec.DecodeError when `text` is no JSON."""
    if not changes and not wrapped:
        return text
    touched = {above for path in (*changes, *wrapped) for above in _above(path)} | set(wrapped)
    return _rewrite(text, "", changes, wrapped, touched)


def _above(path: str) -> list[str]:
    """The paths of what a value is in, the whole text included."""
    found = [""]
    found += [path[:at] for at, sign in enumerate(path) if sign in ".["]
    return found


def _rewrite(
    text: bytes, path: str, changes: Mapping[str, bytes | None], wrapped: Collection[str], touched: set[str]
) -> bytes:
    text = text.strip()
    if path in wrapped or text.startswith(b"["):
        items = [Raw(text)] if path in wrapped else lists(text)
        texts = []
        for index, item in enumerate(items):
            where = f"{path}[{index}]"
            changed = _changed(bytes(item), where, changes, wrapped, touched)
            if changed is not None:
                texts.append(changed)
        return b"[%b]" % b",".join(texts)
    members = []
    given = objects(text)
    for name, raw in given.items():
        where = f"{path}.{name}" if path else name
        changed = _changed(bytes(raw), where, changes, wrapped, touched)
        if changed is not None:
            members.append(b"%b:%b" % (_name(name), changed))
    begin = f"{path}." if path else ""
    for where, value in changes.items():
        name = where.removeprefix(begin)
        if value is not None and where.startswith(begin) and name not in given and not set(name) & set(".["):
            members.append(b"%b:%b" % (_name(name), value))
    return b"{%b}" % b",".join(members)


def _changed(
    value: bytes, where: str, changes: Mapping[str, bytes | None], wrapped: Collection[str], touched: set[str]
) -> bytes | None:
    if where in changes:
        return changes[where]
    return _rewrite(value, where, changes, wrapped, touched) if where in touched else value
