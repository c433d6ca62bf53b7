"""Which 1.6 connector an EVSE of the charger means (spec 2.2)."""

from __future__ import annotations

from ..dialogue import Dialogue
from ..models import v201
from ..topology import evses, number_at, place_of
from .state import facts_of


def number_of(d: Dialogue, evse: int, connector: int | None = None) -> int:
    """The connector that is meant; 0 for the station. Without a connectorId: the only one of the EVSE, the one whose
    transaction runs, the one that was Occupied last, the lowest."""
    if evse < 1:
        return 0
    if connector is not None and connector >= 1:
        return number_at(d, (evse, connector))
    numbers = evses(d).get(evse)
    if not numbers:
        return number_at(d, (evse, 1))
    if len(numbers) > 1:
        facts = facts_of(d)
        for transaction in reversed(facts.transactions):
            if transaction.connector in numbers:
                return transaction.connector
        occupied = [n for n in numbers if n in facts.connectors and facts.connectors[n].status == "Occupied"]
        if occupied:
            return max(occupied, key=lambda number: facts.connectors[number].occupied_at)
    return numbers[0]


def target(d: Dialogue, number: int, *, connector: bool = True) -> v201.EVSE:
    """The EVSE of a connector for a command; `connector`: with its connectorId, else only if the EVSE has several."""
    evse, own = place_of(d, number)
    several = len(evses(d).get(evse, [])) > 1
    return v201.EVSE(id=evse, connectorId=own if connector or several else None)
