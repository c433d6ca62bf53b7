"""CSMSs built on the `ocpp` package: they answer every charger message, record everything, and command on request."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from ocpp.routing import on
from ocpp.v16 import ChargePoint as Station16
from ocpp.v16 import call_result as result16
from ocpp.v201 import ChargePoint as Station201
from ocpp.v201 import call_result as result201
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from .wire import PATIENCE, Recorder, Tap

Verdict = Callable[[str, str], str]
"""(action, token) -> authorization status."""


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Peer16(Station16):
    """One connection of a 1.6 charger. Transaction ids come from the CSMS's counter."""

    csms: Csms

    @on("BootNotification")
    def boot(self, **_: Any) -> Any:
        return result16.BootNotification(current_time=now(), interval=300, status=self.csms.registration)

    @on("Heartbeat")
    def heartbeat(self) -> Any:
        return result16.Heartbeat(current_time=now())

    @on("Authorize")
    def authorize(self, id_tag: str) -> Any:
        return result16.Authorize(id_tag_info={"status": self.csms.verdict("Authorize", id_tag)})

    @on("StartTransaction")
    def start_transaction(self, id_tag: str, **_: Any) -> Any:
        status = self.csms.verdict("StartTransaction", id_tag)
        return result16.StartTransaction(transaction_id=next(self.csms.transaction_ids), id_tag_info={"status": status})

    @on("StopTransaction")
    def stop_transaction(self, id_tag: str | None = None, **_: Any) -> Any:
        return result16.StopTransaction(id_tag_info={"status": "Accepted"} if id_tag else None)

    @on("DataTransfer")
    def data_transfer(self, **_: Any) -> Any:
        return result16.DataTransfer(status="Accepted", data="heard")

    @on("SignCertificate")
    def sign_certificate(self, **_: Any) -> Any:
        return result16.SignCertificate(status="Accepted")


class Peer201(Station201):
    """One connection of a 2.0.1 charger."""

    csms: Csms

    @on("BootNotification")
    def boot(self, **_: Any) -> Any:
        return result201.BootNotification(current_time=now(), interval=300, status=self.csms.registration)

    @on("Heartbeat")
    def heartbeat(self) -> Any:
        return result201.Heartbeat(current_time=now())

    @on("Authorize")
    def authorize(self, id_token: dict[str, Any], **_: Any) -> Any:
        return result201.Authorize(id_token_info={"status": self.csms.verdict("Authorize", id_token["id_token"])})

    @on("TransactionEvent")
    def transaction_event(self, event_type: str, id_token: dict[str, Any] | None = None, **_: Any) -> Any:
        if id_token is None:
            return result201.TransactionEvent()
        return result201.TransactionEvent(id_token_info={"status": self.csms.verdict(event_type, id_token["id_token"])})

    @on("DataTransfer")
    def data_transfer(self, **_: Any) -> Any:
        return result201.DataTransfer(status="Accepted", data="heard")

    @on("SignCertificate")
    def sign_certificate(self, **_: Any) -> Any:
        return result201.SignCertificate(status="Accepted")

    @on("NotifyEVChargingNeeds")
    def charging_needs(self, **_: Any) -> Any:
        return result201.NotifyEVChargingNeeds(status="Accepted")

    @on("NotifyEVChargingSchedule")
    def charging_schedule(self, **_: Any) -> Any:
        return result201.NotifyEVChargingSchedule(status="Accepted")

    @on("GetCertificateStatus")
    def certificate_status(self, **_: Any) -> Any:
        return result201.GetCertificateStatus(status="Failed")

    @on("Get15118EVCertificate")
    def ev_certificate(self, **_: Any) -> Any:
        return result201.Get15118EVCertificate(status="Failed", exi_response="")


def _acknowledge(peer: type, results: Any, actions: str) -> None:
    """Adds handlers that answer these actions with `{}`."""

    def handler(action: str, result: Callable[[], Any]) -> Callable[..., Any]:
        def answer(_self: Any, **_payload: Any) -> Any:
            return result()

        answer.__name__ = f"acknowledge_{action}"  # the ocpp package finds handlers by their names
        return answer

    for action in actions.split():
        answer = on(action)(handler(action, getattr(results, action)))
        setattr(peer, answer.__name__, answer)


_acknowledge(
    Peer16,
    result16,
    "StatusNotification MeterValues DiagnosticsStatusNotification FirmwareStatusNotification LogStatusNotification "
    "SecurityEventNotification SignedFirmwareStatusNotification",
)
_acknowledge(
    Peer201,
    result201,
    "StatusNotification MeterValues NotifyEvent NotifyReport NotifyMonitoringReport NotifyCustomerInformation "
    "NotifyChargingLimit ClearedChargingLimit NotifyDisplayMessages ReportChargingProfiles ReservationStatusUpdate "
    "FirmwareStatusNotification LogStatusNotification SecurityEventNotification PublishFirmwareStatusNotification",
)


class Station:
    """A charger as the CSMS knows it."""

    def __init__(self, identity: str, version: str) -> None:
        self.recorder = Recorder(version, f"csms/{identity}")
        self.peer: Peer16 | Peer201 | None = None

    async def connected(self) -> None:
        await self.recorder.until("connection", lambda: self.peer is not None)

    async def call(self, request: Any, patience: float = PATIENCE) -> Any:
        """Sends a command; returns the answer, raises ocpp.exceptions.OCPPError on a CALLERROR."""
        await self.connected()
        assert self.peer is not None
        return await asyncio.wait_for(self.peer.call(request, suppress=False), patience)


class Csms:
    """A recording CSMS for one OCPP version. `registration` and `verdict` decide what it answers."""

    def __init__(self, version: str, *, port: int = 0, first_transaction_id: int = 41) -> None:
        self.version = version
        self.port = port
        self.registration = "Accepted"
        self.verdict: Verdict = lambda _action, _token: "Accepted"
        self.transaction_ids = itertools.count(first_transaction_id)
        self._stations: dict[str, Station] = {}
        self._server: Server | None = None

    @property
    def url(self) -> str:
        """Base URL; the charger id is appended."""
        return f"ws://127.0.0.1:{self.port}/ocpp"

    def station(self, identity: str) -> Station:
        if identity not in self._stations:
            self._stations[identity] = Station(identity, self.version)
        return self._stations[identity]

    @property
    def faults(self) -> list[str]:
        """Everything that any charger side did wrong."""
        return [fault for station in self._stations.values() for fault in station.recorder.faults]

    async def start(self) -> None:
        """Listens; after `stop` again on the same port."""
        self._server = await serve(
            self._serve, "127.0.0.1", self.port, subprotocols=[self.version], compression=None, close_timeout=2
        )
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def stop(self) -> None:
        """Closes every connection and the listener."""
        if self._server is not None:
            self._server.close()
            await asyncio.wait_for(self._server.wait_closed(), PATIENCE)
            self._server = None

    async def _serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        identity = socket.request.path.rstrip("/").rpartition("/")[2]
        station = self.station(identity)
        if socket.subprotocol != self.version:
            station.recorder.faults.append(f"{identity}: connected as {socket.subprotocol}")
        make = Peer16 if self.version == "ocpp1.6" else Peer201
        peer = make(identity, Tap(socket, station.recorder), response_timeout=PATIENCE)
        peer.csms = self
        station.peer = peer
        station.recorder.opened()
        with contextlib.suppress(ConnectionClosed):
            await peer.start()
        if station.peer is peer:
            station.peer = None
