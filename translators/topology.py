"""Where a 1.6 connector sits in the EVSE model of 2.x, and back (spec 2.2).

The map is a bijection between connector numbers >= 1 and (evse, connector) pairs: `options.topology` first, then what
was appended earlier (`facts.topology`), then identity (connector N is EVSE N, connector 1). A place that was shown to a
CSMS is never given to another connector. Connector 0, the whole station, is no place: the rules treat it themselves.
"""

from __future__ import annotations

from .dialogue import Dialogue

Place = tuple[int, int]
"""(evseId, connectorId), both >= 1."""


class Unknown(Exception):
    """No such EVSE or connector; `reason` is the 2.0.1 reasonCode."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def place_of(d: Dialogue, connector: int) -> Place:
    """The (evse, connector) of a 1.6 connector >= 1. A new connector whose own number is taken is appended."""
    listed: Place | None = d.options.topology.get(str(connector)) or d.facts.topology.get(connector)
    if listed is not None:
        return listed
    if not d.options.topology and not d.facts.topology:
        return connector, 1
    place = (connector, 1)
    taken = {*d.options.topology.values(), *d.facts.topology.values()}
    if place in taken:
        place = (1 + max(evse for evse, _ in [*taken, *((number, 1) for number in connectors(d))]), 1)
        d.facts.topology[connector] = place
    return place


def connectors(d: Dialogue) -> list[int]:
    """Every 1.6 connector >= 1 known from the options, the charger's configuration or its reports, ascending."""
    known = {int(number) for number in d.options.topology}
    known.update(d.facts.topology)
    known.update(range(1, d.facts.known_connectors + 1))
    known.update(number for number in d.facts.connectors if number > 0)
    return sorted(known)


def evses(d: Dialogue) -> dict[int, list[int]]:
    """EVSE -> its 1.6 connectors in the order of their 2.x connectorIds."""
    places = sorted((place_of(d, number), number) for number in connectors(d))
    found: dict[int, list[int]] = {}
    for (evse, _), number in places:
        found.setdefault(evse, []).append(number)
    return found


def connectors_at(d: Dialogue, evse: int) -> list[int]:
    """The 1.6 connectors of an EVSE. Raises Unknown.

    While nothing tells how many connectors there are, every EVSE is believed in: the charger then refuses for itself.
    """
    if found := evses(d).get(evse):
        return found
    if evse >= 1 and not _counted(d):
        return [evse]
    raise Unknown("UnknownEvse")


def connector_at(d: Dialogue, evse: int, connector: int) -> int:
    """The 1.6 connector at (evse, connector). Raises Unknown."""
    for number in connectors_at(d, evse):
        if place_of(d, number) == (evse, connector):
            return number
    raise Unknown("UnknownConnectorId")


def one_connector_at(d: Dialogue, evse: int) -> int:
    """The 1.6 connector that a command for one target on this EVSE means. Raises Unknown.

    The one with the running transaction, else the one in Preparing, else the first Available, else the lowest.
    """
    numbers = connectors_at(d, evse)
    if len(numbers) == 1:
        return numbers[0]
    running = {t.connector for t in d.facts.transactions if t.state != "ended"}
    status = {number: d.facts.connectors[number].status for number in numbers if number in d.facts.connectors}
    for wanted in (
        running,
        {number for number in numbers if status.get(number) == "Preparing"},
        {number for number in numbers if status.get(number) == "Available"},
    ):
        for number in numbers:
            if number in wanted:
                return number
    return min(numbers)


def number_at(d: Dialogue, place: Place) -> int:
    """The 1.6 connector that stands for a place of a 2.x charger. A new place is appended: the EVSE's own number for its
    first connector while that is free, else the next one."""
    known = connectors(d)
    for number in known:
        if place_of(d, number) == place:
            return number
    evse, connector = place
    number = evse if connector == 1 and evse not in known else 1 + max(known, default=0)
    # The others keep the places they have been believed to have.
    for other in known:
        d.facts.topology.setdefault(other, place_of(d, other))
    d.facts.topology[number] = place
    return number


def is_connector(d: Dialogue, number: int) -> bool:
    """Whether a 2.x charger has something behind this 1.6 connector, as far as anyone knows."""
    return number >= 1 and (number in connectors(d) or not _counted(d))


def _counted(d: Dialogue) -> bool:
    return bool(d.options.topology) or d.facts.known_connectors > 0
