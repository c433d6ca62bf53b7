"""Every panel, every alert and every runbook asks a real Prometheus, which scrapes a real gateway with chargers: none gets nothing."""

from __future__ import annotations

import asyncio
import contextlib
import re
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

from ocpp.v201 import call as call201
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from tests.e2e.charger import Charger16, Charger201
from tests.e2e.conftest import Connect, StartCsms, StartGateway, plug_in, start_csms, start_gateway

from .boards import filled, queries
from .prometheus import Prometheus
from .promtool import alerts, groups
from .rendering import ROOT

__all__ = ["plug_in", "start_csms", "start_gateway"]

ELSEWHERE = {
    "OcppGatewayAbsent": "has a value when there is no gateway",
    "OcppGatewayCertificateExpiresSoon": "has a value with TLS",
}


async def busy(charger: Charger16, other: Charger201) -> None:
    """Charging sessions without end, with things that a translation loses."""
    while True:
        transaction = await charger.start(1, "TAG")
        await charger.meter_values(1, transaction)
        await charger.stop(transaction)
        await charger.status(1, "Faulted", "GroundFailure")
        await charger.status(1, "Available")
        await charger.heartbeat()
        await other.heartbeat()
        started = await other.started(1, {"idToken": "TAG", "type": "ISO14443"})
        await other.ended(started)
        await asyncio.sleep(0.2)


async def refused(url: str) -> None:
    with contextlib.suppress(InvalidStatus):
        async with connect(f"{url}/FR-1", subprotocols=[Subprotocol("ocpp1.6")], proxy=None):
            pass


async def malformed(url: str) -> None:
    async with connect(f"{url}/DE-3", subprotocols=[Subprotocol("ocpp1.6")], proxy=None) as socket:
        await socket.send("{not json")
        await asyncio.sleep(0.3)


async def test_every_query_finds_something(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect, tmp_path: Path
) -> None:
    main, legacy = await start_csms("ocpp2.0.1"), await start_csms("ocpp1.6")
    gateway = await start_gateway(
        {"main": main, "legacy": legacy},
        routes=[{"match": "DE-*", "primary": "main", "mirrors": ["legacy"]}],
        tracing={
            "endpoint": "http://127.0.0.1:1",
            "ratio": 1,
        },  # a collector that is away; scrapes are OpenMetrics then
    )
    prometheus = Prometheus(tmp_path / "prometheus", [f"127.0.0.1:{gateway.admin_port}"])
    tasks: list[asyncio.Task[Any]] = []
    try:
        await prometheus.start()
        charger = await plug_in(Charger16, gateway.url, "DE-1")
        other = await plug_in(Charger201, gateway.url, "DE-2")
        await charger.boot()
        await other.boot()
        tasks.append(asyncio.create_task(busy(charger, other)))
        await asyncio.gather(*(refused(gateway.url) for _ in range(60)), malformed(gateway.url))
        await asyncio.sleep(4)
        await asyncio.gather(*(refused(gateway.url) for _ in range(60)), malformed(gateway.url))
        await main.station("DE-1").call(call201.ClearCache())
        await asyncio.sleep(4)
        assert not tasks[0].done(), tasks[0]

        empty = dict(queries())
        for _ in range(20):  # a busy machine scrapes late
            empty = {name: each for name, each in empty.items() if not await prometheus.query(filled(each, "15s"))}
            if not empty:
                break
            await asyncio.sleep(1)
        assert empty == {}
        broken = []
        for name, rule in alerts().items():
            expression = re.sub(r"\n[<>] [0-9.]+$", "", rule["expr"])
            found = await prometheus.query(expression)
            if bool(found) == (name in ELSEWHERE):
                broken.append(name)
        assert broken == []
        for record in [rule["record"] for group in groups() for rule in group["rules"] if "record" in rule]:
            assert await prometheus.query(record), record
        for page in sorted((ROOT / "docs" / "runbooks").glob("*.md")):
            for block in re.findall(r"```promql\n(.*?)```", page.read_text(encoding="utf-8"), re.S):
                for line in block.splitlines():
                    await prometheus.query(line)
        firing = await prometheus.query('ALERTS{alertstate="firing"}')
        assert {each["metric"]["alertname"] for each in firing} == set()
        for metric in ("call_duration_seconds", "upstream_call_duration_seconds"):
            found = await prometheus.exemplars(f"ocppgw_{metric}_bucket")
            assert found and all(len(each["labels"]["trace_id"]) == 32 for each in found), metric
        await check_metrics(gateway.admin_port)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await prometheus.stop()


async def check_metrics(port: int) -> None:
    """promtool's own lint of the exposition, and the series budget."""

    def work() -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            text: bytes = answer.read()
        done = subprocess.run(
            ["promtool", "check", "metrics"], input=text, capture_output=True, timeout=30, check=False
        )
        assert done.returncode == 0, (done.stdout + done.stderr).decode()
        assert len([line for line in text.splitlines() if not line.startswith(b"#")]) <= 3000

    await asyncio.to_thread(work)
