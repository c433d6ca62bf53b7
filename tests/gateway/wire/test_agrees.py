"""The shell and the plain library make the same of any stream of bytes, however it is cut (the shell reads the common frames itself).

The transport is a list here: no socket delivers the cuts that are asked for.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import Protocol, Side, State
from websockets.streams import StreamReader
from websockets.uri import parse_uri

from gateway.dial import ClientWire
from gateway.serve import ServerWire
from gateway.wheel import Wheel
from gateway.wire import Wire

from .test_wire import UPGRADE

LIMIT = 300
"""Largest message; small, so that the fuzzer meets it."""
LOOP = asyncio.new_event_loop()
WHEEL = Wheel(LOOP)


class Outcome(NamedTuple):
    texts: list[bytes]
    pongs: list[bytes]
    code: int
    """Of the close frame that was sent; 0: none was."""
    echoed: bool
    """The other side closed first."""


class Pipe:
    """What of a transport a wire uses."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.closing = False

    def write(self, data: bytes) -> None:
        self.written += data

    def set_write_buffer_limits(self, high: int) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def write_eof(self) -> None: ...
    def get_write_buffer_size(self) -> int:
        return 0

    def can_write_eof(self) -> bool:
        return True

    def is_closing(self) -> bool:
        return self.closing

    def get_extra_info(self, name: str) -> None:
        return None

    def abort(self) -> None:
        self.closing = True

    close = abort


class Server(ServerWire):
    __slots__ = ("texts",)

    def __init__(self) -> None:
        super().__init__(WHEEL, read_limit=LIMIT)
        self.texts: list[bytes] = []

    def on_request(self, request: Request, offered: Sequence[str]) -> None:
        self.accept(offered[0])

    def on_text(self, data: bytes) -> None:
        self.texts.append(data)


class Client(ClientWire):
    __slots__ = ("texts",)

    def __init__(self) -> None:
        super().__init__(WHEEL)
        self.texts: list[bytes] = []

    def on_text(self, data: bytes) -> None:
        self.texts.append(data)


def opened(side: Side) -> tuple[Server | Client, Pipe]:
    """A wire whose handshake is done."""
    pipe = Pipe()
    transport = cast(asyncio.BaseTransport, pipe)
    wire: Server | Client
    if side is Side.SERVER:
        wire = Server()
        wire.connection_made(transport)
        wire.data_received(UPGRADE)
    else:
        wire = Client()
        wire._protocol = ClientProtocol(parse_uri("ws://csms/"), state=State.OPEN, max_size=LIMIT)
        wire._read_limit = LIMIT
        wire.connection_made(transport)
        wire._open()
        wire._rest()
    assert wire.is_open
    pipe.written.clear()
    return wire, pipe


def cut(stream: bytes, cuts: Sequence[int]) -> Iterator[bytes]:
    """The stream in pieces, at these places."""
    places = sorted({place % (len(stream) + 1) for place in cuts} | {0, len(stream)})
    for start, end in pairwise(places):
        yield stream[start:end]


def by_shell(side: Side, pieces: list[bytes]) -> Outcome:
    wire, pipe = opened(side)
    for piece in pieces:
        if not pipe.closing:
            wire.data_received(piece)
    protocol = wire._library()
    outcome = _outcome(protocol, wire.texts, _frames(bytes(pipe.written), side))
    wire.connection_lost(None)
    return outcome


def by_library(side: Side, stream: bytes) -> Outcome:
    """Byte by byte: each frame is judged before the next is looked at."""
    protocol = Protocol(side, max_size=LIMIT)
    texts: list[bytes] = []
    written = b""
    parts: list[bytes] = []
    over = False
    for byte in stream:
        protocol.receive_data(bytes([byte]))
        for event in protocol.events_received():
            frame = cast(Frame, event)
            if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT) and not over:
                parts.append(bytes(frame.data))
                if frame.fin:
                    message, parts = b"".join(parts), []
                    try:
                        message.decode()
                    except UnicodeDecodeError:
                        protocol.fail(1007, "invalid UTF-8")
                        over = True
                    else:
                        texts.append(message)
        written += b"".join(protocol.data_to_send())
    return _outcome(protocol, texts, _frames(written, side))


def _outcome(protocol: Protocol, texts: list[bytes], sent: list[Frame]) -> Outcome:
    code = 0 if protocol.close_sent is None else int(protocol.close_sent.code)
    pongs = [bytes(frame.data) for frame in sent if frame.opcode is Opcode.PONG]
    return Outcome(texts, pongs, code, bool(protocol.close_rcvd_then_sent))


