"""A 1.6 charger behind a 2.0.1 CSMS."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from ..dialogue import Dialogue, Local, Mapped, Pair, Refusal, Refuse, Row, Rule, Talk
from ..facts import Facts
from ..models import v16, v201
from ..options import Options
from ..values import neutral_code, spell_code
from .refused import LATER

_blocks = {name: import_module(f"{__name__}.{name}") for _, name, _ in iter_modules(__path__)}


def _admit(d: Dialogue) -> None:
    """A station that the CSMS rejected takes no commands (B03.FR.08)."""
    if d.facts.registration == "Rejected":
        raise Refusal("SecurityError", "the CSMS has rejected this station")


def _gated(row: Row) -> Row:
    match row:
        case Talk(rule):

            def talk(d: Dialogue, request: Any) -> Rule:
                _admit(d)
                return rule(d, request)

            return Talk(talk)
        case Local(answer):

            def local(d: Dialogue, request: Any) -> Any:
                _admit(d)
                return answer(d, request)

            return Local(local)
        case _:
            return row


_from_charger: dict[str, Row] = {}
_from_csms: dict[str, Row] = dict(LATER)
for _block in _blocks.values():
    _from_charger.update(getattr(_block, "FROM_CHARGER", {}))
    _from_csms.update(getattr(_block, "FROM_CSMS", {}))

_boot: Any = _blocks.get("boot")
_away: Any = _blocks.get("away")

PAIR = Pair(
    charger="1.6",
    csms="2.0.1",
    from_charger=_from_charger,
    from_csms={action: _gated(row) for action, row in _from_csms.items()},
    charger_actions=v16.ACTIONS,
    csms_actions=v201.ACTIONS,
    facts=Facts,
    options=Options,
    spell={"charger": spell_code("1.6"), "csms": spell_code("2.0.1")},
    neutral_code=neutral_code,
    gate=getattr(_boot, "gate", None),
    away=getattr(_away, "away", None),
    back=getattr(_away, "back", None),
    booted=getattr(_boot, "booted", None),
)
