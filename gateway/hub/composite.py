"""Charging profiles of several upstreams as one: the charger gets their minimum, under ids of the gateway. Pure.

Towards the charger there is one profile for the whole station, one TxDefaultProfile per connector that has any, and one TxProfile
for each running transaction that has one: for an upstream without one its TxDefaultProfile counts there.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import msgspec

from translators.frames import encode
from translators.values import format_time, parse_time

from .arbiter import Payload, Refused, Scene, Step
from .schedules import Limit, Plan, flat, minimum, plan
from .terms import OWN_MOST, Profile, Terms, trim
from .words import Words, words

HORIZON_MS: Final = 3 * 86_400_000
"""How far ahead repeating schedules are written out; they are made anew when half of it has passed."""
FIRST_ID: Final = 900_000
NO_LIMIT: Final = {"A": Decimal(1000), "W": Decimal(1_000_000)}
"""Where nobody sets a limit between two that somebody sets."""
_ABOVE: Final = 1 << 40
"""Added to the rank of what is for one transaction."""
_TX, _DEFAULT = "TxProfile", "TxDefaultProfile"


def set_profile(s: Scene, w: Words, place: int, profile: Payload) -> Step:
    """Take a profile in, and give the charger the new minimum; all as before if the charger does not accept it."""
    own = profile[w.profile_id]
    unit = w.schedule_of(profile)["chargingRateUnit"]
    purpose = profile["chargingProfilePurpose"]
    if any(_unit(w, each) not in ("", unit) for each in _all(s.terms)) or purpose not in (w.station_max, _TX, _DEFAULT):
        return {"status": "Rejected"}  # amperes and watts have no minimum without a voltage
    if purpose == _TX and place not in s.terms.running.values():
        return {"status": "Rejected"}
    plan(profile, w.schedule_of(profile), 0, None)  # or it is no profile
    mine = s.own.profiles
    before = dict(mine)
    for id, each in list(mine.items()):
        same = (each.place, each.purpose, each.level) == (place, purpose, profile["stackLevel"])
        if same or id == own:
            del mine[id]
    mine[own] = Profile(0, place, purpose, profile["stackLevel"], profile)
    trim(mine, OWN_MOST)
    try:
        accepted = yield from _tell(s, w)
    except Refused:
        s.own.profiles = before
        s.changed()
        raise
    if not accepted:
        s.own.profiles = before
        s.changed()
        yield from _tell(s, w)
    return {"status": "Accepted" if accepted else "Rejected"}


def clear(s: Scene, w: Words, ids: list[int]) -> Step:
    """Take profiles out, and give the charger what is left."""
    for id in ids:
        s.own.profiles.pop(id, None)
    s.changed()
    yield from _tell(s, w)
    return {"status": "Accepted" if ids else "Unknown"}


def renew(s: Scene) -> Step:
    """The minimum as it is from now on."""
    yield from _tell(s, words(s.arbiter.version))
    return {}


def _tell(s: Scene, w: Words) -> Any:
    """Bring the charger from what it was told to what holds now; whether it accepted everything."""
    wanted = composites(s.terms, w, s.now)
    for id in [id for id in s.terms.composed if id not in wanted]:
        yield from s.ask("ClearChargingProfile", {w.clear_id: id})
        del s.terms.composed[id]
        s.changed()
    accepted = True
    for id, request in wanted.items():
        text = encode(request)
        if s.terms.composed.get(id) == text:
            continue
        try:
            answer = yield from s.ask("SetChargingProfile", request)
        except Refused:
            return False
        if answer.get("status") != "Accepted":
            accepted = False
            break
        s.terms.composed[id] = text
        s.changed()
    if accepted:
        lasting = any(b'"Absolute"' in text for text in s.terms.composed.values())
        s.terms.renew_at = s.now + HORIZON_MS // 2 if lasting else 0
    s.changed()
    return accepted


def composites(terms: Terms, w: Words, now: int) -> dict[int, Payload]:
    """Id -> the SetChargingProfile that the charger is to have."""
    found: dict[int, Payload] = {}
    everything = _all(terms)
    places = {each.place for each in everything if each.purpose == _DEFAULT}
    targets: list[tuple[int, int, str, str]] = []
    if any(each.purpose == w.station_max for each in everything):
        targets.append((FIRST_ID, 0, w.station_max, ""))
    targets += [(FIRST_ID + 100 + place, place, _DEFAULT, "") for place in sorted(places)]
    for transaction, place in terms.running.items():
        if any(each.purpose == _TX and each.place == place for each in everything):
            targets.append((FIRST_ID + 1000 + place, place, _TX, transaction))
    for id, place, purpose, transaction in targets:
        began = terms.since.get(transaction) if transaction else None
        upstreams = [_effective(own.profiles.values(), w, place, purpose) for own in terms.upstreams.values()]
        request = _request(w, upstreams, place, purpose, transaction, began, now)
        if request is not None:
            found[id] = {**request, w.profile: {w.profile_id: id, **request[w.profile]}}
    return found


def _effective(profiles: Any, w: Words, place: int, purpose: str) -> list[tuple[Profile, int]]:
    """The profiles of one upstream that count for a target, with their rank."""
    counting: list[tuple[Profile, int]] = []
    for each in profiles:
        if each.purpose == purpose and each.place in ((place,) if purpose == _TX else (0, place)):
            counting.append((each, 2 * each.level + (each.place != 0) + (_ABOVE if purpose == _TX else 0)))
        elif purpose == _TX and each.purpose == _DEFAULT and each.place in (0, place):
            counting.append((each, 2 * each.level + (each.place != 0)))
    return counting


def _request(
    w: Words,
    upstreams: list[list[tuple[Profile, int]]],
    place: int,
    purpose: str,
    transaction: str,
    began: int | None,
    now: int,
) -> Payload | None:
    counting = [each for upstream in upstreams for each in upstream]
    if not counting:
        return None
    relative = began is None and purpose != w.station_max and all(_floats(w, each, alone=True) for each, _ in counting)
    plans: list[list[Plan]] = []
    for upstream in upstreams:
        own = [
            (plan(each.body, w.schedule_of(each.body), rank, 0 if relative else began), each)
            for each, rank in upstream
            if each.body is not None
        ]
        if relative or began is not None or not any(_floats(w, each) for _, each in own):
            plans.append([made for made, _ in own])
        else:  # nobody knows when one begins or ends, and so when the one below it prevails: each counts for itself
            plans += [[flat(made) if _floats(w, each) else made] for made, each in own]
    begin = 0 if relative else now - now % 1000
    pieces = minimum(plans, begin, 1 << 50 if relative else begin + HORIZON_MS)
    unit = next(unit for each, _ in counting if (unit := _unit(w, each)))
    schedule: Payload = {"chargingRateUnit": unit}
    if not relative:
        schedule = {"startSchedule": format_time(begin), **schedule}
    if pieces[-1][1] is None:
        schedule["duration"] = (pieces[-1][0] - begin) // 1000
        pieces = pieces[:-1]
    if not pieces:
        return None
    schedule["chargingSchedulePeriod"] = [
        {"startPeriod": (at - begin) // 1000, **_rate(limit, unit)} for at, limit in pieces
    ]
    if w.schedules:
        schedule = {"id": 1, **schedule}
    profile: Payload = {
        "stackLevel": 1 if purpose == _DEFAULT and place else 0,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Relative" if relative else "Absolute",
        "chargingSchedule": [schedule] if w.schedules else schedule,
    }
    if transaction:
        profile["transactionId"] = transaction if w.schedules else int(transaction)
    return {w.place: place, w.profile: profile}


def _rate(limit: Limit | None, unit: str) -> Payload:
    if limit is None:
        return {"limit": NO_LIMIT[unit]}
    return {"limit": limit.rate, "numberPhases": limit.phases}


def _floats(w: Words, each: Profile, *, alone: bool = False) -> bool:
    """Whether it begins with a transaction, whenever that is. `alone`: and has no other time in it."""
    body = each.body or {}
    if alone and (body.get("validFrom") or body.get("validTo")):
        return False
    try:
        start = parse_time(w.schedule_of(body).get("startSchedule"))
    except (KeyError, TypeError, ValueError):
        start = None
    return body.get("chargingProfileKind") == "Relative" or start is None


def _all(terms: Terms) -> list[Profile]:
    return [each for own in terms.upstreams.values() for each in own.profiles.values() if each.body is not None]


def _unit(w: Words, each: Profile) -> str:
    try:
        return str(w.schedule_of(each.body or {})["chargingRateUnit"])
    except (KeyError, TypeError, ValueError, msgspec.MsgspecError):
        return ""
