"""Answers to transaction events, and what happens when the CSMS refuses a token that was let charge (spec 8.3)."""

from __future__ import annotations

from typing import Final

import msgspec

from ..dialogue import Dialogue, Refusal, Rule, Silence
from ..models import v201
from .state import Transaction, facts_of, options_of

PATIENCE: Final = 60.0
"""How long the charger has to send an event whose answer can tell it the refusal, s."""
AGAIN: Final = 10.0
"""After which a charger that did not stop is told once more, s."""


def respond(d: Dialogue, transaction: Transaction, info: v201.IdTokenInfo | None) -> v201.TransactionEventResponse:
    """The answer to an event: the verdict on its token, a refusal that came too late, a message for the driver."""
    facts = facts_of(d)
    answer = v201.TransactionEventResponse(idTokenInfo=info)
    if d.answered:
        return answer
    if (transaction.refusal is not None and not transaction.ending) or d.marked("refusal"):
        answer.idTokenInfo = msgspec.convert(d.once("refusal", lambda: transaction.refusal), v201.IdTokenInfo)
        transaction.refusal = None
    if facts.message is not None or d.marked("message"):
        answer.updatedPersonalMessage = msgspec.convert(d.once("message", lambda: facts.message), v201.MessageContent)
        facts.message = None
    return answer


def refuse_late(d: Dialogue, transaction: Transaction, info: v201.IdTokenInfo) -> None:
    """The CSMS refuses a token after the charger was answered: the next answer says so, else the charger is stopped."""
    told = facts_of(d).given.get(d.key, {}).get("told", "Accepted")
    if info.status == "Accepted" or told != "Accepted" or transaction.ending:
        return
    if d.early and not options_of(d).deauthorise:
        return
    transaction.refusal = msgspec.to_builtins(info)
    transaction.refusal_told = True
    d.spawn(lambda d: stop_refused(d, transaction), "RequestStopTransaction")


def stop_refused(d: Dialogue, transaction: Transaction) -> Rule:
    """Stop a charger that sends no event whose answer could tell it."""
    if (yield from d.wait(PATIENCE, lambda: transaction.refusal is None or transaction.ending)):
        return None
    for again in (True, False):
        d.lose("RequestStopTransaction", "synthesised")
        command = v201.RequestStopTransactionRequest(transactionId=transaction.txid)
        try:
            if (yield from d.ask("charger", command)).status == "Accepted":
                return None
        except (Refusal, Silence):
            pass
        if again and (yield from d.wait(AGAIN, lambda: transaction.refusal is None or transaction.ending)):
            return None
    return None
