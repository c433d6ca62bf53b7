"""Charging profiles of the CSMS and the composite schedule (spec 2.9, 3.7, 5.5, 5.13, 5.14, 5.33)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ..dialogue import Dialogue, Row, Rule, Talk
from ..enums import CHARGING_PROFILE, PROFILE_PURPOSE, worst
from ..models import v16, v201
from ..profiles import Unfit, down
from ..topology import Unknown, connectors_at, evses, one_connector_at
from ..values import format_time, tidy_time
from .charger import ask, because, facts_of, running, transaction_of

BLOCK = "profiles"
"""Name in `facts.extra`: {entries: list of {evse, profile (2.0.1)}} of what the CSMS installed through the gateway."""
REPORTED = 10
"""Profiles per ReportChargingProfiles."""
_ORDER: tuple[v16.ChargingProfileStatus, ...] = ("NotSupported", "Rejected", "Accepted")


class Stored(msgspec.Struct):
    """One installed profile."""

    evse: int
    profile: v201.ChargingProfile


def stored(d: Dialogue) -> list[Stored]:
    """The installed profiles; those of transactions that have ended are gone, as on the charger."""
    entries: list[Any] = facts_of(d).extra.get(BLOCK, {}).get("entries", [])
    found = [msgspec.convert(entry, Stored) for entry in entries]
    return [entry for entry in found if not _over(d, entry)]


def _over(d: Dialogue, entry: Stored) -> bool:
    """Whether the transaction that the profile is for has ended, or never came of a remote start."""
    profile = entry.profile
    if profile.chargingProfilePurpose != "TxProfile":
        return False
    if profile.transactionId is not None:
        transaction = transaction_of(d, profile.transactionId)
        return transaction is None or transaction.state == "ended"
    places = evses(d).get(entry.evse, [entry.evse])
    awaited = any(
        start.expires > d.clock and start.profile is not None and start.profile.get("id") == profile.id
        for start in facts_of(d).remote_starts
    )
    return not awaited and not any(each.connector in places for each in running(d))


def _store(d: Dialogue, entries: list[Stored]) -> None:
    facts_of(d).extra[BLOCK] = {"entries": [msgspec.to_builtins(entry) for entry in entries]}


def install(d: Dialogue, evse: int, profile: v201.ChargingProfile) -> None:
    """Remember an accepted profile. 1.6 replaces one with the same id, or with the same purpose and level there."""

    def slot(entry: Stored) -> tuple[int, str, int, str | None]:
        each = entry.profile
        return entry.evse, each.chargingProfilePurpose, each.stackLevel, each.transactionId

    new = Stored(evse, profile)
    _store(d, [each for each in stored(d) if each.profile.id != profile.id and slot(each) != slot(new)] + [new])


def set_profile(d: Dialogue, request: v201.SetChargingProfileRequest) -> Rule:
    """A TxProfile goes to its transaction's connector, any other to every connector of the EVSE."""
    profile = request.chargingProfile
    tid = None
    try:
        targets = connectors_at(d, request.evseId) if request.evseId != 0 else [0]
        if profile.chargingProfilePurpose == "TxProfile":
            among = [each for each in running(d) if request.evseId == 0 or each.connector in targets]
            if not among:
                return _rejected("TxNotFound")
            wanted = [each for each in among if profile.transactionId in (None, each.uuid)]
            if not wanted:
                return _rejected("UnknownTxId")
            tid, targets = wanted[0].tid, [wanted[0].connector]
            profile.transactionId = wanted[0].uuid
        elif profile.transactionId is not None:
            d.lose("chargingProfile.transactionId")
        command = down(d, profile, tid)
    except (Unknown, Unfit) as wrong:
        return _rejected(wrong.reason)
    answers: list[v16.ChargingProfileStatus] = []
    for connector in targets:
        response = yield from ask(d, v16.SetChargingProfileRequest(connectorId=connector, csChargingProfiles=command))
        answers.append(response.status)
    status = worst(answers, _ORDER)
    if status == "Accepted":
        install(d, request.evseId, profile)
    info = because("UnsupportedRequest") if status == "NotSupported" else None
    if info is not None:
        d.lose("status", "folded")
    return v201.SetChargingProfileResponse(status=CHARGING_PROFILE.up(status), statusInfo=info)


def _rejected(reason: str) -> v201.SetChargingProfileResponse:
    return v201.SetChargingProfileResponse(status="Rejected", statusInfo=because(reason))


