"""The least WebSocket framing that both ends of a measurement need.

websockets' sans-I/O objects do the handshake; afterwards frames are cut and written by hand, because a library on the
load side would cost more than what is measured. Complete, unfragmented frames only: a proxy has no reason to send
others.
"""

from __future__ import annotations

import asyncio
import os
import struct
from typing import cast

from websockets.speedups import apply_mask

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA

_short = struct.Struct("!BB").pack
_medium = struct.Struct("!BBH").pack
_long = struct.Struct("!BBQ").pack


class LeanSocket(asyncio.Protocol):
    """One WebSocket connection; subclasses do the handshake in `shake` and take messages in `text`.

    `mask` is what every outgoing frame is masked with: four random bytes for a client, empty for a server. A fixed mask
    per connection is what a proxy sees anyway: it must unmask each frame whatever the mask is.
    """

    __slots__ = ("farewell", "mask", "rest", "shaken", "transport")

    def __init__(self, client: bool) -> None:
        self.mask = os.urandom(4) if client else b""
        self.rest = b""
        self.shaken = False
        self.farewell = ""
        """Code and reason of the close frame, if one came."""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's transports do not inherit from asyncio's

    def data_received(self, data: bytes) -> None:
        if self.rest:
            data = self.rest + data
            self.rest = b""
        if not self.shaken:
            end = data.find(b"\r\n\r\n") + 4
            if end < 4:
                self.rest = data
                return
            self.shaken = True
            self.shake(data[:end])
            data = b"" if self.transport.is_closing() else data[end:]
        at, size = 0, len(data)
        while size - at >= 2:
            length = data[at + 1]
            masked = length & 0x80
            length &= 0x7F
            start = at + 2
            if length >= 126:
                width = 2 if length == 126 else 8
                if size < start + width:
                    break
                length = int.from_bytes(data[start : start + width], "big")
                start += width
            if masked:
                start += 4
            end = start + length
            if end > size:
                break
            opcode = data[at]
            body = apply_mask(data[start:end], data[start - 4 : start]) if masked else data[start:end]
            at = end
            if opcode == 0x81:
                self.text(body)
            else:
                self._control(opcode, body)
        if at < size:
            self.rest = data[at:]

    def send(self, payload: bytes, opcode: int = TEXT) -> None:
        size = len(payload)
        mask = self.mask
        bit = 0x80 if mask else 0
        if size < 126:
            head = _short(0x80 | opcode, bit | size)
        elif size < 65536:
            head = _medium(0x80 | opcode, bit | 126, size)
        else:
            head = _long(0x80 | opcode, bit | 127, size)
        if mask:
            self.transport.write(head + mask + apply_mask(payload, mask))
        else:
            self.transport.write(head + payload)

    def _control(self, opcode: int, body: bytes) -> None:
        if opcode == 0x80 | PING:
            self.send(body, PONG)
        elif opcode == 0x80 | CLOSE:
            self.farewell = f"{int.from_bytes(body[:2], 'big')} {body[2:].decode(errors='replace')}"
            self.send(body, CLOSE)
            self.transport.close()
        elif opcode != 0x80 | PONG:
            raise ValueError(f"frame with first byte {opcode:#x}: fragments and binary frames are not expected here")

    def shake(self, head: bytes) -> None:
        raise NotImplementedError

    def text(self, body: bytes) -> None:
        raise NotImplementedError
