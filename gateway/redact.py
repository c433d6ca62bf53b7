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
from typing import Any

_KEY = secrets.token_bytes(32)
"""Fresh for every process: hashes of different runs cannot be matched."""

_SECRET = re.compile(
    r"password|passwd|secret|authorizationkey|privatekey|apikey|bearer|wpa|psk$|vpnkey|wifikey|cookie"
    r"|^authorization$|^(csr|certificate|certificatechain|exirequest|exiresponse|signature|signeddata)$"
    r"|vpn.*key|wifi.*key"
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


@lru_cache(4096)
def _known(key: str) -> tuple[str, bool, bool]:
    """Of a key: its letters and digits alone, whether it names a secret, whether a token."""
    folded = _PLAIN.sub("", key.casefold())
    return folded, _SECRET.search(folded) is not None, _TOKEN.search(folded) is not None


def _look(key: str) -> tuple[str, bool, bool]:
    """The same few keys come again and again; strangers' long ones are not remembered."""
    return _known(key) if len(key) <= _REMEMBERED else _known.__wrapped__(key)


def _folded(key: str) -> str:
    return _look(key)[0]


def is_secret(key: str) -> bool:
    """Whether a value under this key is a secret."""
    return _look(key)[1]


def is_token(key: str) -> bool:
    """Whether a value under this key identifies a person's token."""
    return _look(key)[2]


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
    if isinstance(value, dict) or (not isinstance(value, _PLAIN_TYPES) and isinstance(value, Mapping)):
        if key and is_secret(key):
            return hide(value)
        within = _WITHIN.get(_folded(key))
        sibling = any(_names_secret(value.get(name)) for name in value if _folded(str(name)) in _NAMED_BY)
        return {
            name: hide(item)
            if (sibling and _folded(str(name)) in _HOLDS) or (name == within and item is not None)
            else redact(item, str(name))
            for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [redact(item, key) for item in value]
    if value is None or isinstance(value, bool):
        return value
    if key and is_secret(key):
        return hide(value)
    if key and is_token(key):
        return token(value)
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, str):
        return _location(value) if _folded(key) in _LOCATIONS else url(value)
    return value


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
