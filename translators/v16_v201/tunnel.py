"""The gateway's own DataTransfer: 2.0.1 commands, whole, to a 1.6 charger that is a gateway itself (spec 10)."""

from __future__ import annotations

from typing import Any, Final

from ..dialogue import Dialogue, Local, Refusal, Reply, Row, Rule, Silence, Talk
from ..models import v201
from .certificates import tunnel
from .charger import UNSUPPORTED, facts_of, options_of, transaction_of
from .untunnelled import PEER

ACTIONS: Final = frozenset(
    (
        "ClearDisplayMessage",
        "ClearVariableMonitoring",
        "CustomerInformation",
        "GetBaseReport",
        "GetChargingProfiles",
        "GetDisplayMessages",
        "GetMonitoringReport",
        "GetReport",
        "PublishFirmware",
        "SetDisplayMessage",
        "SetMonitoringBase",
        "SetMonitoringLevel",
        "SetVariableMonitoring",
        "UnpublishFirmware",
    )
)
"""What the gateway answers in the charger's stead. SetNetworkProfile is not among them: the link is the gateway's; nor
GetTransactionStatus: the id that the CSMS knows is the gateway's, unless the charger is a gateway too."""


PROVEN: Final = v201.FROM_CSMS - ACTIONS - {"SetNetworkProfile"}
"""What also goes whole to a charger that has proven to be a gateway. A transaction that the gateway knows by a 1.6 number is
meant in 1.6 words."""


def first(action: str, row: Row) -> Row:
    """The row behind the tunnel: an answer that comes through it is the real one, anything else leaves the row its turn."""

    def rule(d: Dialogue, request: Any) -> Rule:
        if options_of(d).carry_lossy != "datatransfer" or not _passes(d, action, request):
            return _translated(d, row, request)
        return _talk(d, row, request)

    return Talk(rule)


def _passes(d: Dialogue, action: str, request: Any) -> bool:
    facts = facts_of(d)
    if f"tunnel {action}" in facts.unsupported:
        return False
    if action in ACTIONS:
        return True
    profile = getattr(request, "chargingProfile", None)
    uuid = getattr(request, "transactionId", None) or getattr(profile, "transactionId", None)
    return bool(facts.extra.get(PEER)) and not (uuid and transaction_of(d, uuid) is not None)


def _talk(d: Dialogue, row: Row, request: Any) -> Rule:
    facts, unheard = facts_of(d), f"tunnel {type(request).action}"
    proven, answer = bool(facts.extra.get(PEER)), None
    try:
        answer = yield from tunnel(d, request, options_of(d).vendor_id)
    except Refusal as refusal:
        if proven and refusal.code not in UNSUPPORTED:
            raise  # between two gateways a CALLERROR stays one
    except Silence:
        if proven:
            raise
    if answer is not None:
        facts.extra[PEER] = True
        d.spare()
        whole: Reply = answer
        return whole
    facts.unsupported.append(unheard)
    return (yield from _translated(d, row, request))


def _translated(d: Dialogue, row: Row, request: Any) -> Rule:
    match row:
        case Talk(talk):
            return (yield from talk(d, request))
        case Local(local):
            reply: Reply = local(d, request)
            return reply
    raise TypeError(f"no tunnel for {row}")
