"""What the metrics say of a backlog: nothing waits while all is told, and billing messages are seen while a CSMS is away."""

from __future__ import annotations

import asyncio
import time

import pytest
from ocpp.v16 import call as call16
from prometheus_client.parser import text_string_to_metric_families

from .charger import Charger16
from .conftest import Connect, StartCsms, StartGateway
from .process import Gateway
from .test_metrics import page

pytestmark = pytest.mark.slow


async def values(gateway: Gateway, upstream: str) -> dict[str, float]:
    _, text = await page(gateway.admin_port, "/metrics")
    return {
        sample.name.removeprefix("ocppgw_"): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels == {"upstream": upstream}
    }


async def test_an_idle_charger_leaves_nothing_undelivered(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    """The last entry of an idle charger is its answer to a command, which no upstream waits for."""
    csms = await start_csms("ocpp1.6")
    gateway = await start_gateway({"main": csms})
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    await csms.station("CP1").call(call16.ClearCache())
    await asyncio.sleep(12)  # looked at every 5 s
    found = await values(gateway, "main")
    assert found["stream_oldest_undelivered_age_seconds"] == 0
    assert found["stream_oldest_pending_age_seconds"] == found["stream_pending_messages"] == 0
    assert (found["stream_lag_known"], found["stream_lag_messages"]) == (1, 0)
    assert found["undelivered_transaction_messages"] == found["offline_buffer_messages"] == 0


async def test_billing_at_risk_while_a_mirror_is_away(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    main, copy = await start_csms("ocpp1.6"), await start_csms("ocpp1.6")
    gateway = await start_gateway(
        {"main": main, "copy": copy}, routes=[{"match": "*", "primary": "main", "mirrors": ["copy"]}]
    )
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    await copy.stop()
    began = time.time()
    transaction = await charger.start(1, "TAG")
    await charger.meter_values(1, transaction)
    await charger.stop(transaction)
    await asyncio.sleep(12)
    found, waited = await values(gateway, "copy"), time.time() - began
    assert found["undelivered_transaction_messages"] == 3
    assert waited - 2 < found["undelivered_transaction_oldest_age_seconds"] <= waited + 1
    assert waited - 2 < found["stream_oldest_undelivered_age_seconds"] <= waited + 1
    assert found["offline_buffer_bytes"] > 200
    assert (await values(gateway, "main"))["undelivered_transaction_messages"] == 0
    await copy.start()
    for _ in range(40):
        await asyncio.sleep(1)
        if (await values(gateway, "copy"))["undelivered_transaction_messages"] == 0:
            break
    assert (await values(gateway, "copy"))["undelivered_transaction_messages"] == 0
