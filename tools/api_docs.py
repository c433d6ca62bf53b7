"""docs/api.md from the table of the operators' port."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import inspect

from gateway.admin.table import PREFIX, Endpoint
from gateway.clock import now_ms
from gateway.config import Config
from gateway.config_texts import field_texts
from gateway.journal.journal import Journal
from gateway.live import Live
from gateway.metrics import Metrics
from gateway.operators import Operators
from gateway.rebalance import Rebalance
from gateway.registry import Registry

_INTRODUCTION = """
What operators can see and do, over HTTP on the admin listener (`admin.host`, `admin.port`). Every process of a fleet answers for all
of them; processes that do not answer in time are named in `silent`. The same as an OpenAPI 3.1 document: `GET /api/v1/openapi.json`.

- `Authorization: Bearer TOKEN` with a token of `admin.tokens` (`ocpp-gateway token` makes one). The scopes are read, operate and
  admin; each includes those before it. Without tokens whoever is on this machine may call.
- Bodies are JSON with `Content-Type: application/json`, at most 256 KiB; an empty body counts as `{}`.
- A refusal is `{"errors": ["..."]}`: 400 not as it must be, 401 no or wrong token, 403 scope, 404 no such thing, 405 not by this
  method, 409 not as things are now, 413 too large, 415 not JSON, 422 impossible, 429 too many wrong tokens, 503 the store is away,
  504 no answer in time.
- Times are ISO 8601 in UTC. Secrets and tokens of persons are hidden in everything that is shown.
- Whatever may have changed something is kept for 90 days: `GET /api/v1/audit`.

`/livez`, `/readyz`, `/metrics` and the files of the [console](console.md) at `/console` are on the same port, and open.
`/readyz?verbose` tells of each thing that was looked at: `{"ready": false, "reasons": ["draining"], "checks": {"store": "ok", ...}}`.
A probe for the start has no address of its own: ask `/livez`, as the chart does, for a store that is away is no reason to start a
process over. Versions are in `GET /api/v1/processes` and `ocppgw_build_info`; the configuration in force with its digest, the log
level and drains are below `/api/v1` as well. How late the event loop is tells `ocppgw_event_loop_lag_seconds`; there is no list of
tasks over HTTP: `py-spy dump --pid PID` shows where a process is, also when its loop hangs.
"""

_STREAMS = """
## Live frames

`GET /api/v1/frames` and `GET /api/v1/chargers/{charger}/frames` are streams of server-sent events:

| event | data |
|---|---|
| `begin` | `match`, `processes` that show their frames, `silent` ones, `frames_per_second` |
| `frame` | a frame on one leg; see below |
| `state` | `at`, `charger`, `leg`, `upstream`, `version`, `note`: a connection came or went |
| `gap` | `lost` frames (null: nobody knows how many), `process`, `why`: they are missing here |

