"""Both ends of the WebSocket shell over real sockets, against the `websockets` client and server and raw bytes."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import socket
from collections.abc import AsyncIterator, Sequence
from typing import Any, ClassVar

import pytest
import websockets
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.client import ClientProtocol
from websockets.http11 import Request
from websockets.protocol import Protocol

from gateway import wire as wire_module
from gateway.dial import ClientWire, DialFailed
from gateway.reading import READ_LIMIT
from gateway.serve import ServerWire
from gateway.wheel import Wheel
from gateway.wire import Wire

UPGRADE = (
    "GET /ocpp/CP1 HTTP/1.1\r\nHost: gateway\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n"
).encode()


class Echo(ServerWire):
    """Answers every message with itself and keeps what happened."""

    __slots__ = ("binary", "lost", "refused", "server", "texts")

    def __init__(self, server: EchoServer) -> None:
        super().__init__(server.wheel)
        self.server = server
        self.texts: list[bytes] = []
        self.binary = 0
        self.lost: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        self.refused: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        server.wires.append(self)

    def on_request(self, request: Request, offered: Sequence[str]) -> None:
        self.server.requests.append((request.path, list(offered)))
        if request.path == "/later":
            asyncio.get_running_loop().call_later(0.05, self.accept, offered[0])
        elif request.path == "/no":
            self.reject(503, "Come back.\n", [("Retry-After", "7")])
        elif request.path == "/broken":
            raise RuntimeError("decision failed")
        else:
            self.accept(offered[0] if offered else None, deflate=request.path == "/deflate")

    def on_open(self) -> None:
        if self.server.pause_on_open:
            self.pause()

    def on_text(self, data: bytes) -> None:
        if data == b"raise":
            raise RuntimeError("owner failed")
        self.texts.append(data)
        if data == b"pause":
            self.pause()
        self.send(data)

    def on_binary(self) -> None:
        self.binary += 1

    def on_lost(self, code: int, reason: str) -> None:
        self.lost.set_result((code, reason))

    def on_refused(self, status: int, why: str) -> None:
        self.refused.set_result(status)


class EchoServer:
    def __init__(self) -> None:
        self.wheel = Wheel()
        self.wires: list[Echo] = []
        self.requests: list[tuple[str, list[str]]] = []
        self.pause_on_open = False
        self.url = ""
        self.port = 0


@pytest.fixture
async def echo() -> AsyncIterator[EchoServer]:
    state = EchoServer()
    server = await asyncio.get_running_loop().create_server(lambda: Echo(state), "127.0.0.1", 0)
    state.port = server.sockets[0].getsockname()[1]
    state.url = f"ws://127.0.0.1:{state.port}"
    yield state
    server.close()
    for raw in Raw.opened:
        raw.end()
        raw.writer.close()
    Raw.opened.clear()
    for wire in state.wires:
        wire.abort()
    await asyncio.sleep(0.02)
    assert len(state.wheel) == 0, "a closed connection left a timer"


def client(url: str, **options: Any) -> connect:
    options.setdefault("compression", None)
    return connect(url, subprotocols=["ocpp1.6"], proxy=None, **options)  # type: ignore[list-item]


class Raw:
    """A socket without a WebSocket library: what no well-behaved client sends."""

    opened: ClassVar[list[Raw]] = []

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, port: int, request: bytes = UPGRADE) -> Raw:
        self = cls(*await asyncio.open_connection("127.0.0.1", port))
        self.writer.write(request)
        cls.opened.append(self)
        return self

    async def head(self) -> str:
        return (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 5)).decode()

    def frame(self, opcode: int, data: bytes, *, fin: bool = True, rsv: int = 0, masked: bool = True) -> None:
        head = bytes([(0x80 if fin else 0) | rsv | opcode])
        size = len(data)
        bit = 0x80 if masked else 0
        if size < 126:
            head += bytes([bit | size])
        elif size < 65536:
            head += bytes([bit | 126]) + size.to_bytes(2, "big")
        else:
            head += bytes([bit | 127]) + size.to_bytes(8, "big")
        self.writer.write(head + (bytes(4) if masked else b"") + data)

    async def read(self) -> tuple[int, bytes]:
        first, second = await asyncio.wait_for(self.reader.readexactly(2), 5)
        size = second & 127
        if size == 126:
            size = int.from_bytes(await self.reader.readexactly(2), "big")
        elif size == 127:
            size = int.from_bytes(await self.reader.readexactly(8), "big")
        return first & 15, await asyncio.wait_for(self.reader.readexactly(size), 5)

    async def close_code(self) -> int:
        while True:
            opcode, data = await self.read()
            if opcode == 8:
                return int.from_bytes(data[:2], "big")

    def end(self) -> None:
        self.writer.transport.abort()


# Server side


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 200_000])
async def test_every_length_encoding_there_and_back(echo: EchoServer, size: int) -> None:
    async with client(echo.url) as ws:
        await ws.send("x" * size)
        assert await ws.recv() == "x" * size
    assert await echo.wires[0].lost == (1000, "")


async def test_the_subprotocol_is_what_the_owner_says_and_the_list_is_complete(echo: EchoServer) -> None:
    async with connect(echo.url, subprotocols=["OCPP1.6", "x"], compression=None, proxy=None) as ws:  # type: ignore[list-item]
        assert ws.subprotocol == "OCPP1.6"
    assert echo.requests == [("/", ["OCPP1.6", "x"])]


async def test_fragments_are_joined_also_with_a_ping_between_and_inside_a_character(echo: EchoServer) -> None:
    raw = await Raw.open(echo.port)
    assert "101" in await raw.head()
    text = '[2,"1","ä"]'.encode()
    cut = text.index(b"\xc3") + 1
    raw.frame(1, text[:cut], fin=False)
    raw.frame(9, b"hello")
    raw.frame(0, b"", fin=False)
    raw.frame(0, text[cut:])
    assert await raw.read() == (10, b"hello")
    assert await raw.read() == (1, text)
    raw.end()


async def test_binary_json_is_text_and_counted(echo: EchoServer) -> None:
    async with client(echo.url) as ws:
        await ws.send(b'[2,"1","Heartbeat",{}]')
        assert await ws.recv() == '[2,"1","Heartbeat",{}]'
    assert echo.wires[0].binary == 1


async def test_rows_of_the_websocket_layer(echo: EchoServer) -> None:
    """W02, W03, W04, W06, W08: which close code each gets, and that the server survives them."""
    cases = {
        "W02 invalid UTF-8": (lambda raw: raw.frame(1, b"\xff\xfe"), 1007),
        "W03 RSV2": (lambda raw: raw.frame(1, b"[]", rsv=0x20), 1002),
        "W03 opcode 3": (lambda raw: raw.frame(3, b"[]"), 1002),
        "W03 unmasked": (lambda raw: raw.frame(1, b"[]", masked=False), 1002),
        "W03 stray continuation": (lambda raw: raw.frame(0, b"[]"), 1002),
        "W04 over the limit": (lambda raw: raw.frame(1, b"x" * (READ_LIMIT + 1)), 1009),
        "W04 length 2^40": (lambda raw: raw.writer.write(b"\x81\xff" + (2**40).to_bytes(8, "big")), 1009),
        "W06 fragments": (lambda raw: [raw.frame(int(not n), b"x", fin=False) for n in range(6000)], 1009),
        "W08 long ping": (lambda raw: raw.frame(9, b"x" * 126), 1002),
        "W08 close 999": (lambda raw: raw.frame(8, (999).to_bytes(2, "big")), 1002),
    }
    for name, (send, code) in cases.items():
        raw = await Raw.open(echo.port)
        await raw.head()
        send(raw)
        assert await raw.close_code() == code, name
        raw.end()
        assert (await echo.wires[-1].lost)[0] == code, name
    async with client(echo.url) as ws:
        await ws.send("still alive")
        assert await ws.recv() == "still alive"


async def test_a_message_over_the_limit_in_small_fragments_is_refused(echo: EchoServer) -> None:
    raw = await Raw.open(echo.port)
    await raw.head()
    for number in range(5):
        raw.frame(int(number == 0), b"x" * 60_000, fin=False)
    assert await raw.close_code() == 1009
    raw.end()


async def test_compression_is_declined_unless_the_owner_wants_it(echo: EchoServer) -> None:
    async with client(echo.url, compression="deflate") as ws:
        assert ws.protocol.extensions == []
    async with client(echo.url + "/deflate", compression="deflate") as ws:
        header = ws.response.headers["Sec-WebSocket-Extensions"]  # type: ignore[union-attr]
        assert "server_no_context_takeover" in header
        assert "client_no_context_takeover" in header
        for _ in range(3):
            await ws.send("abc" * 1000)
            assert await ws.recv() == "abc" * 1000
    with pytest.raises(websockets.ConnectionClosedError) as caught:
        async with client(echo.url + "/deflate", compression="deflate") as ws:
            await ws.send("0" * (READ_LIMIT + 1))
            await ws.recv()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1009


async def test_http_errors_of_the_library_and_of_the_owner(echo: EchoServer) -> None:
    """H21 and H22, and a reject by the owner; each leaves `on_refused` with the status."""
    good = UPGRADE.decode()
    cases = [
        (good.replace("GET", "POST"), 405),
        (good.replace("HTTP/1.1", "HTTP/1.0"), 505),
        (good.replace("Upgrade: websocket\r\n", ""), 426),
        (good.replace("Sec-WebSocket-Key: A", "Sec-WebSocket-Key: !"), 400),
        (good.replace("Version: 13", "Version: 8"), 400),
        (good.replace("/ocpp/CP1", "/" + "x" * 9000), 414),
        (good.replace("\r\n\r\n", "\r\n" + "X: y\r\n" * 200 + "\r\n"), 431),
        (good.replace("\r\n\r\n", "\r\nX: " + "y" * 8300 + "\r\n\r\n"), 431),
        (good.replace("/ocpp/CP1", "/no"), 503),
        (good.replace("/ocpp/CP1", "/broken"), 500),
    ]
    for request, status in cases:
        raw = await Raw.open(echo.port, request.encode())
        head = await raw.head()
        assert head.startswith(f"HTTP/1.1 {status} "), (request[:60], head)
        assert "text/plain" in head
        assert await asyncio.wait_for(raw.reader.read(), 5), "a short body"
        assert await echo.wires[-1].refused == status
        raw.end()
    assert "Retry-After" not in head


async def test_a_request_that_is_no_http_closes_quietly(echo: EchoServer, caplog: pytest.LogCaptureFixture) -> None:
    raw = await Raw.open(echo.port, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
    assert await asyncio.wait_for(raw.reader.read(), 5) == b""
    assert await echo.wires[-1].refused == 0
    raw.end()
    gone = await Raw.open(echo.port, b"GET / HT")
    await asyncio.sleep(0.05)
    gone.end()
    assert await asyncio.wait_for(echo.wires[-1].refused, 5) == 0
    assert caplog.text == ""


async def test_a_late_decision_and_a_client_that_talks_too_early(echo: EchoServer) -> None:
    raw = await Raw.open(echo.port, UPGRADE.replace(b"/ocpp/CP1", b"/later"))
    raw.frame(1, b"early")
    assert "101" in await raw.head()
    assert await raw.read() == (1, b"early")
    raw.end()


async def test_dribbled_headers_are_cut_off(echo: EchoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.serve.UPGRADE_TIMEOUT", 0.1)
    raw = await Raw.open(echo.port, b"GET / HTTP/1.1\r\n")
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await raw.head()
    assert await echo.wires[0].refused == 0


async def test_pause_holds_messages_in_order_even_of_one_packet(echo: EchoServer) -> None:
    raw = await Raw.open(echo.port)
    await raw.head()
    wire = echo.wires[0]
    for text in (b"one", b"pause", b"two", b"three"):
        raw.frame(1, text)
    assert await raw.read() == (1, b"one")
    assert await raw.read() == (1, b"pause")
    await asyncio.sleep(0.05)
    assert wire.texts == [b"one", b"pause"]
    raw.frame(1, b"four")
    await asyncio.sleep(0.05)
    wire.resume()
    assert [(await raw.read())[1] for _ in range(3)] == [b"two", b"three", b"four"]
    raw.end()


async def test_pause_in_on_open_survives_the_handshake(echo: EchoServer) -> None:
    echo.pause_on_open = True
    async with client(echo.url) as ws:
        await ws.send("first")
        await asyncio.sleep(0.05)
        assert echo.wires[0].texts == []
        echo.wires[0].resume()
        assert await ws.recv() == "first"


async def test_ping_both_ways_and_last_received(echo: EchoServer) -> None:
    async with client(echo.url) as ws:
        await (await ws.ping())
        wire = echo.wires[0]
        before = wire.last_received
        await asyncio.sleep(0.02)
        wire.ping()
        await asyncio.sleep(0.05)
        assert wire.last_received > before
        assert wire.buffered == 0
        assert wire.peer[0] == "127.0.0.1"


async def test_our_close_reaches_the_peer_and_later_frames_are_ignored(
    echo: EchoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire_module, "CLOSE_TIMEOUT", 0.2)
    raw = await Raw.open(echo.port)
    await raw.head()
    await asyncio.sleep(0.01)
    wire = echo.wires[0]
    wire.pause()
    wire.close(1012, "é" * 100)
    opcode, data = await raw.read()
    assert (opcode, data[:2]) == (8, (1012).to_bytes(2, "big"))
    assert data[2:].decode() == "é" * 61
    raw.frame(1, b"too late")
    raw.frame(8, (1012).to_bytes(2, "big"))
    assert (await asyncio.wait_for(wire.lost, 5))[0] == 1012
    assert wire.texts == []


async def test_a_peer_that_goes_on_after_our_close_is_reset_at_once(echo: EchoServer) -> None:
    raw = await Raw.open(echo.port)
    await raw.head()
    await asyncio.sleep(0.01)
    echo.wires[0].close(1008, "too fast")
    assert await raw.close_code() == 1008
    for _ in range(100):
        raw.frame(1, b"x" * 500)
    async with asyncio.timeout(wire_module.CLOSE_TIMEOUT / 2):
        assert await echo.wires[0].lost == (1008, "too fast")
    raw.end()


async def test_what_came_before_a_pause_is_not_even_parsed_until_it_ends(
    echo: EchoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed = 0

    def receive_data(self: Protocol, data: bytes) -> None:
        nonlocal parsed
        parsed += len(data)
        library(self, data)

    raw = await Raw.open(echo.port)
    await raw.head()
    await asyncio.sleep(0.01)
    library = Protocol.receive_data
    monkeypatch.setattr(Protocol, "receive_data", receive_data)
    texts = [b"%04d" % number for number in range(1000)]
    raw.frame(1, b"pause")
    for text in texts[:500]:
        raw.frame(1, text)
    raw.frame(9, b"there?")
    for text in texts[500:]:
        raw.frame(1, text)
    raw.frame(8, (1000).to_bytes(2, "big"))
    assert await raw.read() == (1, b"pause")
    await asyncio.sleep(0.05)
    assert not parsed
    wire = echo.wires[0]
    wire.resume()
    heard = [await raw.read() for _ in range(1001)]
    assert heard.index((10, b"there?")) == 500
    assert [text for _, text in heard if text != b"there?"] == texts
    assert await raw.close_code() == 1000
    assert await asyncio.wait_for(wire.lost, 5) == (1000, "")
    assert parsed < 50, "only the ping and the close"


async def test_a_close_among_what_nobody_has_looked_at_counts(echo: EchoServer) -> None:
    raw = await Raw.open(echo.port)
    await raw.head()
    await asyncio.sleep(0.01)
    raw.frame(1, b"pause")
    raw.frame(1, b"more")
    raw.frame(8, (1001).to_bytes(2, "big"))
    assert await raw.read() == (1, b"pause")
    await asyncio.sleep(0.05)
    echo.wires[0].abort()
    assert (await asyncio.wait_for(echo.wires[0].lost, 5))[0] == 1001
    raw.end()


async def test_a_peer_that_ignores_our_close_is_reset(echo: EchoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_module, "CLOSE_TIMEOUT", 0.1)
    raw = await Raw.open(echo.port)
    await raw.head()
    await asyncio.sleep(0.01)
    echo.wires[0].close(1008, "superseded")
    assert await asyncio.wait_for(echo.wires[0].lost, 5) == (1008, "superseded")
    raw.end()


async def test_a_peer_that_never_reads_is_closed_1013_and_reset(
    echo: EchoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire_module, "CLOSE_TIMEOUT", 0.1)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", echo.port))
    await asyncio.get_running_loop().sock_sendall(sock, UPGRADE)
    await asyncio.sleep(0.05)
    wire = echo.wires[0]
    for _ in range(200):
        wire.send(b"x" * 60_000)
        await asyncio.sleep(0)
    assert wire.buffered < wire_module.WRITE_LIMIT + 130_000
    assert (await asyncio.wait_for(wire.lost, 5))[0] == 1013
    sock.close()


async def test_a_write_stall_is_reset(echo: EchoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_module, "STALL_TIMEOUT", 0.1)
    monkeypatch.setattr(wire_module, "WRITE_LIMIT", 1 << 30)
    raw = await Raw.open(echo.port)
    await raw.head()
    await asyncio.sleep(0.01)
    raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
    echo.wires[0].send(b"x" * 20_000_000)
    assert (await asyncio.wait_for(echo.wires[0].lost, 5))[0] == 1006
    raw.end()


async def test_an_owner_that_fails_costs_only_its_own_connection(echo: EchoServer) -> None:
    async with client(echo.url) as good, client(echo.url) as bad:
        await bad.send("raise")
        with pytest.raises(websockets.ConnectionClosedError) as caught:
            await bad.recv()
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1011
        await good.send("fine")
        assert await good.recv() == "fine"


async def test_a_reset_inside_a_frame_delivers_nothing_of_it(echo: EchoServer) -> None:
    raw = await Raw.open(echo.port)
    await raw.head()
    raw.writer.write(b"\x81\x85" + bytes(4) + b"ab")
    await raw.writer.drain()
    await asyncio.sleep(0.02)
    raw.end()
    assert (await asyncio.wait_for(echo.wires[0].lost, 5))[0] == 1006
    assert echo.wires[0].texts == []


# Client side


class Dialled(ClientWire):
    __slots__ = ("lost", "opens", "texts")

    def __init__(self) -> None:
        super().__init__(Wheel())
        self.opens = 0
        self.texts: asyncio.Queue[bytes] = asyncio.Queue()
        self.lost: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()

    def on_open(self) -> None:
        self.opens += 1

    def on_text(self, data: bytes) -> None:
        self.texts.put_nowait(data)

    def on_lost(self, code: int, reason: str) -> None:
        self.lost.set_result((code, reason))


async def test_dial_with_subprotocol_credentials_and_early_frames() -> None:
    seen: list[Request] = []

    async def csms(ws: ServerConnection) -> None:
        assert ws.request is not None
        seen.append(ws.request)
        await ws.send("at once")
        async for message in ws:
            await ws.send(message)

    async with serve(csms, "127.0.0.1", 0, subprotocols=["ocpp2.0.1"]) as server:  # type: ignore[list-item]
        port = server.sockets[0].getsockname()[1]
        wire = Dialled()
        await wire.dial(
            f"ws://user:secret@127.0.0.1:{port}/ocpp/CP%2F1",
            subprotocols=["ocpp2.1", "ocpp2.0.1"],
            headers={"X-Test": "1"},
        )
        assert (wire.subprotocol, wire.opens, wire.is_open) == ("ocpp2.0.1", 1, True)
        assert await wire.texts.get() == b"at once"
        for size in (10, 200, 70_000):
            wire.send(b"y" * size)
            assert await wire.texts.get() == b"y" * size
        wire.ping()
        wire.close(1000, "done")
        assert await asyncio.wait_for(wire.lost, 5) == (1000, "done")
        again = Dialled()
        await again.dial(
            f"ws://user:secret@127.0.0.1:{port}/", subprotocols=["ocpp2.0.1"], headers={"Authorization": "Basic eA=="}
        )
        again.close()
        await again.lost
    assert seen[0].path == "/ocpp/CP%2F1"
    assert seen[0].headers["Authorization"] == "Basic " + base64.b64encode(b"user:secret").decode()
    assert seen[0].headers["X-Test"] == "1"
    assert seen[1].headers.get_all("Authorization") == ["Basic eA=="]


async def test_a_server_without_our_subprotocol_is_refused_and_closed() -> None:
    codes: asyncio.Queue[int | None] = asyncio.Queue()

    async def csms(ws: ServerConnection) -> None:
        await ws.wait_closed()
        codes.put_nowait(ws.close_code)

    async with serve(csms, "127.0.0.1", 0) as server:
        wire = Dialled()
        with pytest.raises(DialFailed) as caught:
            await wire.dial(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/", subprotocols=["ocpp1.6"])
        assert caught.value.kind == "subprotocol"
        assert await asyncio.wait_for(codes.get(), 5) == 1002
        assert wire.opens == 0


async def test_what_a_failed_dial_says(echo: EchoServer) -> None:
    async def failure(url: str, **options: Any) -> DialFailed:
        with pytest.raises(DialFailed) as caught:
            await Dialled().dial(url, subprotocols=["ocpp1.6"], **options)
        return caught.value

    busy = await failure(echo.url + "/no")
    assert (busy.kind, busy.status, busy.retry_after) == ("http", 503, 7)
    assert (await failure("http://127.0.0.1/")).kind == "url"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        assert (await failure(f"ws://127.0.0.1:{free.getsockname()[1]}/")).kind == "refused"

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.read(1000):
                pass
        except ConnectionError:
            pass
        writer.close()

    mute = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = mute.sockets[0].getsockname()[1]
    assert (await failure(f"ws://127.0.0.1:{port}/", timeout=0.1)).kind == "timeout"
    mute.close()
    rude = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    assert (await failure(f"ws://127.0.0.1:{rude.sockets[0].getsockname()[1]}/")).kind == "protocol"
    no_tls = await failure(f"wss://127.0.0.1:{rude.sockets[0].getsockname()[1]}/")
    assert no_tls.kind == "tls" and no_tls.detail
    rude.close()


async def test_a_cancelled_dial_leaves_no_socket() -> None:
    gone = asyncio.get_running_loop().create_future()

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.read(1000):
                pass
        except ConnectionError:
            pass
        gone.set_result(None)
        writer.close()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    wire = Dialled()
    task = asyncio.create_task(
        wire.dial(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/", subprotocols=["ocpp1.6"])
    )
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(gone, 5)
    server.close()


async def test_our_two_ends_together(echo: EchoServer) -> None:
    wire = Dialled()
    await wire.dial(echo.url, subprotocols=["ocpp1.6"])
    frame = json.dumps([2, "1", "Heartbeat", {}]).encode()
    for _ in range(100):
        wire.send(frame)
    assert [await wire.texts.get() for _ in range(100)] == [frame] * 100
    echo.wires[0].close(1001, "going")
    assert await asyncio.wait_for(wire.lost, 5) == (1001, "going")


async def test_the_library_does_not_parse_plain_messages(echo: EchoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Dialled()
    await wire.dial(echo.url, subprotocols=["ocpp1.6"])
    parsed: list[object] = []
    monkeypatch.setattr(Wire, "_frame", lambda wire, frame: parsed.append(frame))
    for size in (10, 1000):
        wire.send(b"[" + b" " * size + b"]")
        await wire.texts.get()
    assert parsed == []


async def test_an_open_connection_leaves_the_garbage_collector_nothing(echo: EchoServer) -> None:
    """The library's object and its parser know each other; 10,000 chargers that boot or ping must not leave 10,000 of them."""

    def alive() -> int:
        return sum(isinstance(each, Protocol) and not isinstance(each, ClientProtocol) for each in gc.get_objects())

    async with client(echo.url + "/CP1", ping_interval=None) as websocket:
        gc.collect()
        gc.disable()
        try:
            before = alive()
            raw = await Raw.open(echo.port)
            await raw.head()
            raw.frame(0x9, b"how are you")
            raw.frame(0xA, b"")
            raw.frame(0x1, b"[]")
            assert await asyncio.wait_for(raw.reader.readexactly(17), 5) == b"\x8a\x0bhow are you\x81\x02[]"
            await (await websocket.ping())
            assert alive() == before
        finally:
            gc.enable()


async def test_a_wire_has_no_dict() -> None:
    assert "__dict__" not in dir(Wire(Wheel()))
