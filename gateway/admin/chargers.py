"""/api/v1/chargers: the registry in the store."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from aiohttp import web

from gateway.config import Config
from gateway.journal.errors import StoreDown
from gateway.journal.journal import Journal
from gateway.registry import Charger
from gateway.registry.file import charger_of

from .routing import reply

MOST = 1000
"""Chargers in one answer."""


class Chargers:
    """Endpoints of the registry. Passwords go in, and never come out."""

    def __init__(self, journal: Journal, config: Config) -> None:
        self._journal = journal
        self._config = config

    def add_to(self, app: web.Application) -> None:
        """Registers the endpoints."""
        app.router.add_get("/api/v1/chargers", self._list)
        app.router.add_get("/api/v1/chargers/{charger}", self._show)
        app.router.add_put("/api/v1/chargers/{charger}", self._put)
        app.router.add_delete("/api/v1/chargers/{charger}", self._delete)

    async def _list(self, request: web.Request) -> web.Response:
        """Up to 1,000 chargers by identity, those after `?after=`."""
        try:
            found, _ = await self._journal.all_registered()
        except StoreDown as error:
            return _down(error)
        after = request.query.get("after", "").casefold()
        group = request.query.get("group", "")
        wanted = sorted(
            (each for each in found if each.id.casefold() > after and (not group or each.group == group)),
            key=lambda each: each.id.casefold(),
        )
        return reply({"chargers": [shown(each) for each in wanted[:MOST]], "more": len(wanted) > MOST})

    async def _show(self, request: web.Request) -> web.Response:
        charger = request.match_info["charger"]
        try:
            found = (await self._journal.registered([charger]))[charger.casefold()]
        except StoreDown as error:
            return _down(error)
        if found is None:
            return reply({"errors": [f"{charger} is not registered"]}, 404)
        return reply(shown(found))

    async def _put(self, request: web.Request) -> web.Response:
        """Register a charger, or change what is given; its password stays unless another one is given."""
        if (refused := self._elsewhere()) is not None:
            return refused
        charger = request.match_info["charger"]
        try:
            given = msgspec.json.decode(await request.read(), type=dict[str, Any])
            made = await asyncio.to_thread(charger_of, {**given, "id": charger}, True)
        except (msgspec.MsgspecError, ValueError) as error:
            return reply({"errors": [str(error)]}, 400)
        if made.route and made.route not in [each.name for each in self._config.routes]:
            return reply({"errors": [f"no route has the name {made.route}"]}, 422)
        try:
            old = (await self._journal.registered([charger]))[charger.casefold()]
            if old is not None:
                changes = {key: getattr(made, key) for key in given if key in Charger.__struct_fields__ and key != "id"}
                changes["password"] = made.password or old.password
                made = msgspec.structs.replace(old, **changes)
            await self._journal.register({charger: made})
        except StoreDown as error:
            return _down(error)
        return reply(shown(made), 201 if old is None else 200)

    async def _delete(self, request: web.Request) -> web.Response:
        if (refused := self._elsewhere()) is not None:
            return refused
        charger = request.match_info["charger"]
        try:
            if (await self._journal.registered([charger]))[charger.casefold()] is None:
                return reply({"errors": [f"{charger} is not registered"]}, 404)
            await self._journal.register({charger: None})
            await self._journal.forget_profile(charger, self._journal.partition(charger))
        except StoreDown as error:
            return _down(error)
        return web.Response(status=204)

    def _elsewhere(self) -> web.Response | None:
        source = self._config.registry.source
        if source == "redis":
            return None
        return reply({"errors": [f"registry.source is {source}: chargers are not kept in the store"]}, 409)


def shown(charger: Charger) -> dict[str, Any]:
    """A charger without its password."""
    found = {field: getattr(charger, field) for field in charger.__struct_fields__}
    return found | {"password": bool(charger.password), "versions": list(charger.versions)}


def _down(error: StoreDown) -> web.Response:
    return reply({"errors": [f"the store is unreachable: {error}"]}, 503)
