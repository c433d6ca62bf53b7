"""How translations and commands ended, as label values of the metrics. Pure."""

from __future__ import annotations

from typing import Final

import msgspec

from translators.dialogue import Out
from translators.frames import Error, Result

from .answering import RELAYED
from .session import OFFLINE

UNKNOWN: Final = "outcome unknown"
"""Begins that of a CALL which the charger did not answer."""
VIOLATIONS: Final = frozenset(
    (
        "FormationViolation",
        "FormatViolation",
        "PropertyConstraintViolation",
        "OccurenceConstraintViolation",
        "OccurrenceConstraintViolation",
        "TypeConstraintViolation",
    )
)
_REFUSALS: Final = frozenset(
    ("Rejected", "NotSupported", "Failed", "NotFound", "Unknown", "UnlockFailed", "VersionMismatch", "UnknownMessageId",
     "UnknownVendorId", "NoProfiles", "NoFirmware", "NotImplemented", "UnknownComponent", "UnknownVariable",
     "UnknownConnector", "OngoingAuthorizedTransaction", "NoTransaction", "Faulted", "Occupied", "Unavailable",
     "InvalidProfile", "InvalidSchedule", "CertChainError", "EmptyResultSet", "DuplicateProfile")
)  # fmt: skip


class _Status(msgspec.Struct):
    status: str = "Accepted"


_status = msgspec.json.Decoder(_Status)


def translation(step: Out) -> str:
    """The outcome of the message that this frame is, for `translations_total`."""
    if step.losses:
        made = any(loss.kind == "synthesised" for loss in step.losses)
        return "synthesized" if made else "lossy"
    frame = step.frame
    if type(frame) is not Error or frame.description.startswith(RELAYED):
        return "exact"
    if frame.code in ("NotSupported", "NotImplemented"):
        return "unsupported"
    return "error" if frame.code == "InternalError" or frame.code in VIOLATIONS else "synthesized"


def violation(step: Out) -> bool:
    """Whether the frame refuses a CALL because of the form of its payload, by the gateway's own judgement."""
    frame = step.frame
    return type(frame) is Error and frame.code in VIOLATIONS and not frame.description.startswith(RELAYED)


def command(frame: Result | Error) -> str:
    """The outcome of a CALL of a CSMS, for `commands_total`."""
    if isinstance(frame, Error):
        if OFFLINE in frame.description:
            return "charger_offline"
        return "timeout" if UNKNOWN in frame.description else "call_error"
    try:
        status = _status.decode(frame.payload).status
    except msgspec.MsgspecError:  # no object, or a status that is none
        return "accepted"
    return "rejected" if status in _REFUSALS else "accepted"
