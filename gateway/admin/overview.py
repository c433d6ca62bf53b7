"""/api/v1/fleet and /api/v1/whoami: the fleet in figures, and who asks."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from gateway import __version__
from gateway.fleet import Fleet
from translators.values import format_time

from .table import SCOPE, WHO, Endpoint, Part, reply

MOST_LOSSES: Final = 25


class Whoami(msgspec.Struct):
    """Whose token a request came with."""

    name: str
    """`local` without tokens."""
    scope: str
    process: str
    """That answers."""
    version: str
    """Of its program."""


class Losing(msgspec.Struct):
    """What translations lose of one field of one message."""

    source: str
    """OCPP version that it came in."""
    target: str
    action: str
    field: str
    count: int


class Overview(msgspec.Struct):
    """The fleet in figures. Those that grow count since their process began: compare two answers for a rate."""

    at: str
    processes: int
    silent: list[str]
    """Processes that did not answer: what they count is missing."""
    connected: dict[str, int]
    """OCPP version -> chargers."""
    transactions: dict[str, int]
    """OCPP version -> transactions that have not ended."""
    connectors: dict[str, int]
    """Status -> connectors."""
    messages: dict[str, int]
    """`charger in`, `charger out`, `csms in`, `csms out`: frames, as the gateway sees them."""
    translations: dict[str, int]
    """How they ended -> messages."""
    calls: dict[str, int]
    """How they ended -> CALLs."""
    lost_fields: int
    """Fields dropped, cut or invented by translations."""
    losses: list[Losing]
    """The most frequent ones."""
    dropped: dict[str, int]
    """Upstream -> messages it will never get."""


class Overviews(Part):
    """Asks every process."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def endpoints(self) -> Sequence[Endpoint]:
        """Both."""
        return (
            Endpoint("GET", "/fleet", self._show, "The fleet in figures", answer=Overview),
            Endpoint("GET", "/whoami", self._who, "Name and scope of the token", answer=Whoami),
        )

    async def _who(self, request: web.Request) -> web.Response:
        return reply(Whoami(request[WHO], request[SCOPE], self._fleet.name, __version__))

    async def _show(self, _request: web.Request) -> web.Response:
        answers, silent = await self._fleet.ask_all("counts")
        said = [each for each in answers.values() if each is not None]
        lost = Counter[tuple[str, str, str, str]]()
        for each in said:
            for source, target, action, field, count in each["lost"]:
                lost[source, target, action, field] += count
        sums = {name: _total(said, name) for name in _SUMS}
        return reply(
            Overview(
                at=format_time(time.time_ns() // 1_000_000),
                processes=len(said),
                silent=silent,
                lost_fields=sum(each["lost_total"] for each in said),
                losses=[Losing(*of, count) for of, count in lost.most_common(MOST_LOSSES)],
                **sums,
            )
        )


_SUMS: Final = (
    "connected", "transactions", "connectors", "messages", "translations", "calls", "dropped",
)  # fmt: skip


def _total(said: list[dict[str, Any]], name: str) -> dict[str, int]:
    """What the processes counted under a name, together."""
    total = Counter[str]()
    for each in said:
        total.update(each[name])
    return dict(sorted(total.items()))
