"""Why a transaction ended, in the words of 1.6 (spec 2.7)."""

from __future__ import annotations

from typing import Final

from ..dialogue import Dialogue
from ..models import v16, v201
from ..values import STOP_DOWN, STOP_UP
from . import carried
from .state import Transaction, facts_of

STOPS: Final = ("StopAuthorized", "RemoteStop", "Deauthorized")
"""triggerReasons after which a transaction may not charge any more."""


def reason_of(d: Dialogue, transaction: Transaction, request: v201.TransactionEventRequest) -> v16.Reason:
    """What the gateway knows about the stop wins over what the charger says."""
    facts, given = facts_of(d), request.transactionInfo.stoppedReason
    told = carried.reason(carried.own(d, request.transactionInfo.customData))
    if told is not None:
        return told
    if request.eventType != "Ended" and given is None:
        given = {"RemoteStop": "Remote", "Deauthorized": "DeAuthorized"}.get(request.triggerReason, "Local")  # type: ignore[assignment]
    stopped: v201.Reason = given or "Local"
    reason = STOP_DOWN.get(stopped, "Other")
    soft = facts.reset == "Soft" and facts.reset_expires > d.now
    if facts.unlocking.get(transaction.connector, 0) > d.now or request.triggerReason == "UnlockCommand":
        reason = "UnlockCommand"
    elif request.triggerReason == "ResetCommand" and stopped not in ("PowerLoss", "EmergencyStop"):
        reason = "SoftReset" if soft else "HardReset"
    elif stopped == "ImmediateReset" and soft:
        reason = "SoftReset"
    elif stopped == "Remote" and transaction.refusal_told:
        reason = "DeAuthorized"
    if STOP_UP[reason].reason != stopped:
        d.lose("transactionInfo.stoppedReason", "folded")
    return reason
