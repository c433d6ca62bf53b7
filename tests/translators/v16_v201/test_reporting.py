"""DataTransfer and its tunnels, log and firmware status, security messages (spec 4.9 to 4.12)."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from tests.translators.saying import Saying, answer, calls
from translators.facts import Job
from translators.losses import Loss
from translators.models import v16

from .conversation import AT, Charger, to_csms

PNC = "org.openchargealliance.iso15118pnc"


@pytest.mark.parametrize(
    ("data", "told"), [("hello", "hello"), ({"a": [1, 2.50]}, '{"a":[1,2.5]}'), (7, "7"), (True, "true"), ("", "")]
)
def test_an_answer_of_any_type_becomes_text(data: Any, told: str) -> None:
    c = Charger()
    request = {"vendorId": "com.acme", "messageId": "Ping", "data": '{"not": "parsed"}'}
    reply = {"status": "Accepted", "data": data, "statusInfo": {"reasonCode": "X"}}
    c.passes("DataTransfer", request, to_csms("DataTransfer", request), reply, {"status": "Accepted", "data": told})
    assert Loss("statusInfo", "dropped") in c.play.losses


@pytest.mark.parametrize("status", get_args(v16.DataTransferStatus))
def test_every_data_transfer_status(status: str) -> None:
    c = Charger()
    request = {"vendorId": "com.acme"}
    c.passes("DataTransfer", request, to_csms("DataTransfer", request), {"status": status}, {"status": status})


@pytest.mark.parametrize(
    ("action", "message", "reply"),
    [
        (
            "Get15118EVCertificate",
            {"iso15118SchemaVersion": "urn:x", "action": "Install", "exiRequest": "AAAA"},
            {"status": "Accepted", "exiResponse": "BBBB"},
        ),
        (
            "GetCertificateStatus",
            {
                "ocspRequestData": {
                    "hashAlgorithm": "SHA256",
                    "issuerNameHash": "a",
                    "issuerKeyHash": "b",
                    "serialNumber": "c",
                    "responderURL": "http://ocsp.example",
                }
            },
            {"status": "Accepted", "ocspResult": "X"},
        ),
        ("SignCertificate", {"csr": "CSR", "certificateType": "V2GCertificate"}, {"status": "Accepted"}),
    ],
)
def test_plug_and_charge_is_taken_out_of_its_tunnel(action: str, message: Any, reply: Any) -> None:
    c = Charger()
    request = {"vendorId": PNC, "messageId": action, "data": {"$json": message}}
    told = {"status": "Accepted", "data": {"$json": reply}}
    c.passes("DataTransfer", request, to_csms(action, message), reply, told)
    c.says("DataTransfer", request, to_csms(action, message))
    c.refused("NotImplemented", c.answer({"status": "Rejected"}))


def test_tunnels_that_lead_nowhere() -> None:
    c = Charger()
    c.local("DataTransfer", {"vendorId": PNC, "messageId": "Dance", "data": "{}"}, {"status": "UnknownMessageId"})
    c.local("DataTransfer", {"vendorId": PNC, "messageId": "Reset", "data": "{}"}, {"status": "UnknownMessageId"})
    c.local("DataTransfer", {"vendorId": PNC, "messageId": "Authorize", "data": "not json"}, {"status": "Rejected"})
    c.local("DataTransfer", {"vendorId": PNC, "messageId": "Authorize"}, {"status": "Rejected"})


def test_the_gateway_s_own_tunnel() -> None:
    c = Charger(vendor_id="org.example.gw")
    limit = {"chargingLimit": {"chargingLimitSource": "EMS"}}
    request = {"vendorId": "org.example.gw", "messageId": "NotifyChargingLimit", "data": {"$json": limit}}
    told = {"status": "Accepted", "data": {"$json": {}}}
    c.passes("DataTransfer", request, to_csms("NotifyChargingLimit", limit), {}, told)
    plain = {"vendorId": "org.example.gw", "messageId": "Hello"}
    c.passes("DataTransfer", plain, to_csms("DataTransfer", plain), {"status": "Accepted"}, {"status": "Accepted"})


@pytest.mark.parametrize(
    ("status", "told"),
    [("Idle", "Idle"), ("Uploading", "Uploading"), ("Uploaded", "Uploaded"), ("UploadFailed", "UploadFailure")],
)
def test_every_diagnostics_status(status: str, told: str) -> None:
    c = Charger()
    c.passes(
        "DiagnosticsStatusNotification", {"status": status}, to_csms("LogStatusNotification", {"status": told}), {}, {}
    )
    c.play.facts.log = Job(request_id=9, via="GetDiagnostics")
    known = {"status": told} | ({} if status == "Idle" else {"requestId": 9})
    c.passes("DiagnosticsStatusNotification", {"status": status}, to_csms("LogStatusNotification", known), {}, {})
    assert c.play.facts.log.last_status == ("" if status == "Idle" else told)


@pytest.mark.parametrize("status", get_args(v16.FirmwareStatus))
def test_every_firmware_status(status: str) -> None:
    c = Charger()
    c.play.facts.firmware = Job(request_id=9, via="UpdateFirmware")
    known = {"status": status} | ({} if status == "Idle" else {"requestId": 9})
    c.passes("FirmwareStatusNotification", {"status": status}, to_csms("FirmwareStatusNotification", known), {}, {})


@pytest.mark.parametrize("status", get_args(v16.SignedFirmwareStatus))
def test_every_signed_firmware_status(status: str) -> None:
    c = Charger()
    given = {"status": status, "requestId": 4}
    c.passes("SignedFirmwareStatusNotification", given, to_csms("FirmwareStatusNotification", given), {}, {})


@pytest.mark.parametrize("status", get_args(v16.UploadLogStatus))
def test_every_log_status(status: str) -> None:
    c = Charger()
    given = {"status": status, "requestId": 4}
    c.passes("LogStatusNotification", given, to_csms("LogStatusNotification", given), {}, {})


def test_a_status_nobody_knows() -> None:
    c = Charger()
    for action in ("FirmwareStatusNotification", "DiagnosticsStatusNotification"):
        c.says(
            action,
            {"status": "Melting"},
            ("charger", [4, f"c{c.count + 1}", "PropertyConstraintViolation", "$any", "$any"]),
        )


def test_a_security_event_without_a_clock() -> None:
    c = Charger()
    given = {"type": "StartupOfTheDevice", "timestamp": "1970-01-01T00:00:00Z"}
    told = given | {"timestamp": "2026-03-01T12:00:00Z"}
    c.passes("SecurityEventNotification", given, to_csms("SecurityEventNotification", told), {}, {})
    long = {"type": "com.acme", "timestamp": AT.format(0), "techInfo": "x" * 300}
    c.says("SecurityEventNotification", long, to_csms("SecurityEventNotification", long | {"techInfo": "x" * 255}))


@pytest.mark.parametrize("status", ["Accepted", "Rejected"])
def test_a_certificate_request(status: str) -> None:
    c = Charger()
    asked = to_csms("SignCertificate", {"csr": "CSR", "certificateType": "ChargingStationCertificate"})
    reply = {"status": status, "statusInfo": {"reasonCode": "X"}}
    c.passes("SignCertificate", {"csr": "CSR"}, asked, reply, {"status": status})


def test_what_the_csms_does_not_have_is_not_sent_again_until_it_reconnects() -> None:
    s = Saying("1.6", "2.0.1")
    s.answers["csms", "LogStatusNotification"] = "NotImplemented"
    status = {"status": "Uploading"}
    assert len(calls(s.charger("DiagnosticsStatusNotification", status), "csms")) == 1
    left = s.charger("DiagnosticsStatusNotification", {"status": "Uploaded"})
    assert (calls(left, "csms"), answer(left, "charger")) == ([], "NotSupported")
    s.control("csms_down")
    s.control("csms_up")
    assert len(calls(s.charger("DiagnosticsStatusNotification", {"status": "Idle"}), "csms")) == 1
