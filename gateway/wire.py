"""WebSocket connections of both legs: one thin `asyncio.Protocol` over the sans-I/O protocols of `websockets`.

The library negotiates, keeps the closing handshake right and parses all that is unusual; this shell moves bytes, takes
complete text frames itself (gateway/reading.py), bounds both buffers and knows the deadlines. It owns no task, no queue and
no loop timer: deadlines go through the process's `Wheel`. Owners subclass `ServerWire` (gateway/serve.py) or
`ClientWire` (gateway/dial.py), with `__slots__`, and override `on_*`.

Limits: architecture.md section 8, reliability 1.4, 1.10, 2.7 and 6.2.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import Final, cast

import structlog
from websockets.protocol import Side, State

from gateway.masking import apply_mask, new_mask
from gateway.reading import READ_LIMIT, Reading
from gateway.wheel import Timer, Wheel

WRITE_LIMIT: Final = 256 * 1024
"""Most bytes waiting for a peer that does not read; beyond it `on_overflow` is called."""
UPGRADE_TIMEOUT: Final = 10.0
"""Seconds from accept to the end of the HTTP upgrade; from dial to its end on the client side."""
CLOSE_TIMEOUT: Final = 3.0
"""Seconds for the closing handshake, then the socket is reset."""
STALL_TIMEOUT: Final = 30.0
"""Seconds for which a peer may leave written bytes unread, then the socket is reset."""

_HIGH_WATER: Final = 64 * 1024
_TEXT_HEADERS: Final = [bytes((0x81, size)) for size in range(256)]
_MEDIUM: Final = b"\x81\x7e"
_MEDIUM_MASKED: Final = b"\x81\xfe"
_LONG: Final = b"\x81\x7f"
_LONG_MASKED: Final = b"\x81\xff"
_PING: Final = b"\x89\x00"
_PING_MASKED: Final = b"\x89\x80"

_log = structlog.get_logger(__name__)


class Wire(Reading):
    """What both legs share. Callbacks run in the loop; an exception in one closes that socket with 1011."""

    __slots__ = ("_deadline", "_stall", "write_limit")

    def __init__(self, wheel: Wheel, read_limit: int = READ_LIMIT) -> None:
        super().__init__(wheel, read_limit)
        self._deadline: Timer | None = None
        self._stall: Timer | None = None
        self.write_limit = WRITE_LIMIT
        """Bytes that may wait for the peer."""

    # For owners to override.

    def on_open(self) -> None:
        """The handshake is complete. Messages follow; `pause()` here holds them back."""

    def on_overflow(self) -> None:
        """More than `write_limit` bytes wait for the peer. Default: close 1013."""
        self.close(1013, "not reading")

    def on_stall(self) -> None:
        """The peer has left what was written unread for `stall_timeout`. Default: reset the socket."""
        self.abort()

    def on_lost(self, code: int, reason: str) -> None:
        """The connection is gone: once per opened connection. The code is that of the first close frame, whoever sent
        it; 1006 without one."""

    # For owners to call.

    @property
    def stall_timeout(self) -> float:
        """Seconds for which written bytes may stay unread. For owners to override."""
        return STALL_TIMEOUT

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent now."""
        protocol = self._protocol
        return self.opened and self._transport is not None and (protocol is None or protocol._state is State.OPEN)

    @property
    def buffered(self) -> int:
        """Bytes written but not yet taken by the kernel."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    @property
    def peer(self) -> tuple[str, int]:
        """Address and port of the other side; ("", 0) when there is none."""
        name = None if self._transport is None else self._transport.get_extra_info("peername")
        return (str(name[0]), int(name[1])) if isinstance(name, tuple) and len(name) >= 2 else ("", 0)

    def send(self, text: bytes) -> None:
        """Send one text message. Does nothing when the connection is not open."""
        protocol, transport = self._protocol, self._transport
        if transport is None:
            return
        if protocol is not None:
            if protocol._state is not State.OPEN:
                return
            if protocol.extensions:
                protocol.send_text(text)
                self._flush()
                return
        # An uncompressed frame is its header and the text: no detour through the library's frame objects.
        size, bit = len(text), 0
        if self.side is Side.CLIENT:
            mask, bit = new_mask(), 0x80
            text = mask + apply_mask(text, mask)
        if size < 126:
            transport.write(_TEXT_HEADERS[size | bit] + text)
        elif size < 65536:
            transport.write((_MEDIUM_MASKED if bit else _MEDIUM) + size.to_bytes(2, "big") + text)
        else:
            transport.write((_LONG_MASKED if bit else _LONG) + size.to_bytes(8, "big") + text)
        if transport.get_write_buffer_size() > self.write_limit:
            self.on_overflow()

    def ping(self) -> None:
        """Send a ping; the pong shows in `last_received`."""
        if self._transport is not None and self.is_open:
            self._transport.write(_PING if self.side is Side.SERVER else _PING_MASKED + new_mask())

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Start the closing handshake; the socket is reset when it takes longer than `CLOSE_TIMEOUT`.

        `reason` is cut to 123 bytes. Before the handshake is complete the socket is just reset.
        """
        if not self.opened:
            self.abort()
        elif self.is_open:
            self._closing = True
            cut = reason.encode()[:123].decode(errors="ignore")
            self._library().send_close(code, cut)
            self._late = 0
            self._flush()
            self._discard()

    def reset(self) -> None:
        """End the TCP connection with a reset, without a Close frame."""
        if self._transport is not None and (sock := self._transport.get_extra_info("socket")) is not None:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.abort()

    def abort(self) -> None:
        """Reset the socket now."""
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_HIGH_WATER)
        self.last_received = self._wheel.loop.time()

    def eof_received(self) -> None:
        self._library().receive_eof()
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        unread, self._unread = self._unread, b""
        if unread:  # the peer's Close frame may be in it
            self._library().receive_data(unread)
        protocol = self._protocol
        if protocol is not None and not protocol.reader.eof:
            protocol.receive_eof()
        self._transport = None
        self._discard()
        self._fragments = None
        self._cancel()
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
        if self.opened:
            first = None
            if protocol is not None:
                first = protocol.close_rcvd if protocol.close_rcvd_then_sent else protocol.close_sent
            if first is None:
                self.on_lost(1006, "" if exc is None else str(exc))
            else:
                self.on_lost(int(first.code), first.reason)
        else:
            self._unopened(exc)

    def pause_writing(self) -> None:
        if self._stall is None:
            self._stall = self._wheel.after(self.stall_timeout, self.on_stall)

    def resume_writing(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    # Inside.

    def _unopened(self, exc: Exception | None) -> None:
        """The connection ended before its handshake was complete."""

    def _open(self) -> None:
        self._cancel()
        self.opened = True
        try:
            self.on_open()
        except Exception:
            self._broken()

    def _broken(self) -> None:
        _log.exception("connection_failed", closes=1011)
        self.close(1011, "internal error")

    def _fail(self, code: int, reason: str) -> None:
        protocol = self._library()
        if protocol.state is State.OPEN:
            protocol.fail(code, reason)
        self._closing = True
        self._fragments = None
        self._flush()
        self._discard()

    def _flush(self) -> None:
        transport, protocol = self._transport, self._library()
        if transport is None:
            protocol.writes.clear()
            return
        for data in protocol.data_to_send():
            if data:
                transport.write(data)
            elif transport.can_write_eof():
                transport.write_eof()
            else:
                transport.close()
        if protocol.close_expected():
            if self._deadline is None or not self.opened:
                self._cancel()
                self._deadline = self._wheel.after(CLOSE_TIMEOUT, self.abort)
        elif transport.get_write_buffer_size() > self.write_limit:
            self.on_overflow()

    def _cancel(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
