"""Takes secrets and personal tokens out of what is logged or shown (reliability 2.9). Pure but for the process's key.

By key name at any depth, and by message where a name says nothing (`redact(payload, action)`): secrets become `***` with a
length class, tokens `tok:` and 12 hex digits of a keyed hash, so that two lines about one token can still be matched. The
name may stand in a sibling, as in
`{"key": "AuthorizationKey", "value": "..."}` or `{"variable": {"name": "BasicAuthPassword"}, "attributeValue": "..."}`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

_KEY = secrets.token_bytes(32)
"""Fresh for every process: hashes of different runs cannot be matched."""

_SECRET = re.compile(
    r"password|passwd|secret|authorizationkey|privatekey|apikey|bearer|wpa|psk$|vpnkey|wifikey|cookie"
    r"|^authorization$|^(csr|certificate|certificatechain|exirequest|exiresponse|signature|signeddata)$"
    r"|vpn.*key|wifi.*key|wlan.*key|passphrase|pwd$|(sim|apn)pin$"
    # Not secret but about a person: who is told what, who pays, whose contract.
    r"|^(personalmessage|vatnumber|vatcompany|company|pspref|receipturl|receiptid|maskedpan)$"
    r"|^(iso15118certificatehashdata|customercertificate)$"
)
_TOKEN = re.compile(
    r"^(id_?tag|idtoken|parentidtag|groupidtoken|additionalidtoken|emaid|evccid|vin|customeridentifier)$"
)
_WITHIN = {"datatransfer": "data", "notifycustomerinformation": "data", "vpn": "key"}
"""Message or object -> its member that is hidden. `data` may be anything about anybody."""
_NAMED_BY = ("key", "name", "variable", "component")
_HOLDS = ("value", "attributevalue", "actualvalue", "variableattribute", "data")
_LOCATIONS = frozenset(("location", "remotelocation", "requesturi", "url", "ocppcsmsurl", "csmsurl"))
_USERINFO = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)[^/?#\s@]*(?:@[^/?#\s@]*)*@")
_PLAIN = re.compile(r"[^a-z0-9]")
_PLAIN_TYPES = (str, int, float, list, type(None), bytes)
_REMEMBERED = 64
"""Characters of the longest key that is remembered."""


class _Key(NamedTuple):
    """What a key says about its value."""

    folded: str
    """Its letters and digits alone."""
    secret: bool
    token: bool
    plain: bool
    """Neither, nor a location, nor does it say anything about what is beside it or within: a text under it only loses
    credentials in URLs."""
    within: str | None
    """The member of its value that is hidden."""
    names: bool
    """Its value may name a secret that a sibling holds."""
    holds: bool
    """It may be that sibling."""


@lru_cache(4096)
def _known(key: str) -> _Key:
    folded = _PLAIN.sub("", key.casefold())
    secret, token = _SECRET.search(folded) is not None, _TOKEN.search(folded) is not None
    return _Key(
        folded, secret, token, not (secret or token or folded in _LOCATIONS), _WITHIN.get(folded), folded in _NAMED_BY,
        folded in _HOLDS,
    )  # fmt: skip


def _look(key: str) -> _Key:
    """The same few keys come again and again; strangers' long ones are not remembered."""
    return _known(key) if len(key) <= _REMEMBERED else _known.__wrapped__(key)


def is_secret(key: str) -> bool:
    """Whether a value under this key is a secret."""
    return _look(key).secret


def is_token(key: str) -> bool:
    """Whether a value under this key identifies a person's token."""
    return _look(key).token


def hide(value: object) -> str:
    """A secret as `***` and its length class."""
    length = len(str(value))
    if not length:
        return ""
    for bound in (8, 16, 64):
        if length <= bound:
            return f"***(<={bound})"
    return "***(>64)"


def token(value: object) -> str:
    """A token as a keyed hash."""
    return "tok:" + hmac.new(_KEY, str(value).casefold().encode(), hashlib.sha256).hexdigest()[:12]


def url(text: str) -> str:
    """`text` with the credentials taken out of every URL in it."""
    return _USERINFO.sub(r"\1***@", text) if "@" in text else text


def _location(text: str) -> str:
    """A URL without credentials; its query may hold more of them."""
    path, asked, _ = url(text).partition("?")
    return f"{path}?***" if asked else path


def redact(value: Any, key: str = "") -> Any:
    """A copy of `value`, which stands under `key`, without secrets."""
    return _redacted(value, _look(key))


def _redacted(value: Any, key: _Key) -> Any:
    if isinstance(value, dict) or (not isinstance(value, _PLAIN_TYPES) and isinstance(value, Mapping)):
        return hide(value) if key.secret else _members(value, key.within)
    if isinstance(value, list | tuple):
        return [_redacted(item, key) for item in value]
    if value is None or isinstance(value, bool):
        return value
    if key.secret:
        return hide(value)
    if key.token:
        return token(value)
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, str):
        return url(value) if key.plain else _location(value)
    return value


def _members(value: Mapping[Any, Any], within: str | None) -> dict[Any, Any]:
    keys = [_look(name if isinstance(name, str) else str(name)) for name in value]
    sibling = any(key.names and _names_secret(item) for key, item in zip(keys, value.values(), strict=True))
    found: dict[Any, Any] = {}
    for key, (name, item) in zip(keys, value.items(), strict=True):
        if key.plain and not sibling and name != within:
            kind = type(item)
            if (kind is str and "@" not in item) or kind is int or kind is float:
                found[name] = item
                continue
        hides = (sibling and key.holds) or (name == within and item is not None)
        found[name] = hide(item) if hides else _redacted(item, key)
    return found


def hidden(frame: Any, action: str = "") -> Any:
    """A decoded OCPP-J frame without secrets and tokens."""
    if not isinstance(frame, list):
        return redact(frame)
    return [*frame[:2], *(redact(each, action if isinstance(each, dict) else "") for each in frame[2:])]


def _names_secret(value: object) -> bool:
    if isinstance(value, str):
        return is_secret(value)
    if isinstance(value, Mapping):
        return any(_names_secret(item) for item in value.values())
    return False
