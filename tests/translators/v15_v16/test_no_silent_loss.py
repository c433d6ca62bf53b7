"""Every member of a valid message is told to the other side, or named in the losses of a frame that leaves because of it."""

from __future__ import annotations

import itertools
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.translators.listener import Listener
from translators import Options, Translator, pair
from translators.frames import Side
from translators.models import v15, v16

PAIR = pair("ocpp1.5", "ocpp1.6")
GIVEN = {"connectorId": [1, 2], "transactionId": [4711, 7], "reservationId": [31]}
MESSAGES = [("charger", each) for each in sorted(v15.FROM_CHARGER)] + [("csms", each) for each in sorted(v16.FROM_CSMS)]
START = {"connectorId": 1, "idTag": "A", "timestamp": "2026-03-02T07:00:00Z", "meterStart": 0}


@pytest.mark.parametrize(("side", "action"), MESSAGES)
@settings(max_examples=int(os.environ.get("EXAMPLES", "20")), deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_member_is_lost_without_a_word(side: Side, action: str, data: st.DataObject) -> None:
    numbers = itertools.count(1)
    translator = Translator(PAIR, PAIR.facts(), Options(), lambda: f"g{next(numbers)}")
    translator.assume(True, 2)
    listener = Listener(translator, data)
    if data.draw(st.booleans()):
        listener.say("charger", "StartTransaction", START, {"transactionId": 4711, "idTagInfo": {"status": "Accepted"}})
    listener.hears(side, action, GIVEN)
