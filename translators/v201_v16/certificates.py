"""Certificates by the security extension of 1.6 (spec 2.11, 7.20 to 7.22)."""

from __future__ import annotations

import msgspec

from ..dialogue import Dialogue, Row, Rule, Talk
from ..enums import CERTIFICATE_USE
from ..models import v16, v201
from .peers import command


def certificate_signed(d: Dialogue, request: v16.CertificateSignedRequest) -> Rule:
    """1.6 signs one kind of certificate."""
    response = yield from command(
        d,
        v201.CertificateSignedRequest(
            certificateChain=request.certificateChain, certificateType="ChargingStationCertificate"
        ),
    )
    _lose_info(d, response.statusInfo)
    return v16.CertificateSignedResponse(status=response.status)


def install(d: Dialogue, request: v16.InstallCertificateRequest) -> Rule:
    response = yield from command(
        d,
        v201.InstallCertificateRequest(certificateType=_use(request.certificateType), certificate=request.certificate),
    )
    _lose_info(d, response.statusInfo)
    return v16.InstallCertificateResponse(status=response.status)


def _use(use: v16.CertificateUse) -> v201.InstallCertificateUse:
    return "CSMSRootCertificate" if use == "CentralSystemRootCertificate" else "ManufacturerRootCertificate"


def delete(d: Dialogue, request: v16.DeleteCertificateRequest) -> Rule:
    data = v201.CertificateHashData(**msgspec.structs.asdict(request.certificateHashData))
    response = yield from command(d, v201.DeleteCertificateRequest(certificateHashData=data))
    _lose_info(d, response.statusInfo)
    return v16.DeleteCertificateResponse(status=response.status)


def installed_ids(d: Dialogue, request: v16.GetInstalledCertificateIdsRequest) -> Rule:
    """Chains become a flat list of their first certificates."""
    response = yield from command(
        d, v201.GetInstalledCertificateIdsRequest(certificateType=[CERTIFICATE_USE.up(request.certificateType)])
    )
    _lose_info(d, response.statusInfo)
    found = []
    for chain in response.certificateHashDataChain or ():
        if chain.childCertificateHashData:
            d.lose("certificateHashDataChain.childCertificateHashData")
        own = chain.certificateHashData
        found.append(
            v16.CertificateHashData(
                hashAlgorithm=own.hashAlgorithm,
                issuerNameHash=own.issuerNameHash,
                issuerKeyHash=own.issuerKeyHash,
                serialNumber=own.serialNumber,
            )
        )
    status: v16.GetInstalledCertificateStatus = "Accepted" if response.status == "Accepted" else "NotFound"
    return v16.GetInstalledCertificateIdsResponse(status=status, certificateHashData=found or None)


def _lose_info(d: Dialogue, info: v201.StatusInfo | None) -> None:
    if info is not None:
        d.lose("statusInfo")


FROM_CSMS: dict[str, Row] = {
    "CertificateSigned": Talk(certificate_signed),
    "DeleteCertificate": Talk(delete),
    "GetInstalledCertificateIds": Talk(installed_ids),
    "InstallCertificate": Talk(install),
}
