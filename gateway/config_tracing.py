"""The section `tracing` of the configuration."""

from __future__ import annotations

import msgspec

from gateway.config_kinds import Part


class TracingConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Traces of CALLs, sent to an OpenTelemetry collector over OTLP/HTTP. Needs `pip install 'ocpp-gateway[tracing]'`; the image
    has it. Headers, time-outs and resource attributes come from the standard `OTEL_*` environment variables."""

    endpoint: str = ""
    """Of the collector, e.g. `http://collector:4318`. Empty: nothing is traced."""
    ratio: Part = 0.01
    """Part of the CALLs that is traced; those of a charger whose frames are being logged are traced all."""
