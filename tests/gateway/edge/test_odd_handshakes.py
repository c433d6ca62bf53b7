"""Quirks of handshakes (translators/quirks/table.yaml, Q01-Q06), against a real edge."""

from __future__ import annotations

import asyncio

from gateway import passwords
from gateway.config import Listen
from gateway.edge.listener import Edge
from gateway.registry import Charger, Registry
from tests.gateway.edge.conftest import EchoHub, World, dial, hear, say
from tests.gateway.edge.knock import KEY, basic

OPEN = Listen(port=0, ping_interval=0)


async def ask(edge: Edge, path: str = "/ocpp/CP1", *lines: str) -> tuple[int, str]:
    """Status and head of the answer to a request with these lines besides those of a WebSocket."""
    reader, writer = await asyncio.open_connection(*edge.addresses[0])
    request = [f"GET {path} HTTP/1.1", "Host: x", "Upgrade: websocket", f"Sec-WebSocket-Key: {KEY}"]
    request += ["Sec-WebSocket-Version: 13", *(line.rstrip() for line in lines), "", ""]
    writer.write("\r\n".join(request).encode("latin-1"))
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).decode()
    writer.transport.abort()
    return int(head.split()[1]), head


UPGRADE, V16 = "Connection: Upgrade", "Sec-WebSocket-Protocol: ocpp1.6"


async def test_q01_no_subprotocol(world: World, hub: EchoHub) -> None:
    strict = await world.edge(hub.journal, OPEN)
    assert (await ask(strict, "/CP1", UPGRADE))[0] == 400
    edge = await world.edge(hub.journal, Listen(port=0, ping_interval=0, assume_subprotocol="ocpp1.6"))
    status, head = await ask(edge, "/CP1", UPGRADE)
    assert status == 101
    assert "sec-websocket-protocol" not in head.lower()
    assert edge.counters.quirks == {("hs_no_subprotocol", "ocpp1.6"): 1}
    async with dial(edge, subprotocols=None) as ws:
        await say(ws, 2, "1", "Heartbeat", {})
        assert (await hear(ws))[:2] == [3, "1"]


async def test_q02_no_connection_header(world: World, hub: EchoHub) -> None:
    strict = await world.edge(hub.journal, OPEN)
    assert (await ask(strict, "/CP1", V16))[0] == 426
    assert (await ask(strict, "/CP1", V16, "Connection: keep-alive"))[0] == 426
    edge = await world.edge(hub.journal, Listen(port=0, ping_interval=0, lenient_upgrade=True))
    for charger, lines in (("CP1", (V16,)), ("CP2", (V16, "Connection: keep-alive"))):
        assert (await ask(edge, f"/{charger}", *lines))[0] == 101
    assert edge.counters.quirks == {("hs_no_connection_hdr", ""): 2}
    assert (await ask(edge, "/CP1", V16, UPGRADE))[0] == 101
    assert edge.counters.quirks == {("hs_no_connection_hdr", ""): 2}, "nothing was missing"


async def test_q03_malformed_requests(world: World, hub: EchoHub) -> None:
    edge = await world.edge(hub.journal, Listen(port=0, ping_interval=0, accept_burst=1, accept_rate=1))
    for _ in range(4):
        assert (await ask(edge, "/CP1", UPGRADE, V16, "Sec-WebSocket-Key: doubled"))[0] == 400
    assert edge.counters.quirks == {("hs_bad_request", ""): 4}
    assert (await ask(edge, "/CP1", UPGRADE, V16))[0] == 101, "they cost nothing of the rate"


async def test_q04_odd_paths(world: World, hub: EchoHub) -> None:
    edge = await world.edge(hub.journal, OPEN)
    assert (await ask(edge, "/ws://host:9000/CP_1/SER", UPGRADE, V16))[0] == 101
    opened = (await hub.kinds("open"))[0]
    assert opened.head.charger == "SER"
    assert edge.counters.quirks == {("hs_odd_path", "ocpp1.6"): 1}
    assert (await ask(edge, "/ocpp/", UPGRADE, V16, basic("CP7", "secret")))[0] == 404
    named = await world.edge(hub.journal, Listen(port=0, ping_interval=0, identity_from_username=True))
    assert (await ask(named, "/ocpp/", UPGRADE, V16, basic("CP7", "secret")))[0] == 101
    assert (await ask(named, "/ocpp/", UPGRADE, V16))[0] == 404
    await hub.until(
        lambda entries: [entry for entry in entries if entry.kind == "open" and entry.head.charger == "CP7"]
    )
    assert named.counters.quirks == {("hs_odd_path", "ocpp1.6"): 1}


async def test_q05_escaped_identities(world: World, hub: EchoHub) -> None:
    registry = Registry(open=False)
    registry.replace([Charger("cp_1-a b|c")])
    edge = await world.edge(hub.journal, OPEN, registry=registry)
    for path in ("/%43P_1%2da%20b%7Cc", "/CP_1-A%20B|c"):
        assert (await ask(edge, path, UPGRADE, V16))[0] == 101
    assert edge.counters.quirks[("hs_id_encoding", "ocpp1.6")] == 2
    assert (await hub.kinds("open"))[0].head.charger == "CP_1-a b|c"


async def test_q06_hex_passwords(world: World, hub: EchoHub) -> None:
    key = bytes(range(0xC0, 0xD0))
    registry = Registry(open=False)
    registry.replace([Charger("CP1", password=passwords.sealed(key)), Charger("CP2", password=passwords.sealed(key))])
    edge = await world.edge(hub.journal, Listen(port=0, ping_interval=0, security_profile=1), registry=registry)
    assert (await ask(edge, "/CP1", UPGRADE, V16, basic("CP1", key)))[0] == 101
    assert edge.counters.quirks == {}
    assert (await ask(edge, "/CP2", UPGRADE, V16, basic("CP2", key.hex())))[0] == 101
    assert edge.counters.quirks == {("auth_hex_verbatim", "ocpp1.6"): 1}
