"""What a payload shows that its schema allows."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from translators.models import v16, v201
from translators.quirks import LABELS
from translators.quirks.signs import of_time, signs

NOW = "2025-10-09T08:00:00Z"


def seen(type_: Any, **members: Any) -> list[str]:
    return signs(type_.action, msgspec.convert(members, type_))


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        (NOW, []),
        ("2025-10-09T08:00:00.123Z", []),
        ("2025-10-09T08:00:00+02:00", []),
        ("2025-10-09T08:00:00", ["ts_no_zone"]),
        ("2025-10-09T08:00:00+02", ["ts_offset"]),
        ("2025-10-09T08:00:00.000+0200", ["ts_offset"]),
        ("2025-10-09T08:00:00.1234567Z", ["ts_fraction"]),
        ("2025-10-09T08:00:00.1234567", ["ts_no_zone", "ts_fraction"]),
        ("1970-01-01T00:00:12Z", ["ts_suspect"]),
        ("0001-01-01T00:00:00Z", ["ts_suspect"]),
        ("222222017-01-01T00:00:00Z", ["ts_suspect"]),
        ("yesterday", ["ts_suspect"]),
        ("", ["ts_suspect"]),
    ],
)
def test_times(text: str, labels: list[str]) -> None:
    assert of_time(text) == labels
    assert set(labels) <= set(LABELS)
    assert seen(v16.StartTransactionRequest, connectorId=1, idTag="T", meterStart=0, timestamp=text) == labels


def test_q22_empty_vendor() -> None:
    assert seen(v16.BootNotificationRequest, chargePointVendor="", chargePointModel="M") == ["empty_required"]
    assert seen(v16.BootNotificationRequest, chargePointVendor="V", chargePointModel="M") == []
    station = {"vendorName": "", "model": "M"}
    assert seen(v201.BootNotificationRequest, reason="PowerUp", chargingStation=station) == ["empty_required"]


def test_q22_empty_id_tag() -> None:
    assert seen(v16.AuthorizeRequest, idTag="") == ["empty_required"]
    nobody = v201.IdToken(idToken="", type="NoAuthorization")  # as the specification wants it
    assert seen(v201.AuthorizeRequest, idToken=nobody) == []


def test_q44_64_bits() -> None:
    assert seen(v16.StopTransactionRequest, transactionId=2**63 - 1, meterStop=1, timestamp=NOW) == ["int_range"]
    assert seen(v16.StopTransactionRequest, transactionId=2**31 - 1, meterStop=1, timestamp=NOW) == []
    assert seen(v16.StopTransactionRequest, transactionId=1, meterStop=2**31, timestamp=NOW) == ["int_range"]
    start = {"connectorId": 1, "idTag": "T", "timestamp": NOW}
    assert seen(v16.StartTransactionRequest, meterStart=2**31, **start) == ["int_range"]


def test_q52_connector_0() -> None:
    status = {"timestamp": NOW, "connectorStatus": "Available"}
    assert seen(v201.StatusNotificationRequest, evseId=0, connectorId=0, **status) == ["unknown_connector"]
    assert seen(v201.StatusNotificationRequest, evseId=1, connectorId=1, **status) == []
    assert seen(v16.StatusNotificationRequest, connectorId=0, status="Available", errorCode="NoError") == []
    assert seen(v16.StatusNotificationRequest, connectorId=-1, status="Available", errorCode="NoError") == [
        "unknown_connector"
    ]
