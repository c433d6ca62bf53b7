"""What is repaired, what is refused, and with which code."""

from __future__ import annotations

import json
from decimal import Decimal
from types import ModuleType
from typing import Any

import msgspec
import pytest

from tests import schemas
from translators import frames
from translators.models import v16, v201
from translators.models.lenient import Invalid, check, decode, repair

from . import samples

STATUS = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
BOOT = {"chargePointVendor": "V", "chargePointModel": "M"}
STOP = {"meterStop": 1, "timestamp": "t", "transactionId": 7}


def meter(**sample: Any) -> dict[str, Any]:
    return {"connectorId": 1, "meterValue": [{"timestamp": "t", "sampledValue": [{"value": "1", **sample}]}]}


def event(**more: Any) -> dict[str, Any]:
    given = {"eventType": "Updated", "timestamp": "t", "triggerReason": "Trigger", "seqNo": 1}
    return {**given, "transactionInfo": {"transactionId": "x"}, **more}


SAMPLE = "meterValue[0].sampledValue[0]"

# type, payload received, payload as read, repairs
REPAIRS: list[tuple[type[msgspec.Struct], Any, Any, list[str]]] = [
    # nothing to repair
    (v16.MeterValuesRequest, meter(), meter(), []),
    (v16.StatusNotificationRequest, {**STATUS, "info": None}, STATUS, []),
    (v16.StatusNotificationRequest, {**STATUS, "extra": {"a": [1]}}, STATUS, []),
    (v16.BootNotificationRequest, {**BOOT, "chargePointVendor": ""}, {**BOOT, "chargePointVendor": ""}, []),
    (v16.StopTransactionRequest, {**STOP, "transactionId": 2**31}, {**STOP, "transactionId": 2**31}, []),
    # a station by its old names
    (
        v201.BootNotificationRequest,
        {**BOOT, "firmwareVersion": "1.0"},
        {"reason": "Unknown", "chargingStation": {"vendorName": "V", "model": "M", "firmwareVersion": "1.0"}},
        ["old_names chargingStation"],
    ),
    (
        v201.BootNotificationRequest,
        {**BOOT, "reason": "PowerUp", "chargingStation": {"vendorName": "X", "model": "Y", "serialNumber": 7}},
        {"reason": "PowerUp", "chargingStation": {"vendorName": "X", "model": "Y", "serialNumber": "7"}},
        ["num_as_string chargingStation.serialNumber"],
    ),
    # null
    (v16.HeartbeatRequest, None, {}, ["payload_null"]),
    (
        v16.SendLocalListRequest,
        {"listVersion": 1, "updateType": "full", "localAuthorizationList": [None, {"idTag": "a", "idTagInfo": None}]},
        {"listVersion": 1, "updateType": "Full", "localAuthorizationList": [{"idTag": "a"}]},
        [
            "enum_case updateType",
            "null_member localAuthorizationList[0]",
            "null_member localAuthorizationList[1].idTagInfo",
        ],
    ),
    # strings
    (v16.MeterValuesRequest, meter(value=1), meter(value="1"), [f"num_as_string {SAMPLE}.value"]),
    (
        v16.GetConfigurationResponse,
        {"configurationKey": [{"key": "k", "readonly": "true", "value": True}]},
        {"configurationKey": [{"key": "k", "readonly": True, "value": "true"}]},
        ["type_coerced configurationKey[0].readonly", "type_coerced configurationKey[0].value"],
    ),
    (
        v16.BootNotificationRequest,
        {**BOOT, "chargePointSerialNumber": "é" * 26},
        {**BOOT, "chargePointSerialNumber": "é" * 26},
        ["too_long chargePointSerialNumber"],
    ),
    # numbers and truth values
    (v16.StatusNotificationRequest, {**STATUS, "connectorId": "1"}, STATUS, ["type_coerced connectorId"]),
    (v16.StatusNotificationRequest, {**STATUS, "connectorId": 1.0}, STATUS, ["type_coerced connectorId"]),
    (v16.StatusNotificationRequest, {**STATUS, "connectorId": " 1.0"}, STATUS, ["type_coerced connectorId"]),
    (v201.TransactionEventRequest, event(offline="TRUE"), event(offline=True), ["type_coerced offline"]),
    (v201.TransactionEventRequest, event(offline=0), event(offline=False), ["type_coerced offline"]),
    # lists
    (
        v16.MeterValuesRequest,
        {"connectorId": 1, "meterValue": {"timestamp": "t", "sampledValue": {"value": "1"}}},
        meter(),
        ["obj_as_list meterValue", "obj_as_list meterValue[0].sampledValue"],
    ),
    (
        v201.TransactionEventRequest,
        event(meterValue=[{"timestamp": "t", "sampledValue": []}]),
        event(meterValue=[{"timestamp": "t", "sampledValue": []}]),
        ["empty_list meterValue[0].sampledValue"],
    ),
    # enumerations
    (v16.MeterValuesRequest, meter(unit="wh"), meter(unit="Wh"), [f"enum_case {SAMPLE}.unit"]),
    (v16.MeterValuesRequest, meter(unit=" Wh"), meter(unit="Wh"), [f"enum_case {SAMPLE}.unit"]),
    (v16.MeterValuesRequest, meter(unit="Hz"), meter(unit="Hertz"), [f"enum_synonym {SAMPLE}.unit"]),
    (v16.MeterValuesRequest, meter(unit="Celcius"), meter(unit="Celcius"), []),
    (
        v16.MeterValuesRequest,
        meter(context="CurrentMax"),
        meter(context="CurrentMax"),
        [f"enum_unknown {SAMPLE}.context"],
    ),
    (
        v16.StatusNotificationRequest,
        {**STATUS, "errorCode": "Error"},
        {**STATUS, "errorCode": "Error"},
        ["enum_unknown errorCode"],
    ),
]


