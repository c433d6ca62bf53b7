"""The OpenAPI 3.1 document of the operators' port, made from the table of its endpoints, so that it cannot be old."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from gateway import __version__
from gateway.config_texts import field_texts

from .table import PREFIX, TABLE, Endpoint, Errors, Part, reply

REFUSED: Final = {
    400: "Something in the request is not as it must be.",
    401: "A token is needed, or it is wrong.",
    403: "The token's scope does not suffice.",
    404: "There is no such thing.",
    409: "Not as things are now.",
    413: "The body is too long.",
    415: "The body must be JSON.",
    422: "Understood, and impossible; the reasons say why.",
    429: "Too many wrong tokens from this address.",
    503: "The store is unreachable.",
    504: "No answer in time.",
}
ALWAYS: Final = (400, 401, 403, 429, 503)


class Description(Part):
    """Serves the document."""

    def endpoints(self) -> Sequence[Endpoint]:
        """The one."""
        return (Endpoint("GET", "/openapi.json", self._show, "This document"),)

    async def _show(self, request: web.Request) -> web.Response:
        endpoints = request.app[TABLE]
        return reply(document(endpoints))


def document(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """The document for these endpoints."""
    endpoints = list(endpoints)
    types = [each for point in endpoints for each in (point.body, point.answer) if each is not None]
    types = list(dict.fromkeys([*types, Errors]))
    shapes, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    _describe(components, types)
    schema = dict(zip(types, shapes, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for each in endpoints:
        paths.setdefault(PREFIX + each.path, {})[each.method.lower()] = _operation(each, schema)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ocpp-gateway",
            "version": __version__,
            "description": "What operators can see and do. Every process of a fleet answers for all of them.",
            "license": {"name": "See the project", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of `admin.tokens`. Scopes: read, operate, admin; each includes those before it. "
                    "Without tokens in the configuration whoever is on this machine may call.",
                }
            },
        },
    }


def _operation(each: Endpoint, schema: dict[Any, Any]) -> dict[str, Any]:
    words = re.sub(r"[^a-z]+", " ", each.path.casefold()).split()
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in re.findall(r"{(\w+)}", each.path)
    ]
    for query in each.query:
        kind: dict[str, Any] = {"type": query.kind}
        if query.choices:
            kind["enum"] = list(query.choices)
        parameters.append({"name": query.name, "in": "query", "description": query.summary, "schema": kind})
    operation: dict[str, Any] = {
        "operationId": "_".join([each.method.lower(), *words]),
        "summary": each.summary,
        "description": f"Scope: {each.scope}.",
        "tags": [each.path.split("/")[1]],
        "security": [{"token": [each.scope]}],
        "x-scope": each.scope,
        "responses": _responses(each, schema),
    }
    if parameters:
        operation["parameters"] = parameters
    if each.body is not None:
        operation["requestBody"] = {
            "required": not each.optional_body,
            "content": {"application/json": {"schema": schema[each.body]}},
        }
    return operation


def _responses(each: Endpoint, schema: dict[Any, Any]) -> dict[str, Any]:
    answer = schema[each.answer] if each.answer is not None else {"type": "object"}
    kind = "text/event-stream" if each.streams else "application/json"
    good: dict[str, Any] = {"description": each.summary + "."}
    if each.status != 204:
        good["content"] = {kind: {"schema": {"type": "string"} if each.streams else answer}}
    responses: dict[str, Any] = {str(each.status): good}
    if each.method == "PUT" and each.answer is not None:
        responses["201"] = good
    refusals = {*ALWAYS, *each.refusals} | ({413, 415} if each.method != "GET" else set())
    errors = {"application/json": {"schema": schema[Errors]}}
    for status in sorted(refusals):
        responses[str(status)] = {"description": REFUSED[status], "content": errors}
    return responses


def _describe(components: dict[str, Any], types: Sequence[Any]) -> None:
    """Put what the classes say of their fields into the schemas."""
    known: dict[str, type] = {}

    def collect(cls: Any) -> None:
        for each in _structs(cls):
            if each.__name__ not in known:
                known[each.__name__] = each
                for hint in msgspec.structs.fields(each):
                    collect(hint.type)

    for each in types:
        collect(each)
    for name, shape in components.items():
        cls = known.get(name)
        if cls is None:
            continue
        for parent in reversed(cls.__mro__):
            if isinstance(parent, type) and issubclass(parent, msgspec.Struct) and parent is not msgspec.Struct:
                for field, text in field_texts(parent).items():
                    if field in shape.get("properties", {}) and "$ref" not in shape["properties"][field]:
                        shape["properties"][field]["description"] = text


def _structs(hint: Any) -> Iterable[type[msgspec.Struct]]:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        yield hint
    for each in getattr(hint, "__args__", ()):
        yield from _structs(each)
