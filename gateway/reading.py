"""What comes over a WebSocket: complete text frames are taken here, the library of `websockets` parses all that is unusual.

An open connection that stands between two frames has no object of the library: one is made when something unusual comes.
What is read is bounded, held back while the owner pauses, and given to it as whole messages (`on_*`). `gateway.wire` is the
rest of the connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Any, ClassVar, Final

from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import Protocol, Side, State
from websockets.streams import StreamReader

from gateway.masking import apply_mask
from gateway.wheel import Wheel

READ_LIMIT: Final = 256 * 1024
"""Largest message in bytes, also after inflation; a longer one closes 1009 at its header."""
FRAGMENT_LIMIT: Final = 4096
"""Most fragments of one message; more close 1009."""
LATE_LIMIT: Final = 32 * 1024
"""Most bytes that are read after our Close frame; who sends more does not listen, and the socket is reset."""
_BETWEEN_FRAMES: Final = StreamReader.at_eof.__code__
"""Where the library's parser waits when it has read no part of a frame: an empty buffer alone does not say so, as the
parser takes a header away before it has the rest."""

quiet = logging.getLogger(__name__ + ".protocol")
quiet.setLevel(logging.ERROR)  # the library logs each opening and closing at INFO


class Reading(asyncio.Protocol):
    """The way in of a connection of either leg."""

    __slots__ = (
        "_closing",
        "_fragments",
        "_held",
        "_late",
        "_paused",
        "_protocol",
        "_read_limit",
        "_transport",
        "_unread",
        "_wheel",
        "last_received",
        "opened",
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
        self.opened = False
        """True once the WebSocket handshake is complete; stays true afterwards."""
        self.last_received = 0.0
        """`loop.time()` of the last inbound byte of any kind."""

    # For owners to override.

    def on_text(self, data: bytes) -> None:
        """One complete message, valid UTF-8. Never called while paused or after `close`."""

    def on_binary(self) -> None:
        """The message that `on_text` gets next came in a binary frame (row W01: processed, counted)."""

    def on_pong(self) -> None:
        """A pong came."""

    def on_ping(self) -> None:
        """A ping came, and was answered."""

    # For owners to call.

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

    # For the rest of the connection.

    def abort(self) -> None:
        """Reset the socket now."""
        raise NotImplementedError

    def _handshake(self, event: Request | Response) -> None:
        raise NotImplementedError

    def _knocked(self) -> None:
        """Bytes have come before the handshake was complete."""

    def _fail(self, code: int, reason: str) -> None:
        """The peer has broken the protocol: close with this code."""
        raise NotImplementedError

    def _broken(self) -> None:
        """An owner has raised while it took a message."""
        raise NotImplementedError

    def _flush(self) -> None:
        """Write what the library wants to be written."""
        raise NotImplementedError

    # asyncio.Protocol

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
