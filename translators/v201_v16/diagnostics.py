"""GetDiagnostics, GetLog, UpdateFirmware and SignedUpdateFirmware of the CSMS (spec 3.9, 7.9, 7.19, 7.23, 7.24)."""

from __future__ import annotations

from ..dialogue import Dialogue, Refusal, Row, Rule, Silence, Talk
from ..facts import Job
from ..models import v16, v201
from ..values import cut, format_time, tidy_time
from .peers import command
from .reporting import DIAGNOSTICS, GET_LOG, PLAIN, SIGNED
from .state import facts_of, next_number

LOCATION_LIMIT = 512
_TAKEN = ("Accepted", "AcceptedCanceled")


def get_diagnostics(d: Dialogue, request: v16.GetDiagnosticsRequest) -> Rule:
    """A log upload whose requestId the gateway makes up, and by which it knows its statuses again."""
    location = request.location.strip()
    if not location or len(location) > LOCATION_LIMIT:
        return v16.GetDiagnosticsResponse()
    number = next_number(d, "log")
    response = yield from command(
        d,
        v201.GetLogRequest(
            logType="DiagnosticsLog",
            requestId=number,
            log=v201.LogParameters(
                remoteLocation=location,
                oldestTimestamp=tidy_time(request.startTime),
                latestTimestamp=tidy_time(request.stopTime),
            ),
            retries=request.retries,
            retryInterval=request.retryInterval,
        ),
    )
    if response.statusInfo is not None:
        d.lose("statusInfo")
    if response.status not in _TAKEN:
        return v16.GetDiagnosticsResponse()
    facts_of(d).log = Job(request_id=number, via=DIAGNOSTICS)
    if response.status != "Accepted":
        d.lose("status")
    name = response.filename
    return v16.GetDiagnosticsResponse(fileName=cut(name, 255) if name else None)


def get_log(d: Dialogue, request: v16.GetLogRequest) -> Rule:
    """The same message in both versions."""
    log = request.log
    response = yield from command(
        d,
        v201.GetLogRequest(
            logType=request.logType,
            requestId=request.requestId,
            log=v201.LogParameters(
                remoteLocation=log.remoteLocation,
                oldestTimestamp=tidy_time(log.oldestTimestamp),
                latestTimestamp=tidy_time(log.latestTimestamp),
            ),
            retries=request.retries,
            retryInterval=request.retryInterval,
        ),
    )
    if response.statusInfo is not None:
        d.lose("statusInfo")
    if response.status in _TAKEN:
        facts_of(d).log = Job(request_id=request.requestId, via=GET_LOG)
    return v16.GetLogResponse(status=response.status, filename=response.filename)


def update_firmware(d: Dialogue, request: v16.UpdateFirmwareRequest) -> Rule:
    """1.6 has no word for a refusal: it is reported as a failed download."""
    number = next_number(d, "firmware")
    location, status = request.location.strip(), "Rejected"
    if location and len(location) <= LOCATION_LIMIT:
        when = tidy_time(request.retrieveDate)
        if when is None:
            d.lose("retrieveDate", "defaulted")
        response = yield from command(
            d,
            v201.UpdateFirmwareRequest(
                requestId=number,
                firmware=v201.Firmware(location=location, retrieveDateTime=when or format_time(d.clock)),
                retries=request.retries,
                retryInterval=request.retryInterval,
            ),
        )
        status = response.status
        if response.statusInfo is not None:
            d.lose("statusInfo")
    if status in _TAKEN:
        facts_of(d).firmware = Job(request_id=number, via=PLAIN)
        return v16.UpdateFirmwareResponse()
    d.lose("status", "folded")
    yield from d.answer(v16.UpdateFirmwareResponse())
    d.lose("FirmwareStatusNotification", "synthesised")
    try:
        yield from d.ask("csms", v16.FirmwareStatusNotificationRequest(status="DownloadFailed"))
    except (Refusal, Silence):
        pass
    return None


def signed_update(d: Dialogue, request: v16.SignedUpdateFirmwareRequest) -> Rule:
    """The 2.0.1 message under its 1.6 name."""
    firmware = request.firmware
    response = yield from command(
        d,
        v201.UpdateFirmwareRequest(
            requestId=request.requestId,
            firmware=v201.Firmware(
                location=firmware.location,
                retrieveDateTime=tidy_time(firmware.retrieveDateTime) or firmware.retrieveDateTime,
                installDateTime=tidy_time(firmware.installDateTime),
                signingCertificate=firmware.signingCertificate,
                signature=firmware.signature,
            ),
            retries=request.retries,
            retryInterval=request.retryInterval,
        ),
    )
    if response.statusInfo is not None:
        d.lose("statusInfo")
    if response.status in _TAKEN:
        facts_of(d).firmware = Job(request_id=request.requestId, via=SIGNED)
    return v16.SignedUpdateFirmwareResponse(status=response.status)


FROM_CSMS: dict[str, Row] = {
    "GetDiagnostics": Talk(get_diagnostics),
    "GetLog": Talk(get_log),
    "SignedUpdateFirmware": Talk(signed_update),
    "UpdateFirmware": Talk(update_firmware),
}
