"""Debian's haproxy in front of the edges, as an ingress controller would be: it asks /readyz and spreads by connections."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from tests.e2e.process import free_port

from .nodes import Node

needs_haproxy = pytest.mark.skipif(
    shutil.which("haproxy") is None, reason="needs haproxy on PATH: apt-get install haproxy"
)

LOOK_SECONDS = 0.3
"""Between two health checks of one edge; one that fails is enough."""

_CONFIG = """
global
    maxconn 4000
    stats socket {directory}/stats mode 600 level admin
defaults
    mode http
    timeout connect 2s
    timeout client 30s
    timeout server 30s
    timeout tunnel 1h
    timeout http-request 10s
    option redispatch 1
    retries 3
    retry-on conn-failure empty-response 503
frontend chargers
    bind 127.0.0.1:{port}
    default_backend edges
backend edges
    balance leastconn
    option httpchk GET /readyz
    http-check expect status 200
    default-server inter {inter}ms fastinter {inter}ms downinter {inter}ms fall 1 rise 1
"""


@contextlib.asynccontextmanager
async def ingress(directory: Path, edges: Iterable[Node]) -> AsyncIterator[str]:
    """URL for chargers. Edges that do not run yet are taken in as soon as they are ready."""
    port = free_port()
    lines = [_CONFIG.format(directory=directory, port=port, inter=int(LOOK_SECONDS * 1000))]
    lines += [f"    server {each.name} 127.0.0.1:{each.port} check port {each.admin_port}\n" for each in edges]
    file = directory / "haproxy.cfg"
    file.write_text("".join(lines))
    with (directory / "haproxy.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec("haproxy", "-db", "-f", file, stdout=log, stderr=log)
    try:
        async with asyncio.timeout(10):
            while not await _listens(port):
                assert process.returncode is None, (directory / "haproxy.log").read_text()
                await asyncio.sleep(0.05)
        await asyncio.sleep(2 * LOOK_SECONDS)
        yield f"ws://127.0.0.1:{port}/ocpp"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
