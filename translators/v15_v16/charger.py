"""What a 1.5 charger says to a 1.6 CSMS (spec/ocpp15 sections 2 and 5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast, get_args

import msgspec

from ..dialogue import Dialogue, Refusal, Row, Rule, Talk
from ..frames import packed
from ..models import v15, v16
from ..models.base import Request, Struct
from ..registration import introduce, unknown
from ..values import format_time, tidy_time
from ..values15 import ERROR_CODE, OCCUPIED, REGISTRATION, STATUS
from .carry import carry
from .late import deauthorise
from .metering import AnyMeterValuesRequest, AnyStopTransactionRequest, meter_values, transaction_data
from .state import KEPT_MOST, Charge, Facts, by_number, close, csms_number, facts_of, open_at, place_of, remember

FINISHING_MS: Final = 30_000
"""How long after the end of a transaction an occupied connector is Finishing."""
_STATUSES: Final = frozenset(get_args(v16.ChargePointStatus))
_ERROR_CODES: Final = frozenset(get_args(v16.ChargePointErrorCode))
_STATION_STATUSES: Final = ("Available", "Unavailable", "Faulted")
"""What 1.6 allows for connector 0 (1.6 A.1)."""


def _copied(
    request: type[Request[Any]],
    response: type[Struct],
    keep: Callable[[Facts, Any], None] | None = None,
) -> Row:
    """Both payloads have the same members; `keep` remembers the request once the CSMS has answered."""

    def rule(d: Dialogue, given: Any) -> Rule:
        asked = carry(d, given, request)
        reply = yield from d.ask("csms", asked)
        if keep is not None:
            keep(facts_of(d), asked)
        return carry(d, reply, response)

    return Talk(rule)


def _keep_firmware(facts: Facts, request: v16.FirmwareStatusNotificationRequest) -> None:
    facts.firmware = request.status


def _keep_diagnostics(facts: Facts, request: v16.DiagnosticsStatusNotificationRequest) -> None:
    facts.diagnostics = request.status


def boot(d: Dialogue, request: v15.BootNotificationRequest) -> Rule:
    """1.5 knows no Pending: the charger is told Rejected and boots again after the interval."""
    asked = carry(d, request, v16.BootNotificationRequest)
    reply = yield from d.ask("csms", asked)
    facts_of(d).boot = packed(asked)
    booted(facts_of(d), reply)
    return boot_answer(d, reply.status, reply.currentTime, reply.interval)


def first(d: Dialogue) -> Rule | None:
    """A station that the CSMS was never told of is introduced before its first message (spec 3.1). In a chain the translator
    at the CSMS's end does that."""
    if d.translator.keeps_given or not unknown(d):
        return None
    return introduce(d, None, _known_boot, booted)


def connected(facts: Facts, at: int) -> None:
    """A new connection: the station may be introduced again."""
    facts.introduced = False


def _known_boot(d: Dialogue) -> v16.BootNotificationRequest:
    d.lose("BootNotification", "synthesised")
    stored = facts_of(d).boot
    if not stored:
        return v16.BootNotificationRequest(chargePointVendor="unknown", chargePointModel="unknown")
    return msgspec.json.decode(stored, type=v16.BootNotificationRequest)


def booted(facts: Facts, reply: v16.BootNotificationResponse) -> None:
    """Keep what the CSMS said to a boot."""
    facts.registration, facts.interval = reply.status, reply.interval
    if reply.status == "Accepted":
        facts.lacks = []


def boot_answer(d: Dialogue, status: str, current: str, interval: int) -> v15.BootNotificationResponse:
    """The answer to a boot in the words of 1.5."""
    found = REGISTRATION.down_or(cast(v16.RegistrationStatus, status), "Rejected")
    if found != status:
        d.lose("status", "folded")
    time = tidy_time(current)
    if time is None:
        d.lose("currentTime", "defaulted")
    return v15.BootNotificationResponse(
        status=found, currentTime=time or format_time(d.clock), heartbeatInterval=interval
    )


