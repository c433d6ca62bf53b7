"""Charging profiles of the CSMS and the composite schedule (spec 2.9, 3.7, 7.5, 7.7, 7.17)."""

from __future__ import annotations

from typing import get_args

import msgspec

from ..dialogue import Dialogue, Refusal, Row, Rule, Talk
from ..enums import CHARGING_PROFILE, PROFILE_PURPOSE
from ..models import v16, v201
from ..profiles import Unfit, up
from ..topology import is_connector, place_of
from ..values import tenth, tidy_time
from .ledger import by_number, running_at
from .peers import command
from .state import Facts, Installed, Transaction, facts_of, next_number


def install(d: Dialogue, evse: int, profile: v201.ChargingProfile, remote: int = 0) -> None:
    """Remember an accepted profile in place of the one with its id or in its slot. `remote`: the start that it came with."""
    new = _installed(profile, evse)
    new.remote = remote
    _put(facts_of(d), new)


def adopt(d: Dialogue, remote: int, transaction: Transaction) -> None:
    """The transaction of a remote start has begun: the profile that came with the start is its own."""
    facts = facts_of(d)
    for each in [each for each in facts.profiles if remote and each.remote == remote]:
        evse = transaction.evse or each.evse
        _put(facts, msgspec.structs.replace(each, evse=evse, txid=transaction.txid, remote=0))


def _installed(profile: v201.ChargingProfile, evse: int) -> Installed:
    return Installed(profile.id, profile.chargingProfilePurpose, profile.stackLevel, evse, profile.transactionId or "")


def _put(facts: Facts, new: Installed) -> None:
    facts.profiles = [*[each for each in facts.profiles if each.id != new.id and _slot(each) != _slot(new)][-255:], new]


def _slot(entry: Installed) -> tuple[str, int, int, str, int]:
    """What two profiles cannot both have. A transaction is at one place, whether it has said so or not."""
    return entry.purpose, entry.level, 0 if entry.txid else entry.evse, entry.txid, entry.remote


def set_profile(d: Dialogue, request: v16.SetChargingProfileRequest) -> Rule:
    """1.6 replaces what is in the slot; a 2.0.1 charger may refuse it: the old one is cleared first."""
    facts, given, number = facts_of(d), request.csChargingProfiles, request.connectorId
    rejected = v16.SetChargingProfileResponse(status="Rejected")
    if number and not is_connector(d, number):
        return rejected
    evse, txid = place_of(d, number)[0] if number else 0, None
    if given.chargingProfilePurpose == "TxProfile":
        transaction = running_at(d, number) if given.transactionId is None else by_number(d, given.transactionId)
        if transaction is None or (number and transaction.connector != number):
            return rejected
        evse, txid = transaction.evse, transaction.txid
    elif given.transactionId is not None:
        d.lose("csChargingProfiles.transactionId")
    try:
        profile = up(d, given, txid, next_number(d, "schedule"))
    except Unfit:
        return rejected
    slot = _slot(_installed(profile, evse))
    for old in [each for each in facts.profiles if _slot(each) == slot and each.id != profile.id]:
        d.lose("ClearChargingProfile", "synthesised")
        try:
            yield from command(d, v201.ClearChargingProfileRequest(chargingProfileId=old.id))
        except Refusal:
            pass  # the charger may replace it by itself
        facts.profiles = [each for each in facts.profiles if each is not old]
    response = yield from command(d, v201.SetChargingProfileRequest(evseId=evse, chargingProfile=profile))
    if response.statusInfo is not None:
        d.lose("statusInfo")
    if response.status == "Accepted":
        install(d, evse, profile)
    return v16.SetChargingProfileResponse(status=CHARGING_PROFILE.down_or(response.status, "Rejected"))


