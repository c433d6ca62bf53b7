"""A TCP link that can be broken in every way that a network breaks one."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from typing import Any, Literal, TypeAlias

Mode: TypeAlias = Literal["pass", "delay", "blackhole", "stall", "reset", "refuse", "cut", "throttle"]

CHUNK = 64 * 1024
THROTTLE_TICK = 0.05


class FaultProxy:
    """Listens on a port of its own and leads every connection to `target`, which may change.

    Modes, of all connections at once, until the next `set`:
    `pass`; `delay(seconds, jitter)` each piece; `blackhole`: nothing comes through, the ends hear neither data nor an
    end; `stall`: not even read, so that the senders' windows fill; `reset`: RST what is open, then let nobody connect
    for long; `refuse`: RST whoever connects, what is open stays; `cut(bytes)`: after that many bytes RST, in the middle
    of a message; `throttle(bytes)`: so many per 50 ms.
    """

    def __init__(self, host: str, port: int, *, seed: int = 0) -> None:
        self.target = (host, port)
        self.port = 0
        self.mode: Mode = "pass"
        self.seconds = 0.0
        self.jitter = 0.0
        self.bytes = 0
        self.passed = 0
        """Bytes that came through, both ways."""
        self._random = random.Random(seed)
        self._changed = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._server: asyncio.Server | None = None

    @property
    def links(self) -> int:
        """Connections that are open."""
        return len(self._writers) // 2

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, limit=CHUNK)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Resets everything."""
        if self._server is not None:
            self._server.close()
        self.drop_all()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def set(self, mode: Mode, *, seconds: float = 0.0, jitter: float = 0.0, bytes: int = 0) -> None:
        self.mode, self.seconds, self.jitter, self.bytes = mode, seconds, jitter, bytes
        self._changed.set()
        self._changed = asyncio.Event()
        if mode == "reset":
            self.drop_all()

    def heal(self) -> None:
        self.set("pass")

    def drop_all(self) -> None:
        """RST every connection; new ones are welcome."""
        for writer in list(self._writers):
            _reset(writer)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._link(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.mode in ("reset", "refuse"):
            _reset(writer)
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(*self.target, limit=CHUNK)
        except OSError:
            _reset(writer)
            return
        ends = (writer, far_writer)
        self._writers.update(ends)
        try:
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(reader, far_writer, ends))
                pumps.create_task(self._pump(far_reader, writer, ends))
        finally:
            self._writers.difference_update(ends)
            for end in ends:
                if not end.is_closing():
                    end.close()

    async def _pump(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        ends: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
    ) -> None:
        _no_delay(sink)
        try:
            while True:
                await self._while_mode("stall")
                piece = await source.read(CHUNK)
                await self._while_mode("stall")
                await self._while_mode("blackhole")
                if not piece:
                    break
                if self.mode == "delay":
                    await asyncio.sleep(max(0.0, self.seconds + self._random.uniform(-self.jitter, self.jitter)))
                elif self.mode == "cut":
                    self.bytes, left = self.bytes - len(piece), self.bytes
                    if left < len(piece):
                        sink.write(piece[: max(0, left)])
                        await sink.drain()
                        for end in ends:
                            _reset(end)
                        return
                elif self.mode == "throttle":
                    for start in range(0, len(piece), self.bytes):
                        if self.mode != "throttle":
                            sink.write(piece[start:])
                            break
                        sink.write(piece[start : start + self.bytes])
                        await asyncio.sleep(THROTTLE_TICK)
                    self.passed += len(piece)
                    continue
                self.passed += len(piece)
                sink.write(piece)
                await sink.drain()
            if sink.can_write_eof():
                sink.write_eof()
        except (OSError, RuntimeError):
            for end in ends:
                _reset(end)

    async def _while_mode(self, mode: Mode) -> None:
        while self.mode == mode:
            await self._changed.wait()


def _no_delay(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Ends a connection with RST, not FIN."""
    sock = writer.get_extra_info("socket")
    if sock is not None and not writer.transport.is_closing():
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
