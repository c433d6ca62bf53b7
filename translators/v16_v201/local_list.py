"""SendLocalList, GetLocalListVersion of the CSMS (spec 5.17, 5.32, 3.8)."""

from __future__ import annotations

import msgspec

from ..dialogue import Dialogue, Refusal, Row, Rule, Talk
from ..enums import SEND_LOCAL_LIST
from ..facts import LocalList
from ..models import v16, v201
from ..tokens import ID_TAG_LENGTH, id_tag_info, remember_token
from ..topology import evses
from .authorization import lose_group
from .charger import UNSUPPORTED, ask, because, facts_of, options_of, told_time
from .device_model import cached


def get_version(d: Dialogue, request: v201.GetLocalListVersionRequest) -> Rule:
    """-1, and a charger without local lists, mean version 0: there is none."""
    try:
        response = yield from ask(d, v16.GetLocalListVersionRequest())
    except Refusal as refusal:
        if refusal.code not in UNSUPPORTED:
            raise
        d.lose("versionNumber", "defaulted")
        return v201.GetLocalListVersionResponse(versionNumber=0)
    if response.listVersion < 0:
        d.lose("listVersion", "folded")
    return v201.GetLocalListVersionResponse(versionNumber=max(0, response.listVersion))


def send(d: Dialogue, request: v201.SendLocalListRequest) -> Rule:
    """A list longer than the charger takes at once goes in parts whose versions lead up to the wanted one."""
    entries = list(_entries(d, request).values())
    size = _part_size(d) or max(1, len(entries))
    parts = [entries[start : start + size] for start in range(0, len(entries), size)] or [[]]
    first = request.versionNumber - len(parts) + 1
    present = facts_of(d).local_list.version
    if len(parts) > 1 and (first <= 0 or (request.updateType == "Differential" and first <= present)):
        return v201.SendLocalListResponse(status="Failed", statusInfo=because("TooManyElements"))
    for number, part in enumerate(parts):
        update: v16.UpdateType = request.updateType if number == 0 else "Differential"
        response = yield from ask(
            d,
            v16.SendLocalListRequest(
                listVersion=first + number, updateType=update, localAuthorizationList=part or None
            ),
        )
        if response.status != "Accepted":
            info = because("UnsupportedRequest") if response.status == "NotSupported" else None
            if info is not None:
                d.lose("status", "folded")
            return v201.SendLocalListResponse(status=SEND_LOCAL_LIST.up(response.status), statusInfo=info)
        _mirror(d, first + number, update, part)
    return v201.SendLocalListResponse(status="Accepted")


def _part_size(d: Dialogue) -> int:
    known = cached(d, "SendLocalListMaxLength")
    text = (known.value or "").strip() if known is not None else ""
    return int(text[:9]) if text.isdecimal() else 0


def _entries(d: Dialogue, request: v201.SendLocalListRequest) -> dict[str, v16.AuthorizationData]:
    """By folded idTag: two tokens that differ in type only are one for 1.6, the last counts."""
    facts, no_auth = facts_of(d), options_of(d).no_auth_idtag
    path = "localAuthorizationList"
    found: dict[str, v16.AuthorizationData] = {}
    station = set(evses(d))
    for entry in request.localAuthorizationList or ():
        id_tag = entry.idToken.idToken
        if not 0 < len(id_tag) <= ID_TAG_LENGTH:  # a reader can never present an alias
            d.lose(path)
            continue
        info = entry.idTokenInfo
        only_at = info.evseId if info is not None and info.status == "Accepted" else None
        if only_at and not (station and station.issubset(only_at)):
            d.lose(path)
            continue
        remember_token(facts.tokens, id_tag, entry.idToken)
        d.lose(f"{path}.idToken.type")
        if entry.idToken.additionalInfo is not None:
            d.lose(f"{path}.idToken.additionalInfo")
        if found.pop(id_tag.casefold(), None) is not None:
            d.lose(path, "folded")
        down = None
        if info is not None:
            down = id_tag_info(info, facts.tokens, no_auth=no_auth)
            if info.status == "ConcurrentTx":
                down.status = "Accepted"
            if down.status != info.status:
                d.lose(f"{path}.idTokenInfo.status", "folded")
            told_time(d, info.cacheExpiryDateTime, f"{path}.idTokenInfo.cacheExpiryDateTime")
            if info.groupIdToken is not None:
                lose_group(d, info.groupIdToken, f"{path}.idTokenInfo.groupIdToken")
            for name in ("chargingPriority", "language1", "language2", "personalMessage", "evseId"):
                if getattr(info, name) is not None:
                    d.lose(f"{path}.idTokenInfo.{name}")
        found[id_tag.casefold()] = v16.AuthorizationData(idTag=id_tag, idTagInfo=down)
    return found


def _mirror(d: Dialogue, version: int, update: v16.UpdateType, part: list[v16.AuthorizationData]) -> None:
    """Keep the list for decisions while the CSMS is away."""
    entries = {} if update == "Full" else dict(facts_of(d).local_list.entries)
    for entry in part:
        entries.pop(entry.idTag.casefold(), None)
        if entry.idTagInfo is not None:
            entries[entry.idTag.casefold()] = msgspec.to_builtins(entry.idTagInfo)
    facts_of(d).local_list = LocalList(version, entries)


FROM_CSMS: dict[str, Row] = {
    "GetLocalListVersion": Talk(get_version),
    "SendLocalList": Talk(send),
}
