"""Traces of CALLs with OpenTelemetry, over OTLP/HTTP: one per CALL of a charger, from its arrival to its answer.

Root: the CALL at the edge. Under it the append to the journal, which carries the trace on as `traceparent`; under that, for each
upstream, the processing by its link with every question to the CSMS. A CALL of a CSMS is a trace of its own: under it what the
charger is asked.

Whoever has something to tell tests `armed`, or `Head.trace`, first: while tracing is off, that is all it costs. A CALL that ends in
an error is traced afterwards if it was not: what the edge knows of it.
"""

from __future__ import annotations

import os
import random
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from gateway.config import TracingConfig
from gateway.journal.entry import Entry, Head, ToCharger, exchange_of
from gateway.metrics import Metrics
from gateway.metrics_actions import ACTION_GROUP, action_group

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

armed = False
"""Traces are made."""

MOST: Final = 10_000
"""Spans of one kind that are open; the oldest is ended as `unfinished` when there are more."""
FORCED_MOST: Final = 100
LONGEST: Final = 300.0
"""Seconds after which a CALL that nobody has answered ends as `unfinished`."""
ERRORS_A_SECOND: Final = 10
"""CALLs that are traced because of their error."""

Key: TypeAlias = tuple[str, int, int] | tuple[str, str]


class Unavailable(ValueError):
    """The packages of the extra `tracing` are not installed."""


