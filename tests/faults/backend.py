"""CSMSs with a ledger: good, slow and hostile ones, for 1.6 and 2.0.1. They read what a message means, not its wording."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeAlias

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from .history import Delivered, Fault, History, Kind, Ordered, Said

Mood: TypeAlias = Callable[[random.Random, str], str]
"""(dice, action) -> what it does with a message: see `Backend._treat`."""


def good(_dice: random.Random, _action: str) -> str:
    return "answer"


def slow(dice: random.Random, _action: str) -> str:
    """Up to a fifth of a second for each."""
    return f"wait {dice.uniform(0, 0.2):.3f}"


def hostile(dice: random.Random, action: str) -> str:
    """Refuses what is billed, doubles, mixes up and hangs up; mostly it answers, boots always."""
    if action == "BootNotification":
        return "answer"
    if action in ("StartTransaction", "MeterValues", "StopTransaction", "TransactionEvent") and dice.random() < 0.05:
        return "error"
    return dice.choices(
        ["answer", "double", "wrong id", "garbage", "hang up before", "hang up after"],
        [84, 4, 4, 4, 2, 2],
    )[0]


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Backend:
    """Notes in `history` what arrives and what it answers. `mood` decides how it treats each message."""

    def __init__(self, history: History, name: str, version: str, *, mood: Mood = good, seed: int = 0) -> None:
        self.history = history
        self.name = name
        self.version = version
        self.mood = mood
        self.port = 0
        self.sockets: dict[str, ServerConnection] = {}
        """Charger -> its newest socket."""
        self.authorization: dict[str, str] = {}
        """Charger -> Authorization header of its newest socket."""
        self.ids: dict[ServerConnection, set[str]] = {}
        """Message ids seen on each socket that is open."""
        self.faults: list[str] = []
        """What the gateway did wrong on its sockets: ids used twice or too long (I-35), a second open CALL (I-07)."""
        self.registration = "Accepted"
        self.call_timeout = 20.0
        """What the gateway grants it for an answer: after that it may ask the next. It began to count before the CALL arrived."""
        self.one_slot = False
        """Whether it has one open CALL for both directions: it reads none while one of its own is open."""
        self.texts: list[str] | None = None
        """If a list: every frame that came, as text."""
        self.data = ""
        """What it answers to a DataTransfer."""
        self.poison = ""
        """A timestamp: whatever tells it is treated as `poisoned` says."""
        self.poisoned = "hang up before"
        self.deferred = 0
        """How many CALLs had to wait for that."""
        self._dice = random.Random(f"{seed}/{name}")
        self._transactions: dict[tuple[str, str], int] = {}
        """(charger, stamp of the start) -> transaction id given by this CSMS (1.6)."""
        self._starts: dict[tuple[str, Any], str] = {}
        """(charger, transaction id) -> stamp of the start."""
        self._numbers = itertools.count(1 + self._dice.randrange(1 << 20) * 1000)
        self._open_orders: dict[tuple[ServerConnection, str], Ordered] = {}
        self._connections = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: Server | None = None

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ocpp"

    async def start(self) -> None:
        """Listens; after `stop` again on the same port."""
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            self.port,
            subprotocols=[self.version],  # type: ignore[list-item]
            compression=None,
            close_timeout=1,
            ping_interval=None,
        )
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def stop(self) -> None:
        """Hangs up and does not listen any more."""
        if self._server is not None:
            server, self._server = self._server, None
            server.close()
            await server.wait_closed()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def hang_up(self, charger: str) -> None:
        """Ends a charger's socket at once, without a word."""
        if socket := self.sockets.get(charger):
            self._cut(socket)

    async def order(self, charger: str, action: str, payload: dict[str, Any], token: str) -> Ordered:
        """Sends a command; `token` names it and goes with it (see `swarm.token_of`)."""
        order = Ordered(time.monotonic(), self.name, charger, action, token)
        socket = self.sockets.get(charger)
        if socket is None:
            order.outcomes.append((order.at, "lost"))
            return order
        self.history.ordered.append(order)
        self._open_orders[socket, token] = order
        with contextlib.suppress(ConnectionClosed):
            await socket.send(json.dumps([2, token, action, payload]))
        return order

    def heard(self, kind: str = "", charger: str = "") -> list[Delivered]:
        """What arrived here, in order."""
        return [
            each
            for each in self.history.delivered
            if each.upstream == self.name and kind in ("", each.message.kind) and charger in ("", each.message.charger)
        ]

    def transaction(self, charger: str, start: str) -> int:
        """The id that this 1.6 CSMS gave to the transaction that started then."""
        return self._transactions[charger, start]

    async def _serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        charger = socket.request.path.rstrip("/").rpartition("/")[2]
        number = next(self._connections)
        self.sockets[charger] = socket
        self.authorization[charger] = socket.request.headers.get("Authorization", "")
        self.ids[socket] = set()
        open_calls: dict[str, float] = {}
        waiting: list[list[Any]] = []
        try:
            async for text in socket:
                if self.texts is not None:
                    self.texts.append(str(text))
                frame = json.loads(text)
                if frame[0] == 2:
                    if self.one_slot and self._busy(socket):
                        self.deferred += 1
                        waiting.append(frame)
                        continue
                    await self._treat(socket, charger, number, frame, open_calls)
                else:
                    self._resolved(socket, frame)
                    while waiting and not self._busy(socket):
                        await self._treat(socket, charger, number, waiting.pop(0), open_calls)
        except ConnectionClosed:
            pass
        finally:
            if socket.close_code == 1002:  # the gateway has had enough of its garbage, and may not have read an answer
                end = time.monotonic()
                self.history.faults.append(Fault("garbage", f"upstream:{self.name}", end, end))
            if self.sockets.get(charger) is socket:
                del self.sockets[charger]
            del self.ids[socket]
            for at, token in [each for each in self._open_orders if each[0] is socket]:
                order = self._open_orders.pop((at, token))
                if not order.outcomes:
                    order.outcomes.append((time.monotonic(), "lost"))

    def _busy(self, socket: ServerConnection) -> bool:
        return any(at is socket and not order.outcomes for (at, _), order in self._open_orders.items())

    def _cut(self, socket: ServerConnection) -> None:
        at = time.monotonic()
        self.history.faults.append(Fault("hang up", f"upstream:{self.name}", at, at))
        socket.transport.abort()

    def _resolved(self, socket: ServerConnection, frame: list[Any]) -> None:
        order = self._open_orders.get((socket, frame[1]))
        if order is not None:  # kept, so that a second answer shows
            order.outcomes.append((time.monotonic(), "result" if frame[0] == 3 else str(frame[2])))

    async def _treat(
        self, socket: ServerConnection, charger: str, number: int, frame: list[Any], open_calls: dict[str, float]
    ) -> None:
        _, id, action, payload = frame
        if id in self.ids[socket] or len(id) > 36:
            self.faults.append(f"{charger}: message id {id} of {action} is used twice, or too long")
        self.ids[socket].add(id)
        now = time.monotonic()
        if any(now - since < self.call_timeout / 2 for since in open_calls.values()):
            self.faults.append(f"{charger}: {action} while {set(open_calls)} is open")
        open_calls[id] = now
        message = self.meaning(charger, action, payload)
        note = None
        if message is not None:
            note = Delivered(time.monotonic(), self.name, message, number, id)
            self.history.delivered.append(note)
        mood, _, seconds = self.mood(self._dice, action).partition(" ")
        if self.poison and message is not None and message.stamp == self.poison:
            mood, _, seconds = self.poisoned.partition(" ")
        if mood == "silence":
            open_calls.pop(id, None)
            return
        answer = json.dumps([3, id, self._answer(charger, action, payload, message)])
        if mood == "wait":
            task = asyncio.create_task(self._later(float(seconds), socket, answer, note, open_calls, id))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        open_calls.pop(id, None)
        if mood == "error":
            await socket.send(json.dumps([4, id, seconds or "InternalError", "not today", {}]))
            return
        if mood == "hang" and seconds == "up before":
            self._cut(socket)
            return
        if mood == "wrong":
            await socket.send(json.dumps([3, "no-such-call", {}]))
        elif mood == "garbage":
            await socket.send('{"not":"ocpp"}')
        if note is not None:
            note.answered = True
        await socket.send(answer)
        if mood == "double":
            await socket.send(answer)
        elif mood == "hang":
            self._cut(socket)

    async def _later(
        self,
        seconds: float,
        socket: ServerConnection,
        answer: str,
        note: Delivered | None,
        open_calls: dict[str, float],
        id: str,
    ) -> None:
        await asyncio.sleep(seconds)
        open_calls.pop(id, None)
        with contextlib.suppress(ConnectionClosed):
            await socket.send(answer)
            if note is not None:
                note.answered = True

    # -- what it means -----------------------------------------------------------------------------------------------

    def meaning(self, charger: str, action: str, payload: dict[str, Any]) -> Said | None:
        """What a message tells, None if nothing that the charger said: a question, or one that the translation made up."""
        kind: Kind
        if action == "BootNotification":
            firmware = payload.get("firmwareVersion") or payload.get("chargingStation", {}).get("firmwareVersion", "")
            return Said(charger, "boot", firmware)
        if action == "StatusNotification":
            if payload["connectorId"] == 0:  # the station's own, which 2.0.1 does not know
                return None
            value = payload.get("status") or payload["connectorStatus"]
            return Said(charger, "status", stamp(payload["timestamp"]), value=coarse(value))
        if action == "StartTransaction":
            begin = stamp(payload["timestamp"])
            return Said(charger, "start", begin, payload["meterStart"], begin)
        if action == "MeterValues":
            [element] = payload["meterValue"]
            session = self._starts.get((charger, payload.get("transactionId")), "")
            return Said(charger, "meter", stamp(element["timestamp"]), energy(payload["meterValue"]), session)
        if action == "StopTransaction":
            session = self._starts.get((charger, payload["transactionId"]), "")
            return Said(charger, "stop", stamp(payload["timestamp"]), payload["meterStop"], session)
        if action == "TransactionEvent":
            at, event = stamp(payload["timestamp"]), payload["eventType"]
            transaction = (charger, payload["transactionInfo"]["transactionId"])
            if event == "Started":
                self._starts.setdefault(transaction, at)
                kind = "start"
            elif event == "Ended":
                kind = "stop"
            elif payload["triggerReason"] in ("MeterValuePeriodic", "MeterValueClock", "Trigger"):
                kind = "meter"
            else:
                return None
            return Said(charger, kind, at, energy(payload.get("meterValue", [])), self._starts.get(transaction, ""))
        return None

    def _answer(self, charger: str, action: str, payload: dict[str, Any], message: Said | None) -> dict[str, Any]:
        accepted = {"status": "Accepted"}
        if action == "BootNotification":
            return {"status": self.registration, "currentTime": now(), "interval": 300}
        if action == "Heartbeat":
            return {"currentTime": now()}
        if action == "Authorize":
            return {"idTagInfo" if self.version == "ocpp1.6" else "idTokenInfo": accepted}
        if action == "DataTransfer" and self.data:
            return {**accepted, "data": self.data}
        if action in ("DataTransfer", "SignCertificate"):
            return accepted
        if action == "StartTransaction":
            assert message is not None
            start = (charger, message.stamp)
            if start not in self._transactions:
                self._transactions[start] = next(self._numbers)
                self._starts[charger, self._transactions[start]] = message.stamp
            return {"transactionId": self._transactions[start], "idTagInfo": accepted}
        return {}


def stamp(text: str) -> str:
    """A timestamp in one spelling."""
    at = datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def coarse(status: str) -> str:
    """A connector's status in the words that both versions have."""
    return status if status in ("Available", "Faulted", "Unavailable", "Reserved") else "Occupied"


def energy(values: list[dict[str, Any]]) -> int | None:
    """The newest energy register, Wh."""
    for element in reversed(values):
        for sample in element["sampledValue"]:
            if sample.get("measurand", "Energy.Active.Import.Register") == "Energy.Active.Import.Register":
                return int(float(sample["value"]))
    return None
