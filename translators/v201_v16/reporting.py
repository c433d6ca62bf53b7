"""Firmware and log status, security events, certificate requests, DataTransfer of the charger (spec 6.4, 6.5, 6.9, 6.17, 6.18)."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from ..dialogue import Dialogue, Refusal, Row, Rule, Talk
from ..enums import FIRMWARE_STATUS, LOG_STATUS
from ..facts import Job
from ..models import v16, v201
from ..models.base import ABSENT
from ..values import charger_time, cut, json_text, security_event_down
from .peers import UNSUPPORTED, because, tell
from .state import facts_of, has
from .tunnel import ask_tunnelled

GET_LOG, DIAGNOSTICS = "GetLog", "GetDiagnostics"
SIGNED, PLAIN = "SignedUpdateFirmware", "UpdateFirmware"
"""`via` of a job: the 1.6 command that began it, which says what its statuses are called."""

_NO = because("UnsupportedRequest")
_FIRMWARE = (
    *("Downloaded", "DownloadFailed", "Downloading", "DownloadScheduled", "DownloadPaused", "Idle"),
    *("InstallationFailed", "Installing", "Installed", "InstallRebooting", "InstallScheduled"),
    *("InstallVerificationFailed", "InvalidSignature", "SignatureVerified"),
)


def firmware_status(d: Dialogue, request: v201.FirmwareStatusNotificationRequest) -> Rule:
    """A plain update knows half of the words: what has no 1.6 word is not told."""
    if request.status not in _FIRMWARE:
        raise Refusal("PropertyConstraintViolation", "status")
    facts, answer = facts_of(d), v201.FirmwareStatusNotificationResponse()
    job = facts.firmware
    if job is not None and job.via == SIGNED:
        yield from tell(
            d, v16.SignedFirmwareStatusNotificationRequest(status=request.status, requestId=request.requestId)
        )
        job.last_status = request.status
        return answer
    if request.requestId is not None:
        d.lose("requestId")
    try:
        status = FIRMWARE_STATUS.down(request.status)
    except KeyError:
        d.lose("status")
        return answer
    if status != request.status:
        d.lose("status", "folded")
        if request.status == "InstallRebooting" and job is not None and job.last_status == "Installing":
            return answer
    yield from tell(d, v16.FirmwareStatusNotificationRequest(status=status))
    if status != "Idle":
        facts.firmware = job = job or Job(
            request_id=request.requestId or 0, via=PLAIN
        )  # an update of the charger's own
        job.last_status = status
    return answer


def log_status(d: Dialogue, request: v201.LogStatusNotificationRequest) -> Rule:
    """Under the name that belongs to the command which asked for the log."""
    job, answer = facts_of(d).log, v201.LogStatusNotificationResponse()
    if request.status not in ("Idle", "AcceptedCanceled") and request.status not in (
        *("BadMessage", "NotSupportedOperation", "PermissionDenied"),
        *("Uploaded", "UploadFailure", "Uploading"),
    ):
        raise Refusal("PropertyConstraintViolation", "status")
    if request.status == "AcceptedCanceled":
        d.lose("status")
        if request.requestId is not None:
            d.lose("requestId")
        return answer
    if job is not None and job.via == GET_LOG:
        yield from tell(d, v16.LogStatusNotificationRequest(status=request.status, requestId=request.requestId))
    else:
        if request.requestId is not None:
            d.lose("requestId")
        status = LOG_STATUS.down(request.status)
        if request.status not in ("Idle", "Uploading", "Uploaded", "UploadFailure"):
            d.lose("status", "folded")
        yield from tell(d, v16.DiagnosticsStatusNotificationRequest(status=status))
    if job is not None and request.status != "Idle":
        job.last_status = request.status
    return answer


def security_event(d: Dialogue, request: v201.SecurityEventNotificationRequest) -> Rule:
    """A CSMS without the security extension is not told; the charger would repeat it for ever otherwise."""
    moment = charger_time(request.timestamp, d.now)
    if moment.substituted:
        d.lose("timestamp", "defaulted")
    message = v16.SecurityEventNotificationRequest(
        type=cut(security_event_down(request.type), 50),
        timestamp=moment.text,
        techInfo=cut(request.techInfo, 255) if request.techInfo else None,
    )
    try:
        yield from tell(d, message)
    except Refusal as refusal:
        if refusal.code not in UNSUPPORTED:
            raise
        d.lose("type")
    return v201.SecurityEventNotificationResponse()


def sign_certificate(d: Dialogue, request: v201.SignCertificateRequest) -> Rule:
    """1.6 signs the station's certificate; that of ISO 15118 is a matter of Plug & Charge."""
    if d.early:
        return None  # it was refused while the CSMS was away
    refused = v201.SignCertificateResponse(status="Rejected", statusInfo=_NO)
    if request.certificateType == "V2GCertificate":
        reply = (yield from ask_tunnelled(d, request)) if has(d, "pnc") else None
        return reply or refused
    if request.certificateType is not None:
        d.lose("certificateType")
    try:
        answer = yield from tell(d, v16.SignCertificateRequest(csr=request.csr))
    except Refusal as refusal:
        if refusal.code not in UNSUPPORTED:
            raise
        return refused
    return v201.SignCertificateResponse(status=answer.status)


def data_transfer(d: Dialogue, request: v201.DataTransferRequest) -> Rule:
    """1.6 data is a string: anything else travels as its JSON text."""
    if d.early:
        return None  # it was refused while the CSMS was away
    reply = yield from tell(
        d,
        v16.DataTransferRequest(
            vendorId=request.vendorId,
            messageId=request.messageId,
            data=json_text(request.data) if request.data else None,
        ),
    )
    data = Raw(msgspec.json.encode(reply.data)) if reply.data is not None else ABSENT
    return v201.DataTransferResponse(status=reply.status, data=data)


FROM_CHARGER: dict[str, Row] = {
    "DataTransfer": Talk(data_transfer),
    "FirmwareStatusNotification": Talk(firmware_status),
    "LogStatusNotification": Talk(log_status),
    "SecurityEventNotification": Talk(security_event),
    "SignCertificate": Talk(sign_certificate),
}
