"""The transactions of one charger and the numbering of the events that tell the CSMS about them (spec 3.2, 8.3)."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from typing import Any, Final, cast

import msgspec

from ..dialogue import Ask, Dialogue, Refusal, Rule, Silence
from ..facts import Connector, Transaction
from ..kept import holds
from ..models import v16, v201
from ..values import CHARGING_STATE, DAY_MS
from .charger import facts_of, has, options_of
from .upstream import ask

KEPT_MS: Final = 7 * DAY_MS
"""How long an ended transaction is remembered for late retries."""
ENDED_MOST: Final = 12
"""The most ended transactions that are remembered. The journal answers a repeated StartTransaction or StopTransaction for
7 days without them."""
CONNECTORS_MOST: Final = 256
PENDING_MOST: Final = 64
RECENT_MOST: Final = 8
RECENT_MS: Final = 600_000
OFFLINE_MS: Final = 5_000
ENFORCE_AGAIN: Final = 10.0
"""Seconds before a refused RemoteStopTransaction is sent once more."""
PASSING: Final = ("InternalError", "GenericError")
"""Error codes of a CSMS that may take the same message another time."""
END: Final = "end"
"""Content of the Ended event: a transaction has one, whatever the charger says in a repetition."""


def connector_of(d: Dialogue, number: int) -> Connector:
    """The record of a connector."""
    connectors: dict[int, Connector] = d.facts.connectors
    found = connectors.get(number)
    if found is None:
        found = Connector()
        if len(connectors) < CONNECTORS_MOST:
            connectors[number] = found
    return found


def is_queued(transaction: Transaction) -> bool:
    """Whether it began while the CSMS was away and its turn to be told has not come: what is told now is older."""
    if transaction.offline or transaction.refused:
        return False
    return transaction.state == "starting" and bool(transaction.auth_status)


def is_open(transaction: Transaction) -> bool:
    """Whether it runs: it has begun and not ended, nor is its end on the way."""
    return transaction.state != "ended" and END not in transaction.pending and not is_queued(transaction)


def is_known(transaction: Transaction) -> bool:
    """Whether events may be told of it: the CSMS has its start, or cannot have it because it was lost in an outage."""
    return is_open(transaction) and (transaction.state == "open" or bool(transaction.auth_status))


def runs(d: Dialogue, transaction: Transaction) -> bool:
    """Whether it runs at the charger now, whatever the CSMS has heard of it so far."""
    if transaction.state == "ended" or END in transaction.pending:
        return False
    return all(number != transaction.tid for number in numbers_waiting(d, "StopTransaction"))


def is_given_up(d: Dialogue, transaction: Transaction) -> bool:
    """Whether the CSMS did not take its end, and nobody is going to tell it again by himself (spec 8.2)."""
    if not transaction.stop_answered or transaction.tid in numbers_waiting(d, "StopTransaction"):
        return False
    return d.translator.asking(f"stop {transaction.uuid}") is None


class _Numbered(msgspec.Struct):
    transactionId: int = 0


def numbers_waiting(d: Dialogue, *actions: str) -> set[int]:
    """Numbers of the transactions that waiting messages of the charger are about; 0: one without a number."""
    found = set()
    for call in d.translator.backlog():
        if call.action in actions:
            try:
                found.add(msgspec.json.decode(call.payload, type=_Numbered).transactionId)
            except msgspec.MsgspecError:
                found.add(0)
    return found


def open_at(d: Dialogue, connector: int) -> Transaction | None:
    """The open transaction of a connector."""
    for transaction in reversed(facts_of(d).transactions):
        if transaction.connector == connector and is_open(transaction):
            return transaction
    return None


def by_number(d: Dialogue, tid: int | None) -> Transaction | None:
    """The transaction the charger knows by this number."""
    if tid is None or tid <= 0:
        return None  # numbers of chargers that never got one
    facts = facts_of(d)
    for transaction in reversed(facts.transactions):
        if transaction.tid == tid:
            return transaction
    if holds(facts, "ended", tid):
        return next((each for each in reversed(facts.ended) if each.tid == tid), None)
    return None


def by_start(d: Dialogue, start_key: str) -> Transaction | None:
    """The transaction that this StartTransaction has begun already."""
    facts = facts_of(d)
    for transaction in reversed(facts.transactions):
        if transaction.start_key == start_key:
            return transaction
    if holds(facts, "ended", start_key):
        return next((each for each in reversed(facts.ended) if each.start_key == start_key), None)
    return None


def close(d: Dialogue, transaction: Transaction) -> None:
    """The transaction has ended: it is kept for late retries, those that ended long ago are forgotten."""
    facts = facts_of(d)
    transaction.state, transaction.ended_at = "ended", d.clock
    transaction.pending.clear()
    transaction.recent.clear()
    facts.transactions = [each for each in facts.transactions if each is not transaction]
    recent = [each for each in facts.ended if each.ended_at >= d.clock - KEPT_MS and each is not transaction]
    facts.ended = [*recent[1 - ENDED_MOST :], transaction]


def digest_of(content: bytes) -> str:
    """A short name of some content."""
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def offline(d: Dialogue, at: int) -> bool | None:
    """The `offline` member of an event that happened at `at`, ms: True, or None to leave it out."""
    connected: int = d.facts.connected_at
    return True if d.early or (connected and at < connected - OFFLINE_MS) else None


def number_of(transaction: Transaction, content: str) -> int:
    """The seqNo of an event: taken when the event is made, the same again while the CSMS has not acknowledged it."""
    pending = transaction.pending
    number = pending.get(content)
    if number is None:
        while len(pending) >= PENDING_MOST:
            del pending[next(iter(pending))]
        number = pending[content] = transaction.next_seq
        transaction.next_seq += 1
    return number


def tell(
    d: Dialogue, transaction: Transaction, content: str, event: v201.TransactionEventRequest, *, sound: bool = False
) -> Generator[Ask, Any, v201.TransactionEventResponse]:
    """Number an event, send it, and heed what the CSMS says to it."""
    event.seqNo = number_of(transaction, content)
    reply = yield from ask(d, event, sound=sound)
    heed(d, transaction, content, reply)
    return reply


def insist(d: Dialogue, transaction: Transaction, content: str, event: v201.TransactionEventRequest) -> Rule:
    """`tell` an event behind an answer that its charger has got already: it repeats nothing, so the entry stays in the queue
    when the CSMS is silent, or may take the event another time."""
    try:
        yield from tell(d, transaction, content, event)
    except (Refusal, Silence) as failure:
        if isinstance(failure, Refusal) and (d.early or failure.code not in PASSING):
            raise
        d.early = d.early or (d.answered and bool(d.key))
        raise (Silence if d.early else failure) from None
    return None


def heed(d: Dialogue, transaction: Transaction, content: str, reply: v201.TransactionEventResponse) -> None:
    """The CSMS has an event, and says something to it."""
    transaction.pending.pop(content, None)
    lose_costs(d, reply, told=content == END and has(d, "costmsg"))
    info = reply.idTokenInfo
    if info is not None and content != END:
        d.lose("idTokenInfo")
        if info.status != "Accepted":
            deauthorise(d, transaction)


def forget_recent(d: Dialogue, transaction: Transaction) -> None:
    """Meter values that a charger would not repeat any more need not be recognised."""
    recent = transaction.recent
    while recent and recent[oldest := next(iter(recent))] <= d.now - RECENT_MS:
        del recent[oldest]


def lose_costs(d: Dialogue, reply: v201.TransactionEventResponse, *, told: bool = False) -> None:
    """Members of an answer that 1.6 has no place for; `told`: the charger is shown the final cost."""
    told = told and reply.totalCost is not None
    for name in ("totalCost", "chargingPriority", "updatedPersonalMessage"):
        if getattr(reply, name) is not None and (name == "chargingPriority" or not told):
            d.lose(name)


def deauthorise(d: Dialogue, transaction: Transaction) -> None:
    """The CSMS refuses a token that the charger was told is good: stop the transaction (spec 8.3)."""
    if transaction.auth_status != "Accepted" or transaction.deauth_enforced or not is_open(transaction):
        return
    if transaction.offline and not options_of(d).deauthorise:
        return
    transaction.deauth_enforced = True
    d.spawn(lambda d: _stop_refused(d, transaction), "RemoteStopTransaction")


def _stop_refused(d: Dialogue, transaction: Transaction) -> Rule:
    """Have the charger stop: if it does not, it is told once more."""
    if not runs(d, transaction):
        return None
    for again in (True, False):
        d.lose("RemoteStopTransaction", "synthesised")
        command = v16.RemoteStopTransactionRequest(transactionId=transaction.tid)
        try:
            if (yield from d.ask("charger", command)).status == "Accepted":
                transaction.stop_accepted = True
                return None
        except (Refusal, Silence):
            pass
        if again and (yield from d.wait(ENFORCE_AGAIN, lambda: not runs(d, transaction))):
            return None
    transaction.deauth_enforced = False
    return None


def resume(d: Dialogue) -> None:
    """After a restart: transactions of a refused token that the charger has not said it will stop."""
    for each in facts_of(d).transactions:
        if each.deauth_enforced and not each.stop_accepted:
            d.spawn(lambda d, each=each: _stop_refused(d, each), "RemoteStopTransaction")  # type: ignore[misc]


def started_state(status: str) -> v201.ChargingState:
    """chargingState of a Started event, by the connector's last 1.6 status (spec 4.5)."""
    return cast(v201.ChargingState, status) if status in ("Charging", "SuspendedEV", "SuspendedEVSE") else "EVConnected"


def current_state(d: Dialogue, transaction: Transaction) -> v201.ChargingState | None:
    """The chargingState that the CSMS knows: each change has been told. A status of before the start does not count."""
    if transaction.charging_state:
        return cast(v201.ChargingState, transaction.charging_state)
    return CHARGING_STATE.get(cast(v16.ChargePointStatus, connector_of(d, transaction.connector).status))


def told_state(transaction: Transaction, state: str | None) -> None:
    """The CSMS has acknowledged a chargingState."""
    if state:
        transaction.charging_state = state
        transaction.charged = transaction.charged or state == "Charging"
