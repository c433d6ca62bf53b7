"""Every member of a valid message is told to the other side, or named in the losses of a frame that leaves because of it."""

from __future__ import annotations

import itertools
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.translators.listener import Listener
from translators import Options, Translator
from translators.frames import Side
from translators.models import v16, v201
from translators.v201_v16 import PAIR
from translators.v201_v16.state import Facts

from .conversation import event, reported

FEATURES = ("Core", "security", "pnc")
GIVEN: dict[str, list[Any]] = {
    "connectorId": [1, 2],
    "evseId": [1, 2],
    "id": [1, 2],
    "transactionId": ["TX-1", "TX-9"],
    "attributeType": ["Actual"],
    "key": ["HeartbeatInterval", "MeterValuesSampledData", "Comp.Var"],
}
MESSAGES = [("charger", each) for each in sorted(v201.FROM_CHARGER)] + [
    ("csms", each) for each in sorted(v16.FROM_CSMS)
]


@pytest.mark.parametrize(("side", "action"), MESSAGES)
@settings(max_examples=int(os.environ.get("EXAMPLES", "20")), deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_member_is_lost_without_a_word(side: Side, action: str, data: st.DataObject) -> None:
    numbers = itertools.count(1)
    features = tuple(each for each in FEATURES if data.draw(st.booleans()))
    facts = Facts(registration="Accepted", known_connectors=2)
    listener = Listener(Translator(PAIR, facts, Options(features=features), lambda: f"g{next(numbers)}"), data)
    if data.draw(st.booleans()):
        listener.say("charger", "StatusNotification", reported("Occupied"), {})
        started = {"transactionId": 4711, "idTagInfo": {"status": "Accepted"}}
        listener.say("charger", "TransactionEvent", event("Started", evse=1), started)
    listener.hears(side, action, GIVEN | ({"transactionId": [4711, 7]} if side == "csms" else {}))
