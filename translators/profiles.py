"""Charging profiles between 1.6 and 2.0.1 (spec 2.9)."""

from __future__ import annotations

from .dialogue import Dialogue
from .enums import PROFILE_PURPOSE
from .models import v16, v201
from .values import format_time, tenth, tidy_time


class Unfit(Exception):
    """1.6 cannot express this profile; `reason` is the 2.0.1 reasonCode."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def down(
    d: Dialogue, profile: v201.ChargingProfile, tid: int | None, path: str = "chargingProfile"
) -> v16.ChargingProfile:
    """The profile for a 1.6 charger, with `tid` as its transactionId. Raises Unfit.

    Limits are rounded down to 0.1. Schedule ids and sales tariffs are dropped; `path` names the profile in the losses.
    """
    try:
        purpose = PROFILE_PURPOSE.down(profile.chargingProfilePurpose)
    except KeyError:
        raise Unfit("InvalidProfile") from None
    if len(profile.chargingSchedule) != 1:
        raise Unfit("InvalidSchedule")
    schedule = profile.chargingSchedule[0]
    if any(period.phaseToUse is not None for period in schedule.chargingSchedulePeriod):
        raise Unfit("UnsupportedParam")
    path_of_schedule = f"{path}.chargingSchedule"
    d.lose(f"{path_of_schedule}.id")
    if schedule.salesTariff is not None:
        d.lose(f"{path_of_schedule}.salesTariff")
    periods = [
        v16.ChargingSchedulePeriod(
            startPeriod=period.startPeriod, limit=tenth(period.limit), numberPhases=period.numberPhases
        )
        for period in schedule.chargingSchedulePeriod
    ]
    if any(old.limit != new.limit for old, new in zip(schedule.chargingSchedulePeriod, periods, strict=True)):
        d.lose(f"{path_of_schedule}.chargingSchedulePeriod.limit", "shortened")
    rate = schedule.minChargingRate
    if rate is not None and tenth(rate) != rate:
        d.lose(f"{path_of_schedule}.minChargingRate", "shortened")
    return v16.ChargingProfile(
        chargingProfileId=profile.id,
        transactionId=tid,
        stackLevel=profile.stackLevel,
        chargingProfilePurpose=purpose,
        chargingProfileKind=profile.chargingProfileKind,
        recurrencyKind=profile.recurrencyKind,
        validFrom=_time(d, profile.validFrom, f"{path}.validFrom"),
        validTo=_time(d, profile.validTo, f"{path}.validTo"),
        chargingSchedule=v16.ChargingSchedule(
            duration=schedule.duration,
            startSchedule=_time(d, schedule.startSchedule, f"{path_of_schedule}.startSchedule"),
            chargingRateUnit=schedule.chargingRateUnit,
            chargingSchedulePeriod=periods,
            minChargingRate=tenth(rate) if rate is not None else None,
        ),
    )


def _time(d: Dialogue, text: str | None, field: str) -> str | None:
    found = tidy_time(text)
    if text and found is None:
        d.lose(field)
    return found


def up(
    d: Dialogue, profile: v16.ChargingProfile, txid: str | None, schedule_id: int, path: str = "csChargingProfiles"
) -> v201.ChargingProfile:
    """The profile for a 2.0.1 charger, with `txid` as its transactionId and a generated id for its schedule.

    What 2.0.1 forbids is made right: an absolute start that is missing, a relative one that is there (K01.FR.38, 40, 41).
    Raises Unfit for a schedule without periods, or with too many.
    """
    if not 0 < len(profile.chargingSchedule.chargingSchedulePeriod) <= 1024:
        raise Unfit("InvalidSchedule")
    purpose, kind = PROFILE_PURPOSE.up(profile.chargingProfilePurpose), profile.chargingProfileKind
    schedule = profile.chargingSchedule
    start = tidy_time(schedule.startSchedule)
    if kind == "Relative" and purpose == "ChargingStationMaxProfile":
        kind = "Absolute"
        d.lose(f"{path}.chargingProfileKind", "folded")
    if kind == "Relative" and start is not None:
        start = None
        d.lose(f"{path}.chargingSchedule.startSchedule")
    elif kind == "Recurring" and start is None:
        start = format_time(d.clock)[:10] + "T00:00:00Z"
        d.lose(f"{path}.chargingSchedule.startSchedule", "defaulted")
    elif kind == "Absolute" and start is None:
        if purpose == "ChargingStationMaxProfile":
            start = format_time(d.clock - d.clock % 1000)
            d.lose(f"{path}.chargingSchedule.startSchedule", "defaulted")
        else:
            kind = "Relative"
            d.lose(f"{path}.chargingProfileKind", "folded")
    return v201.ChargingProfile(
        id=profile.chargingProfileId,
        transactionId=txid,
        stackLevel=profile.stackLevel,
        chargingProfilePurpose=purpose,
        chargingProfileKind=kind,
        recurrencyKind=profile.recurrencyKind,
        validFrom=tidy_time(profile.validFrom),
        validTo=tidy_time(profile.validTo),
        chargingSchedule=[
            v201.ChargingSchedule(
                id=schedule_id,
                duration=schedule.duration,
                startSchedule=start,
                chargingRateUnit=schedule.chargingRateUnit,
                chargingSchedulePeriod=[
                    v201.ChargingSchedulePeriod(
                        startPeriod=period.startPeriod, limit=period.limit, numberPhases=period.numberPhases
                    )
                    for period in schedule.chargingSchedulePeriod
                ],
                minChargingRate=schedule.minChargingRate,
            )
        ],
    )