@pytest.mark.parametrize(("type_", "payload", "read", "repairs"), REPAIRS)
def test_repairs(type_: type[msgspec.Struct], payload: Any, read: Any, repairs: list[str]) -> None:
    found, made = decode(type_, json.dumps(payload).encode())
    assert type(found) is type_
    assert json.loads(frames.encode(found)) == read
    assert made == repairs


@pytest.mark.parametrize("digits", ["1.10", "-0", "12345678901234567890.123456789", "1E-3", "0.0000001"])
def test_a_number_for_a_string_keeps_its_digits(digits: str) -> None:
    raw = b'{"connectorId":1,"meterValue":[{"timestamp":"t","sampledValue":[{"value":' + digits.encode() + b"}]}]}"
    found, repairs = decode(v16.MeterValuesRequest, raw)
    assert found.meterValue[0].sampledValue[0].value == digits
    assert repairs == [f"num_as_string {SAMPLE}.value"]


@pytest.mark.parametrize(("type_", "payload", "read", "repairs"), REPAIRS)
def test_a_payload_is_repaired_as_text_like_it_is_read(
    type_: type[msgspec.Struct], payload: Any, read: Any, repairs: list[str]
) -> None:
    text, made = repair(type_, json.dumps(payload).encode())
    assert made == repairs or (not repairs and {each.split()[0] for each in made} == {"null_member"})
    found, _ = decode(type_, text)
    assert json.loads(frames.encode(found)) == read
    again, left = repair(type_, text)
    assert again == text
    assert {each.split()[0] for each in left} <= {"enum_unknown", "too_long", "empty_list"}


def test_what_needs_no_repair_stays_as_it_was_written() -> None:
    raw = b'{ "connectorId" : "1", "more": [1.10, {"x":null}],"meterValue":{"timestamp":"t","sampledValue":[{"value":1.10}]} }'
    text, made = repair(v16.MeterValuesRequest, raw)
    assert text == (
        b'{"connectorId":1,"more":[1.10, {"x":null}],'
        b'"meterValue":[{"timestamp":"t","sampledValue":[{"value":"1.10"}]}]}'
    )
    assert made == ["type_coerced connectorId", "obj_as_list meterValue", f"num_as_string {SAMPLE}.value"]
    assert repair(v16.StopTransactionRequest, b'{"meterStop":1,"transactionId":"+007"}', timestamp="now")[0] == (
        b'{"meterStop":1,"transactionId":7,"timestamp":"now"}'
    )


