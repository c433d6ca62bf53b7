"""The endpoints of the operators' port as a table: what is served, who may call it, and what the OpenAPI document says of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Literal, TypeAlias

import msgspec
from aiohttp import web

from gateway.journal.errors import StoreDown, UnsafeStore

Scope: TypeAlias = Literal["read", "operate", "admin"]
Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

PREFIX: Final = "/api/v1"


class Query(msgspec.Struct, frozen=True):
    """A parameter in the query of a URL."""

    name: str
    summary: str
    kind: Literal["string", "integer", "boolean", "number"] = "string"
    choices: tuple[str, ...] = ()


class Endpoint(msgspec.Struct, frozen=True):
    """One method of one path."""

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    """Below `PREFIX`."""
    handler: Handler
    summary: str
    scope: Scope = "read"
    query: tuple[Query, ...] = ()
    body: Any = None
    """Type of the JSON body; None: none is needed."""
    optional_body: bool = False
    answer: Any = None
    """Type of the JSON answer; None: an object."""
    status: int = 200
    streams: bool = False
    """The answer is a stream of server-sent events."""
    refusals: tuple[int, ...] = ()
    """Statuses of refusals, but for those that every endpoint may give."""


TABLE: Final = web.AppKey("table", list[Endpoint])
SCOPES: Final = web.AppKey("scopes", dict[tuple[str, str], Scope])

WHO: Final = web.RequestKey("who", str)
"""Name of the token with which a request came."""
SCOPE: Final = web.RequestKey("scope", str)
"""Of that token."""
CHANGE: Final = web.RequestKey("change", dict[str, Any])
"""What the audit keeps of a request that changes something, without secrets: `asked`, and if the handler says so `before`, `after`."""


class Part:
    """Some endpoints."""

    def endpoints(self) -> Sequence[Endpoint]:
        """Those of this part."""
        raise NotImplementedError

    def add_to(self, app: web.Application) -> None:
        """Registers them."""
        for each in self.endpoints():
            path = PREFIX + each.path
            app.router.add_route(each.method, path, guarded(each.handler))
            if TABLE in app:
                app[TABLE].append(each)
                app[SCOPES][each.method, path] = each.scope


class Bad(Exception):
    """A request that is refused: status, and what is wrong."""

    def __init__(self, status: int, *errors: str) -> None:
        super().__init__(*errors)
        self.status = status
        self.errors = errors


def guarded(handler: Handler) -> Handler:
    """The handler with its refusals as answers."""

    async def call(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except Bad as bad:
            return reply({"errors": list(bad.errors)}, bad.status)
        except StoreDown as error:
            return reply({"errors": [f"the store is unreachable: {error}"]}, 503)
        except UnsafeStore as error:
            return reply({"errors": [f"the store cannot be read: {error}"]}, 503)

    return call


def reply(body: Any, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.Response(status=status, body=msgspec.json.encode(body) + b"\n", content_type="application/json")


async def body_of(request: web.Request, type_: Any) -> Any:
    """The JSON body as `type_`; an empty one counts as `{}`. Raises Bad."""
    try:
        return msgspec.json.decode(await request.read() or b"{}", type=type_)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Bad(400, str(error)) from None


def number(request: web.Request, name: str, default: int, least: int, most: int) -> int:
    """A whole number of the query. Raises Bad."""
    text = request.query.get(name)
    if text is None:
        return default
    try:
        found = int(text) if len(text) < 20 else most + 1
    except ValueError:
        raise Bad(400, f"{name}: a whole number is needed") from None
    if not least <= found <= most:
        raise Bad(400, f"{name}: must be from {least} to {most}")
    return found


def flag(request: web.Request, name: str, default: bool = False) -> bool:
    """A yes or no of the query. Raises Bad."""
    text = request.query.get(name)
    if text is None:
        return default
    if text.casefold() in ("1", "true", "yes", ""):
        return True
    if text.casefold() in ("0", "false", "no"):
        return False
    raise Bad(400, f"{name}: true or false is needed")


class Errors(msgspec.Struct):
    """What a refusal says."""

    errors: list[str]
