"""What a 1.6 CSMS asks of a 1.5 charger (spec/ocpp15 sections 2 and 5)."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Final, TypeVar

from ..dialogue import Ask, Dialogue, Local, Refusal, Refuse, Row, Rule, Talk
from ..models import v15, v16
from ..models.base import Request, Struct
from ..values15 import CONFIGURATION, UNLOCK, UPDATE
from .carry import carry
from .configuration import change_configuration, get_configuration
from .state import Charge, by_number, charger_number, facts_of, open_at
from .trigger import trigger

R = TypeVar("R", bound=Struct)

HOLD: Final = 20.0
"""Seconds that a command waits while the registration is Pending: the charger was told Rejected and takes none."""
REASON_MS: Final = 300_000
"""How long an accepted Reset or UnlockConnector explains the end of a transaction."""
_UNKNOWN: Final = ("NotImplemented", "NotSupported")
_FEATURES: Final = {
    "CancelReservation": "Reservation",
    "GetDiagnostics": "FirmwareManagement",
    "GetLocalListVersion": "LocalAuthListManagement",
    "ReserveNow": "Reservation",
    "SendLocalList": "LocalAuthListManagement",
    "UpdateFirmware": "FirmwareManagement",
}


def ask(d: Dialogue, request: Request[R]) -> Generator[Ask, Any, R]:
    """Send a command to the charger. Raises Refusal, Silence. A refused feature is no longer claimed."""
    try:
        response: R = yield from d.ask("charger", request)
    except Refusal as refusal:
        feature = _FEATURES.get(type(request).action)
        lacks = facts_of(d).lacks
        if refusal.code in _UNKNOWN and feature is not None and feature not in lacks:
            lacks.append(feature)
        raise
    return response


def _copied(
    request: type[Request[Any]],
    response: type[Struct],
    keep: Callable[[Dialogue, Any], None] | None = None,
) -> Row:
    """Both payloads have the same members; `keep` is told of a request that the charger accepted."""

    def rule(d: Dialogue, given: Any) -> Rule:
        reply = yield from ask(d, carry(d, given, request))
        if keep is not None and reply.status == "Accepted":
            keep(d, given)
        return carry(d, reply, response)

    return _held(rule)


def _held(rule: Callable[[Dialogue, Any], Rule]) -> Row:
    """A command that waits for the registration."""

    def held(d: Dialogue, request: Any) -> Rule:
        facts = facts_of(d)
        if facts.registration == "Pending" and not (yield from d.wait(HOLD, lambda: facts.registration != "Pending")):
            raise Refusal("GenericError", "the charger waits for its registration")
        return (yield from rule(d, request))

    return Talk(held)


def _keep_reset(d: Dialogue, request: v16.ResetRequest) -> None:
    for charge in facts_of(d).charges:
        _ends(d, charge, f"{request.type}Reset")


def _ends(d: Dialogue, charge: Charge, reason: str) -> None:
    """A command that the charger accepted will end a transaction, if it ends soon."""
    charge.stop_reason, charge.reason_until = reason, d.clock + REASON_MS


def _keep_reservation(d: Dialogue, request: v16.ReserveNowRequest) -> None:
    if request.reservationId == 0:
        facts_of(d).reserved_zero = True


def _keep_cancelled(d: Dialogue, request: v16.CancelReservationRequest) -> None:
    if request.reservationId == 0:
        facts_of(d).reserved_zero = False


def change(d: Dialogue, request: v16.ChangeConfigurationRequest) -> Rule:
    reply = yield from change_configuration(d, request)
    return v16.ChangeConfigurationResponse(status=CONFIGURATION.up(reply.status))


def remote_stop(d: Dialogue, request: v16.RemoteStopTransactionRequest) -> Rule:
    """The charger's own number of the transaction; an accepted stop will be the reason of its end."""
    facts = facts_of(d)
    tid = charger_number(facts, request.transactionId)
    charge = by_number(facts, tid)
    if charge is None:
        reply = yield from ask(d, v15.RemoteStopTransactionRequest(transactionId=tid))
        return v16.RemoteStopTransactionResponse(status=reply.status)
    before = charge.stop_reason, charge.reason_until
    charge.stop_reason, charge.reason_until = "Remote", 0  # its StopTransaction may overtake the answer
    accepted = False
    try:
        reply = yield from ask(d, v15.RemoteStopTransactionRequest(transactionId=tid))
        accepted = reply.status == "Accepted"
    finally:
        if not accepted:
            charge.stop_reason, charge.reason_until = before
    return v16.RemoteStopTransactionResponse(status=reply.status)