def authorize(d: Dialogue, request: v15.AuthorizeRequest) -> Rule:
    if d.early:
        return None  # it was a question; the answer has been used
    reply = yield from d.ask("csms", carry(d, request, v16.AuthorizeRequest))
    _heed(d, request.idTag, reply.idTagInfo)
    return v15.AuthorizeResponse(idTagInfo=carry(d, reply.idTagInfo, v15.IdTagInfo, "idTagInfo."))


def data_transfer(d: Dialogue, request: v15.DataTransferRequest) -> Rule:
    if d.early:
        return None  # it was refused while the CSMS was away
    reply = yield from d.ask("csms", carry(d, request, v16.DataTransferRequest))
    return carry(d, reply, v15.DataTransferResponse)


def _heed(d: Dialogue, id_tag: str | None, info: v16.IdTagInfo | None) -> None:
    """Remember a verdict for the time when the CSMS is away."""
    if not id_tag or info is None:
        return
    verdicts = facts_of(d).verdicts
    verdicts.pop(id_tag.casefold(), None)
    while len(verdicts) >= KEPT_MOST:
        del verdicts[next(iter(verdicts))]
    verdicts[id_tag.casefold()] = {**msgspec.to_builtins(info), "at": d.clock}


def status(d: Dialogue, request: v15.StatusNotificationRequest) -> Rule:
    """Occupied becomes the status that the transaction of the connector tells; values of 1.6 pass."""
    facts, number = facts_of(d), request.connectorId
    code, vendor_code = _error_code(d, request)
    asked = carry(
        d,
        request,
        v16.StatusNotificationRequest,
        status=_status(d, number, request.status),
        errorCode=code,
        vendorErrorCode=None if not vendor_code else _cut(d, vendor_code),
        timestamp=_optional_time(d, request.timestamp),
    )
    yield from d.ask("csms", asked)
    place_of(facts, number).status = packed(asked)
    return v15.StatusNotificationResponse()


def _cut(d: Dialogue, text: str) -> str:
    if len(text) > 50:
        d.lose("vendorErrorCode", "shortened")
    return text[:50]


def _error_code(d: Dialogue, request: v15.StatusNotificationRequest) -> tuple[v16.ChargePointErrorCode, str | None]:
    """The error code and the vendor's; an unknown code becomes the vendor's."""
    given: Any = request.errorCode
    if given in _ERROR_CODES:
        return given, request.vendorErrorCode
    if given == "Mode3Error":
        return ERROR_CODE.up(given), request.vendorErrorCode
    if request.vendorErrorCode:
        d.lose("errorCode", "folded")
    return "OtherError", request.vendorErrorCode or str(given)


def _status(d: Dialogue, number: int, given: Any) -> v16.ChargePointStatus:
    if given != OCCUPIED and given not in _STATUSES:
        raise Refusal("PropertyConstraintViolation", "status")
    found: v16.ChargePointStatus = occupied(d, number) if given == OCCUPIED else STATUS.up_or(given, given)
    if number == 0 and found not in _STATION_STATUSES:
        d.lose("status", "folded")
        return "Available"
    return found


def occupied(d: Dialogue, number: int) -> v16.ChargePointStatus:
    """What Occupied means in 1.6: Charging with a transaction, Finishing shortly after one, else Preparing."""
    facts = facts_of(d)
    if open_at(facts, number) is not None:
        return "Charging"
    place = facts.places.get(number)
    if place is not None and place.stopped_at and 0 <= d.now - place.stopped_at <= FINISHING_MS:
        return "Finishing"
    return "Preparing"


def _optional_time(d: Dialogue, text: str | None) -> str | None:
    """A timestamp that may be absent; one that is no time is absent."""
    found = tidy_time(text)
    if text and found is None:
        d.lose("timestamp")
    return found


def _time(d: Dialogue, text: str) -> str:
    """A timestamp that must be there; one that is no time is that of receipt."""
    found = tidy_time(text)
    if found is None:
        d.lose("timestamp", "defaulted")
    return found or format_time(d.now)


