"""Exclusive control of a connector, so that two upstreams do not fight over one session. Pure.

The rule: an upstream whose RemoteStartTransaction, ReserveNow or SetChargingProfile for a connector the charger accepted has
control of it, until the transaction that began there has ended, or until it has said nothing about that connector for ten
minutes and no transaction of its own runs. While it has, the others' commands that act on the session there (start, stop,
unlock, reserve, reset) are refused. Control that came from a charging profile alone does not bind an upstream whose answers the
charger gets; and such an upstream may always stop a transaction.
"""

from __future__ import annotations

from typing import Final

from .terms import RUNNING_MOST, Lease, Terms, trim

IDLE_MS: Final = 600_000


def take(terms: Terms, place: int, holder: str, now: int, *, strong: bool) -> None:
    """The charger accepted a command of `holder` for a connector."""
    lease = terms.leases.get(place)
    if lease is not None and lease.holder == holder and _alive(terms, lease, now):
        lease.at, lease.strong = now, lease.strong or strong
    elif strong or lease is None or not _alive(terms, lease, now):
        running = [transaction for transaction, at in terms.running.items() if at == place]
        terms.leases[place] = Lease(holder, now, running[-1] if running and not strong else "", strong)


def foreign(terms: Terms, place: int | None, who: str, now: int, *, bills: bool) -> bool:
    """Whether another upstream controls the connector (None: any). `bills`: the charger gets the answers of `who`."""
    for at, lease in list(terms.leases.items()):
        if not _alive(terms, lease, now):
            del terms.leases[at]
        elif lease.holder != who and place in (None, at) and (lease.strong or not bills):
            return True
    return False


def began(terms: Terms, place: int, transaction: str, now: int) -> None:
    """A transaction runs at a connector."""
    for other in [each for each, at in terms.running.items() if at == place and each != transaction]:
        ended(terms, other)  # whose end was never told
    terms.running[transaction] = place
    terms.since.setdefault(transaction, now)
    trim(terms.running, RUNNING_MOST)
    trim(terms.since, RUNNING_MOST)
    lease = terms.leases.get(place)
    if lease is None and (lease := terms.leases.pop(0, None)) is not None:
        terms.leases[place] = lease
    if lease is not None and not lease.transaction:
        lease.transaction = transaction


def ended(terms: Terms, transaction: str) -> None:
    """A transaction is over, and with it the control of its connector."""
    terms.since.pop(transaction, None)
    place = terms.running.pop(transaction, None)
    if place is not None:  # the charger forgets what was for this transaction alone
        for own in terms.upstreams.values():
            own.profiles = {
                id: each for id, each in own.profiles.items() if each.purpose != "TxProfile" or each.place != place
            }
    for at, lease in list(terms.leases.items()):
        if lease.transaction == transaction:
            del terms.leases[at]


def _alive(terms: Terms, lease: Lease, now: int) -> bool:
    return lease.transaction in terms.running if lease.transaction else now - lease.at < IDLE_MS
