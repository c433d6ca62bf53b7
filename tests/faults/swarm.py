"""Chargers with ledgers: 1.6 stations that tell their story come what may, and note every frame."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from .backend import coarse
from .history import Answered, Closed, Commanded, History, Kind, Opened, Said, Sent

PATIENCE = 30.0
"""Seconds that a charger waits for an answer, like libocpp."""
ATTEMPTS = 3
"""CALLERRORs, or waits in vain, after which a charger throws a billing message away (TransactionMessageAttempts)."""

Command = Callable[[str, dict[str, Any]], dict[str, Any] | None]
"""(action, payload) -> what the charger answers; None: it does not."""


def obliging(action: str, _payload: dict[str, Any]) -> dict[str, Any] | None:
    """Accepts every command of these tests."""
    if action == "GetConfiguration":
        return {"configurationKey": [], "unknownKey": []}
    if action == "TriggerMessage":
        return {"status": "NotImplemented"}
    return {"status": "Accepted"}


def basic(user: str, password: str) -> dict[str, str]:
    """The header of HTTP Basic."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def token_of(action: str, payload: dict[str, Any]) -> str:
    """The name of an order, from what a charger hears of it: the tag of a remote start, the text of a DataTransfer."""
    tag = payload.get("idTag") or payload.get("idToken", {}).get("idToken")
    return str(tag or payload.get("data") or "") if action != "GetConfiguration" else ""


