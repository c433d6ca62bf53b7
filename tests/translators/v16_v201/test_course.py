"""Of a transaction that gets meter values nothing is stored but its course, and what is stored is what the link knows.

`Playbook.keep` compares the two after each step of every conversation of the tests.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from translators import Options, translator
from translators.dialogue import Dialogue, Rule
from translators.facts import FORMAT
from translators.v16_v201 import PAIR

from .conversation import AT, Charger
from .test_boot import boot
from .test_metering import element, meters, raw, updated

COURSES = f"{PAIR.prefix}courses"
PERIODIC = "MeterValuePeriodic"


def meter(c: Charger, seq: int, minute: int, reply: Any = None) -> dict[str, bytes]:
    """A meter value that the CSMS acknowledges; what was stored for it."""
    c.says(
        "MeterValues",
        meters(element(minute, raw(f"{minute}"))),
        updated(seq, minute, reason=PERIODIC, meterValue=[element(minute, {"value": minute})]),
    )
    before = dict(c.play.store)
    c.hears(reply or {}, c.answer({}))
    return {name: packed for name, packed in c.play.store.items() if before.get(name) != packed}


def test_only_the_course_is_stored_from_the_second_meter_value_on() -> None:
    c = Charger(keyed=True)
    c.starts()
    assert meter(c, 1, 5).keys() == {""}
    for n in range(2, 6):
        stored = meter(c, n, 4 + n)
        assert stored.keys() == {COURSES} and len(stored[COURSES]) < 250
    assert msgspec.msgpack.decode(c.play.store[""])["format"] == FORMAT


def test_whatever_else_changes_is_stored_whole_and_the_course_is_over() -> None:
    c = Charger(keyed=True)
    c.starts()
    meter(c, 1, 5)
    meter(c, 2, 6)
    assert c.play.store[COURSES]
    c.play.translator.connected(1)
    c.play.keep()
    assert c.play.store[COURSES] == b""
    assert "format" not in msgspec.msgpack.decode(c.play.store[""]), "a release without courses reads it"
    assert meter(c, 3, 7).keys() == {""}
    assert meter(c, 4, 8).keys() == {COURSES}
    assert meter(c, 5, 9, {"totalCost": 3}).keys() == {"", COURSES}, "the CSMS has said something"


def test_the_numbering_goes_on_after_a_crash() -> None:
    c = Charger(keyed=True)
    c.starts()
    for n in range(1, 5):
        meter(c, n, 4 + n)
    c.play.restart()
    c.local("MeterValues", meters(element(8, raw("8"))), {})  # known already
    meter(c, 5, 9)


def _learning(d: Dialogue) -> Rule:
    d.facts.interval = 99
    return None
    yield


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.assume(registered=True, connectors=9),
        lambda t: t.connected(1),
        lambda t: t.numbered("other", 7, 8),
        lambda t: setattr(t, "early_until", "1-0"),
        lambda t: t.owe(),
        lambda t: t.begin(_learning, 0),
    ],
)
@pytest.mark.parametrize("before", [True, False])
def test_a_change_beside_the_course_is_stored(change: Any, before: bool) -> None:
    """Before the meter value, or while its answer is awaited."""
    c = Charger(keyed=True)
    c.starts()
    meter(c, 1, 5)
    meter(c, 2, 6)
    if before:
        change(c.play.translator)
        meter(c, 3, 7)
    else:
        value = element(7, raw("7"))
        c.says("MeterValues", meters(value), updated(3, 7, reason=PERIODIC, meterValue=[element(7, {"value": 7})]))
        change(c.play.translator)
        c.hears({}, c.answer({}))
    c.play.translator.settled()
    c.play.keep()
    c.play.translator.facts.given["left"] = {}
    c.play.translator.whole = True
    c.play.keep()
    c.play.translator.forget("left")
    c.play.keep()


def test_two_transactions_at_once() -> None:
    c = Charger(keyed=True)
    c.starts(1)
    c.starts(2)
    for n, connector in ((1, 1), (2, 1), (1, 2), (3, 1)):
        at = 4 + n
        payload = {
            **meters(element(at, raw(f"{at}"))),
            "connectorId": connector,
            "transactionId": f"$int:tid{connector}",
        }
        event = updated(n, at, reason=PERIODIC, meterValue=[element(at, {"value": at})])
        event[1][3]["transactionInfo"]["transactionId"] = f"$uuid:tx{connector}"
        c.says("MeterValues", payload, event)
        c.hears({}, c.answer({}))
    assert len(msgspec.msgpack.decode(c.play.store[COURSES])) == 2
    c.play.translator.connected(1)
    c.play.keep()
    for n in (4, 5):
        meter(c, n, 5 + n)
    assert len(msgspec.msgpack.decode(c.play.store[COURSES])) == 1
    c.play.restart()


def test_a_connector_that_nobody_knew_is_stored() -> None:
    c = Charger(keyed=True)
    c.starts()
    meter(c, 1, 5)
    payload = {**meters(element(6, raw("6"))), "connectorId": 3}
    c.says("MeterValues", payload, updated(2, 6, reason=PERIODIC, meterValue=[element(6, {"value": 6})]))
    c.hears({}, c.answer({}))
    assert 3 in c.play.facts.connectors


def test_what_a_csms_that_forgot_the_station_is_told_is_stored() -> None:
    c = Charger(keyed=True)
    c.starts()
    meter(c, 1, 5)
    c.play.facts.registration = "Accepted"
    c.play.facts.boot = {"chargePointVendor": "ACME", "chargePointModel": "M1"}
    c.play.translator.whole = True
    meter(c, 2, 6)
    event = updated(3, 7, reason=PERIODIC, meterValue=[element(7, {"value": 7})])
    c.says("MeterValues", meters(element(7, raw("7"))), event)
    c.refused("SecurityError", boot("Unknown"))
    c.hears({"status": "Accepted", "currentTime": AT.format(6), "interval": 77}, event)
    c.hears({}, c.answer({}))
    assert c.play.facts.interval == 77


def test_nothing_is_stored_twice() -> None:
    c = Charger(keyed=True)
    c.starts()
    meter(c, 1, 5)
    assert c.play.translator.stored() == {}


def test_facts_of_a_newer_release_are_refused() -> None:
    newer = msgspec.msgpack.encode({"format": FORMAT + 1})
    with pytest.raises(ValueError, match=f"format {FORMAT + 1}"):
        translator("ocpp1.6", "ocpp2.0.1", newer, Options(), lambda: "g")
