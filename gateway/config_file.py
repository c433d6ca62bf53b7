"""Loads the configuration: all errors at once, each `FILE:LINE: key.path: message`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import yaml
from msgspec import inspect

from gateway.config import ROLES, Config
from gateway.config_check import check
from gateway.config_kinds import UNITS
from gateway.config_source import Node, Problems, join, overlay, read_yaml, suggestion

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|d)?", re.ASCII)
_PART = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)
_SIZE = re.compile(r"([0-9]+)\s*(B|KiB|MiB|GiB|kB|MB|GB)?", re.ASCII)
_BYTES = {None: 1, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "kB": 10**3, "MB": 10**6, "GB": 10**9}
_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})
_MISSING = object()


class ConfigError(Exception):
    """The configuration is wrong; `errors` has one line for everything that is."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


def load(path: Path | None, environ: Mapping[str, str], roles: frozenset[str] = ROLES) -> Config:
    """The configuration of `path` (None: environment only) and `OCPPGW_` variables. Raises ConfigError."""
    return load_watched(path, environ, roles)[0]


def load_watched(
    path: Path | None, environ: Mapping[str, str], roles: frozenset[str] = ROLES
) -> tuple[Config, frozenset[Path]]:
    """The configuration, and all files that it was read from or that it names. Raises ConfigError."""
    problems = Problems()
    root = _read(path, environ, problems)
    return _finish(root, environ, roles, problems), frozenset(problems.files)


def load_traced(path: Path | None, environ: Mapping[str, str], roles: frozenset[str] = ROLES) -> tuple[Config, Node]:
    """The configuration, and the tree that it was made from, which knows where each value stands. Raises ConfigError."""
    problems = Problems()
    root = _read(path, environ, problems)
    return _finish(root, environ, roles, problems), root


def _read(path: Path | None, environ: Mapping[str, str], problems: Problems) -> Node:
    if path is None:
        return Node({}, "environment")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError([f"{path}:1: file: cannot be read: {reason}"]) from None
    problems.files.add(path)
    root = read_yaml(text, str(path), environ, problems)
    if problems.lines and not root.value:
        raise ConfigError(problems.sorted())
    return root


def load_upstream_argument(argument: str, environ: Mapping[str, str], roles: frozenset[str] = ROLES) -> Config:
    """The configuration for `run --upstream VERSION=URL`: that upstream alone, named `main`. Raises ConfigError."""
    version, separator, url = argument.partition("=")
    if not separator or "://" in version:
        message = "write VERSION=URL, for example ocpp2.0.1=ws://127.0.0.1:9100/ocpp"
        raise ConfigError([f"--upstream: {argument}: {message}"])
    where = "--upstream"
    main = Node({"url": Node(url, where), "version": Node(version, where)}, where)
    root = Node({"upstreams": Node({"main": main}, where)}, where)
    return _finish(root, environ, roles, Problems())


def _finish(root: Node, environ: Mapping[str, str], roles: frozenset[str], problems: Problems) -> Config:
    overlay(root, environ, frozenset(Config.__struct_fields__), problems)
    config = check(cast(Config, _Builder(problems).build(inspect.type_info(Config), root, "")), root, roles, problems)
    if problems.lines:
        raise ConfigError(problems.sorted())
    return config


