"""Chargers prove who they are to a real gateway: two listeners in one process, passwords, TLS, groups; changed while it runs."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.gateway.edge.authority import Authority

from .charger import Charger16
from .conftest import Connect, StartCsms, StartGateway
from .operator import ask, metric, primary_of, until
from .plug import Charger
from .process import COMMAND, Gateway, free_port
from .wire import PATIENCE

TAG = "04A1B2C3"


async def chargers(gateway: Gateway, *arguments: str, answer: str = "") -> str:
    """`ocpp-gateway chargers ...` beside the running gateway; gives what it printed."""
    process = await asyncio.create_subprocess_exec(
        COMMAND, "chargers", *arguments, "--config", gateway.file,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "COLUMNS": "120", "NO_COLOR": "1"},
    )  # fmt: skip
    output, _ = await asyncio.wait_for(process.communicate(answer.encode()), PATIENCE)
    assert process.returncode == 0, output.decode()
    return output.decode()


async def refused(charger: Charger, *, wanted: int) -> None:
    """The charger is not let in, with this status."""
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidStatus

    try:
        async with connect(
            charger.url,
            subprotocols=["ocpp1.6"],
            additional_headers=charger.headers,
            ssl=charger.tls,
            proxy=None,  # type: ignore[list-item]
        ):
            raise AssertionError(f"{charger.identity} was let in")
    except InvalidStatus as error:
        assert error.response.status_code == wanted


def trusting(authority: Authority) -> ssl.SSLContext:
    tls = ssl.create_default_context(cafile=authority.file)
    tls.check_hostname = False
    return tls


async def test_a_private_and_a_public_listener(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    ec, rsa = authority.issue("gateway", stem="ec"), authority.issue("gateway", kind="rsa", stem="rsa")
    registry = tmp_path / "chargers.yaml"
    registry.write_text("PRIVATE:\nCP1: {password: sixteen-letters-, group: north}\n")
    csms, north = await start_csms("ocpp1.6"), await start_csms("ocpp1.6", first_transaction_id=500)
    private, public = free_port(), free_port()
    listen: list[dict[str, Any]] = [
        {"port": private},
        {
            "port": public,
            "security_profile": 2,
            "tls": {"cert": ec.cert, "key": ec.key, "cert2": rsa.cert, "key2": rsa.key},
        },
    ]
    gateway = await start_gateway(
        {"main": csms, "north": north},
        listen=listen,
        registry={"source": "file", "file": str(registry)},
        routes=[{"groups": ["north"], "primary": "north"}, {"primary": "main"}],
    )
    here, there, tls = f"ws://127.0.0.1:{private}", f"wss://127.0.0.1:{public}/ocpp", trusting(authority)

    inside = await plug_in(Charger16, here, "PRIVATE")
    await inside.boot()
    outside = await plug_in(Charger16, there, "CP1", password="sixteen-letters-", tls=tls)
    await outside.boot()
    assert await outside.start(1, TAG) == 500
    assert await inside.start(1, TAG) < 500
    await refused(Charger16(there, "CP1", password="wrong", tls=tls), wanted=401)
    await refused(Charger16(there, "CP1", tls=tls), wanted=401)
    await refused(Charger16(there, "CP7", password="x", tls=tls), wanted=404)
    await refused(Charger16(here, "CP1"), wanted=401)  # a lower profile than before
    assert await metric(gateway, 'ocppgw_security_events_total{type="downgrade"}') == 1
    lines = [json.loads(line) for line in gateway.log.read_text().splitlines() if '"charger_refused"' in line]
    told = [(line["charger_id"], line["outcome"], line["status"]) for line in lines]
    wrong = ("CP1", "auth_failed", 401)
    assert told == [wrong, wrong, ("CP7", "unknown_identity", 404), wrong]
    assert {line["source"] for line in lines} == {"127.0.0.1"}
    ends = [
        f'ocppgw_tls_certificate_not_after_timestamp_seconds{{listener="127.0.0.1:{port}"}}'
        for port in (private, public)
    ]
    assert await metric(gateway, ends[0]) == 0 and await metric(gateway, ends[1]) > 1e9

    # The file changes: one charger more, one gone; another certificate. Nobody else notices.
    registry.write_text("CP1: {password: sixteen-letters-}\nCP7: {password: another-password}\n")
    await inside.lost()
    new = await plug_in(Charger16, there, "CP7", password="another-password", tls=tls)
    await new.boot()
    await until("CP1 goes by the common route", lambda: primary_is(gateway, "CP1", "main"))
    await outside.heartbeat()
    assert outside.recorder.connections == 1
    assert "Traceback" not in gateway.log.read_text()
    assert "sixteen-letters-" not in gateway.log.read_text()


async def primary_is(gateway: Gateway, charger: str, name: str) -> bool:
    return await primary_of(gateway, charger) == name


@pytest.mark.slow
async def test_the_registry_in_the_store(start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect) -> None:
    csms = await start_csms("ocpp1.6")
    gateway = await start_gateway(
        {"main": csms}, registry={"source": "redis"}, listen={"port": (port := free_port()), "security_profile": 1}
    )
    url = f"ws://127.0.0.1:{port}"
    await refused(Charger16(url, "CP1", password="sixteen-letters-"), wanted=404)
    assert await chargers(gateway, "add", "CP1", "--password", answer="sixteen-letters-\n") == "CP1 is registered\n"
    await asyncio.sleep(1)  # until every process has heard of it
    charger = await plug_in(Charger16, url, "CP1", password="sixteen-letters-")
    await charger.boot()
    await chargers(gateway, "set-password", "CP1", answer="another-password\n")
    await charger.heartbeat()
    await chargers(gateway, "block", "CP1")
    await charger.lost()
    assert charger.close_code == 1008
    await refused(Charger16(url, "CP1", password="another-password"), wanted=403)
    await refused(Charger16(url, "CP1", password="sixteen-letters-"), wanted=401)
    await chargers(gateway, "unblock", "CP1")
    await asyncio.sleep(1)
    back = await plug_in(Charger16, url, "CP1", password="another-password")
    await back.boot()
    assert "CP1" in await chargers(gateway, "list")


async def test_without_a_route_404(start_csms: StartCsms, start_gateway: StartGateway) -> None:
    gateway = await start_gateway({"main": await start_csms("ocpp1.6")}, routes=[{"match": "DE-*", "primary": "main"}])
    await refused(Charger16(gateway.url, "FR-1"), wanted=404)
    status, _ = await ask(gateway, "GET", "/api/v1/routes/FR-1")
    assert status == 404
    assert (
        await metric(gateway, 'ocppgw_connection_attempts_total{ocpp_version="other",outcome="unknown_identity"}') == 1
    )


@pytest.mark.slow
async def test_tokens_of_operators(
    start_csms: StartCsms, start_gateway: StartGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token is made by one command and used by another; what it may not do is told."""

    async def run(*arguments: str, token: str = "") -> tuple[int, str, str]:
        environ = {**os.environ, "NO_COLOR": "1", "COLUMNS": "120"} | ({"OCPPGW_TOKEN": token} if token else {})
        process = await asyncio.create_subprocess_exec(
            COMMAND,
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environ,
            cwd=tmp_path,
        )
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    made = [await run("token", scope, "--scope", scope) for scope in ("read", "operate")]
    lines = "".join(out for _, out, _ in made)
    reader, operator = [err.strip().removeprefix("token: ") for _, _, err in made]
    monkeypatch.setenv("OCPPGW_ADMIN__TOKENS", json.dumps(yaml.safe_load(lines)))
    gateway = await start_gateway({"main": await start_csms("ocpp1.6")})
    server = ("--server", f"http://127.0.0.1:{gateway.admin_port}")
    assert (await run("routes", "list", *server))[::2] == (2, "give a token (Authorization: Bearer ...)\n")
    assert (await run("routes", "list", *server, token=reader))[:2] == (0, "route     match *; primary main\n")
    switch = ("routes", "switch", "--match", "X", "--primary", "main", *server)
    assert (await run(*switch, token=reader))[::2] == (2, "this token has the scope read; operate is needed\n")
    assert (await run(*switch, token=operator))[0] == 0
    assert (await run("routes", "list", *server, token="guess"))[0] == 2
    log = gateway.log.read_text()
    assert '"who":"operate"' in log and reader not in log and operator not in log
