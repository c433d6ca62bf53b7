"""The official JSON schemas of OCPP, which the `ocpp` package ships; 1.5's are our own. Each is read when it is first asked for."""

from __future__ import annotations

import importlib.util
import json
from decimal import Decimal
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any


@cache
def validator(version: str, action: str, *, answer: bool = False) -> Any:
    """A jsonschema validator for the payload of a CALL (or SEND), or of the answer to it; None: there is no schema."""
    from jsonschema.validators import validator_for

    found = _own(action, answer) if version == "ocpp1.5" else _shipped(version, action, answer)
    return None if found is None else validator_for(found)(found)


def _own(action: str, answer: bool) -> Any:
    own = json.loads((files("translators.models") / "schemas15.json").read_text("utf-8"))
    name = f"{action}Response" if answer else action
    return {**own["messages"][name], "definitions": own["definitions"]} if name in own["messages"] else None


def _shipped(version: str, action: str, answer: bool) -> Any:
    package = importlib.util.find_spec("ocpp")
    if package is None or not package.submodule_search_locations or not action.isalnum():
        return None
    folder = (
        Path(package.submodule_search_locations[0]) / ("v" + version.removeprefix("ocpp").replace(".", "")) / "schemas"
    )
    for name in (f"{action}Response",) if answer else (f"{action}Request", action):
        path = folder / f"{name}.json"
        if path.is_file():
            return json.loads(path.read_text("utf-8-sig"), parse_float=Decimal)
    return None
