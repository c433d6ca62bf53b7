"""What a CSMS is answered when it may not do what it asks: in the words of its version, and always something. Pure.

Where the answer has a status, the one that changes nothing; where it has none, a CALLERROR.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Raw

from translators.frames import Call, Error, Result, encode


class Each(NamedTuple):
    """An answer that has a status per item of the request."""

    asked: str
    """Member of the request: the list of items."""
    told: str
    """Member of the answer."""
    status: str
    refused: str
    echo: tuple[str, ...]
    """Members that an item of the answer has from that of the request."""


def _all(status: str, *actions: str) -> dict[str, str]:
    return dict.fromkeys(" ".join(actions).split(), status)


_V15: Final[dict[str, str]] = {
    **_all(
        "Rejected",
        "CancelReservation ChangeAvailability ChangeConfiguration ClearCache DataTransfer RemoteStartTransaction",
        "RemoteStopTransaction ReserveNow Reset UnlockConnector",
    ),
    **_all("Failed", "SendLocalList"),
}
_V16: Final[dict[str, str]] = {
    **_V15,
    **_all(
        "Rejected",
        "CertificateSigned ExtendedTriggerMessage GetCompositeSchedule GetLog InstallCertificate SetChargingProfile",
        "SignedUpdateFirmware TriggerMessage",
    ),
    **_all("Unknown", "ClearChargingProfile"),
    **_all("Failed", "DeleteCertificate"),
    **_all("NotFound", "GetInstalledCertificateIds"),
    **_all("UnlockFailed", "UnlockConnector"),
}
_V201: Final[dict[str, str]] = {
    **_all(
        "Rejected",
        "CancelReservation CertificateSigned ChangeAvailability ClearCache CustomerInformation DataTransfer",
        "GetBaseReport GetCompositeSchedule GetLog GetMonitoringReport GetReport InstallCertificate PublishFirmware",
        "RequestStartTransaction RequestStopTransaction ReserveNow Reset SetChargingProfile SetDisplayMessage",
        "SetMonitoringBase SetMonitoringLevel SetNetworkProfile TriggerMessage UpdateFirmware",
    ),
    **_all("Unknown", "ClearChargingProfile ClearDisplayMessage GetDisplayMessages"),
    **_all("Failed", "DeleteCertificate SendLocalList"),
    **_all("NotFound", "GetInstalledCertificateIds"),
    **_all("NoProfiles", "GetChargingProfiles"),
    **_all("NoFirmware", "UnpublishFirmware"),
    **_all("UnlockFailed", "UnlockConnector"),
}

STATUS: Final[dict[str, dict[str, str]]] = {"ocpp1.5": _V15, "ocpp1.6": _V16, "ocpp2.0.1": _V201, "ocpp2.1": _V201}
"""OCPP version -> CSMS's action -> the status that refuses it."""

_SET: Final = ("component", "variable", "attributeType")
_2X: Final[dict[str, Each]] = {
    "GetVariables": Each("getVariableData", "getVariableResult", "attributeStatus", "Rejected", _SET),
    "SetVariables": Each("setVariableData", "setVariableResult", "attributeStatus", "Rejected", _SET),
    "SetVariableMonitoring": Each(
        "setMonitoringData",
        "setMonitoringResult",
        "status",
        "Rejected",
        ("id", "type", "severity", "component", "variable"),
    ),
}
ITEMS: Final[dict[str, dict[str, Each]]] = {"ocpp2.0.1": _2X, "ocpp2.1": _2X}
"""OCPP version -> CSMS's action -> how its items are refused."""

WHY: Final = "this upstream may not do this"
"""Description of a CALLERROR."""


def refusal(version: str, call: Call, why: str = WHY) -> Result | Error:
    """The answer to a CALL that its CSMS may not send."""
    if (status := STATUS.get(version, {}).get(call.action)) is not None:
        return Result(call.id, Raw(b'{"status":"%s"}' % status.encode()))
    if (each := ITEMS.get(version, {}).get(call.action)) is not None:
        try:
            items = msgspec.json.decode(call.payload)[each.asked]
            return Result(call.id, Raw(encode({each.told: [_refused(each, item) for item in items]})))
        except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
            return Error(call.id, "FormationViolation", f"{each.asked} is missing")
    return Error(call.id, "SecurityError", why)


def _refused(each: Each, item: dict[str, Any]) -> dict[str, Any]:
    echoed = {member: item[member] for member in each.echo if member in item}
    return {**echoed, each.status: each.refused}
