"""What every rule for a CSMS command needs: asking the 1.6 charger, and saying why not."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

from ..dialogue import Ask, Dialogue, Refusal
from ..facts import Facts, Transaction
from ..kept import holds
from ..models import v201
from ..models.base import Request, Struct
from ..options import Options
from ..values import tidy_time

R = TypeVar("R", bound=Struct)

UNSUPPORTED = ("NotImplemented", "NotSupported")
"""Error codes of a peer that does not have an action."""


def facts_of(d: Dialogue) -> Facts:
    facts: Facts = d.facts
    return facts


def options_of(d: Dialogue) -> Options:
    options: Options = d.options
    return options


def ask(d: Dialogue, request: Request[R]) -> Generator[Ask, Any, R]:
    """Send a command to the charger. Raises Refusal on a CALLERROR, Silence without an answer.

    An action the charger does not have is remembered for the connection and refused from then on without sending
    (spec 1.2.6). A DataTransfer is not: its refusal concerns one vendor.
    """
    facts, action = facts_of(d), type(request).action
    if action in facts.unsupported:
        raise Refusal("NotSupported", f"the charger does not support {action}")
    try:
        response: R = yield from d.ask("charger", request)
    except Refusal as refusal:
        if refusal.code in UNSUPPORTED and action != "DataTransfer":
            facts.unsupported.append(action)
        raise
    return response


def because(reason: str, more: str | None = None) -> v201.StatusInfo:
    """statusInfo of an answer that the gateway gave itself or folded (spec 2.13)."""
    return v201.StatusInfo(reasonCode=reason, additionalInfo=more)


def running(d: Dialogue, connector: int | None = None) -> list[Transaction]:
    """The transactions that have not ended, of one connector or of all."""
    return [transaction for transaction in facts_of(d).transactions if connector in (None, transaction.connector)]


def transaction_of(d: Dialogue, uuid: str) -> Transaction | None:
    """The transaction with this 2.x id, ended or not. Case does not matter (spec 2.1); ours are in lower case."""
    facts = facts_of(d)
    uuid = uuid.lower()
    found = next((each for each in facts.transactions if each.uuid == uuid), None)
    if found is None and holds(facts, "ended", uuid):
        found = next((each for each in facts.ended if each.uuid == uuid), None)
    return found


def told_time(d: Dialogue, text: str | None, field: str) -> str | None:
    """An optional time as every charger reads it; one that is no time is left out."""
    found = tidy_time(text)
    if text and found is None:
        d.lose(field)
    return found


def has(d: Dialogue, feature: str) -> bool:
    """Whether the 1.6 peer has a feature profile or one of the extensions `security`, `pnc`, `costmsg`."""
    return feature in options_of(d).features