def clear_profile(d: Dialogue, request: v201.ClearChargingProfileRequest) -> Rule:
    """By id alone if there is one, else by EVSE, level and purpose. What the charger does not know is forgotten too."""
    criteria = request.chargingProfileCriteria or v201.ClearChargingProfile()
    targets: list[int | None] = [None]
    purpose: v16.ChargingProfilePurpose | None = None
    if request.chargingProfileId is not None:
        if request.chargingProfileCriteria is not None:
            d.lose("chargingProfileCriteria")
        criteria = v201.ClearChargingProfile()
    if criteria.chargingProfilePurpose is not None:
        try:
            purpose = PROFILE_PURPOSE.down(criteria.chargingProfilePurpose)
        except KeyError:
            return v201.ClearChargingProfileResponse(status="Unknown")
    if criteria.evseId is not None:
        try:
            targets = list(connectors_at(d, criteria.evseId)) if criteria.evseId != 0 else [0]
        except Unknown as unknown:
            return v201.ClearChargingProfileResponse(status="Unknown", statusInfo=because(unknown.reason))
    answers: list[v16.ClearChargingProfileStatus] = []
    for connector in targets:
        command = v16.ClearChargingProfileRequest(
            id=request.chargingProfileId,
            connectorId=connector,
            chargingProfilePurpose=purpose,
            stackLevel=criteria.stackLevel,
        )
        answers.append((yield from ask(d, command)).status)
    gone = _matches(request.chargingProfileId, criteria)
    _store(d, [entry for entry in stored(d) if not gone(entry)])
    return v201.ClearChargingProfileResponse(status="Accepted" if "Accepted" in answers else "Unknown")


def _matches(id: int | None, criteria: v201.ClearChargingProfile) -> Callable[[Stored], bool]:
    def matches(entry: Stored) -> bool:
        profile = entry.profile
        if id is not None:
            return profile.id == id
        return (
            criteria.evseId in (None, entry.evse)
            and criteria.stackLevel in (None, profile.stackLevel)
            and criteria.chargingProfilePurpose in (None, profile.chargingProfilePurpose)
        )

    return matches


def get_profiles(d: Dialogue, request: v201.GetChargingProfilesRequest) -> Rule:
    """1.6 cannot list profiles; the gateway knows those that went through it, all of them set by the CSMS (CSO)."""
    criteria = request.chargingProfile
    found: dict[int, list[v201.ChargingProfile]] = {}
    if criteria.chargingLimitSource is None or "CSO" in criteria.chargingLimitSource:
        for entry in stored(d):
            profile = entry.profile
            if (
                request.evseId in (None, entry.evse)
                and (criteria.chargingProfileId is None or profile.id in criteria.chargingProfileId)
                and criteria.chargingProfilePurpose in (None, profile.chargingProfilePurpose)
                and criteria.stackLevel in (None, profile.stackLevel)
            ):
                found.setdefault(entry.evse, []).append(profile)
    if not found:
        return v201.GetChargingProfilesResponse(status="NoProfiles")
    yield from d.answer(v201.GetChargingProfilesResponse(status="Accepted"))
    parts = [
        (evse, profiles[start : start + REPORTED])
        for evse, profiles in sorted(found.items())
        for start in range(0, len(profiles), REPORTED)
    ]
    for number, (evse, profiles) in enumerate(parts):
        yield from d.ask(
            "csms",
            v201.ReportChargingProfilesRequest(
                requestId=request.requestId,
                chargingLimitSource="CSO",
                evseId=evse,
                chargingProfile=profiles,
                tbc=True if number < len(parts) - 1 else None,
            ),
        )
    return None


def composite_schedule(d: Dialogue, request: v201.GetCompositeScheduleRequest) -> Rule:
    """What 1.6 leaves out of the schedule is taken from the request and the clock."""
    try:
        connector = one_connector_at(d, request.evseId) if request.evseId != 0 else 0
    except Unknown as unknown:
        return v201.GetCompositeScheduleResponse(status="Rejected", statusInfo=because(unknown.reason))
    command = v16.GetCompositeScheduleRequest(
        connectorId=connector, duration=request.duration, chargingRateUnit=request.chargingRateUnit
    )
    answer = yield from ask(d, command)
    schedule = answer.chargingSchedule
    if answer.status != "Accepted" or schedule is None or not schedule.chargingSchedulePeriod:
        if schedule is not None:
            d.lose("chargingSchedule")
        if answer.scheduleStart:
            d.lose("scheduleStart")
        return v201.GetCompositeScheduleResponse(status=answer.status)
    if schedule.minChargingRate is not None:
        d.lose("chargingSchedule.minChargingRate")
    start = tidy_time(answer.scheduleStart) or tidy_time(schedule.startSchedule)
    if schedule.startSchedule and answer.scheduleStart and tidy_time(schedule.startSchedule) != start:
        d.lose("chargingSchedule.startSchedule")
    if start is None:
        d.lose("schedule.scheduleStart", "defaulted")
    if schedule.duration is None:
        d.lose("schedule.duration", "defaulted")
    periods = [
        v201.ChargingSchedulePeriod(
            startPeriod=period.startPeriod, limit=period.limit, numberPhases=period.numberPhases
        )
        for period in schedule.chargingSchedulePeriod
    ]
    return v201.GetCompositeScheduleResponse(
        status="Accepted",
        schedule=v201.CompositeSchedule(
            evseId=request.evseId,
            duration=schedule.duration if schedule.duration is not None else request.duration,
            scheduleStart=start or format_time(d.clock),
            chargingRateUnit=schedule.chargingRateUnit,
            chargingSchedulePeriod=periods,
        ),
    )


FROM_CSMS: dict[str, Row] = {
    "ClearChargingProfile": Talk(clear_profile),
    "GetChargingProfiles": Talk(get_profiles),
    "GetCompositeSchedule": Talk(composite_schedule),
    "SetChargingProfile": Talk(set_profile),
}
