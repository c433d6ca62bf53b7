"""Which rule is for which command of several upstreams, by the version of the charger. Pure."""

from __future__ import annotations

from typing import Final

from . import composite, control, profiles, virtual
from .arbiter import Book

_V16: Final = Book(
    commands={
        "CancelReservation": control.cancel,
        "ChangeConfiguration": virtual.change,
        "ClearChargingProfile": profiles.clear_profile,
        "GetConfiguration": virtual.get,
        "RemoteStartTransaction": control.start,
        "RemoteStopTransaction": control.stop,
        "ReserveNow": control.reserve,
        "Reset": control.reset,
        "SetChargingProfile": profiles.set_profile,
        "UnlockConnector": control.unlock,
    },
    told={"StartTransaction": control.told_reservation},
    heard={"StopTransaction": control.heard_stop},
    began=control.began_16,
    renew=composite.renew,
)
_V2: Final = Book(
    commands={
        "CancelReservation": control.cancel,
        "ClearChargingProfile": profiles.clear_profile,
        "GetChargingProfiles": profiles.get_profiles,
        "GetVariables": virtual.get_variables,
        "RequestStartTransaction": control.start,
        "RequestStopTransaction": control.stop,
        "ReserveNow": control.reserve,
        "Reset": control.reset,
        "SetChargingProfile": profiles.set_profile,
        "SetVariables": virtual.set_variables,
        "UnlockConnector": control.unlock,
    },
    told={
        "ReportChargingProfiles": profiles.reported,
        "ReservationStatusUpdate": control.told_update,
        "TransactionEvent": control.told_reservation,
    },
    heard={"TransactionEvent": control.heard_event},
    began=control.began_16,
    renew=composite.renew,
)


def book(version: str) -> Book:
    """The rules for chargers of an OCPP version."""
    return _V16 if version in ("ocpp1.5", "ocpp1.6") else _V2
