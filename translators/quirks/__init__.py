"""The quirks of real peers (reliability 3): the table, what shows them, what repairs them.

table.yaml is the one list. Docs, metric labels and tests are made from it.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Final, Literal

import msgspec


class Quirk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row; see the head of table.yaml."""

    quirk: str
    does: str
    seen: str
    becomes: str
    where: Literal["edge", "hub", "payload", "translation"]
    test: str
    label: str = ""
    at: Literal["", "safe", "full"] = ""
    option: str = ""


def _table() -> tuple[Quirk, ...]:
    import yaml

    text = (files("translators.quirks") / "table.yaml").read_text("utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast: every start of the program waits for it
    return msgspec.convert(yaml.load(text, Loader=loader), tuple[Quirk, ...])


QUIRKS: Final = _table()
"""In the order of the table."""

LABELS: Final = tuple(dict.fromkeys(row.label for row in QUIRKS if row.label))
"""Values of the label `quirk` of ocppgw_quirks_total."""