def send_list(d: Dialogue, request: v16.SendLocalListRequest) -> Rule:
    """The list under its British name, without a hash: its algorithm is nowhere written."""
    entries = request.localAuthorizationList
    command = v15.SendLocalListRequest(
        updateType=request.updateType,
        listVersion=request.listVersion,
        localAuthorisationList=None
        if entries is None
        else [carry(d, each, v15.AuthorisationData, "localAuthorizationList.") for each in entries],
    )
    reply = yield from ask(d, command)
    if reply.hash:
        d.lose("hash")
    if reply.status == "HashError":
        d.lose("status", "folded")
    return v16.SendLocalListResponse(status=UPDATE.up(reply.status))


def unlock(d: Dialogue, request: v16.UnlockConnectorRequest) -> Rule:
    reply = yield from ask(d, v15.UnlockConnectorRequest(connectorId=request.connectorId))
    charge = open_at(facts_of(d), request.connectorId)
    if reply.status == "Accepted" and charge is not None:
        _ends(d, charge, "UnlockCommand")
    return v16.UnlockConnectorResponse(status=UNLOCK.up(reply.status))


def _answer(response: Struct) -> Row:
    def answer(d: Dialogue, request: Any) -> Struct:
        return response

    return Local(answer)


_MISSING: Final = Refuse("NotImplemented", "OCPP 1.5 has no such message")

FROM_CSMS: dict[str, Row] = {
    "CancelReservation": _copied(v15.CancelReservationRequest, v16.CancelReservationResponse, _keep_cancelled),
    "ChangeAvailability": _copied(v15.ChangeAvailabilityRequest, v16.ChangeAvailabilityResponse),
    "ChangeConfiguration": _held(change),
    "ClearCache": _copied(v15.ClearCacheRequest, v16.ClearCacheResponse),
    "DataTransfer": _copied(v15.DataTransferRequest, v16.DataTransferResponse),
    "GetConfiguration": _held(get_configuration),
    "GetDiagnostics": _copied(v15.GetDiagnosticsRequest, v16.GetDiagnosticsResponse),
    "GetLocalListVersion": _copied(v15.GetLocalListVersionRequest, v16.GetLocalListVersionResponse),
    "RemoteStartTransaction": _copied(v15.RemoteStartTransactionRequest, v16.RemoteStartTransactionResponse),
    "RemoteStopTransaction": _held(remote_stop),
    "ReserveNow": _copied(v15.ReserveNowRequest, v16.ReserveNowResponse, _keep_reservation),
    "Reset": _copied(v15.ResetRequest, v16.ResetResponse, _keep_reset),
    "SendLocalList": _held(send_list),
    "TriggerMessage": Talk(trigger),
    "UnlockConnector": _held(unlock),
    "UpdateFirmware": _copied(v15.UpdateFirmwareRequest, v16.UpdateFirmwareResponse),
    # what 1.5 does not have, refused in the message's own words where it has them
    "ClearChargingProfile": _answer(v16.ClearChargingProfileResponse(status="Unknown")),
    "GetCompositeSchedule": _answer(v16.GetCompositeScheduleResponse(status="Rejected")),
    "SetChargingProfile": _answer(v16.SetChargingProfileResponse(status="NotSupported")),
    "CertificateSigned": _MISSING,
    "DeleteCertificate": _MISSING,
    "ExtendedTriggerMessage": _MISSING,
    "GetInstalledCertificateIds": _MISSING,
    "GetLog": _MISSING,
    "InstallCertificate": _MISSING,
    "SignedUpdateFirmware": _MISSING,
}
