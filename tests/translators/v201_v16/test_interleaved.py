"""Several transactions at once (see `tests.translators.interleaved`): each keeps its own number and its own energy."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.translators.interleaved import Books, Chance, CrashAt, Drawn, Frame, Script, interleaved
from translators.values import format_time

from .conversation import Talk

START, STOP = "StartTransaction", "StopTransaction"
EVSES = (1, 2, 3)


class World(Books):
    """A StartTransaction gets a number, a repeated one another."""

    def __init__(self, chance: Chance) -> None:
        self.talk = Talk(keyed=True)
        super().__init__(self.talk, chance)
        self.tids: dict[int, list[int]] = {}
        """Connector -> the numbers that the CSMS gave for it; the last one is the one that counts."""
        self.heard: list[tuple[str, Any]] = []

    def books(self, frame: Frame) -> dict[str, Any]:
        self.heard.append((frame[2], frame[3]))
        if frame[2] != START:
            return {}
        numbers = self.tids.setdefault(frame[3]["connectorId"], [])
        numbers.append(100 + len(self.heard))
        return {"transactionId": numbers[-1], "idTagInfo": {"status": "Accepted"}}


def script(connector: int, meters: int) -> Script:
    """What happens on one EVSE; energies tell the transactions apart."""
    base, begin = connector * 100_000, 1_772_352_000_000 + connector
    seq = iter(range(100))

    def at(minute: int) -> str:
        return format_time(begin + 60_000 * minute)

    def event(
        kind: str, minute: int, trigger: str, wh: int | None = None, context: str = "Sample.Periodic", **more: Any
    ) -> Any:
        info = {"transactionId": f"TX-{connector}", **more.pop("info", {})}
        payload = {"eventType": kind, "timestamp": at(minute), "triggerReason": trigger, "seqNo": next(seq),
                   "transactionInfo": info, **more}  # fmt: skip
        if wh is not None:
            unit = {"unit": "kWh"} if minute % 2 else {"unit": "Wh"}
            sample = {"value": wh / 1000 if minute % 2 else wh, "context": context, "unitOfMeasure": unit}
            payload["meterValue"] = [{"timestamp": at(minute), "sampledValue": [sample]}]
        return "TransactionEvent", payload

    place: dict[str, Any] = {"evse": {"id": connector, "connectorId": 1}}
    token: dict[str, Any] = {"idToken": {"idToken": f"TAG{connector}", "type": "Central"}}
    occupied = {"timestamp": at(0), "connectorStatus": "Occupied", "evseId": connector, "connectorId": 1}
    steps = [
        ("StatusNotification", occupied),
        event(
            "Started", 0, "CablePluggedIn", base, "Transaction.Begin", info={"chargingState": "EVConnected"}, **place
        ),
        event("Updated", 1, "Authorized", info={"chargingState": "EVConnected"}, **token),
        event("Updated", 2, "ChargingStateChanged", info={"chargingState": "Charging"}),
    ]
    for number in range(meters):
        steps.append(event("Updated", 3 + number, "MeterValuePeriodic", base + number + 1))
    state = {"stoppedReason": "Local", "chargingState": "EVConnected"}
    steps.append(event("Ended", 20, "StopAuthorized", base + 1000 * connector, "Transaction.End", info=state, **token))
    return [*steps, ("StatusNotification", {**occupied, "timestamp": at(30), "connectorStatus": "Available"})]


def run(world: World) -> None:
    scripts = {connector: script(connector, world.chance.count()) for connector in EVSES}
    for _, action, payload in interleaved(scripts, world.chance):
        world.says(action, payload)


def check(world: World) -> None:
    for connector in EVSES:
        base, own = connector * 100_000, world.tids[connector]
        starts = [each for action, each in world.heard if action == START and each["connectorId"] == connector]
        stops = [each for action, each in world.heard if action == STOP and each["transactionId"] in own]
        assert all(each == starts[0] for each in starts) and starts[0]["idTag"] == f"TAG{connector}"
        assert stops and all(each == stops[0] for each in stops)
        assert stops[0]["meterStop"] - starts[0]["meterStart"] == 1000 * connector, "energy in is energy out"
        assert starts[0]["meterStart"] == base
        for action, each in world.heard:
            if action == "MeterValues" and each["connectorId"] == connector:
                assert each["transactionId"] in own
                sample = each["meterValue"][0]["sampledValue"][0]
                wh = float(sample["value"]) * (1000 if sample["unit"] == "kWh" else 1)
                assert base < wh <= base + 3
    assert world.talk.state.given == {}
    assert world.talk.state.transactions == []


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_nothing_crosses_and_nothing_is_lost(data: st.DataObject) -> None:
    world = World(Drawn(data))
    run(world)
    check(world)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_without_trouble_everything_arrives_once_and_in_order(data: st.DataObject) -> None:
    world = World(Drawn(data, outcomes=("ok",)))
    run(world)
    check(world)
    for connector in EVSES:
        [tid] = world.tids[connector]
        told = [
            each.get("status", action)
            for action, each in world.heard
            if each.get("connectorId") == connector or each.get("transactionId") == tid
        ]
        meters = told.count("MeterValues")
        assert told == ["Preparing", START, "Charging", *["MeterValues"] * meters, STOP, "Finishing", "Available"]


@pytest.mark.parametrize("at", range(36))
def test_a_crash_at_every_step(at: int) -> None:
    world = World(CrashAt(at))
    run(world)
    check(world)