def start(d: Dialogue, request: v15.StartTransactionRequest) -> Rule:
    """A reservationId of 0 means none, unless there is a reservation 0."""
    facts = facts_of(d)
    reservation = request.reservationId
    if reservation is not None and reservation <= 0 and not (reservation == 0 and facts.reserved_zero):
        d.lose("reservationId")
        reservation = None
    asked = carry(
        d, request, v16.StartTransactionRequest, timestamp=_time(d, request.timestamp), reservationId=reservation
    )
    reply = yield from d.ask("csms", asked)
    given = facts.given.get(d.key, {})
    told = given.get("number") or (given.get("tid", 0) if d.early else 0)
    tid = told or reply.transactionId
    if reservation == 0:
        facts.reserved_zero = False
    if (known := by_number(facts, tid)) is None or known.connector != request.connectorId:
        remember(
            facts,
            Charge(tid=tid, csms_tid=reply.transactionId, connector=request.connectorId, minted=d.tx),
        )
    _heed(d, request.idTag, reply.idTagInfo)
    charge = by_number(facts, tid)
    if charge is not None and given.get("told") == "Accepted" != reply.idTagInfo.status:
        deauthorise(d, charge)
    return v15.StartTransactionResponse(
        transactionId=tid, idTagInfo=carry(d, reply.idTagInfo, v15.IdTagInfo, "idTagInfo.")
    )


def meter(d: Dialogue, request: AnyMeterValuesRequest) -> Rule:
    """Any dialect; without a single value there is nothing to tell (1.6 requires one)."""
    facts = facts_of(d)
    values = meter_values(d, request)
    if not values:
        d.lose("MeterValues")
        return v15.MeterValuesResponse()
    tid = None if request.transactionId is None else csms_number(facts, request.transactionId)
    asked = v16.MeterValuesRequest(connectorId=request.connectorId, transactionId=tid, meterValue=values)
    yield from d.ask("csms", asked)
    place = place_of(facts, request.connectorId)
    place.meter = packed(msgspec.structs.replace(asked, meterValue=values[-1:]))
    place.metered_at = d.now
    return v15.MeterValuesResponse()


def stop(d: Dialogue, request: AnyStopTransactionRequest) -> Rule:
    """1.5 gives no reason: it is left out unless the gateway knows better."""
    facts = facts_of(d)
    charge = by_number(facts, request.transactionId)
    data = transaction_data(d, request)
    given = request.reason if request.reason in get_args(v16.Reason) else None
    asked = carry(
        d,
        request,
        v16.StopTransactionRequest,
        transactionId=csms_number(facts, request.transactionId),
        timestamp=_time(d, request.timestamp),
        transactionData=data or None,
        reason=given or d.once("reason", lambda: _reason(d, charge)) or None,
    )
    if asked.reason and not given:
        d.lose("reason", "defaulted")
    reply = yield from d.ask("csms", asked)
    if charge is not None:
        close(facts, charge)
        place = place_of(facts, charge.connector)
        place.stopped_at, place.meter = d.now, b""  # the values of a charge that is over tell nothing of the present
    _heed(d, asked.idTag, reply.idTagInfo)
    info = reply.idTagInfo
    return v15.StopTransactionResponse(idTagInfo=None if info is None else carry(d, info, v15.IdTagInfo, "idTagInfo."))


def _reason(d: Dialogue, charge: Charge | None) -> str:
    """Why a transaction ends, if the CSMS made the charger end it; else ""."""
    if charge is None or (charge.reason_until and d.now > charge.reason_until):
        return ""
    return charge.stop_reason


FROM_CHARGER: dict[str, Row] = {
    "Authorize": Talk(authorize),
    "BootNotification": Talk(boot),
    "DataTransfer": Talk(data_transfer),
    "DiagnosticsStatusNotification": _copied(
        v16.DiagnosticsStatusNotificationRequest, v15.DiagnosticsStatusNotificationResponse, _keep_diagnostics
    ),
    "FirmwareStatusNotification": _copied(
        v16.FirmwareStatusNotificationRequest, v15.FirmwareStatusNotificationResponse, _keep_firmware
    ),
    "Heartbeat": _copied(v16.HeartbeatRequest, v15.HeartbeatResponse),
    "MeterValues": Talk(meter),
    "StartTransaction": Talk(start),
    "StatusNotification": Talk(status),
    "StopTransaction": Talk(stop),
}
