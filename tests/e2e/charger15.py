"""A scripted OCPP 1.5 charger: two connectors, a meter, and sensible answers to every command of the tests."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import Coroutine
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from .csms import now
from .wire import PATIENCE, Exchange, Recorder


class Charger15:
    """One charger identity. What it hears is checked against the schemas of 1.5; numbers of samples are text."""

    def __init__(self, url: str, identity: str) -> None:
        self.url = f"{url}/{identity}"
        self.recorder = Recorder("ocpp1.5", f"charger/{identity}")
        self.meter = 1000
        self.configuration = {"HeartBeatInterval": "300", "BlinkRepeat": "3", "ConnectionTimeOut": "30"}
        self.list_version = 0
        self.transactions: dict[int, int] = {}
        """Open transactions: number -> connector."""
        self._ids = itertools.count(1)
        self._socket: ClientConnection | None = None
        self._reading: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    async def connect(self) -> None:
        self._socket = await connect(
            self.url,
            subprotocols=["ocpp1.6x", "ocpp1.5"],
            compression=None,
            close_timeout=2,
            open_timeout=5,
            proxy=None,  # type: ignore[list-item]
        )
        assert self._socket.subprotocol == "ocpp1.5"
        self.recorder.opened()
        self._reading = asyncio.create_task(self._read(self._socket))

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._socket is not None and self._reading is not None:
            await asyncio.wait_for(self._socket.close(), PATIENCE)
            await asyncio.wait_for(self._reading, PATIENCE)

    async def _read(self, socket: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for text in socket:
                self.recorder.note(False, text)
                frame = json.loads(text)
                if frame[0] == 2:
                    await self._send([3, frame[1], self._answer(frame[2], frame[3])])

    async def _send(self, frame: list[Any]) -> None:
        assert self._socket is not None
        text = json.dumps(frame)
        self.recorder.note(True, text)
        await self._socket.send(text)

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _answer(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        match action:
            case "GetConfiguration":
                wanted = payload.get("key") or list(self.configuration)
                return {
                    "configurationKey": [
                        {"key": key, "readonly": False, "value": self.configuration[key]}
                        for key in wanted
                        if key in self.configuration
                    ],
                    "unknownKey": [key for key in wanted if key not in self.configuration],
                }
            case "ChangeConfiguration":
                if payload["key"] not in self.configuration:
                    return {"status": "NotSupported"}
                self.configuration[payload["key"]] = payload["value"]
            case "GetLocalListVersion":
                return {"listVersion": self.list_version}
            case "SendLocalList":
                self.list_version = payload["listVersion"]
                return {"status": "Accepted", "hash": ""}
            case "GetDiagnostics":
                return {"fileName": "diag.txt"}
            case "UpdateFirmware":
                return {}
            case "RemoteStartTransaction":
                self._spawn(self.start(payload["connectorId"], payload["idTag"]))
            case "RemoteStopTransaction":
                if payload["transactionId"] not in self.transactions:
                    return {"status": "Rejected"}
                self._spawn(self.stop(payload["transactionId"]))
        return {"status": "Accepted"}

    async def say(self, action: str, payload: dict[str, Any]) -> Exchange:
        """Sends a CALL; returns the exchange once it is answered."""
        id = f"m-{next(self._ids)}"
        await self._send([2, id, action, payload])
        return await self.recorder.answered(id)

    async def call(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Sends a CALL that must be answered with a CALLRESULT."""
        exchange = await self.say(action, payload)
        assert exchange.answer is not None, f"{action}: {exchange.error}"
        return exchange.answer

    async def boot(self) -> dict[str, Any]:
        return await self.call(
            "BootNotification",
            {
                "chargePointVendor": "DBT",
                "chargePointModel": "NQC-ACDC",
                "chargePointSerialNumber": "SN-15",
                "firmwareVersion": "1.0.49",
                "iccid": "",
                "imsi": "",
            },
        )

    async def status(self, connector: int, status: str) -> None:
        empty = {"info": "", "vendorId": "", "vendorErrorCode": ""}
        await self.call(
            "StatusNotification",
            {"connectorId": connector, "status": status, "errorCode": "NoError", "timestamp": now(), **empty},
        )

    async def start(self, connector: int, tag: str, reservation: int = 0) -> int:
        answer = await self.call(
            "StartTransaction",
            {
                "connectorId": connector,
                "idTag": tag,
                "timestamp": now(),
                "meterStart": self.meter,
                "reservationId": reservation,
            },
        )
        number: int = answer["transactionId"]
        self.transactions[number] = connector
        return number

    async def meter_values(self, connector: int, transaction: int, dialect: str) -> None:
        sample = {"value": str(self.meter), "unit": "Wh", "measurand": "Energy.Active.Import.Register"}
        entry = {
            "A": {
                "timestamp": now(),
                "values": [sample, {"value": "16.0", "unit": "Amp", "measurand": "Current.Import"}],
            },
            "B": {"timestamp": now(), "value": [sample]},
            "C": {"timestamp": now(), **sample},
        }[dialect]
        await self.call("MeterValues", {"connectorId": connector, "transactionId": transaction, "values": [entry]})

    async def stop(self, transaction: int, tag: str | None = None) -> None:
        sample = {"value": str(self.meter), "unit": "Wh", "context": "Transaction.End"}
        await self.call(
            "StopTransaction",
            {
                "transactionId": transaction,
                "timestamp": now(),
                "meterStop": self.meter,
                "transactionData": [{"values": [{"timestamp": now(), "values": [sample]}]}],
                **({"idTag": tag} if tag is not None else {}),
            },
        )
        del self.transactions[transaction]
