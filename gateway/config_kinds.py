"""The kinds of values that configuration keys have."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

VERSIONS = ("ocpp2.1", "ocpp2.0.1", "ocpp1.6", "ocpp1.5")
"""Subprotocols that the configuration may name, newest first."""

UNITS: dict[str | None, float] = {None: 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
"""Of durations, in seconds."""

Version: TypeAlias = Literal["ocpp2.1", "ocpp2.0.1", "ocpp1.6", "ocpp1.5"]

Duration: TypeAlias = Annotated[float, Meta(ge=0, extra={"kind": "duration"})]
"""Seconds; written as a number of seconds or with a unit: `500ms`, `10s`, `5m`, `2h`, `7d`."""

Positive: TypeAlias = Annotated[float, Meta(gt=0, extra={"kind": "duration"})]
"""A duration longer than nothing."""

Part: TypeAlias = Annotated[float, Meta(ge=0, le=1, extra={"kind": "part"})]
"""How much of all, from 0 to 1."""

Size: TypeAlias = Annotated[int, Meta(ge=1, extra={"kind": "size"})]
"""Bytes; written as a number or with a unit: `64KiB`, `1MiB`, `2GiB`."""

Secret: TypeAlias = Annotated[str, Meta(extra={"kind": "secret"})]
"""A string that is never logged; the key with `_file` appended names a file that holds it instead."""

Secrets: TypeAlias = Annotated[dict[str, str], Meta(extra={"kind": "secret"})]
"""Secrets by name; the key with `_file` appended names a YAML file that holds the mapping instead."""

Port: TypeAlias = Annotated[int, Meta(ge=0, le=65535)]
Count: TypeAlias = Annotated[int, Meta(ge=1)]
Percent: TypeAlias = Annotated[int, Meta(ge=0, le=100)]
Text: TypeAlias = Annotated[str, Meta(min_length=1)]

OneOrMany = Meta(extra={"kind": "one or many"})
"""Of a list of mappings: one of them may be written without the list."""
