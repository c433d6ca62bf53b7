"""The configuration written out: as YAML that reads back to the same, with the meaning of each key or where its value came from.

Secrets are hidden by the type of their key.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import yaml
from msgspec import inspect as types

from gateway import redact
from gateway.config import Config
from gateway.config_check import TRANSLATE_ONLY
from gateway.config_source import Node
from gateway.config_texts import field_texts

Steps = tuple[str | int, ...]

FIXED = {
    "listen": "its sockets are open",
    "registry": "chargers were let in by it",
    "redis": "messages are in that store",
    "vault": "secrets were sealed with its keys",
    "admin": "its socket is open",
}
"""Sections that a running process cannot change, and why."""
FREE = (
    *("admin.tokens", "listen.max_connections", "listen.max_frame", "listen.write_buffer", "listen.handshake_timeout"),
    *(
        "listen.accept_rate",
        "listen.accept_burst",
        "listen.allow_from",
        "listen.hide_unknown",
        "listen.allow_downgrade",
    ),
    "listen.exact_username",
)
"""Keys of these that it can; those of `listen` count for handshakes and connections from then on."""

WIDTH = 110
_UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "m"), (1.0, "s"))
_BYTES = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))
_PLAIN_SECRETS = frozenset({"", "embedded"})


class Line(msgspec.Struct):
    """One line of the file."""

    indent: int
    text: str
    steps: Steps
    """Where in the configuration: `("upstreams", "main", "url")`, list items by number."""
    about: str = ""
    """What the key means; empty for items of lists and for names that users choose."""
    value: str | None = None
    """The value as YAML, None where further lines hold it."""
    given: bool = True
    """Whether there is a value; else `text` is only the key."""
    default: bool = False
    """Whether the value is the key's default."""

    @property
    def key(self) -> str:
        """`upstreams.main.url`, `routes[0].primary`."""
        return re.sub(r"\.\[", "[", ".".join(f"[{each}]" if isinstance(each, int) else each for each in self.steps))


def lines(config: Config, *, reveal: bool = False, about: bool = False) -> list[Line]:
    """All of the configuration; secrets are hidden unless `reveal`. `about`: with the meanings, which takes its time."""
    return list(_Writer(reveal, about).struct(types.type_info(Config), config, 0, ()))


def flat(config: Config, *, reveal: bool = False) -> dict[str, str]:
    """Key -> value as YAML; what is not given is left out."""
    return {line.key: line.value for line in lines(config, reveal=reveal) if line.value is not None}


def fixed(key: str) -> str:
    """Why a running process cannot change this key; empty: it can."""
    plain = re.sub(r"\[\d+\]", "", key)
    if any(plain == free or plain.startswith(f"{free}.") for free in FREE):
        return ""
    return FIXED.get(re.split(r"[.\[]", key, maxsplit=1)[0], "")


def changed(old: Config, new: Config) -> list[str]:
    """The keys that differ, in the order of `new`."""
    before, after = flat(old, reveal=True), flat(new, reveal=True)
    return [key for key in [*after, *(key for key in before if key not in after)] if before.get(key) != after.get(key)]


def shown(config: Config, *, reveal: bool = False, origin: Node | None = None) -> str:
    """YAML; with `origin` (what the configuration was read from) each line says where its value came from."""
    text = []
    for line in lines(config, reveal=reveal):
        if not line.given:
            continue
        written = " " * line.indent + line.text
        if origin is not None and line.value is not None:
            written = f"{written:<60}  # {came_from(origin, line)}"
        text.append(written)
    return "\n".join(text) + "\n"


def described(config: Config) -> str:
    """YAML with the meaning of every key above it."""
    text: list[str] = []
    for line in lines(config, reveal=True, about=True):
        space = " " * line.indent
        if line.about:
            if line.indent == 0:
                text.append("")
            text += textwrap.wrap(line.about, WIDTH, initial_indent=f"{space}# ", subsequent_indent=f"{space}# ")
        text.append(space + (line.text if line.given else f"# {line.text}"))
    return "\n".join(text).lstrip("\n") + "\n"


def came_from(root: Node, line: Line) -> str:
    """`FILE:LINE`, the name of a variable, `default`, or `derived` from another key."""
    here = root
    for step in line.steps:
        if isinstance(here.value, str):  # a whole list or mapping in one variable
            return here.where
        if isinstance(step, int):
            if isinstance(here.value, list):
                if step >= len(here.value):
                    return "derived"
                here = here.value[step]
            continue  # one that was written without the list
        keys = here.value if isinstance(here.value, dict) else {}
        child = keys.get(step) or next((keys[key] for key in keys if key.casefold() == step), None)
        if child is None and (file := keys.get(f"{step}_file")) is not None:
            return f"{file.where}, from {file.value}"
        if child is None:
            return "default" if line.default else "derived"
        here = child
    return here.where


