"""Authorize, and the gateway's memory of verdicts (spec 2.3, 2.4, 3.5, 6.1)."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final

import msgspec

from ..dialogue import Dialogue, Row, Rule, Talk
from ..facts import Authorization
from ..models import v16, v201
from ..tokens import ID_TAG_LENGTH, id_tag_info, id_tag_of, id_token_info
from ..values import parse_time
from .peers import tell
from .state import facts_of, has, options_of
from .tunnel import ask_tunnelled

VERDICTS_MOST: Final = 256
FRESH_MS: Final = 600_000
"""How long a verdict holds for the token of a transaction that has not started yet."""

_ACCEPTED = v201.IdTokenInfo(status="Accepted")


def authorize(d: Dialogue, request: v201.AuthorizeRequest) -> Rule:
    """A contract certificate is judged by the CSMS's Plug & Charge, or not at all: its token alone proves nothing."""
    if d.early:
        return None  # it was a question; the answer has been used
    if request.certificate is not None or request.iso15118CertificateHashData is not None:
        reply = (yield from ask_tunnelled(d, request)) if has(d, "pnc") else None
        if reply is None:
            for name in ("idToken", "idToken.type", "idToken.additionalInfo"):
                d.lose(name)
            for name in ("certificate", "iso15118CertificateHashData"):
                if getattr(request, name) is not None:
                    d.lose(name)
        elif reply.certificateStatus in (None, "Accepted"):
            learn_verdict(d, request.idToken, reply.idTokenInfo)
        return reply or v201.AuthorizeResponse(
            idTokenInfo=v201.IdTokenInfo(status="Invalid"), certificateStatus="NoCertificateAvailable"
        )
    if is_free(request.idToken):
        d.lose("idToken")
    return v201.AuthorizeResponse(idTokenInfo=(yield from ask_verdict(d, request.idToken)))


def is_free(token: v201.IdToken) -> bool:
    """Whether nobody has to be asked: there is no token, only a button."""
    return token.type == "NoAuthorization" or not token.idToken


def ask_verdict(d: Dialogue, token: v201.IdToken) -> Generator[Any, Any, v201.IdTokenInfo]:
    """What the CSMS says of a token."""
    if is_free(token):
        return _ACCEPTED
    id_tag = tag_of(d, token)
    reply = yield from tell(d, v16.AuthorizeRequest(idTag=id_tag))
    return heed(d, id_tag, reply.idTagInfo)


def tag_of(d: Dialogue, token: v201.IdToken, path: str = "idToken") -> str:
    """The idTag that stands for a token."""
    if len(token.idToken) > ID_TAG_LENGTH:
        d.lose(f"{path}.idToken", "shortened")
    if token.idToken:  # without one it is the button, which 1.6 knows by a tag of its own
        d.lose(f"{path}.type")
    if token.additionalInfo is not None:
        d.lose(f"{path}.additionalInfo")
    return id_tag_of(token, facts_of(d).tokens, no_auth=options_of(d).no_auth_idtag)


def heed(d: Dialogue, id_tag: str, info: v16.IdTagInfo) -> v201.IdTokenInfo:
    """What the CSMS says of a token, for the charger and for the gateway's memory."""
    facts = facts_of(d)
    known = facts.authorizations
    key = id_tag.casefold()
    known.pop(key, None)
    known[key] = Authorization(info=msgspec.to_builtins(info), at=d.clock)
    while len(known) > VERDICTS_MOST:
        del known[next(iter(known))]
    return id_token_info(info, facts.tokens)


def learn_verdict(d: Dialogue, token: v201.IdToken, info: v201.IdTokenInfo) -> None:
    """Remember what the CSMS said of a token in 2.0.1 words. They have told the charger everything: nothing is lost."""
    if is_free(token):
        return
    before, facts = d.losses(), facts_of(d)
    heed(d, tag_of(d, token), id_tag_info(info, facts.tokens, no_auth=options_of(d).no_auth_idtag))
    d.spare(before)


def recent_verdict(d: Dialogue, id_tag: str) -> v201.IdTokenInfo | None:
    """The verdict of at most ten minutes ago."""
    facts = facts_of(d)
    known = facts.authorizations.get(id_tag.casefold())
    if known is None or known.at < d.clock - FRESH_MS:
        return None
    return id_token_info(msgspec.convert(known.info, v16.IdTagInfo), facts.tokens)


def verdict_while_away(d: Dialogue, token: v201.IdToken) -> v201.IdTokenInfo:
    """What a token is worth without the CSMS: its last verdict if it is not too old, its local list entry, else the option."""
    if is_free(token):
        return _ACCEPTED
    facts, options = facts_of(d), options_of(d)
    key = id_tag_of(token, facts.tokens, no_auth=options.no_auth_idtag).casefold()
    known = facts.authorizations.get(key)
    info = None
    if known is not None and known.at + options.offline_cache_ttl * 1000 > d.clock:
        info = msgspec.convert(known.info, v16.IdTagInfo)
    elif options.offline_cache_ttl and key in facts.local_list:
        info = msgspec.convert(facts.local_list[key], v16.IdTagInfo)
    if info is None:
        return v201.IdTokenInfo(status=options.offline_unknown_id)
    expires = parse_time(info.expiryDate)
    if expires is not None and expires <= d.clock:
        info.status = "Expired"
    return id_token_info(info, facts.tokens)


FROM_CHARGER: dict[str, Row] = {"Authorize": Talk(authorize)}
