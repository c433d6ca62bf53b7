"""The referee on frames that leave: the official JSON schemas, as the `ocpp` package ships them; for 1.5 our own.

`validate` knows every action of 1.5, 1.6 (with the security extension) and 2.0.1. Formats are not checked: the models and
the schemas leave timestamps to the value mappings.
"""

from __future__ import annotations

import importlib.util
import json
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Literal

import jsonschema
from jsonschema.protocols import Validator

Version = Literal["1.5", "1.6", "2.0.1"]
Kind = Literal["request", "response"]

_OWN = Path(__file__).parent.parent / "translators" / "models" / "schemas15.json"
_FILES: dict[tuple[Version, Kind], str] = {
    ("1.5", "request"): "{}",
    ("1.5", "response"): "{}Response",
    ("1.6", "request"): "v16/schemas/{}.json",
    ("1.6", "response"): "v16/schemas/{}Response.json",
    ("2.0.1", "request"): "v201/schemas/{}Request.json",
    ("2.0.1", "response"): "v201/schemas/{}Response.json",
}


class Refused(AssertionError):
    """A payload that its schema refuses; the message names the action, the members and the reasons."""


def validate(version: Version, action: str, kind: Kind, payload: dict[str, Any]) -> None:
    """Raise Refused unless the payload of this action conforms to its schema, or if there is no such action."""
    errors = list(validator(version, action, kind).iter_errors(_exact(payload)))
    if errors:
        reasons = "; ".join(f"{error.json_path.removeprefix('$.')}: {error.message}" for error in errors)
        raise Refused(f"OCPP {version} {action} {kind}: {reasons}")


@cache
def schema(version: Version, action: str, kind: Kind) -> dict[str, Any]:
    """The schema; its numbers are Decimals, so that 16.1 is a multiple of 0.1."""
    if version == "1.5":
        own = _own()
        if action not in actions("1.5"):
            raise Refused(f"OCPP {version} has no action {action!r}")
        return {**own["messages"][_FILES[version, kind].format(action)], "definitions": own["definitions"]}
    path = _package() / _FILES[version, kind].format(action)
    if not path.is_file():
        raise Refused(f"OCPP {version} has no action {action!r}")
    loaded: dict[str, Any] = json.loads(path.read_text("utf-8-sig"), parse_float=Decimal)
    return loaded


@cache
def validator(version: Version, action: str, kind: Kind) -> Validator:
    """The compiled validator of one payload."""
    loaded = schema(version, action, kind)
    return jsonschema.validators.validator_for(loaded)(loaded)


@cache
def actions(version: Version) -> tuple[str, ...]:
    """Every action of the version."""
    if version == "1.5":
        return tuple(sorted(name for name in _own()["messages"] if not name.endswith("Response")))
    before, after = _FILES[version, "response"].split("{}")
    return tuple(sorted(path.name.removesuffix(after) for path in (_package() / before).glob("*" + after)))


@cache
def _own() -> dict[str, Any]:
    whole: dict[str, Any] = json.loads(_OWN.read_text("utf-8"), parse_float=Decimal)
    return whole


@cache
def _package() -> Path:
    """Where `ocpp` is; not imported, that takes long."""
    spec = importlib.util.find_spec("ocpp")
    assert spec is not None and spec.submodule_search_locations
    return Path(next(iter(spec.submodule_search_locations)))


def _exact(value: Any) -> Any:
    """The same payload with Decimals for fractions and integers for whole numbers."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else Decimal(repr(value))
    if isinstance(value, dict):
        return {name: _exact(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_exact(item) for item in value]
    return value
