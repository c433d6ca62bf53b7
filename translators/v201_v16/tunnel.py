"""2.0.1 messages inside a 1.6 DataTransfer: Plug & Charge, and the gateway's own (spec 2.11, 10)."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

import msgspec

from .. import frames
from ..dialogue import Ask, Dialogue, Refusal, Rule
from ..enums import PNC_VENDOR
from ..models import lenient, v16, v201
from ..models.base import Request, Struct
from .peers import command, tell
from .state import facts_of, options_of

R = TypeVar("R", bound=Struct)

PNC_COMMANDS = frozenset(
    ("CertificateSigned", "InstallCertificate", "DeleteCertificate", "GetInstalledCertificateIds", "TriggerMessage")
)
"""What a CSMS sends over the PnC DataTransfer."""


def ask_tunnelled(d: Dialogue, request: Request[R], vendor: str = PNC_VENDOR) -> Generator[Ask, Any, R | None]:
    """Send a 2.0.1 request, whole, to the 1.6 CSMS through a DataTransfer; None if it does not take it."""
    lost = d.spare()
    response = yield from _ask_tunnelled(d, request, vendor)
    if response is None:
        for each in lost:
            d.lose(each.field, each.kind)
    return response


def _ask_tunnelled(d: Dialogue, request: Request[R], vendor: str) -> Generator[Ask, Any, R | None]:
    message = v16.DataTransferRequest(
        vendorId=vendor, messageId=type(request).action, data=lenient.check(request).decode()
    )
    try:
        answer = yield from tell(d, message)
    except Refusal as refusal:
        if refusal.code == "SecurityError":
            raise
        return None
    if answer.status != "Accepted" or not answer.data:
        return None
    try:
        response: R = lenient.decode(type(request).response, answer.data.encode())[0]  # type: ignore[assignment]
        lenient.check(response)
    except (lenient.Invalid, msgspec.MsgspecError, ValueError):
        return None
    return response


def tunnelled_actions(d: Dialogue, vendor: str) -> frozenset[str]:
    """The 2.0.1 commands that a DataTransfer of this vendor may carry."""
    if vendor.casefold() == PNC_VENDOR:
        return PNC_COMMANDS
    own = options_of(d).vendor_id
    return v201.FROM_CSMS if own and vendor.casefold() == own.casefold() else frozenset()


def untunnel(d: Dialogue, action: str, text: str) -> Rule:
    """The command inside a DataTransfer of the CSMS; its answer goes back the same way."""
    type_ = v201.ACTIONS[action]
    try:
        request, _ = lenient.decode(type_, text.encode())
        lenient.check(request)
    except (lenient.Invalid, msgspec.MsgspecError, ValueError):
        return v16.DataTransferResponse(status="Rejected")
    try:
        response = yield from command(d, request)
    except Refusal:
        return v16.DataTransferResponse(status="Rejected")
    d.spare()
    return v16.DataTransferResponse(status="Accepted", data=frames.encode(response).decode())


def offer(d: Dialogue, request: Request[R]) -> Generator[Ask, Any, R | None]:
    """A message that 1.6 has no words for, through the gateway's own DataTransfer (option `carry_lossy`): the CSMS's
    answer, None if it has none. A CSMS that does not know the vendor is not asked again on this connection."""
    facts, options = facts_of(d), options_of(d)
    if options.carry_lossy != "datatransfer" or facts.tunnel is False or d.early:
        return None
    response = yield from ask_tunnelled(d, request, options.vendor_id)
    facts.tunnel = response is not None
    return response
