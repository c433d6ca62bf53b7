"""Raw requests, and raw bytes for an open WebSocket, by the names that rows.yaml gives them."""

from __future__ import annotations

import zlib
from collections.abc import Callable

from .client import KEY, framed, upgrade

HEARTBEAT = b'[2,"bytes","Heartbeat",{}]'
MEBI = 1024 * 1024


def _request(
    first: str = "GET /ocpp/{id} HTTP/1.1", *more: str, end: str = "\r\n", drop: str = ""
) -> Callable[[str], bytes]:
    def make(charger: str) -> bytes:
        lines = [first.replace("{id}", charger), "Host: x", "Upgrade: websocket", "Connection: Upgrade"]
        lines += [f"Sec-WebSocket-Key: {KEY}", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: ocpp1.6"]
        lines = [line for line in lines if not drop or not line.startswith(drop)]
        return (end.join([*lines, *more]) + end + end).encode()

    return make


REQUESTS: dict[str, Callable[[str], bytes]] = {
    "tls_hello": lambda _: bytes.fromhex("16030100c8010000c40303") + bytes(180),
    "plain_http": lambda charger: upgrade(f"/ocpp/{charger}"),
    "post": _request("POST /ocpp/{id} HTTP/1.1"),
    "http_1_0": _request("GET /ocpp/{id} HTTP/1.0"),
    "no_upgrade": _request(drop="Upgrade"),
    "bad_key": _request("GET /ocpp/{id} HTTP/1.1", "Sec-WebSocket-Key: short", drop="Sec-WebSocket-Key"),
    "version_8": _request("GET /ocpp/{id} HTTP/1.1", "Sec-WebSocket-Version: 8", drop="Sec-WebSocket-Version"),
    "long_path": _request("GET /" + "x" * 9216 + "/{id} HTTP/1.1"),
    "many_headers": _request("GET /ocpp/{id} HTTP/1.1", *(f"X-{number}: y" for number in range(200))),
    "long_header": _request("GET /ocpp/{id} HTTP/1.1", "X-Long: " + "y" * 8500),
    "raw_space": _request("GET /ocpp/a b{id} HTTP/1.1"),
    "raw_utf8": _request("GET /ocpp/\u00e4{id} HTTP/1.1"),
    "line_feeds": _request(end="\n"),
    "folded": _request("GET /ocpp/{id} HTTP/1.1", "X-Folded: a", " b"),
    "blank_before_colon": _request("GET /ocpp/{id} HTTP/1.1", "X-Blank : a"),
}


def _deflated(data: bytes) -> bytes:
    made = zlib.compressobj(wbits=-11)
    return (made.compress(data) + made.flush(zlib.Z_SYNC_FLUSH))[:-4]


FRAMES: dict[str, Callable[[], bytes]] = {
    "binary": lambda: framed(2, HEARTBEAT),
    "not_utf8": lambda: framed(1, b'[2,"\xff\xfe","Heartbeat",{}]'),
    "reserved_bit": lambda: framed(1, HEARTBEAT, rsv=0x20),
    "reserved_opcode": lambda: framed(3, HEARTBEAT),
    "unmasked": lambda: framed(1, HEARTBEAT, masked=False),
    "stray_continuation": lambda: framed(0, HEARTBEAT),
    "over_the_cap": lambda: framed(1, b"x" * (MEBI // 4 + 1)),
    "enormous_length": lambda: b"\x81\xff" + (2**40).to_bytes(8, "big") + bytes(4),
    "zip_bomb": lambda: framed(1, _deflated(b"x" * (10 * MEBI)), rsv=0x40),
    "fragments": lambda: framed(1, b"[", fin=False) + framed(0, b"x", fin=False) * 100_000,
    "corrupt_deflate": lambda: framed(1, b"\xff" * 20, rsv=0x40),
    "long_ping": lambda: framed(9, b"x" * 126),
    "close_999": lambda: framed(8, (999).to_bytes(2, "big")),
    "pings": lambda: framed(9) * 501,
}