def test_a_repair_elsewhere_leaves_numbers_and_data_exact() -> None:
    raw = b'{"vendorId":1,"data": {"n": 1.10, "x": null} }'
    found, repairs = decode(v201.DataTransferRequest, raw)
    assert bytes(found.data) == b'{"n": 1.10, "x": null}'
    assert repairs == ["num_as_string vendorId"]
    raw = b'{"evseId":"1","meterValue":[{"timestamp":"t","sampledValue":[{"value":1.10},{"value":"2.50"}]}]}'
    meter_values, repairs = decode(v201.MeterValuesRequest, raw)
    assert [str(sample.value) for sample in meter_values.meterValue[0].sampledValue] == ["1.10", "2.50"]
    assert repairs == ["type_coerced evseId", "type_coerced meterValue[0].sampledValue[1].value"]


def test_custom_data_is_kept_when_something_else_is_repaired() -> None:
    custom = {"vendorId": "v", "n": 1}
    found, _ = decode(v201.TransactionEventRequest, json.dumps(event(offline="true", customData=custom)).encode())
    assert found.customData == custom


def test_a_missing_timestamp_is_filled_when_the_caller_has_one() -> None:
    raw = b'{"meterStop":1,"transactionId":7}'
    found, repairs = decode(v16.StopTransactionRequest, raw, timestamp="received")
    assert found.timestamp == "received"
    assert repairs == ["default_filled timestamp"]
    found, repairs = decode(v16.StopTransactionRequest, raw[:-1] + b',"timestamp":null}', timestamp="received")
    assert found.timestamp == "received"
    assert repairs == ["null_member timestamp", "default_filled timestamp"]
    raw = b'{"connectorId":1,"meterValue":{"sampledValue":[{"value":"1"}]}}'
    values, repairs = decode(v16.MeterValuesRequest, raw, timestamp="received")
    assert values.meterValue[0].timestamp == "received"
    assert repairs == ["obj_as_list meterValue", "default_filled meterValue[0].timestamp"]
    assert repair(v16.MeterValuesRequest, raw, timestamp="received")[0] == (
        b'{"connectorId":1,"meterValue":[{"sampledValue":[{"value":"1"}],"timestamp":"received"}]}'
    )
    with pytest.raises(Invalid) as caught:
        decode(v16.StatusNotificationRequest, b'{"connectorId":1}', timestamp="received")
    assert caught.value.path == "errorCode"


FORMAT, OCCURRENCE = "FormatViolation", "OccurrenceConstraintViolation"
TYPE, PROPERTY = "TypeConstraintViolation", "PropertyConstraintViolation"

