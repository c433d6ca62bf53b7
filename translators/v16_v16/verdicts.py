"""What 1.x messages say of a transaction that the CSMS does not accept (spec 8.3)."""

from __future__ import annotations

import msgspec
from msgspec import Raw


class _Info(msgspec.Struct, frozen=True):
    status: str = ""


class _Answer(msgspec.Struct):
    idTagInfo: _Info = _Info()


_answer = msgspec.json.Decoder(_Answer)
_members = msgspec.json.Decoder(dict[str, Raw])


def refused_in(payload: bytes) -> bool:
    """Whether the answer to a StartTransaction does not let it go on. One that cannot be read does."""
    try:
        return _answer.decode(payload).idTagInfo.status not in ("Accepted", "")
    except msgspec.MsgspecError:
        return False


def deauthorised(payload: bytes) -> bytes:
    """A StopTransaction whose reason, if the charger says that it was stopped remotely, is what it was stopped for."""
    try:
        said = _members.decode(payload)
    except msgspec.MsgspecError:
        return payload
    if bytes(said.get("reason", b"")) != b'"Remote"':
        return payload
    return msgspec.json.encode({**said, "reason": "DeAuthorized"})
