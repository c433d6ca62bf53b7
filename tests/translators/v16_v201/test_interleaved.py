"""Several transactions at once (see `tests.translators.interleaved`): the CSMS can tell them apart, every number is used for
one event, and the energy that goes in comes out.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.translators.interleaved import Books, Chance, CrashAt, Drawn, Frame, Script, interleaved
from translators.values import format_time

from .conversation import talk

CONNECTORS = (1, 2, 3)


class World(Books):
    """Events by transaction and number."""

    def __init__(self, chance: Chance) -> None:
        super().__init__(talk(keyed=True), chance)
        self.tids: dict[int, int] = {}
        self.told: dict[str, dict[int, Any]] = defaultdict(dict)
        self.sent: dict[str, set[int]] = defaultdict(set)

    def asked(self, frame: Frame) -> None:
        if frame[2] == "TransactionEvent":
            self.sent[frame[3]["transactionInfo"]["transactionId"]].add(frame[3]["seqNo"])

    def books(self, frame: Frame) -> dict[str, Any]:
        """A number that comes again comes with the same event."""
        if frame[2] != "TransactionEvent":
            return {}
        event = frame[3]
        book = self.told[event["transactionInfo"]["transactionId"]]
        assert book.setdefault(event["seqNo"], event) == event
        return {"idTokenInfo": {"status": "Accepted"}}


def script(connector: int, meters: int) -> Script:
    """What happens on one connector; energies tell the connectors apart."""
    base, start = connector * 100_000, 1_772_352_000_000 + connector

    def at(minute: int) -> str:
        return format_time(start + 60_000 * minute)

    def status(minute: int, status: str) -> tuple[str, dict[str, Any]]:
        about = {"connectorId": connector, "errorCode": "NoError", "status": status, "timestamp": at(minute)}
        return "StatusNotification", about

    begin = {"connectorId": connector, "idTag": f"TAG{connector}", "meterStart": base, "timestamp": at(1)}
    steps = [status(0, "Preparing"), ("StartTransaction", begin), status(2, "Charging")]
    for number in range(meters):
        values = [
            {"timestamp": at(3 + number * 2 + part), "sampledValue": [{"value": str(base + number * 2 + part)}]}
            for part in (0, 1)
        ]
        steps.append(("MeterValues", {"connectorId": connector, "meterValue": values}))
    end = {"meterStop": base + 1000 * connector, "timestamp": at(30), "reason": "Local", "idTag": f"TAG{connector}"}
    return [*steps, status(29, "SuspendedEV"), ("StopTransaction", end), status(31, "Available")]


def run(world: World) -> None:
    scripts = {connector: script(connector, world.chance.count()) for connector in CONNECTORS}
    for connector, action, payload in interleaved(scripts, world.chance):
        if action == "StopTransaction" or (action == "MeterValues" and world.chance.coin()):
            payload = payload | {"transactionId": world.tids[connector]}
        answer = world.says(action, payload)
        if action == "StartTransaction":
            world.tids[connector] = answer["transactionId"]


def check(world: World) -> None:
    assert len(set(world.tids.values())) == len(CONNECTORS) == len(world.told)
    for uuid, book in world.told.items():
        assert world.sent[uuid] == set(range(max(book) + 1))
        first, last = book[0], book[max(book)]
        connector = first["evse"]["id"]
        base = connector * 100_000
        assert first["eventType"] == "Started" and last["eventType"] == "Ended"
        assert first["idToken"]["idToken"] == f"TAG{connector}" == last["idToken"]["idToken"]
        assert first["meterValue"][0]["sampledValue"][0]["value"] == base
        assert last["meterValue"][-1]["sampledValue"][0]["value"] == base + 1000 * connector
        contents = [json.dumps({**event, "seqNo": 0}, default=str) for event in book.values()]
        assert len(set(contents)) == len(contents), "the same event under two numbers"
        for number, event in book.items():
            if number:
                assert "evse" not in event
            for value in event.get("meterValue", []):
                assert base <= value["sampledValue"][0]["value"] <= base + 1000 * connector
    assert world.play.facts.transactions == []
    for transaction in world.play.facts.ended:
        assert transaction.state == "ended" and not transaction.pending
    assert world.play.facts.given == {}


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_nothing_crosses_and_nothing_is_lost(data: st.DataObject) -> None:
    world = World(Drawn(data))
    run(world)
    check(world)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_without_trouble_every_number_arrives_once(data: st.DataObject) -> None:
    world = World(Drawn(data, outcomes=("ok",)))
    run(world)
    check(world)
    for book in world.told.values():
        assert sorted(book) == list(range(len(book)))


@pytest.mark.parametrize("at", range(36))
def test_a_crash_at_every_step(at: int) -> None:
    world = World(CrashAt(at))
    run(world)
    check(world)
