"""The demo's OCPP 2.0.1 CSMS: accepts every charger, and commands when the script tells it to."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

from ocpp.v201 import ChargePoint, call, call_result
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from gateway.demo.charger import PATIENCE, now, quiet
from gateway.demo.tap import Listener, Tap, answers

PRICE = 0.39
"""Of a kWh."""


class Station(ChargePoint):  # type: ignore[misc]
    """One connection of one charger: the answers, and the commands."""

    def __init__(self, identity: str, tap: Tap) -> None:
        super().__init__(identity, tap, response_timeout=PATIENCE, logger=quiet)
        self.transaction = ""
        self.reported = asyncio.Event()
        self._first = 0.0

    @answers("BootNotification")
    def boot(self, **_: Any) -> Any:
        return call_result.BootNotification(current_time=now(), interval=300, status="Accepted")

    @answers("Heartbeat")
    def heartbeat(self) -> Any:
        return call_result.Heartbeat(current_time=now())

    @answers("StatusNotification")
    def status(self, **_: Any) -> Any:
        return call_result.StatusNotification()

    @answers("NotifyEvent")
    def event(self, **_: Any) -> Any:
        return call_result.NotifyEvent()

    @answers("MeterValues")
    def meter_values(self, **_: Any) -> Any:
        return call_result.MeterValues()

    @answers("SecurityEventNotification")
    def security_event(self, **_: Any) -> Any:
        return call_result.SecurityEventNotification()

    @answers("FirmwareStatusNotification")
    def firmware_status(self, **_: Any) -> Any:
        return call_result.FirmwareStatusNotification()

    @answers("LogStatusNotification")
    def log_status(self, **_: Any) -> Any:
        return call_result.LogStatusNotification()

    @answers("DataTransfer")
    def data_transfer(self, **_: Any) -> Any:
        return call_result.DataTransfer(status="UnknownVendorId")

    @answers("NotifyReport")
    def report(self, tbc: bool = False, **_: Any) -> Any:
        if not tbc:
            self.reported.set()
        return call_result.NotifyReport()

    @answers("Authorize")
    def authorize(self, **_: Any) -> Any:
        """The group and the expiry have a place in 1.6, the rest does not."""
        tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat(timespec="seconds").replace("+00:00", "Z")
        return call_result.Authorize(
            id_token_info={
                "status": "Accepted",
                "cache_expiry_date_time": tomorrow,
                "group_id_token": {"id_token": "FLEET-7", "type": "Central"},
                "language1": "en",
            }
        )

    @answers("TransactionEvent")
    def transaction_event(
        self,
        event_type: str,
        transaction_info: dict[str, Any],
        meter_value: list[dict[str, Any]] | None = None,
        id_token: dict[str, Any] | None = None,
        **_: Any,
    ) -> Any:
        energy = _register(meter_value or [])
        if event_type == "Started":
            self.transaction, self._first = transaction_info["transaction_id"], energy or 0.0
        cost = None
        if energy is not None and event_type != "Started":
            cost = round((energy - self._first) / 1000 * PRICE, 2)
        info = {"status": "Accepted"} if id_token else None
        return call_result.TransactionEvent(id_token_info=info, total_cost=cost)

    async def _call(self, request: Any) -> Any:
        """Raises `ocpp.exceptions.OCPPError` for a CALLERROR, TimeoutError without an answer."""
        return await self.call(request, suppress=False)

    async def get_variables(self, *variables: tuple[str, str]) -> list[str]:
        """(component, variable) -> values; an empty one where there is none."""
        answer = await self._call(
            call.GetVariables(
                get_variable_data=[{"component": {"name": c}, "variable": {"name": v}} for c, v in variables]
            )
        )
        return [str(item.get("attribute_value", "")) for item in answer.get_variable_result]

    async def set_variables(self, *variables: tuple[str, str, str]) -> list[str]:
        """(component, variable, value) -> statuses."""
        answer = await self._call(
            call.SetVariables(
                set_variable_data=[
                    {"component": {"name": c}, "variable": {"name": v}, "attribute_value": value}
                    for c, v, value in variables
                ]
            )
        )
        return [str(item["attribute_status"]) for item in answer.set_variable_result]

    async def request_start(self, number: int, token: str) -> str:
        answer = await self._call(
            call.RequestStartTransaction(
                id_token={"id_token": token, "type": "ISO14443"}, remote_start_id=number, evse_id=1
            )
        )
        return str(answer.status)

    async def request_stop(self) -> str:
        answer = await self._call(call.RequestStopTransaction(transaction_id=self.transaction))
        return str(answer.status)

    async def trigger_meter_values(self) -> str:
        answer = await self._call(call.TriggerMessage(requested_message="MeterValues", evse={"id": 1}))
        return str(answer.status)

    async def unlock(self) -> str:
        answer = await self._call(call.UnlockConnector(evse_id=1, connector_id=1))
        return str(answer.status)

    async def base_report(self, number: int) -> str:
        self.reported.clear()
        answer = await self._call(call.GetBaseReport(request_id=number, report_base="ConfigurationInventory"))
        return str(answer.status)


def _register(meter_values: list[dict[str, Any]]) -> float | None:
    found = None
    for meter_value in meter_values:
        for sample in meter_value["sampled_value"]:
            if sample.get("measurand", "Energy.Active.Import.Register") == "Energy.Active.Import.Register":
                found = float(sample["value"])
    return found


class Csms:
    """The server, by default on a free port of the local host."""

    def __init__(self, listener: Listener, host: str = "127.0.0.1", port: int = 0) -> None:
        self.port = port
        self._host = host
        self._listener = listener
        self._server: Server | None = None
        self._stations: dict[str, Station] = {}
        self._arrived = asyncio.Condition()

    async def start(self) -> None:
        self._server = await serve(
            self._connected,
            self._host,
            self.port,
            subprotocols=[Subprotocol("ocpp2.0.1")],
            compression=None,
            close_timeout=2,
        )
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def station(self, identity: str) -> Station:
        """Waits until the gateway has connected for this charger. Raises TimeoutError."""
        async with asyncio.timeout(PATIENCE), self._arrived:
            await self._arrived.wait_for(lambda: identity in self._stations)
            return self._stations[identity]

    async def _connected(self, socket: ServerConnection) -> None:
        identity = unquote(socket.request.path.rsplit("/", 1)[-1]) if socket.request is not None else ""
        station = Station(identity, Tap(socket, "csms", identity, self._listener))
        async with self._arrived:
            self._stations[identity] = station
            self._arrived.notify_all()
        with contextlib.suppress(ConnectionClosed):
            await station.start()
        if self._stations.get(identity) is station:
            del self._stations[identity]
