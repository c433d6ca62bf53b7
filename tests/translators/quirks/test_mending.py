"""What is repaired between a charger and a CSMS of the same version: nothing that need not be, at each level."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest
from msgspec import Raw

from translators.frames import Call
from translators.quirks.mending import Level, Mend

RECEIVED = 1_760_000_000_000
"""2025-10-09T08:53:20Z"""
NOW = "2025-10-09T08:00:00Z"


class Open(NamedTuple):
    number: int


class Bench:
    """Both levels, and what they have told."""

    def __init__(self, version: str = "ocpp1.6") -> None:
        self.version = version
        self.told: list[str] = []

    def mend(self, level: Level) -> Mend:
        self.told.clear()
        return Mend(self.version, level, lambda label, version: self.told.append(label))

    def text(self, action: str, payload: Any, level: Level = "safe", *, begun: tuple[Open, ...] = ()) -> str:
        """The payload as the CSMS gets it."""
        raw = payload.encode() if isinstance(payload, str) else json.dumps(payload, separators=(",", ":")).encode()
        call = Call("1", action, Raw(raw))
        found = self.mend(level).call(call, RECEIVED, begun)
        assert (found is call) == (bytes(found.payload) == raw), "a payload that stays is the same object"
        return bytes(found.payload).decode()

    def both(self, action: str, payload: Any) -> tuple[Any, Any]:
        """(safe, full)."""
        return json.loads(self.text(action, payload)), json.loads(self.text(action, payload, "full"))

    def answer(self, action: str, payload: Any, level: Level = "safe") -> Any:
        raw = Raw(json.dumps(payload).encode())
        return json.loads(bytes(self.mend(level).answer(action, raw)))


@pytest.fixture
def bench() -> Bench:
    return Bench()


def meter(**sample: Any) -> dict[str, Any]:
    return {"connectorId": 1, "meterValue": [{"timestamp": NOW, "sampledValue": [sample]}]}


STATUS = {"connectorId": 1, "status": "Available", "errorCode": "NoError"}
BOOT = {"chargePointVendor": "V", "chargePointModel": "M"}
START = {"connectorId": 1, "idTag": "TAG", "meterStart": 0, "timestamp": NOW}
STOP = {"transactionId": 7, "meterStop": 10, "timestamp": NOW}


@pytest.mark.parametrize("level", ["safe", "full"])
@pytest.mark.parametrize(
    "text",
    [
        '{ "connectorId": 1,\n"status":"Available", "errorCode" :"NoError" }',
        '{"connectorId":1,"meterValue":[{"timestamp":"2025-10-09T08:00:00+02:00","sampledValue":[{"value":"1.10"}]}]}',
        '{"connectorId":1,"meterValue":[{"timestamp":"yesterday","sampledValue":[{"value":"1e2"}]}]}',
        '{"vendorId":"x","data":"null \\u0010 \\" 0.1234567"}',
    ],
)
def test_what_is_right_stays_byte_for_byte(level: Level, text: str, bench: Bench) -> None:
    action = "MeterValues" if "meterValue" in text else "DataTransfer" if "vendorId" in text else "StatusNotification"
    assert bench.text(action, text, level) == text


@pytest.mark.parametrize("text", ['{"connectorId":{}}', "[]", "{", "null", '{"transactionId":1}'])
def test_what_is_past_repair_stays_too(text: str, bench: Bench) -> None:
    assert bench.text("StartTransaction", text) == text
    assert bench.told == []


def test_versions_and_actions_without_a_schema_stay() -> None:
    assert Bench("ocpp2.1").text("BootNotification", {"x": None}) == '{"x":null}'
    assert Bench().text("MakeCoffee", {"x": None}) == '{"x":null}'


def test_q20_null_members(bench: Bench) -> None:
    assert bench.text("StatusNotification", {**STATUS, "info": None, "vendorId": "v"}) == json.dumps(
        {**STATUS, "vendorId": "v"}, separators=(",", ":")
    )
    assert bench.told == ["null_member"]
    assert bench.text("DataTransfer", {"vendorId": "v", "data": "null"}) == '{"vendorId":"v","data":"null"}'
    assert bench.told == []


def test_q21_extra_members(bench: Bench) -> None:
    odd = {**meter(value="1", measurand="Voltage", colour="red"), "more": {"a": None}}
    safe, full = bench.both("MeterValues", odd)
    assert safe == odd
    assert full == meter(value="1", measurand="Voltage")
    assert bench.told == ["extra_field"]


def test_q23_long_serial_numbers(bench: Bench) -> None:
    odd = {**BOOT, "chargePointSerialNumber": "S" * 30}
    safe, full = bench.both("BootNotification", odd)
    assert safe == odd
    assert full == {**BOOT, "chargePointSerialNumber": "S" * 25}
    assert bench.told == ["too_long"]


def test_q24_long_info(bench: Bench) -> None:
    safe, full = bench.both("StatusNotification", {**STATUS, "info": "é" * 60})
    assert safe["info"] == "é" * 60
    assert full["info"] == "é" * 50
    assert bench.told == ["too_long"]


@pytest.mark.parametrize("action", ["Authorize", "StartTransaction", "StopTransaction"])
def test_q25_control_characters(action: str, bench: Bench) -> None:
    good: dict[str, Any] = {"idTag": "TAG"}
    good |= {"StartTransaction": START, "StopTransaction": STOP}.get(action, {})
    assert json.loads(bench.text(action, {**good, "idTag": "TAG\x10\x0e"})) == good
    assert bench.told == ["idtag_repair"]


def test_q25_control_characters_in_201() -> None:
    bench = Bench("ocpp2.0.1")
    good = {"idToken": {"idToken": "TAG", "type": "Central"}}
    assert json.loads(bench.text("Authorize", {"idToken": {"idToken": "TAG\x10\x0e", "type": "Central"}})) == good


def test_q27_numbers_keep_their_digits(bench: Bench) -> None:
    odd = '{"connectorId":1,"meterValue":[{"timestamp":"%s","sampledValue":[{"value":604.2130,"unit":"Wh"}]}]}'
    odd = odd.replace("%s", NOW)
    assert bench.text("MeterValues", odd) == odd.replace("604.2130", '"604.2130"')
    assert "num_as_string" in bench.told


def test_q28_blank_values(bench: Bench) -> None:
    samples = [{"value": " 12.0 ", "measurand": "Voltage"}, {"value": "", "measurand": "SoC"}]
    odd = {"connectorId": 0, "meterValue": [{"timestamp": NOW, "sampledValue": samples}]}
    safe, full = bench.both("MeterValues", odd)
    assert [each["value"] for each in safe["meterValue"][0]["sampledValue"]] == ["12.0", ""]
    assert full["meterValue"][0]["sampledValue"] == [{"value": "12.0", "measurand": "Voltage"}]
    assert bench.told == ["value_blank"]


def test_q28_a_message_without_any_value_is_not_emptied(bench: Bench) -> None:
    odd = meter(value="", measurand="SoC")
    assert bench.both("MeterValues", odd) == (odd, odd)


def test_q29_no_samples(bench: Bench) -> None:
    empty, good = (
        {"timestamp": NOW, "sampledValue": []},
        {"timestamp": NOW, "sampledValue": [{"value": "1", "unit": "Wh"}]},
    )
    safe, full = bench.both("MeterValues", {"connectorId": 1, "meterValue": [empty, good]})
    assert safe["meterValue"] == [empty, good]
    assert full["meterValue"] == [good]
    assert "empty_samples" in bench.told
    _, full = bench.both("StopTransaction", {**STOP, "transactionData": [empty]})
    assert full == STOP
    _, full = bench.both("StopTransaction", {**STOP, "transactionData": [empty, good]})
    assert full == {**STOP, "transactionData": [good]}


def test_q30_an_object_for_a_list(bench: Bench) -> None:
    odd = {"connectorId": 1, "meterValue": {"timestamp": NOW, "sampledValue": {"value": "1", "measurand": "Voltage"}}}
    assert json.loads(bench.text("MeterValues", odd)) == meter(value="1", measurand="Voltage")
    assert bench.told == ["obj_as_list"]


def test_q31_defaults(bench: Bench) -> None:
    assert json.loads(bench.text("MeterValues", meter(value="1"))) == meter(value="1")
    assert bench.told == ["default_filled"]
    timeless = {name: value for name, value in STOP.items() if name != "timestamp"}
    assert json.loads(bench.text("StopTransaction", timeless)) == {**STOP, "timestamp": "2025-10-09T08:53:20Z"}
    assert bench.told == ["default_filled"]
    sample = {"value": "1", "measurand": "Voltage"}
    values = {
        "connectorId": 1,
        "meterValue": [{"timestamp": None, "sampledValue": [sample]}, {"sampledValue": [sample]}],
    }
    told = json.loads(bench.text("MeterValues", values))
    assert [each["timestamp"] for each in told["meterValue"]] == ["2025-10-09T08:53:20Z"] * 2


def test_q32_unknown_context(bench: Bench) -> None:
    odd = meter(value="1", measurand="Voltage", context="CurrentMax")
    safe, full = bench.both("MeterValues", odd)
    assert safe == odd
    assert full == meter(value="1", measurand="Voltage", context="Other")
    assert bench.told == ["enum_unknown"]


def test_q33_unknown_error_code(bench: Bench) -> None:
    odd = {**STATUS, "errorCode": "Error"}
    safe, full = bench.both("StatusNotification", odd)
    assert safe == odd
    assert full == {**STATUS, "errorCode": "OtherError", "vendorErrorCode": "Error"}
    assert bench.told == ["enum_unknown"]


@pytest.mark.parametrize(("written", "meant"), [("Hz", "Hertz"), ("hertz", "Hertz")])
def test_q34_units(written: str, meant: str, bench: Bench) -> None:
    found = json.loads(bench.text("MeterValues", meter(value="1", measurand="Frequency", unit=written)))
    assert found == meter(value="1", measurand="Frequency", unit=meant)


def test_q35_wrong_case(bench: Bench) -> None:
    assert json.loads(bench.text("StatusNotification", {**STATUS, "status": "available"})) == STATUS
    assert bench.told == ["enum_case"]


def test_q38_configuration(bench: Bench) -> None:
    odd = {
        "configurationKey": [
            {"key": "k", "readonly": "true", "value": 300},
            {"key": "l", "readonly": 0, "value": False},
        ]
    }
    good = [{"key": "k", "readonly": True, "value": "300"}, {"key": "l", "readonly": False, "value": "false"}]
    assert bench.answer("GetConfiguration", odd) == {"configurationKey": good}
    assert set(bench.told) == {"type_coerced", "num_as_string"}


def test_q43_orphaned_stop(bench: Bench) -> None:
    orphan = {**STOP, "transactionId": -1}
    assert json.loads(bench.text("StopTransaction", orphan, "safe", begun=(Open(42),))) == orphan
    assert bench.told == ["tx_orphan"]
    assert json.loads(bench.text("StopTransaction", orphan, "full", begun=(Open(42),))) == {**STOP, "transactionId": 42}
    assert json.loads(bench.text("StopTransaction", orphan, "full", begun=(Open(42), Open(43)))) == orphan
    assert json.loads(bench.text("StopTransaction", orphan, "full")) == orphan


@pytest.mark.parametrize("level", ["safe", "full"])
@pytest.mark.parametrize(
    "time", ["2023-10-19T15:28:07", "2024-04-26T14:35:02+02", "2022-02-29T07:02:33.1234567Z", "1970-01-01"]
)
def test_times_are_never_touched(level: Level, time: str, bench: Bench) -> None:
    odd = {**START, "timestamp": time, "connectorId": "1"}
    assert json.loads(bench.text("StartTransaction", odd, level)) == {**START, "timestamp": time}


def test_an_answer_that_is_right_is_the_same_object() -> None:
    raw = Raw(b'{ "status": "Accepted" }')
    assert Mend("ocpp1.6", "safe").answer("Reset", raw) is raw
    assert Mend("ocpp1.6", "safe").answer("MakeCoffee", raw) is raw