Each process gives a stream up to 100 frames a second (1,000 at once), exchanges as a whole; what is more is counted and told as a gap.
While nobody watches, a frame costs one test of a flag.
"""


def page() -> str:
    """The whole page."""
    lines = [
        "# Admin API",
        "",
        "<!-- Made by `make docs` from the program. Edit the sources, not this file. -->",
        _INTRODUCTION.rstrip(),
    ]
    endpoints = [each for part in operators().parts for each in part.endpoints()]
    lines += ["", "## Endpoints", "", "| | | scope | |", "|---|---|---|---|"]
    lines += [
        f"| {each.method} | `{PREFIX}{each.path}` | {each.scope} | {each.summary} |"
        for each in sorted(endpoints, key=_order)
    ]
    lines.append(_STREAMS.rstrip())
    seen: set[Any] = set()
    lines += ["", "## Parameters, bodies and answers"]
    for each in sorted(endpoints, key=_order):
        if each.query or each.body is not None or each.answer is not None:
            lines += ["", f"### {each.method} {PREFIX}{each.path}", "", f"{each.summary}. Scope: {each.scope}."]
            if each.query:
                lines += ["", "| parameter | |", "|---|---|"]
                lines += [f"| `{one.name}` | {_cell(one.summary)}{_choices(one.choices)} |" for one in each.query]
            if each.body is not None:
                lines += ["", "Body:"]
                lines += _struct(each.body, seen)
            if each.answer is not None:
                lines += ["", "Event `frame`:" if each.streams else "Answer:"]
                lines += _struct(each.answer, seen)
    return "\n".join(lines) + "\n"


def operators() -> Operators:
    """Everything that is served, of a process that does not run."""
    config = Config()
    journal = Journal(config.redis, now_ms=now_ms)

    async def learned(_charger: str) -> None:
        return None

    live = Live(config, journal, Metrics(), registry=Registry())
    return Operators(
        config, journal, live, Registry(), Rebalance(journal, config.redis.partitions), roles=frozenset(), learned=learned,
        unready=list, drain=lambda: None, now_ms=lambda: 0,
    )  # fmt: skip


def _order(each: Endpoint) -> tuple[str, str, str]:
    return each.path.split("/")[1], each.path, each.method


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _choices(choices: tuple[str, ...]) -> str:
    return f" One of {', '.join(f'`{each}`' for each in choices)}." if choices else ""


def _struct(cls: Any, seen: set[Any]) -> list[str]:
    """A table of members; those of other structs follow once."""
    if not (isinstance(cls, type) and issubclass(cls, msgspec.Struct)):
        return ["", f"`{_type(inspect.type_info(cls))}`"]
    if cls in seen:
        return ["", f"As `{cls.__name__}` above."]
    seen.add(cls)
    texts: dict[str, str] = {}
    for parent in reversed(cls.__mro__):
        if isinstance(parent, type) and issubclass(parent, msgspec.Struct) and parent is not msgspec.Struct:
            texts |= field_texts(parent)
    lines = [
        "",
        f"`{cls.__name__}`: {(cls.__doc__ or '').strip().splitlines()[0]}",
        "",
        "| member | type | |",
        "|---|---|---|",
    ]
    inner: list[Any] = []
    found = inspect.type_info(cls)
    assert isinstance(found, inspect.StructType)
    for field in found.fields:
        lines.append(f"| `{field.encode_name}` | {_cell(_type(field.type))} | {_cell(texts.get(field.name, ''))} |")
        inner += [each for each in _classes(field.type) if each not in seen]
    for each in dict.fromkeys(inner):
        if each.__module__.startswith(("gateway.admin", "translators.atlas")) and each not in seen:
            lines += _struct(each, seen)
    return lines


def _type(kind: inspect.Type) -> str:
    match kind:
        case inspect.StructType(cls=cls):
            return cls.__name__
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            return f"list of {_type(item)}"
        case inspect.DictType(key_type=key, value_type=value):
            return f"object: {_type(key)} -> {_type(value)}"
        case inspect.UnionType(types=types):
            return " or ".join(map(_type, types))
        case inspect.LiteralType(values=values):
            return " or ".join(f"`{each}`" for each in values)
        case inspect.Metadata(type=inner):
            return _type(inner)
        case inspect.NoneType():
            return "null"
        case inspect.AnyType() | inspect.RawType():
            return "any JSON"
    names = {"Str": "text", "Int": "whole number", "Float": "number", "Bool": "true or false", "Decimal": "number"}
    return names.get(type(kind).__name__.removesuffix("Type"), type(kind).__name__.removesuffix("Type").casefold())


def _classes(kind: inspect.Type) -> list[Any]:
    match kind:
        case inspect.StructType(cls=cls):
            return [cls]
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            return _classes(item)
        case inspect.DictType(value_type=value):
            return _classes(value)
        case inspect.UnionType(types=types):
            return [cls for each in types for cls in _classes(each)]
        case inspect.Metadata(type=inner):
            return _classes(inner)
    return []
