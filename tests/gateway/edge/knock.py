"""A client that says what it is told to, over TCP or TLS, and gives back what it hears."""

from __future__ import annotations

import asyncio
import base64
import ssl

from gateway.edge.listener import Edge

KEY = base64.b64encode(bytes(16)).decode()


def basic(user: str, password: bytes | str) -> str:
    raw = password if isinstance(password, bytes) else password.encode()
    return "Authorization: Basic " + base64.b64encode(user.encode() + b":" + raw).decode() + "\r\n"


def trusting(authority: str, *, cert: str = "", key: str = "") -> ssl.SSLContext:
    """A client's TLS that trusts one root and may show a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(authority)
    if cert:
        context.load_cert_chain(cert, key)
    return context


async def knock(
    edge: Edge,
    path: str = "/ocpp/CP1",
    extra: str = "",
    *,
    protocols: str = "ocpp1.6",
    tls: ssl.SSLContext | None = None,
    before: bytes = b"",
    door: int = 0,
) -> tuple[int, dict[str, str]]:
    """Status and headers (names in lower case) of an upgrade request; 0 when the connection ends without an answer.

    `before` goes in front of everything; TLS begins behind it. `extra`: header lines.
    """
    host, port = edge.addresses[door]
    try:
        reader, writer = await asyncio.open_connection(host, port, ssl=None if before else tls)
        if before:
            writer.write(before)
            if tls is not None:
                await writer.start_tls(tls)
        lines = f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        lines += f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: {protocols}\r\n"
        writer.write((lines + extra + "\r\n").encode("latin-1"))
        try:
            head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).decode().split("\r\n")
        finally:
            writer.transport.abort()
    except (OSError, EOFError):  # ssl.SSLError and IncompleteReadError are of them
        return 0, {}
    headers = {line.split(": ", 1)[0].lower(): line.split(": ", 1)[1] for line in head[1:] if line}
    return int(head[0].split()[1]), headers
