"""The floor: what a durable proxy in Python cannot cost less than, whatever it decides.

Both legs of each charger on uvloop, frames cut by hand, nothing parsed, translated, counted or bounded. With a store every CALL
is appended to a stream before it goes on, and acknowledged before its answer goes back: one write per turn of the loop, nothing
deduplicated, no lease, no facts. With `scripts` the store does what the journal asks of it: a CALL is appended by the script that
knows a repeat, and all answers of a turn are stored and acknowledged by one commit under a lease; one partition, nothing read.

Usage: `python -m tests.bench.floor CSMS_URL [STORE_SOCKET [scripts]]`. Prints `{"port": n}` and serves until standard input is
closed.
"""

from __future__ import annotations

import asyncio
import itertools
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

from gateway.journal import keys
from gateway.journal.lua import scripts

from .csms import SUBPROTOCOLS
from .framing import LeanSocket

STREAM, GROUP = keys.stream(0), "main"
CHARGER = "bench"
HEAD = bytes(100)
"""As long as that of an entry."""

Then: TypeAlias = Callable[[Any, bytes], None]
pack: Callable[[tuple[Any, ...]], bytes] = hiredis.pack_command


class Store(asyncio.Protocol):
    """One pipelined connection; commands of our own."""

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

    def prepare(self) -> None:
        """What has to be there before the first message."""
        self.call(_nothing, b"", "XGROUP", "CREATE", STREAM, GROUP, "0", "MKSTREAM")

    def append(self, then: Then, body: bytes) -> None:
        """`then` is given what `settle` wants to know of the entry, and `body`."""
        self.call(then, body, "XADD", STREAM, "MAXLEN", "~", 100_000, "*", "k", "call", "f", body)

    def settle(self, then: Then, body: bytes, entry: Any) -> None:
        """The CALL of this entry is answered."""
        self.call(then, body, "XACK", STREAM, GROUP, entry)


class Journal(Store):
    """The scripts of the gateway's journal."""

    def __init__(self) -> None:
        super().__init__()
        self._append, self._commit = (scripts((9,))[name] for name in ("append", "commit"))
        self._said: list[tuple[Then, bytes, str]] = []
        self._settled: list[tuple[Then, bytes, Any]] = []
        self._numbers = itertools.count()

    def prepare(self) -> None:
        super().prepare()
        for script in (self._append, self._commit):
            self.call(_nothing, b"", "SCRIPT", "LOAD", script.source)
        self.call(_nothing, b"", "SET", keys.lease(0), "1 hub")
        self.call(_nothing, b"", "HSET", keys.epochs(0), CHARGER, 1)

    def append(self, then: Then, body: bytes) -> None:
        if not self._said:
            self._loop.call_soon(self._say)
        self._said.append((then, body, keys.dedup(0, CHARGER) + f"{next(self._numbers):040x}"))

    def _say(self) -> None:
        said, self._said = self._said, []
        made = (STREAM, keys.epochs(0), keys.live(0), *(dedup for _, _, dedup in said))
        entries = [part for _, body, _ in said for part in (1, "call", HEAD, body, 900, 0)]

        def stored(reply: Any, _: bytes) -> None:
            for (then, body, dedup), id in zip(said, reply[1:], strict=True):
                then((id, dedup), body)

        chargers = [CHARGER] * len(said)
        self.call(
            *(stored, b"", "EVALSHA", self._append.sha, len(made), *made),
            *(len(said), len(said), *chargers, *entries),
        )

    def settle(self, then: Then, body: bytes, entry: Any) -> None:
        if not self._settled:
            self._loop.call_soon(self._decided)
        self._settled.append((then, body, entry))

    def _decided(self) -> None:
        settled, self._settled = self._settled, []
        made = (keys.lease(0), STREAM, *(dedup for _, _, (_, dedup) in settled))
        answers = (b"%b 0 %b" % (id, body) for _, body, (id, _) in settled)
        acks = (GROUP, len(settled), *(id for _, _, (id, _) in settled))
        decided = (1, 0, 0, 0, len(settled), *answers, 0, *acks)

        def committed(reply: Any, _: bytes) -> None:
            for then, body, _entry in settled:
                then(reply, body)

        self.call(committed, b"", "EVALSHA", self._commit.sha, len(made), *made, *decided)


def _nothing(*_: Any) -> None:
    return None


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
            self.store.append(self._stored, body)

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
            store.settle(self._settled, body, self.charger.entry)

    def _settled(self, _: Any, body: bytes) -> None:
        self.charger.send(body)


async def main(upstream: str, socket: str = "", how: str = "") -> None:
    loop = asyncio.get_running_loop()
    store: Store | None = None
    if socket:
        _, store = await loop.create_unix_connection(Journal if how == "scripts" else Store, socket)
        store.prepare()
    server = await loop.create_server(lambda: Charger(upstream, store), "127.0.0.1", 0, backlog=4096)
    print(f'{{"port":{server.sockets[0].getsockname()[1]}}}', flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    server.close()


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
