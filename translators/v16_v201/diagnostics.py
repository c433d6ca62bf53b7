"""GetLog, UpdateFirmware of the CSMS (spec 3.9, 5.18, 5.39)."""

from __future__ import annotations

import re
from urllib.parse import quote

from ..dialogue import Dialogue, Refusal, Row, Rule, Silence, Talk
from ..facts import Job
from ..models import v16, v201
from ..values import format_time, parse_time, tidy_time
from .charger import UNSUPPORTED, ask, because, facts_of, has, options_of, told_time

_OVER = frozenset(
    (
        *("Uploaded", "UploadFailure", "BadMessage", "NotSupportedOperation", "PermissionDenied", "AcceptedCanceled"),
        *("Installed", "DownloadFailed", "InstallationFailed", "InstallVerificationFailed", "InvalidSignature"),
        "Idle",  # it never began
    )
)
"""Last statuses of a job that has ended."""
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S")


def running(job: Job | None) -> bool:
    return job is not None and job.last_status not in _OVER


def uri(text: str) -> str | None:
    """`text` as a URI: what may not stand in one is percent-encoded. None if it is none even so."""
    quoted = quote(text.strip(), safe="%/:?#[]@!$&'()*+,;=-._~")
    return quoted if _SCHEME.match(quoted) else None


def get_log(d: Dialogue, request: v201.GetLogRequest) -> Rule:
    """GetLog of the security extension, else GetDiagnostics, which knows one kind of log and no request id."""
    facts = facts_of(d)
    if has(d, "security"):
        command = v16.GetLogRequest(
            log=v16.LogParameters(
                remoteLocation=request.log.remoteLocation,
                oldestTimestamp=told_time(d, request.log.oldestTimestamp, "log.oldestTimestamp"),
                latestTimestamp=told_time(d, request.log.latestTimestamp, "log.latestTimestamp"),
            ),
            logType=request.logType,
            requestId=request.requestId,
            retries=request.retries,
            retryInterval=request.retryInterval,
        )
        answer = yield from ask(d, command)
        if answer.status != "Rejected":
            facts.log = Job(request_id=request.requestId, via="GetLog")
        return v201.GetLogResponse(status=answer.status, filename=answer.filename)
    if request.logType == "SecurityLog":
        return v201.GetLogResponse(status="Rejected", statusInfo=because("UnsupportedRequest"))
    location = uri(request.log.remoteLocation)
    if location is None:
        return v201.GetLogResponse(status="Rejected", statusInfo=because("UnsupportedParam"))
    diagnostics = v16.GetDiagnosticsRequest(
        location=location,
        startTime=told_time(d, request.log.oldestTimestamp, "log.oldestTimestamp"),
        stopTime=told_time(d, request.log.latestTimestamp, "log.latestTimestamp"),
        retries=request.retries,
        retryInterval=request.retryInterval,
    )
    d.lose("requestId")
    response = yield from ask(d, diagnostics)
    old = facts.log if running(facts.log) else None
    facts.log = Job(request_id=request.requestId, via="GetDiagnostics")
    if not response.fileName:
        facts.log.last_status = "Idle"  # it may upload all the same
        return v201.GetLogResponse(status="Rejected")
    if old is None:
        return v201.GetLogResponse(status="Accepted", filename=response.fileName)
    yield from d.answer(v201.GetLogResponse(status="AcceptedCanceled", filename=response.fileName))
    d.lose("LogStatusNotification", "synthesised")
    yield from d.ask("csms", v201.LogStatusNotificationRequest(status="AcceptedCanceled", requestId=old.request_id))
    return None


def update_firmware(d: Dialogue, request: v201.UpdateFirmwareRequest) -> Rule:
    """SignedUpdateFirmware for a signed image, else UpdateFirmware, which knows no request id and one date."""
    facts, firmware = facts_of(d), request.firmware
    if firmware.signature and firmware.signingCertificate and has(d, "security"):
        signed = v16.SignedUpdateFirmwareRequest(
            requestId=request.requestId,
            firmware=v16.Firmware(
                location=firmware.location,
                retrieveDateTime=tidy_time(firmware.retrieveDateTime) or firmware.retrieveDateTime,
                installDateTime=told_time(d, firmware.installDateTime, "firmware.installDateTime"),
                signingCertificate=firmware.signingCertificate,
                signature=firmware.signature,
            ),
            retries=request.retries,
            retryInterval=request.retryInterval,
        )
        answer = yield from ask(d, signed)
        if answer.status in ("Accepted", "AcceptedCanceled"):
            facts.firmware = Job(request_id=request.requestId, via="SignedUpdateFirmware")
        return v201.UpdateFirmwareResponse(status=answer.status)
    location = uri(firmware.location)
    if location is None or (
        (firmware.signature or firmware.signingCertificate) and not options_of(d).allow_unsigned_downgrade
    ):
        return v201.UpdateFirmwareResponse(status="Rejected", statusInfo=because("UnsupportedParam"))
    for name in ("signature", "signingCertificate"):
        if getattr(firmware, name) is not None:
            d.lose(f"firmware.{name}")
    d.lose("requestId")
    retrieve = parse_time(firmware.retrieveDateTime)
    if retrieve is None:
        d.lose("firmware.retrieveDateTime", "defaulted")
        retrieve = d.clock
    install = parse_time(firmware.installDateTime)
    if firmware.installDateTime:
        d.lose("firmware.installDateTime", "folded" if install is not None else "dropped")
    if install is not None and install > retrieve:
        d.lose("firmware.retrieveDateTime", "folded")
    when = max(retrieve, install or retrieve)
    date = firmware.retrieveDateTime if when == retrieve else firmware.installDateTime
    plain = v16.UpdateFirmwareRequest(
        location=location,
        retrieveDate=tidy_time(date) or format_time(when),
        retries=request.retries,
        retryInterval=request.retryInterval,
    )
    try:
        yield from ask(d, plain)
    except Refusal as refusal:
        if refusal.code not in UNSUPPORTED:
            raise
        return v201.UpdateFirmwareResponse(status="Rejected", statusInfo=because("UnsupportedRequest"))
    canceled = running(facts.firmware)
    job = facts.firmware = Job(request_id=request.requestId, via="UpdateFirmware")
    yield from d.answer(v201.UpdateFirmwareResponse(status="AcceptedCanceled" if canceled else "Accepted"))
    if when > d.clock:
        d.lose("FirmwareStatusNotification", "synthesised")
        scheduled = v201.FirmwareStatusNotificationRequest(status="DownloadScheduled", requestId=request.requestId)
        try:
            yield from d.ask("csms", scheduled)
        except (Refusal, Silence):
            return None
        job.last_status = job.last_status or "DownloadScheduled"
    return None


FROM_CSMS: dict[str, Row] = {
    "GetLog": Talk(get_log),
    "UpdateFirmware": Talk(update_firmware),
}