class Charger:
    """One identity. `urls` are the gateways that it tries in turn."""

    version = "ocpp1.6"

    def __init__(
        self,
        history: History,
        identity: str,
        urls: Sequence[str],
        *,
        seed: int = 0,
        ids: str = "uuid",
        command: Command = obliging,
        pace: float = 0.1,
        patience: float = PATIENCE,
        password: str = "",
    ) -> None:
        """`ids`: how it numbers its CALLs: `uuid`; `counter`, from 1 on each connection; `kept`, a retry has the id of
        the first attempt. `pace`: mean seconds between two messages."""
        self.history = history
        self.identity = identity
        self.urls = list(urls)
        self.command = command
        self.pace = pace
        self.patience = patience
        self.password = password
        """For HTTP Basic; "": it sends none."""
        self.connection = 0
        """Number of the newest connection."""
        self.refusals: list[int] = []
        """Status of each refused handshake."""
        self.discarded: list[Said] = []
        """What it gave up, after too many CALLERRORs or too long waits."""
        self.strays: list[str] = []
        """Answers that it did not wait for."""
        self.told = 0
        """Messages that were acknowledged."""
        self.transaction = 0
        self.begun = ""
        """Stamp of the start of the transaction that runs."""
        self.answer_after = 0.0
        """Seconds that it takes to answer a command."""
        self.open_commands = 0
        self.most_open = 0
        """How many commands were ever open at the same time."""
        self._obeying: set[asyncio.Task[None]] = set()
        self._ids = ids
        self._dice = random.Random(f"{seed}/{identity}")
        self._counter = itertools.count(1)
        self._millis = 0
        self.register = 1000
        """Its energy meter, Wh."""
        self.last_id = ""
        """Message id of its newest CALL."""
        self.socket: ClientConnection | None = None
        """The newest connection."""
        self._unnoted: set[str] = set()
        """CALLs that are no part of the history, and not answered yet."""
        self._waiting: dict[str, asyncio.Future[list[Any]]] = {}
        self._reading: asyncio.Task[None] | None = None

    # -- its connection ----------------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        return self._reading is not None and not self._reading.done()

    async def dial(self, url: str = "") -> int:
        """One attempt: 101, the status of a refusal, or 0."""
        url = url or self.urls[self._dice.randrange(len(self.urls))]
        try:
            socket = await connect(
                f"{url}/{self.identity}",
                subprotocols=[self.version],  # type: ignore[list-item]
                additional_headers=basic(self.identity, self.password) if self.password else None,
                compression=None,
                open_timeout=10,
                close_timeout=1,
                ping_interval=None,
                proxy=None,
            )
        except InvalidStatus as refused:
            self.refusals.append(refused.response.status_code)
            return refused.response.status_code
        except (OSError, TimeoutError, ConnectionClosed, InvalidHandshake):
            return 0
        self.socket = socket
        self.connection += 1
        if self._ids == "counter":
            self._counter = itertools.count(1)
        self.history.opened.append(Opened(time.monotonic(), self.identity, self.connection))
        self._reading = asyncio.create_task(self._read(socket, self.connection))
        return 101

    async def connect(self, patience: float = 60.0) -> None:
        """Connects, however often that takes. Raises TimeoutError."""
        wait = 0.1
        async with asyncio.timeout(patience):
            while not self.connected and await self.dial() != 101:
                await asyncio.sleep(self._dice.uniform(0, wait))
                wait = min(wait * 2, 2.0)

    async def close(self) -> None:
        for task in list(self._obeying):
            task.cancel()
        if self.socket is not None:
            await self.socket.close()
        if self._reading is not None:
            await asyncio.gather(self._reading, return_exceptions=True)

    def abort(self) -> None:
        """Loses the connection."""
        if self.socket is not None:
            self.socket.transport.abort()

    async def lost(self, patience: float = PATIENCE) -> int:
        """Waits for the end of the connection; its close code."""
        assert self._reading is not None and self.socket is not None
        await asyncio.wait_for(asyncio.shield(self._reading), patience)
        return self.socket.close_code or 1006

    async def _read(self, socket: ClientConnection, number: int) -> None:
        try:
            async for text in socket:
                frame = json.loads(text)
                if frame[0] == 2:
                    await self._commanded(socket, frame)
                else:
                    self._answered(number, frame)
        except ConnectionClosed:
            pass
        finally:
            code = socket.close_code or 1006
            self.history.closed.append(Closed(time.monotonic(), self.identity, number, code))
            for waiting in self._waiting.values():
                waiting.cancel()
            self._waiting.clear()

    async def _commanded(self, socket: ClientConnection, frame: list[Any]) -> None:
        _, id, action, payload = frame
        self.history.commanded.append(Commanded(time.monotonic(), self.identity, action, token_of(action, payload)))
        self.open_commands += 1
        self.most_open = max(self.most_open, self.open_commands)
        answer = self.command(action, payload)
        if not self.answer_after:
            await self._obey(socket, id, answer)
        else:
            later = asyncio.create_task(self._obey(socket, id, answer))
            self._obeying.add(later)
            later.add_done_callback(self._obeying.discard)

    async def _obey(self, socket: ClientConnection, id: str, answer: dict[str, Any] | None) -> None:
        if self.answer_after:
            await asyncio.sleep(self.answer_after)
        self.open_commands -= 1
        with contextlib.suppress(ConnectionClosed):
            if answer is not None:
                await socket.send(json.dumps([3, id, answer]))

    def _answered(self, number: int, frame: list[Any]) -> None:
        error = frame[2] if frame[0] == 4 else ""
        if frame[1] in self._unnoted:
            self._unnoted.discard(frame[1])
        else:
            self.history.answered.append(Answered(time.monotonic(), self.identity, number, frame[1], error))
        waiting = self._waiting.pop(frame[1], None)
        if waiting is None or waiting.done():
            self.strays.append(frame[1])
        else:
            waiting.set_result(frame)

    # -- its messages ------------------------------------------------------------------------------------------------

    def new_id(self) -> str:
        return str(uuid4()) if self._ids == "uuid" else str(next(self._counter))

    async def call(self, message: Said | None, action: str, payload: dict[str, Any], id: str = "") -> list[Any] | None:
        """One CALL on the connection there is: the answer's frame, None when the connection ended or nobody answered."""
        socket, id = self.socket, id or self.new_id()
        self.last_id = id
        if socket is None or not self.connected:
            return None
        waiting = self._waiting[id] = asyncio.get_running_loop().create_future()
        if message is None:
            self._unnoted.add(id)
        else:
            self.history.sent.append(Sent(time.monotonic(), message, self.connection, id))
        try:
            await socket.send(json.dumps([2, id, action, payload], separators=(",", ":")))
            return await asyncio.wait_for(waiting, self.patience)
        except (ConnectionClosed, TimeoutError):
            return None
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
            return None  # the connection has ended
        finally:
            self._waiting.pop(id, None)

    async def tell(self, message: Said, action: str, payload: dict[str, Any]) -> dict[str, Any] | None:
        """Tells it until it is acknowledged; None if it was thrown away meanwhile, as chargers do."""
        attempts = 0
        id = self.new_id()
        while attempts < ATTEMPTS:
            await self.connect()
            answer = await self.call(message, action, payload, id if self._ids == "kept" else "")
            if answer is not None and answer[0] == 3:
                self.told += 1
                payload_of_answer: dict[str, Any] = answer[2]
                return payload_of_answer
            if answer is not None or self.connected:  # refused, or no answer: a lost connection does not count
                attempts += 1
                await asyncio.sleep(self._dice.uniform(0, 2 * self.pace))
        self.discarded.append(message)
        return None

    def clock(self) -> str:
        """Its time, never the same twice."""
        self._millis = max(self._millis + 1, time.time_ns() // 1_000_000)
        at = datetime.fromtimestamp(self._millis / 1000, UTC)
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    async def boot(self) -> dict[str, Any] | None:
        firmware = f"1.0.{self._dice.randrange(1 << 30)}"
        said = Said(self.identity, "boot", firmware)
        payload = {"chargePointVendor": "ACME", "chargePointModel": "Swarm", "firmwareVersion": firmware}
        return await self.tell(said, "BootNotification", payload)

    async def status(self, status: str) -> None:
        at = self.clock()
        payload = {"connectorId": 1, "errorCode": "NoError", "status": status, "timestamp": at}
        await self.tell(Said(self.identity, "status", at, value=coarse(status)), "StatusNotification", payload)

    async def start(self) -> int:
        """Starts a transaction; its id."""
        at = self.begun = self.clock()
        payload = {"connectorId": 1, "idTag": "04A1B2C3", "meterStart": self.register, "timestamp": at}
        answer = await self.tell(self._said("start", at), "StartTransaction", payload)
        self.transaction = answer["transactionId"] if answer else -1
        return self.transaction

    async def meter(self) -> None:
        self.register += self._dice.randrange(1, 100)
        at = self.clock()
        await self.tell(self._said("meter", at), "MeterValues", self.meter_payload(at))

    def meter_payload(self, at: str) -> dict[str, Any]:
        sample = {
            "value": str(self.register),
            "context": "Sample.Periodic",
            "measurand": "Energy.Active.Import.Register",
            "unit": "Wh",
        }
        return {
            "connectorId": 1,
            "transactionId": self.transaction,
            "meterValue": [{"timestamp": at, "sampledValue": [sample]}],
        }

    async def stop(self) -> None:
        at = self.clock()
        payload = {"transactionId": self.transaction, "meterStop": self.register, "timestamp": at}
        await self.tell(self._said("stop", at), "StopTransaction", payload)

    def _said(self, kind: Kind, at: str) -> Said:
        return Said(self.identity, kind, at, self.register, self.begun)

    async def charge(self, readings: int = 3) -> None:
        """One transaction."""
        await self.start()
        for _ in range(readings):
            await self._rest()
            await self.meter()
        await self._rest()
        await self.stop()

    async def live(self, enough: asyncio.Event) -> None:
        """Boots, then charges again and again until it is enough; the last transaction is ended."""
        await self.boot()
        await self.status("Available")
        while not enough.is_set():
            await self.status("Preparing")
            await self._rest()
            await self.charge(self._dice.randrange(1, 6))
            await self.status("Available")
            await self._rest()

    async def _rest(self) -> None:
        await asyncio.sleep(self._dice.uniform(0, 2 * self.pace))
