"""Which CALLs an operator may send to a charger, and whether their payload is what OCPP wants. Pure."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from translators.models import v15, v16, v201
from translators.models.base import Request, decoder

MODELS: Final[dict[str, dict[str, type[Request[Any]]]]] = {
    "ocpp1.5": v15.ACTIONS,
    "ocpp1.6": v16.ACTIONS,
    "ocpp2.0.1": v201.ACTIONS,
}
"""Version -> action -> type of its payload."""

COMMON: Final = frozenset(
    (
        "CancelReservation", "ChangeAvailability", "ClearCache", "ClearChargingProfile", "ClearDisplayMessage",
        "ClearVariableMonitoring", "CostUpdated", "ExtendedTriggerMessage", "GetBaseReport", "GetChargingProfiles",
        "GetCompositeSchedule", "GetConfiguration", "GetDiagnostics", "GetDisplayMessages", "GetLocalListVersion",
        "GetLog", "GetMonitoringReport", "GetReport", "GetTransactionStatus", "GetVariables",
        "RemoteStartTransaction", "RemoteStopTransaction", "RequestStartTransaction", "RequestStopTransaction",
        "ReserveNow", "Reset", "SendLocalList", "SetChargingProfile", "SetDisplayMessage", "SetMonitoringBase",
        "SetMonitoringLevel", "SetVariableMonitoring", "TriggerMessage", "UnlockConnector",
    )
)  # fmt: skip
"""With the scope `operate`."""
GRAVE: Final = frozenset(
    (
        "CertificateSigned", "ChangeConfiguration", "CustomerInformation", "DataTransfer", "DeleteCertificate",
        "GetInstalledCertificateIds", "InstallCertificate", "PublishFirmware", "SetNetworkProfile", "SetVariables",
        "SignedUpdateFirmware", "UnpublishFirmware", "UpdateFirmware",
    )
)  # fmt: skip
"""Only with the scope `admin`: a mistake may cut the charger off, and some tell about persons."""


def refusal(version: str, action: str, scope: str) -> str:
    """Why a CALL with this action may not be sent; "" if it may."""
    if action not in COMMON and action not in GRAVE:
        return f"{action} is not on the list of what may be sent to a charger"
    if action in GRAVE and scope != "admin":
        return f"{action} needs the scope admin"
    if version in MODELS and action not in MODELS[version]:
        return f"{version} has no {action}"
    return ""


def errors(version: str, action: str, payload: bytes, *, answer: bool = False) -> list[str]:
    """What is wrong with the payload of a CALL, or of the answer to it. A version without models has no errors."""
    request = MODELS.get(version, {}).get(action)
    if request is None:
        return [f"{version} has no {action}"] if version in MODELS else []
    try:
        decoder(request.response if answer else request).decode(payload)
    except msgspec.MsgspecError as error:
        return [str(error)]
    except RecursionError:
        return ["the payload is nested too deeply"]
    return []
