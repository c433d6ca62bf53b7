"""The charger side of a measurement: many 1.6 chargers in one process, each with at most one open CALL.

Reads one JSON command per line from standard input and answers each with one line of JSON:

    {"do": "connect", "url": ..., "chargers": 200, "prefix": "B", "transactions": true}   connects and boots more
    {"do": "closed", "message": "MeterValues", "warmup": 0.5, "seconds": 4}   each sends as soon as it is answered
    {"do": "open", "message": "MeterValues", "rate": 100, "seconds": 5}       fixed rate, chargers in turn
    {"do": "fill", "count": 20000}                     so many MeterValues, each charger sends as soon as it is answered
    {"do": "watch", "pause": 0.5}                      from now on each charger sends so long after its last answer
    {"do": "watched", "since": 123.4}                  how long they have waited since then (perf_counter, in s)
    {"do": "churn", "url": ..., "rate": 10}            from now on so many chargers a second come back, on top of `watch`
    {"do": "storm", "url": ..., "chargers": 5000, "prefix": "S"}   connects them all at once, without boots
    {"do": "leave"}                                    resets every connection

A measurement prints `{"mark": "begin"}` after its warm-up, so that the caller reads the CPU clocks at the same moment.
Latency is counted in steps of 2 us. No two MeterValues are equal: the gateway answers a repeated one from its store.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import msgspec
import uvloop
from websockets.client import ClientProtocol
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from . import pace
from .framing import LeanSocket

STEPS_PER_S = 500_000
TOP = STEPS_PER_S * 2
"""Latencies of two seconds and more share the last step."""

PATIENCE_S = 60.0
TRUSTING = ssl.create_default_context()
"""Of wss chargers: the certificate is made for the measurement."""
TRUSTING.check_hostname, TRUSTING.verify_mode = False, ssl.CERT_NONE
HANDSHAKES_AT_ONCE = 50
PASSWORD = "sixteen-letters-"
"""Of all chargers that come over TLS."""

METER_VALUES = (
    b'[2,"%s","MeterValues",{"connectorId":1,"transactionId":%d,"meterValue":[{"timestamp":"%s.%03dZ","sampledValue":['
    b'{"value":"%d","context":"Sample.Periodic","format":"Raw","measurand":"Energy.Active.Import.Register",'
    b'"location":"Outlet","unit":"Wh"}]}]}]'
)
HEARTBEAT = b'[2,"%s","Heartbeat",{}]'
BOOT = b'[2,"%s","BootNotification",{"chargePointVendor":"Bench","chargePointModel":"Lean","firmwareVersion":"1.0"}]'
STATUS = b'[2,"%s","StatusNotification",{"connectorId":%d,"errorCode":"NoError","status":"%s","timestamp":"%s.%03dZ"}]'
START = b'[2,"%s","StartTransaction",{"connectorId":1,"idTag":"TAG%s","meterStart":0,"timestamp":"%s.%03dZ"}]'

# What a gateway may ask of a charger after its boot; anything else gets NotImplemented.
COMMANDS = {
    b"GetConfiguration": b'{"configurationKey":[],"unknownKey":[]}',
    b"TriggerMessage": b'{"status":"NotImplemented"}',
    b"ChangeConfiguration": b'{"status":"NotSupported"}',
}


class Charger(LeanSocket):
    """One 1.6 charger."""

    __slots__ = (
        "count",
        "expect",
        "identity",
        "load",
        "millis",
        "opened",
        "sent",
        "transaction",
        "uri",
        "waiter",
        "waiting",
    )

    def __init__(self, load: Load, url: str, identity: str) -> None:
        super().__init__(client=True)
        self.load = load
        self.identity = identity.encode()
        if url.startswith("wss:"):
            url = url.replace("://", f"://{identity}:{PASSWORD}@")
        self.uri = parse_uri(f"{url}/{quote(identity)}")
        self.opened: asyncio.Future[None] | None = asyncio.get_running_loop().create_future()
        self.waiter: asyncio.Future[bytes] | None = None
        self.waiting: list[float] = []  # due times of an open-loop schedule that this charger could not meet
        self.count = 0
        self.expect = b""
        self.millis = 0
        self.sent = 0.0
        self.transaction = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        handshake = ClientProtocol(self.uri, subprotocols=[Subprotocol("ocpp1.6")])
        handshake.send_request(handshake.connect())
        self.load.handshakes[self] = handshake
        self.transport.write(b"".join(handshake.data_to_send()))

    def shake(self, head: bytes) -> None:
        handshake = self.load.handshakes.pop(self)
        handshake.receive_data(head)
        assert self.opened is not None
        if handshake.handshake_exc is not None or handshake.subprotocol != "ocpp1.6":
            # The library waits for the body of a refusal; the status line says enough.
            problem = handshake.handshake_exc or head.partition(b"\r\n")[0].decode("latin-1")
            self.opened.set_exception(ConnectionError(f"{self.identity.decode()}: {problem}"))
            self.transport.abort()  # what follows is the body of the refusal
        else:
            self.opened.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.load.lost += 1
        error = ConnectionError(f"{self.identity.decode()}: connection lost: {exc or self.farewell or 'no close'}")
        if self.opened is not None and not self.opened.done():
            self.opened.set_exception(error)
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_exception(error)

    def text(self, body: bytes) -> None:
        expect = self.expect
        if expect and body.startswith(expect):
            now = time.perf_counter()
            self.expect = b""
            if self.waiter is not None:
                self.waiter.set_result(body)
            else:
                self.load.answered(self, now)
        else:
            self._odd(body)

    def _odd(self, body: bytes) -> None:
        kind, message_id, *more = msgspec.json.decode(body)
        if kind == 2:
            answer = COMMANDS.get(more[0].encode())
            if answer is None:
                self.send(b'[4,"%s","NotImplemented","",{}]' % message_id.encode())
            else:
                self.send(b'[3,"%s",%s]' % (message_id.encode(), answer))
            return
        if self.expect == b'[3,"%s"' % message_id.encode():
            if kind == 3:  # white space where ours has none
                self.text(msgspec.json.encode([kind, message_id, *more]))
                return
            self.load.errors[f"{more[0]}: {more[1]}"] = self.load.errors.get(f"{more[0]}: {more[1]}", 0) + 1
            self.expect = b""
            if self.waiter is not None:
                self.waiter.set_exception(RuntimeError(f"{self.identity.decode()} was answered {body.decode()}"))
            elif self.load.closed:
                self.load.repeat(self, time.perf_counter())

    def next_id(self) -> bytes:
        self.count += 1
        message_id = b"%s-4c1e-9d52-%012d" % (self.identity, self.count)
        self.expect = b'[3,"%s"' % message_id
        return message_id

    def stamp(self, now: float) -> tuple[bytes, int]:
        """Wall clock as (text to the second, milliseconds), never the same twice for one charger."""
        self.millis = max(self.millis + 1, self.load.wall(now))
        seconds, millis = divmod(self.millis, 1000)
        return self.load.text_of(seconds), millis

    def heartbeat(self, now: float) -> None:
        self.sent = now
        self.send(HEARTBEAT % self.next_id())

    def meter_values(self, now: float) -> None:
        self.sent = now
        message_id = self.next_id()
        second, millis = self.stamp(now)
        self.send(METER_VALUES % (message_id, self.transaction, second, millis, 1_000_000 + self.count))

    async def call(self, payload: bytes) -> list[Any]:
        self.waiter = asyncio.get_running_loop().create_future()
        self.send(payload)
        try:
            answer: list[Any] = msgspec.json.decode(await asyncio.wait_for(self.waiter, PATIENCE_S))
            return answer
        finally:
            self.waiter = None

    async def boot(self, transactions: bool) -> None:
        """Boots; `transactions`: and starts one, unless it has one."""
        await self.call(BOOT % self.next_id())
        for connector in (0, 1):
            second, millis = self.stamp(time.perf_counter())
            status = b"Charging" if connector and transactions else b"Available"
            await self.call(STATUS % (self.next_id(), connector, status, second, millis))
        if transactions and not self.transaction:
            second, millis = self.stamp(time.perf_counter())
            answer = await self.call(START % (self.next_id(), self.identity, second, millis))
            self.transaction = answer[2]["transactionId"]


class Load:
    """All chargers of this process and the counters of the measurement that runs."""

    def __init__(self) -> None:
        self.chargers: list[Charger] = []
        self.handshakes: dict[Charger, ClientProtocol] = {}
        self.histogram = [0] * (TOP + 1)
        self.errors: dict[str, int] = {}
        self.lost = 0
        self.closed = False
        self.repeat: Callable[[Charger, float], None] = Charger.meter_values
        self._texts: dict[int, bytes] = {}
        self._wall = time.time() - time.perf_counter()

    def wall(self, now: float) -> int:
        return int((self._wall + now) * 1000)

    def text_of(self, second: int) -> bytes:
        text = self._texts.get(second)
        if text is None:
            text = self._texts[second] = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)).encode()
        return text

    def answered(self, charger: Charger, now: float) -> None:
        step = int((now - charger.sent) * STEPS_PER_S)
        self.histogram[step if step < TOP else TOP] += 1
        if self.closed:
            self.repeat(charger, now)
        elif charger.waiting:
            self.repeat(charger, now)
            charger.sent = charger.waiting.pop(0)  # waiting for its turn counts: no coordinated omission

    async def connect(self, url: str, chargers: int, prefix: str, transactions: bool, **_: Any) -> dict[str, Any]:
        gate = asyncio.Semaphore(HANDSHAKES_AT_ONCE)
        began = time.perf_counter()

        async def one(number: int) -> None:
            async with gate:
                charger = await self.open(url, f"{prefix}{number:06d}")
                await charger.boot(transactions)
            self.chargers.append(charger)

        first = len(self.chargers)
        async with asyncio.TaskGroup() as group:
            for number in range(first, first + chargers):
                group.create_task(one(number))
        return {"connected": len(self.chargers), "seconds": time.perf_counter() - began}

    async def open(self, url: str, identity: str) -> Charger:
        uri = parse_uri(url)
        charger = Charger(self, url, identity)
        secure = TRUSTING if uri.secure else None
        await asyncio.get_running_loop().create_connection(lambda: charger, uri.host, uri.port, ssl=secure)
        assert charger.opened is not None
        await asyncio.wait_for(charger.opened, PATIENCE_S)
        charger.opened = None
        return charger

    async def storm(self, url: str, chargers: int, prefix: str, at_once: int = 0, **_: Any) -> dict[str, Any]:
        """All at once, or so many at a time. Those that fail are counted by what they say."""
        gate = asyncio.Semaphore(at_once or chargers)
        failures: dict[str, int] = {}

        async def one(number: int) -> None:
            identity = f"{prefix}{number:06d}"
            async with gate:
                try:
                    self.chargers.append(await self.open(url, identity))
                except (OSError, TimeoutError) as error:
                    text = str(error).replace(identity, "charger") or repr(error)
                    failures[text] = failures.get(text, 0) + 1

        began = time.perf_counter()
        await asyncio.gather(*(one(number) for number in range(chargers)))
        return {"connected": len(self.chargers), "failures": failures, "seconds": time.perf_counter() - began}

    async def leave(self) -> dict[str, Any]:
        for charger in self.chargers:
            charger.transport.abort()
        self.chargers.clear()
        await asyncio.sleep(0.1)
        return {"connected": 0}

    async def run(self, command: dict[str, Any]) -> dict[str, Any]:
        """One measurement, closed or open loop."""
        self.repeat = Charger.heartbeat if command["message"] == "Heartbeat" else Charger.meter_values
        self.errors, self.lost = {}, 0
        self.closed = command["do"] == "closed"
        schedule = None
        if self.closed:
            for charger in self.chargers:
                self.repeat(charger, time.perf_counter())
        else:
            schedule = asyncio.create_task(self._fixed_rate(command["rate"]))
        await asyncio.sleep(command.get("warmup", 0.5))
        self.histogram = [0] * (TOP + 1)
        began = time.perf_counter()
        tell({"mark": "begin"})
        await asyncio.sleep(command["seconds"])
        seconds, histogram = time.perf_counter() - began, self.histogram
        tell({"mark": "end"})
        self.closed = False
        if schedule is not None:
            schedule.cancel()
        silent = await self.settle()
        count = sum(histogram)
        return {
            "count": count,
            "per_s": count / seconds,
            "p50_us": percentile(histogram, 0.50),
            "p99_us": percentile(histogram, 0.99),
            "errors": self.errors,
            "lost": self.lost,
            "silent": silent,
        }

    async def _fixed_rate(self, rate: float) -> None:
        due, turn = time.perf_counter(), 0
        while True:
            due += 1 / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            charger = self.chargers[turn % len(self.chargers)]
            turn += 1
            if charger.expect:
                charger.waiting.append(time.perf_counter())
            else:
                self.repeat(charger, time.perf_counter())

    async def settle(self) -> int:
        """Waits until no CALL is open; how many chargers were still without an answer after a few seconds."""
        for _ in range(100):
            if not (silent := sum(bool(c.expect) for c in self.chargers)):
                return 0
            await asyncio.sleep(0.05)
        for charger in self.chargers:
            charger.expect = b""
        return silent


def percentile(histogram: list[int], share: float) -> float:
    """Latency in us below which `share` of the round trips were answered; 0 when there were none."""
    wanted, seen = sum(histogram) * share, 0
    for step, count in enumerate(histogram):
        seen += count
        if count and seen >= wanted:
            return (step + 0.5) * 1e6 / STEPS_PER_S
    return 0.0


def tell(message: dict[str, Any]) -> None:
    print(msgspec.json.encode(message).decode(), flush=True)


async def main() -> None:
    loop = asyncio.get_running_loop()
    load = Load()
    watch: pace.Watch | None = None
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command: dict[str, Any] = msgspec.json.decode(line)
        try:
            match command["do"]:
                case "connect":
                    tell(await load.connect(**command))
                case "storm":
                    tell(await load.storm(**command))
                case "leave":
                    tell(await load.leave())
                case "fill":
                    tell(await pace.fill(load, command["count"]))
                case "watch":
                    watch = pace.Watch(load, command["pause"])
                    tell(watch.seen(time.perf_counter()))
                case "churn":
                    assert watch is not None
                    churn = asyncio.create_task(watch.churn(command["url"], command["rate"]))
                    tell({"churning": not churn.done()})
                case "watched":
                    assert watch is not None
                    tell(watch.seen(command["since"]))
                case _:
                    tell(await load.run(command))
        except* (OSError, RuntimeError, TimeoutError, ValueError) as failures:
            tell({"failed": f"{command['do']}: {failures.exceptions[0]!r}"})


if __name__ == "__main__":
    uvloop.run(main())