INVALID: list[tuple[type[msgspec.Struct], bytes, str, str]] = [
    (v16.HeartbeatRequest, b"[]", FORMAT, ""),
    (v16.HeartbeatRequest, b'"x"', FORMAT, ""),
    (v16.HeartbeatRequest, b"7", FORMAT, ""),
    (v16.HeartbeatRequest, b"", FORMAT, ""),
    (v16.HeartbeatRequest, b'{"a":', FORMAT, ""),
    (v16.HeartbeatRequest, b'{"a":NaN}', FORMAT, ""),
    (v16.AuthorizeRequest, b'{"idTag":"\xff"}', FORMAT, ""),
    (v16.AuthorizeRequest, b'{"idTag":"\\ud800"}', FORMAT, ""),
    (v16.AuthorizeRequest, b'{"idTag":7,"x":"\\ud800"}', FORMAT, ""),
    (v16.HeartbeatRequest, b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", FORMAT, ""),
    (v16.AuthorizeRequest, b"{}", OCCURRENCE, "idTag"),
    (v16.AuthorizeRequest, b"null", OCCURRENCE, "idTag"),
    (v16.AuthorizeRequest, b'{"idTag":null}', OCCURRENCE, "idTag"),
    (v16.MeterValuesRequest, json.dumps(meter(value=None)).encode(), OCCURRENCE, SAMPLE + ".value"),
    (
        v201.GetReportRequest,
        b'{"requestId":1,"componentCriteria":["Active","Active","Active","Active","Active"]}',
        OCCURRENCE,
        "componentCriteria",
    ),
    (v16.AuthorizeRequest, b'{"idTag":{}}', TYPE, "idTag"),
    (v16.AuthorizeRequest, b'{"idTag":[]}', TYPE, "idTag"),
    (v16.ResetRequest, b'{"type":1}', TYPE, "type"),
    (v16.CancelReservationRequest, b'{"reservationId":1.5}', TYPE, "reservationId"),
    (v16.CancelReservationRequest, b'{"reservationId":"one"}', TYPE, "reservationId"),
    (v16.CancelReservationRequest, b'{"reservationId":{}}', TYPE, "reservationId"),
    (v16.CancelReservationRequest, b'{"reservationId":true}', TYPE, "reservationId"),
    (v16.CancelReservationRequest, b'{"reservationId":9223372036854775808}', PROPERTY, "reservationId"),
    (v16.CancelReservationRequest, b'{"reservationId":1e300}', PROPERTY, "reservationId"),
    (v16.CancelReservationRequest, b'{"reservationId":1e999999999}', PROPERTY, "reservationId"),
    (v16.CancelReservationRequest, b'{"reservationId":' + b"9" * 9999 + b"}", PROPERTY, "reservationId"),
    (v201.TransactionEventRequest, json.dumps(event(offline=2)).encode(), TYPE, "offline"),
    (v201.TransactionEventRequest, json.dumps(event(evse=[1])).encode(), TYPE, "evse"),
    (v201.TransactionEventRequest, json.dumps(event(customData="x")).encode(), TYPE, "customData"),
    (v201.TransactionEventRequest, json.dumps(event(meterValue=5)).encode(), TYPE, "meterValue[0]"),
    (v201.CostUpdatedRequest, b'{"totalCost":"NaN","transactionId":"x"}', TYPE, "totalCost"),
    (v201.CostUpdatedRequest, b'{"totalCost":{},"transactionId":"x"}', TYPE, "totalCost"),
    (v201.CostUpdatedRequest, b'{"totalCost":1e999999999,"transactionId":"x"}', PROPERTY, "totalCost"),
]


@pytest.mark.parametrize(("type_", "raw", "code", "path"), INVALID)
def test_what_cannot_be_repaired(type_: type[msgspec.Struct], raw: bytes, code: str, path: str) -> None:
    with pytest.raises(Invalid) as caught:
        decode(type_, raw)
    assert (caught.value.code, caught.value.path) == (code, path)


def test_a_raw_payload_of_a_frame_is_taken_as_it_is() -> None:
    call = frames.decode('[2,"1","Authorize", {"idTag": 7} ]')
    assert isinstance(call, frames.Call)
    found, repairs = decode(v16.AuthorizeRequest, call.payload)
    assert found.idTag == "7"
    assert repairs == ["num_as_string idTag"]


def test_check_encodes_what_may_leave() -> None:
    payload = v201.SampledValue(value=Decimal("1.10"))
    assert check(payload) == b'{"value":1.10}'
    request = v16.StartTransactionResponse(transactionId=1, idTagInfo=v16.IdTagInfo(status="Accepted"))
    schemas.validate("1.6", "StartTransaction", "response", json.loads(check(request)))


@pytest.mark.parametrize(
    "payload",
    [
        v16.AuthorizeRequest(idTag="x" * 21),
        v16.AuthorizeRequest(idTag=None),  # type: ignore[arg-type]
        v16.AuthorizeRequest(idTag="\ud800"),
        v16.ResetRequest(type="Cold"),  # type: ignore[arg-type]
        v16.CancelReservationRequest(reservationId=2**63),
        v16.CancelReservationRequest(reservationId=object()),  # type: ignore[arg-type]
        v201.GetReportRequest(requestId=1, componentCriteria=[]),
    ],
    ids=["too long", "null", "a lone surrogate", "unknown", "too large", "no JSON", "too few"],
)
def test_check_refuses_what_the_schema_refuses(payload: msgspec.Struct) -> None:
    with pytest.raises(msgspec.ValidationError):
        check(payload)


def test_check_refuses_a_number_that_became_infinite() -> None:
    payload = v201.SampledValue(value=Decimal(1))
    payload.value = Decimal("Infinity")
    with pytest.raises(msgspec.ValidationError):
        check(payload)


WRONG: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    2**70,
    1e300,
    "",
    "1",
    "NaN",
    "\x10",
    "x" * 9999,
    [],
    [None],
    [[]],
    {},
    {"": None},
]


@pytest.mark.parametrize("module", [v16, v201])
def test_any_value_anywhere_is_read_or_refused(module: ModuleType) -> None:
    version: schemas.Version = "1.6" if module is v16 else "2.0.1"
    for action, type_ in module.ACTIONS.items():
        schema = schemas.schema(version, action, "request")
        for payload in samples.replaced(schema, samples.fullest(schema, schema), WRONG):
            try:
                found, _ = decode(type_, json.dumps(payload).encode())
            except Invalid:
                continue
            frames.encode(found)
