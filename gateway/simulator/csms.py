"""A CSMS to evaluate with: accepts every charger, knows some cards, counts transactions, and sends what a person tells it to.

One server speaks OCPP 1.5, 1.6 and 2.0.1, or some of them. What is not worth a rule of its own gets the plainest valid answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote

import msgspec
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from gateway.cli.plain_answers import plain_answer

ANSWER_SECONDS: Final = 30.0
PRICE: Final = 0.39
"""Of a kWh, for totalCost in 2.0.1."""


class NoStation(Exception):
    """No charger of this name is connected."""


class Transaction(msgspec.Struct):
    """One that has not ended."""

    id: int | str
    connector: int
    tag: str
    began_with: float = 0.0
    """Wh."""
    wh: float = 0.0
    """Charged so far."""


class Station:
    """A charger that is connected."""

    def __init__(self, identity: str, version: str, socket: ServerConnection) -> None:
        self.identity, self.version = identity, version
        self.about = ""
        self.statuses: dict[int, str] = {}
        self.transactions: dict[int | str, Transaction] = {}
        self._socket = socket
        self._count = 0
        self._waiting: dict[str, asyncio.Future[list[Any]]] = {}

    async def call(self, action: str, payload: dict[str, Any]) -> list[Any]:
        """The frame of the answer. Raises TimeoutError, ConnectionClosed."""
        self._count += 1
        id = f"csms-{self._count}"
        waiting = self._waiting[id] = asyncio.get_running_loop().create_future()
        try:
            await self._socket.send(json.dumps([2, id, action, payload], separators=(",", ":")))
            async with asyncio.timeout(ANSWER_SECONDS):
                answer: list[Any] = await waiting
                return answer
        finally:
            del self._waiting[id]

    def answered(self, frame: list[Any]) -> None:
        waiting = self._waiting.get(frame[1])
        if waiting is not None and not waiting.done():
            waiting.set_result(frame)


class DemoCsms:
    """`cards`: status by token; empty: every card is accepted. `told` gets a line for whatever a person may want to know."""

    def __init__(
        self,
        versions: list[str],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        cards: dict[str, str] | None = None,
        told: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self.port = port
        self.cards = {name.casefold(): status for name, status in (cards or {}).items()}
        self.stations: dict[str, Station] = {}
        self._versions, self._host, self._told = versions, host, told
        self._numbers = 1000
        self._server: Server | None = None

    async def start(self) -> None:
        """Raises OSError."""
        self._server = await serve(
            self._connected, self._host, self.port, subprotocols=[Subprotocol(each) for each in self._versions],
            compression=None, close_timeout=2, max_size=2**20,
        )  # fmt: skip
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def station(self, identity: str) -> Station:
        """Raises NoStation."""
        found = self.stations.get(identity.casefold())
        if found is None:
            raise NoStation(f"{identity} is not connected")
        return found

    async def _connected(self, socket: ServerConnection) -> None:
        identity = unquote(socket.request.path.partition("?")[0].rsplit("/", 1)[-1]) if socket.request else ""
        station = Station(identity, str(socket.subprotocol or self._versions[0]), socket)
        known = self.stations.get(identity.casefold())
        if known is not None:
            station.transactions = known.transactions
        self.stations[identity.casefold()] = station
        self._told(f"{identity} connected with {station.version}")
        try:
            async for text in socket:
                frame = json.loads(text)
                if frame[0] == 2:
                    said = self._answer(station, frame[2], frame[3])
                    answer = [4, frame[1], "NotImplemented", "", {}] if said is None else [3, frame[1], said]
                    await socket.send(json.dumps(answer, separators=(",", ":"), default=str))
                else:
                    station.answered(frame)
        except (ConnectionClosed, ValueError, LookupError):
            pass
        if self.stations.get(identity.casefold()) is station:
            self.stations.pop(identity.casefold())
            self._told(f"{identity} disconnected")
        with contextlib.suppress(ConnectionClosed):
            await socket.close()

    # -- what chargers say ---------------------------------------------------------------------------------------------

    def verdict(self, tag: str) -> str:
        """What is said about a card."""
        return self.cards.get(tag.casefold(), "Invalid") if self.cards else "Accepted"

    def _answer(self, station: Station, action: str, said: dict[str, Any]) -> dict[str, Any] | None:
        answer = plain_answer(station.version, action, said)
        if answer is None:
            return None
        match action:
            case "BootNotification":
                box = said.get("chargingStation", said)
                maker = box.get("vendorName", box.get("chargePointVendor", "?"))
                station.about = f"{maker} {box.get('model', box.get('chargePointModel', '?'))}"
                self._told(f"{station.identity} boots: {station.about}")
            case "StatusNotification":
                number = int(said.get("evseId", said.get("connectorId", 0)))
                station.statuses[number] = str(said.get("connectorStatus", said.get("status")))
            case "Authorize":
                tag = said.get("idTag") or said["idToken"]["idToken"]
                answer["idTagInfo" if "idTag" in said else "idTokenInfo"] = {"status": self.verdict(tag)}
            case "StartTransaction":
                self._numbers += 1
                answer["transactionId"] = self._numbers
                answer["idTagInfo"] = {"status": self.verdict(said["idTag"])}
                self._began(station, self._numbers, said["connectorId"], said["idTag"], float(said["meterStart"]))
            case "MeterValues":
                self._metered(station, said.get("transactionId"), said.get("meterValue") or said.get("values") or [])
            case "StopTransaction":
                self._ended(station, said["transactionId"], float(said["meterStop"]))
                if "idTag" in said:
                    answer["idTagInfo"] = {"status": self.verdict(said["idTag"])}
            case "TransactionEvent":
                self._event(station, said, answer)
            case "DataTransfer":
                answer["status"] = "UnknownVendorId"
        return answer

    def _event(self, station: Station, said: dict[str, Any], answer: dict[str, Any]) -> None:
        id = said["transactionInfo"]["transactionId"]
        token = said.get("idToken")
        if token is not None:
            answer["idTokenInfo"] = {"status": self.verdict(token["idToken"])}
        wh = _register(said.get("meterValue") or [])
        if said["eventType"] == "Started":
            tag = token["idToken"] if token else ""
            self._began(station, id, said.get("evse", {}).get("id", 0), tag, wh or 0.0)
        self._metered(station, id, said.get("meterValue") or [])
        transaction = station.transactions.get(id)
        if said["eventType"] == "Ended" and transaction is not None:
            answer["totalCost"] = round(transaction.wh / 1000 * PRICE, 2)
            self._ended(station, id, wh)

    def _began(self, station: Station, id: int | str, connector: int, tag: str, wh: float) -> None:
        station.transactions[id] = Transaction(id, connector, tag, wh)
        self._told(f"{station.identity} connector {connector}: transaction {id} began, card {tag or '-'}")

    def _metered(self, station: Station, id: Any, values: list[dict[str, Any]]) -> None:
        transaction, wh = station.transactions.get(id), _register(values)
        if transaction is not None and wh is not None:
            transaction.wh = max(transaction.wh, wh - transaction.began_with)

    def _ended(self, station: Station, id: Any, wh: float | None) -> None:
        transaction = station.transactions.pop(id, None)
        if transaction is None:
            return
        if wh is not None:
            transaction.wh = max(transaction.wh, wh - transaction.began_with)
        self._told(
            f"{station.identity} connector {transaction.connector}: transaction {id} ended, {transaction.wh:.0f} Wh"
        )


def _register(values: list[dict[str, Any]]) -> float | None:
    """The energy register in Wh, of meter values of any version."""
    found = None
    for value in values:
        samples = value.get("sampledValue", value.get("value", []))
        for sample in samples if isinstance(samples, list) else ():
            if sample.get("measurand", "Energy.Active.Import.Register") != "Energy.Active.Import.Register":
                continue
            unit = sample.get("unit") or (sample.get("unitOfMeasure") or {}).get("unit", "Wh")
            with contextlib.suppress(ValueError):
                found = float(sample["value"]) * (1000 if unit == "kWh" else 1)
    return found
