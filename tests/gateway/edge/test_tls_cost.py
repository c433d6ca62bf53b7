"""What keeps TLS cheap: resumption for chargers that speak TLS 1.2, the cheaper key first, the loop with the small buffers."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable

import pytest

from gateway.config import Listen
from gateway.config_listen import Tls
from gateway.edge.counters import EdgeCounters
from gateway.edge.door import Door
from gateway.edge.gate import Gate
from gateway.edge.listener import Edge

from .authority import Authority
from .test_tls import authority, edge, server

__all__ = ["authority", "edge", "server"]


def dial(
    port: int, tls: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> tuple[bool, str, ssl.SSLSession | None]:
    """Whether the session was resumed, the suite, and the session for the next time."""
    plain = socket.create_connection(("127.0.0.1", port), timeout=10)
    with plain, tls.wrap_socket(plain, server_hostname="127.0.0.1", session=session) as secure:
        cipher = secure.cipher()
        assert cipher is not None
        return bool(secure.session_reused), cipher[0], secure.session


def trusting(file: str) -> ssl.SSLContext:
    tls = ssl.create_default_context(cafile=file)
    tls.check_hostname = False
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    return tls


async def test_a_tls_1_2_session_is_resumed_by_ticket(edge: Edge, authority: Authority) -> None:
    tls, port = trusting(authority.file), edge.addresses[0][1]
    resumed, _, session = await asyncio.to_thread(dial, port, tls)
    assert not resumed and session is not None and session.has_ticket
    assert (await asyncio.to_thread(dial, port, tls, session))[0]


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
async def test_who_takes_both_keys_gets_the_elliptic_one(version: str, edge: Edge, authority: Authority) -> None:
    """It costs the gateway a third less; the client's own order, here RSA first, does not count."""
    tls, port = trusting(authority.file), edge.addresses[0][1]
    if version == "TLSv1_3":
        tls.maximum_version = ssl.TLSVersion.TLSv1_3

        def key() -> str:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as plain, tls.wrap_socket(plain) as secure:
                shown = secure.getpeercert(binary_form=True)
                assert shown is not None
                return "ec" if b"\x2a\x86\x48\xce\x3d\x02\x01" in shown else "rsa"  # id-ecPublicKey

        assert await asyncio.to_thread(key) == "ec"
    else:
        tls.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256")
        assert (await asyncio.to_thread(dial, port, tls))[1] == "ECDHE-ECDSA-AES128-GCM-SHA256"


def test_tls_without_uvloop_is_refused(server: Tls) -> None:
    made: Callable[[str], asyncio.Protocol] = lambda _: asyncio.Protocol()  # noqa: E731
    gate = Gate.__new__(Gate)
    gate.listen = Listen(port=0, security_profile=2, tls=server)
    door = Door(gate, made, EdgeCounters(), lambda: 0, lambda: False)
    with pytest.raises(ValueError, match="need uvloop"):
        asyncio.run(door.start(asyncio.ensure_future))
