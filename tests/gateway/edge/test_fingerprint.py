"""What counts as the same message (reliability 5.5)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.edge.actions import FROM_CHARGER, FROM_CSMS
from gateway.edge.fingerprint import HOUR, NONE, QUARTER, WEEK, Fingerprint, fingerprint
from translators.models import v15, v16, v201

START: dict[str, Any] = {
    "connectorId": 1,
    "idTag": "ABC",
    "timestamp": "2026-01-02T03:04:05Z",
    "meterStart": 0,
    "reservationId": 4,
}
STOP: dict[str, Any] = {"transactionId": 7, "timestamp": "2026-01-02T04:04:05Z", "meterStop": 900, "idTag": "ABC"}
EVENT: dict[str, Any] = {
    "eventType": "Started",
    "timestamp": "2026-01-02T03:04:05Z",
    "seqNo": 0,
    "triggerReason": "Authorized",
    "offline": False,
    "transactionInfo": {"transactionId": "t-1"},
}
METER = {"connectorId": 1, "meterValue": [{"timestamp": "2026-01-02T03:04:05Z", "sampledValue": [{"value": "1"}]}]}


def of(action: str, payload: dict[str, Any], *, id: str = "1", epoch: int = 1, version: str = "ocpp1.6") -> Fingerprint:
    return fingerprint(action, FROM_CHARGER[version][action], json.dumps(payload).encode(), id, epoch)


def of201(payload: dict[str, Any], **where: Any) -> Fingerprint:
    return of("TransactionEvent", payload, version="ocpp2.0.1", **where)


def test_a_start_is_known_by_its_content_on_any_connection() -> None:
    first = of("StartTransaction", START)
    assert (first.ttl, first.mint_tx, len(first.key)) == (WEEK, True, 32)
    assert of("StartTransaction", {**START, "idTag": "abc"}, id="2", epoch=9) == first
    reordered = dict(reversed(START.items()))
    assert of("StartTransaction", reordered, id="2") == first


@pytest.mark.parametrize("change", [{"connectorId": 2}, {"idTag": "X"}, {"meterStart": 1}, {"reservationId": 5}])
def test_another_start_is_another(change: dict[str, Any]) -> None:
    assert of("StartTransaction", {**START, **change}) != of("StartTransaction", START)


@pytest.mark.parametrize(
    "timestamp",
    [
        "1970-01-01T00:00:07Z",
        "2014-12-31T23:59:59Z",
        "222222017-01-01T00:00:00Z",
        "2100-01-01T00:00:00Z",
        "yesterday",
        "N/A",
        "",
        None,
        5,
    ],
)
def test_a_start_without_a_clock_is_known_by_its_id_and_not_for_long(timestamp: Any) -> None:
    start = {**START, "timestamp": timestamp}
    first = of("StartTransaction", start)
    assert (first.ttl, first.mint_tx) == (QUARTER, True)
    assert of("StartTransaction", start, epoch=2) == first
    assert of("StartTransaction", start, id="2") != first


@pytest.mark.parametrize("timestamp", [" 2026-01-02T03:04:05", "2026-01-02 03:04:05+01", "2022-02-29T07:02:33.000Z"])
def test_a_start_of_another_spelling_of_time_is_known_by_its_content(timestamp: str) -> None:
    start = {**START, "timestamp": timestamp}
    assert of("StartTransaction", start, id="2", epoch=2) == of("StartTransaction", start)
    assert of("StartTransaction", start).ttl == WEEK


def test_a_stop_and_an_event_are_known_by_what_identifies_them() -> None:
    stop = of("StopTransaction", STOP)
    assert (stop.ttl, stop.mint_tx) == (WEEK, False)
    assert of("StopTransaction", {**STOP, "idTag": "other"}, id="2") == stop
    assert of("StopTransaction", {**STOP, "meterStop": 901}) != stop
    started = of201(EVENT)
    assert (started.ttl, started.mint_tx) == (WEEK, False)
    assert of201({**EVENT, "offline": True, "triggerReason": "Trigger"}, id="2", epoch=4) == started
    assert of201({**EVENT, "seqNo": 1}) != started
    assert of201({**EVENT, "eventType": "Ended"}).ttl == WEEK
    assert of201({**EVENT, "eventType": "Updated"}).ttl == HOUR
    assert of201({**EVENT, "transactionInfo": {}}).ttl == HOUR, "not decodable: its bytes and timestamp"


def test_messages_with_a_timestamp_are_known_by_their_bytes() -> None:
    meter = of("MeterValues", METER)
    assert (meter.ttl, meter.mint_tx) == (HOUR, False)
    assert of("MeterValues", METER, id="2", epoch=2) == meter
    report = {"requestId": 1, "generatedAt": "2026-01-02T03:04:05Z", "seqNo": 0}
    assert of("NotifyReport", report, version="ocpp2.0.1").ttl == HOUR


def test_messages_without_a_timestamp_are_known_only_on_their_connection() -> None:
    for payload in ({"status": "Idle"}, {"timestamp": "1970-01-01T00:00:00Z"}, {"data": '"timestamp":"2026-"'}):
        first = of("StatusNotification", payload)
        assert first.ttl == QUARTER
        assert of("StatusNotification", payload) == first
        assert of("StatusNotification", payload, id="2") != first
        assert of("StatusNotification", payload, epoch=2) != first


def test_perishables_and_queries_are_always_new() -> None:
    assert of("Heartbeat", {}) is NONE
    assert of("Authorize", {"idTag": "ABC"}) is NONE


def test_no_payload_makes_it_raise() -> None:
    for payload in (b"{}", b"[]", b"null", b'{"timestamp":', b'{"timestamp":"2026-01-01","a":1e999}', b"{" * 5000):
        for action in ("StartTransaction", "StopTransaction", "TransactionEvent", "MeterValues"):
            assert fingerprint(action, "K0", payload, "1", 1).ttl > 0


def test_the_action_tables_are_those_of_the_schemas() -> None:
    assert set(FROM_CHARGER["ocpp1.5"]) == v15.FROM_CHARGER
    assert FROM_CSMS["ocpp1.5"] == v15.FROM_CSMS
    assert set(FROM_CHARGER["ocpp1.6"]) == v16.FROM_CHARGER
    assert FROM_CSMS["ocpp1.6"] == v16.FROM_CSMS
    assert set(FROM_CHARGER["ocpp2.0.1"]) == v201.FROM_CHARGER
    assert FROM_CSMS["ocpp2.0.1"] == v201.FROM_CSMS


def test_transactions_of_15_are_known_by_content() -> None:
    """Empty texts, transaction data and the dialects of meter values do not matter for who is who."""
    start = of("StartTransaction", START, version="ocpp1.5")
    assert start == of("StartTransaction", START) and start.mint_tx and start.ttl == WEEK
    data = [{"values": [{"timestamp": "2026-01-02T04:04:05Z", "value": "900"}]}]
    stop = of("StopTransaction", {**STOP, "transactionData": data}, version="ocpp1.5", id="9", epoch=3)
    assert stop == of("StopTransaction", STOP, version="ocpp1.5")
    for values in ([{"timestamp": "2026-01-02T03:04:05Z", "value": "1"}], [{"timestamp": "2026-01-02T03:04:05Z"}]):
        meter = {"connectorId": 1, "values": values}
        assert of("MeterValues", meter, version="ocpp1.5").ttl == HOUR
