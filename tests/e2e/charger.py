"""Chargers built on the `ocpp` package: two connectors, a meter, and sensible answers to every command of the tests."""

from __future__ import annotations

import itertools
from typing import Any

from ocpp.routing import after, on
from ocpp.v16 import ChargePoint as Station16
from ocpp.v16 import call as call16
from ocpp.v16 import call_result as result16
from ocpp.v201 import ChargePoint as Station201
from ocpp.v201 import call as call201
from ocpp.v201 import call_result as result201

from .plug import Charger


class Peer16(Station16):
    """The command side of a 1.6 charger."""

    charger: Charger16

    @on("RemoteStartTransaction")
    def remote_start(self, **_: Any) -> Any:
        return result16.RemoteStartTransaction(status="Accepted")

    @after("RemoteStartTransaction")
    def remotely_started(self, id_tag: str, connector_id: int = 1, **_: Any) -> None:
        self.charger.spawn(self.charger.start(connector_id, id_tag))

    @on("RemoteStopTransaction")
    def remote_stop(self, transaction_id: int) -> Any:
        known = transaction_id in self.charger.transactions
        return result16.RemoteStopTransaction(status="Accepted" if known else "Rejected")

    @after("RemoteStopTransaction")
    def remotely_stopped(self, transaction_id: int) -> None:
        if transaction_id in self.charger.transactions:
            self.charger.spawn(self.charger.stop(transaction_id, reason="Remote"))

    @on("Reset")
    def reset(self, **_: Any) -> Any:
        return result16.Reset(status="Accepted")

    @on("UnlockConnector")
    def unlock(self, **_: Any) -> Any:
        return result16.UnlockConnector(status="Unlocked")

    @on("ChangeAvailability")
    def change_availability(self, **_: Any) -> Any:
        return result16.ChangeAvailability(status="Accepted")

    @on("TriggerMessage")
    def trigger(self, **_: Any) -> Any:
        return result16.TriggerMessage(status="Accepted")

    @after("TriggerMessage")
    def triggered(self, requested_message: str, connector_id: int = 1) -> None:
        if requested_message == "StatusNotification":
            status = self.charger.statuses.get(connector_id, "Available")
            self.charger.spawn(self.charger.status(connector_id, status))
        elif requested_message == "Heartbeat":
            self.charger.spawn(self.charger.heartbeat())
        elif requested_message == "BootNotification":
            self.charger.spawn(self.charger.boot())
        elif requested_message == "MeterValues":
            self.charger.spawn(self.charger.meter_values(connector_id, context="Trigger"))

    @on("GetConfiguration")
    def get_configuration(self, key: list[str] | None = None) -> Any:
        config = self.charger.configuration
        wanted = key or list(config)
        known = [{"key": k, "readonly": k == "NumberOfConnectors", "value": config[k]} for k in wanted if k in config]
        unknown = [k for k in wanted if k not in config]
        return result16.GetConfiguration(configuration_key=known or None, unknown_key=unknown or None)

    @on("ChangeConfiguration")
    def change_configuration(self, key: str, value: str) -> Any:
        if key not in self.charger.configuration:
            return result16.ChangeConfiguration(status="NotSupported")
        self.charger.configuration[key] = value
        return result16.ChangeConfiguration(status="Accepted")

    @on("ClearCache")
    def clear_cache(self) -> Any:
        return result16.ClearCache(status="Accepted")

    @on("DataTransfer")
    def data_transfer(self, data: str | None = None, **_: Any) -> Any:
        return result16.DataTransfer(status="Accepted", data=data)


