"""2.0.1 messages inside a 1.6 DataTransfer: Plug & Charge, and the gateway's own (spec 2.11, 10)."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

import msgspec

from .. import frames
from ..dialogue import Ask, Dialogue, Refusal, Rule, Silence
from ..enums import PNC_VENDOR
from ..models import lenient, v16, v201
from ..models.base import Request, Struct
from .peers import UNSUPPORTED, command, expect, tell
from .state import facts_of, options_of

R = TypeVar("R", bound=Struct)

PNC_COMMANDS = frozenset(
    ("CertificateSigned", "InstallCertificate", "DeleteCertificate", "GetInstalledCertificateIds", "TriggerMessage")
)
"""What a CSMS sends over the PnC DataTransfer."""
_QUESTIONS = ("NotifyEVChargingNeeds", "NotifyEVChargingSchedule")


def ask_tunnelled(d: Dialogue, request: Request[R], vendor: str = PNC_VENDOR) -> Generator[Ask, Any, R | None]:
    """Send a 2.0.1 request, whole, to the 1.6 CSMS through a DataTransfer; None if it does not take it."""
    lost = d.spare()
    try:
        response, _ = yield from _ask_tunnelled(d, request, vendor)
    except Refusal as refusal:
        if refusal.code == "SecurityError":
            raise
        response = None
    if response is None:
        for each in lost:
            d.lose(each.field, each.kind)
    return response


def _ask_tunnelled(
    d: Dialogue, request: Request[R], vendor: str
) -> Generator[Ask, Any, tuple[R | None, v16.DataTransferStatus]]:
    """The answer that came through the tunnel, None for none, and the status of the DataTransfer. Raises Refusal."""
    message = v16.DataTransferRequest(
        vendorId=vendor, messageId=type(request).action, data=lenient.check(request).decode()
    )
    answer = yield from tell(d, message)
    if answer.status != "Accepted" or not answer.data:
        return None, answer.status
    try:
        response: R = lenient.decode(type(request).response, answer.data.encode())[0]  # type: ignore[assignment]
        lenient.check(response)
    except (lenient.Invalid, msgspec.MsgspecError, ValueError):
        return None, answer.status
    return response, answer.status


def tunnelled_actions(d: Dialogue, vendor: str) -> frozenset[str]:
    """The 2.0.1 commands that a DataTransfer of this vendor may carry."""
    if vendor.casefold() == PNC_VENDOR:
        return PNC_COMMANDS
    own = options_of(d).vendor_id
    return v201.FROM_CSMS if own and vendor.casefold() == own.casefold() else frozenset()


def _is_ours(request: Any) -> bool:
    """Whether a command is about the link between the charger and this gateway: no CSMS may change that."""
    match request:
        case v201.SetNetworkProfileRequest():
            return True
        case v201.SetVariablesRequest():
            return any(
                each.component.name.casefold() in ("ocppcommctrlr", "securityctrlr") for each in request.setVariableData
            )
    return False


def untunnel(d: Dialogue, vendor: str, action: str, text: str) -> Rule:
    """The command inside a DataTransfer of the CSMS; its answer goes back the same way."""
    type_ = v201.ACTIONS[action]
    try:
        request, _ = lenient.decode(type_, text.encode())
        lenient.check(request)
    except (lenient.Invalid, msgspec.MsgspecError, ValueError):
        return v16.DataTransferResponse(status="Rejected")
    if vendor != PNC_VENDOR and _is_ours(request):
        return v16.DataTransferResponse(status="UnknownMessageId")
    try:
        response = yield from command(d, request)
    except Refusal as refusal:
        if vendor == PNC_VENDOR:
            return v16.DataTransferResponse(status="Rejected")
        if refusal.code in UNSUPPORTED:
            return v16.DataTransferResponse(status="UnknownMessageId")
        raise  # between two gateways a CALLERROR stays one
    if isinstance(request, v201.TriggerMessageRequest) and response.status == "Accepted":
        expect(d, request.requestedMessage, 0)
    d.spare()
    return v16.DataTransferResponse(status="Accepted", data=frames.encode(response).decode())


def offer(d: Dialogue, request: Request[R]) -> Generator[Ask, Any, R | None]:
    """A message that 1.6 has no words for, through the gateway's own DataTransfer (option `carry_lossy`): the CSMS's
    answer, None if it has none. A CSMS that does not know the vendor is not asked again on this connection."""
    facts, options = facts_of(d), options_of(d)
    if options.carry_lossy != "datatransfer" or (facts.tunnel is False and not facts.copies):
        return None
    if d.early and type(request).action in _QUESTIONS:
        return None  # it was answered while the CSMS was away
    proven = facts.tunnel is True
    try:
        return (yield from pass_whole(d, request))
    except Refusal as refusal:
        if refusal.code == "SecurityError" or (proven and refusal.code not in UNSUPPORTED):
            raise
        facts.tunnel = facts.copies = False
        return None


def pass_whole(d: Dialogue, request: Request[R]) -> Generator[Ask, Any, R | None]:
    """A message through the gateway's own DataTransfer: the CSMS's answer, None if it gave none. An answer proves that the
    CSMS is behind a gateway like this one; an Accepted without one, that it keeps copies. Raises Refusal, which is the
    answer to the message itself if the tunnel is proven."""
    facts, action = facts_of(d), type(request).action
    if f"tunnel {action}" in facts.unsupported:
        return None
    lost = d.spare()
    response, status = yield from _ask_tunnelled(d, request, options_of(d).vendor_id)
    if response is not None:
        facts.tunnel, facts.copies = True, False
        return response
    for each in lost:
        d.lose(each.field, each.kind)
    if status == "Accepted":
        facts.tunnel, facts.copies = False, True
    elif status == "UnknownMessageId":
        facts.unsupported.append(f"tunnel {action}")
    elif status == "UnknownVendorId" or not facts.tunnel:
        facts.tunnel = facts.copies = False
    return None


def copy(d: Dialogue, action: str, message: Struct) -> Generator[Ask, Any, None]:
    """What was told in 1.6 words once more and whole, to a CSMS that keeps such copies: nothing depends on its answer."""
    request = v16.DataTransferRequest(
        vendorId=options_of(d).vendor_id, messageId=action, data=frames.encode(message).decode()
    )
    try:
        yield from tell(d, request)
    except (Refusal, Silence):
        pass