class _Builder:
    """Builds typed values from nodes. What fails becomes a problem and `_MISSING`, or in a Struct the default and for
    a field without one an empty text, so that the rules between keys can be checked too."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems

    def build(self, kind: inspect.Type, node: Node, path: str) -> Any:
        extra: dict[str, Any] = {}
        if isinstance(kind, inspect.Metadata):
            extra, kind = kind.extra or {}, kind.type
        if isinstance(kind, inspect.UnionType):
            return self._union(kind, node, path)
        if isinstance(kind, inspect.StructType):
            return self._struct(kind, node, path)
        if isinstance(kind, inspect.DictType):
            return self._dict(kind, node, path)
        if isinstance(kind, inspect.VarTupleType | inspect.TupleType):
            if extra.get("kind") == "one or many" and (one := self._one(kind, node, path)) is not None:
                return one
            return self._tuple(kind, node, path)
        if not isinstance(node.value, str):
            return self._fail(node, path, f"must be {_expected(kind, extra)}, not {_what(node)}")
        return self._scalar(kind, extra, node.value, node, path)

    def _fail(self, node: Node, path: str, message: str) -> Any:
        self._problems.add(node.where, path, message)
        return _MISSING

    def _union(self, kind: inspect.UnionType, node: Node, path: str) -> Any:
        """A word of true or false, one text, or a list, whichever of them the key may have."""
        kinds = {type(each): each for each in kind.types}
        if isinstance(node.value, str):
            if inspect.BoolType in kinds and node.value.casefold() in _TRUE | _FALSE:
                return self.build(kinds[inspect.BoolType], node, path)
            if inspect.StrType in kinds:
                return self.build(kinds[inspect.StrType], node, path)
        for listed in (inspect.VarTupleType, inspect.TupleType):
            if listed in kinds:
                return self.build(kinds[listed], node, path)
        raise TypeError(f"{path}: no configuration key may have the type {kind}")

    def _struct(self, kind: inspect.StructType, node: Node, path: str) -> Any:
        if node.value is None:
            node = Node({}, node.where)
        given = _parsed(node)
        if not isinstance(given, dict):
            self._fail(node, path, f"must be a mapping of keys, not {_what(node)}")
            return _blank(kind)
        values: dict[str, Any] = {field.name: "" for field in kind.fields if field.required}
        known: list[str] = []
        for field in kind.fields:
            key = field.encode_name
            known.append(key)
            child = given.get(key)
            if _is_secret(field.type):
                known.append(f"{key}_file")
                child = self._secret(field, child, given.get(f"{key}_file"), path)
            if child is None or (child.value is None and not field.required):
                if field.required and f"{key}_file" not in given:
                    self._fail(node, join(path, key), "missing, and it has no default")
                continue
            if (value := self.build(field.type, child, join(path, key))) is not _MISSING:
                values[field.name] = value
        for key, child in given.items():
            if key not in known:
                self._fail(child, join(path, key), f"unknown key{suggestion(key, known)}")
        try:
            return kind.cls(**values)
        except ValueError as error:
            self._fail(node, path, str(error))
            return _blank(kind)

    def _secret(self, field: inspect.Field, child: Node | None, file: Node | None, path: str) -> Node | None:
        if file is None or file.value is None:
            return child
        file_path = join(path, f"{field.encode_name}_file")
        if child is not None and child.value is not None:
            self._fail(file, file_path, f"{field.encode_name} is given too (at {child.where}); keep one of them")
            return None
        if not isinstance(file.value, str):
            self._fail(file, file_path, f"must be the name of a file, not {_what(file)}")
            return None
        try:
            text = Path(file.value).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            self._fail(file, file_path, f"{file.value} cannot be read: {reason}")
            return None
        self._problems.files.add(Path(file.value))
        if isinstance(field.type, inspect.Metadata) and isinstance(field.type.type, inspect.DictType):
            return read_yaml(text, file.value, {}, self._problems)
        return Node(text.rstrip("\r\n"), file.where)

    def _dict(self, kind: inspect.DictType, node: Node, path: str) -> Any:
        given = _parsed(node)
        if given is None:
            given = {}
        if not isinstance(given, dict):
            return self._fail(node, path, f"must be a mapping of names, not {_what(node)}")
        built = {key: self.build(kind.value_type, child, join(path, key)) for key, child in given.items()}
        return {key: value for key, value in built.items() if value is not _MISSING}

    def _one(self, kind: inspect.VarTupleType | inspect.TupleType, node: Node, path: str) -> Any:
        """The only item of a list that is written without the list; None: it is a list."""
        given = _parsed(node)
        if not isinstance(given, dict) or (given and all(key.isdecimal() for key in given)):
            return None
        assert isinstance(kind, inspect.VarTupleType)
        return (self.build(kind.item_type, Node(given, node.where), path),)

    def _tuple(self, kind: inspect.VarTupleType | inspect.TupleType, node: Node, path: str) -> Any:
        given = _parsed(node)
        if isinstance(given, str) and ("," in given or not given.startswith(("[", "{"))):
            given = [Node(item.strip(), node.where) for item in given.split(",") if item.strip()]
        if isinstance(given, dict) and given and all(key.isdecimal() for key in given):
            given = [child for _, child in sorted(given.items(), key=lambda item: int(item[0]))]
        if not isinstance(given, list):
            return self._fail(node, path, f"must be a list, not {_what(node)}")
        if isinstance(kind, inspect.TupleType):
            if len(given) != len(kind.item_types):
                return self._fail(node, path, f"must have {len(kind.item_types)} items, not {len(given)}")
            kinds = list(kind.item_types)
        else:
            kinds = [kind.item_type] * len(given)
        items = [
            self.build(item, child, f"{path}[{index}]")
            for index, (item, child) in enumerate(zip(kinds, given, strict=True))
        ]
        if isinstance(kind, inspect.TupleType) and _MISSING in items:
            return _MISSING
        return tuple(item for item in items if item is not _MISSING)

    def _scalar(self, kind: inspect.Type, extra: dict[str, Any], text: str, node: Node, path: str) -> Any:
        expected = f"must be {_expected(kind, extra)}, not {text!r}"
        if isinstance(kind, inspect.LiteralType):
            if text in kind.values:
                return text
            return self._fail(node, path, f"{text!r} is not allowed{suggestion(text, kind.values)}")
        if isinstance(kind, inspect.BoolType):
            if (word := text.casefold()) in _TRUE | _FALSE:
                return word in _TRUE
            return self._fail(node, path, expected)
        if isinstance(kind, inspect.IntType | inspect.FloatType):
            number = _number(kind, extra, text)
            if number is None or not _in_range(kind, number):
                return self._fail(node, path, expected)
            return number
        if isinstance(kind, inspect.StrType):
            if not (kind.min_length or 0) <= len(text) <= (kind.max_length or len(text)):
                return self._fail(node, path, f"must have {_length(kind)}, not {len(text)}")
            return text
        raise TypeError(f"{path}: no configuration key may have the type {kind}")


def _blank(kind: inspect.StructType) -> Any:
    return kind.cls(**{field.name: "" for field in kind.fields if field.required})


def _number(kind: inspect.IntType | inspect.FloatType, extra: dict[str, Any], text: str) -> float | int | None:
    if extra.get("kind") == "part":
        match = _PART.fullmatch(text.strip())
        return float(match[0]) if match else None
    if isinstance(kind, inspect.FloatType):
        match = _DURATION.fullmatch(text.strip())
        return float(match[1]) * UNITS[match[2]] if match else None
    if extra.get("kind") == "size":
        match = _SIZE.fullmatch(text.strip())
        return int(match[1]) * _BYTES[match[2]] if match else None
    try:
        return int(text)
    except ValueError:
        return None


def _in_range(kind: inspect.IntType | inspect.FloatType, number: float) -> bool:
    return (
        (kind.ge is None or number >= kind.ge)
        and (kind.gt is None or number > kind.gt)
        and (kind.le is None or number <= kind.le)
    )


def _length(kind: inspect.StrType) -> str:
    if kind.max_length is None:
        return "at least 1 character" if kind.min_length == 1 else f"at least {kind.min_length} characters"
    return f"{kind.min_length or 0} to {kind.max_length} characters"


def _expected(kind: inspect.Type, extra: dict[str, Any]) -> str:
    """What may stand here, for messages."""
    if extra.get("kind") == "part":
        return "a number from 0 to 1"
    if isinstance(kind, inspect.FloatType):
        return f"a duration{' longer than 0' if kind.gt is not None else ''} such as 30, 10s or 5m"
    if extra.get("kind") == "size":
        return "a size such as 262144, 256KiB or 1MiB"
    if isinstance(kind, inspect.IntType):
        if kind.le is not None:
            return f"a whole number from {kind.ge} to {kind.le}"
        return f"a whole number of at least {kind.ge}" if kind.ge is not None else "a whole number"
    if isinstance(kind, inspect.BoolType):
        return "true or false"
    if isinstance(kind, inspect.LiteralType):
        return "one of " + ", ".join(str(value) for value in kind.values)
    return "text"


def _what(node: Node) -> str:
    if node.value is None:
        return "empty"
    if isinstance(node.value, dict):
        return "a mapping"
    return "a list" if isinstance(node.value, list) else repr(node.value)


def _is_secret(kind: inspect.Type) -> bool:
    return isinstance(kind, inspect.Metadata) and (kind.extra or {}).get("kind") == "secret"


def _parsed(node: Node) -> str | dict[str, Node] | list[Node] | None:
    """The node's value; text that is YAML flow style (only variables give that) as the tree it stands for."""
    if not isinstance(node.value, str) or not node.value.lstrip().startswith(("{", "[")):
        return node.value
    try:
        composed = yaml.compose(node.value, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return node.value
    return _located(composed, node.where).value if composed is not None else None


def _located(node: yaml.Node, where: str) -> Node:
    if isinstance(node, yaml.MappingNode):
        return Node({str(key.value): _located(value, where) for key, value in node.value}, where)
    if isinstance(node, yaml.SequenceNode):
        return Node([_located(item, where) for item in node.value], where)
    return Node(None if node.tag == "tag:yaml.org,2002:null" else str(node.value), where)
