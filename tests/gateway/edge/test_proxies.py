"""Behind a proxy: PROXY protocol, X-Forwarded-For, certificates that are passed on; and what others send of these."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import quote

import pytest

from gateway import passwords
from gateway.config import Listen, Proxy, Tls
from gateway.edge.source import SIGNATURE
from gateway.registry import Charger, Registry
from tests.gateway.edge.authority import Authority
from tests.gateway.edge.conftest import EchoHub, World, eventually
from tests.gateway.edge.knock import basic, knock, trusting

HERE = ("127.0.0.1",)


def proxy_header(source: str) -> bytes:
    address = bytes(int(part) for part in source.split("."))
    return SIGNATURE + b"\x21\x11\x00\x0c" + address + bytes([127, 0, 0, 1]) + b"\x12\x34\x23\x28"


def registry() -> Registry:
    found = Registry(open=False)
    found.replace([Charger("CP1", passwords.sealed(b"p")), Charger("CP2")])
    return found


async def test_the_proxy_protocol_tells_where_chargers_come_from(world: World, hub: EchoHub) -> None:
    listen = Listen(port=0, allow_from=("192.0.2.0/24",), proxy=Proxy(addresses=HERE, protocol=True))
    edge = await world.edge(hub.journal, listen)
    assert (await knock(edge, before=proxy_header("192.0.2.7")))[0] == 101
    assert (await knock(edge, before=proxy_header("198.51.100.7")))[0] == 403
    assert (await knock(edge, before=SIGNATURE + b"\x20\x00\x00\x00"))[0] == 403  # the proxy's own health check
    assert (await knock(edge))[0] == 0
    assert (await knock(edge, before=SIGNATURE + b"\x21\x11\xff\xff"))[0] == 0
    await eventually(lambda: edge.counters.pending == 0)
    assert edge.counters.attempts[("", "bad_request")] == 2


async def test_the_proxy_protocol_in_pieces(world: World, hub: EchoHub) -> None:
    listen = Listen(port=0, proxy=Proxy(addresses=HERE, protocol=True))
    edge = await world.edge(hub.journal, listen)
    reader, writer = await asyncio.open_connection(*edge.addresses[0])
    header = proxy_header("10.0.0.9")
    for at in range(len(header)):
        writer.write(header[at : at + 1])
        await asyncio.sleep(0.005)
    writer.write(b"GET /CP1 HTTP/1.1\r\n\r\n")
    assert b"HTTP/1.1 426" in await asyncio.wait_for(reader.read(), 5)
    writer.transport.abort()


async def test_nobody_but_the_proxy_may_speak_for_others(world: World, hub: EchoHub) -> None:
    listeners = [
        Listen(port=0, proxy=Proxy(addresses=("10.9.9.9",), protocol=True)),
        Listen(port=0, allow_from=("192.0.2.0/24",), proxy=Proxy(addresses=("10.9.9.9",), forwarded_for=True)),
        Listen(port=0, allow_from=("192.0.2.0/24",), proxy=Proxy(addresses=HERE, forwarded_for=True)),
    ]
    edge = await world.edge(hub.journal, listeners)
    assert (await knock(edge, before=proxy_header("192.0.2.7")))[0] == 0
    said = "X-Forwarded-For: 192.0.2.7\r\n"
    assert (await knock(edge, extra=said, door=1))[0] == 403
    assert (await knock(edge, extra=said, door=2))[0] == 101
    assert (await knock(edge, extra="X-Forwarded-For: 192.0.2.7, 8.8.8.8\r\n", door=2))[0] == 403


async def test_lock_outs_go_by_the_address_that_the_proxy_tells(world: World, hub: EchoHub) -> None:
    listen = Listen(port=0, security_profile=1, allow_from=("any",), proxy=Proxy(addresses=HERE, protocol=True))
    edge = await world.edge(hub.journal, listen, registry=registry())
    for _ in range(10):
        await knock(edge, "/CP1", basic("CP1", "guess"), before=proxy_header("192.0.2.7"))
    assert (await knock(edge, "/CP1", basic("CP1", "p"), before=proxy_header("192.0.2.200")))[0] == 429
    assert (await knock(edge, "/CP1", basic("CP1", "p"), before=proxy_header("198.51.100.1")))[0] == 101


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def test_the_proxy_protocol_before_tls(world: World, hub: EchoHub, authority: Authority) -> None:
    issued = authority.issue("gateway")
    listen = Listen(
        port=0,
        security_profile=2,
        allow_from=("192.0.2.0/24",),
        tls=Tls(cert=issued.cert, key=issued.key),
        proxy=Proxy(addresses=HERE, protocol=True),
    )
    edge = await world.edge(hub.journal, listen, registry=registry())
    tls = trusting(authority.file)
    assert (await knock(edge, "/CP1", basic("CP1", "p"), tls=tls, before=proxy_header("192.0.2.7")))[0] == 101
    assert (await knock(edge, "/CP1", basic("CP1", "p"), tls=tls, before=proxy_header("198.51.100.1")))[0] == 403


async def test_a_proxy_that_ends_tls(world: World, hub: EchoHub) -> None:
    """Profile 2: whoever comes past the proxy is refused."""
    listeners = [
        Listen(port=0, security_profile=2, proxy=Proxy(addresses=HERE, terminates_tls=True)),
        Listen(port=0, security_profile=2, proxy=Proxy(addresses=("10.9.9.9",), terminates_tls=True)),
    ]
    edge = await world.edge(hub.journal, listeners, registry=registry())
    assert (await knock(edge, "/CP1", basic("CP1", "p"), door=0))[0] == 101
    assert (await knock(edge, "/CP1", basic("CP1", "p"), door=1))[0] == 403


async def test_a_certificate_that_a_proxy_passes_on(
    world: World, hub: EchoHub, authority: Authority, tmp_path: Path
) -> None:
    server = authority.issue("gateway")
    tls = Tls(cert=server.cert, key=server.key, client_ca=authority.file, crl=authority.crl, organization="CPO")
    proxy = Proxy(addresses=HERE, terminates_tls=True, certificate_header="X-Client-Cert", names=("lb",))
    edge = await world.edge(hub.journal, Listen(port=0, security_profile=3, tls=tls, proxy=proxy), registry=registry())
    balancer = authority.issue("lb")
    trusted = trusting(authority.file, cert=balancer.cert, key=balancer.key)

    async def passed(pem: str, path: str = "/CP1") -> int:
        return (await knock(edge, path, f"X-Client-Cert: {quote(pem)}\r\n", tls=trusted))[0]

    charger = authority.issue("CP1")
    assert await passed(charger.pem) == 101
    assert await passed(charger.pem, "/CP2") == 401
    assert await passed(authority.issue("CP1", organization="Thief").pem) == 401
    assert await passed(authority.issue("CP1", days=-1).pem) == 401
    assert await passed(Authority(tmp_path, "stranger").issue("CP1").pem) == 401
    assert await passed("junk") == 401
    assert (await knock(edge, "/CP1", tls=trusted))[0] == 401
    doubled = f"X-Client-Cert: {quote(charger.pem)}\r\n" * 2
    assert (await knock(edge, "/CP1", doubled, tls=trusted))[0] == 401
    # A charger that comes past the proxy with its own certificate and somebody else's in the header.
    thief = authority.issue("CP2")
    past = trusting(authority.file, cert=thief.cert, key=thief.key)
    assert (await knock(edge, "/CP1", f"X-Client-Cert: {quote(charger.pem)}\r\n", tls=past))[0] == 401
    authority.revoke(charger)
    assert await passed(charger.pem) == 401


async def test_a_header_is_nothing_without_a_proxy(world: World, hub: EchoHub, authority: Authority) -> None:
    server, thief, victim = authority.issue("gateway"), authority.issue("CP2"), authority.issue("CP1")
    tls = Tls(cert=server.cert, key=server.key, client_ca=authority.file)
    edge = await world.edge(hub.journal, Listen(port=0, security_profile=3, tls=tls), registry=registry())
    shown = trusting(authority.file, cert=thief.cert, key=thief.key)
    header = f"X-Client-Cert: {quote(victim.pem)}\r\nX-SSL-CERT: {quote(victim.pem)}\r\n"
    assert (await knock(edge, "/CP1", header, tls=shown))[0] == 401
    assert (await knock(edge, "/CP2", header, tls=shown))[0] == 101
