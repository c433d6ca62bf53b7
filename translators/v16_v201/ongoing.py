"""GetTransactionStatus and CostUpdated of the CSMS (spec 5.8, 5.21)."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ..dialogue import Dialogue, Local, Refusal, Row, Rule, Silence, Talk
from ..enums import COST_VENDOR
from ..facts import Transaction
from ..models import v16, v201
from ..values import format_time
from .charger import ask, has, running, transaction_of
from .ledger import numbers_waiting


def transaction_status(d: Dialogue, request: v201.GetTransactionStatusRequest) -> v201.GetTransactionStatusResponse:
    """From the gateway's own knowledge: 1.6 has no such question."""
    if request.transactionId is None:
        waiting = any(_queued(each) for each in running(d)) or bool(_numbers(d))
        return v201.GetTransactionStatusResponse(messagesInQueue=waiting)
    transaction = transaction_of(d, request.transactionId)
    if transaction is None:
        return v201.GetTransactionStatusResponse(ongoingIndicator=False, messagesInQueue=False)
    return v201.GetTransactionStatusResponse(
        ongoingIndicator=transaction.state != "ended",
        messagesInQueue=_queued(transaction) or transaction.tid in _numbers(d),
    )


def _queued(transaction: Transaction) -> bool:
    """Whether an event was made that the CSMS has not acknowledged."""
    return transaction.state == "starting" or bool(transaction.pending)


def _numbers(d: Dialogue) -> set[int]:
    """Numbers of the transactions that the charger has told more about than the CSMS heard."""
    return numbers_waiting(d, "StartTransaction", "StopTransaction", "MeterValues")


def cost_updated(d: Dialogue, request: v201.CostUpdatedRequest) -> Rule:
    """A RunningCost to a charger that shows prices. The response cannot say no, so the refusal is a CALLERROR."""
    if not has(d, "costmsg"):
        raise Refusal("NotSupported", "the charger cannot show costs")
    transaction = transaction_of(d, request.transactionId)
    if transaction is None or transaction.state == "ended":
        raise Refusal("PropertyConstraintViolation", "no such transaction")
    register = Decimal(transaction.register_wh) if transaction.register_wh else Decimal(transaction.meter_start)
    idle = transaction.charging_state == "SuspendedEV" or (
        transaction.charging_state == "EVConnected" and transaction.charged
    )
    data = {
        "transactionId": transaction.tid,
        "timestamp": format_time(d.clock),
        "meterValue": int(register),
        "cost": request.totalCost,
        "state": "Idle" if idle else "Charging",
    }
    command = v16.DataTransferRequest(vendorId=COST_VENDOR, messageId="RunningCost", data=_json(data))
    try:
        yield from ask(d, command)
    except (Refusal, Silence):
        raise Refusal("NotSupported", "the charger did not take the cost") from None
    return v201.CostUpdatedResponse()


def _json(data: object) -> str:
    return msgspec.json.Encoder(decimal_format="number").encode(data).decode()


FROM_CSMS: dict[str, Row] = {
    "CostUpdated": Talk(cost_updated),
    "GetTransactionStatus": Local(transaction_status),
}
