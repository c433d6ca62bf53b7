"""The dialects of meter values, and what of a sample 1.6 can hold."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from translators import Options
from translators.dialogue import Dialogue, Refusal
from translators.engine import Translator
from translators.models import lenient
from translators.v15_v16 import PAIR
from translators.v15_v16.metering import (
    AnyMeterValuesRequest,
    AnyStopTransactionRequest,
    meter_values,
    transaction_data,
)

NOW = 1_772_436_000_000
"""2026-03-02T07:20:00Z"""
T = "2026-03-02T07:20:00Z"
WH = {"value": "12", "unit": "Wh"}


def dialogue() -> Dialogue:
    translator = Translator(PAIR, PAIR.facts(), Options(), str)
    facts, options = translator.facts, translator.options
    return Dialogue(translator, facts, options, "charger", "MeterValues", "1", "", 0, NOW, False, False)


def read(values: Any, name: str = "values") -> tuple[list[Any], list[tuple[str, str]]]:
    """The 1.6 meter values and the losses."""
    text = json.dumps({"connectorId": 1, name: values}).encode()
    d = dialogue()
    found = meter_values(d, lenient.decode(AnyMeterValuesRequest, text)[0])
    return [_plain(each) for each in found], [(x.field, x.kind) for x in d._losses]


def _plain(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))


ONE = [{"timestamp": T, "sampledValue": [WH]}]


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param({"timestamp": T, "values": [WH]}, id="A"),
        pytest.param({"timestamp": T, "value": [WH]}, id="B"),
        pytest.param({"timestamp": T, **WH}, id="C"),
        pytest.param({"timestamp": T, "value": WH}, id="single object"),
        pytest.param({"timestamp": T, "values": WH}, id="single object in values"),
        pytest.param({"timestamp": T, "value": [{"value": 12, "unit": "Wh"}]}, id="number"),
        pytest.param({"timestamp": T, "value": 12, "unit": "wh"}, id="flat number, wrong case"),
        pytest.param({"timestamp": T, "sampledValue": [WH]}, id="names of 1.6"),
        pytest.param({"timestamp": T, "value": [{"$attributes": {"unit": "Wh"}, "$value": "12"}]}, id="attributes"),
        pytest.param({"timestamp": T, "value": {"$attributes": {"unit": "Wh"}, "$value": "12"}}, id="one, attributes"),
        pytest.param({"timestamp": T, "values": [{**WH, "location": "", "context": ""}]}, id="empty texts"),
        pytest.param({"values": [{"timestamp": T, "values": [WH]}]}, id="wrapped like transaction data"),
    ],
)
@pytest.mark.parametrize("name", ["values", "meterValue"])
def test_dialects(entry: dict[str, Any], name: str) -> None:
    assert read([entry], name) == (ONE, [])
    assert read(entry, name) == (ONE, [])


@pytest.mark.parametrize(
    ("sample", "wanted", "lost"),
    [
        ({"value": "1.50"}, {"value": "1.50"}, ""),
        ({"value": 1.5e3}, {"value": "1500.0"}, ""),
        ({"value": "29", "unit": "Amp", "measurand": "Current.Import"}, "A", ""),
        ({"value": "230", "unit": "Volt", "measurand": "Voltage"}, "V", ""),
        ({"value": "20", "unit": "Celcius", "measurand": "Temperature"}, "Celsius", ""),
        ({"value": "20", "unit": "Percent", "measurand": "SoC"}, "Percent", ""),
        ({"value": "sig", "format": "SignedData"}, {"value": "sig", "format": "SignedData"}, ""),
        ({"value": "1", "location": "Cellar"}, {"value": "1"}, "values.location"),
        ({"value": "1", "phase": "L9"}, {"value": "1"}, "values.phase"),
        ({"value": "1", "measurand": "Mood"}, None, "values.value"),
        ({"value": "1", "unit": "Furlong"}, None, "values.value"),
        ({"value": ""}, None, "values.value"),
        ({"value": None}, None, "values.value"),
        ({"value": True}, None, "values.value"),
        ({}, None, "values.value"),
        (None, None, "values.value"),
    ],
)
def test_samples(sample: Any, wanted: Any, lost: str) -> None:
    found, losses = read([{"timestamp": T, "values": [sample]}])
    if isinstance(wanted, str):
        wanted = {**sample, "unit": wanted}
    assert found == ([] if wanted is None else [{"timestamp": T, "sampledValue": [wanted]}])
    assert losses == ([(lost, "dropped")] if lost else [])


@pytest.mark.parametrize("timestamp", ["", "yesterday", None, 5])
def test_a_value_without_its_time(timestamp: Any) -> None:
    found, losses = read([{"timestamp": timestamp, "values": [WH]}])
    assert found == [{"timestamp": "2026-03-02T07:20:00Z", "sampledValue": [WH]}]
    assert losses == [("values.timestamp", "defaulted")]


@pytest.mark.parametrize("values", [5, "x", [5], ["x"], [[]], True])
def test_no_meter_values_at_all(values: Any) -> None:
    with pytest.raises(Refusal):
        read(values)


@pytest.mark.parametrize("values", [[], {}, None, [{}], [{"timestamp": T}]])
def test_nothing_to_tell(values: Any) -> None:
    assert read(values)[0] == []


@pytest.mark.parametrize(
    "data",
    [
        [{"values": [{"timestamp": T, "values": [WH]}]}, {"values": [{"timestamp": T, "value": [WH]}]}],
        [{"values": [{"timestamp": T, **WH}, {"timestamp": T, **WH}]}],
        [{"timestamp": T, **WH}, {"timestamp": T, "values": [WH]}],
        {"values": [{"timestamp": T, "values": [WH]}, {"timestamp": T, "sampledValue": [WH]}]},
    ],
)
def test_transaction_data(data: Any) -> None:
    text = json.dumps({"transactionId": 1, "timestamp": T, "meterStop": 5, "transactionData": data}).encode()
    found = transaction_data(dialogue(), lenient.decode(AnyStopTransactionRequest, text)[0])
    assert [_plain(each) for each in found] == ONE * 2
