"""`ocpp-gateway boot` and `ocpp-gateway healthcheck` against a running gateway."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.gateway.edge.authority import Authority

from .conftest import StartCsms, StartGateway
from .process import COMMAND, free_port


async def ask(*arguments: str, **environment: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(COMMAND, *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=os.environ | environment,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 30)
    return process.returncode or 0, out.decode()


@pytest.mark.parametrize("version", ["ocpp1.6", "ocpp2.0.1"])
async def test_a_charger_boots(version: str, start_csms: StartCsms, start_gateway: StartGateway) -> None:
    csms = await start_csms("ocpp2.0.1")
    gateway = await start_gateway({"main": csms})
    code, said = await ask("boot", f"{gateway.url}/TEST-1", "--version", version)
    assert (code, said[:24]) == (0, "Accepted, interval 300 s"), said
    admin = f"--server=http://127.0.0.1:{gateway.admin_port}"
    assert (await ask("healthcheck", admin))[0] == 0
    assert (await ask("healthcheck", admin, "--ready"))[0] == 0


@pytest.mark.slow
async def test_a_charger_boots_with_what_a_listener_wants_to_see(
    start_csms: StartCsms, start_gateway: StartGateway, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    server, client = authority.issue("gateway", dns="localhost"), authority.issue("CP 3")
    (tmp_path / "password").write_text("sixteen-letters-\n")
    (tmp_path / "registry.yaml").write_text("CP1: {password: sixteen-letters-}\nCP 3:\n")
    second, third = free_port(), free_port()
    own = {"cert": server.cert, "key": server.key}
    listen = [
        {"port": second, "security_profile": 2, "tls": own},
        {"port": third, "security_profile": 3, "tls": {**own, "client_ca": authority.file}},
    ]
    registry = {"source": "file", "file": str(tmp_path / "registry.yaml")}
    await start_gateway({"main": await start_csms("ocpp1.6")}, listen=listen, registry=registry)
    charger, ca = f"wss://localhost:{second}/ocpp/CP1", ("--ca", authority.file)
    code, said = await ask("boot", charger, *ca, "--password-file", str(tmp_path / "password"))
    assert code == 0 and said.startswith("Accepted"), said
    code, said = await ask("boot", charger, *ca, OCPPGW_BOOT_PASSWORD="sixteen-letters-")
    assert code == 0, said
    code, said = await ask("boot", charger, *ca)
    assert code == 1 and "refused with HTTP 401" in said
    code, said = await ask("boot", charger)
    assert code == 1 and "CERTIFICATE_VERIFY_FAILED" in said and "Traceback" not in said
    code, said = await ask("boot", charger, "--ca", str(tmp_path / "nothing"))
    assert code == 2 and "--ca" in said and "Traceback" not in said
    pair = ("--cert", client.cert, "--key", client.key)
    code, said = await ask("boot", f"wss://localhost:{third}/ocpp/CP%203", *ca, *pair)
    assert code == 0, said


async def test_failures_are_told(start_csms: StartCsms, start_gateway: StartGateway) -> None:
    csms = await start_csms("ocpp2.0.1")
    gateway = await start_gateway({"main": csms}, routes=[{"match": "DE-*", "primary": "main"}])
    code, said = await ask("boot", f"{gateway.url}/FR-1", "--timeout", "5")
    assert code == 1 and "refused with HTTP 404" in said
    nobody = free_port()
    code, said = await ask("boot", f"ws://127.0.0.1:{nobody}/CP1", "--timeout", "2")
    assert code == 1 and str(nobody) in said and "Traceback" not in said
    code, said = await ask("healthcheck", f"--server=http://127.0.0.1:{nobody}")
    assert code == 1 and str(nobody) in said and "Traceback" not in said
