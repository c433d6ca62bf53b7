"""TLS on real sockets: suites and certificates that OCPP demands, versions, reload; client certificates; rows H13-H15."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import connect

from gateway import passwords
from gateway.config import Limits, Listen, Tls
from gateway.edge.listener import Edge
from gateway.registry import Charger, Registry
from tests.gateway.edge.authority import Authority, Issued
from tests.gateway.edge.conftest import EchoHub, World, closed, eventually, hear, say
from tests.gateway.edge.knock import basic, knock, trusting

SUITES = ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "AES128-GCM-SHA256", "AES256-GCM-SHA384")
"""All that a CSMS must offer (2.0.1 A00.FR.317, .318)."""


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def server(authority: Authority) -> Tls:
    rsa, ec = authority.issue("gateway", kind="rsa", stem="rsa"), authority.issue("gateway", stem="ec")
    return Tls(cert=ec.cert, key=ec.key, cert2=rsa.cert, key2=rsa.key)


def with_password() -> Registry:
    found = Registry(open=False)
    found.replace([Charger("CP1", passwords.sealed(b"p"))])
    return found


@pytest.fixture
async def edge(world: World, hub: EchoHub, server: Tls) -> Edge:
    return await world.edge(hub.journal, Listen(port=0, security_profile=2, tls=server), registry=with_password())


async def shown(edge: Edge, tls: ssl.SSLContext) -> tuple[str, str, str]:
    """TLS version, suite and common name of the certificate that a client gets."""
    reader, writer = await asyncio.open_connection(*edge.addresses[0], ssl=tls)
    del reader
    found = writer.get_extra_info("ssl_object")
    peer = dict(pair for part in found.getpeercert()["subject"] for pair in part)
    writer.transport.abort()
    return found.version(), found.cipher()[0], peer["commonName"]


@pytest.mark.parametrize("suite", SUITES)
async def test_every_suite_that_ocpp_demands(suite: str, edge: Edge, authority: Authority) -> None:
    """TC_A_04"""
    tls = trusting(authority.file)
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    tls.set_ciphers(suite)
    assert await shown(edge, tls) == ("TLSv1.2", suite, "gateway")
    assert (await knock(edge, "/CP1", basic("CP1", "p"), tls=tls))[0] == 101


async def test_tls_1_3(edge: Edge, authority: Authority) -> None:
    assert (await shown(edge, trusting(authority.file)))[0] == "TLSv1.3"
    assert (await knock(edge, "/CP1", basic("CP1", "p"), tls=trusting(authority.file)))[0] == 101
    assert (await knock(edge, "/CP1", basic("CP1", "x"), tls=trusting(authority.file)))[0] == 401


async def test_tls_1_1_gets_a_protocol_version_alert(edge: Edge, authority: Authority) -> None:
    """H14, TC_A_06"""
    tls = trusting(authority.file)
    with pytest.warns(DeprecationWarning):
        tls.minimum_version = tls.maximum_version = ssl.TLSVersion.TLSv1_1
    tls.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"):
        await shown(edge, tls)
    await eventually(lambda: edge.counters.attempts.get(("", "tls_failed")) == 1)
    assert edge.counters.pending == 0


async def test_forward_secrecy_only(world: World, hub: EchoHub, server: Tls, authority: Authority) -> None:
    listen = Listen(port=0, security_profile=2, tls=Tls(server.cert, server.key, no_static_rsa=True))
    edge = await world.edge(hub.journal, listen, registry=with_password())
    tls = trusting(authority.file)
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    tls.set_ciphers("AES128-GCM-SHA256")
    with pytest.raises(ssl.SSLError):
        await shown(edge, tls)


async def test_http_on_the_tls_port_and_tls_on_the_http_port(
    edge: Edge, world: World, hub: EchoHub, authority: Authority, capfd: pytest.CaptureFixture[str]
) -> None:
    """H13: closed, one line in the log, no traceback."""
    plain = await world.edge(hub.journal)
    assert (await knock(edge, "/CP1"))[0] == 0
    assert (await knock(plain, "/CP1", tls=trusting(authority.file)))[0] == 0
    await eventually(lambda: edge.counters.attempts.get(("", "tls_failed")) == 1)
    assert (await knock(plain, "/CP1"))[0] == 101
    assert (await knock(edge, "/CP1", basic("CP1", "p"), tls=trusting(authority.file)))[0] == 101
    assert "Traceback" not in "".join(capfd.readouterr())


async def test_a_conversation_over_tls(edge: Edge, authority: Authority) -> None:
    headers = {"Authorization": basic("CP1", "p").split(": ")[1].strip()}
    port = edge.addresses[0][1]
    async with dial_tls(port, trusting(authority.file), additional_headers=headers) as ws:
        for number in range(3):
            await say(ws, 2, str(number), "Heartbeat", {"x": "y" * 20_000})
            assert (await hear(ws))[2]["echo"] == str(number)


def dial_tls(port: int, tls: ssl.SSLContext, charger: str = "CP1", **options: Any) -> connect:
    options.setdefault("subprotocols", ["ocpp1.6"])
    return connect(f"wss://127.0.0.1:{port}/{charger}", ssl=tls, proxy=None, ping_interval=None, **options)


async def test_new_certificates_count_for_new_connections_only(edge: Edge, server: Tls, authority: Authority) -> None:
    headers = {"Authorization": basic("CP1", "p").split(": ")[1].strip()}
    async with dial_tls(edge.addresses[0][1], trusting(authority.file), additional_headers=headers) as ws:
        [before] = edge.certificates_end.values()
        assert 89 < (before - time.time()) / 86400 < 91
        shutil.copy(server.key, server.cert)  # half of a rotation: nothing changes
        await asyncio.sleep(1.2)
        assert (await shown(edge, trusting(authority.file)))[2] == "gateway"
        fresh, fresh2 = authority.issue("renewed", days=20), authority.issue("renewed", kind="rsa", days=15)
        for old, new in (
            (server.cert, fresh.cert),
            (server.key, fresh.key),
            (server.cert2, fresh2.cert),
            (server.key2, fresh2.key),
        ):
            shutil.copy(new, old)
        await eventually(lambda: [*edge.certificates_end.values()] != [before])
        [after] = edge.certificates_end.values()
        assert 14 < (after - time.time()) / 86400 < 16
        assert (await shown(edge, trusting(authority.file)))[2] == "renewed"
        await say(ws, 2, "1", "Heartbeat", {})
        assert (await hear(ws))[1] == "1"


async def test_a_slow_tls_handshake_is_cut_off(world: World, hub: EchoHub, server: Tls) -> None:
    listen = Listen(port=0, security_profile=2, tls=server, handshake_timeout=0.3)
    edge = await world.edge(hub.journal, listen, registry=with_password())
    reader, writer = await asyncio.open_connection(*edge.addresses[0])
    writer.write(b"\x16\x03\x01")
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.transport.abort()
    await eventually(lambda: edge.counters.pending == 0)


# Client certificates.


@pytest.fixture
def known() -> Registry:
    registry = Registry(open=False)
    registry.replace([Charger("CP1"), Charger("CP2", serial="SN-2")])
    return registry


async def mutual(world: World, hub: EchoHub, server: Tls, authority: Authority, known: Registry, **more: Any) -> Edge:
    tls = msgspec.structs.replace(server, client_ca=authority.file, organization="CPO", **more)
    return await world.edge(hub.journal, Listen(port=0, security_profile=3, tls=tls), registry=known)


def with_certificate(authority: Authority, issued: Issued) -> ssl.SSLContext:
    return trusting(authority.file, cert=issued.cert, key=issued.key)


async def test_a_certificate_lets_its_charger_in(
    world: World, hub: EchoHub, server: Tls, authority: Authority, known: Registry, tmp_path: Path
) -> None:
    """H15, TC_A_07, TC_A_08: right, absent, unknown, expired, of another O, of another charger."""
    edge = await mutual(world, hub, server, authority, known)
    right = with_certificate(authority, authority.issue("CP1"))
    assert (await knock(edge, "/CP1", tls=right))[0] == 101
    assert (await knock(edge, "/cp1", tls=right))[0] == 101
    assert (await knock(edge, "/CP1", tls=with_certificate(authority, authority.issue("x", dns="CP1"))))[0] == 101
    assert (await knock(edge, "/CP2", tls=with_certificate(authority, authority.issue("SN-2"))))[0] == 101
    assert (await knock(edge, "/CP9", tls=with_certificate(authority, authority.issue("CP9"))))[0] == 404
    assert edge.counters.security == {}
    assert (await knock(edge, "/CP2", tls=right))[0] == 401
    assert (await knock(edge, "/CP1", tls=with_certificate(authority, authority.issue("CP1", organization="Thief"))))[
        0
    ] == 401
    assert edge.counters.security == {"certificate": 2}
    stranger = Authority(tmp_path, "stranger")
    assert (await knock(edge, "/CP1", tls=trusting(authority.file)))[0] == 0
    assert (await knock(edge, "/CP1", tls=with_certificate(authority, stranger.issue("CP1"))))[0] == 0
    assert (await knock(edge, "/CP1", tls=with_certificate(authority, authority.issue("CP1", days=-1))))[0] == 0
    await eventually(lambda: edge.counters.attempts.get(("", "tls_failed")) == 3)
    assert edge.counters.security == {"certificate": 4}  # that none was shown may be a mistake, not an attack
    assert edge.counters.pending == 0


async def test_a_revoked_certificate_and_a_new_revocation(
    world: World, hub: EchoHub, server: Tls, authority: Authority, known: Registry
) -> None:
    first, second = authority.issue("CP1"), authority.issue("CP1")
    authority.revoke(first)
    edge = await mutual(world, hub, server, authority, known, crl=authority.crl)
    assert (await knock(edge, "/CP1", tls=with_certificate(authority, first)))[0] == 0
    assert (await knock(edge, "/CP1", tls=with_certificate(authority, second)))[0] == 101
    authority.revoke(second)
    await asyncio.sleep(1.5)
    assert (await knock(edge, "/CP1", tls=with_certificate(authority, second)))[0] == 0


BOOT_16 = {"chargePointVendor": "v", "chargePointModel": "m"}


@pytest.mark.parametrize(
    ("version", "boot", "accepted"),
    [
        ("ocpp1.6", {**BOOT_16, "chargePointSerialNumber": "SN-2"}, True),
        ("ocpp1.6", {**BOOT_16, "chargePointSerialNumber": "other", "chargeBoxSerialNumber": "sn-2"}, True),
        ("ocpp1.6", BOOT_16, True),
        ("ocpp1.6", {**BOOT_16, "chargePointSerialNumber": "other"}, True),
        (
            "ocpp2.0.1",
            {"reason": "PowerUp", "chargingStation": {"model": "m", "vendorName": "v", "serialNumber": "SN-2"}},
            True,
        ),
        (
            "ocpp2.0.1",
            {"reason": "PowerUp", "chargingStation": {"model": "m", "vendorName": "v", "serialNumber": "x"}},
            False,
        ),
    ],
)
async def test_the_serial_number_of_the_boot(
    version: str,
    boot: object,
    accepted: bool,
    world: World,
    hub: EchoHub,
    server: Tls,
    authority: Authority,
    known: Registry,
) -> None:
    """B01.FR.11, .12: a boot of 2.x with another serial number than the certificate's ends the connection; it is not kept. One of
    1.6 is told (row S04)."""
    edge = await mutual(world, hub, server, authority, known)
    tls = with_certificate(authority, authority.issue("SN-2"))
    async with dial_tls(edge.addresses[0][1], tls, "CP2", subprotocols=[version]) as ws:
        await say(ws, 2, "1", "BootNotification", boot)
        if accepted:
            assert (await hear(ws))[1] == "1"
            await say(ws, 2, "2", "Heartbeat", {})
            assert (await hear(ws))[1] == "2"
            told = isinstance(boot, dict) and boot.get("chargePointSerialNumber") == "other" and len(boot) == 3
            assert edge.counters.security == ({"serial": 1} if told else {})
        else:
            assert await closed(ws) == (1008, "serial number is not that of the certificate")
            assert not [entry for entry in hub.entries if entry.kind == "call"]
            assert edge.counters.disconnects == {"wrong_serial": 1}


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_who_is_refused_hears_why(
    version: ssl.TLSVersion,
    world: World,
    hub: EchoHub,
    server: Tls,
    authority: Authority,
    known: Registry,
    tmp_path: Path,
) -> None:
    edge = await mutual(world, hub, server, authority, known)
    tls = with_certificate(authority, Authority(tmp_path, "stranger").issue("CP1"))
    tls.minimum_version = tls.maximum_version = version
    with pytest.raises(ssl.SSLError, match=r"(?i)unknown.ca"):
        reader, _ = await asyncio.open_connection(*edge.addresses[0], ssl=tls)
        await asyncio.wait_for(reader.read(), 5)


async def test_the_flood_of_tls_handshakes_is_capped(edge: Edge, authority: Authority) -> None:
    edge.limits = Limits(pending=3)
    idle = [await asyncio.open_connection(*edge.addresses[0]) for _ in range(3)]
    await eventually(lambda: edge.counters.pending == 3)
    assert (await knock(edge, "/CP1", basic("CP1", "p"), tls=trusting(authority.file)))[0] == 0
    assert edge.counters.attempts == {("", "over_capacity"): 1}
    for _, other in idle:
        other.transport.abort()
    await eventually(lambda: edge.counters.pending == 0)
    assert (await knock(edge, "/CP1", basic("CP1", "p"), tls=trusting(authority.file)))[0] == 101
