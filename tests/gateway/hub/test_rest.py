"""What a charger that does nothing keeps in a hub: no room for what is over, and what others of its kind have is shared."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.hub.backlog import Backlog, Exchange
from gateway.hub.terms import NO_TERMS
from translators.engine import Translator
from translators.untouched import Untouched

from .outage import Bench

EMPTY = sys.getsizeof({})


@pytest.mark.parametrize("csms", ["ocpp1.6", "ocpp2.0.1"])
def test_an_idle_link_keeps_no_room(csms: str) -> None:
    bench = Bench(csms=csms, policy="close")
    bench.say("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
    for status in ("Available", "Preparing", "Available"):
        bench.say("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": status})
    link = bench.link
    kept = [link._current, link._asked_at, link._open_calls]
    if isinstance(link.translator, Untouched):
        kept.append(cast(dict[str, Any], link.translator._open))
    assert {sys.getsizeof(each) for each in kept} == {EMPTY}
    assert sys.getsizeof(link.backlog) < 100


def test_chargers_of_a_kind_share_what_is_equal() -> None:
    one, other = (Bench(csms="ocpp2.0.1", policy="close") for _ in range(2))
    assert one.session.terms is other.session.terms is NO_TERMS
    assert one.link.allows is None, "its route forbids it nothing"
    assert one.link.filter is not None and other.link.filter is not None
    assert one.link.filter._keys is other.link.filter._keys
    assert isinstance(one.link.translator, Translator) and isinstance(other.link.translator, Translator)
    assert one.link.translator.options is other.link.translator.options


def test_a_backlog_goes_from_the_oldest_on() -> None:
    first, second, third, fourth = (cast(Exchange, SimpleNamespace(call=number)) for number in range(4))
    backlog = Backlog()
    backlog.append(third)
    backlog.appendleft(second)
    backlog.extendleft([second, first])
    backlog.append(fourth)
    assert backlog == [first, second, second, third, fourth]
    assert backlog.calls() == [0, 1, 1, 2, 3]
