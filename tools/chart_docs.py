"""The chart's values.schema.json and README.md, from values.yaml and its comments.

`# -- text` above a key is its description (the comment lines that follow go on with it), `# @type` its type where the
default does not tell: map, object, list:string, list:integer, list:object, list:any, enum A B, integerOrNull,
intOrStringOrNull, config, upstreamSecrets, mounts, overrides. `# == title` begins a section of the README.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import yaml

from gateway import config_schema

CHART = Path(__file__).parent.parent / "helm" / "ocpp-gateway"
_KEY = re.compile(r"( *)([A-Za-z][A-Za-z0-9]*):(?:\s|$)")
_NOTE = "<!-- Made by `make docs` from values.yaml. Edit that and README.md.in, not this file. -->"
_STRINGS = {"type": "object", "additionalProperties": {"type": "string"}}
_SECRET_KEYS = ("passwordKey", "passwordsKey", "urlKey", "clientCertKey", "clientKeyKey", "caKey")
_TYPES: dict[str, dict[str, Any]] = {
    "map": _STRINGS,
    "object": {"type": "object"},
    "list:any": {"type": "array"},
    "integerOrNull": {"type": ["integer", "null"], "minimum": 1},
    "intOrStringOrNull": {"type": ["integer", "string", "null"]},
    "upstreamSecrets": {
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "additionalProperties": False,
            "required": ["existingSecret"],
            "properties": {"existingSecret": {"type": "string", "minLength": 1}}
            | {key: {"type": "string"} for key in _SECRET_KEYS},
        },
    },
    "mounts": {
        "type": "object",
        "propertyNames": {"pattern": "^[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?$"},
        "additionalProperties": {
            "type": "object",
            "additionalProperties": False,
            "minProperties": 1,
            "maxProperties": 1,
            "properties": {"secret": {"type": "string"}, "configMap": {"type": "string"}},
        },
    },
    "overrides": {
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "threshold": {"type": "number"},
                "for": {"type": "string", "pattern": "^[0-9]+[smhd]$"},
                "severity": {"enum": ["critical", "warning", "info"]},
            },
        },
    },
}


class Key(msgspec.Struct):
    """One key of values.yaml."""

    path: tuple[str, ...]
    text: str
    type: str
    section: str
    leaf: bool


def keys(text: str) -> list[Key]:
    """The documented keys in their order. Raises ValueError for one without a text."""
    found: list[Key] = []
    path: list[str] = []
    words: list[str] = []
    kind = section = ""
    closed: int | None = None
    describing = False
    lines = text.splitlines()
    for number, line in enumerate(lines):
        bare = line.strip()
        if bare.startswith("# =="):
            section = bare.removeprefix("# ==").strip()
        elif bare.startswith("# @type"):
            kind, describing = bare.removeprefix("# @type").strip(), False
        elif bare.startswith("# --"):
            words, describing = [bare.removeprefix("# --").strip()], True
        elif bare.startswith("#") and describing:
            words.append(bare.removeprefix("#").strip())
        elif match := _KEY.match(line):
            depth = len(match[1]) // 2
            if closed is not None and depth > closed:
                continue
            closed, path = None, [*path[:depth], match[2]]
            rest = line[match.end() :].strip()
            following = next((each for each in lines[number + 1 :] if each.strip()), "")
            leaf = bool(kind or rest or len(following) - len(following.lstrip()) <= len(match[1]))
            if leaf and not words:
                raise ValueError(f"{'.'.join(path)} has no text in values.yaml")
            if leaf:
                closed = depth
            found.append(Key(tuple(path), " ".join(words), kind, section, leaf))
            words, kind, describing = [], "", False
    return found


def _schema_of(kind: str, default: Any) -> dict[str, Any]:
    if kind == "config":
        # Lists and mappings of durations need no $defs: the file is read by Helm, not by people.
        return config_schema.schema()
    if kind.startswith("enum"):
        return {"enum": [word.replace('""', "") for word in kind.split()[1:]]}
    if kind.startswith("list:") and kind != "list:any":
        return {"type": "array", "items": {"type": kind.removeprefix("list:")}}
    if kind:
        return dict(_TYPES[kind])
    if isinstance(default, bool):
        return {"type": "boolean"}
    if isinstance(default, int):
        return {"type": "integer", "minimum": 0}
    if isinstance(default, str):
        return {"type": "string"}
    raise ValueError(f"the type of {default!r} must be told with # @type")


def _default(values: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        values = values[step]
    return values


def schema() -> str:
    """values.schema.json: draft-07, which every Helm 3 and 4 reads; nothing unknown is let through."""
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    values = yaml.safe_load(text)
    root: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}
    for key in keys(text):
        node = root
        for step in key.path[:-1]:
            node = node["properties"][step]
        described = {"description": key.text} if key.text else {}
        if key.leaf:
            node["properties"][key.path[-1]] = described | _schema_of(key.type, _default(values, key.path))
        else:
            empty = {"type": "object", "properties": {}, "additionalProperties": False}
            node["properties"][key.path[-1]] = described | empty
    root["properties"]["global"] = {"type": "object", "description": "Set by Helm for subcharts; not used."}
    return (
        json.dumps({"$schema": "http://json-schema.org/draft-07/schema#"} | root, indent=1, ensure_ascii=False) + "\n"
    )


def readme() -> str:
    """The chart's README: README.md.in with a table per section."""
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    values = yaml.safe_load(text)
    lines: list[str] = []
    section = None
    for key in keys(text):
        if not key.leaf:
            continue
        if key.section != section:
            section = key.section
            lines += ["", f"### {section}", "", "| Key | Default | Meaning |", "|---|---|---|"]
        default = json.dumps(_default(values, key.path), ensure_ascii=False)
        cells = (f"`{'.'.join(key.path)}`", f"`{default}`", key.text)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    frame = (CHART / "README.md.in").read_text(encoding="utf-8")
    return _NOTE + "\n\n" + frame.replace("{{values}}", "\n".join(lines).strip())


def pages() -> dict[str, Any]:
    """Path relative to docs/ -> what makes it."""
    return {"../helm/ocpp-gateway/values.schema.json": schema, "../helm/ocpp-gateway/README.md": readme}
