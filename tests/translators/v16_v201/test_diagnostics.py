"""Logs and firmware updates of a 1.6 charger, with and without the security extension."""

from __future__ import annotations

from typing import Any

import pytest

from translators.facts import Job

from .station import Station, answered, rejected

LOG: dict[str, Any] = {
    "requestId": 5,
    "logType": "DiagnosticsLog",
    "retries": 2,
    "retryInterval": 30,
    "log": {
        "remoteLocation": "ftp://logs.example/in put",
        "oldestTimestamp": "2025-02-01T00:00:00Z",
        "latestTimestamp": "2025-03-01T00:00:00Z",
    },
}
PAST, FUTURE = "2025-01-01T00:00:00Z", "2099-01-01T00:00:00Z"
SIGNED = {"signingCertificate": "PEM", "signature": "c2ln"}


def firmware(**members: Any) -> dict[str, Any]:
    return {"requestId": 7, "firmware": {"location": "https://fw.example/a", "retrieveDateTime": PAST} | members}


def test_diagnostics() -> None:
    s = Station()
    assert s.csms("GetLog", **LOG) == [
        (
            "charger",
            "GetDiagnostics",
            {
                "location": "ftp://logs.example/in%20put",
                "startTime": "2025-02-01T00:00:00Z",
                "stopTime": "2025-03-01T00:00:00Z",
                "retries": 2,
                "retryInterval": 30,
            },
        )
    ]
    assert s.answers("charger", fileName="a.log") == answered(status="Accepted", filename="a.log")
    assert s.facts.log == Job(request_id=5, via="GetDiagnostics")


def test_no_file_is_a_rejection_but_a_later_upload_still_belongs_to_it() -> None:
    s = Station()
    s.csms("GetLog", **LOG)
    assert s.answers("charger") == answered(status="Rejected")
    assert s.facts.log is not None


def test_a_log_that_was_rejected_is_not_canceled_by_the_next() -> None:
    s = Station()
    s.csms("GetLog", **LOG)
    s.answers("charger")
    s.csms("GetLog", **(LOG | {"requestId": 6}))
    assert s.answers("charger", fileName="b.log") == answered(status="Accepted", filename="b.log")


def test_a_second_log_cancels_the_first() -> None:
    s = Station()
    s.facts.log = Job(request_id=4, via="GetDiagnostics", last_status="Uploading")
    s.csms("GetLog", **LOG)
    assert s.answers("charger", fileName="b.log") == [
        ("csms", "answer", {"status": "AcceptedCanceled", "filename": "b.log"}),
        ("csms", "LogStatusNotification", {"status": "AcceptedCanceled", "requestId": 4}),
    ]
    s.answers("csms")
    assert s.facts.log is not None and s.facts.log.request_id == 5


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"logType": "SecurityLog"}, "UnsupportedRequest"), ({"log": {"remoteLocation": "nowhere"}}, "UnsupportedParam")],
)
def test_logs_that_a_plain_charger_cannot_send(change: Any, reason: str) -> None:
    assert Station().csms("GetLog", **(LOG | change)) == rejected(reason)


@pytest.mark.parametrize("status", ["Accepted", "Rejected", "AcceptedCanceled"])
def test_log_of_the_security_extension(status: str) -> None:
    s = Station(features=("security",))
    assert s.csms("GetLog", **LOG) == [("charger", "GetLog", LOG)]
    assert s.answers("charger", status=status, filename="x") == answered(status=status, filename="x")


def test_plain_update() -> None:
    s = Station()
    left = s.csms("UpdateFirmware", **firmware(installDateTime="2025-02-01T00:00:00Z"), retries=1)
    assert left[0][1:] == (
        "UpdateFirmware",
        {"location": "https://fw.example/a", "retrieveDate": "2025-02-01T00:00:00Z", "retries": 1},
    )
    assert s.answers("charger") == answered(status="Accepted")
    assert s.facts.firmware == Job(request_id=7, via="UpdateFirmware")
    assert ("firmware.installDateTime", "folded") in s.lost()


@pytest.mark.parametrize(
    ("retrieve", "install", "told"),
    [
        ("2025-01-01T00:00:00.000Z", None, "2025-01-01T00:00:00.000Z"),
        ("2025-01-01T00:00:00.000Z", "2025-01-02T00:00:00.500Z", "2025-01-02T00:00:00.500Z"),
        ("2025-01-01T02:00:00+02:00", "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"),
        ("soon", None, "2025-03-01T10:00:00Z"),
    ],
)
def test_the_date_of_an_update_is_told_as_it_came(retrieve: str, install: str | None, told: str) -> None:
    when = {"retrieveDateTime": retrieve} | ({"installDateTime": install} if install else {})
    assert Station().csms("UpdateFirmware", **firmware(**when))[0][2]["retrieveDate"] == told


def test_an_update_in_the_future_is_scheduled() -> None:
    s = Station()
    s.facts.firmware = Job(request_id=6, via="UpdateFirmware", last_status="Downloading")
    s.csms("UpdateFirmware", **firmware(retrieveDateTime=FUTURE))
    assert s.answers("charger") == [
        ("csms", "answer", {"status": "AcceptedCanceled"}),
        ("csms", "FirmwareStatusNotification", {"status": "DownloadScheduled", "requestId": 7}),
    ]


@pytest.mark.parametrize(("code", "outcome"), [("NotSupported", "answer"), ("InternalError", "InternalError")])
def test_a_charger_that_refuses_an_update(code: str, outcome: str) -> None:
    s = Station()
    s.csms("UpdateFirmware", **firmware())
    assert s.refuses("charger", code)[0][1] == outcome


@pytest.mark.parametrize(
    "status", ["Accepted", "Rejected", "AcceptedCanceled", "InvalidCertificate", "RevokedCertificate"]
)
def test_signed_update(status: str) -> None:
    s = Station(features=("security",))
    request = firmware(**SIGNED)
    assert s.csms("UpdateFirmware", **request) == [("charger", "SignedUpdateFirmware", request)]
    assert s.answers("charger", status=status) == answered(status=status)
    assert (s.facts.firmware is not None) == status.startswith("Accepted")


def test_a_signed_image_is_not_sent_unsigned_unasked() -> None:
    assert Station().csms("UpdateFirmware", **firmware(**SIGNED)) == rejected("UnsupportedParam")
    s = Station(allow_unsigned_downgrade=True)
    assert s.csms("UpdateFirmware", **firmware(**SIGNED))[0][1] == "UpdateFirmware"
    assert {("firmware.signature", "dropped"), ("firmware.signingCertificate", "dropped")} <= s.lost()
