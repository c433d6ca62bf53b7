"""`ocpp-gateway boot` and `ocpp-gateway healthcheck` against a running gateway."""

from __future__ import annotations

import asyncio

import pytest

from .conftest import StartCsms, StartGateway
from .process import COMMAND, free_port


async def ask(*arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        COMMAND, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
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
