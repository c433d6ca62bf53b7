"""The handshake table (reliability 6.1) against a real edge: raw requests in, status lines out."""

from __future__ import annotations

import asyncio
import base64

import pytest

from gateway.config import Limits, Listen
from gateway.edge.gate import NO_ROUTE
from gateway.edge.listener import Edge
from gateway.registry import Charger, Registry
from tests.gateway.edge.conftest import EchoHub, World, dial, hear, say

KEY = base64.b64encode(bytes(16)).decode()


async def ask(edge: Edge, path: str, protocols: str | None = "ocpp1.6", extra: str = "") -> tuple[int, dict[str, str]]:
    """Sends an upgrade request; gives status and headers (names in lower case)."""
    reader, writer = await asyncio.open_connection(*edge.addresses[0])
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    request += f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n"
    if protocols is not None:
        request += "".join(f"Sec-WebSocket-Protocol: {line}\r\n" for line in protocols.split("\n"))
    writer.write((request + extra + "\r\n").encode())
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).decode().split("\r\n")
    writer.transport.abort()
    headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    # Header values as sent, for the subprotocol's spelling.
    headers |= {line.split(": ", 1)[0].lower(): line.split(": ", 1)[1] for line in head[1:] if line}
    return int(head[0].split()[1]), headers


LONG = "x" * 49


@pytest.mark.parametrize(
    ("row", "path", "protocols", "status", "chosen"),
    [
        ("H01", "/ocpp/CP1", None, 400, None),
        ("H02", "/ocpp/CP1", "ocpp0.1", 400, None),
        ("H03", "/ocpp/CP1", "ocpp0.1, ocpp2.0.1", 101, "ocpp2.0.1"),
        ("H04", "/ocpp/CP1", "OCPP1.6", 101, "OCPP1.6"),
        ("H05 two lines", "/ocpp/CP1", "ocpp0.1\nocpp1.6", 101, "ocpp1.6"),
        ("H05 trailing comma", "/ocpp/CP1", "ocpp1.6,", 101, "ocpp1.6"),
        ("H06 empty", "/ocpp/CP1", "", 400, None),
        ("H06 quoted", "/ocpp/CP1", '"ocpp1.6"', 400, None),
        ("first offered", "/ocpp/CP1", "ocpp1.6, ocpp2.0.1", 101, "ocpp1.6"),
        ("any prefix", "/a/b/c/CP1", "ocpp1.6", 101, "ocpp1.6"),
        ("no prefix", "/CP1", "ocpp1.6", 101, "ocpp1.6"),
        ("version in the URL decides nothing", "/ocpp2.0.1/CP1", "ocpp1.6", 101, "ocpp1.6"),
        ("space of the 1.6 example", "/ocpp/RDAM%20123", "ocpp1.6", 101, "ocpp1.6"),
        ("space in 2.x", "/ocpp/RDAM%20123", "ocpp2.0.1", 404, None),
        ("no identity", "/ocpp/", "ocpp1.6", 404, None),
        ("dots", "/ocpp/%2e%2e", "ocpp1.6", 404, None),
        ("not ASCII", "/ocpp/%C3%A4", "ocpp1.6", 404, None),
        ("101 characters", "/ocpp/" + "x" * 101, "ocpp1.6", 404, None),
        ("H16 only 2.x", "/ocpp/" + LONG, "ocpp2.0.1", 404, None),
        ("H16 also 1.x", "/ocpp/" + LONG, "ocpp2.0.1, ocpp1.6", 101, "ocpp1.6"),
        ("H17 2.x", "/ocpp/CP:1", "ocpp2.0.1", 404, None),
        ("H17 1.x", "/ocpp/CP:1", "ocpp2.0.1, ocpp1.6", 101, "ocpp1.6"),
        ("H18 slash", "/ocpp/CP%2F1", "ocpp1.6", 400, None),
        ("H18 NUL", "/ocpp/CP%001", "ocpp1.6", 400, None),
        ("H18 CRLF", "/ocpp/CP%0d%0aX:1", "ocpp1.6", 400, None),
        ("H18 bad escape", "/ocpp/CP%zz", "ocpp1.6", 400, None),
        ("H18 traversal", "/ocpp/..%2f..%2fetc", "ocpp1.6", 400, None),
        ("H18 escape sequence", "/ocpp/%1b[2J", "ocpp1.6", 400, None),
        ("H19", "/ocpp/CP%2531", "ocpp1.6", 404, None),
        ("H20", "/ocpp/CP1?token=secret/x", "ocpp1.6", 101, "ocpp1.6"),
        ("hash tag", "/ocpp/a%7Db%7B", "ocpp1.6", 101, "ocpp1.6"),
    ],
)
async def test_row(row: str, path: str, protocols: str | None, status: int, chosen: str | None, edge: Edge) -> None:
    got, headers = await ask(edge, path, protocols)
    assert (got, headers.get("sec-websocket-protocol")) == (status, chosen)
    assert "sec-websocket-extensions" not in headers


async def test_a_primarys_version_is_preferred_when_offered(world: World, hub: EchoHub) -> None:
    edge = await world.edge(hub.journal, native=lambda charger: {"CP1": "ocpp2.0.1", "CP2": "ocpp1.6"}.get(charger, ""))
    assert (await ask(edge, "/CP1", "ocpp1.6, ocpp2.0.1"))[1]["sec-websocket-protocol"] == "ocpp2.0.1"
    assert (await ask(edge, "/CP2", "ocpp1.5, ocpp2.0.1"))[1]["sec-websocket-protocol"] == "ocpp1.5"
    assert (await ask(edge, "/CP3", "ocpp1.6, ocpp2.0.1"))[1]["sec-websocket-protocol"] == "ocpp1.6"


