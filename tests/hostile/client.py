"""Chargers that do what none should: frames as they are written in the table, raw requests, raw bytes."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import ssl
from typing import Any, ClassVar

from websockets.asyncio.client import ClientConnection, connect

KEY = base64.b64encode(bytes(16)).decode()
PATIENCE = 10.0
_sources = itertools.count(1)


def source() -> str:
    """An address of this machine that nobody knocked from before."""
    number = next(_sources)
    return f"127.{1 + number // 250 % 250}.{number % 250}.{2 + number // 62500}"


class Plug:
    """One WebSocket of a charger."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    @classmethod
    async def into(
        cls, port: int, charger: str, version: str, *, ssl: ssl.SSLContext | None = None, **options: Any
    ) -> Plug:
        options.setdefault("compression", None)
        options.setdefault("local_addr", (source(), 0))
        scheme = "wss" if ssl else "ws"
        if ssl:
            options["ssl"] = ssl
        return cls(
            await connect(
                f"{scheme}://127.0.0.1:{port}/ocpp/{charger}", subprotocols=[version] if version else None,  # type: ignore[list-item]
                proxy=None, ping_interval=None, close_timeout=1, max_size=2**24, **options,
            )
        )  # fmt: skip

    async def say(self, text: str | bytes) -> None:
        await self.socket.send(text)

    async def hear(self, patience: float = PATIENCE, *, calls: bool = False) -> str:
        """The next frame; CALLs of the gateway are declined, unless they are what is waited for."""
        while True:
            text = await asyncio.wait_for(self.socket.recv(), patience)
            assert isinstance(text, str)
            if calls or not text.startswith("[2,"):
                return text
            await self.say(json.dumps([4, json.loads(text)[1], "NotSupported", "", {}]))

    async def ask(self, frame: str) -> str:
        """Says a CALL, gives the first thing that comes back."""
        await self.say(frame)
        return await self.hear()

    async def works(self, id: str = "next") -> None:
        """The next valid frame is answered, and nothing came before that."""
        answer = json.loads(await self.ask(f'[2,"{id}","Heartbeat",{{}}]'))
        assert answer[:2] == [3, id], answer

    async def closed(self, patience: float = PATIENCE) -> int:
        """The code with which the gateway closes."""
        await asyncio.wait_for(self.socket.wait_closed(), patience)
        return self.socket.close_code or 0

    async def leave(self) -> None:
        await self.socket.close()


def upgrade(path: str, protocols: str | list[str] | None = "ocpp1.6", headers: list[str] | None = None) -> bytes:
    """An upgrade request."""
    lines = [f"GET {path} HTTP/1.1", "Host: x", "Upgrade: websocket", "Connection: Upgrade"]
    lines += [f"Sec-WebSocket-Key: {KEY}", "Sec-WebSocket-Version: 13"]
    for each in [protocols] if isinstance(protocols, str) else protocols or []:
        lines.append(f"Sec-WebSocket-Protocol: {each}")
    return ("\r\n".join([*lines, *(headers or [])]) + "\r\n\r\n").encode("latin-1")


class Raw:
    """A TCP connection."""

    opened: ClassVar[list[Raw]] = []
    """All of them, to be ended with the test."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        Raw.opened.append(self)

    @classmethod
    async def into(cls, port: int, first: bytes = b"", *, tls: ssl.SSLContext | None = None, address: str = "") -> Raw:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=tls, local_addr=(address or source(), 0), limit=2**22
        )
        writer.write(first)
        return cls(reader, writer)

    async def head(self, patience: float = PATIENCE) -> tuple[int, dict[str, str]]:
        """Status and headers (names in lower case); (0, {}) when it ends without any."""
        try:
            head = (
                (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), patience)).decode("latin-1").split("\r\n")
            )
        except (asyncio.IncompleteReadError, OSError):
            return 0, {}
        if not head[0].startswith("HTTP/"):
            return -1, {}
        headers = {line.split(":", 1)[0].lower(): line.split(":", 1)[1].strip() for line in head[1:] if line}
        return int(head[0].split()[1]), headers

    def frame(self, opcode: int, data: bytes = b"", *, fin: bool = True, rsv: int = 0, masked: bool = True) -> None:
        self.writer.write(framed(opcode, data, fin=fin, rsv=rsv, masked=masked))

    async def ending(self, patience: float = PATIENCE) -> int:
        """Reads to the close frame: its code; 0 if the connection ends without one."""
        data = b""
        try:
            async with asyncio.timeout(patience):
                while piece := await self.reader.read(65536):
                    data += piece
                    while len(data) >= 2:
                        size, start = data[1] & 0x7F, 2
                        if size == 126:
                            size, start = int.from_bytes(data[2:4], "big"), 4
                        if len(data) < start + size:
                            break
                        if data[0] & 15 == 8:
                            return int.from_bytes(data[start : start + 2], "big") if size else 1005
                        data = data[start + size :]
        except ConnectionError:
            pass
        return 0

    def end(self) -> None:
        self.writer.transport.abort()


def framed(opcode: int, data: bytes = b"", *, fin: bool = True, rsv: int = 0, masked: bool = True) -> bytes:
    """A WebSocket frame; the mask is zero."""
    bit, size = 0x80 if masked else 0, len(data)
    head = bytes([(0x80 if fin else 0) | rsv | opcode])
    if size < 126:
        head += bytes([bit | size])
    elif size < 65536:
        head += bytes([bit | 126]) + size.to_bytes(2, "big")
    else:
        head += bytes([bit | 127]) + size.to_bytes(8, "big")
    return head + (bytes(4) if masked else b"") + data
