"""Charging sessions of each version, message by message, and what the answering sides say. No two messages are equal."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from translators.frames import Side

START_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z."""

CONFIGURATION = {
    "AuthorizeRemoteTxRequests": "true",
    "ClockAlignedDataInterval": "900",
    "ConnectionTimeOut": "60",
    "ConnectorPhaseRotation": "0.RST,1.RST",
    "GetConfigurationMaxKeys": "50",
    "HeartbeatInterval": "300",
    "LocalAuthorizeOffline": "true",
    "LocalAuthListEnabled": "true",
    "LocalAuthListMaxLength": "500",
    "LocalPreAuthorize": "false",
    "MeterValuesAlignedData": "Energy.Active.Import.Register",
    "MeterValuesSampledData": "Energy.Active.Import.Register,Power.Active.Import,SoC,Power.Offered",
    "MeterValueSampleInterval": "60",
    "NumberOfConnectors": "1",
    "ResetRetries": "3",
    "SendLocalListMaxLength": "100",
    "StopTransactionOnEVSideDisconnect": "true",
    "StopTransactionOnInvalidId": "true",
    "StopTxnAlignedData": "",
    "StopTxnSampledData": "Energy.Active.Import.Register",
    "SupportedFeatureProfiles": "Core,FirmwareManagement,LocalAuthListManagement,SmartCharging,RemoteTrigger",
    "TransactionMessageAttempts": "3",
    "TransactionMessageRetryInterval": "60",
    "UnlockConnectorOnEVSideDisconnect": "true",
    "WebSocketPingInterval": "60",
    "ChargeProfileMaxStackLevel": "8",
    "ChargingScheduleAllowedChargingRateUnit": "Current,Power",
    "ChargingScheduleMaxPeriods": "24",
    "MaxChargingProfilesInstalled": "10",
    "VendorDisplayBrightness": "70",
}

KINDS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "ocpp1.5": (
        ("Energy.Active.Import.Register", "Wh", ""),
        ("Power.Active.Import", "W", ""),
        ("Current.Import", "Amp", ""),
        ("Voltage", "Volt", ""),
        ("Energy.Active.Export.Register", "Wh", ""),
        ("Energy.Reactive.Import.Register", "varh", ""),
        ("Energy.Active.Import.Interval", "Wh", ""),
        ("Power.Active.Export", "W", ""),
        ("Current.Export", "Amp", ""),
        ("Power.Reactive.Import", "var", ""),
    ),
    "ocpp1.6": (
        ("Energy.Active.Import.Register", "Wh", ""),
        ("Power.Active.Import", "W", ""),
        ("SoC", "Percent", ""),
        ("Power.Offered", "W", ""),
        *(("Current.Import", "A", f"L{n}") for n in (1, 2, 3)),
        *(("Voltage", "V", f"L{n}") for n in (1, 2, 3)),
    ),
}
"""(measurand, unit, phase) of ten samples."""


class Turn(NamedTuple):
    """One CALL. `name` is the row it counts for, empty for none."""

    name: str
    side: Side
    action: str
    payload: Callable[[], dict[str, Any]]


