"""Charging profiles of several upstreams, stacked at the charger: each with ids and stack levels of its own. Pure."""

from __future__ import annotations

from . import composite, leases
from .arbiter import Arbiter, Payload, Refused, Scene, Step
from .numbers import at_charger, matching, owner
from .terms import OWN_MOST, Profile, trim
from .words import Criteria, Words, criteria_of, words


def _level(s: Scene, level: int) -> int | None:
    """An upstream's stack level at the charger; None if it is beyond its range."""
    if s.may.levels is None:
        return level
    lowest, highest = s.may.levels
    return lowest + level if 0 <= level <= highest - lowest else None


def place_profile(s: Scene, w: Words, profile: Payload, place: int) -> Payload | None:
    """The profile as the charger gets it, remembered as the upstream's; None if its stack level is beyond the range."""
    own, level = profile[w.profile_id], profile["stackLevel"]
    shifted = _level(s, level)
    if shifted is None:
        return None
    number = at_charger(s.terms, s.link, "profile", own, primary=s.may.primary)
    s.own.profiles[own] = Profile(number, place, profile["chargingProfilePurpose"], level)
    trim(s.own.profiles, OWN_MOST)
    s.changed()
    return {**profile, w.profile_id: number, "stackLevel": shifted}


def set_profile(s: Scene, request: Payload) -> Step:
    """SetChargingProfile."""
    w = words(s.arbiter.version)
    profile, place = request[w.profile], w.place_of(request)
    own = profile[w.profile_id]
    if s.arbiter.minimum:
        answer = yield from composite.set_profile(s, w, place, profile)
    else:
        before = s.own.profiles.get(own)
        placed = place_profile(s, w, profile, place)
        if placed is None:
            return s.refuse()
        try:
            answer = yield from s.ask(s.action, {**request, w.profile: placed})
        except Refused:
            _as_before(s, own, before)
            raise
        if answer.get("status") != "Accepted":
            _as_before(s, own, before)
    if answer.get("status") == "Accepted":
        leases.take(s.terms, place, s.link, s.now, strong=False)
        s.changed()
    return answer


def _as_before(s: Scene, own: int, before: Profile | None) -> None:
    """The charger did not take a profile. (One that it has not answered to is remembered: it may have it.)"""
    if before is None:
        s.own.profiles.pop(own, None)
    else:
        s.own.profiles[own] = before
    s.changed()


def clear_profile(s: Scene, request: Payload) -> Step:
    """ClearChargingProfile: of what several have set only what this upstream has set itself."""
    w = words(s.arbiter.version)
    wanted = criteria_of(w, request)
    if wanted.id is not None:
        mine = [(wanted.id, s.own.profiles[wanted.id])] if wanted.id in s.own.profiles else []
    else:
        mine = matching(s.own, wanted.place, wanted.purpose, wanted.level)
    if s.arbiter.minimum:
        return (yield from composite.clear(s, w, [id for id, _ in mine]))
    alone = s.may.primary and not any(each.profiles for name, each in s.terms.upstreams.items() if name != s.link)
    unknown = s.may.primary and wanted.id is not None and not mine and not owner(s.terms, "profile", wanted.id)
    if unknown or (alone and wanted.id is None):  # what was set before the gateway remembered is the primary's
        answer = yield from s.ask(s.action, _shifted(s, w, request, wanted))
    else:
        answer = s.refuse()
        for _, each in mine:
            found = yield from s.ask(s.action, {w.clear_id: each.id})
            if found.get("status") == "Accepted":
                answer = found
    for id, _ in mine:
        s.own.profiles.pop(id, None)
    if mine:
        s.changed()
    return answer


def _shifted(s: Scene, w: Words, request: Payload, wanted: Criteria) -> Payload:
    if wanted.level is None:
        return request
    level = _level(s, wanted.level)
    if not w.criteria:
        return {**request, "stackLevel": level}
    return {**request, w.criteria: {**request[w.criteria], "stackLevel": level}}


def get_profiles(s: Scene, request: Payload) -> Step:
    """GetChargingProfiles (2.x): asked in the charger's ids; the reports go to who asked."""
    wanted = dict(request["chargingProfile"])
    if ids := wanted.get("chargingProfileId"):
        numbers = [s.own.profiles[id].id if id in s.own.profiles else id for id in ids if _visible(s, id)]
        if not numbers:
            return {"status": "NoProfiles"}
        wanted["chargingProfileId"] = numbers
    if (level := wanted.get("stackLevel")) is not None:
        shifted = _level(s, level)
        if shifted is None:
            return {"status": "NoProfiles"}
        wanted["stackLevel"] = shifted
    reports = s.arbiter.reports
    reports.pop(request["requestId"], None)
    reports[request["requestId"]] = s.link
    while len(reports) > 64:
        del reports[next(iter(reports))]
    return (yield from s.ask(s.action, {**request, "chargingProfile": wanted}))


def _visible(s: Scene, id: int) -> bool:
    return id in s.own.profiles or (s.may.primary and owner(s.terms, "profile", id) is None)


def reported(arbiter: Arbiter, link: str, said: Payload) -> Payload | None:
    """ReportChargingProfiles: each upstream hears of its own profiles; the primary also of those that are nobody's."""
    asked = arbiter.reports.get(said.get("requestId", -1))
    if asked is not None and asked != link:
        return None
    may = arbiter.may.get(link)
    profiles = []
    for profile in said["chargingProfile"]:
        whose = owner(arbiter.terms, "profile", profile["id"])
        if whose is None and (may is None or may.primary):
            profiles.append(profile)
        elif whose is not None and whose[0] == link:
            level = arbiter.terms.of(link).profiles[whose[1]].level
            profiles.append({**profile, "id": whose[1], "stackLevel": level})
    return {**said, "chargingProfile": profiles} if profiles else None