class Tracing:
    """The traces of one process."""

    def __init__(self, config: TracingConfig, metrics: Metrics, *, instance: str = "") -> None:
        """Begins to export. Raises Unavailable."""
        try:
            from opentelemetry import trace
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError as error:
            raise Unavailable(
                f"tracing.endpoint needs further packages: pip install 'ocpp-gateway[tracing]' ({error.name} is missing)"
            ) from None
        given = {"service.name": "ocpp-gateway", "service.instance.id": instance}
        # What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say counts more.
        resource = Resource(given).merge(Resource.create()) if _named() else Resource.create(given)
        self._provider: TracerProvider = TracerProvider(resource=resource, shutdown_on_exit=False)
        url = config.endpoint.rstrip("/")
        exporter = OTLPSpanExporter(endpoint=url if url.endswith("/v1/traces") else f"{url}/v1/traces")
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("ocpp-gateway")
        self._trace = trace
        self._ratio = config.ratio
        self._metrics = metrics
        self._calls: OrderedDict[Key, Span] = OrderedDict()
        self._appends: OrderedDict[Key, Span] = OrderedDict()
        self._links: OrderedDict[Key, Span] = OrderedDict()
        self._commands: OrderedDict[Key, Span] = OrderedDict()
        """(charger, upstream) -> the CALL that it sent last and that is not answered."""
        self._command_ids: dict[Key, str] = {}
        self._legs: OrderedDict[Key, Span] = OrderedDict()
        """(charger, message id) -> the CALL to the charger."""
        self._forced: dict[str, float] = {}
        self._told: OrderedDict[tuple[str, str], tuple[str, str]] = OrderedDict()
        """(charger, exchange) -> trace and span, for the log."""
        self._errors = (0.0, 0)
        """A second, and how many errors were traced in it."""

    def close(self) -> None:
        """Export what is left; may take seconds: call it in a thread."""
        for spans in (self._appends, self._links, self._calls, self._legs, self._commands):
            while spans:
                spans.popitem()[1].end()
        self._provider.shutdown()

    def force(self, charger: str, seconds: float) -> None:
        """Trace every CALL of this charger for so long; 0: no more."""
        now = time.monotonic()
        self._forced = {each: until for each, until in self._forced.items() if until > now}
        self._forced.pop(charger.casefold(), None)
        if seconds > 0 and len(self._forced) < FORCED_MOST:
            self._forced[charger.casefold()] = now + seconds

    def ids(self, charger: str, exchange: str) -> tuple[str, str] | None:
        """Trace and span (hex) of what a charger (`<connection>-<number>`) or a CSMS (`<upstream>:<message id>`) said lately."""
        return self._told.get((charger.casefold(), exchange))

    # -- edge --------------------------------------------------------------------------------------------------------

    def said(self, head: Head, kind: str) -> Head:
        """A charger sent something: gives what is stored of it, a CALL with its trace if it is one of those that are traced."""
        if kind == "answer":
            asked = self._legs.pop((head.charger, head.message_id), None)
            if asked is not None:
                self._end(asked, "ok")
        if kind != "call" or not self._sampled(head.charger):
            return head
        key = (head.charger, head.epoch, head.seq)
        root = self._span(
            _name(head.action),
            "SERVER",
            None,
            {**_call(head), "ocpp.direction": "from_charger"},
        )
        append = self._span(
            "send journal",
            "PRODUCER",
            root.get_span_context(),
            {
                "messaging.system": "redis",
                "messaging.operation.name": "send",
                "messaging.destination.template": "journal",
            },
        )
        self._keep(self._calls, key, root)
        self._keep(self._appends, key, append)
        self._tell(head.charger, exchange_of(head), root.get_span_context())
        return msgspec.structs.replace(head, trace=_traceparent(append))

    def stored(self, head: Head, outcome: str, id: str) -> None:
        """The journal has it: `id` of the entry."""
        span = self._appends.pop((head.charger, head.epoch, head.seq), None)
        if span is not None:
            span.set_attribute("ocpp.append", outcome)
            if id:
                span.set_attribute("messaging.message.id", id)
            span.end()

    def answered(self, charger: str, epoch: int, seq: int, action: str, outcome: str, seconds: float) -> None:
        """The charger got its answer."""
        span = self._calls.pop((charger, epoch, seq), None)
        if span is None and outcome == "error" and self._spare():
            attributes = {"ocpp.action": _name(action), "ocpp.charger.id": charger, "ocpp.direction": "from_charger"}
            span = self._span(_name(action), "SERVER", None, attributes, at=time.time_ns() - int(seconds * 1e9))
            self._tell(charger, f"{epoch}-{seq}", span.get_span_context())
        if span is not None:
            self._end(span, outcome)
            cell = self._metrics.call_duration.cell("charger", action_group(action))
            cell.remember(seconds, f"{span.get_span_context().trace_id:032x}")

    def asked_charger(self, item: ToCharger, action: str, version: str) -> None:
        """A CALL leaves for a charger, on behalf of one that is traced."""
        parent = self._remote(item.trace)
        if parent is not None:
            attributes = {
                "ocpp.action": _name(action),
                "ocpp.version": version.removeprefix("ocpp"),
                "ocpp.message_id": item.message_id,
                "ocpp.charger.id": item.charger,
                "ocpp.direction": "to_charger",
            }
            self._keep(
                self._legs, (item.charger, item.message_id), self._span(_name(action), "CLIENT", parent, attributes)
            )

    # -- hub ---------------------------------------------------------------------------------------------------------

    def begun(self, upstream: str, entry: Entry, waited_ms: int) -> None:
        """An upstream is told an entry that bears a trace."""
        key = (upstream, entry.id)
        parent = self._remote(entry.head.trace)
        if parent is None or key in self._links:
            return
        attributes = {
            **_call(entry.head),
            "messaging.system": "redis",
            "messaging.operation.name": "process",
            "messaging.destination.template": "journal",
            "messaging.consumer.group.name": upstream,
            "messaging.message.id": entry.id,
            "ocpp.waited_ms": waited_ms,
        }
        span = self._span("process journal", "CONSUMER", parent, attributes, follows=True)
        self._keep(self._links, key, span)
        exchange = exchange_of(entry.head)
        if self.ids(entry.head.charger, exchange) is None:  # an edge elsewhere began it
            self._tell(entry.head.charger, exchange, span.get_span_context())

    def asked(self, upstream: str, entry: Entry, action: str, ms: int) -> None:
        """An upstream has answered a question that its link asked on behalf of an entry."""
        span = self._links.get((upstream, entry.id))
        if span is not None:
            now = time.time_ns()
            attributes = {"ocpp.action": _name(action), "ocpp.upstream": upstream, "ocpp.direction": "to_csms"}
            began = now - ms * 1_000_000
            asked = self._span(_name(action), "CLIENT", span.get_span_context(), attributes, at=began)
            asked.end(now)
            cell = self._metrics.upstream_call_duration.cell(upstream, action_group(action))
            cell.remember(ms / 1000, f"{span.get_span_context().trace_id:032x}")

    def done(self, upstream: str, entry: Entry, outcome: str) -> None:
        """An upstream is done with an entry."""
        span = self._links.pop((upstream, entry.id), None)
        if span is not None:
            self._end(span, outcome)

    def commanding(self, upstream: str, charger: str, version: str, action: str, id: str) -> None:
        """A CSMS sends a CALL."""
        if self._sampled(charger):
            attributes = {
                "ocpp.action": _name(action),
                "ocpp.version": version.removeprefix("ocpp"),
                "ocpp.message_id": id,
                "ocpp.upstream": upstream,
                "ocpp.charger.id": charger,
                "ocpp.direction": "from_csms",
            }
            key = (charger, upstream)
            span = self._span(_name(action), "SERVER", None, attributes)
            self._keep(self._commands, key, span)
            self._command_ids[key] = id
            self._tell(charger, f"{upstream}:{id}", span.get_span_context())

    def leg(self, charger: str, upstream: str) -> str:
        """traceparent for what the charger is asked now on behalf of a CSMS: of the CALL that it sent last."""
        span = self._commands.get((charger, upstream))
        return "" if span is None else _traceparent(span)

    def commanded(self, upstream: str, charger: str, id: str, outcome: str) -> None:
        """A CALL of a CSMS is answered."""
        key = (charger, upstream)
        if self._command_ids.get(key) == id:
            del self._command_ids[key]
            span = self._commands.pop(key, None)
            if span is not None:
                self._end(span, outcome)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _sampled(self, charger: str) -> bool:
        if random.random() < self._ratio:
            return True
        return bool(self._forced) and self._forced.get(charger.casefold(), 0.0) > time.monotonic()

    def _spare(self) -> bool:
        """Whether one more CALL may be traced because of its error."""
        second, count = self._errors
        now = time.monotonic()
        if now >= second + 1:
            second, count = now, 0
        self._errors = second, count + 1
        return count < ERRORS_A_SECOND

    def _tell(self, charger: str, exchange: str, context: Any) -> None:
        self._told[charger.casefold(), exchange] = f"{context.trace_id:032x}", f"{context.span_id:016x}"
        if len(self._told) > MOST:
            self._told.popitem(last=False)

    def _span(
        self,
        name: str,
        kind: str,
        parent: Any,
        attributes: dict[str, Any],
        *,
        at: int | None = None,
        follows: bool = False,
    ) -> Span:
        trace = self._trace
        context = None if parent is None else trace.set_span_in_context(trace.NonRecordingSpan(parent))
        links = [trace.Link(parent)] if follows else None
        kinds = trace.SpanKind
        return self._tracer.start_span(
            name, context, kind=kinds[kind], attributes=attributes, links=links, start_time=at
        )

    def _end(self, span: Span, outcome: str, at: int | None = None) -> None:
        span.set_attribute("ocpp.outcome", outcome)
        if outcome not in ("ok", "result", "accepted"):
            span.set_status(self._trace.StatusCode.ERROR, outcome)
        span.end(at)

    def _keep(self, spans: OrderedDict[Key, Span], key: Key, span: Span) -> None:
        if (before := spans.pop(key, None)) is not None:
            self._end(before, "unfinished")
        spans[key] = span
        oldest = next(iter(spans.values()))
        if len(spans) > MOST or _age(oldest) > LONGEST:
            self._end(spans.popitem(last=False)[1], "unfinished")

    def _remote(self, traceparent: str) -> Any:
        """The span that a W3C `traceparent` names; None if it cannot be read."""
        try:
            _, trace, span, flags = traceparent.split("-")
            return self._trace.SpanContext(
                int(trace, 16), int(span, 16), is_remote=True, trace_flags=self._trace.TraceFlags(int(flags, 16))
            )
        except ValueError:
            return None


_none: Final[Any] = None
current: Tracing = _none
"""Where traces are told, while `armed`."""


def _age(span: Span) -> float:
    """Seconds since it began."""
    return (time.time_ns() - getattr(span, "start_time", time.time_ns())) / 1e9


def _traceparent(span: Span) -> str:
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-01"


def _name(action: str) -> str:
    return action if action in ACTION_GROUP else "other"


def _call(head: Head) -> dict[str, Any]:
    return {
        "ocpp.action": _name(head.action),
        "ocpp.version": head.version.removeprefix("ocpp"),
        "ocpp.message_id": head.message_id,
        "ocpp.charger.id": head.charger,
    }


def _named() -> bool:
    return "OTEL_SERVICE_NAME" in os.environ or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
