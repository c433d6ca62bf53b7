"""Where configuration comes from: YAML text and environment variables, as one tree that knows every value's origin."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
import yaml

PREFIX = "OCPPGW_"

RESERVED = frozenset(
    {
        "OCPPGW_BOOT_PASSWORD",
        "OCPPGW_CONFIG",
        "OCPPGW_FAILPOINT",
        "OCPPGW_REPLAY_PASSWORD",
        "OCPPGW_SERVER",
        "OCPPGW_TOKEN",
    }
)
"""Variables with the prefix that are no configuration key: the file to read, a token for commands."""

_SERVICE_LINK = re.compile(r"_SERVICE_(HOST|PORT(_.*)?)$|_PORT_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?$")
_REFERENCE = re.compile(r"\$(\$(?=\{)|\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})")
_MAX_DEPTH = 20
_MAX_NODES = 100_000


class Node(msgspec.Struct):
    """A value as written: text (None for YAML's null), a mapping or a list."""

    value: str | dict[str, Node] | list[Node] | None
    where: str
    """`FILE:LINE`, or the name of the environment variable."""


class Problems:
    """Everything that is wrong with the configuration, in the order found."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.files: set[Path] = set()
        """Every file that was read, or is named."""

    def add(self, where: str, path: str, message: str) -> None:
        """Adds `where: key.path: message` unless it is known already."""
        line = ": ".join(" ".join(part.split()) for part in (where, path, message) if part)
        if line not in self.lines:
            self.lines.append(line)

    def sorted(self) -> list[str]:
        """What concerns a file by line, then the rest in the order found."""
        return sorted(self.lines, key=_line_number)


def _line_number(line: str) -> float:
    match = re.match(r".*?:(\d+): ", line)
    return int(match[1]) if match else math.inf


def suggestion(word: str, known: Iterable[object]) -> str:
    """` (did you mean x?)`, or all that is known when nothing comes near."""
    names = [str(name) for name in known]
    close = difflib.get_close_matches(word.casefold(), names, n=1, cutoff=0.6)
    return f" (did you mean {close[0]}?)" if close else f" (known: {', '.join(names)})"


def join(path: str, key: str) -> str:
    """`a.b` and `c` -> `a.b.c`; the root's path is empty."""
    return f"{path}.{key}" if path else key


class _Reader:
    """Turns the nodes of one YAML document into `Node`s."""

    def __init__(self, name: str, environ: Mapping[str, str], problems: Problems) -> None:
        self._name, self._environ, self._problems = name, environ, problems
        self._count = 0

    def node(self, node: yaml.Node, where: str, path: str, depth: int = 0) -> Node:
        self._count += 1
        if depth > _MAX_DEPTH or self._count > _MAX_NODES:
            if self._count <= _MAX_NODES + 1:
                self._problems.add(where, path, "nested too deeply or too large")
            return Node(None, where)
        if isinstance(node, yaml.MappingNode):
            return Node(self._mapping(node, path, depth), where)
        if isinstance(node, yaml.SequenceNode):
            items = [
                self.node(item, self._at(item), f"{path}[{index}]", depth + 1) for index, item in enumerate(node.value)
            ]
            return Node(items, where)
        text: str = node.value
        if node.tag == "tag:yaml.org,2002:null":
            return Node(None, where)
        return Node(self._substituted(text, where, path) if "$" in text else text, where)

    def _mapping(self, node: yaml.MappingNode, path: str, depth: int) -> dict[str, Node]:
        own: dict[str, Node] = {}
        inherited: dict[str, Node] = {}
        for key_node, value_node in node.value:
            where = self._at(key_node)
            if not isinstance(key_node, yaml.ScalarNode):
                self._problems.add(where, path, "a key must be plain text")
                continue
            key: str = key_node.value
            if key_node.tag == "tag:yaml.org,2002:merge":
                bases = value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
                for base in bases:
                    merged = self.node(base, where, path, depth + 1).value
                    if isinstance(merged, dict):
                        inherited = merged | inherited
                    else:
                        self._problems.add(where, join(path, key), "only mappings can be merged")
                continue
            child = self.node(value_node, where, join(path, key), depth + 1)
            if key in own:
                self._problems.add(where, join(path, key), f"given twice, first at {own[key].where}")
            else:
                own[key] = child
        return inherited | own

    def _at(self, node: yaml.Node) -> str:
        return f"{self._name}:{node.start_mark.line + 1}"

    def _substituted(self, text: str, where: str, path: str) -> str | None:
        unset: list[str] = []

        def value(match: re.Match[str]) -> str:
            if match[2] is None:
                return "$"
            found = self._environ.get(match[2], match[3])
            if not found and match[3]:
                found = match[3]
            if found is None:
                unset.append(match[2])
            return found or ""

        result = _REFERENCE.sub(value, text)
        for name in unset:
            self._problems.add(where, path, f"environment variable {name} is not set (a default: ${{{name}:-value}})")
        return None if unset else result


def read_yaml(text: str, name: str, environ: Mapping[str, str], problems: Problems) -> Node:
    """The document of `text`; `name` is the file as the user wrote it. Syntax errors go to `problems`."""
    empty = Node({}, f"{name}:1")
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is None:
            return empty
        return _Reader(name, environ, problems).node(root, empty.where, "")
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problems.add(f"{name}:{line}", "yaml", f"{error.problem or error}")
    except (yaml.YAMLError, RecursionError) as error:
        problems.add(empty.where, "yaml", str(error) or "nested too deeply")
    return empty


def _spelled(keys: Mapping[str, Node], part: str) -> str:
    """`part` of a variable's name as the file spells that key; variables know neither case nor `-`."""
    wanted = part.casefold()
    for key in keys:
        if key.casefold().replace("-", "_") == wanted:
            return key
    return wanted


def overlay(root: Node, environ: Mapping[str, str], sections: frozenset[str], problems: Problems) -> None:
    """Sets what `OCPPGW_SECTION__KEY` variables give, over what the file gave.

    Variables that Kubernetes makes for a Service named like the prefix are ignored; any other unknown one is an error.
    """
    for name in sorted(environ, key=str.upper):
        upper = name.upper()
        if not upper.startswith(PREFIX) or upper in RESERVED:
            continue
        rest = upper[len(PREFIX) :]
        if "__" not in rest and rest.casefold() not in sections:
            value = environ[name]
            if _SERVICE_LINK.search(f"_{rest}") or (
                (rest == "PORT" or rest.endswith("_PORT")) and value.startswith(("tcp://", "udp://"))
            ):
                continue
            section, _, key = rest.partition("_")
            hint = (
                f" (did you mean {PREFIX}{section}__{key}?)"
                if key and section.casefold() in sections
                else f" (keys are written {PREFIX}SECTION__KEY)"
            )
            problems.add(name, rest.casefold(), f"unknown variable{hint}")
            continue
        _set(root, name, rest.split("__"), environ[name], problems)


def _set(root: Node, name: str, parts: list[str], text: str, problems: Problems) -> None:
    here = root
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if isinstance(here.value, list):
            position = int(part) if part.isdecimal() else -1
            if not 0 <= position <= len(here.value):
                problems.add(name, ".".join(parts).casefold(), f"{part} is no position in a list of {len(here.value)}")
                return
            if position == len(here.value):
                here.value.append(Node({}, name))
            child = here.value[position]
            if last:
                here.value[position] = Node(text, name)
        else:
            if not isinstance(here.value, dict):
                here.value = {}
                here.where = name
            key = _spelled(here.value, part)
            child = here.value.get(key) or Node({}, name)
            here.value[key] = Node(text, name) if last else child
        here = child
