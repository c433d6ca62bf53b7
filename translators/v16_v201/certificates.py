"""CertificateSigned, InstallCertificate, DeleteCertificate, GetInstalledCertificateIds (spec 2.11, 5.2, 5.11, 5.16, 5.26).

What a 1.6 charger knows by the security extension goes as its own message; what belongs to ISO 15118 goes through the
Plug & Charge DataTransfer, whose data is the 2.0.1 payload itself.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar, get_args

import msgspec

from ..dialogue import Ask, Dialogue, Row, Rule, Talk
from ..enums import CERTIFICATE_USE, PNC_VENDOR
from ..models import lenient, v16, v201
from ..models.base import Request, Struct
from .charger import ask, because, has

R = TypeVar("R", bound=Struct)
_NO = because("UnsupportedRequest")


def tunnel(d: Dialogue, request: Request[R], vendor: str = PNC_VENDOR) -> Generator[Ask, Any, R | None]:
    """Send a 2.0.1 request, whole, through a DataTransfer; None if the charger does not take it."""
    lost = d.spare()
    command = v16.DataTransferRequest(
        vendorId=vendor, messageId=type(request).action, data=lenient.check(request).decode()
    )
    answer = yield from ask(d, command)
    if answer.status == "Accepted" and answer.data:
        try:
            response: R = lenient.decode(type(request).response, answer.data.encode())[0]  # type: ignore[assignment]
            lenient.check(response)
            return response
        except (lenient.Invalid, msgspec.MsgspecError, UnicodeEncodeError):
            pass
    for each in lost:
        d.lose(each.field, each.kind)
    return None


def certificate_signed(d: Dialogue, request: v201.CertificateSignedRequest) -> Rule:
    if request.certificateType == "V2GCertificate":
        response = (yield from tunnel(d, request)) if has(d, "pnc") else None
        return response or v201.CertificateSignedResponse(status="Rejected", statusInfo=_NO)
    if not has(d, "security"):
        return v201.CertificateSignedResponse(status="Rejected", statusInfo=_NO)
    answer = yield from ask(d, v16.CertificateSignedRequest(certificateChain=request.certificateChain))
    return v201.CertificateSignedResponse(status=answer.status)


def install_certificate(d: Dialogue, request: v201.InstallCertificateRequest) -> Rule:
    if request.certificateType in ("CSMSRootCertificate", "ManufacturerRootCertificate"):
        if not has(d, "security"):
            return v201.InstallCertificateResponse(status="Rejected", statusInfo=_NO)
        command = v16.InstallCertificateRequest(
            certificateType=CERTIFICATE_USE.down(request.certificateType), certificate=request.certificate
        )
        answer = yield from ask(d, command)
        return v201.InstallCertificateResponse(status=answer.status)
    response = (yield from tunnel(d, request)) if has(d, "pnc") else None
    return response or v201.InstallCertificateResponse(status="Rejected", statusInfo=_NO)


def delete_certificate(d: Dialogue, request: v201.DeleteCertificateRequest) -> Rule:
    """The hash does not tell what the certificate is for: both stores are asked."""
    status: v16.DeleteCertificateStatus | None = None
    if has(d, "security"):
        command = v16.DeleteCertificateRequest(certificateHashData=_hash_down(request.certificateHashData))
        status = (yield from ask(d, command)).status
    if status in (None, "NotFound") and has(d, "pnc"):
        response = yield from tunnel(d, request)
        if response is not None:
            return response
    if status is None:
        return v201.DeleteCertificateResponse(status="Failed", statusInfo=_NO)
    return v201.DeleteCertificateResponse(status=status)


def installed_ids(d: Dialogue, request: v201.GetInstalledCertificateIdsRequest) -> Rule:
    """One request per use of the security extension, one tunnelled for the uses of ISO 15118."""
    wanted = list(dict.fromkeys(request.certificateType or get_args(v201.GetCertificateIdUse)))
    found: list[v201.CertificateHashDataChain] = []
    others: list[v201.GetCertificateIdUse] = []
    for use in wanted:
        if use not in ("CSMSRootCertificate", "ManufacturerRootCertificate"):
            others.append(use)
        elif has(d, "security"):
            command = v16.GetInstalledCertificateIdsRequest(certificateType=CERTIFICATE_USE.down(use))
            answer = yield from ask(d, command)
            found.extend(
                v201.CertificateHashDataChain(certificateType=use, certificateHashData=_hash_up(each))
                for each in answer.certificateHashData or ()
            )
    refused = False
    if others and has(d, "pnc"):
        response = yield from tunnel(d, v201.GetInstalledCertificateIdsRequest(certificateType=others))
        refused = response is None
        found.extend((response.certificateHashDataChain if response is not None else None) or ())
    if not found:
        return v201.GetInstalledCertificateIdsResponse(status="NotFound", statusInfo=_NO if refused else None)
    return v201.GetInstalledCertificateIdsResponse(status="Accepted", certificateHashDataChain=found)


def _hash_down(data: v201.CertificateHashData) -> v16.CertificateHashData:
    return v16.CertificateHashData(
        hashAlgorithm=data.hashAlgorithm,
        issuerNameHash=data.issuerNameHash,
        issuerKeyHash=data.issuerKeyHash,
        serialNumber=data.serialNumber,
    )


def _hash_up(data: v16.CertificateHashData) -> v201.CertificateHashData:
    return v201.CertificateHashData(**msgspec.structs.asdict(data))


FROM_CSMS: dict[str, Row] = {
    "CertificateSigned": Talk(certificate_signed),
    "DeleteCertificate": Talk(delete_certificate),
    "GetInstalledCertificateIds": Talk(installed_ids),
    "InstallCertificate": Talk(install_certificate),
}
