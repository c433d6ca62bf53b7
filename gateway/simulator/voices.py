"""What a charger says in each OCPP version. Pure: times are given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol, TypeAlias

from .profile import Profile

Said: TypeAlias = tuple[str, dict[str, Any]]
"""Action and payload."""


class Session:
    """A car at a connector."""

    def __init__(self, connector: int, tag: str, meter: int, id: str) -> None:
        self.connector, self.tag, self.meter, self.id = connector, tag, meter, id
        self.began_with = meter
        self.number: int | None = None
        """What a 1.x CSMS calls it; None: not known yet."""
        self.seq = 0
        self.remote = 0
        """remoteStartId of the request that began it; 0: none did."""
        self.stopped_remotely = False


class Voice(Protocol):
    """One version."""

    def boot(self, profile: Profile, serial: str) -> Said: ...
    def status(self, connector: int, status: str, at: str) -> Said: ...
    def authorize(self, tag: str) -> Said: ...
    def start(self, session: Session, at: str, offline: bool) -> Said: ...
    def meter(self, session: Session, watts: float, at: str, offline: bool) -> Said: ...
    def stop(self, session: Session, at: str, offline: bool) -> Said: ...


class Voice16:
    """OCPP 1.6, and with `old` 1.5."""

    def __init__(self, *, old: bool = False) -> None:
        self._old = old

    def boot(self, profile: Profile, serial: str) -> Said:
        return "BootNotification", {
            "chargePointVendor": profile.vendor, "chargePointModel": profile.model, "chargePointSerialNumber": serial,
            "firmwareVersion": "1.4.2",
        }  # fmt: skip

    def status(self, connector: int, status: str, at: str) -> Said:
        status = (
            {"Preparing": "Occupied", "Charging": "Occupied", "Finishing": "Occupied"}.get(status, status)
            if self._old
            else status
        )
        return "StatusNotification", {
            "connectorId": connector,
            "errorCode": "NoError",
            "status": status,
            "timestamp": at,
        }

    def authorize(self, tag: str) -> Said:
        return "Authorize", {"idTag": tag}

    def start(self, session: Session, at: str, offline: bool) -> Said:
        return "StartTransaction", {
            "connectorId": session.connector, "idTag": session.tag, "meterStart": session.meter, "timestamp": at,
        }  # fmt: skip

    def meter(self, session: Session, watts: float, at: str, offline: bool) -> Said:
        values = [
            {"value": str(session.meter), "measurand": "Energy.Active.Import.Register", "unit": "Wh"},
            {"value": f"{watts:.0f}", "measurand": "Power.Active.Import", "unit": "W"},
        ]
        number = session.number or 0
        if self._old:
            old = [{"timestamp": at, "value": values}]
            return "MeterValues", {"connectorId": session.connector, "transactionId": number, "values": old}
        sample = [{"timestamp": at, "sampledValue": values}]
        return "MeterValues", {"connectorId": session.connector, "transactionId": number, "meterValue": sample}

    def stop(self, session: Session, at: str, offline: bool) -> Said:
        said = {"transactionId": session.number or 0, "idTag": session.tag, "meterStop": session.meter, "timestamp": at}
        return "StopTransaction", said if self._old else {**said, "reason": _reason(session)}


class Voice201:
    """OCPP 2.0.1: one connector per EVSE."""

    def boot(self, profile: Profile, serial: str) -> Said:
        station = {
            "vendorName": profile.vendor,
            "model": profile.model,
            "serialNumber": serial,
            "firmwareVersion": "1.4.2",
        }
        return "BootNotification", {"reason": "PowerUp", "chargingStation": station}

    def status(self, connector: int, status: str, at: str) -> Said:
        status = "Available" if status == "Available" else "Occupied"
        return "StatusNotification", {"timestamp": at, "connectorStatus": status, "evseId": connector, "connectorId": 1}

    def authorize(self, tag: str) -> Said:
        return "Authorize", {"idToken": {"idToken": tag, "type": "ISO14443"}}

    def start(self, session: Session, at: str, offline: bool) -> Said:
        trigger = "RemoteStart" if session.remote else "Authorized"
        return self._event("Started", trigger, session, at, offline, None)

    def meter(self, session: Session, watts: float, at: str, offline: bool) -> Said:
        return self._event("Updated", "MeterValuePeriodic", session, at, offline, watts)

    def stop(self, session: Session, at: str, offline: bool) -> Said:
        trigger = "RemoteStop" if session.stopped_remotely else "EVCommunicationLost"
        return self._event("Ended", trigger, session, at, offline, 0.0)

    def _event(self, kind: str, trigger: str, session: Session, at: str, offline: bool, watts: float | None) -> Said:
        info: dict[str, Any] = {"transactionId": session.id}
        info |= {"stoppedReason": _reason(session)} if kind == "Ended" else {"chargingState": "Charging"}
        if session.remote and kind == "Started":
            info["remoteStartId"] = session.remote
        values: list[dict[str, Any]] = [
            {"value": session.meter, "measurand": "Energy.Active.Import.Register", "unitOfMeasure": {"unit": "Wh"}}
        ]
        if watts is not None:
            values.append({"value": round(watts), "measurand": "Power.Active.Import", "unitOfMeasure": {"unit": "W"}})
        said: dict[str, Any] = {
            "eventType": kind, "timestamp": at, "triggerReason": trigger, "seqNo": session.seq, "transactionInfo": info,
            "evse": {"id": session.connector, "connectorId": 1}, "meterValue": [{"timestamp": at, "sampledValue": values}],
        }  # fmt: skip
        if kind != "Updated":
            said["idToken"] = {"idToken": session.tag, "type": "ISO14443"}
        if offline:
            said["offline"] = True
        session.seq += 1
        return "TransactionEvent", said


def _reason(session: Session) -> str:
    return "Remote" if session.stopped_remotely else "EVDisconnected"


VOICES: Final[dict[str, Callable[[], Voice]]] = {
    "ocpp1.5": lambda: Voice16(old=True),
    "ocpp1.6": Voice16,
    "ocpp2.0.1": Voice201,
}
