"""Certificates of a 1.6 charger: the security extension and the Plug & Charge tunnel."""

from __future__ import annotations

import json
from typing import Any

import pytest

from translators.enums import PNC_VENDOR

from .station import Station, answered, rejected

HASH = {"hashAlgorithm": "SHA256", "issuerNameHash": "n", "issuerKeyHash": "k", "serialNumber": "1"}
NO = {"statusInfo": {"reasonCode": "UnsupportedRequest"}}


def tunnelled(left: list[Any]) -> tuple[str, Any]:
    assert left[0][:2] == ("charger", "DataTransfer")
    assert left[0][2]["vendorId"] == PNC_VENDOR
    return left[0][2]["messageId"], json.loads(left[0][2]["data"])


@pytest.mark.parametrize(
    ("use", "old"),
    [
        ("CSMSRootCertificate", "CentralSystemRootCertificate"),
        ("ManufacturerRootCertificate", "ManufacturerRootCertificate"),
    ],
)
@pytest.mark.parametrize("status", ["Accepted", "Rejected", "Failed"])
def test_install(use: str, old: str, status: str) -> None:
    s = Station(features=("security",))
    left = s.csms("InstallCertificate", certificateType=use, certificate="PEM")
    assert left == [("charger", "InstallCertificate", {"certificateType": old, "certificate": "PEM"})]
    assert s.answers("charger", status=status) == answered(status=status)


@pytest.mark.parametrize("use", ["V2GRootCertificate", "MORootCertificate"])
def test_install_for_iso15118(use: str) -> None:
    request = {"certificateType": use, "certificate": "PEM"}
    assert Station(features=("security",)).csms("InstallCertificate", **request) == rejected("UnsupportedRequest")
    s = Station(features=("pnc",))
    assert tunnelled(s.csms("InstallCertificate", **request)) == ("InstallCertificate", request)
    assert s.answers("charger", status="Accepted", data='{"status":"Failed"}') == answered(status="Failed")


@pytest.mark.parametrize(
    "answer",
    [
        {"status": "Rejected"},
        {"status": "Accepted"},
        {"status": "Accepted", "data": "no"},
        {"status": "UnknownVendorId"},
    ],
)
def test_a_tunnel_that_leads_nowhere(answer: Any) -> None:
    s = Station(features=("pnc",))
    s.csms("CertificateSigned", certificateChain="PEM", certificateType="V2GCertificate")
    assert s.answers("charger", **answer) == rejected("UnsupportedRequest")


def test_signed_certificate() -> None:
    s = Station(features=("security",))
    for kind in ({}, {"certificateType": "ChargingStationCertificate"}):
        left = s.csms("CertificateSigned", certificateChain="PEM", **kind)
        assert left == [("charger", "CertificateSigned", {"certificateChain": "PEM"})]
        assert s.answers("charger", status="Rejected") == answered(status="Rejected")
    left = s.csms("CertificateSigned", certificateChain="PEM", certificateType="V2GCertificate")
    assert left == rejected("UnsupportedRequest")


def test_a_charger_without_the_extension() -> None:
    s = Station()
    assert s.csms("CertificateSigned", certificateChain="PEM") == rejected("UnsupportedRequest")
    left = s.csms("InstallCertificate", certificateType="CSMSRootCertificate", certificate="PEM")
    assert left == rejected("UnsupportedRequest")
    assert s.csms("DeleteCertificate", certificateHashData=HASH) == answered(status="Failed", **NO)
    assert s.csms("GetInstalledCertificateIds") == answered(status="NotFound")


@pytest.mark.parametrize("status", ["Accepted", "Failed", "NotFound"])
def test_delete(status: str) -> None:
    s = Station(features=("security",))
    left = s.csms("DeleteCertificate", certificateHashData=HASH)
    assert left == [("charger", "DeleteCertificate", {"certificateHashData": HASH})]
    assert s.answers("charger", status=status) == answered(status=status)


def test_delete_looks_in_both_stores() -> None:
    s = Station(features=("security", "pnc"))
    s.csms("DeleteCertificate", certificateHashData=HASH)
    assert tunnelled(s.answers("charger", status="NotFound"))[0] == "DeleteCertificate"
    assert s.answers("charger", status="Accepted", data='{"status":"Accepted"}') == answered(status="Accepted")


def test_installed_ids_of_every_use() -> None:
    s = Station(features=("security", "pnc"))
    left = s.csms("GetInstalledCertificateIds")
    assert left[0][2] == {"certificateType": "CentralSystemRootCertificate"}
    left = s.answers("charger", status="Accepted", certificateHashData=[HASH])
    assert left[0][2] == {"certificateType": "ManufacturerRootCertificate"}
    left = s.answers("charger", status="NotFound")
    kinds = ["V2GRootCertificate", "MORootCertificate", "V2GCertificateChain"]
    assert tunnelled(left) == ("GetInstalledCertificateIds", {"certificateType": kinds})
    chain = [{"certificateType": "V2GRootCertificate", "certificateHashData": HASH}]
    data = json.dumps({"status": "Accepted", "certificateHashDataChain": chain})
    own = {"certificateType": "CSMSRootCertificate", "certificateHashData": HASH}
    left = s.answers("charger", status="Accepted", data=data)
    assert left == answered(status="Accepted", certificateHashDataChain=[own, *chain])


def test_installed_ids_that_the_tunnel_refuses() -> None:
    s = Station(features=("pnc",))
    s.csms("GetInstalledCertificateIds")
    assert s.answers("charger", status="UnknownVendorId") == answered(status="NotFound", **NO)


def test_installed_ids_of_one_use() -> None:
    s = Station(features=("security",))
    s.csms("GetInstalledCertificateIds", certificateType=["ManufacturerRootCertificate", "MORootCertificate"])
    assert s.answers("charger", status="NotFound") == answered(status="NotFound")
