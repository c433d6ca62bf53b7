"""What a link knows of the running transactions: the charger's id and its upstream's. For operators; nothing is decided by it."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from . import facts as neutral
from .chain import Chain
from .engine import Translator
from .v16_v16 import Renumbering
from .v201_v16 import state as upwards

Id: TypeAlias = str | int | None
"""None: not known yet."""


class Known(msgspec.Struct, frozen=True):
    """A transaction that has not ended, as one upstream has it."""

    charger: Id
    upstream: Id
    state: Literal["starting", "open"]
    """starting: the upstream has not answered its begin."""


def of(translating: Any) -> list[Known] | None:
    """Those of a link's translator, the oldest first; None: the charger's ids pass as they are."""
    if isinstance(translating, Chain):
        found = None
        for part in translating.parts:
            found = found or of(part)  # only one of a chain gives transactions other ids
        return found
    if isinstance(translating, Renumbering):
        return [
            Known(each.number, each.own, "starting" if each.own is None else "open")
            for each in translating.transactions
            if not each.ended
        ]
    if not isinstance(translating, Translator):
        return None
    known: list[Known] = []
    for each in getattr(translating.facts, "transactions", ()):
        if isinstance(each, neutral.Transaction) and each.state != "ended":
            known.append(Known(each.tid or None, each.uuid, "starting" if each.state == "starting" else "open"))
        elif isinstance(each, upwards.Transaction) and each.state != "ended":
            known.append(Known(each.txid, each.tid if each.bound else None, "open" if each.bound else "starting"))
    return known
