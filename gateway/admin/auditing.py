"""/api/v1/audit: what operators have done, in any process of the fleet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from aiohttp import web

from gateway.journal.journal import Journal
from gateway.journal.streams import order
from translators.values import format_time

from .table import Bad, Endpoint, Part, Query, number, reply


class Deed(msgspec.Struct):
    """A request that may have changed something."""

    at: str
    who: str
    """Name of the token; `local` without tokens."""
    method: str
    path: str
    status: int
    remote: str
    process: str
    change: dict[str, Any]
    """What was asked, what was `before` and is `after`, without secrets."""


class Deeds(msgspec.Struct):
    """The newest first."""

    deeds: list[Deed]
    next: str
    """`cursor` for older ones."""


class Auditing(Part):
    """Reads what every guard has noted."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def endpoints(self) -> Sequence[Endpoint]:
        """The one."""
        count = Query("count", "At most so many, up to 1000.", "integer")
        cursor = Query("cursor", "`next` of the page before.")
        return (
            Endpoint(
                "GET", "/audit", self._list, "What operators have done", "admin", query=(count, cursor), answer=Deeds
            ),
        )

    async def _list(self, request: web.Request) -> web.Response:
        count, before = number(request, "count", 100, 1, 1000), request.query.get("cursor", "")
        ms, dash, seq = before.partition("-")
        if before and not (dash and ms.isdecimal() and seq.isdecimal() and len(before) < 40):
            raise Bad(400, "cursor: is no id")
        deeds = await self._journal.deeds(count, before)
        shown = [
            Deed(
                format_time(order(each.id)[0]),
                each.who,
                each.method,
                each.path,
                each.status,
                each.remote,
                each.process,
                each.change,
            )
            for each in deeds
        ]
        return reply(Deeds(shown, deeds[-1].id if len(deeds) == count else ""))
