"""A 1.6 charger behind a 2.0.1 CSMS. One module per functional block; flow A is from the charger, flow B from the CSMS."""

from __future__ import annotations

from typing import Any

from ..dialogue import Dialogue, Local, Pair, Refusal, Row, Rule, Talk, merged
from ..error_codes import neutral_code, spell_code
from ..facts import Facts
from ..models import v16, v201
from ..options import Options
from . import (
    authorization,
    availability,
    away,
    boot,
    certificates,
    configuration,
    custom_report,
    customer,
    diagnostics,
    ledger,
    local_list,
    maintenance,
    metering,
    monitoring,
    ongoing,
    refused,
    remote_control,
    reporting,
    reservations,
    smart_charging,
    stopping,
    transactions,
    tunnel,
)

_FLOW_A: tuple[dict[str, Row], ...] = (
    authorization.FROM_CHARGER,
    availability.FROM_CHARGER,
    boot.FROM_CHARGER,
    metering.FROM_CHARGER,
    reporting.FROM_CHARGER,
    stopping.FROM_CHARGER,
    transactions.FROM_CHARGER,
)
_FLOW_B: tuple[dict[str, Row], ...] = (
    certificates.FROM_CSMS,
    configuration.FROM_CSMS,
    custom_report.FROM_CSMS,
    customer.FROM_CSMS,
    diagnostics.FROM_CSMS,
    local_list.FROM_CSMS,
    maintenance.FROM_CSMS,
    monitoring.FROM_CSMS,
    ongoing.FROM_CSMS,
    refused.FROM_CSMS,
    remote_control.FROM_CSMS,
    reservations.FROM_CSMS,
    smart_charging.FROM_CSMS,
)


def _tunnelled(rows: dict[str, Row]) -> dict[str, Row]:
    """What the gateway answers in the charger's stead, unless the charger takes it through the gateway's own tunnel."""
    whole = tunnel.ACTIONS | tunnel.PROVEN
    return {action: tunnel.first(action, row) if action in whole else row for action, row in rows.items()}


def _admitted(row: Row) -> Row:
    """The row behind the gate: a station that the CSMS rejected takes no commands (B03.FR.08)."""

    def admit(d: Dialogue) -> None:
        if d.facts.registration == "Rejected":
            raise Refusal("SecurityError", "the CSMS has rejected this station")

    match row:
        case Talk(rule):

            def talk(d: Dialogue, request: Any) -> Rule:
                admit(d)
                return rule(d, request)

            return Talk(talk)
        case Local(answer):

            def local(d: Dialogue, request: Any) -> Any:
                admit(d)
                return answer(d, request)

            return Local(local)
    raise TypeError(f"no gate for {row}")


def _resume(d: Dialogue) -> None:
    """After a restart: what waited before it."""
    boot.resume(d)
    ledger.resume(d)
    maintenance.resume(d)
    reservations.resume(d)


PAIR = Pair(
    charger="1.6",
    csms="2.0.1",
    from_charger=merged(_FLOW_A),
    from_csms={action: _admitted(row) for action, row in _tunnelled(merged(_FLOW_B)).items()},
    charger_actions=v16.ACTIONS,
    csms_actions=v201.ACTIONS,
    facts=Facts,
    options=Options,
    spell={"charger": spell_code("1.6"), "csms": spell_code("2.0.1")},
    neutral_code=neutral_code,
    gate=boot.gate,
    away=away.away,
    back=away.back,
    connected=boot.connected,
    numbered=transactions.numbered,
    first=boot.first,
    resume=_resume,
    neutral=frozenset(away.NEUTRAL),
    custom_data=frozenset({"csms"}),
)
PAIR.require_complete(v16.FROM_CHARGER, v201.FROM_CSMS)
