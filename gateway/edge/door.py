"""The sockets of one listener. With TLS or a proxy before it, connections are accepted here one by one: the PROXY header comes
before TLS, and each handshake takes the certificates that are in force."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog
import uvloop

from gateway.config_listen import Listen
from gateway.edge.counters import EdgeCounters, count
from gateway.edge.gate import Gate
from gateway.edge.source import PROXY_HEAD, SIGNATURE, proxied, proxy_length, within
from gateway.edge.tls import Alerts, Keys
from gateway.registry.feed import LOOK_SECONDS

log = structlog.get_logger(__name__)

PROXY_SECONDS: Final = 5.0
"""For the PROXY protocol header."""
ALERT_SECONDS: Final = 1.0
"""For a client to take the alert that ends its handshake."""
FULL_SECONDS: Final = 0.1
"""Before the next try when the process has no descriptors left."""

Make = Callable[[str], asyncio.Protocol]
"""A connection whose client has this address ("": it is the peer's)."""


class Door:
    """Listens, and gives each connection to a protocol of its own."""

    def __init__(
        self, gate: Gate, make: Make, counters: EdgeCounters, now_ms: Callable[[], int], full: Callable[[], bool]
    ) -> None:
        """`full`: there are too many handshakes under way. Raises OSError and ValueError for certificates that cannot be used."""
        self.gate = gate
        self.addresses: list[tuple[str, int]] = []
        """Where it listens, after `start`."""
        listen = gate.listen
        self.keys = Keys(listen.tls, now_ms) if listen.tls.cert else None
        self.shared = False
        """Other processes of this machine listen on the same port, and the kernel spreads the connections."""
        self._listen: Listen = listen
        self._make = make
        self._counters = counters
        self._full = full
        self._server: asyncio.Server | None = None
        self._sockets: list[socket.socket] = []
        self._accepting: list[asyncio.Task[None]] = []
        self._spawn: Callable[[Coroutine[Any, Any, None]], object] = asyncio.ensure_future

    async def start(self, spawn: Callable[[Coroutine[Any, Any, None]], object]) -> None:
        """Listen; `spawn` runs what belongs to the edge. Raises OSError, and ValueError for TLS without uvloop: asyncio's own
        loop keeps 256 KiB of buffers for each TLS connection."""
        self._spawn = spawn
        listen, loop = self._listen, asyncio.get_running_loop()
        if self.keys is not None and not isinstance(loop, uvloop.Loop):
            raise ValueError("chargers with TLS need uvloop")
        if self.keys is None and not listen.proxy.protocol:
            self._server = await loop.create_server(
                lambda: self._make(""),
                *(listen.host, listen.port),
                backlog=listen.backlog,
                reuse_port=self.shared or None,
            )
            self.addresses = [sock.getsockname()[:2] for sock in self._server.sockets]
            return
        found = await loop.getaddrinfo(listen.host, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        try:
            for family, *_, address in dict.fromkeys(found):
                made = socket.create_server(address[:2], family=family, backlog=listen.backlog, reuse_port=self.shared)
                made.setblocking(False)
                self._sockets.append(made)
        except OSError:
            self.close()
            raise
        self.addresses = [sock.getsockname()[:2] for sock in self._sockets]
        self._accepting = [asyncio.create_task(self._accept(sock)) for sock in self._sockets]
        if self.keys is not None:
            spawn(self._look(self.keys))

    def close(self) -> None:
        """Accept nobody any more."""
        if self._server is not None:
            self._server.close()
        for task in self._accepting:
            task.cancel()
        for sock in self._sockets:
            asyncio.get_running_loop().remove_reader(sock)
            sock.close()
        self._sockets, self._accepting = [], []

    # Inside.

    async def _look(self, keys: Keys) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            keys.look()

    async def _accept(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, address = await loop.sock_accept(sock)
            except OSError as error:
                log.error("not_accepted", reason=str(error))
                await asyncio.sleep(FULL_SECONDS)
                continue
            if self._full():
                count(self._counters.limits, "pending")
                self._refused("over_capacity")
                accepted.close()
                continue
            self._counters.pending += 1
            self._spawn(self._greet(accepted, str(address[0])))

    async def _greet(self, sock: socket.socket, peer: str) -> None:
        loop, taken, limited = asyncio.get_running_loop(), False, False
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            source = ""
            if self._listen.proxy.protocol:
                if not within(peer, self.gate.proxies):
                    raise ValueError("not from a proxy")
                source = await asyncio.wait_for(_proxy_header(sock), PROXY_SECONDS)
            if self.keys is not None and (limit := self.gate.too_many(source or peer)):
                limited = True
                raise ValueError(f"limits: {limit}")
            taken = True
            if self.keys is None:
                await loop.connect_accepted_socket(lambda: self._make(source), sock)
            else:
                await self._secure(self.keys.context, sock, source)
        except ssl.SSLCertVerificationError as error:
            self._refused("tls_failed")
            count(self._counters.security, "certificate")
            log.warning("security_event", type="certificate", source=peer, why=error.verify_message)
        except ssl.SSLError as error:
            self._refused("tls_failed")
            log.info("tls_failed", source=peer, why=error.reason or str(error))
        except (OSError, ValueError, TimeoutError) as error:
            self._refused("rate_limited" if limited else "tls_failed" if taken else "bad_request")
            (log.debug if limited else log.info)(
                "connection_refused", source=peer, why=str(error) or type(error).__name__
            )
        finally:
            self._counters.pending -= 1
            if not taken:
                sock.close()

    async def _secure(self, context: ssl.SSLContext, sock: socket.socket, source: str) -> None:
        """The TLS handshake. A client whose handshake fails is told why."""
        loop, alerts = asyncio.get_running_loop(), Alerts()
        with sock.dup() as spare:  # the loop closes the other one
            try:
                await loop.connect_accepted_socket(
                    lambda: self._make(source),
                    sock,
                    ssl=context,
                    ssl_handshake_timeout=self.gate.upgrade_timeout,
                )
            except ssl.SSLError:
                if alert := alerts.read():
                    with contextlib.suppress(OSError, TimeoutError):
                        spare.setblocking(False)
                        spare.send(alert)
                        spare.shutdown(socket.SHUT_WR)
                        # What the client has sent meanwhile would turn the end into a reset, and the alert would be lost.
                        await asyncio.wait_for(loop.sock_recv(spare, 65536), ALERT_SECONDS)
                raise

    def _refused(self, outcome: str) -> None:
        key = ("", outcome)
        self._counters.attempts[key] = self._counters.attempts.get(key, 0) + 1


async def _proxy_header(sock: socket.socket) -> str:
    """Reads the PROXY header and not a byte more: TLS begins right behind it. Raises ValueError, OSError."""
    length = proxy_length(await _read(sock, PROXY_HEAD, socket.MSG_PEEK))
    return proxied(await _read(sock, length, 0))


async def _read(sock: socket.socket, length: int, flags: int) -> bytes:
    """Exactly so many bytes, which stay in the socket with MSG_PEEK."""
    loop, data = asyncio.get_running_loop(), b""
    while True:
        try:
            got = sock.recv(length - (0 if flags else len(data)), flags)
        except BlockingIOError:
            got = None
        if got == b"":
            raise ValueError("left before the PROXY protocol header was complete")
        if got is not None:
            data = got if flags else data + got
            if len(data) >= length:
                return data
            if flags and data and not _begins(data):
                raise ValueError("no PROXY protocol header of version 2")
        if flags and data:
            await asyncio.sleep(0.01)  # what was peeked at keeps the socket readable
            continue
        readable: asyncio.Future[None] = loop.create_future()
        loop.add_reader(sock, _wake, readable)
        try:
            await readable
        finally:
            with contextlib.suppress(ValueError, OSError):
                loop.remove_reader(sock)


def _begins(data: bytes) -> bool:
    return SIGNATURE.startswith(data[:12])


def _wake(readable: asyncio.Future[None]) -> None:
    if not readable.done():
        readable.set_result(None)
