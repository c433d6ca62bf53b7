"""Every member of a valid message is told to the other side, or named in the losses of a frame that leaves because of it."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.translators.listener import Listener
from translators.frames import Side
from translators.models import v16, v201

from .station import Station

FEATURES = ("SmartCharging", "RemoteTrigger", "security", "pnc")
GIVEN: dict[str, list[Any]] = {
    "connectorId": [1, 2],
    "evseId": [1, 2],
    "id": [1, 2],
    "attributeType": ["Actual"],
}
NUMBERS: dict[str, list[Any]] = {
    "charger": [1001, 4711, -1],
    "csms": ["00000000-0000-4000-8000-000000000001"],
}
MESSAGES = [("charger", each) for each in sorted(v16.FROM_CHARGER)] + [
    ("csms", each) for each in sorted(v201.FROM_CSMS)
]


@pytest.mark.parametrize(("side", "action"), MESSAGES)
@settings(max_examples=int(os.environ.get("EXAMPLES", "20")), deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_member_is_lost_without_a_word(side: Side, action: str, data: st.DataObject) -> None:
    station = Station(features=tuple(each for each in FEATURES if data.draw(st.booleans())))
    if data.draw(st.booleans()):
        station.transaction(1)
    Listener(station.translator, data).hears(side, action, GIVEN | {"transactionId": NUMBERS[side]})
