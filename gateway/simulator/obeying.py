"""What a simulated charger answers to the commands of a CSMS, and what it then does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from gateway.cli.plain_answers import plain_answer

from .profile import Profile
from .voices import Session

if TYPE_CHECKING:
    from .charger import SimulatedCharger

READ_ONLY: Final = frozenset(("NumberOfConnectors", "SupportedFeatureProfiles"))


class Plug:
    """A connector: what a CSMS wants of it, and the session that goes on."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.session: Session | None = None
        self.tag = ""
        """Of a remote start; empty: a driver came by himself."""
        self.remote = 0
        """remoteStartId of it in 2.0.1."""
        self.start = asyncio.Event()
        self.stop = asyncio.Event()


def configuration(profile: Profile) -> dict[str, str]:
    """Configuration keys of 1.x, by name."""
    return {
        "HeartbeatInterval": str(round(profile.heartbeat)),
        "MeterValueSampleInterval": str(round(profile.meter)),
        "MeterValuesSampledData": "Energy.Active.Import.Register,Power.Active.Import",
        "ConnectionTimeOut": "60",
        "AuthorizeRemoteTxRequests": "false",
        "NumberOfConnectors": str(profile.connectors),
        "SupportedFeatureProfiles": "Core,RemoteTrigger",
    }


def obey(charger: SimulatedCharger, action: str, payload: dict[str, Any]) -> tuple[dict[str, Any] | None, str]:
    """The payload of the answer (None: it knows no such action), and what comes after it: "reset", the name of a message that
    was triggered, or nothing."""
    version, keys = charger.version, charger.configuration
    match action:
        case "RemoteStartTransaction" | "RequestStartTransaction":
            return {"status": "Accepted" if _start(charger, payload) else "Rejected"}, ""
        case "RemoteStopTransaction" | "RequestStopTransaction":
            wanted = payload.get("transactionId")
            for plug in charger.plugs:
                session = plug.session
                if session is not None and wanted in (session.number, session.id):
                    plug.stop.set()
                    return {"status": "Accepted"}, ""
            return {"status": "Rejected"}, ""
        case "Reset":
            return {"status": "Accepted"}, "reset"
        case "UnlockConnector":
            number = payload.get("evseId", payload.get("connectorId"))
            unlocked = next((each for each in charger.plugs if each.number == number), None)
            if unlocked is not None and unlocked.session is not None and version != "ocpp2.0.1":
                unlocked.stop.set()
            known = "Unlocked" if version != "ocpp1.5" else "Accepted"
            unknown = {"ocpp2.0.1": "UnknownConnector", "ocpp1.6": "UnlockFailed"}.get(version, "Rejected")
            return {"status": unknown if unlocked is None else known}, ""
        case "GetConfiguration":
            asked = payload.get("key") or list(keys)
            found = [{"key": k, "readonly": k in READ_ONLY, "value": keys[k]} for k in asked if k in keys]
            return {"configurationKey": found, "unknownKey": [k for k in asked if k not in keys]}, ""
        case "ChangeConfiguration":
            key = str(payload.get("key"))
            if key not in keys or key in READ_ONLY:
                return {"status": "Rejected" if key in keys else "NotSupported"}, ""
            keys[key] = str(payload.get("value"))
            return {"status": "Accepted"}, ""
        case "GetVariables":
            return {"getVariableResult": [_variable(keys, each) for each in payload["getVariableData"]]}, ""
        case "SetVariables":
            return {"setVariableResult": [_set(keys, each) for each in payload["setVariableData"]]}, ""
        case "TriggerMessage":
            wanted = str(payload.get("requestedMessage"))
            able = wanted in ("Heartbeat", "BootNotification", "StatusNotification")
            return {"status": "Accepted" if able else "NotImplemented"}, wanted if able else ""
    return plain_answer(version, action, payload), ""


def _start(charger: SimulatedCharger, payload: dict[str, Any]) -> bool:
    number = payload.get("evseId", payload.get("connectorId"))
    token = payload.get("idToken")
    for plug in charger.plugs:
        if number in (None, plug.number) and plug.session is None and not plug.start.is_set():
            plug.tag = str(token["idToken"] if isinstance(token, dict) else payload.get("idTag"))
            plug.remote = int(payload.get("remoteStartId", 0))
            plug.start.set()
            return True
    return False


_VARIABLES: Final = {
    ("OCPPCommCtrlr", "HeartbeatInterval"): "HeartbeatInterval",
    ("SampledDataCtrlr", "TxUpdatedInterval"): "MeterValueSampleInterval",
    ("SampledDataCtrlr", "TxUpdatedMeasurands"): "MeterValuesSampledData",
    ("TxCtrlr", "EVConnectionTimeOut"): "ConnectionTimeOut",
    ("AuthCtrlr", "AuthorizeRemoteStart"): "AuthorizeRemoteTxRequests",
}


def _key(asked: dict[str, Any]) -> str:
    return _VARIABLES.get((asked["component"]["name"], asked["variable"]["name"]), "")


def _variable(keys: dict[str, str], asked: dict[str, Any]) -> dict[str, Any]:
    named = {"component": asked["component"], "variable": asked["variable"]}
    key = _key(asked)
    if not key:
        return {"attributeStatus": "UnknownVariable", **named}
    return {"attributeStatus": "Accepted", "attributeValue": keys[key], **named}


def _set(keys: dict[str, str], asked: dict[str, Any]) -> dict[str, Any]:
    key = _key(asked)
    if key:
        keys[key] = str(asked["attributeValue"])
    status = "Accepted" if key else "UnknownVariable"
    return {"attributeStatus": status, "component": asked["component"], "variable": asked["variable"]}
