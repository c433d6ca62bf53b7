"""The fault proxy breaks links in the way that it says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from .proxy import FaultProxy

Pipe = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Echo:
    """Sends back what it hears."""

    def __init__(self) -> None:
        self.heard = b""
        self.ends: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while piece := await reader.read(65536):
                self.heard += piece
                writer.write(piece)
                await writer.drain()
            self.ends.append("fin")
        except ConnectionError:
            self.ends.append("rst")
        writer.close()


@pytest.fixture
async def echo() -> AsyncIterator[tuple[Echo, FaultProxy]]:
    echo = Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    proxy = FaultProxy("127.0.0.1", server.sockets[0].getsockname()[1], seed=1)
    await proxy.start()
    yield echo, proxy
    for writer in _dialled:
        writer.transport.abort()
    _dialled.clear()
    await proxy.stop()
    server.close()
    await asyncio.sleep(0.01)  # transports tell of their end in the next turns of the loop


_dialled: list[asyncio.StreamWriter] = []


async def dial(proxy: FaultProxy) -> Pipe:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    _dialled.append(writer)
    return reader, writer


async def say(pipe: Pipe, text: bytes, patience: float = 0.3) -> bytes | str:
    """What comes back: the bytes, "silence", "fin" or "rst"."""
    reader, writer = pipe
    try:
        writer.write(text)
        async with asyncio.timeout(patience):
            return await reader.readexactly(len(text))
    except TimeoutError:
        return "silence"
    except asyncio.IncompleteReadError as short:
        return short.partial or "fin"
    except ConnectionError:
        return "rst"


async def test_pass_and_orderly_end(echo: tuple[Echo, FaultProxy]) -> None:
    heard, proxy = echo
    pipe = await dial(proxy)
    assert await say(pipe, b"hello") == b"hello"
    assert proxy.links == 1
    pipe[1].write_eof()
    assert await pipe[0].read() == b""
    assert heard.ends == ["fin"]


async def test_delay(echo: tuple[Echo, FaultProxy]) -> None:
    _, proxy = echo
    pipe = await dial(proxy)
    proxy.set("delay", seconds=0.2, jitter=0.05)
    assert await say(pipe, b"hello", 0.25) == "silence", "150 ms at least each way"
    assert await pipe[0].readexactly(5) == b"hello"


@pytest.mark.parametrize("mode", ["blackhole", "stall"])
async def test_silence_and_its_end(echo: tuple[Echo, FaultProxy], mode: str) -> None:
    heard, proxy = echo
    pipe = await dial(proxy)
    assert await say(pipe, b"one") == b"one"
    proxy.set(mode)  # type: ignore[arg-type]
    assert await say(pipe, b"two") == "silence"
    assert heard.heard == b"one"
    proxy.heal()
    assert await pipe[0].readexactly(3) == b"two", "what was on its way comes"


async def test_a_stall_fills_the_windows(echo: tuple[Echo, FaultProxy]) -> None:
    _, proxy = echo
    _, writer = await dial(proxy)
    proxy.set("stall")
    writer.write(b"x" * (32 << 20))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await writer.drain()


async def test_reset_and_refuse(echo: tuple[Echo, FaultProxy]) -> None:
    heard, proxy = echo
    pipe = await dial(proxy)
    assert await say(pipe, b"one") == b"one"
    proxy.set("refuse")
    assert await say(pipe, b"two") == b"two", "what is open stays"
    assert await say(await dial(proxy), b"x") == "rst"
    proxy.set("reset")
    assert await say(pipe, b"three") == "rst"
    assert await say(await dial(proxy), b"x") == "rst"
    proxy.heal()
    assert await say(await dial(proxy), b"four") == b"four"
    assert heard.ends == ["rst"]


async def test_cut_in_the_middle(echo: tuple[Echo, FaultProxy]) -> None:
    heard, proxy = echo
    pipe = await dial(proxy)
    proxy.set("cut", bytes=3)
    assert await say(pipe, b"message") in ("rst", "fin")
    assert heard.heard in (b"mes", b""), "no more than three bytes; a RST may overtake them"


async def test_throttle(echo: tuple[Echo, FaultProxy]) -> None:
    _, proxy = echo
    pipe = await dial(proxy)
    proxy.set("throttle", bytes=10)
    assert await say(pipe, b"y" * 60, 0.2) == "silence", "six ticks each way"
    assert await pipe[0].readexactly(60) == b"y" * 60
