"""A 2.0.1 charger behind a 1.6 CSMS. One module per functional block; flow C is from the charger, flow D from the CSMS."""

from __future__ import annotations

from typing import Any

from ..dialogue import Dialogue, Pair, Refusal, Row, Rule, Talk, merged
from ..error_codes import neutral_code, spell_code
from ..models import v16, v201
from ..options import Options
from . import (
    acknowledged,
    authorization,
    availability,
    away,
    boot,
    certificates,
    configuration,
    diagnostics,
    discovery,
    events,
    local_list,
    maintenance,
    metering,
    remote_control,
    reporting,
    smart_charging,
    transactions,
    whole,
)
from .state import Facts, facts_of
from .verdicts import stop_refused

_FLOW_C: tuple[dict[str, Row], ...] = (
    acknowledged.FROM_CHARGER,
    authorization.FROM_CHARGER,
    availability.FROM_CHARGER,
    boot.FROM_CHARGER,
    discovery.FROM_CHARGER,
    events.FROM_CHARGER,
    metering.FROM_CHARGER,
    reporting.FROM_CHARGER,
    transactions.FROM_CHARGER,
)
_FLOW_D: tuple[dict[str, Row], ...] = (
    certificates.FROM_CSMS,
    configuration.FROM_CSMS,
    diagnostics.FROM_CSMS,
    local_list.FROM_CSMS,
    maintenance.FROM_CSMS,
    remote_control.FROM_CSMS,
    smart_charging.FROM_CSMS,
)


def _admitted(row: Row) -> Row:
    """The row behind the gate: a station that the CSMS rejected takes no commands (spec 3.1)."""
    assert isinstance(row, Talk)
    rule = row.rule

    def talk(d: Dialogue, request: Any) -> Rule:
        if d.facts.registration == "Rejected":
            raise Refusal("SecurityError", "the CSMS has rejected this station")
        return rule(d, request)

    return Talk(talk)


def _resume(d: Dialogue) -> None:
    """After a restart: what follows a boot, starts that wait for a register, refusals that the charger has not heard of."""
    boot.resume(d)
    for each in facts_of(d).transactions:
        if each.state == "new" and each.awaits_register and not each.ending:
            d.spawn(lambda d, each=each: transactions.waits_for_register(d, each), "StartTransaction")  # type: ignore[misc]
        elif each.state == "open" and each.refusal is not None:
            d.spawn(lambda d, each=each: stop_refused(d, each), "RequestStopTransaction")  # type: ignore[misc]


PAIR = Pair(
    charger="2.0.1",
    csms="1.6",
    from_charger={
        action: whole.first(action, row) if action in whole.WHOLE else row for action, row in merged(_FLOW_C).items()
    },
    from_csms={action: _admitted(row) for action, row in merged(_FLOW_D).items()},
    charger_actions=v201.ACTIONS,
    csms_actions=v16.ACTIONS,
    facts=Facts,
    options=Options,
    spell={"charger": spell_code("2.0.1"), "csms": spell_code("1.6")},
    neutral_code=neutral_code,
    gate=boot.gate,
    away=away.away,
    back=availability.back,
    connected=boot.connected,
    first=boot.first,
    resume=_resume,
    neutral=frozenset(away.NEUTRAL),
    custom_data=frozenset({"charger"}),
)
PAIR.require_complete(v201.FROM_CHARGER, v16.FROM_CSMS)
