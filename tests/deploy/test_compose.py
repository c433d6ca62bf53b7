"""deploy/compose.yaml: what it says fits together, and its peers charge through a gateway with its configuration."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.process import COMMAND, Gateway, free_port

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "deploy" / "compose.yaml"


def services() -> dict[str, dict[str, Any]]:
    loaded: dict[str, dict[str, dict[str, Any]]] = yaml.safe_load(COMPOSE.read_text())
    return loaded["services"]


def test_files_and_services_exist() -> None:
    known = services()
    for name, service in known.items():
        assert set(service.get("depends_on") or {}) <= set(known), name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (COMPOSE.parent / source).resolve().exists(), volume
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), "nothing is open to the network by default"
        if "build" in service:
            assert service["read_only"] and service["cap_drop"] == ["ALL"]
    scrapes = yaml.safe_load((COMPOSE.parent / "compose" / "prometheus.yml").read_text())["scrape_configs"]
    targets = {target.partition(":")[0] for target in scrapes[0]["static_configs"][0]["targets"]}
    assert targets == {"edge", "hub"} <= set(known)


async def test_its_configuration_drains_in_the_time_that_it_gives() -> None:
    file = COMPOSE.parent / "compose" / "gateway.yaml"
    environment = {
        "PATH": os.environ["PATH"],
        "OCPPGW_REDIS__URL": services()["edge"]["environment"]["OCPPGW_REDIS__URL"],
    }
    for role in ("edge", "hub"):
        process = await asyncio.create_subprocess_exec(
            COMMAND, "check-config", file, "--role", role, env=environment, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        found = re.search(rb"drains within (\d+) s", out)
        assert process.returncode == 0 and found, out
        assert int(found[1]) <= int(services()[role]["stop_grace_period"].removesuffix("s"))


@pytest.mark.slow
async def test_its_peers_charge(tmp_path: Path) -> None:
    """The commands of the services csms and chargers, around a gateway of the test's own."""
    port = free_port()
    config: dict[str, Any] = yaml.safe_load((COMPOSE.parent / "compose" / "gateway.yaml").read_text())
    config["upstreams"]["main"]["url"] = f"ws://127.0.0.1:{port}/ocpp"
    del config["listen"], config["admin"]
    gateway = Gateway(tmp_path / "gateway", config)
    peers: list[asyncio.subprocess.Process] = []

    async def peer(name: str, *changed: str) -> asyncio.subprocess.Process:
        module = services()[name]["entrypoint"][1:]
        command = [services()[name]["command"][0], *changed]
        process = await asyncio.create_subprocess_exec(
            sys.executable, *module, *command, stdout=asyncio.subprocess.PIPE, cwd=ROOT
        )
        peers.append(process)
        return process

    try:
        await peer("csms", "--host", "127.0.0.1", "--port", str(port))
        await gateway.start()
        fleet = await peer("chargers", "--url", gateway.url, "--count", "3", "--pace", "0.2")
        assert fleet.stdout is not None
        async with asyncio.timeout(30):
            booted = {(await fleet.stdout.readline()).decode().strip() for _ in range(3)}
        assert booted == {f"DEMO-00{number}: Accepted" for number in (1, 2, 3)}
        async with asyncio.timeout(30):
            while await acknowledged(gateway, "StopTransaction") < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
    finally:
        for process in reversed(peers):
            process.terminate()
        codes = [await asyncio.wait_for(process.wait(), 15) for process in peers]
        if gateway.process is not None:
            await gateway.stop()
    assert codes == [0, 0]


async def acknowledged(gateway: Gateway, action: str) -> float:
    """CALLs of chargers with this action that got their answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.admin_port)
    writer.write(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")
    text = (await reader.read()).decode()
    writer.close()
    found = re.search(rf'ocppgw_calls_total{{action="{action}",initiator="charger",outcome="ok"}} ([0-9.]+)', text)
    return float(found[1]) if found else 0.0
