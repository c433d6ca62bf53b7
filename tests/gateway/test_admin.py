"""The operators' port over a real socket."""

from __future__ import annotations

import asyncio
import time

import aiohttp
import pytest

from gateway.admin.api import AdminApi
from gateway.metrics import Metrics


@pytest.fixture
async def admin():
    reasons: dict[str, str] = {"store": ""}
    metrics = Metrics(["main"])
    api = AdminApi("127.0.0.1", 0, metrics=metrics, checks=lambda: reasons, full=lambda: "full")
    await api.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{api.port}") as client:
        yield api, client, reasons, metrics
    await api.stop()


async def test_live_and_ready(admin) -> None:
    _, client, reasons, _ = admin
    assert (await client.get("/livez")).status == 200
    ready = await client.get("/readyz")
    assert (ready.status, await ready.json()) == (200, {"ready": True, "reasons": []})
    verbose = await client.get("/readyz?verbose")
    assert (verbose.status, await verbose.json()) == (200, {"ready": True, "reasons": [], "checks": {"store": "ok"}})
    reasons["store"] = "store: down"
    ready = await client.get("/readyz")
    assert (ready.status, await ready.json()) == (503, {"ready": False, "reasons": ["store: down"]})
    verbose = await client.get("/readyz?verbose&room")
    assert (verbose.status, await verbose.json()) == (
        503,
        {"ready": False, "reasons": ["store: down", "full"], "checks": {"store": "store: down", "room": "full"}},
    )
    assert (await client.get("/livez")).status == 200
    assert (await client.get("/other")).status == 404


async def test_metrics(admin) -> None:
    _, client, _, metrics = admin
    metrics.stream_acked.cell("main").n += 2
    response = await client.get("/metrics")
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert 'ocppgw_stream_acked_total{upstream="main"} 2.0' in await response.text()


async def test_loop_lag_is_measured(admin) -> None:
    _, _, _, metrics = admin
    await asyncio.sleep(0.3)
    time.sleep(0.4)  # noqa: ASYNC251 - the stall to be measured
    await asyncio.sleep(0.3)
    cell = metrics.event_loop_lag.cell()
    assert sum(cell.counts[-6:]) >= 1
    assert cell.total > 0.1


async def test_a_taken_port_is_an_oserror(admin) -> None:
    api, *_ = admin
    second = AdminApi("127.0.0.1", api.port, metrics=Metrics(), checks=dict)
    with pytest.raises(OSError):
        await second.start()
