"""DataTransfer with its two tunnels, log and firmware status, security events, certificate requests (spec 4.9 to 4.12)."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Raw

from .. import frames
from ..dialogue import Dialogue, Refusal, Row, Rule, Talk
from ..enums import FIRMWARE_STATUS, LOG_STATUS, PNC_VENDOR
from ..facts import Job
from ..models import lenient, v16, v201
from ..models.base import ABSENT, Request
from ..registration import require_registered
from ..values import charger_time, cut, json_text, security_event_up
from .charger import facts_of
from .untunnelled import OWN_ACTIONS, is_own, untunnel
from .upstream import ask

PNC_ACTIONS = frozenset(("Authorize", "Get15118EVCertificate", "GetCertificateStatus", "SignCertificate"))
"""What a charger sends over the PnC DataTransfer."""
_MEANT_BY: Final = {"DataTransfer": ("SignV2GCertificate",)}
"""The trigger that a tunnelled SignCertificate answers."""


def data_transfer(d: Dialogue, request: v16.DataTransferRequest) -> Rule:
    """A tunnelled 2.0.1 message becomes the message itself; anything else stays a DataTransfer."""
    if is_own(d, request.vendorId) and request.messageId in OWN_ACTIONS:
        return (yield from untunnel(d, request))
    if d.early:
        return None  # it was refused while the CSMS was away
    pnc = request.vendorId.casefold() == PNC_VENDOR
    require_registered(d, _MEANT_BY if pnc and request.messageId == "SignCertificate" else {})
    if pnc and request.messageId in PNC_ACTIONS:
        return (yield from _untunnel(d, v201.ACTIONS[request.messageId], request.data or ""))
    if pnc:
        return v16.DataTransferResponse(status="UnknownMessageId")
    data = Raw(msgspec.json.encode(request.data)) if request.data is not None else ABSENT
    reply = yield from ask(
        d, v201.DataTransferRequest(vendorId=request.vendorId, messageId=request.messageId, data=data)
    )
    if reply.statusInfo is not None:
        d.lose("statusInfo")
    return v16.DataTransferResponse(status=reply.status, data=json_text(reply.data) if reply.data else None)


def _untunnel(d: Dialogue, type_: type[Request[Any]], text: str) -> Rule:
    try:
        message, _ = lenient.decode(type_, text.encode())
    except (lenient.Invalid, UnicodeEncodeError):
        return v16.DataTransferResponse(status="Rejected")
    try:
        reply = yield from ask(d, message)
    except Refusal:
        return v16.DataTransferResponse(status="Rejected")
    d.spare()
    return v16.DataTransferResponse(status="Accepted", data=frames.encode(reply).decode())


def diagnostics_status(d: Dialogue, request: v16.DiagnosticsStatusNotificationRequest) -> Rule:
    """A diagnostics upload is a log upload; the request it belongs to is the gateway's knowledge."""
    if request.status not in ("Idle", "Uploading", "Uploaded", "UploadFailed"):
        raise Refusal("PropertyConstraintViolation", "status")
    status = LOG_STATUS.up(request.status)
    job = facts_of(d).log
    yield from ask(d, v201.LogStatusNotificationRequest(status=status, requestId=_request_id(status, None, job)))
    _progress(job, status)
    return v16.DiagnosticsStatusNotificationResponse()


def log_status(d: Dialogue, request: v16.LogStatusNotificationRequest) -> Rule:
    """The same message in both versions."""
    job = facts_of(d).log
    number = _request_id(request.status, request.requestId, job)
    yield from ask(d, v201.LogStatusNotificationRequest(status=request.status, requestId=number))
    _progress(job, request.status)
    return v16.LogStatusNotificationResponse()


def firmware_status(d: Dialogue, request: v16.FirmwareStatusNotificationRequest) -> Rule:
    """A plain update does not know its requestId; the gateway does."""
    if request.status not in ("Downloading", "Downloaded", "DownloadFailed") and request.status not in (
        "Installing",
        "Installed",
        "InstallationFailed",
        "Idle",
    ):
        raise Refusal("PropertyConstraintViolation", "status")
    status = FIRMWARE_STATUS.up(request.status)
    job = facts_of(d).firmware
    number = _request_id(status, None, job)
    yield from ask(d, v201.FirmwareStatusNotificationRequest(status=status, requestId=number))
    _progress(job, status)
    return v16.FirmwareStatusNotificationResponse()


def signed_firmware_status(d: Dialogue, request: v16.SignedFirmwareStatusNotificationRequest) -> Rule:
    """The 2.0.1 message under its 1.6 name."""
    job = facts_of(d).firmware
    number = _request_id(request.status, request.requestId, job)
    yield from ask(d, v201.FirmwareStatusNotificationRequest(status=request.status, requestId=number))
    _progress(job, request.status)
    return v16.SignedFirmwareStatusNotificationResponse()


def _request_id(status: str, given: int | None, job: Job | None) -> int | None:
    """The requestId of a status: what the charger says, else the running job's; Idle belongs to none."""
    if given is not None:
        return given
    return job.request_id if job is not None and status != "Idle" else None


def _progress(job: Job | None, status: str) -> None:
    if job is not None and status != "Idle":
        job.last_status = status


def security_event(d: Dialogue, request: v16.SecurityEventNotificationRequest) -> Rule:
    """Event names are spelled the 2.0.1 way."""
    moment = charger_time(request.timestamp, d.now)
    if moment.substituted:
        d.lose("timestamp", "defaulted")
    yield from ask(
        d,
        v201.SecurityEventNotificationRequest(
            type=cut(security_event_up(request.type), 50),
            timestamp=moment.text,
            techInfo=cut(request.techInfo, 255) if request.techInfo else None,
        ),
    )
    return v16.SecurityEventNotificationResponse()


def sign_certificate(d: Dialogue, request: v16.SignCertificateRequest) -> Rule:
    """1.6 knows one use of a signed certificate."""
    if d.early:
        return None  # it was refused while the CSMS was away
    reply = yield from ask(
        d, v201.SignCertificateRequest(csr=request.csr, certificateType="ChargingStationCertificate")
    )
    if reply.statusInfo is not None:
        d.lose("statusInfo")
    return v16.SignCertificateResponse(status=reply.status)


FROM_CHARGER: dict[str, Row] = {
    "DataTransfer": Talk(data_transfer),
    "DiagnosticsStatusNotification": Talk(diagnostics_status),
    "LogStatusNotification": Talk(log_status),
    "FirmwareStatusNotification": Talk(firmware_status),
    "SignedFirmwareStatusNotification": Talk(signed_firmware_status),
    "SecurityEventNotification": Talk(security_event),
    "SignCertificate": Talk(sign_certificate),
}
