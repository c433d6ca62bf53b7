"""The floor: what a durable proxy in Python cannot cost less than, whatever it decides.

Both legs of each charger on uvloop, frames cut by hand, nothing parsed, translated, counted or bounded. With a store every CALL
is appended to a stream before it goes on, and acknowledged before its answer goes back: one write per turn of the loop, nothing
deduplicated, no lease, no facts.

Usage: `python -m tests.bench.floor CSMS_URL [STORE_SOCKET]`. Prints `{"port": n}` and serves until standard input is closed.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias, cast

import hiredis
import uvloop
from websockets.client import ClientProtocol
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from .csms import SUBPROTOCOLS
from .framing import LeanSocket

STREAM, GROUP = "{p00}:in", "main"

Then: TypeAlias = Callable[[Any, bytes], None]
pack: Callable[[tuple[Any, ...]], bytes] = hiredis.pack_command


class Store(asyncio.Protocol):
    """One pipelined connection."""

    def __init__(self) -> None:
        self._reader = hiredis.Reader()
        self._out: list[bytes] = []
        self._waiting: deque[tuple[Then, bytes]] = deque()
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def call(self, then: Then, body: bytes, *command: Any) -> None:
        """`then` is given the reply and `body`."""
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(pack(command))
        self._waiting.append((then, body))

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not False:
            if isinstance(reply, Exception):
                raise reply
            then, body = self._waiting.popleft()
            then(reply, body)

    def _flush(self) -> None:
        out, self._out = self._out, []
        self._transport.write(b"".join(out))


class Charger(LeanSocket):
    """A charger's leg, and the CSMS' one that belongs to it."""

    __slots__ = ("csms", "early", "entry", "store", "upstream")

    def __init__(self, upstream: str, store: Store | None) -> None:
        super().__init__(client=False)
        self.upstream, self.store = upstream, store
        self.csms: Csms | None = None
        self.entry: Any = b""
        self.early: list[bytes] = []

    def shake(self, head: bytes) -> None:
        handshake = ServerProtocol(subprotocols=SUBPROTOCOLS)
        handshake.receive_data(head)
        for event in handshake.events_received():
            assert isinstance(event, Request)
            handshake.send_response(handshake.accept(event))
            uri = parse_uri(self.upstream + event.path)
            asyncio.get_running_loop().create_task(self._dial(uri, handshake.subprotocol))
        self.transport.write(b"".join(handshake.data_to_send()))

    async def _dial(self, uri: Any, version: Subprotocol | None) -> None:
        make = lambda: Csms(self, uri, version)  # noqa: E731
        await asyncio.get_running_loop().create_connection(make, uri.host, uri.port)

    def opened(self, csms: Csms) -> None:
        """The CSMS listens."""
        self.csms = csms
        for body in self.early:
            self.text(body)
        self.early.clear()

    def text(self, body: bytes) -> None:
        if self.csms is None:
            self.early.append(body)
        elif self.store is None:
            self.csms.send(body)
        else:
            self.store.call(self._stored, body, "XADD", STREAM, "MAXLEN", "~", 100_000, "*", "k", "call", "f", body)

    def _stored(self, reply: Any, body: bytes) -> None:
        self.entry = reply
        assert self.csms is not None
        self.csms.send(body)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.csms is not None:
            self.csms.transport.close()


class Csms(LeanSocket):
    """The leg to the CSMS."""

    __slots__ = ("charger", "handshake")

    def __init__(self, charger: Charger, uri: Any, version: Subprotocol | None) -> None:
        super().__init__(client=True)
        self.charger = charger
        self.handshake = ClientProtocol(uri, subprotocols=[version] if version else None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.handshake.send_request(self.handshake.connect())
        self.transport.write(b"".join(self.handshake.data_to_send()))

    def shake(self, head: bytes) -> None:
        self.handshake.receive_data(head)
        assert any(isinstance(event, Response) for event in self.handshake.events_received())
        self.charger.opened(self)

    def text(self, body: bytes) -> None:
        store = self.charger.store
        if store is None:
            self.charger.send(body)
        else:
            store.call(self._settled, body, "XACK", STREAM, GROUP, self.charger.entry)

    def _settled(self, _: Any, body: bytes) -> None:
        self.charger.send(body)


async def main(upstream: str, socket: str) -> None:
    loop = asyncio.get_running_loop()
    store: Store | None = None
    if socket:
        _, store = await loop.create_unix_connection(Store, socket)
        store.call(lambda *_: None, b"", "XGROUP", "CREATE", STREAM, GROUP, "0", "MKSTREAM")
    server = await loop.create_server(lambda: Charger(upstream, store), "127.0.0.1", 0, backlog=4096)
    print(f'{{"port":{server.sockets[0].getsockname()[1]}}}', flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    server.close()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""))
