"""Which commands may be written twice (class C0 of reliability 5.2). Pure."""

from __future__ import annotations

from typing import Final

_HARMLESS: Final = frozenset(
    (
        "CancelReservation",
        "ChangeAvailability",
        "ChangeConfiguration",
        "ClearCache",
        "ClearChargingProfile",
        "ExtendedTriggerMessage",
        "SendLocalList",
        "SetChargingProfile",
        "SetVariables",
        "TriggerMessage",
    )
)


def repeatable(action: str) -> bool:
    """Whether a CALL towards the charger leaves it the same if it comes twice; in doubt it does not."""
    return action.startswith("Get") or action in _HARMLESS
