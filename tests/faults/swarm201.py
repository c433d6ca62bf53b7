"""Chargers of the swarm that speak OCPP 2.0.1."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from .backend import coarse
from .history import Said
from .swarm import Charger

TOKEN = {"idToken": "04A1B2C3", "type": "ISO14443"}


def obliging(action: str, payload: dict[str, Any]) -> dict[str, Any] | None:
    """Accepts every command of these tests, and knows no variable."""
    if action == "GetVariables":
        return {
            "getVariableResult": [
                {"attributeStatus": "UnknownVariable", "component": each["component"], "variable": each["variable"]}
                for each in payload["getVariableData"]
            ]
        }
    if action == "SetVariables":
        return {
            "setVariableResult": [
                {"attributeStatus": "UnknownVariable", "component": each["component"], "variable": each["variable"]}
                for each in payload["setVariableData"]
            ]
        }
    if action in ("GetBaseReport", "GetReport"):
        return {"status": "NotSupported"}
    if action == "TriggerMessage":
        return {"status": "NotImplemented"}
    return {"status": "Accepted"}


class Charger201(Charger):
    """The same life in the words of 2.0.1: a transaction is three kinds of TransactionEvent."""

    version = "ocpp2.0.1"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{"command": obliging, **options})
        self.history.modern |= {self.identity}
        self._transaction = ""
        self._seq = 0

    async def boot(self) -> dict[str, Any] | None:
        firmware = f"1.0.{self._dice.randrange(1 << 30)}"
        station = {"vendorName": "ACME", "model": "Swarm", "firmwareVersion": firmware}
        payload = {"reason": "PowerUp", "chargingStation": station}
        return await self.tell(Said(self.identity, "boot", firmware), "BootNotification", payload)

    async def status(self, status: str) -> None:
        at, value = self.clock(), coarse(status)
        payload = {"timestamp": at, "connectorStatus": value, "evseId": 1, "connectorId": 1}
        await self.tell(Said(self.identity, "status", at, value=value), "StatusNotification", payload)

    async def start(self) -> int:
        self.begun, self._transaction, self._seq = self.clock(), str(uuid4()), 0
        more = {"idToken": TOKEN, "evse": {"id": 1, "connectorId": 1}}
        said = self._said("start", self.begun)
        await self.tell(
            said, "TransactionEvent", self._event("Started", "Authorized", self.begun, "Transaction.Begin", more)
        )
        return 0

    async def meter(self) -> None:
        self.register += self._dice.randrange(1, 100)
        at = self.clock()
        payload = self._event("Updated", "MeterValuePeriodic", at, "Sample.Periodic", {})
        await self.tell(self._said("meter", at), "TransactionEvent", payload)

    async def stop(self) -> None:
        at = self.clock()
        payload = self._event("Ended", "StopAuthorized", at, "Transaction.End", {"idToken": TOKEN})
        payload["transactionInfo"]["stoppedReason"] = "Local"
        await self.tell(self._said("stop", at), "TransactionEvent", payload)

    def _event(self, event: str, trigger: str, at: str, context: str, more: dict[str, Any]) -> dict[str, Any]:
        seq, self._seq = self._seq, self._seq + 1
        sample = {"value": self.register, "context": context, "measurand": "Energy.Active.Import.Register"}
        info = {"transactionId": self._transaction, "chargingState": "Idle" if event == "Ended" else "Charging"}
        return {
            "eventType": event,
            "timestamp": at,
            "triggerReason": trigger,
            "seqNo": seq,
            "transactionInfo": info,
            "meterValue": [{"timestamp": at, "sampledValue": [sample]}],
            **more,
        }
