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
ACTIONS: Final = frozenset(("ChangeConfiguration", "SetNetworkProfile", "SetVariables"))
_COMPONENTS: Final = ("securityctrlr", "networkconfiguration")
"""Those with a BasicAuthPassword: the one in use, and (2.1) that of a network profile, which may not be in use."""


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
    session.rekeying = call.id, call.action
    session.effects.rekeys.append(Rekey(session, session.edge, item, password))
    return True


def rekeyed(session: Session, frame: Result | Error) -> None:
    """The charger has answered to such a CALL."""
    (_, action), session.rekeying = session.rekeying, ("", "")
    session.effects.rekeys.append(Rekey(session, session.edge, None, accepted=accepted(frame, action)))


def new_password(call: Call) -> bytes | None:
    """The password that the charger shall have: AuthorizationKey of 1.6, BasicAuthPassword of 2.x, also that of a network profile
    of 2.1; None: it is about something else."""
    try:
        payload = read(call.payload)
        if call.action == "ChangeConfiguration":
            return _text(payload.get("value")) if str(payload.get("key")).casefold() == "authorizationkey" else None
        if call.action == "SetNetworkProfile":
            return _text(payload["connectionData"].get("basicAuthPassword"))
        if (item := _item(payload.get("setVariableData"))) is not None:
            return _text(item.get("attributeValue"))
    except _BAD:
        pass
    return None


def accepted(frame: Result | Error, action: str = "") -> bool | None:
    """Whether it has the new password now; None: nobody knows, not before its restart, or with another network profile. `action`:
    what was asked."""
    if isinstance(frame, Error):
        return None
    try:
        payload = read(frame.payload)
        status, later = payload.get("status"), action == "SetNetworkProfile"
        if (item := _item(payload.get("setVariableResult"))) is not None:
            status, later = item.get("attributeStatus"), _of(item) != _COMPONENTS[0]
    except _BAD:
        return None
    if status in (None, "RebootRequired") or (later and status == "Accepted"):
        return None
    return bool(status == "Accepted")


def _item(items: list[dict[str, Any]] | None) -> dict[str, Any] | None:
    """The one about a password: that in use before that of a network profile."""
    found = [
        each
        for each in items or ()
        if each["variable"]["name"].casefold() == "basicauthpassword"
        and each.get("attributeType", "Actual") == "Actual"
        and _of(each) in _COMPONENTS
    ]
    return min(found, key=lambda each: _COMPONENTS.index(_of(each)), default=None)


def _of(item: dict[str, Any]) -> str:
    return str(item["component"]["name"]).casefold()


def _text(value: object) -> bytes | None:
    return value.encode() if isinstance(value, str) and value else None
