"""The CSMS side of a measurement: answers every CALL of a 1.6 or 2.0.1 charger at once, with a valid payload.

Runs as a process of its own, on the port given as argument (0: a free one): prints `{"port": n}`, then one JSON object
of CALLs seen per action, and of connections opened, for each line read from standard input, and ends when that is closed.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections import Counter
from collections.abc import Callable

import msgspec
import uvloop
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from .framing import LeanSocket

SUBPROTOCOLS = [Subprotocol("ocpp2.0.1"), Subprotocol("ocpp1.6")]
_transactions = itertools.count(1)
_seen: Counter[bytes] = Counter()
OPENED = b"(opened)"
"""Among the actions: how many connections were opened."""


def _now() -> bytes:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()).encode()


def _boot(body: bytes) -> bytes:
    return b'{"currentTime":"%s","interval":3600,"status":"Accepted"}' % _now()


def _heartbeat(body: bytes) -> bytes:
    return b'{"currentTime":"%s"}' % _now()


def _empty(body: bytes) -> bytes:
    return b"{}"


def _start(body: bytes) -> bytes:
    return b'{"transactionId":%d,"idTagInfo":{"status":"Accepted"}}' % next(_transactions)


def _accepted_tag(body: bytes) -> bytes:
    return b'{"idTagInfo":{"status":"Accepted"}}'


def _accepted_token(body: bytes) -> bytes:
    return b'{"idTokenInfo":{"status":"Accepted"}}'


def _event(body: bytes) -> bytes:
    return b'{"idTokenInfo":{"status":"Accepted"}}' if b'"idToken"' in body else b"{}"


def _accepted(body: bytes) -> bytes:
    return b'{"status":"Accepted"}'


_common: dict[bytes, Callable[[bytes], bytes]] = {
    b"BootNotification": _boot,
    b"Heartbeat": _heartbeat,
    b"StatusNotification": _empty,
    b"MeterValues": _empty,
    b"FirmwareStatusNotification": _empty,
    b"SecurityEventNotification": _empty,
    b"DataTransfer": _accepted,
}
ANSWERS: dict[str, dict[bytes, Callable[[bytes], bytes]]] = {
    "ocpp1.6": {
        **_common,
        b"StartTransaction": _start,
        b"StopTransaction": _empty,
        b"Authorize": _accepted_tag,
        b"DiagnosticsStatusNotification": _empty,
    },
    "ocpp2.0.1": {
        **_common,
        b"TransactionEvent": _event,
        b"Authorize": _accepted_token,
        b"NotifyEvent": _empty,
        b"NotifyReport": _empty,
        b"LogStatusNotification": _empty,
        b"ReportChargingProfiles": _empty,
    },
}
"""Version -> action -> payload of the CALLRESULT, given the whole CALL."""


class Station(LeanSocket):
    """One charger as the CSMS sees it."""

    __slots__ = ("answers",)

    def __init__(self) -> None:
        super().__init__(client=False)
        self.answers: dict[bytes, Callable[[bytes], bytes]] = {}

    def shake(self, head: bytes) -> None:
        handshake = ServerProtocol(subprotocols=SUBPROTOCOLS)
        handshake.receive_data(head)
        for event in handshake.events_received():
            assert isinstance(event, Request)
            handshake.send_response(handshake.accept(event))
        self.answers = ANSWERS[handshake.subprotocol or "ocpp1.6"]
        self.transport.write(b"".join(handshake.data_to_send()))
        _seen[OPENED] += 1

    def text(self, body: bytes) -> None:
        if not body.startswith(b"[2,"):
            return  # the answer to a CALL; none is sent from here
        parts = body.split(b'"', 4)  # `[2,` id `,` action `,{...}]`: ids of the load have no escapes
        action = parts[3]
        _seen[action] += 1
        answer = self.answers.get(action)
        if answer is None:
            self.send(b'[4,"%s","NotImplemented","",{}]' % parts[1])
        else:
            self.send(b'[3,"%s",%s]' % (parts[1], answer(body)))


async def main() -> None:
    loop = asyncio.get_running_loop()
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    server = await loop.create_server(Station, "127.0.0.1", port, backlog=4096)
    print(msgspec.json.encode({"port": server.sockets[0].getsockname()[1]}).decode(), flush=True)
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(msgspec.json.encode({k.decode(): v for k, v in _seen.items()}).decode(), flush=True)
    server.close()


if __name__ == "__main__":
    uvloop.run(main())
