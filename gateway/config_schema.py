"""JSON Schema (draft-07) of the configuration file, made from the types of gateway.config."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from msgspec import inspect as types

from gateway.config import Config
from gateway.config_check import TRANSLATE_ONLY
from gateway.config_print import FIXED, fixed
from gateway.config_texts import field_texts

DURATION = {
    "anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?\s*(ms|s|m|h|d)?$"}]
}
SIZE = {
    "anyOf": [
        {"type": "integer", "minimum": 1},
        {"type": "string", "pattern": "^[0-9]+\\s*(B|KiB|MiB|GiB|kB|MB|GB)?$"},
    ]
}


def schema() -> dict[str, Any]:
    """The schema of the whole file. No key is required: environment variables may give it.

    `x-restart` marks what a running gateway cannot change: a section, or those of its keys.
    """
    root = _of(types.type_info(Config))
    for name, section in root["properties"].items():
        one, *rest = section.get("anyOf", [section])  # one, or a list of them
        keys = [(key, value) for each in (one, *(many["items"] for many in rest)) for key, value in _keys(each)]
        if name in FIXED and all(fixed(f"{name}.{key}") for key, _ in keys):
            section["x-restart"] = True
        elif name in FIXED:
            for key, value in keys:
                if fixed(f"{name}.{key}"):
                    value["x-restart"] = True
    return root


def _keys(section: dict[str, Any]) -> Iterable[tuple[str, dict[str, Any]]]:
    properties: dict[str, dict[str, Any]] = section.get("properties", {})
    return properties.items()


def document() -> str:
    """docs/config.schema.json: the schema as a file of its own, for editors."""
    head = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Configuration of ocpp-gateway"}
    return json.dumps(head | schema(), indent=1, ensure_ascii=False) + "\n"


def _of(kind: types.Type) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    if isinstance(kind, types.Metadata):
        extra, kind = kind.extra or {}, kind.type
    if isinstance(kind, types.StructType):
        return _struct(kind)
    if isinstance(kind, types.UnionType):
        return {"anyOf": [_of(each) for each in kind.types]}
    if isinstance(kind, types.NoneType):
        return {"type": "null"}
    if isinstance(kind, types.DictType):
        return {"type": "object", "additionalProperties": _of(kind.value_type)}
    if isinstance(kind, types.VarTupleType):
        if extra.get("kind") == "one or many":
            return {"anyOf": [_of(kind.item_type), {"type": "array", "minItems": 1, "items": _of(kind.item_type)}]}
        return {"type": "array", "items": _of(kind.item_type)}
    if isinstance(kind, types.TupleType):
        number = len(kind.item_types)
        return {"type": "array", "items": _of(kind.item_types[0]), "minItems": number, "maxItems": number}
    if isinstance(kind, types.FloatType):
        return {"type": "number", "minimum": 0, "maximum": 1} if extra.get("kind") == "part" else dict(DURATION)
    if isinstance(kind, types.IntType):
        if extra.get("kind") == "size":
            return dict(SIZE)
        limits = {"minimum": kind.ge, "maximum": kind.le}
        return {"type": "integer"} | {key: limit for key, limit in limits.items() if limit is not None}
    if isinstance(kind, types.BoolType):
        return {"type": "boolean"}
    if isinstance(kind, types.LiteralType):
        return {"enum": sorted(kind.values)}
    limits = {"minLength": kind.min_length, "maxLength": kind.max_length} if isinstance(kind, types.StrType) else {}
    return {"type": "string"} | {key: limit for key, limit in limits.items() if limit is not None}


def _struct(kind: types.StructType) -> dict[str, Any]:
    texts = field_texts(kind.cls)
    properties: dict[str, Any] = {}
    for field in kind.fields:
        if kind.cls.__name__ == "Options" and field.name in TRANSLATE_ONLY:
            continue
        described: dict[str, Any] = {}
        if text := texts.get(field.name):
            described["description"] = re.sub(r"\s+", " ", text)
        properties[field.encode_name] = described | _of(field.type)
        if isinstance(field.type, types.Metadata) and (field.type.extra or {}).get("kind") == "secret":
            properties[f"{field.encode_name}_file"] = {
                "type": "string",
                "description": f"File that holds `{field.encode_name}`.",
            }
    return {"type": "object", "properties": properties, "additionalProperties": False}
