"""Authorize, and the gateway's memory of verdicts (spec 2.3, 2.4, 3.5, 4.2)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import msgspec

from ..dialogue import Dialogue, Refusal, Row, Rule, Silence, Talk
from ..enums import COST_VENDOR
from ..facts import Authorization, RemoteStart
from ..kept import holds
from ..models import v16, v201
from ..tokens import ID_TAG_LENGTH, clean_id_tag, id_tag_info, id_token_of
from ..topology import evses
from ..values import AUTHORIZATION, parse_time
from .charger import facts_of, has, options_of, told_time
from .upstream import ask

VERDICTS_MOST: Final = 256
FRESH_MS: Final = 600_000
"""How long a verdict stands in for one the CSMS forgot to give."""


def authorize(d: Dialogue, request: v16.AuthorizeRequest) -> Rule:
    """A tag the CSMS itself started with is not asked about again if it is a Central one (C05.FR.01)."""
    if d.early:
        return None  # it was a question; the answer has been used
    id_tag = meant(d, request.idTag)
    pending = remote_start_of(d, id_tag, None)
    if pending is not None and pending.token.type == "Central":
        return v16.AuthorizeResponse(idTagInfo=v16.IdTagInfo(status="Accepted"))
    reply = yield from ask(d, v201.AuthorizeRequest(idToken=token_of(d, id_tag)))
    if reply.certificateStatus is not None:
        d.lose("certificateStatus")
    return v16.AuthorizeResponse(idTagInfo=verdict(d, id_tag, reply.idTokenInfo))


def meant(d: Dialogue, text: str) -> str:
    """The idTag that a charger echoes. Some append control characters, or what else was in their memory: one that is too long
    to be an idTag, and begins with a token that the charger was given, is that token."""
    id_tag = clean_id_tag(text)
    if len(id_tag) <= ID_TAG_LENGTH:
        return id_tag
    facts, folded = facts_of(d), id_tag.casefold()
    given = [*facts.tokens, *(pending.id_tag for pending in facts.remote_starts)]
    length = max((len(each) for each in given if folded.startswith(each.casefold())), default=0)
    if not length:
        return id_tag
    d.quirk("idtag_repair")
    return id_tag[:length]


def remote_start_of(d: Dialogue, id_tag: str, connector: int | None) -> RemoteStart | None:
    """The oldest accepted remote start that this tag answers, on this connector (None: on any)."""
    for pending in facts_of(d).remote_starts:
        fits = connector is None or pending.connector in (0, connector)
        if fits and pending.id_tag.casefold() == id_tag.casefold() and pending.expires > d.now:
            return pending
    return None


def token_of(d: Dialogue, id_tag: str) -> v201.IdToken:
    """The token an idTag stands for on this upstream."""
    facts, options = facts_of(d), options_of(d)
    if len(id_tag) > 36:
        d.lose("idTag", "shortened")
    # Most tags stand for themselves: the register of the others need not be unpacked for them.
    tokens = facts.tokens if holds(facts, "tokens", clean_id_tag(id_tag).casefold()) else {}
    return id_token_of(id_tag, tokens, no_auth=options.no_auth_idtag, default_type=options.idtoken_default_type)


def verdict(d: Dialogue, id_tag: str, info: v201.IdTokenInfo) -> v16.IdTagInfo:
    """What the CSMS says of a token, for the charger and for the gateway's memory."""
    facts, options = facts_of(d), options_of(d)
    if info.status != AUTHORIZATION.down_or(info.status, "Invalid"):
        d.lose("idTokenInfo.status", "folded")
    for name in ("chargingPriority", "language1", "language2", "personalMessage", "evseId"):
        if getattr(info, name) is not None and not (name == "personalMessage" and has(d, "costmsg")):
            d.lose(f"idTokenInfo.{name}")
    group = info.groupIdToken
    if group is not None:
        lose_group(d, group, "idTokenInfo.groupIdToken")
    if info.cacheExpiryDateTime:
        told_time(d, info.cacheExpiryDateTime, "idTokenInfo.cacheExpiryDateTime")
    found = id_tag_info(info, facts.tokens if group is not None else {}, no_auth=options.no_auth_idtag)
    if found.status == "Accepted" and info.evseId:
        station = set(evses(d))
        if station and not station.intersection(info.evseId):
            found.status = "Blocked"
    remember(d, id_tag, found, info.evseId or [])
    if info.personalMessage is not None and has(d, "costmsg"):
        show_price(d, id_tag, info.personalMessage)
    return found


