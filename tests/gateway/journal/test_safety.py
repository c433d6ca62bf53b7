import asyncio
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.config import RedisConfig
from gateway.journal import Journal, StoreDown, UnsafeStore, safety
from gateway.journal.address import parse

from .conftest import Server, now_ms


async def refusal(config: RedisConfig) -> str:
    journal = Journal(config, now_ms=now_ms)
    with pytest.raises(UnsafeStore) as refused:
        await journal.start()
    assert not journal.healthy
    return str(refused.value)


async def test_an_evicting_store_is_refused(config: RedisConfig, server: Server) -> None:
    await server.ask("CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
    text = await refusal(config)
    assert "volatile-ttl" in text and "set maxmemory-policy noeviction" in text


async def test_a_policy_without_a_limit_evicts_nothing(config: RedisConfig, server: Server) -> None:
    await server.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru", "maxmemory", "0")
    journal = Journal(config, now_ms=now_ms)
    await journal.start()
    await journal.stop()


async def test_a_store_that_forgets_is_refused_unless_accepted(server: Server) -> None:
    await server.ask("CONFIG", "SET", "appendonly", "no")
    assert "appendonly yes" in await refusal(RedisConfig(url=server.url))
    journal = Journal(RedisConfig(url=server.url, accept_data_loss=True), now_ms=now_ms)
    await journal.start()
    await journal.stop()


async def test_a_store_that_syncs_less_than_asked_is_refused(server: Server) -> None:
    assert "appendfsync always" in await refusal(RedisConfig(url=server.url, fsync="always"))


async def test_config_may_be_forbidden(server: Server) -> None:
    await server.ask("ACL", "SETUSER", "gw", "on", ">secret", "~*", "&*", "+@all", "-config", "-client")
    url = server.url.replace("unix://", "unix://gw:secret@")
    journal = Journal(RedisConfig(url=url, fsync="always"), now_ms=now_ms)
    with capture_logs() as logs:
        await journal.start()
        await journal.stop()
    assert "fsync_not_verified" in [line["event"] for line in logs]


async def test_a_wrong_password_is_told_without_the_password(server: Server) -> None:
    url = server.url.replace("unix://", "unix://gw:canary@")
    with pytest.raises(StoreDown) as refused:
        await Journal(RedisConfig(url=url), now_ms=now_ms).start()
    assert "WRONGPASS" in str(refused.value) and "canary" not in str(refused.value)


async def test_another_number_of_partitions_is_refused(server: Server) -> None:
    journal = Journal(RedisConfig(url=server.url, partitions=8), now_ms=now_ms)
    await journal.start()
    await journal.stop()
    text = await refusal(RedisConfig(url=server.url, partitions=16))
    assert "set redis.partitions to 8" in text


async def test_a_gateway_with_another_number_of_partitions_does_not_start(server: Server, tmp_path: Path) -> None:
    journal = Journal(RedisConfig(url=server.url, partitions=8), now_ms=now_ms)
    await journal.start()
    await journal.stop()
    own = {"URL": server.url, "PARTITIONS": "16"}
    settings = {f"OCPPGW_REDIS__{name}": value for name, value in own.items()}
    command = (sys.executable, "-m", "gateway", "run", "--upstream", "ocpp1.6=ws://127.0.0.1:9/x")
    gateway = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        cwd=tmp_path,
        env={
            **os.environ,
            **settings,
            "PYTHONPATH": str(Path(__file__).parents[3]),
            "OCPPGW_LISTEN__PORT": "0",
            "OCPPGW_ADMIN__PORT": "0",
        },
    )
    try:
        said, _ = await asyncio.wait_for(gateway.communicate(), 30)
    finally:
        if gateway.returncode is None:
            gateway.kill()
    assert gateway.returncode == 1
    last = json.loads(said.splitlines()[-1])
    assert last["event"] == "store_unsafe" and "set redis.partitions to 8" in last["reason"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [(b"redis_version:6.0.16", "6.2 or newer"), (b"redis_version:7.2.0\r\ncluster_enabled:1", "Cluster")],
)
async def test_old_and_clustered_stores_are_refused(line: bytes, reason: str) -> None:
    class Fake:
        async def call(self, args: tuple[str, ...]) -> bytes:
            return line + b"\r\naof_enabled:1\r\n"

    with pytest.raises(UnsafeStore, match=reason):
        await safety.check(Fake(), RedisConfig())  # type: ignore[arg-type]