def clear_profile(d: Dialogue, request: v16.ClearChargingProfileRequest) -> Rule:
    """By id alone if there is one, else by what is given; without anything by every purpose, one after the other."""
    facts = facts_of(d)
    if request.id is not None:
        for name in ("connectorId", "chargingProfilePurpose", "stackLevel"):
            if getattr(request, name) is not None:
                d.lose(name)
        requests = [v201.ClearChargingProfileRequest(chargingProfileId=request.id)]
    else:
        number, evse = request.connectorId, None
        if number is not None:
            if number and not is_connector(d, number):
                return v16.ClearChargingProfileResponse(status="Unknown")
            evse = place_of(d, number)[0] if number else 0
        purpose = request.chargingProfilePurpose
        empty = number is None and purpose is None and request.stackLevel is None
        purposes = list(get_args(v16.ChargingProfilePurpose)) if empty else [purpose]
        requests = [
            v201.ClearChargingProfileRequest(
                chargingProfileCriteria=v201.ClearChargingProfile(
                    evseId=evse,
                    stackLevel=request.stackLevel,
                    chargingProfilePurpose=PROFILE_PURPOSE.up(each) if each is not None else None,
                )
            )
            for each in purposes
        ]
    statuses: list[str] = []
    refused: Refusal | None = None
    for each in requests:
        try:
            response = yield from command(d, each)
        except Refusal as refusal:
            refused = refused or refusal
            continue
        if response.statusInfo is not None:
            d.lose("statusInfo")
        statuses.append(response.status)
        facts.profiles = [entry for entry in facts.profiles if not _meets(entry, each)]
    if refused is not None and not statuses:
        raise refused
    return v16.ClearChargingProfileResponse(status="Accepted" if "Accepted" in statuses else "Unknown")


def _meets(entry: Installed, request: v201.ClearChargingProfileRequest) -> bool:
    criteria = request.chargingProfileCriteria
    if criteria is None:
        return entry.id == request.chargingProfileId
    return (
        criteria.evseId in (None, entry.evse)
        and criteria.stackLevel in (None, entry.level)
        and criteria.chargingProfilePurpose in (None, entry.purpose)
    )


def composite_schedule(d: Dialogue, request: v16.GetCompositeScheduleRequest) -> Rule:
    """The same schedule, one level deeper; limits are rounded down to what 1.6 can write."""
    number = request.connectorId
    if number and not is_connector(d, number):
        return v16.GetCompositeScheduleResponse(status="Rejected")
    response = yield from command(
        d,
        v201.GetCompositeScheduleRequest(
            evseId=place_of(d, number)[0] if number else 0,
            duration=request.duration,
            chargingRateUnit=request.chargingRateUnit,
        ),
    )
    if response.statusInfo is not None:
        d.lose("statusInfo")
    schedule = response.schedule
    if response.status != "Accepted" or schedule is None:
        return v16.GetCompositeScheduleResponse(status=response.status)
    start = tidy_time(schedule.scheduleStart)
    periods = []
    for period in schedule.chargingSchedulePeriod:
        if period.phaseToUse is not None:
            d.lose("schedule.chargingSchedulePeriod.phaseToUse")
        if tenth(period.limit) != period.limit:
            d.lose("schedule.chargingSchedulePeriod.limit", "shortened")
        periods.append(
            v16.ChargingSchedulePeriod(
                startPeriod=period.startPeriod, limit=tenth(period.limit), numberPhases=period.numberPhases
            )
        )
    return v16.GetCompositeScheduleResponse(
        status="Accepted",
        connectorId=number,
        scheduleStart=start,
        chargingSchedule=v16.ChargingSchedule(
            duration=schedule.duration,
            startSchedule=start,
            chargingRateUnit=schedule.chargingRateUnit,
            chargingSchedulePeriod=periods,
        ),
    )


FROM_CSMS: dict[str, Row] = {
    "ClearChargingProfile": Talk(clear_profile),
    "GetCompositeSchedule": Talk(composite_schedule),
    "SetChargingProfile": Talk(set_profile),
}
