"""1.6 connectors in the EVSE model, and back."""

from __future__ import annotations

import pytest

from tests.translators.v16_v201.station import Station
from translators.dialogue import Dialogue
from translators.facts import Connector
from translators.topology import Unknown, connector_at, connectors, connectors_at, evses, one_connector_at, place_of

TWO_PLUGS = {"1": (1, 1), "2": (1, 2), "3": (2, 1)}


def dialogue(s: Station) -> Dialogue:
    translator = s.translator
    return Dialogue(translator, translator.facts, translator.options, None, "", "", "", 0, s.clock, False, True)


def test_identity() -> None:
    d = dialogue(Station(connectors=2))
    assert [place_of(d, number) for number in (1, 2, 7)] == [(1, 1), (2, 1), (7, 1)]
    assert connectors(d) == [1, 2]
    assert evses(d) == {1: [1], 2: [2]}


def test_a_connector_is_not_an_evses_second_connector() -> None:
    """evse.connectorId is not the 1.6 number (spec 15): EVSE 2 has no connector 2."""
    d = dialogue(Station(connectors=2))
    assert connector_at(d, 2, 1) == 2
    with pytest.raises(Unknown, match="UnknownConnectorId"):
        connector_at(d, 2, 2)
    with pytest.raises(Unknown, match="UnknownEvse"):
        connector_at(d, 3, 1)


def test_configured_places_both_ways() -> None:
    d = dialogue(Station(topology=TWO_PLUGS, connectors=0))
    for number, place in TWO_PLUGS.items():
        assert place_of(d, int(number)) == place
        assert connector_at(d, *place) == int(number)
    assert connectors_at(d, 1) == [1, 2]


def test_a_new_connector_is_appended_and_stays() -> None:
    s = Station(topology={"1": (2, 1)}, connectors=0)
    s.facts.connectors = {2: Connector(status="Available")}
    d = dialogue(s)
    place = place_of(d, 2)
    assert place == (3, 1)
    s.facts.connectors[3] = Connector(status="Available")
    assert place_of(d, 3) == (4, 1)
    assert place_of(d, 2) == place
    assert connector_at(d, 3, 1) == 2


def test_an_evse_is_believed_in_while_nothing_was_counted() -> None:
    d = dialogue(Station(connectors=0))
    assert connectors_at(d, 5) == [5]
    with pytest.raises(Unknown):
        connectors_at(d, 0)


@pytest.mark.parametrize(
    ("statuses", "running", "chosen"),
    [
        ({}, None, 1),
        ({1: "Charging", 2: "Available"}, None, 2),
        ({1: "Available", 2: "Preparing"}, None, 2),
        ({1: "Preparing", 2: "Charging"}, 2, 2),
        ({1: "Faulted", 2: "Faulted"}, None, 1),
    ],
)
def test_one_connector_of_several(statuses: dict[int, str], running: int | None, chosen: int) -> None:
    s = Station(topology=TWO_PLUGS)
    s.facts.connectors = {number: Connector(status=status) for number, status in statuses.items()}
    if running:
        s.transaction(running)
    assert one_connector_at(dialogue(s), 1) == chosen