def lose_group(d: Dialogue, group: v201.IdToken, path: str) -> None:
    """What a parentIdTag does not say of a groupIdToken."""
    d.lose(f"{path}.type")
    if group.additionalInfo is not None:
        d.lose(f"{path}.additionalInfo")
    if not group.idToken:
        d.lose(f"{path}.idToken")
    elif len(group.idToken) > ID_TAG_LENGTH:
        d.lose(f"{path}.idToken", "folded")


def remember(d: Dialogue, id_tag: str, info: v16.IdTagInfo, allowed: list[int]) -> None:
    """Keep a verdict for the time the CSMS is away."""
    known = facts_of(d).authorizations
    key = id_tag.casefold()
    known.pop(key, None)
    known[key] = Authorization(info=msgspec.to_builtins(info), at=d.clock, evses=allowed[:64])
    while len(known) > VERDICTS_MOST:
        del known[next(iter(known))]


def recent_verdict(d: Dialogue, id_tag: str) -> v16.IdTagInfo | None:
    """The verdict of an Authorize at most ten minutes ago."""
    known = facts_of(d).authorizations.get(id_tag.casefold())
    if known is None or known.at < d.clock - FRESH_MS:
        return None
    return msgspec.convert(known.info, v16.IdTagInfo)


def verdict_while_away(d: Dialogue, id_tag: str, evse: int | None = None) -> v16.IdTagInfo:
    """What a tag is worth without the CSMS: its last verdict if it is not too old, its local list entry, else the option."""
    id_tag, options = clean_id_tag(id_tag), options_of(d)
    known = facts_of(d).authorizations.get(id_tag.casefold())
    if known is not None and known.at + options.offline_cache_ttl * 1000 > d.clock:
        info = msgspec.convert(known.info, v16.IdTagInfo)
        expires = parse_time(info.expiryDate)
        if expires is not None and expires <= d.clock:
            info.status = "Expired"
        elif info.status == "Accepted" and known.evses and evse is not None and evse not in known.evses:
            info.status = "Blocked"
        return info
    listed = _listed(d, id_tag) if options.offline_cache_ttl else None
    return listed or v16.IdTagInfo(status=options.offline_unknown_id)


def _listed(d: Dialogue, id_tag: str) -> v16.IdTagInfo | None:
    """The entry of the last accepted local list."""
    entry = facts_of(d).local_list.entries.get(id_tag.casefold())
    if entry is None:
        return None
    try:
        info = msgspec.convert(entry, v16.IdTagInfo)
    except msgspec.ValidationError:
        return None
    expires = parse_time(info.expiryDate)
    if expires is not None and expires <= d.clock:
        info.status = "Expired"
    return info


def show_price(d: Dialogue, id_tag: str, message: v201.MessageContent) -> None:
    """Tell a charger that shows prices what the CSMS wants the driver to read."""
    data: dict[str, Any] = {"idToken": id_tag, "priceText": message.content}
    if message.language is not None:
        data["priceTextExtra"] = [{"format": message.format, "language": message.language, "content": message.content}]
    send_cost(d, "SetUserPrice", data)


def final_cost(d: Dialogue, tid: int, cost: Decimal, message: v201.MessageContent | None) -> None:
    """Tell a charger that shows prices what the transaction cost."""
    data: dict[str, Any] = {"transactionId": tid, "cost": cost}
    if message is not None:
        data["priceText"] = message.content
    send_cost(d, "FinalCost", data)


def send_cost(d: Dialogue, message: str, data: dict[str, Any]) -> None:
    text = msgspec.json.Encoder(decimal_format="number").encode(data).decode()

    def send(d: Dialogue) -> Rule:
        try:
            yield from d.ask("charger", v16.DataTransferRequest(vendorId=COST_VENDOR, messageId=message, data=text))
        except (Refusal, Silence):
            pass
        return None

    d.spawn(send, "DataTransfer")


FROM_CHARGER: dict[str, Row] = {"Authorize": Talk(authorize)}
