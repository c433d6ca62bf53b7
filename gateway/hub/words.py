"""What the members are called that the rules for commands read, in the version of the charger. Pure."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from .arbiter import Payload


class Words(NamedTuple):
    """For chargers of one version."""

    place: str
    """A connector, or an EVSE."""
    profile: str
    """The charging profile of a SetChargingProfile."""
    profile_id: str
    reservation: str
    """Of a ReserveNow."""
    clear_id: str
    """Of a ClearChargingProfile."""
    criteria: str
    """Of a ClearChargingProfile: the object with the criteria; empty: they are members of the request."""
    purpose: str
    """Among the criteria."""
    station_max: str
    """Purpose of a profile for the whole station."""
    schedules: bool
    """A profile has a list of schedules."""

    def place_of(self, request: Payload) -> int:
        """The connector or EVSE; 0 for none or all."""
        place = request.get(self.place)
        return place if isinstance(place, int) else 0

    def schedule_of(self, profile: Payload) -> Payload:
        """The only schedule of a profile. Raises KeyError, TypeError, ValueError if it has another number of them."""
        found = profile["chargingSchedule"]
        if not self.schedules:
            return dict(found)
        (only,) = found
        return dict(only)


V16: Final = Words(
    place="connectorId",
    profile="csChargingProfiles",
    profile_id="chargingProfileId",
    reservation="reservationId",
    clear_id="id",
    criteria="",
    purpose="chargingProfilePurpose",
    station_max="ChargePointMaxProfile",
    schedules=False,
)
V2: Final = Words(
    place="evseId",
    profile="chargingProfile",
    profile_id="id",
    reservation="id",
    clear_id="chargingProfileId",
    criteria="chargingProfileCriteria",
    purpose="chargingProfilePurpose",
    station_max="ChargingStationMaxProfile",
    schedules=True,
)


def words(version: str) -> Words:
    """The words of an OCPP version."""
    return V16 if version in ("ocpp1.5", "ocpp1.6") else V2


class Criteria(msgspec.Struct):
    """Which profiles a ClearChargingProfile means."""

    id: int | None
    place: int | None
    purpose: str | None
    level: int | None


def criteria_of(w: Words, request: Payload) -> Criteria:
    """Of a ClearChargingProfile."""
    among = request.get(w.criteria) or {} if w.criteria else request
    return Criteria(request.get(w.clear_id), among.get(w.place), among.get(w.purpose), among.get("stackLevel"))
