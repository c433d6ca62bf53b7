"""One trace per CALL, exported to a collector over OTLP/HTTP; none, and nothing in the journal, when tracing is off."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from ocpp.exceptions import InternalError, OCPPError
from ocpp.v201 import call as call201
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from .charger import Charger16
from .conftest import Connect, StartCsms, StartGateway
from .operator import ask, until


class Collector:
    """Keeps the spans that come."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.resource: dict[str, str] = {}
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        body = ExportTraceServiceRequest.FromString(await request.read())
        for resource in body.resource_spans:
            self.resource = {each.key: each.value.string_value for each in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += scope.spans
        return web.Response(body=b"", content_type="application/x-protobuf")


@pytest.fixture
async def collector(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Collector]:
    collector, app = Collector(), web.Application()
    app.router.add_post("/v1/traces", collector.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    collector.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
    yield collector
    await runner.cleanup()


def attributes(span: Any) -> dict[str, Any]:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


def scrape(port: int, accept: str) -> tuple[str, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=5) as page:
        return page.headers["Content-Type"], page.read().decode()


async def test_a_call_is_one_trace_through_edge_journal_hub_and_upstream(
    collector: Collector, start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms = await start_csms("ocpp2.0.1")
    gateway = await start_gateway({"main": csms}, tracing={"endpoint": collector.url, "ratio": 1})
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    await charger.start(1, "TAG")
    await csms.station("CP1").call(call201.ClearCache())
    for _ in range(100):
        if any(attributes(span).get("ocpp.direction") == "from_csms" for span in collector.spans):
            break
        await asyncio.sleep(0.1)
    assert collector.resource["service.name"] == "ocpp-gateway"
    assert collector.resource["deployment.environment"] == "test"
    [root] = [
        span for span in collector.spans if span.name == "StartTransaction" and span.kind == span.SPAN_KIND_SERVER
    ]
    assert not root.parent_span_id
    said = attributes(root)
    assert (said["ocpp.charger.id"], said["ocpp.version"], said["ocpp.outcome"]) == ("CP1", "1.6", "result")
    trace = [span for span in collector.spans if span.trace_id == root.trace_id]
    below = {span.span_id: [each for each in trace if each.parent_span_id == span.span_id] for span in trace}
    [send] = below[root.span_id]
    [process] = below[send.span_id]
    [asked] = below[process.span_id]
    assert (send.name, process.name, asked.name) == ("send journal", "process journal", "TransactionEvent")
    assert (send.kind, process.kind) == (root.SPAN_KIND_PRODUCER, root.SPAN_KIND_CONSUMER)
    assert attributes(send)["messaging.message.id"] == attributes(process)["messaging.message.id"]
    assert attributes(process)["messaging.consumer.group.name"] == "main"
    assert [link.span_id for link in process.links] == [send.span_id]
    assert root.start_time_unix_nano <= send.start_time_unix_nano <= process.start_time_unix_nano
    assert asked.end_time_unix_nano <= process.end_time_unix_nano
    [command] = [span for span in collector.spans if attributes(span).get("ocpp.direction") == "from_csms"]
    assert command.name == "ClearCache" and attributes(command)["ocpp.outcome"] == "accepted"
    [leg] = [span for span in collector.spans if span.parent_span_id == command.span_id]
    assert (leg.name, leg.trace_id) == ("ClearCache", command.trace_id)
    assert attributes(leg)["ocpp.direction"] == "to_charger" and leg.kind == leg.SPAN_KIND_CLIENT
    assert command.start_time_unix_nano <= leg.start_time_unix_nano <= leg.end_time_unix_nano

    kind, text = await asyncio.to_thread(scrape, gateway.admin_port, "application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    traces = {
        sample.exemplar.labels["trace_id"]
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.exemplar
    }
    assert root.trace_id.hex() in traces
    kind, text = await asyncio.to_thread(scrape, gateway.admin_port, "text/plain")
    assert kind.startswith("text/plain") and "trace_id" not in text


async def test_nothing_is_traced_by_default(
    collector: Collector, start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms = await start_csms("ocpp1.6")
    gateway = await start_gateway({"main": csms}, tracing={"endpoint": collector.url, "ratio": 0})
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    await charger.start(1, "TAG")
    await asyncio.sleep(0.5)
    assert collector.spans == []


async def test_lines_of_the_log_name_the_trace(
    collector: Collector, start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    """Of a charger whose frames are logged every CALL is traced; each frame, on both legs, names its trace."""
    csms = await start_csms("ocpp2.0.1")
    gateway = await start_gateway({"main": csms}, tracing={"endpoint": collector.url, "ratio": 0})
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    await ask(gateway, "PUT", "/api/v1/wire-logs", {"match": "CP1", "seconds": 60})
    await charger.start(1, "TAG")
    await csms.station("CP1").call(call201.ClearCache())

    def lines() -> list[dict[str, Any]]:
        found = [json.loads(line) for line in gateway.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in found if line["event"] == "frame"]

    def spans(name: str) -> list[Any]:
        return [each for each in collector.spans if each.name == name and each.kind == each.SPAN_KIND_SERVER]

    await until("8 frames", lambda: len(lines()) >= 8)
    await until("both traces", lambda: bool(spans("StartTransaction") and spans("ClearCache")))
    for name, upstream in (("StartTransaction", "TransactionEvent"), ("ClearCache", "ClearCache")):
        [root] = spans(name)
        shown = [line for line in lines() if line.get("trace_id") == root.trace_id.hex()]
        assert {line["span_id"] for line in shown} == {root.span_id.hex()}
        assert len({line["exchange"] for line in shown}) == 1
        assert {(line["side"], line["action"]) for line in shown} == {("charger", name), ("csms", upstream)}
        assert len(shown) == 4, "question and answer, on both legs"


async def test_an_error_is_traced_whatever_the_ratio(
    collector: Collector, start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms = await start_csms("ocpp1.6")
    gateway = await start_gateway({"main": csms}, tracing={"endpoint": collector.url, "ratio": 0})
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()

    def refuse(_action: str, _token: str) -> str:
        raise InternalError("not today")

    csms.verdict = refuse
    with pytest.raises(OCPPError):
        await charger.authorize("TAG")
    await until("a trace", lambda: bool(collector.spans))
    [span] = collector.spans
    assert (span.name, span.status.code, attributes(span)["ocpp.outcome"]) == ("Authorize", 2, "error")
    assert attributes(span)["ocpp.charger.id"] == "CP1" and span.start_time_unix_nano < span.end_time_unix_nano


async def test_a_collector_that_is_away_harms_nobody(
    start_csms: StartCsms, start_gateway: StartGateway, plug_in: Connect
) -> None:
    csms = await start_csms("ocpp1.6")
    gateway = await start_gateway({"main": csms}, tracing={"endpoint": "http://127.0.0.1:1", "ratio": 1})
    charger = await plug_in(Charger16, gateway.url, "CP1")
    await charger.boot()
    await charger.start(1, "TAG")
    kind, _ = await asyncio.to_thread(scrape, gateway.admin_port, "text/plain")
    assert kind.startswith("text/plain")
