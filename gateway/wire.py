"""WebSocket connections of both legs: one thin `asyncio.Protocol` over the sans-I/O protocols of `websockets`.

The library negotiates, keeps the closing handshake right and parses all that is unusual; this shell moves bytes, takes
complete text frames itself, reassembles messages, bounds both buffers and knows the deadlines. An open connection that
stands between two frames has no object of the library: one is made when something unusual comes. It owns no task, no
queue and no loop timer: deadlines go through the process's `Wheel`. Owners subclass `ServerWire` (gateway/serve.py) or
`ClientWire` (gateway/dial.py), with `__slots__`, and override `on_*`.

Limits: architecture.md section 8, reliability 1.4, 1.10, 2.7 and 6.2.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
from collections import deque
from typing import Any, ClassVar, Final, cast

import structlog
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import Protocol, Side, State
from websockets.streams import StreamReader

from gateway.masking import apply_mask, new_mask
from gateway.wheel import Timer, Wheel

READ_LIMIT: Final = 256 * 1024
"""Largest message in bytes, also after inflation; a longer one closes 1009 at its header."""
FRAGMENT_LIMIT: Final = 4096
"""Most fragments of one message; more close 1009."""
WRITE_LIMIT: Final = 256 * 1024
"""Most bytes waiting for a peer that does not read; beyond it `on_overflow` is called."""
UPGRADE_TIMEOUT: Final = 10.0
"""Seconds from accept to the end of the HTTP upgrade; from dial to its end on the client side."""
CLOSE_TIMEOUT: Final = 3.0
"""Seconds for the closing handshake, then the socket is reset."""
LATE_LIMIT: Final = 32 * 1024
"""Most bytes that are read after our Close frame; who sends more does not listen, and the socket is reset."""
STALL_TIMEOUT: Final = 30.0
"""Seconds for which a peer may leave written bytes unread, then the socket is reset."""

_HIGH_WATER: Final = 64 * 1024
_BETWEEN_FRAMES: Final = StreamReader.at_eof.__code__
"""Where the library's parser waits when it has read no part of a frame: an empty buffer alone does not say so, as the
parser takes a header away before it has the rest."""
_TEXT_HEADERS: Final = [bytes((0x81, size)) for size in range(256)]
_MEDIUM: Final = b"\x81\x7e"
_MEDIUM_MASKED: Final = b"\x81\xfe"
_LONG: Final = b"\x81\x7f"
_LONG_MASKED: Final = b"\x81\xff"
_PING: Final = b"\x89\x00"
_PING_MASKED: Final = b"\x89\x80"

_log = structlog.get_logger(__name__)
quiet = logging.getLogger(__name__ + ".protocol")
quiet.setLevel(logging.ERROR)  # the library logs each opening and closing at INFO


class Wire(asyncio.Protocol):
    """What both legs share. Callbacks run in the loop; an exception in one closes that socket with 1011."""

    __slots__ = (
        "_closing",
        "_deadline",
        "_fragments",
        "_held",
        "_late",
        "_paused",
        "_protocol",
        "_read_limit",
        "_stall",
        "_transport",
        "_unread",
        "_wheel",
        "last_received",
        "opened",
        "write_limit",
    )

    side: ClassVar[Side]
    _protocol: Protocol | None
    """The library; None: the connection is open, nothing is compressed, and it stands between two frames."""

    def __init__(self, wheel: Wheel, read_limit: int = READ_LIMIT) -> None:
        self._wheel = wheel
        self._read_limit = read_limit
        self._transport: asyncio.Transport | None = None
        self._fragments: list[bytes] | None = None
        self._held: deque[bytes] | None = None
        self._late = -1
        """Bytes that came after our Close frame; -1 before it, or when the library drops them unread, after an error."""
        self._unread = b""
        """Came before reading was stopped, from the first frame on that nobody has looked at."""
        self._paused = False
        self._closing = False
        self._deadline: Timer | None = None
        self._stall: Timer | None = None
        self.opened = False
        """True once the WebSocket handshake is complete; stays true afterwards."""
        self.last_received = 0.0
        """`loop.time()` of the last inbound byte of any kind."""
        self.write_limit = WRITE_LIMIT
        """Bytes that may wait for the peer."""

    # For owners to override.

    def on_open(self) -> None:
        """The handshake is complete. Messages follow; `pause()` here holds them back."""

    def on_text(self, data: bytes) -> None:
        """One complete message, valid UTF-8. Never called while paused or after `close`."""

    def on_binary(self) -> None:
        """The message that `on_text` gets next came in a binary frame (row W01: processed, counted)."""

    def on_pong(self) -> None:
        """A pong came."""

    def on_ping(self) -> None:
        """A ping came, and was answered."""

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

    def pause(self) -> None:
        """Stop reading; `on_text` is not called before `resume()`. TCP slows the peer down."""
        if not self._paused:
            self._paused = True
            if self._transport is not None and not self._transport.is_closing():
                self._transport.pause_reading()

    def resume(self) -> None:
        """Read again, what was held back first."""
        if not self._paused:
            return
        self._paused = False
        held = self._held
        while held and not self._paused:
            self._deliver(held.popleft())
        if not held:
            self._held = None
        if self._unread and not self._paused:
            self.data_received(b"")
        if not self._paused and self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    @property
    def paused(self) -> bool:
        return self._paused

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_HIGH_WATER)
        self.last_received = self._wheel.loop.time()

    def data_received(self, data: bytes) -> None:
        self.last_received = self._wheel.loop.time()
        if self._unread:
            data, self._unread = self._unread + data, b""
        while self._protocol is None:
            data = self._read_plain(data)
            if not data:
                return
            if self._paused:
                self._unread = data
                return
            size = self._control(data)
            if not size:
                break
            if data[0] == 0x8A:
                self.on_pong()
            else:
                self._parse(data[:size])
            data = data[size:]
            if not data:
                return
        self._parse(data)

    def _control(self, data: bytes) -> int:
        """Size of the whole ping or pong in front of `data`; 0: none. Of pings the library is given that alone, and not all that
        follows; with a pong it would do nothing but say that it came."""
        if len(data) < 2 or data[0] not in (0x89, 0x8A):
            return 0
        length = data[1] ^ (0x80 if self.side is Side.SERVER else 0)
        size = 2 + length + (4 if self.side is Side.SERVER else 0)
        return size if length < 126 and size <= len(data) else 0

    def _parse(self, data: bytes) -> None:
        """Have the library read what is more than plain text frames."""
        protocol = self._library()
        if self._late >= 0:
            self._late += len(data)
            if self._late > LATE_LIMIT:
                self.abort()
                return
        protocol.receive_data(data)
        if protocol.writes:
            self._flush()
        for event in protocol.events_received():
            if isinstance(event, Frame):
                self._frame(event)
            else:
                self._handshake(event)
        if self.opened:
            self._rest()
        else:
            self._knocked()

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

    def _read_plain(self, data: bytes) -> bytes:
        """Take complete, unfragmented, uncompressed text frames from the front of `data`; give back the rest.

        The library's parser sees everything else. It is a third of the cost of a message.
        """
        masked = 0x80 if self.side is Side.SERVER else 0
        limit = self._read_limit
        at, end = 0, len(data)
        while end - at >= 2 and data[at] == 0x81 and self._protocol is None and not self._paused:
            length = data[at + 1] ^ masked
            start = at + 2
            if length == 126:
                if end - at < 4:
                    break
                length = data[at + 2] << 8 | data[at + 3]
                start = at + 4
                if length < 126:
                    break
            elif length > 125:
                break  # 64-bit lengths, and frames that are masked wrongly: the library judges them
            if masked:
                start += 4
            stop = start + length
            if stop > end or length > limit:
                break
            message = data[start:stop]
            if masked:
                message = apply_mask(message, data[start - 4 : start])
            if self._held or self._closing or not message.isascii():
                self._message(message)
            else:
                try:
                    self.on_text(message)
                except Exception:
                    self._broken()
            at = stop
        return data[at:] if at else data

    def _handshake(self, event: Request | Response) -> None:
        raise NotImplementedError

    def _knocked(self) -> None:
        """Bytes have come before the handshake was complete."""

    def _unopened(self, exc: Exception | None) -> None:
        """The connection ended before its handshake was complete."""

    def _library(self) -> Protocol:
        protocol = self._protocol
        if protocol is None:
            protocol = self._protocol = Protocol(self.side, max_size=self._read_limit, logger=quiet)
        return protocol

    def _rest(self) -> None:
        """Let go of the library's object, and of the handshake that it remembers, if a new one would do as well."""
        protocol = self._protocol
        if (
            protocol is None
            or protocol._state is not State.OPEN
            or protocol.current_size is not None
            or protocol.extensions
        ):
            return
        parser: Any = protocol.parser
        while parser.gi_yieldfrom is not None:
            parser = parser.gi_yieldfrom
        if parser.gi_code is _BETWEEN_FRAMES:
            protocol.parser.close()  # it knows its protocol: the two would wait for the garbage collector
            self._protocol = None

    def _open(self) -> None:
        self._cancel()
        self.opened = True
        try:
            self.on_open()
        except Exception:
            self._broken()

    def _frame(self, frame: Frame) -> None:
        opcode = frame.opcode
        if opcode is Opcode.TEXT or opcode is Opcode.BINARY:
            if opcode is Opcode.BINARY:
                self.on_binary()
            if frame.fin:
                self._message(bytes(frame.data))
            else:
                self._fragments = [bytes(frame.data)]
        elif opcode is Opcode.CONT and self._fragments is not None:
            self._fragments.append(bytes(frame.data))
            if frame.fin:
                data = b"".join(self._fragments)
                self._fragments = None
                self._message(data)
            elif len(self._fragments) > FRAGMENT_LIMIT:
                self._fail(1009, "too many fragments")
        elif opcode is Opcode.PONG:
            self.on_pong()
        elif opcode is Opcode.PING:
            self.on_ping()

    def _message(self, data: bytes) -> None:
        if not data.isascii():
            try:
                data.decode()
            except UnicodeDecodeError:
                self._fail(1007, "invalid UTF-8")
                return
        if self._paused or self._held:
            if self._held is None:
                self._held = deque()
            self._held.append(data)
        else:
            self._deliver(data)

    def _deliver(self, data: bytes) -> None:
        if self._closing:  # nothing is processed once we said goodbye
            return
        try:
            self.on_text(data)
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

    def _discard(self) -> None:
        """Forget what is held back and read on: only the peer's close frame matters now."""
        unread, self._unread = self._unread, b""
        if unread:
            self._parse(unread)
        self._held = None
        if self._paused:
            self._paused = False
            if self._transport is not None and not self._transport.is_closing():
                self._transport.resume_reading()

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
