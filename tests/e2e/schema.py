"""Validation against the official JSON schemas of the `ocpp` package, with exact decimals and checked date-times.

For OCPP 1.5 there are none: those are the project's own.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Literal

import jsonschema
import ocpp

DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")

_OWN = Path(__file__).parents[2] / "translators" / "models" / "schemas15.json"

_formats = jsonschema.FormatChecker(formats=())


@_formats.checks("date-time")
def _is_date_time(value: object) -> bool:
    return not isinstance(value, str) or DATE_TIME.fullmatch(value) is not None


@cache
def _validator(version: str, action: str, kind: str) -> jsonschema.Draft4Validator | None:
    if version == "ocpp1.5":
        own = json.loads(_OWN.read_text(encoding="utf-8"))
        schema = own["messages"].get(action + ("Response" if kind == "result" else ""))
        if schema is None:
            return None
        return jsonschema.Draft4Validator(schema | {"definitions": own["definitions"]}, format_checker=_formats)
    folder = Path(ocpp.__file__).parent / ("v" + version.removeprefix("ocpp").replace(".", "")) / "schemas"
    suffix = "Response" if kind == "result" else "" if version == "ocpp1.6" else "Request"
    path = folder / f"{action}{suffix}.json"
    if not path.is_file():
        return None
    schema = json.loads(path.read_text(encoding="utf-8-sig"), parse_float=Decimal)
    return jsonschema.Draft4Validator(schema, format_checker=_formats)


def violations(version: str, action: str, kind: Literal["call", "result"], payload: bytes) -> list[str]:
    """What is wrong with the JSON text of a payload; empty when it is valid. An unknown action is a violation."""
    validator = _validator(version, action, kind)
    if validator is None:
        return [f"{version} has no {kind} {action}"]
    value: Any = json.loads(payload, parse_float=Decimal)
    return [f"{action} {kind} {error.json_path}: {error.message}" for error in validator.iter_errors(value)]