class Peer201(Station201):
    """The command side of a 2.0.1 charger."""

    charger: Charger201

    @on("RequestStartTransaction")
    def request_start(self, **_: Any) -> Any:
        return result201.RequestStartTransaction(status="Accepted")

    @after("RequestStartTransaction")
    def start_requested(self, id_token: dict[str, Any], remote_start_id: int, evse_id: int = 1, **_: Any) -> None:
        token = {"idToken": id_token["id_token"], "type": id_token["type"]}
        self.charger.spawn(self.charger.started(evse_id, token, trigger="RemoteStart", remote_start_id=remote_start_id))

    @on("RequestStopTransaction")
    def request_stop(self, transaction_id: str) -> Any:
        known = transaction_id in self.charger.transactions
        return result201.RequestStopTransaction(status="Accepted" if known else "Rejected")

    @after("RequestStopTransaction")
    def stop_requested(self, transaction_id: str) -> None:
        if transaction_id in self.charger.transactions:
            self.charger.spawn(self.charger.ended(transaction_id, trigger="RemoteStop", reason="Remote"))

    @on("Reset")
    def reset(self, **_: Any) -> Any:
        return result201.Reset(status="Accepted")

    @on("UnlockConnector")
    def unlock(self, **_: Any) -> Any:
        return result201.UnlockConnector(status="Unlocked")

    @on("ChangeAvailability")
    def change_availability(self, **_: Any) -> Any:
        return result201.ChangeAvailability(status="Accepted")

    @on("TriggerMessage")
    def trigger(self, **_: Any) -> Any:
        return result201.TriggerMessage(status="Accepted")

    @after("TriggerMessage")
    def triggered(self, requested_message: str, **_: Any) -> None:
        if requested_message == "StatusNotification":
            self.charger.spawn(self.charger.status(1, "Available"))
        elif requested_message == "Heartbeat":
            self.charger.spawn(self.charger.heartbeat())

    @on("GetVariables")
    def get_variables(self, get_variable_data: list[dict[str, Any]]) -> Any:
        return result201.GetVariables(
            get_variable_result=[
                {
                    "attribute_status": "Accepted",
                    "attribute_value": "300",
                    "component": item["component"],
                    "variable": item["variable"],
                }
                for item in get_variable_data
            ]
        )

    @on("SetVariables")
    def set_variables(self, set_variable_data: list[dict[str, Any]]) -> Any:
        return result201.SetVariables(
            set_variable_result=[
                {"attribute_status": "Accepted", "component": item["component"], "variable": item["variable"]}
                for item in set_variable_data
            ]
        )

    @on("GetBaseReport")
    def base_report(self, **_: Any) -> Any:
        return result201.GetBaseReport(status="Accepted")

    @after("GetBaseReport")
    def report(self, request_id: int, **_: Any) -> None:
        self.charger.spawn(self.charger.report(request_id))

    @on("ClearCache")
    def clear_cache(self, **_: Any) -> Any:
        return result201.ClearCache(status="Accepted")

    @on("DataTransfer")
    def data_transfer(self, data: Any = None, **_: Any) -> Any:
        return result201.DataTransfer(status="Accepted", data=data)


class Charger16(Charger):
    version = "ocpp1.6"
    peer_type = Peer16

    def __init__(self, url: str, identity: str, **options: Any) -> None:
        super().__init__(url, identity, **options)
        self.configuration = {"HeartbeatInterval": "300", "NumberOfConnectors": "2", "MeterValueSampleInterval": "60"}
        self.statuses: dict[int, str] = {}
        self.transactions: dict[int, int] = {}
        """transaction id -> connector"""

    async def boot(self) -> Any:
        return await self.call(
            call16.BootNotification(
                charge_point_vendor="ACME",
                charge_point_model="FastBox 22",
                charge_point_serial_number="SN-001",
                firmware_version="1.4.2",
            )
        )

    async def heartbeat(self) -> Any:
        return await self.call(call16.Heartbeat())

    async def status(self, connector: int, status: str, error: str = "NoError") -> Any:
        self.statuses[connector] = status
        return await self.call(
            call16.StatusNotification(connector_id=connector, error_code=error, status=status, timestamp=self.clock())
        )

    async def authorize(self, tag: str) -> str:
        answer = await self.call(call16.Authorize(id_tag=tag))
        status: str = answer.id_tag_info["status"]
        return status

    async def start(self, connector: int, tag: str, timestamp: str = "") -> int:
        answer = await self.call(
            call16.StartTransaction(
                connector_id=connector, id_tag=tag, meter_start=self.meter, timestamp=timestamp or self.clock()
            )
        )
        transaction: int = answer.transaction_id
        self.transactions[transaction] = connector
        return transaction

    async def meter_values(
        self, connector: int, transaction: int | None = None, context: str = "Sample.Periodic"
    ) -> Any:
        samples = [
            {
                "value": str(self.meter),
                "context": context,
                "measurand": "Energy.Active.Import.Register",
                "unit": "Wh",
            },
            {"value": "11.04", "context": context, "measurand": "Power.Active.Import", "unit": "kW"},
        ]
        return await self.call(
            call16.MeterValues(
                connector_id=connector,
                transaction_id=transaction,
                meter_value=[{"timestamp": self.clock(), "sampled_value": samples}],
            )
        )

    async def stop(self, transaction: int, *, reason: str = "Local", tag: str | None = None) -> Any:
        self.transactions.pop(transaction, None)
        return await self.call(
            call16.StopTransaction(
                transaction_id=transaction,
                meter_stop=self.meter,
                timestamp=self.clock(),
                reason=reason,
                id_tag=tag,
            )
        )


