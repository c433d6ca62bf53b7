"""MeterValues and transactionData (spec 2.8, 4.6, 4.7)."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from translators.facts import Key
from translators.losses import Loss

from .conversation import AT, TAG, Charger, ended, stop, to_csms, updated, wh


def element(minute: int, *samples: dict[str, Any]) -> dict[str, Any]:
    return {"timestamp": AT.format(minute), "sampledValue": list(samples)}


def raw(value: str, **more: Any) -> dict[str, Any]:
    return {"value": value, **more}


def meters(*elements: dict[str, Any], connector: int = 1, tid: Any = "$int:tid1") -> dict[str, Any]:
    tagged = {} if tid is None else {"transactionId": tid}
    return {"connectorId": connector, **tagged, "meterValue": list(elements)}


def loose(evse: int, *elements: dict[str, Any]) -> Any:
    return to_csms("MeterValues", {"evseId": evse, "meterValue": list(elements)})


PERIODIC = "MeterValuePeriodic"


def test_one_event_per_point_in_time_oldest_first_answered_after_the_last() -> None:
    c = Charger()
    c.starts()
    payload = meters(element(7, raw("3")), element(5, raw("1")), element(7, raw("4")), element(6, raw("2")))
    c.says("MeterValues", payload, updated(1, 5, reason=PERIODIC, meterValue=[element(5, {"value": 1})]))
    c.hears({}, updated(2, 6, reason=PERIODIC, meterValue=[element(6, {"value": 2})]))
    c.hears({}, updated(3, 7, reason=PERIODIC, meterValue=[element(7, {"value": 3}), element(7, {"value": 4})]))
    c.hears({"totalCost": 3}, c.answer({}))
    assert Loss("totalCost", "dropped") in c.play.losses
    assert c.play.facts.transactions[0].register_wh == "4"


@pytest.mark.parametrize(
    ("contexts", "reason"),
    [
        (["Sample.Periodic"], PERIODIC),
        ([None], PERIODIC),
        (["Sample.Periodic", "Sample.Clock"], "MeterValueClock"),
        (["Transaction.Begin"], PERIODIC),
        (["Trigger", "Sample.Clock"], "Trigger"),
        (["CurrentMax"], PERIODIC),
    ],
)
def test_why_meter_values_are_told(contexts: list[str | None], reason: str) -> None:
    c = Charger()
    c.starts()
    samples = [raw("1", **({"context": each} if each else {})) for each in contexts]
    known = [
        {"value": 1, **({"context": "Other" if each == "CurrentMax" else each} if each else {})} for each in contexts
    ]
    state = "EVConnected" if reason == "Trigger" else None
    expected = updated(1, 5, reason=reason, state=state, meterValue=[element(5, *known)])
    c.passes("MeterValues", meters(element(5, *samples)), expected, {}, {})


@pytest.mark.parametrize("tid", [None, -1, 0, 4711])
def test_untagged_meter_values_belong_to_the_open_transaction(tid: int | None) -> None:
    c = Charger()
    c.starts()
    expected = updated(1, 5, reason=PERIODIC, meterValue=[element(5, {"value": 1})])
    c.passes("MeterValues", meters(element(5, raw("1")), tid=tid), expected, {}, {})


def test_untagged_meter_values_from_before_the_start_do_not() -> None:
    c = Charger()
    c.starts()
    payload = meters(element(0, raw("1")), element(5, raw("2")), tid=None)
    c.says("MeterValues", payload, loose(1, element(0, {"value": 1})))
    c.hears({}, updated(1, 5, reason=PERIODIC, meterValue=[element(5, {"value": 2})]))
    c.hears({}, c.answer({}))


@pytest.mark.parametrize(("connector", "evse"), [(0, 0), (2, 2)])
def test_without_a_transaction_they_are_plain_meter_values(connector: int, evse: int) -> None:
    c = Charger()
    c.starts()
    payload = meters(element(5, raw("1")), element(6, raw("2")), connector=connector, tid=None)
    c.passes("MeterValues", payload, loose(evse, element(5, {"value": 1}), element(6, {"value": 2})), {}, {})


def test_after_the_stop_they_are_plain_meter_values() -> None:
    c = Charger()
    c.starts()
    c.passes("StopTransaction", stop(), ended(1), {}, {})
    c.passes("MeterValues", meters(element(21, raw("1"))), loose(1, element(21, {"value": 1})), {}, {})


def test_meter_values_of_a_start_the_csms_has_not_taken() -> None:
    c = Charger()
    c.says(
        "StartTransaction",
        {"connectorId": 1, "idTag": TAG, "meterStart": 0, "timestamp": AT.format(1)},
        to_csms("TransactionEvent", "$any"),
    )  # type: ignore[arg-type]
    c.refused("InternalError", c.error("InternalError"))
    c.passes("MeterValues", meters(element(5, raw("1")), tid=None), loose(1, element(5, {"value": 1})), {}, {})


def test_topology_names_the_evse() -> None:
    c = Charger(topology={"1": [1, 1], "2": [1, 2]})
    c.passes(
        "MeterValues", meters(element(5, raw("1")), connector=2, tid=None), loose(1, element(5, {"value": 1})), {}, {}
    )


def test_a_repetition_is_acknowledged_for_ten_minutes() -> None:
    c = Charger()
    c.starts()
    payload = meters(element(5, raw("1")), element(6, raw("2")))
    c.says("MeterValues", payload, updated(1, 5, reason=PERIODIC, meterValue=[element(5, {"value": 1})]))
    c.hears({}, updated(2, 6, reason=PERIODIC, meterValue=[element(6, {"value": 2})]))
    c.refused("InternalError", c.error("InternalError"))
    c.passes("MeterValues", payload, updated(2, 6, reason=PERIODIC, meterValue=[element(6, {"value": 2})]), {}, {})
    c.local("MeterValues", payload, {})
    c.play.clock += 600_001
    c.says("MeterValues", payload, updated(3, 5, reason=PERIODIC, meterValue=[element(5, {"value": 1})]))


def test_an_asked_for_message_is_what_was_asked_for() -> None:
    c = Charger()
    c.starts()
    later = c.play.clock + 60_000
    c.play.facts.triggers = {"MeterValues:1": later, "TransactionEvent:1": later}
    c.passes("MeterValues", meters(element(5, raw("1"))), loose(1, element(5, {"value": 1})), {}, {})
    expected = updated(1, 6, reason="Trigger", state="EVConnected", meterValue=[element(6, {"value": 2})])
    c.passes("MeterValues", meters(element(6, raw("2"))), expected, {}, {})
    assert c.play.facts.triggers == {}
    expected = updated(2, 7, reason=PERIODIC, meterValue=[element(7, {"value": 3})])
    c.passes("MeterValues", meters(element(7, raw("3"))), expected, {}, {})


def test_a_trigger_for_the_station_counts_once_for_each_connector() -> None:
    c = Charger()
    c.starts()
    c.play.facts.triggers = {"MeterValues:0": c.play.clock + 60_000}
    c.passes("MeterValues", meters(element(5, raw("1"))), loose(1, element(5, {"value": 1})), {}, {})
    expected = updated(1, 6, reason=PERIODIC, meterValue=[element(6, {"value": 2})])
    c.passes("MeterValues", meters(element(6, raw("2"))), expected, {}, {})
    c.play.facts.triggers = {"MeterValues:1": c.play.clock}
    expected = updated(2, 7, reason=PERIODIC, meterValue=[element(7, {"value": 3})])
    c.passes("MeterValues", meters(element(7, raw("3"))), expected, {}, {})


def test_samples_that_2_0_1_cannot_hold() -> None:
    c = Charger()
    c.starts()
    samples = [
        raw("31.5", measurand="Temperature", unit="Celsius"),
        raw("1200", measurand="RPM"),
        raw("", measurand="SoC"),
        raw("NaN", measurand="Voltage"),
        raw("1", measurand="Energy.Of.The.Mind"),
        raw("57", measurand="SoC", phase="L9", location="Roof"),
    ]
    known = {"value": 57, "measurand": "SoC", "unitOfMeasure": {"unit": "Percent"}}
    expected = updated(1, 5, reason=PERIODIC, meterValue=[element(5, known)])
    c.passes("MeterValues", meters(element(5, *samples)), expected, {}, {})
    assert c.play.facts.measured == {"Temperature": "31.5", "Temperature unit": "Celsius", "RPM": "1200"}
    assert Loss("meterValue.sampledValue", "dropped") in c.play.losses
    c.local("MeterValues", meters(element(6, *samples[:5])), {})
    c.local("MeterValues", meters(element(6)), {})
    c.local("MeterValues", {"connectorId": 1, "meterValue": []}, {})


def test_shapes_seen_in_the_field() -> None:
    c = Charger()
    payload = {"connectorId": 1, "meterValue": {"timestamp": AT.format(5), "sampledValue": [{"value": 604.213}]}}
    c.passes("MeterValues", payload, loose(1, element(5, {"value": 604.213})), {}, {})
    payload = meters({"timestamp": "", "sampledValue": [raw(" 7.10 ")]}, tid=None)
    side, frame = loose(1, element(5, {"value": 7.1}))
    frame[3]["meterValue"][0]["timestamp"] = "2026-03-01T12:00:00Z"
    c.passes("MeterValues", payload, (side, frame), {}, {})
    assert Loss("meterValue.timestamp", "defaulted") in c.play.losses


def test_dropped_samples_can_be_carried() -> None:
    c = Charger(carry_lossy="customData", vendor_id="org.example.gw")
    heat = raw("31.5", measurand="Temperature", unit="Celsius")
    carried = element(5, {"value": 1}) | {"customData": {"vendorId": "org.example.gw", "samples": [heat]}}
    c.passes("MeterValues", meters(element(5, raw("1"), heat), tid=None), loose(1, carried), {}, {})
    assert not c.play.losses


SIGNED = {"signedMeterData": "QUJD", "signingMethod": "ECDSA", "encodingMethod": "OCMF", "publicKey": "PK"}


def test_signed_begin_and_end() -> None:
    c = Charger()
    c.starts()
    data = raw(json.dumps(SIGNED), format="SignedData", context="Transaction.Begin", unit="kWh")
    begin = {
        "value": 1,
        "context": "Transaction.Begin",
        "unitOfMeasure": {"unit": "kWh"},
        "signedMeterValue": SIGNED,
    }
    expected = updated(1, 2, reason="SignedDataReceived", meterValue=[element(2, begin)])
    c.passes("MeterValues", meters(element(2, data)), expected, {}, {})
    data = raw(json.dumps(SIGNED), format="SignedData", context="Transaction.End")
    end = {"value": 2500, "context": "Transaction.End", "signedMeterValue": SIGNED}
    payload = stop(transactionData=[element(20, data)])
    c.passes("StopTransaction", payload, ended(2, values=[element(20, end)]), {}, {})


OCMF = 'OCMF|{"RD":[{"RV":1.0,"RU":"kWh"},{"RV":1.75,"RU":"kWh"}]}|{"SD":"00"}'


def test_signed_values_that_are_no_json() -> None:
    c = Charger()
    c.starts()
    c.play.facts.keys["MeterPublicKey1"] = Key(value="PUBLIC", readonly=True)

    def signature(text: str, encoding: str) -> dict[str, str]:
        encoded = base64.b64encode(text.encode()).decode()
        return {"signedMeterData": encoded, "signingMethod": "", "encodingMethod": encoding, "publicKey": "PUBLIC"}

    payload = meters(element(5, raw(OCMF, format="SignedData")), element(6, raw("binary", format="SignedData")))
    first = {"value": 1750, "signedMeterValue": signature(OCMF, "OCMF")}
    c.says("MeterValues", payload, updated(1, 5, reason=PERIODIC, meterValue=[element(5, first)]))
    second = {"value": 1750, "signedMeterValue": signature("binary", "")}
    c.hears({}, updated(2, 6, reason=PERIODIC, meterValue=[element(6, second)]))
    c.hears({}, c.answer({}))


def test_a_signed_value_has_the_number_of_the_plain_one_beside_it() -> None:
    c = Charger()
    c.starts()
    text = json.dumps(SIGNED)
    power, signed = {"measurand": "Power.Active.Import", "unit": "kW"}, {"format": "SignedData"}
    samples = [
        raw("1.2", unit="kWh", context="Sample.Periodic"),
        raw(text, **signed),
        raw("7", **power),
        raw(text, **power, **signed),
    ]
    told = [
        {"value": 1.2, "context": "Sample.Periodic", "unitOfMeasure": {"unit": "kWh"}},
        {"value": 1200, "signedMeterValue": SIGNED},
        {"value": 7, "measurand": "Power.Active.Import", "unitOfMeasure": {"unit": "kW"}},
        {"value": 7, "measurand": "Power.Active.Import", "unitOfMeasure": {"unit": "kW"}, "signedMeterValue": SIGNED},
    ]
    c.passes(
        "MeterValues",
        meters(element(5, *samples)),
        updated(1, 5, reason=PERIODIC, meterValue=[element(5, *told)]),
        {},
        {},
    )
    c.passes("MeterValues", meters(element(5, *samples), tid=None, connector=2), loose(2, element(5, *told)), {}, {})


def test_a_signature_is_never_cut() -> None:
    c = Charger()
    c.starts()
    payload = meters(element(5, raw("x" * 3000, format="SignedData")))
    c.passes("MeterValues", payload, updated(1, 5, reason=PERIODIC, meterValue=[element(5, {"value": 1000})]), {}, {})
    assert Loss("meterValue.sampledValue.value", "dropped") in c.play.losses
    c.local("MeterValues", meters(element(5, raw("x", format="SignedData", measurand="SoC"))), {})


def test_transaction_data_by_time_and_meter_stop_last() -> None:
    c = Charger()
    c.starts()
    data = [element(19, raw("2")), element(18, raw("1")), element(25, raw("3"))]
    values = [element(18, {"value": 1}), element(19, {"value": 2}), element(25, {"value": 3})]
    values.append(element(20, wh(2500, "Transaction.End")))
    c.passes("StopTransaction", stop(transactionData=data), ended(1, values=values), {}, {})


def test_meter_stop_joins_the_element_of_its_time() -> None:
    c = Charger()
    c.starts()
    data = [element(20, raw("230", measurand="Voltage")), element(2, raw("1000", context="Transaction.Begin"))]
    volt = {"value": 230, "measurand": "Voltage", "unitOfMeasure": {"unit": "V"}}
    values = [
        element(2, {"value": 1000, "context": "Transaction.Begin"}),
        element(20, volt, wh(2500, "Transaction.End")),
    ]
    c.passes("StopTransaction", stop(transactionData=data), ended(1, values=values), {}, {})


@pytest.mark.parametrize(
    ("attributes", "reported"),
    [
        ({}, True),
        ({"measurand": "Energy.Active.Import.Register"}, True),
        ({"phase": "L1"}, False),
        ({"measurand": "Energy.Active.Export.Register"}, False),
    ],
)
def test_meter_stop_is_not_told_twice(attributes: dict[str, Any], reported: bool) -> None:
    c = Charger()
    c.starts()
    sample = raw("2.5", context="Transaction.End", unit="kWh", **attributes)
    told = {"value": 2.5, "context": "Transaction.End", "unitOfMeasure": {"unit": "kWh"}, **attributes}
    values = [element(19, told)] + ([] if reported else [element(20, wh(2500, "Transaction.End"))])
    payload = stop(transactionData=[element(19, sample), element(19)])
    c.passes("StopTransaction", payload, ended(1, values=values), {}, {})


def test_a_meter_value_without_its_time_was_taken_when_it_was_received() -> None:
    """Nor is the end of a transaction refused for one."""
    c = Charger()
    c.starts()
    timeless = {"sampledValue": [raw("1400")]}
    now = {"timestamp": "$now", "sampledValue": [{"value": 1400}]}
    event = updated(1, 0, reason=PERIODIC, meterValue=[now])
    event[1][3]["timestamp"] = "$now"
    c.passes("MeterValues", meters(timeless), event, {}, {})
    assert Loss("meterValue.timestamp", "defaulted") in c.play.losses
    c.says("StopTransaction", stop(transactionData=[{**timeless, "timestamp": None}]), ended(2, meterValue="$any"))
    c.hears({}, c.answer({}))
    assert Loss("transactionData.timestamp", "defaulted") in c.play.losses
