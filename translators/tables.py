"""The tables that ship with the program as YAML."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The one in C where it is there: ten times as fast, and every start of the program waits for it."""


def table(package: str, name: str) -> Any:
    """File `name` of `package`."""
    return yaml.load((files(package) / name).read_text("utf-8"), Loader=_LOADER)
