"""Write translators/models/v15.py, v16.py and v201.py from JSON schemas: those of the `ocpp` package, for 1.5 our own.

    python -m tools.models            write them
    python -m tools.models --check    exit 1 if what is there differs

Only names, types, bounds and enumerations are taken. 2.0.1 names its inner types; 1.6 (without the security
extension) does not, so their names are given in `model_names`, by one place where each occurs. A schema that needs a
name which is missing there stops the run.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.model_names import VERSIONS, Version

COMMAND = "python -m tools.models"
WIDTH = 120
TARGET = Path(__file__).parent.parent / "translators" / "models"
OWN_SCHEMAS = TARGET

Schema = dict[str, Any]


RESERVED = frozenset({"action", "response"})
"""What base.Request says about every request; a member of that name gets an underscore."""


class Unnamed(Exception):
    """An inner type has no name, or two of one version would have the same name."""


def schemas(version: Version) -> dict[str, Schema]:
    """The schemas of a version by file name, without importing the package: that costs seconds and warnings."""
    if version.file:
        return own_schemas(OWN_SCHEMAS / version.file)
    spec = importlib.util.find_spec("ocpp")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("the package `ocpp` is not installed")
    folder = Path(next(iter(spec.submodule_search_locations))) / version.module / "schemas"
    return {path.stem: json.loads(path.read_text("utf-8-sig")) for path in sorted(folder.glob("*.json"))}


def own_schemas(path: Path) -> dict[str, Schema]:
    """The schemas of a file of ours, each with the definitions that all of them share."""
    whole = json.loads(path.read_text("utf-8"))
    return {name: {**schema, "definitions": whole["definitions"]} for name, schema in whole["messages"].items()}


class Module:
    """One generated module: the inner types that were met, by name, and the messages."""

    def __init__(self, version: Version) -> None:
        self.version = version
        self.schemas = schemas(version)
        self.enums: dict[str, str] = {}
        self.structs: dict[str, str] = {}
        self.texts: set[int] = set()
        self.messages: list[str] = []
        self.names = dict(self._names())
        self.actions = sorted(
            name.removesuffix(version.request)
            for name in self.schemas
            if name.endswith(version.request) and not name.endswith("Response")
        )
        unknown = (version.from_charger | version.from_both) - set(self.actions)
        if unknown:
            raise Unnamed(f"{version.module}: no schema for {', '.join(sorted(unknown))}")
        for action in self.actions:
            self.messages.append(self._message(action))

    # -- names

    def _names(self) -> Iterator[tuple[str, str]]:
        """The name of every inner type by its key."""
        shapes: dict[str, str] = {}
        found: dict[str, tuple[str, bool]] = {}
        for file, schema in self.schemas.items():
            for path, node in self._inner(schema, file):
                key = self._key(node, schema)
                if shapes.setdefault(key, self._shape(node, schema)) != self._shape(node, schema):
                    raise Unnamed(f"{path}: has more than one shape")
                given = self.version.names.get(path)
                name = given or (_readable(path) if "." not in path else "")
                known, was_given = found.get(key, ("", False))
                if given and was_given and given != known:
                    raise Unnamed(f"{path}: is {known} elsewhere and {given} here")
                if not known or (given and not was_given):
                    found[key] = (name, given is not None)
        for key, (name, _) in found.items():
            if not name:
                raise Unnamed(f"{self.version.module}: no name for {key[:200]}")
            yield key, name
        names = [name for name, _ in found.values()]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise Unnamed(f"{self.version.module}: two shapes for each of {', '.join(sorted(twice))}")

    def _inner(self, schema: Schema, file: str) -> Iterator[tuple[str, Schema]]:
        """Every inner type of a file with its path: definitions first, they carry names."""
        for name, node in schema.get("definitions", {}).items():
            node["name"] = name
            if not _is_custom_data(node):
                yield name, node
                yield from self._members(node, name)
        yield from self._members(schema, file)

    def _members(self, node: Schema, path: str) -> Iterator[tuple[str, Schema]]:
        for name, member in node.get("properties", {}).items():
            where = f"{path}.{name}"
            while "items" in member:
                member, where = member["items"], where + "[]"
            if "enum" in member or "properties" in member:
                yield where, member
            yield from self._members(member, where)

    def _key(self, node: Schema, root: Schema) -> str:
        """What tells one inner type from another."""
        node = _resolve(node, root)
        if "name" in node and not self.version.merge:
            return str(node["name"])
        return self._shape(node, root)

    def _shape(self, node: Schema, root: Schema) -> str:
        """A text that is equal for two types iff the generated code would be."""
        node = _resolve(node, root)
        if "enum" in node:
            return json.dumps(sorted(node["enum"]))
        if "items" in node:
            return json.dumps(["[]", node.get("minItems"), node.get("maxItems"), self._shape(node["items"], root)])
        if _is_custom_data(node):
            return "customData"
        if "properties" in node:
            members = {name: self._shape(member, root) for name, member in node["properties"].items()}
            return json.dumps([members, sorted(node.get("required", []))], sort_keys=True)
        return json.dumps([node.get(key) for key in ("type", "maxLength", "minimum", "maximum")])

    # -- types

    def _type(self, node: Schema, root: Schema) -> str:
        """The annotation for a schema node; inner types are written on the way."""
        node = _resolve(node, root)
        if "enum" in node:
            return self._enum(node, root)
        if _is_custom_data(node):
            return "dict[str, Any]"
        kind = node.get("type")
        if kind == "array":
            inner = f"list[{self._type(node['items'], root)}]"
            return _annotated(inner, min_length=node.get("minItems"), max_length=node.get("maxItems"))
        if kind == "object":
            return self._struct(node, root)
        if kind == "string":
            if "maxLength" not in node:
                return "str"
            self.texts.add(node["maxLength"])
            return f"Text{node['maxLength']}"
        if kind == "integer":
            return _integer(node.get("minimum"), node.get("maximum"))
        if kind == "number":
            if "minimum" in node or "maximum" in node:
                raise Unnamed("a bounded number: msgspec cannot bound a Decimal")
            return "Decimal"
        if kind == "boolean":
            return "bool"
        if kind is None:
            return "Raw"
        raise Unnamed(f"{self.version.module}: a schema of type {kind!r}")

    def _enum(self, node: Schema, root: Schema) -> str:
        name = self.names[self._key(node, root)]
        self.enums.setdefault(name, _broken(f"{name}: TypeAlias = Literal", map(_quoted, node["enum"])))
        return name

    def _struct(self, node: Schema, root: Schema) -> str:
        name = self.names[self._key(node, root)]
        if name not in self.structs:
            members = self._fields(node, root)
            self.structs[name] = "\n".join([f"class {name}(Struct, kw_only=True):", *members])
        return name

    def _fields(self, node: Schema, root: Schema) -> list[str]:
        """Required members first, otherwise in the order of the schema."""
        required = node.get("required", [])
        lines, numbers = [], []
        for name, member in sorted(node.get("properties", {}).items(), key=lambda item: item[0] not in required):
            kind = self._type(member, root)
            attribute = f"{name}_" if name in RESERVED else name
            default = "" if name in required else "ABSENT" if kind == "Raw" else "None"
            if default == "None":
                kind += " | None"
            if attribute != name:
                given = f"default={default}, " if default else ""
                default = f'field({given}name="{name}")'
            lines.append(f"    {attribute}: {kind} = {default}" if default else f"    {attribute}: {kind}")
            if kind.startswith("Decimal"):
                numbers.append((f"self.{attribute}", bool(default)))
        if numbers:
            lines += ["", "    def __post_init__(self) -> None:"]
            for number, optional in numbers:
                # For a required number the test of base.is_plain without the call: it runs for each sample of a meter value.
                plain = f"{number} is None or is_plain({number})" if optional else ""
                plain = plain or f"-400 < {number}.adjusted() < 400 and {number}.is_finite()"
                lines += [f"        if not ({plain}):", "            raise ValueError(NOT_PLAIN)"]
        return lines or ["    pass"]

    def _message(self, action: str) -> str:
        request, response = self.schemas[action + self.version.request], self.schemas[action + "Response"]
        lines = [f"class {action}Response(Struct, kw_only=True):", *self._fields(response, response), "", ""]
        lines += [f"class {action}Request(Request[{action}Response], kw_only=True):"]
        lines += [f'    action = "{action}"', f"    response = {action}Response"]
        members = self._fields(request, request)
        if members != ["    pass"]:
            lines += ["", *members]
        return "\n".join(lines)

    # -- text

    def text(self) -> str:
        """The whole module."""
        version = self.version
        body = "\n\n\n".join([*self.structs.values(), *self.messages])
        numbers = ": Decimal" in body
        base = ["ABSENT"] * ("ABSENT" in body) + ["NOT_PLAIN"] * numbers + ["Int64", "Request", "Struct"]
        base += ["is_plain"] * numbers
        msgspec = ["Meta"] + ["Raw"] * (": Raw" in body) + ["field"] * ("field(" in body)
        source = version.file or "the JSON schemas in the `ocpp` package"
        parts = [
            f"# Generated by `{COMMAND}` from {source}. Do not edit.",
            f'"""Typed payloads of {version.title}."""',
            "",
            "from __future__ import annotations",
            "",
            *["from decimal import Decimal"] * numbers,
            "from typing import Annotated, Any, Literal, TypeAlias",
            "",
            f"from msgspec import {', '.join(msgspec)}",
            "",
            f"from .base import {', '.join(base)}",
            "",
            *(f"Text{length}: TypeAlias = Annotated[str, Meta(max_length={length})]" for length in sorted(self.texts)),
            "",
            *(self.enums[name] for name in sorted(self.enums)),
            "",
            "",
            body,
            "",
            "",
            "ACTIONS: dict[str, type[Request[Any]]] = {",
            *(f'    "{action}": {action}Request,' for action in self.actions),
            "}",
            "",
            _frozenset("FROM_CHARGER", version.from_charger | version.from_both),
            "",
            _frozenset("FROM_CSMS", set(self.actions) - version.from_charger),
        ]
        return "\n".join(parts) + "\n"


def _resolve(node: Schema, root: Schema) -> Schema:
    while "$ref" in node:
        node = root["definitions"][node["$ref"].removeprefix("#/definitions/")]
    return node


def _is_custom_data(node: Schema) -> bool:
    return node.get("javaType") == "CustomData"


def _readable(name: str) -> str:
    return name.removesuffix("Type").removesuffix("Enum")


def _integer(least: float | None, most: float | None) -> str:
    """A bound that the schema does not set is that of Int64."""
    if least is None and most is None:
        return "Int64"
    lower = "-(2**63)" if least is None else f"{least:.0f}"
    upper = "2**63 - 1" if most is None else f"{most:.0f}"
    return f"Annotated[int, Meta(ge={lower}, le={upper})]"


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _annotated(inner: str, **bounds: int | None) -> str:
    meta = ", ".join(f"{name}={bound}" for name, bound in bounds.items() if bound is not None)
    return f"Annotated[{inner}, Meta({meta})]" if meta else inner


def _broken(head: str, items: Iterator[str]) -> str:
    """`head[items]` on one line, or one item a line."""
    values = list(items)
    line = f"{head}[{', '.join(values)}]"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"{head}[", *(f"    {value}," for value in values), "]"])


def _frozenset(name: str, actions: set[str] | frozenset[str]) -> str:
    lines = [f'        "{action}",' for action in sorted(actions)]
    return "\n".join([f"{name}: frozenset[str] = frozenset(", "    {", *lines, "    }", ")"])


def main(arguments: list[str] | None = None) -> int:
    """Write the modules, or with --check name those that differ and return 1."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a module differs")
    check = parser.parse_args(arguments).check
    stale = 0
    for version in VERSIONS:
        path, text = TARGET / f"{version.module}.py", Module(version).text()
        if path.exists() and path.read_text("utf-8") == text:
            continue
        stale += 1
        if check:
            print(f"translators/models/{path.name} is not what {COMMAND} writes", file=sys.stderr)
        else:
            path.write_text(text, "utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
