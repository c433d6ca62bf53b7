"""Tools that others wrote to find weaknesses: slowhttptest (Debian) and sslyze (PyPI) against a running gateway."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from .site import Site

PEERS = Path(__file__).parents[2] / ".peers"
SCANS = [f"--{name}" for name in (
    "sslv2", "sslv3", "tlsv1", "tlsv1_1", "tlsv1_2", "tlsv1_3", "heartbleed", "openssl_ccs", "robot", "compression", "reneg",
    "early_data", "ems", "resum", "fallback",
)]  # fmt: skip
SSLYZE = PEERS / "sslyze" / "bin" / "sslyze"
pytestmark = [pytest.mark.full, pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    site = Site(tmp_path_factory.mktemp("tools"))
    await site.start({"CP1": {"route": "same-ocpp1.6"}})
    yield site
    await site.stop()


async def run(*command: str | Path) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    return out.decode(errors="replace")


async def descriptors(site: Site) -> int:
    """Sockets and files that the gateway has open."""
    assert site.gateway.process is not None
    return len(os.listdir(f"/proc/{site.gateway.process.pid}/fd"))


@pytest.mark.parametrize("mode", ["-H", "-B", "-X"])
async def test_slowhttptest(mode: str, site: Site) -> None:
    """Slow headers, slow bodies, slow reading: 1,000 connections, all the while chargers get in and are answered."""
    tool = shutil.which("slowhttptest")
    assert tool, "slowhttptest is missing: apt-get install slowhttptest"
    before = await descriptors(site)
    attack = asyncio.create_task(run(
        tool, mode, "-c", "1000", "-r", "400", "-i", "1", "-l", "8", "-p", "2",
        "-u", f"http://127.0.0.1:{site.ports['hasty']}/ocpp/CP1",
    ))  # fmt: skip
    longest, most = 0.0, 0
    clock = asyncio.get_running_loop().time
    while not attack.done():
        began = clock()
        plug = await site.plug("CP1", "ocpp1.6", "hasty" if mode == "-X" else "plain")
        await plug.works()
        await plug.leave()
        longest = max(longest, clock() - began)
        most = max(most, await descriptors(site))
        await asyncio.sleep(0.2)
    # What the tool still counts as connected it has only not read yet: the gateway has let go of it.
    assert await descriptors(site) < before + 50
    # A body is never waited for: POST gets its 405 at once.
    assert most > before + 50 or mode == "-B", "the tool has not attacked"
    assert longest < 3
    assert not site.trouble()


async def test_sslyze(site: Site, tmp_path: Path) -> None:
    assert SSLYZE.is_file(), "sslyze is missing: run tests/peers/install.sh"
    report = tmp_path / "report.json"
    out = await run(
        SSLYZE, *SCANS, "--mozilla_config", "disable", "--json_out", report, f"127.0.0.1:{site.ports['tls']}"
    )
    assert "COMPLETED" in out or report.is_file(), out
    (server,) = json.loads(report.read_text())["server_scan_results"]
    found = {name: each["result"] for name, each in server["scan_result"].items() if each and each.get("result")}
    for version in ("ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1"):
        assert found[f"{version}_cipher_suites"]["accepted_cipher_suites"] == [], version
    suites = {each["cipher_suite"]["openssl_name"] for each in found["tls_1_2_cipher_suites"]["accepted_cipher_suites"]}
    assert suites >= {
        "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "AES128-GCM-SHA256", "AES256-GCM-SHA384"
    }  # fmt: skip
    assert all("GCM" in suite or "CHACHA20" in suite for suite in suites), suites
    assert found["tls_1_3_cipher_suites"]["accepted_cipher_suites"]
    assert not found["heartbleed"]["is_vulnerable_to_heartbleed"]
    assert not found["openssl_ccs_injection"]["is_vulnerable_to_ccs_injection"]
    assert found["robot"]["robot_result"].startswith("NOT_VULNERABLE")
    assert not found["tls_compression"]["supports_compression"]
    assert not found["session_renegotiation"]["is_vulnerable_to_client_renegotiation_dos"]
    assert found["session_renegotiation"]["supports_secure_renegotiation"]
    assert not found["tls_1_3_early_data"]["supports_early_data"]
    assert found["tls_extended_master_secret"]["supports_ems_extension"]
    assert not site.trouble()
