"""The OpenAPI document: what it says is so, and nothing that fits it or does not makes the gateway stumble (Schemathesis)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from .charger import Charger16
from .conftest import Connect, StartCsms, StartGateway
from .operator import ask
from .test_operate import TAG, two

SCHEMATHESIS = Path(__file__).parents[2] / ".peers" / "schemathesis" / "bin" / "schemathesis"
ENDLESS = "frames|drain"
"""Streams do not end, and a gateway that has drained answers no more."""


@pytest.mark.full
@pytest.mark.timeout(240)
@pytest.mark.parametrize("full_of_chargers", [False, True])
async def test_no_request_makes_it_stumble(
    full_of_chargers: bool, start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect, tmp_path: Path
) -> None:
    assert SCHEMATHESIS.is_file(), "run tests/peers/install.sh"
    _, _, gateway = await two(start_csms, start_gateway, registry={"source": "redis"} if full_of_chargers else {})
    arguments = []
    if full_of_chargers:
        assert (await ask(gateway, "PUT", "/api/v1/chargers/CP1", {}))[0] == 201
        await asyncio.sleep(1.5)  # the edge follows the registry
        charger = await plug_in(Charger16, gateway.url, "CP1")
        await charger.boot()
        await charger.start(1, TAG)
        config = tmp_path / "schemathesis.toml"
        config.write_text('[parameters]\ncharger = "CP1"\nupstream = "old"\n')
        arguments = ["--config-file", str(config)]
    process = await asyncio.create_subprocess_exec(
        SCHEMATHESIS, *arguments, "run", f"http://127.0.0.1:{gateway.admin_port}/api/v1/openapi.json",
        "--exclude-path-regex", ENDLESS, "--phases", "examples,coverage,fuzzing", "--max-examples", "25",
        "--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        "--continue-on-failure", "--no-shrink", "--no-color", "--request-timeout", "40", "--seed", "1",
        "--generation-database", "none",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=tmp_path,
    )  # fmt: skip
    output, _ = await asyncio.wait_for(process.communicate(), 230)
    assert process.returncode == 0, output.decode()[-6000:]
    errors = [line for line in gateway.log.read_text().splitlines() if '"level":"error"' in line]
    unexpected = [line for line in errors if "Probe-Null" not in line]
    assert unexpected == [], unexpected[:3]
