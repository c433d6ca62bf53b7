"""The quirks of real peers (reliability 3): the table, what shows them, what repairs them.

table.yaml is the one list. Docs, metric labels and tests are made from it.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from ..tables import table


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


QUIRKS: Final = msgspec.convert(table("translators.quirks", "table.yaml"), tuple[Quirk, ...])
"""In the order of the table."""

LABELS: Final = tuple(dict.fromkeys(row.label for row in QUIRKS if row.label))
"""Values of the label `quirk` of ocppgw_quirks_total."""
