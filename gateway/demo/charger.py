"""The demo's OCPP 1.6 charger: one connector, a meter, and an answer to every command of the demo's CSMS."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import UTC, datetime
from typing import Any

from ocpp.v16 import ChargePoint, call, call_result
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from gateway.demo.tap import Listener, Tap, answers

PATIENCE = 15
"""How long an answer may take, s."""

quiet = logging.getLogger("gateway.demo.peers")
quiet.addHandler(logging.NullHandler())
quiet.propagate = False


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Peer(ChargePoint):  # type: ignore[misc]
    """The answers to commands."""

    charger: Charger

    @answers("GetConfiguration")
    def get_configuration(self, key: list[str] | None = None) -> Any:
        known = self.charger.configuration
        entries = [
            {"key": name, "readonly": name in READ_ONLY, "value": known[name]}
            for name in (key or known)
            if name in known
        ]
        unknown = [name for name in key or () if name not in known]
        return call_result.GetConfiguration(configuration_key=entries or None, unknown_key=unknown or None)

    @answers("ChangeConfiguration")
    def change_configuration(self, key: str, value: str) -> Any:
        if key not in self.charger.configuration:
            return call_result.ChangeConfiguration(status="NotSupported")
        if key in READ_ONLY:
            return call_result.ChangeConfiguration(status="Rejected")
        self.charger.configuration[key] = value
        return call_result.ChangeConfiguration(status="Accepted")

    @answers("RemoteStartTransaction")
    def remote_start(self, **_: Any) -> Any:
        return call_result.RemoteStartTransaction(status="Accepted")

    @answers("RemoteStopTransaction")
    def remote_stop(self, transaction_id: int) -> Any:
        known = transaction_id == self.charger.transaction
        return call_result.RemoteStopTransaction(status="Accepted" if known else "Rejected")

    @answers("TriggerMessage")
    def trigger(self, **_: Any) -> Any:
        return call_result.TriggerMessage(status="Accepted")

    @answers("UnlockConnector")
    def unlock(self, **_: Any) -> Any:
        return call_result.UnlockConnector(status="Unlocked")

    @answers("ChangeAvailability")
    def change_availability(self, **_: Any) -> Any:
        return call_result.ChangeAvailability(status="Accepted")

    @answers("ClearCache")
    def clear_cache(self) -> Any:
        return call_result.ClearCache(status="Accepted")


READ_ONLY = {"NumberOfConnectors", "SupportedFeatureProfiles", "GetConfigurationMaxKeys"}


class Charger:
    """One charger on one connection after the other. Its register counts Wh."""

    def __init__(self, url: str, identity: str, listener: Listener) -> None:
        self.identity = identity
        self.register = 48_000
        self.transaction = 0
        self.configuration = {
            "AuthorizeRemoteTxRequests": "true",
            "ConnectionTimeOut": "60",
            "GetConfigurationMaxKeys": "20",
            "HeartbeatInterval": "300",
            "MeterValueSampleInterval": "60",
            "NumberOfConnectors": "1",
            "SupportedFeatureProfiles": "Core,RemoteTrigger",
        }
        self._url = f"{url}/{identity}"
        self._listener = listener
        self._socket: ClientConnection | None = None
        self._reading: asyncio.Task[None] | None = None
        self._peer: Any = None

    async def connect(self) -> None:
        """Raises OSError, TimeoutError or a websockets exception when the gateway does not take it."""
        self._socket = await connect(
            self._url,
            subprotocols=[Subprotocol("ocpp1.6")],
            compression=None,
            proxy=None,
            close_timeout=2,
        )
        tap = Tap(self._socket, "charger", self.identity, self._listener)
        self._peer = Peer(self.identity, tap, response_timeout=PATIENCE, logger=quiet)
        self._peer.charger = self
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            await self._peer.start()

    async def close(self) -> None:
        if self._socket is not None:
            await self._socket.close()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _call(self, request: Any) -> Any:
        """Raises `ocpp.exceptions.OCPPError` for a CALLERROR, TimeoutError without an answer."""
        return await self._peer.call(request, suppress=False)

    async def boot(self) -> str:
        answer = await self._call(
            call.BootNotification(
                charge_point_vendor="Acme",
                charge_point_model="Wallbox 11",
                charge_point_serial_number="WB11-0042",
                firmware_version="1.6.7",
                meter_type="Acme MID-3",
                meter_serial_number="M-778899",
            )
        )
        return str(answer.status)

    async def heartbeat(self) -> None:
        await self._call(call.Heartbeat())

    async def status(self, connector: int, status: str, info: str | None = None) -> None:
        await self._call(
            call.StatusNotification(
                connector_id=connector, error_code="NoError", status=status, info=info, timestamp=now()
            )
        )

    async def authorize(self, tag: str) -> str:
        answer = await self._call(call.Authorize(id_tag=tag))
        return str(answer.id_tag_info["status"])

    async def start(self, tag: str) -> str:
        answer = await self._call(
            call.StartTransaction(connector_id=1, id_tag=tag, meter_start=self.register, timestamp=now())
        )
        self.transaction = answer.transaction_id
        return str(answer.id_tag_info["status"])

    async def meter_values(self, power: float, soc: int, context: str = "Sample.Periodic") -> None:
        """`power` in kW. The temperature has no place in OCPP 2.0.1."""
        samples = [
            ("Energy.Active.Import.Register", str(self.register), "Wh"),
            ("Power.Active.Import", str(power), "kW"),
            ("SoC", str(soc), "Percent"),
            ("Temperature", "31", "Celcius"),
        ]
        await self._call(
            call.MeterValues(
                connector_id=1,
                transaction_id=self.transaction,
                meter_value=[
                    {
                        "timestamp": now(),
                        "sampledValue": [
                            {"value": value, "context": context, "measurand": measurand, "unit": unit}
                            for measurand, value, unit in samples
                        ],
                    }
                ],
            )
        )

    async def stop(self, reason: str, tag: str | None = None) -> None:
        transaction, self.transaction = self.transaction, 0
        await self._call(
            call.StopTransaction(
                transaction_id=transaction,
                meter_stop=self.register,
                timestamp=now(),
                reason=reason,
                id_tag=tag,
            )
        )