def _frames(data: bytes, side: Side) -> list[Frame]:
    """What was written, frame by frame."""
    reader, found = StreamReader(), []
    reader.feed_data(data)
    while reader.buffer:
        parsing = Frame.parse(reader.read_exact, mask=side is Side.CLIENT, max_size=None, extensions=None)
        try:
            next(parsing)
            raise AssertionError("half a frame was written")
        except StopIteration as done:
            found.append(done.value)
    return found


def agree(side: Side, stream: bytes, cuts: Sequence[int]) -> None:
    pieces = list(cut(stream, cuts))
    ours, theirs = by_shell(side, pieces), by_library(side, stream)
    if theirs.code == 1007 and ours.code:
        # What came in one piece with text that is none may have been answered before the text was looked at.
        assert ours.pongs[: len(theirs.pongs)] == theirs.pongs
        ours = theirs._replace(texts=ours.texts)
    assert ours == theirs


@st.composite
def frames(draw: st.DrawFn, side: Side) -> bytes:
    """One frame, mostly a proper one."""
    opcode = draw(st.sampled_from([1] * 8 + [0, 0, 2, 8, 9, 9, 10, 3, 11]))
    payload = draw(
        st.one_of(
            st.text(max_size=20).map(str.encode),
            st.binary(max_size=20),
            st.sampled_from([125, 126, 127, 200, LIMIT, LIMIT + 1]).map(lambda size: b"x" * size),
            st.sampled_from([b"\x03\xe8", b"\x03\xe8bye", b"\x03\xe7", b"\x03", b"\xc3", b"\xa9"]),
        )
    )
    first = opcode | (0x80 if draw(st.integers(0, 5)) else 0)
    if not draw(st.integers(0, 30)):
        first |= draw(st.sampled_from([0x40, 0x20, 0x10]))
    masked = (side is Side.SERVER) == bool(draw(st.integers(0, 40)))
    bit = 0x80 if masked else 0
    size, form = len(payload), draw(st.integers(0, 25))
    if form == 1 or size > 65535:
        head = bytes([first, bit | 127]) + size.to_bytes(8, "big")
    elif form == 2 or size > 125:
        head = bytes([first, bit | 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([first, bit | size])
    if not masked:
        return head + payload
    # A mask that looks like the head of a frame is what a reader that has lost its place stumbles over.
    mask = draw(
        st.one_of(st.binary(min_size=4, max_size=4), st.just(b"\x81\x80\x81\x80"), st.just(b"\x81\x81\x81\x81"))
    )
    return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


def streams(side: Side) -> st.SearchStrategy[bytes]:
    pieces = st.one_of(frames(side), frames(side), frames(side), st.binary(max_size=6))
    return st.lists(pieces, max_size=12).map(b"".join)


places = st.one_of(st.lists(st.integers(0, 5000), max_size=30), st.just(list(range(5000))))
usual = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
long = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "5000")), deadline=None, suppress_health_check=list(HealthCheck)
)


@usual
@given(stream=streams(Side.SERVER), cuts=places)
def test_the_charger_leg(stream: bytes, cuts: list[int]) -> None:
    agree(Side.SERVER, stream, cuts)


@usual
@given(stream=streams(Side.CLIENT), cuts=places)
def test_the_upstream_leg(stream: bytes, cuts: list[int]) -> None:
    agree(Side.CLIENT, stream, cuts)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("side", [Side.SERVER, Side.CLIENT])
def test_both_legs_at_length(side: Side) -> None:
    @long
    @given(stream=streams(side), cuts=places)
    def run(stream: bytes, cuts: list[int]) -> None:
        agree(side, stream, cuts)

    run()


@pytest.mark.parametrize("at", [2, 4, 6, 8])
def test_a_mask_that_looks_like_a_frame(at: int) -> None:
    """Cut inside a header, where the library has taken what came and waits for more."""
    mask = b"\x81\x80\x81\x80"
    frame = b"\x81\x82" + mask + bytes(byte ^ mask[index] for index, byte in enumerate(b"ab"))
    agree(Side.SERVER, frame * 2, [at])


def test_nothing_is_left_behind() -> None:
    assert isinstance(opened(Side.SERVER)[0], Wire)
    any_wire: Any = opened(Side.CLIENT)[0]
    any_wire.connection_lost(None)
