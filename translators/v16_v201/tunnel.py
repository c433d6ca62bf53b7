"""The gateway's own DataTransfer: 2.0.1 commands, whole, to a 1.6 charger that is a gateway itself (spec 10)."""

from __future__ import annotations

from typing import Any, Final

from ..dialogue import Dialogue, Local, Refusal, Reply, Row, Rule, Silence, Talk
from .certificates import tunnel
from .charger import facts_of, options_of

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
GetTransactionStatus: the id that the CSMS knows is the gateway's."""


def first(action: str, row: Row) -> Row:
    """The row behind the tunnel: an answer that comes through it is the real one, anything else leaves the row its turn."""
    unheard = f"tunnel {action}"

    def rule(d: Dialogue, request: Any) -> Rule:
        options, unsupported = options_of(d), facts_of(d).unsupported
        if options.carry_lossy == "datatransfer" and unheard not in unsupported:
            answer: Reply = None
            try:
                answer = yield from tunnel(d, request, options.vendor_id)
            except (Refusal, Silence):
                pass
            if answer is not None:
                d.spare()
                return answer
            unsupported.append(unheard)
        match row:
            case Talk(talk):
                return (yield from talk(d, request))
            case Local(local):
                reply: Reply = local(d, request)
                return reply
        raise TypeError(f"no tunnel for {row}")

    return Talk(rule)