async def test_a_version_that_cannot_be_translated_for_the_primary_is_not_chosen(world: World, hub: EchoHub) -> None:
    versions = {"OLD": "ocpp1.5", "CP1": "ocpp2.0.1", "NEW": "ocpp2.1"}
    edge = await world.edge(hub.journal, native=versions.__getitem__)
    assert (await ask(edge, "/CP1", "ocpp2.1, ocpp2.0.1"))[1]["sec-websocket-protocol"] == "ocpp2.0.1"
    assert (await ask(edge, "/CP1", "ocpp2.1, ocpp1.6"))[1]["sec-websocket-protocol"] == "ocpp1.6"
    assert (await ask(edge, "/NEW", "ocpp2.0.1, ocpp2.1"))[1]["sec-websocket-protocol"] == "ocpp2.1"
    refused = [("/CP1", "ocpp2.1"), ("/NEW", "ocpp2.0.1, ocpp1.6"), ("/OLD", "ocpp1.6")]
    assert [(await ask(edge, path, offered))[0] for path, offered in refused] == [400, 400, 400]
    assert edge.counters.attempts[("", "subprotocol_mismatch")] == 3


async def test_a_charger_that_is_not_registered_gets_404(world: World, hub: EchoHub) -> None:
    registry = Registry(open=False)
    registry.replace([Charger("CP1"), Charger("cp two")])
    edge = await world.edge(hub.journal, registry=registry)
    assert (await ask(edge, "/cp1"))[0] == 101
    assert (await ask(edge, "/CP%20Two"))[0] == 101
    assert (await ask(edge, "/CP3"))[0] == 404
    assert edge.counters.attempts[("", "unknown_identity")] == 1


async def test_a_charger_without_a_route_gets_404(world: World, hub: EchoHub) -> None:
    """H07: it is refused like one that does not exist, and may back off; nothing here is out of order."""
    edge = await world.edge(hub.journal, refuse=lambda charger: NO_ROUTE if charger == "CP9" else None)
    status, headers = await ask(edge, "/CP9")
    assert (status, "retry-after" in headers) == (404, False)
    assert edge.counters.attempts == {("", "unknown_identity"): 1}
    assert (await ask(edge, "/CP1"))[0] == 101


async def test_503_says_when_to_come_back(world: World, hub: EchoHub) -> None:
    """H27: the reason of the dial hook, draining, too many connections."""
    edge = await world.edge(
        hub.journal,
        Listen(port=0, max_connections=1),
        refuse=lambda charger: "upstream_down" if charger == "CP9" else None,
        limits=Limits(probe=0),
    )
    status, headers = await ask(edge, "/CP9")
    assert status == 503
    assert 30 <= int(headers["retry-after"]) <= 120
    async with dial(edge) as ws:
        assert (await ask(edge, "/CP2"))[0] == 503
        async with dial(edge) as again:  # the same identity takes its own place
            await say(again, 2, "1", "Heartbeat", {})
            assert (await hear(again))[1] == "1"
        await ws.wait_closed()
    edge.draining = True
    status, headers = await ask(edge, "/CP1")
    assert (status, "retry-after" in headers) == (503, True)
    assert edge.counters.attempts == {
        ("", "upstream_down"): 1,
        ("", "over_capacity"): 1,
        ("", "draining"): 1,
        ("ocpp1.6", "accepted"): 2,
    }
    assert edge.counters.pending == 0


async def test_a_storm_of_handshakes_is_slowed(world: World, hub: EchoHub) -> None:
    """H28: beyond the rate 503 with a time to come back; whoever is refused anyway does not count."""
    edge = await world.edge(hub.journal, Listen(port=0, accept_rate=5, accept_burst=3))
    for _ in range(10):
        assert (await ask(edge, "/CP1", "ocpp0.1"))[0] == 400
    answers = [await ask(edge, f"/CP{number}") for number in range(10)]
    accepted = [status for status, _ in answers].count(101)
    assert 3 <= accepted <= 5
    assert {status for status, _ in answers} == {101, 503}
    assert all(30 <= int(headers["retry-after"]) <= 120 for status, headers in answers if status == 503)
    assert edge.counters.attempts[("", "rate_limited")] == 10 - accepted
    await asyncio.sleep(0.5)
    assert (await ask(edge, "/CP1"))[0] == 101


async def test_compression_only_for_2x(edge: Edge) -> None:
    offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
    assert "sec-websocket-extensions" not in (await ask(edge, "/CP1", "ocpp1.6", offer))[1]
    header = (await ask(edge, "/CP2", "ocpp2.0.1", offer))[1]["sec-websocket-extensions"]
    assert "server_no_context_takeover" in header
    assert "client_no_context_takeover" in header
    async with dial(edge, "CP3", "ocpp2.0.1", compression="deflate") as ws:
        await say(ws, 2, "1", "Heartbeat", {})
        assert (await hear(ws))[1] == "1"


async def test_the_flood_of_half_open_handshakes_is_capped(edge: Edge) -> None:
    edge.limits = Limits(pending=3)
    idle = [await asyncio.open_connection(*edge.addresses[0]) for _ in range(3)]
    await asyncio.sleep(0.05)
    assert edge.counters.pending == 3
    reader, writer = await asyncio.open_connection(*edge.addresses[0])
    with pytest.raises(ConnectionResetError):
        assert await asyncio.wait_for(reader.read(), 5) == b""
        raise ConnectionResetError
    writer.transport.abort()
    for _, other in idle:
        other.transport.abort()
    await asyncio.sleep(0.05)
    assert edge.counters.pending == 0
    async with dial(edge):
        pass
    assert edge.counters.attempts[("", "over_capacity")] == 1
