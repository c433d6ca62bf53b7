"""The keys of the configuration for people: type, default, environment variable and meaning, from the types of gateway.config."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import inspect as types

from gateway.config import Config
from gateway.config_check import TRANSLATE_ONLY
from gateway.config_texts import field_texts


class Key(msgspec.Struct):
    """One key."""

    path: str
    """`upstreams.<name>.url`, `routes[0].match`."""
    name: str
    type: str
    default: str
    variable: str
    """The environment variable that sets it."""
    text: str


class Section(msgspec.Struct):
    """Keys that stand together."""

    path: str
    text: str
    keys: list[Key]


def sections() -> list[Section]:
    """All keys, in the order of the types."""
    root = types.type_info(Config)
    assert isinstance(root, types.StructType)
    found: list[Section] = []
    for field in root.fields:
        kind: Any = field.type
        path = field.name
        if isinstance(kind, types.Metadata):  # one, or a list of them
            whole: Any = kind.type
            kind = whole.item_type
        if isinstance(kind, types.DictType):
            kind, path = kind.value_type, f"{path}.<name>"
        elif isinstance(kind, types.VarTupleType):
            kind, path = kind.item_type, f"{path}[0]"
        found += _sections(kind, path)
    return found


def known(key: str) -> list[Key]:
    """The keys that `key` names: itself and those below it; all for an empty one. Names and numbers may be left out."""
    wanted = [part for part in re.sub(r"\[\d*\]", "", key).split(".") if part]
    every = [each for section in sections() for each in section.keys]
    return [each for each in every if _fits(_parts(each.path, names=False), wanted)] or [
        each for each in every if _fits(_parts(each.path, names=True), wanted)
    ]


def _parts(path: str, *, names: bool) -> list[str]:
    parts = path.replace("[0]", "").split(".")
    return parts if names else [part for part in parts if part != "<name>"]


def _fits(parts: list[str], wanted: list[str]) -> bool:
    return len(wanted) <= len(parts) and all(
        part in (other, "<name>") for part, other in zip(parts, wanted, strict=False)
    )


def _type(kind: types.Type) -> str:
    special = None
    if isinstance(kind, types.Metadata):
        special, kind = (kind.extra or {}).get("kind"), kind.type
    if isinstance(kind, types.UnionType):
        return " or ".join(_type(each) for each in kind.types if not isinstance(each, types.NoneType))
    if isinstance(kind, types.FloatType):
        return "number 0..1" if special == "part" else "duration"
    if special == "secret" and isinstance(kind, types.DictType):
        return "mapping to text, or `*_file`"
    if special in ("size", "secret"):
        return {"size": "size", "secret": "text, or `*_file`"}[special]
    if isinstance(kind, types.IntType):
        return f"number {kind.ge}..{kind.le}" if kind.le is not None else "number"
    if isinstance(kind, types.BoolType):
        return "true, false"
    if isinstance(kind, types.LiteralType):
        return ", ".join(f"`{value}`" for value in kind.values)
    if isinstance(kind, types.VarTupleType):
        return f"list of {_type(kind.item_type)}"
    if isinstance(kind, types.TupleType):
        return "[" + ", ".join(_type(item) for item in kind.item_types) + "]"
    if isinstance(kind, types.DictType):
        return f"mapping to {_type(kind.value_type)}"
    return "text"


def _default(field: types.Field) -> str:
    if field.required:
        return "required"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    if value == "":
        return "empty"
    if value is None:
        return "not given"
    if isinstance(value, float | int) and not isinstance(value, bool) and _type(field.type) == "duration":
        return f"{value / 86400:g} d" if value and not value % 86400 else f"{value:g} s"
    if _type(field.type) == "size":
        return next(
            f"{value // unit} {name}"
            for unit, name in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "B"))
            if not value % unit
        )
    return f"`{msgspec.json.encode(value).decode()}`" if isinstance(value, bool | list | tuple | dict) else f"`{value}`"


def _environment(path: str) -> str:
    name = path.replace("<name>", "NAME").replace("[0]", "__0").replace(".", "__")
    return f"OCPPGW_{name.upper()}"


def _sections(kind: types.StructType, path: str) -> Iterator[Section]:
    texts = field_texts(kind.cls)
    section = Section(path, inspect.getdoc(kind.cls) or "", [])
    nested: list[tuple[types.StructType, str]] = []
    for field in kind.fields:
        if kind.cls.__name__ == "Options" and field.name in TRANSLATE_ONLY:
            continue
        key = f"{path}.{field.encode_name}"
        if isinstance(field.type, types.StructType):
            nested.append((field.type, key))
        elif isinstance(field.type, types.VarTupleType) and isinstance(field.type.item_type, types.StructType):
            nested.append((field.type.item_type, f"{key}[0]"))
        else:
            words = (_type(field.type), _default(field), _environment(key), texts[field.name])
            section.keys.append(Key(key, field.encode_name, *words))
    yield section
    for inner, key in nested:
        yield from _sections(inner, key)