class _Writer:
    def __init__(self, reveal: bool, about: bool) -> None:
        self._reveal, self._about = reveal, about

    def struct(self, kind: types.Type, value: Any, indent: int, steps: Steps) -> Iterator[Line]:
        assert isinstance(kind, types.StructType)
        texts = field_texts(kind.cls) if self._about else {}
        for field in kind.fields:
            if kind.cls.__name__ == "Options" and field.name in TRANSLATE_ONLY:
                continue
            about = texts.get(field.name, "") or (_class_text(field.type) if not steps else "")
            item = getattr(value, field.name)
            first = True
            for line in self._field(field, field.type, item, indent, (*steps, field.encode_name)):
                if first:
                    line.about, first = about, False
                yield line

    def _field(self, field: types.Field, kind: types.Type, value: Any, indent: int, steps: Steps) -> Iterator[Line]:
        name = str(steps[-1])
        extra: dict[str, Any] = {}
        if isinstance(kind, types.Metadata):
            extra, kind = kind.extra or {}, kind.type
        default = _is_default(field, value)
        if value is None:
            yield Line(indent, f"{name}:", steps, given=False, default=True)
        elif isinstance(kind, types.StructType):
            yield Line(indent, f"{name}:", steps)
            yield from self.struct(kind, value, indent + 2, steps)
        elif isinstance(kind, types.DictType) and value:
            yield Line(indent, f"{name}:", steps)
            yield from self._dict(kind, value, indent + 2, steps, secret=extra.get("kind") == "secret")
        elif isinstance(kind, types.DictType):
            yield Line(indent, f"{name}: {{}}", steps, value="{}", default=default)
        elif isinstance(kind, types.VarTupleType) and isinstance(kind.item_type, types.StructType) and value:
            yield Line(indent, f"{name}:", steps)
            if extra.get("kind") == "one or many" and len(value) == 1:
                yield from self.struct(kind.item_type, value[0], indent + 2, steps)
                return
            for index, item in enumerate(value):
                yield from _bullet(self.struct(kind.item_type, item, indent + 4, (*steps, index)))
        else:
            text = self._scalar(kind, extra, value)
            yield Line(indent, f"{name}: {text}", steps, value=text, default=default)

    def _dict(self, kind: types.DictType, value: Any, indent: int, steps: Steps, *, secret: bool) -> Iterator[Line]:
        inner = kind.value_type.type if isinstance(kind.value_type, types.Metadata) else kind.value_type
        for name, item in value.items():
            key = _text(name)
            if isinstance(inner, types.StructType):
                yield Line(indent, f"{key}:", (*steps, name))
                yield from self.struct(inner, item, indent + 2, (*steps, name))
            else:
                text = self._scalar(kind.value_type, {"kind": "secret"} if secret else {}, item)
                yield Line(indent, f"{key}: {text}", (*steps, name), value=text)

    def _scalar(self, kind: types.Type, extra: dict[str, Any], value: Any) -> str:
        if isinstance(kind, types.Metadata):
            extra, kind = extra | (kind.extra or {}), kind.type
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, tuple | list | set | frozenset):
            return "[" + ", ".join(self._scalar(types.AnyType(), extra, item) for item in value) + "]"
        if isinstance(kind, types.FloatType):
            return f"{value:g}" if extra.get("kind") == "part" else _duration(float(value))
        if isinstance(value, int):
            return _size(value) if extra.get("kind") == "size" else str(value)
        if not isinstance(value, str):
            return _text(str(value))
        if self._reveal:
            return _text(value)
        return _text(_hidden(value) if extra.get("kind") == "secret" else redact.url(value))


def _bullet(inner: Iterator[Line]) -> Iterator[Line]:
    """The lines of one item of a list, with the dash before the first that is written."""
    pending = True
    for line in inner:
        if pending and line.given:
            line.indent, line.text, pending = line.indent - 2, f"- {line.text}", False
        yield line


def _is_default(field: types.Field, value: Any) -> bool:
    if field.default_factory is not msgspec.NODEFAULT:
        return bool(field.default_factory() == value)
    return field.default is not msgspec.NODEFAULT and bool(field.default == value)


def _class_text(kind: types.Type) -> str:
    while isinstance(kind, types.Metadata):
        kind = kind.type
    for inner in ("item_type", "value_type"):
        kind = getattr(kind, inner, kind)
    return " ".join((kind.cls.__doc__ or "").split()) if isinstance(kind, types.StructType) else ""


def _duration(seconds: float) -> str:
    if not seconds:
        return "0s"
    if seconds < 1 and (seconds * 1000).is_integer():
        return f"{seconds * 1000:g}ms"
    return next((f"{seconds / unit:g}{name}" for unit, name in _UNITS if not seconds % unit), f"{seconds!r}s")


def _size(count: int) -> str:
    return next((f"{count // unit}{name}" for unit, name in _BYTES if not count % unit), str(count))


def _text(value: str) -> str:
    """As a YAML scalar; what would be read as a variable is escaped."""
    value = value.replace("${", "$${")
    dump: Callable[..., str] = yaml.safe_dump
    return dump(value, default_flow_style=True, allow_unicode=True, width=10**9).removesuffix("...\n").strip()


def _hidden(secret: str) -> str:
    """A secret; of an address what is no secret."""
    if secret in _PLAIN_SECRETS:
        return secret
    if "://" in secret:
        return redact.url(secret.partition("?")[0])
    return redact.hide(secret)
