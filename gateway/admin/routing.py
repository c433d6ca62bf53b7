"""/api/v1/routes: routes shown, primaries switched."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from aiohttp import web

from gateway.config import RouteConfig
from gateway.journal.errors import StoreDown
from gateway.live import Live
from gateway.routes import Facts, NoRoute, Override

from .table import CHANGE, Endpoint, Part, reply

FactsOf = Callable[[str], Awaitable[Facts | None]]
"""What is known of a charger; None: it has never booted. Raises StoreDown."""


class Switch(msgspec.Struct, forbid_unknown_fields=True):
    """Body of POST /api/v1/routes/switch."""

    match: str = "*"
    primary: str = ""
    mirror_old: bool = True
    percent: int = 100
    reset: bool = False
    all: bool = False
    """With `reset`: every override, whatever its pattern."""


class Routing(Part):
    """Endpoints around what is in force."""

    def __init__(self, live: Live, facts_of: FactsOf) -> None:
        self._live = live
        self._facts_of = facts_of

    def endpoints(self) -> Sequence[Endpoint]:
        """Looking, and switching."""
        return (
            Endpoint("GET", "/routes", self._list, "Overrides and routes, in the order in which they are tried"),
            Endpoint("GET", "/routes/{charger}", self._show, "The route of one charger", refusals=(404,)),
            Endpoint(
                "POST", "/routes/switch", self._switch, "Give chargers another primary, or take that back", "operate",
                body=Switch, refusals=(422,),
            ),
        )  # fmt: skip

    async def _list(self, _request: web.Request) -> web.Response:
        """Overrides that count, then the routes of the file, in the order in which they are tried."""
        return reply(
            {
                "overrides": [_override(each) for each in self._live.routes.overrides],
                "routes": [_route(each) for each in self._live.config.routes],
            }
        )

    async def _show(self, request: web.Request) -> web.Response:
        """The route of one charger, whether it is connected or not."""
        charger = request.match_info["charger"]
        try:
            facts = await self._facts_of(charger)
            route = self._live.routes.of(charger, facts)
        except NoRoute:
            return reply({"charger": charger, "errors": ["no route fits this charger"]}, 404)
        except StoreDown as error:
            return reply({"errors": [f"the store is unreachable: {error}"]}, 503)
        override = next(iter(self._live.routes.overriding(charger)), None)
        return reply(
            {
                "charger": charger,
                "primary": route.primary,
                "mirrors": list(route.mirrors),
                "primary_down": route.primary_down,
                "authority": dict(route.authority),
                "override": None if override is None else _override(override),
                "learned": None if facts is None else msgspec.to_builtins(facts),
            }
        )

    async def _switch(self, request: web.Request) -> web.Response:
        """Give chargers another primary, or take that back. 422 with the reasons when it cannot be."""
        try:
            wanted = msgspec.json.decode(await request.read(), type=Switch)
        except msgspec.MsgspecError as error:
            return reply({"errors": [str(error)]}, 400)
        request[CHANGE]["before"] = [_override(each) for each in self._live.routes.overrides]
        try:
            if wanted.reset:
                await self._live.reset(None if wanted.all else wanted.match)
                errors = []
            else:
                override = Override(wanted.match, wanted.primary, wanted.mirror_old, wanted.percent)
                errors = await self._live.switch(override)
        except StoreDown as error:
            return reply({"errors": [f"the store is unreachable: {error}"]}, 503)
        if errors:
            return reply({"errors": errors}, 422)
        overrides = [_override(each) for each in self._live.routes.overrides]
        request[CHANGE]["after"] = overrides
        return reply({"overrides": overrides})


def _override(override: Override) -> dict[str, Any]:
    return {field: getattr(override, field) for field in override.__struct_fields__}


def _route(route: RouteConfig) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "match": list(route.patterns),
        "primary": route.primary,
        "mirrors": list(route.mirrors),
        "primary_down": route.primary_down,
    }
    if route.when:
        shown["when"] = {key: value for key, value in msgspec.to_builtins(route.when).items() if value}
    if route.authority:
        shown["authority"] = dict(route.authority)
    if route.canary.upstream:
        shown["canary"] = msgspec.to_builtins(route.canary)
    return shown
