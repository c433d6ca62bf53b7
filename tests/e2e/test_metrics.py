"""What a charging session leaves in /metrics, through the real gateway."""

from __future__ import annotations

import asyncio
import os
import signal
import time
import urllib.error
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from gateway.admin.api import LAG_INTERVAL

from .charger import Charger16
from .conftest import Connect, StartCsms, StartGateway


async def page(port: int, path: str) -> tuple[int, str]:
    def work() -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, ""

    return await asyncio.to_thread(work)


async def test_chargers_one_by_one_are_a_page_of_their_own(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms = await start_csms("ocpp1.6")
    gateway = await start_gateway({"main": csms}, metrics={"per_charger": 1})
    for identity in ("CP2", "CP1"):
        await (await plug_in(Charger16, gateway.url, identity)).boot()
    status, text = await page(gateway.admin_port, "/metrics/chargers")
    samples = {
        (sample.name.removeprefix("ocppgw_"), sample.labels.get("charger_id", "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert status == 200 and samples["charger_series_truncated", ""] == 1
    since, heard = (
        samples["charger_connected_timestamp_seconds", "CP1"],
        samples["charger_heard_timestamp_seconds", "CP1"],
    )
    assert time.time() - 60 < since <= heard <= time.time() + 1 and len(samples) == 3
    assert "CP1" not in (await page(gateway.admin_port, "/metrics"))[1]


async def test_there_is_no_such_page_by_default(start_csms: StartCsms, start_gateway: StartGateway) -> None:
    gateway = await start_gateway({"main": await start_csms("ocpp1.6")})
    assert (await page(gateway.admin_port, "/metrics/chargers"))[0] == 404


async def test_a_session_is_counted(start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect) -> None:
    csms = await start_csms("ocpp2.0.1")
    gateway = await start_gateway({"main": csms})
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    await charger.status(1, "Available")
    transaction = await charger.start(1, "DEADBEEF")
    await charger.meter_values(1, transaction)
    await charger.stop(transaction)

    def scrape() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{gateway.admin_port}/metrics", timeout=5) as page:
            return str(page.read().decode())

    await asyncio.sleep(2 * LAG_INTERVAL)  # a session is shorter than the time to the first measurement
    text = await asyncio.to_thread(scrape)
    samples = {
        (sample.name.removeprefix("ocppgw_"), tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }

    def value(name: str, **labels: str) -> float:
        return samples.get((name, tuple(sorted(labels.items()))), 0.0)

    assert value("connections", ocpp_version="1.6", security_profile="0") == 1
    assert value("connection_attempts_total", ocpp_version="1.6", outcome="accepted") == 1
    events = {"direction": "out", "ocpp_version": "2.0.1", "side": "csms", "type": "call"}
    assert value("messages_total", action="TransactionEvent", **events) == 3
    answers = {"direction": "in", "ocpp_version": "2.0.1", "side": "csms", "type": "result"}
    assert value("messages_total", action="TransactionEvent", **answers) == 3
    assert value("calls_total", action="StartTransaction", initiator="charger", outcome="ok") == 1
    assert value("call_duration_seconds_count", action_group="transaction", initiator="charger") == 2
    assert (
        value("translations_total", action="MeterValues", from_version="1.6", outcome="exact", to_version="2.0.1") == 1
    )
    assert value("stream_acked_total", upstream="main") >= 5
    assert value("stream_delivered_total", upstream="main") >= 5
    assert value("upstream_sessions", upstream="main", state="connected") == 1
    assert value("upstream_connect_attempts_total", upstream="main", outcome="connected") == 1
    assert value("translation_duration_seconds_count", from_version="1.6", to_version="2.0.1") >= 5
    assert value("connection_duration_seconds_count") == 0
    assert value("redis_up") == 1
    assert value("boot_notifications_total", status="accepted") == 1
    assert value("transactions_total", event="started") == value("transactions_total", event="ended") == 1
    assert value("handshake_duration_seconds_count") == 1
    for side in ("charger", "csms"):
        assert value("frame_size_bytes_count", side=side) >= 10
        assert value("frame_size_bytes_sum", side=side) == value("received_bytes_total", side=side) + value(
            "sent_bytes_total", side=side
        )
        assert value("send_queue_bytes", side=side) == 0
    assert value("calls_in_flight", initiator="csms") == 0
    assert value("partitions") == value("partition_takeovers_total") == 64
    assert value("stream_lag_known", upstream="main") == 1
    assert value("redis_command_duration_seconds_count", command="ping") > 0
    assert value("redis_pool_connections", state="command") == 1
    assert value("tasks") > 5
    assert value("drain_remaining_connections") == 0
    (build,) = [labels for name, labels in samples if name == "build_info"]
    assert dict(build)["revision"]
    assert value("event_loop_lag_seconds_count") > 0
    assert "CP1" not in text and "DEADBEEF" not in text


async def test_trouble_with_the_store_is_counted(start_csms: StartCsms, start_gateway: StartGateway) -> None:
    gateway = await start_gateway({"main": await start_csms("ocpp1.6")})

    async def errors() -> dict[str, float]:
        families = text_string_to_metric_families((await page(gateway.admin_port, "/metrics"))[1])
        return {
            sample.labels["kind"]: sample.value
            for family in families
            for sample in family.samples
            if sample.name == "ocppgw_redis_errors_total"
        }

    assert set((await errors()).values()) == {0}
    store = gateway.store_pid
    os.kill(store, signal.SIGSTOP)
    try:
        async with asyncio.timeout(20):
            while not (await errors())["timeout"]:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
    finally:
        os.kill(store, signal.SIGCONT)
