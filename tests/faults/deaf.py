"""A charger that does not read."""

from __future__ import annotations

import socket

from websockets.asyncio.client import ClientConnection, connect

from .nodes import Node

WINDOW = 4096
"""Its system takes so little for it (SO_RCVBUF) that the gateway has to keep what it is sent."""


async def unread(node: Node, identity: str) -> ClientConnection:
    """A connection to this very process, not through a proxy, which would read."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW)
    sock.connect(("127.0.0.1", node.port))
    sock.setblocking(False)
    connection = await connect(
        f"{node.url}/{identity}",
        sock=sock,
        subprotocols=["ocpp1.6"],  # type: ignore[list-item]
        compression=None,
        proxy=None,
        ping_interval=None,
    )
    connection.transport.pause_reading()
    connection.transport.set_write_buffer_limits(high=1 << 20)
    return connection
