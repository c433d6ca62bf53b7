"""An idTag of 1.6 and the IdToken of 2.0.1 that it stands for (spec/translation-16-201 section 2.3), and what is said of them (2.4).

A token that is too long for an idTag has an alias; the register keeps the originals, so that an idTag maps back to them.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Final, cast

from .facts import Token
from .models import v16, v201
from .values import AUTHORIZATION, cut, tidy_time

REGISTRY_LIMIT: Final = 512
ID_TAG_LENGTH: Final = 20
_HEX_TYPES: dict[int, v201.IdTokenKind] = {8: "ISO14443", 14: "ISO14443", 16: "ISO15693"}
_HEX = re.compile(r"[0-9A-Fa-f]+", re.ASCII)
_TRAILING_CONTROLS = "".join(map(chr, [*range(0x20), 0x7F]))


def guess_type(id_tag: str) -> v201.IdTokenKind:
    """ISO14443 for the 4 and 7 byte UIDs, ISO15693 for 8 bytes, as hex text; anything else is Central."""
    kind = _HEX_TYPES.get(len(id_tag))
    return kind if kind is not None and _HEX.fullmatch(id_tag) else "Central"


def clean_id_tag(id_tag: str) -> str:
    """Without the control characters some chargers append when they echo a tag."""
    return id_tag if id_tag[-1:].isalnum() else id_tag.rstrip(_TRAILING_CONTROLS)


def kept_token(token: v201.IdToken) -> Token:
    """The record of an IdToken."""
    if not token.additionalInfo:
        return Token(idToken=token.idToken, type=token.type)
    extra = [{"additionalIdToken": info.additionalIdToken, "type": info.type} for info in token.additionalInfo]
    return Token(idToken=token.idToken, type=token.type, additionalInfo=extra)


def remember_token(tokens: dict[str, Token], id_tag: str, token: v201.IdToken) -> None:
    """Keep the original of `id_tag`. The registry forgets the oldest entries beyond its limit."""
    key = id_tag.casefold()
    tokens.pop(key, None)
    tokens[key] = kept_token(token)
    while len(tokens) > REGISTRY_LIMIT:
        del tokens[next(iter(tokens))]


def restore_token(token: Token) -> v201.IdToken:
    """The IdToken exactly as the newer side once sent it."""
    kind: v201.IdTokenKind = token.type  # type: ignore[assignment]  # as it came; a `cast` costs a call
    if not token.additionalInfo:
        return v201.IdToken(idToken=token.idToken, type=kind)
    extra = [
        v201.AdditionalInfo(additionalIdToken=i["additionalIdToken"], type=i["type"]) for i in token.additionalInfo
    ]
    return v201.IdToken(idToken=token.idToken, type=kind, additionalInfo=extra)


def id_token_of(id_tag: str, tokens: Mapping[str, Token], *, no_auth: str, default_type: str = "auto") -> v201.IdToken:
    """What an idTag stands for: the registered original, else a token of `default_type` (`auto`: by its form)."""
    id_tag = clean_id_tag(id_tag)
    folded = id_tag.casefold()
    known = tokens.get(folded)
    if known is not None:
        return restore_token(known)
    if not id_tag or folded == no_auth.casefold():
        return v201.IdToken(idToken="", type="NoAuthorization")
    kind = guess_type(id_tag) if default_type == "auto" else cast(v201.IdTokenKind, default_type)
    return v201.IdToken(idToken=id_tag[:36], type=kind)


def group_token_of(id_tag: str, tokens: Mapping[str, Token]) -> v201.IdToken:
    """A parentIdTag as groupIdToken: the registered original, else Central."""
    known = tokens.get(id_tag.casefold())
    return restore_token(known) if known is not None else v201.IdToken(idToken=cut(id_tag, 36), type="Central")


def alias(token: v201.IdToken) -> str:
    """The stable 20 character idTag of a token that is too long for one."""
    digest = hashlib.sha256(f"{token.type.lower()}:{token.idToken.lower()}".encode()).digest()
    return "X" + base64.b32encode(digest).decode()[:19]


def id_tag_of(token: v201.IdToken, tokens: dict[str, Token], *, no_auth: str) -> str:
    """The idTag that stands for a token; the registry learns the original, so that the idTag maps back to it."""
    if not token.idToken:
        return no_auth
    id_tag = token.idToken if len(token.idToken) <= ID_TAG_LENGTH else alias(token)
    remember_token(tokens, id_tag, token)
    return id_tag


def id_tag_info(info: v201.IdTokenInfo, tokens: dict[str, Token], *, no_auth: str) -> v16.IdTagInfo:
    """IdTokenInfo as IdTagInfo; `evseId`, messages, languages and priority have no counterpart."""
    group = info.groupIdToken
    return v16.IdTagInfo(
        status=AUTHORIZATION.down_or(info.status, "Invalid"),
        expiryDate=tidy_time(info.cacheExpiryDateTime),
        parentIdTag=id_tag_of(group, tokens, no_auth=no_auth) if group is not None and group.idToken else None,
    )


def id_token_info(info: v16.IdTagInfo, tokens: Mapping[str, Token]) -> v201.IdTokenInfo:
    """IdTagInfo as IdTokenInfo."""
    return v201.IdTokenInfo(
        status=AUTHORIZATION.up_or(info.status, "Invalid"),
        cacheExpiryDateTime=tidy_time(info.expiryDate),
        groupIdToken=group_token_of(info.parentIdTag, tokens) if info.parentIdTag else None,
    )
