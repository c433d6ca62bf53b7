"""POST /api/v1/chargers: many chargers into the registry at once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

import msgspec
from aiohttp import web

from gateway.config import Config
from gateway.journal.journal import Journal
from gateway.registry import Charger
from gateway.registry.file import charger_of
from gateway.registry.named import unknown

from .table import CHANGE, Bad, Endpoint, Part, body_of, reply

MOST: Final = 500
"""Chargers in one request: each password takes 20 ms of a processor."""


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """Chargers with the keys of a registry file; what is not given keeps its default, a password that is not given stays."""

    chargers: list[dict[str, Any]]


class Imported(msgspec.Struct):
    """What has become of them."""

    created: int
    changed: int


class Importing(Part):
    """The endpoint."""

    def __init__(self, journal: Journal, config: Config, look_again: Callable[[], None]) -> None:
        """`look_again`: called when the registry has changed."""
        self._journal = journal
        self._config = config
        self._look_again = look_again

    def endpoints(self) -> Sequence[Endpoint]:
        """The one."""
        return (
            Endpoint(
                "POST", "/chargers", self._import, f"Register up to {MOST} chargers, all or none", "admin",
                body=Wanted, answer=Imported, refusals=(409, 422),
            ),
        )  # fmt: skip

    async def _import(self, request: web.Request) -> web.Response:
        source = self._config.registry.source
        if source != "redis":
            raise Bad(409, f"registry.source is {source}: chargers are not kept in the store")
        wanted: Wanted = await body_of(request, Wanted)
        if not 0 < len(wanted.chargers) <= MOST:
            raise Bad(422, f"chargers: must be 1 to {MOST}")
        made = await self._made(wanted.chargers)
        old = await self._journal.registered([each.id for each in made])
        changes: dict[str, Charger | None] = {}
        created = 0
        for each in made:
            before = old[each.id.casefold()]
            created += before is None
            keeps = before is not None and not each.password
            changes[each.id] = (
                msgspec.structs.replace(each, password=before.password, next=before.next) if before and keeps else each
            )
        await self._journal.register(changes)
        self._look_again()
        request[CHANGE]["after"] = {"created": created, "changed": len(made) - created}
        return reply(Imported(created, len(made) - created))

    async def _made(self, rows: list[dict[str, Any]]) -> list[Charger]:
        """The chargers. Raises Bad with everything that is wrong."""
        loop = asyncio.get_running_loop()
        errors, made, seen = [], [], set[str]()
        make = partial(charger_of, hashed=True)
        with ThreadPoolExecutor(os.cpu_count() or 1, "import") as threads:
            found = await asyncio.gather(
                *(loop.run_in_executor(threads, make, row) for row in rows), return_exceptions=True
            )
        for number, each in enumerate(found):
            where = f"chargers[{number}]"
            if isinstance(each, BaseException):
                if not isinstance(each, ValueError):
                    raise each
                errors.append(f"{where}: {each}")
                continue
            if each.id.casefold() in seen:
                errors.append(f"{where}: {each.id} is there twice")
            if wrong := unknown(each, self._config):
                errors.append(f"{where}: {wrong}")
            seen.add(each.id.casefold())
            made.append(each)
        if errors:
            raise Bad(422, *errors[:20])
        return made