class Script:
    """What charger and CSMS of two versions say to each other."""

    def __init__(self, charger: str, csms: str) -> None:
        self.charger, self.csms = charger, csms
        self.clock = START_MS
        self.count = 0
        self.tx = 0
        """The charger's current transaction: its number for 1.x."""

    def stamp(self) -> str:
        """A new time for each message, one second apart."""
        self.clock += 1000
        return self.now()

    def now(self) -> str:
        seconds = (self.clock - START_MS) // 1000
        return f"2026-01-01T{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}Z"

    def answer(self, side: Side, action: str, asked: dict[str, Any]) -> dict[str, Any]:
        """What `side` answers to a CALL: it accepts everything. A 2.0.1 charger has no report of its device model."""
        version = self.charger if side == "charger" else self.csms
        match action:
            case "BootNotification" if version == "ocpp1.5":
                return {"currentTime": self.now(), "heartbeatInterval": 3600, "status": "Accepted"}
            case "BootNotification":
                return {"currentTime": self.now(), "interval": 3600, "status": "Accepted"}
            case "Heartbeat":
                return {"currentTime": self.now()}
            case "TransactionEvent" | "Authorize" if version == "ocpp2.0.1":
                return {"idTokenInfo": {"status": "Accepted"}} if "idToken" in asked else {}
            case "StartTransaction":
                return {"transactionId": 1000 + self.tx, "idTagInfo": {"status": "Accepted"}}
            case "Authorize" | "StopTransaction":
                return {"idTagInfo": {"status": "Accepted"}}
            case "GetConfiguration":
                wanted = asked.get("key") or list(CONFIGURATION)
                known = [key for key in wanted if key in CONFIGURATION]
                return {
                    "configurationKey": [{"key": key, "readonly": False, "value": CONFIGURATION[key]} for key in known],
                    "unknownKey": [key for key in wanted if key not in CONFIGURATION],
                }
            case "DataTransfer" | "RemoteStartTransaction" | "TriggerMessage":
                return {"status": "Accepted"}
            case "GetBaseReport" | "GetReport":
                return {"status": "NotSupported"}
            case "GetVariables":
                unknown = {"attributeStatus": "UnknownVariable"}
                return {"getVariableResult": [{**unknown, **each} for each in asked["getVariableData"]]}
        return {}

    def boot(self) -> list[Turn]:
        """What a charger says first."""
        connectors = (1,) if self.charger == "ocpp2.0.1" else (0, 1)
        turns = [Turn("BootNotification", "charger", "BootNotification", self._boot)]
        for at in connectors:
            turns.append(Turn("", "charger", "StatusNotification", partial(self._status, at, "Available")))
        return turns

    def session(self) -> list[Turn]:
        """A charging session with what else is frequent, in order."""
        return self._session201() if self.charger == "ocpp2.0.1" else self._session1x()

    def plain(self) -> list[Turn]:
        """A charging session alone."""
        if self.charger == "ocpp2.0.1":
            return self._session201()
        return [turn for turn in self._session1x() if turn.side == "charger" and turn.name]

    def _boot(self) -> dict[str, Any]:
        self.stamp()
        if self.charger == "ocpp2.0.1":
            return {"reason": "PowerUp", "chargingStation": {"vendorName": "Bench", "model": "Lean"}}
        return {"chargePointVendor": "Bench", "chargePointModel": "Lean"}

    def _status(self, connector: int, status: str) -> dict[str, Any]:
        if self.charger == "ocpp2.0.1":
            where = {"evseId": connector, "connectorId": 1}
            return {"timestamp": self.stamp(), "connectorStatus": status, **where}
        return {"connectorId": connector, "errorCode": "NoError", "status": status, "timestamp": self.stamp()}

    # chargers of 1.5 and 1.6

    def _session1x(self) -> list[Turn]:
        plugged = "Occupied" if self.charger == "ocpp1.5" else "Preparing"
        turns = [
            Turn("Authorize", "charger", "Authorize", self._authorize),
            Turn("StatusNotification", "charger", "StatusNotification", lambda: self._status(1, plugged)),
            Turn("StartTransaction", "charger", "StartTransaction", self._start),
            *(Turn(f"MeterValues x{n}", "charger", "MeterValues", partial(self._meter_values, n)) for n in (1, 4, 10)),
            Turn("StopTransaction", "charger", "StopTransaction", self._stop),
            Turn("StatusNotification", "charger", "StatusNotification", lambda: self._status(1, "Available")),
            Turn("Heartbeat", "charger", "Heartbeat", self._heartbeat),
            Turn("DataTransfer", "charger", "DataTransfer", self._data),
        ]
        if self.csms == "ocpp2.0.1":
            turns += [
                Turn("GetVariables (command)", "csms", "GetVariables", self._variables),
                Turn("RequestStartTransaction (command)", "csms", "RequestStartTransaction", self._remote_start),
                Turn("", "charger", "StartTransaction", self._start),
                Turn("", "charger", "StopTransaction", self._stop),
            ]
        return turns

    def _tag(self, number: int) -> str:
        return f"TAG{number:08d}"

    def _heartbeat(self) -> dict[str, Any]:
        self.stamp()
        return {}

    def _authorize(self) -> dict[str, Any]:
        self.stamp()
        return {"idTag": self._tag(self.tx + 1)}

    def _data(self) -> dict[str, Any]:
        self.stamp()
        return {"vendorId": "org.example.bench", "messageId": "Note", "data": f"text {self.count}"}

    def _start(self) -> dict[str, Any]:
        self.tx += 1
        start = {"connectorId": 1, "idTag": self._tag(self.tx), "meterStart": self.tx * 2000}
        return {**start, "timestamp": self.stamp()}

    def _stop(self) -> dict[str, Any]:
        stop: dict[str, Any] = {"transactionId": self.tx, "idTag": self._tag(self.tx)}
        stop |= {"meterStop": self.tx * 2000 + 1000}
        sample = {"value": "1", "measurand": "Energy.Active.Import.Register", "unit": "Wh"}
        contexts = ("Transaction.Begin", "Transaction.End")
        if self.charger == "ocpp1.5":
            values = [{"timestamp": self.stamp(), "values": [sample]} for _ in contexts]
            return {**stop, "timestamp": self.stamp(), "transactionData": [{"values": values}]}
        data = [{"timestamp": self.stamp(), "sampledValue": [{**sample, "context": context}]} for context in contexts]
        return {**stop, "timestamp": self.stamp(), "reason": "Local", "transactionData": data}

    def _meter_values(self, samples: int) -> dict[str, Any]:
        values = []
        for at, (measurand, unit, phase) in enumerate(KINDS[self.charger][:samples]):
            reading = f"{self.tx * 2000 + self.count % 900 + at}.5"
            value = {"value": reading, "context": "Sample.Periodic", "format": "Raw", "measurand": measurand}
            values.append(value | {"location": "Outlet", "unit": unit} | ({"phase": phase} if phase else {}))
        head = {"connectorId": 1, "transactionId": self.tx}
        if self.charger == "ocpp1.5":
            return {**head, "values": [{"timestamp": self.stamp(), "values": values}]}
        return {**head, "meterValue": [{"timestamp": self.stamp(), "sampledValue": values}]}

    # commands of a 2.0.1 CSMS

    def _variables(self) -> dict[str, Any]:
        self.stamp()
        names = (("OCPPCommCtrlr", "HeartbeatInterval"), ("SampledDataCtrlr", "TxUpdatedInterval"))
        return {"getVariableData": [{"component": {"name": c}, "variable": {"name": v}} for c, v in names]}

    def _remote_start(self) -> dict[str, Any]:
        self.stamp()
        token = {"idToken": self._tag(self.tx + 1), "type": "ISO14443"}
        return {"evseId": 1, "remoteStartId": self.tx, "idToken": token}

    # chargers of 2.0.1

    def _session201(self) -> list[Turn]:
        return [
            Turn("StatusNotification", "charger", "StatusNotification", lambda: self._status(1, "Occupied")),
            Turn("TransactionEvent Started", "charger", "TransactionEvent", self._started),
            Turn("TransactionEvent Updated x4", "charger", "TransactionEvent", self._updated),
            Turn("TransactionEvent Ended", "charger", "TransactionEvent", self._ended),
            Turn("StatusNotification", "charger", "StatusNotification", lambda: self._status(1, "Available")),
            Turn("Heartbeat", "charger", "Heartbeat", self._heartbeat),
        ]

    def _event(self, kind: str, trigger: str, seq: int, info: dict[str, Any], values: list[Any]) -> dict[str, Any]:
        info = {"transactionId": f"bench-{self.tx:010d}", **info}
        when = self.stamp()
        meter = [{"timestamp": when, "sampledValue": values}]
        event = {"eventType": kind, "timestamp": when, "triggerReason": trigger, "seqNo": seq, "transactionInfo": info}
        return {**event, "evse": {"id": 1, "connectorId": 1}, "meterValue": meter}

    def _register(self, context: str, more: int) -> dict[str, Any]:
        value = self.tx * 2000 + more
        unit = {"unit": "Wh"}
        return {
            "value": value,
            "context": context,
            "measurand": "Energy.Active.Import.Register",
            "unitOfMeasure": unit,
        }

    def _started(self) -> dict[str, Any]:
        self.tx += 1
        token = {"idToken": self._tag(self.tx), "type": "ISO14443"}
        event = self._event(
            "Started", "Authorized", 0, {"chargingState": "Charging"}, [self._register("Transaction.Begin", 0)]
        )
        return {**event, "idToken": token}

    def _updated(self) -> dict[str, Any]:
        values = [self._register("Sample.Periodic", 500)]
        for measurand, unit in (("Power.Active.Import", "W"), ("SoC", "Percent"), ("Power.Offered", "W")):
            value = self.count % 90 + 0.5
            sample = {"value": value, "context": "Sample.Periodic", "measurand": measurand, "location": "Outlet"}
            values.append({**sample, "unitOfMeasure": {"unit": unit}})
        return self._event("Updated", "MeterValuePeriodic", 1, {"chargingState": "Charging"}, values)

    def _ended(self) -> dict[str, Any]:
        info = {"chargingState": "Idle", "stoppedReason": "Local"}
        token = {"idToken": self._tag(self.tx), "type": "ISO14443"}
        event = self._event("Ended", "StopAuthorized", 2, info, [self._register("Transaction.End", 1000)])
        return {**event, "idToken": token}
