"""A command that gives a charger another password, and what the charger says to it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from gateway.journal.entry import ToCharger
from translators.frames import Call, Error, Result

from .arbiter import read

if TYPE_CHECKING:
    from .session import Session

_BAD: Final = (msgspec.MsgspecError, AttributeError, KeyError, TypeError)
ACTIONS: Final = frozenset(("ChangeConfiguration", "SetVariables"))


class Rekey(NamedTuple):
    """A charger is to be told another password, or has answered to one."""

    session: Session
    edge: str
    item: ToCharger | None
    """The CALL, to be sent once the password is known here; None: it was answered."""
    password: bytes = b""
    accepted: bool | None = None


def rekeys(session: Session, call: Call, item: ToCharger) -> bool:
    """Whether a CALL gives the charger another password; it is then sent by whoever has remembered that."""
    password = new_password(call) if call.action in ACTIONS else None
    if password is None:
        return False
    session.rekeying = call.id
    session.effects.rekeys.append(Rekey(session, session.edge, item, password))
    return True


def rekeyed(session: Session, frame: Result | Error) -> None:
    """The charger has answered to such a CALL."""
    session.rekeying = ""
    session.effects.rekeys.append(Rekey(session, session.edge, None, accepted=accepted(frame)))


def new_password(call: Call) -> bytes | None:
    """The password that the charger shall have: AuthorizationKey of 1.6, SecurityCtrlr.BasicAuthPassword of 2.x; None: it is
    about something else."""
    try:
        payload = read(call.payload)
        if call.action == "ChangeConfiguration":
            return _text(payload.get("value")) if str(payload.get("key")).casefold() == "authorizationkey" else None
        for item in payload.get("setVariableData") or ():
            if _is_password(item) and item.get("attributeType", "Actual") == "Actual":
                return _text(item.get("attributeValue"))
    except _BAD:
        pass
    return None


def accepted(frame: Result | Error) -> bool | None:
    """Whether it has the new password now; None: nobody knows, or not before its restart."""
    if isinstance(frame, Error):
        return None
    try:
        payload = read(frame.payload)
        status = payload.get("status")
        for item in payload.get("setVariableResult") or ():
            if _is_password(item) and item.get("attributeType", "Actual") == "Actual":
                status = item.get("attributeStatus")
    except _BAD:
        return None
    if status in (None, "RebootRequired"):
        return None
    return bool(status == "Accepted")


def _is_password(item: dict[str, Any]) -> bool:
    component, variable = item["component"]["name"], item["variable"]["name"]
    return bool(component.casefold() == "securityctrlr" and variable.casefold() == "basicauthpassword")


def _text(value: object) -> bytes | None:
    return value.encode() if isinstance(value, str) and value else None
