"""Payloads made from the schemas: full ones, random ones, and ones with a single defect."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from hypothesis import strategies as st

from tests import schemas

Schema = dict[str, Any]

_LEAVES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"]))
_ANYTHING = st.recursive(_LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text("abc"), inner), max_leaves=5)


def resolve(node: Schema, root: Schema) -> Schema:
    while "$ref" in node:
        node = root["definitions"][node["$ref"].rpartition("/")[2]]
    return node


def is_custom_data(node: Schema) -> bool:
    return node.get("javaType") == "CustomData"


def fullest(node: Schema, root: Schema) -> Any:
    """An instance with every member, two items in a list, and every string as long as it may be."""
    node = resolve(node, root)
    if "enum" in node:
        return node["enum"][-1]
    match node.get("type"):
        case "object":
            return {name: fullest(member, root) for name, member in node.get("properties", {}).items()}
        case "array":
            return [fullest(node["items"], root) for _ in range(2)]
        case "string":
            return "é" * node.get("maxLength", 30)
        case "integer":
            return int(node.get("maximum", 42))
        case "number":
            return 16.1
        case "boolean":
            return True
    return {"any": ["thing", 1.5]}


@cache
def payloads(version: schemas.Version, action: str, kind: schemas.Kind) -> st.SearchStrategy[Any]:
    """Random payloads. Hypothesis looks at every new strategy for long: there is one of each."""
    schema = schemas.schema(version, action, kind)
    return instances(schema, schema)


def instances(node: Schema, root: Schema) -> st.SearchStrategy[Any]:
    """Random instances."""
    node = resolve(node, root)
    if "enum" in node:
        return st.sampled_from(node["enum"])
    match node.get("type"):
        case "object":
            members = {name: instances(member, root) for name, member in node.get("properties", {}).items()}
            required = node.get("required", [])
            return st.fixed_dictionaries(
                {name: each for name, each in members.items() if name in required},
                optional={name: each for name, each in members.items() if name not in required},
            )
        case "array":
            least = node.get("minItems", 0)
            most = min(node.get("maxItems", 3), 3)
            return st.lists(instances(node["items"], root), min_size=least, max_size=max(least, most))
        case "string":
            characters = st.characters(exclude_categories=["Cs"])
            return st.text(characters, max_size=min(node.get("maxLength", 30), 60))
        case "integer":
            return st.integers(int(node.get("minimum", -(2**63))), int(node.get("maximum", 2**63 - 1)))
        case "number":
            return st.integers(-(10**7), 10**7).map(lambda tenths: tenths / 10)
        case "boolean":
            return st.booleans()
    return _ANYTHING.filter(lambda value: value is not None)


def damaged(schema: Schema, payload: Any) -> Iterator[tuple[str, Any]]:
    """Every way to break one thing in a full payload, with what was done."""
    for path, node in _places(schema, schema, ()):
        for what, value in _defects(node, _at(payload, path)):
            yield f"{'.'.join(map(str, path))}: {what}", _with(payload, path, value)


def replaced(schema: Schema, payload: Any, values: Iterable[Any]) -> Iterator[Any]:
    """Every payload with one member or item replaced by one of the values."""
    for path, _ in _places(schema, schema, ()):
        for value in values:
            yield _with(payload, path, value)


def _places(node: Schema, root: Schema, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Schema]]:
    node = resolve(node, root)
    yield path, node
    if is_custom_data(node):
        return
    for name, member in node.get("properties", {}).items():
        yield from _places(member, root, (*path, name))
    if "items" in node:
        yield from _places(node["items"], root, (*path, 0))


def _defects(node: Schema, value: Any) -> Iterator[tuple[str, Any]]:
    if "enum" in node:
        yield "unknown value", "NoSuchValue"
        yield "wrong case", value.swapcase()
    match node.get("type"):
        case "object":
            yield "a list", [value]
            if not is_custom_data(node):
                for name in node.get("properties", {}):
                    yield f"without {name}", {each: value[each] for each in value if each != name}
        case "array":
            yield "an object", {}
            yield "empty", []
            yield "one too many", [value[0]] * (node.get("maxItems", 0) + 1)
        case "string":
            yield "a number", 7
            yield "empty", ""
            if "maxLength" in node:
                yield "too long", value + "x"
        case "integer" | "number" as kind:
            yield "an object", {}
            yield "a truth value", True
            if kind == "integer":
                yield "a string", "1"
                yield "a fraction", 1.5
            if "minimum" in node:
                yield "too small", int(node["minimum"]) - 1
            if "maximum" in node:
                yield "too large", int(node["maximum"]) + 1
        case "boolean":
            yield "a string", "true"
            yield "a number", 1


def _with(payload: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """A copy with the value in that place; what is beside the place is shared."""
    if not path:
        return value
    changed = copy.copy(payload)
    changed[path[0]] = _with(payload[path[0]], path[1:], value)
    return changed


def _at(payload: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        payload = payload[step]
    return payload