class Charger201(Charger):
    version = "ocpp2.0.1"
    peer_type = Peer201

    def __init__(self, url: str, identity: str, **options: Any) -> None:
        super().__init__(url, identity, **options)
        self.transactions: dict[str, int] = {}
        """transaction id -> next seqNo"""
        self._next_transaction = itertools.count(1)

    async def boot(self) -> Any:
        return await self.call(
            call201.BootNotification(
                charging_station={"vendor_name": "ACME", "model": "FastBox 22", "serial_number": "SN-001"},
                reason="PowerUp",
            )
        )

    async def heartbeat(self) -> Any:
        return await self.call(call201.Heartbeat())

    async def status(self, evse: int, status: str) -> Any:
        return await self.call(
            call201.StatusNotification(timestamp=self.clock(), connector_status=status, evse_id=evse, connector_id=1)
        )

    async def authorize(self, tag: str, kind: str = "ISO14443") -> str:
        answer = await self.call(call201.Authorize(id_token={"id_token": tag, "type": kind}))
        status: str = answer.id_token_info["status"]
        return status

    def _register(self, context: str) -> list[dict[str, Any]]:
        sample = {
            "value": self.meter,
            "context": context,
            "measurand": "Energy.Active.Import.Register",
            "unit_of_measure": {"unit": "Wh"},
        }
        return [{"timestamp": self.clock(), "sampled_value": [sample]}]

    async def _event(self, transaction: str, kind: str, trigger: str, info: dict[str, Any], **more: Any) -> Any:
        number = self.transactions[transaction]
        self.transactions[transaction] = number + 1
        return await self.call(
            call201.TransactionEvent(
                event_type=kind,
                timestamp=self.clock(),
                trigger_reason=trigger,
                seq_no=number,
                transaction_info={"transaction_id": transaction, **info},
                **more,
            )
        )

    async def started(
        self, evse: int, token: dict[str, str], *, trigger: str = "Authorized", remote_start_id: int | None = None
    ) -> str:
        transaction = f"{self.identity}-{next(self._next_transaction)}"
        self.transactions[transaction] = 0
        await self._event(
            transaction,
            "Started",
            trigger,
            {"charging_state": "Charging", "remote_start_id": remote_start_id},
            id_token=token,
            evse={"id": evse, "connector_id": 1},
            meter_value=self._register("Transaction.Begin"),
        )
        return transaction

    async def updated(self, transaction: str) -> Any:
        return await self._event(
            transaction, "Updated", "MeterValuePeriodic", {}, meter_value=self._register("Sample.Periodic")
        )

    async def ended(self, transaction: str, *, trigger: str = "StopAuthorized", reason: str = "Local") -> Any:
        answer = await self._event(
            transaction,
            "Ended",
            trigger,
            {"stopped_reason": reason},
            meter_value=self._register("Transaction.End"),
        )
        self.transactions.pop(transaction, None)
        return answer

    async def report(self, request_id: int) -> Any:
        return await self.call(
            call201.NotifyReport(
                request_id=request_id,
                generated_at=self.clock(),
                seq_no=0,
                report_data=[
                    {
                        "component": {"name": "OCPPCommCtrlr"},
                        "variable": {"name": "HeartbeatInterval"},
                        "variable_attribute": [{"type": "Actual", "value": "300"}],
                    }
                ],
            )
        )