async def test_an_unreachable_store_is_down() -> None:
    with pytest.raises(StoreDown, match=r"cannot reach the store at 127.0.0.1:1"):
        await Journal(RedisConfig(url="redis://:canary@127.0.0.1:1"), now_ms=now_ms).start()


def test_url_forms() -> None:
    tcp = parse("redis://user:p%40ss@store.example:7000/3")
    assert (tcp.host, tcp.port, tcp.username, tcp.password, tcp.db) == ("store.example", 7000, "user", "p@ss", 3)
    assert parse("redis://[::1]").host == "::1"
    unix = parse("unix:///run/redis.sock?db=2")
    assert (unix.path, unix.db, unix.password) == ("/run/redis.sock", 2, "")
    tls = parse("rediss://store.example")
    assert tls.tls is not None and tls.tls.verify_mode == ssl.CERT_REQUIRED
    lax = parse("rediss://store.example?ssl_cert_reqs=none")
    assert lax.tls is not None and lax.tls.verify_mode == ssl.CERT_NONE
    assert "p@ss" not in repr(tcp)


@pytest.mark.parametrize(
    "url",
    ["http://user:canary@x", "redis://:canary@x:port", "redis+sentinel://:canary@x", "rediss://x?ssl_ca_certs=/no"],
)
def test_other_urls_are_refused_without_repeating_them(url: str) -> None:
    with pytest.raises(UnsafeStore) as refused:
        parse(url)
    assert "redis.url" in str(refused.value) and "canary" not in str(refused.value)


async def test_databases_over_tcp(server: Server) -> None:
    port = _free_port()
    await server.ask("CONFIG", "SET", "port", port)
    journal = Journal(RedisConfig(url=f"redis://127.0.0.1:{port}/5"), now_ms=now_ms)
    await journal.start()
    await journal.edge_alive("e1")
    await journal.stop()
    assert await server.ask("EXISTS", "edge:{e1}") == 0
    await server.ask("SELECT", 5)
    assert await server.ask("EXISTS", "edge:{e1}") == 1


@pytest.mark.full
async def test_tls(tmp_path: Path) -> None:
    redis, openssl = shutil.which("redis-server"), shutil.which("openssl")
    assert redis and openssl, "the marker `full` needs redis-server and openssl on PATH"
    key, cert, port = tmp_path / "key.pem", tmp_path / "cert.pem", _free_port()
    subprocess.run(  # noqa: ASYNC221
        [
            *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
        ],
        check=True,
        capture_output=True,
    )
    files = ["--tls-cert-file", str(cert), "--tls-key-file", str(key), "--tls-ca-cert-file", str(cert)]
    server = subprocess.Popen(  # noqa: ASYNC220
        [
            *(redis, "--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no", "--bind", "127.0.0.1", *files),
            *("--dir", str(tmp_path), "--appendonly", "yes", "--save", ""),
        ],
        stdout=subprocess.DEVNULL,
    )
    try:
        journal = Journal(RedisConfig(url=f"rediss://localhost:{port}?ssl_ca_certs={cert}"), now_ms=now_ms)
        for attempt in range(200):
            try:
                await journal.start()
                break
            except StoreDown:
                assert attempt < 199
                await asyncio.sleep(0.05)
        await journal.hub_alive("h1")
        assert await journal.hubs() == {"h1"}
        await journal.wait({1: "0-0"}, 5)
        await journal.stop()
        with pytest.raises(StoreDown):
            await Journal(RedisConfig(url=f"rediss://localhost:{port}"), now_ms=now_ms).start()
    finally:
        server.terminate()
        server.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
