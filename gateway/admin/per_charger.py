"""/metrics/chargers: a few series per charger, for those who ask for them. A page of its own, to be scraped seldom, by few."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from aiohttp import web

from gateway.exposition import Heads
from gateway.metrics import CONTENT_TYPE, Cell
from gateway.metrics_catalogue import PREFIX


class Seen(NamedTuple):
    """A connected charger. Times are seconds since 1970."""

    charger: str
    version: str
    since: float
    heard: float
    """When anything came last, a pong included."""


class PerCharger:
    """The page."""

    def __init__(self, chargers: Callable[[], Iterable[Seen]], most: Callable[[], int]) -> None:
        """`most`: chargers that are shown; 0: there is no page."""
        self._chargers = chargers
        self._most = most

    def add_to(self, app: web.Application) -> None:
        """Registers it."""
        app.router.add_get("/metrics/chargers", self._render)

    async def _render(self, _request: web.Request) -> web.Response:
        most = self._most()
        if not most:
            raise web.HTTPNotFound(text="metrics.per_charger is 0\n")
        seen = list(self._chargers())
        body = await asyncio.to_thread(text, seen, most)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})


def text(chargers: list[Seen], most: int) -> bytes:
    """The exposition."""
    shown = sorted(chargers)[:most]
    parts = []
    for name, meaning, values in (
        ("charger_connected_timestamp_seconds", "When the charger connected.", [each.since for each in shown]),
        ("charger_heard_timestamp_seconds", "When anything came from it last.", [each.heard for each in shown]),
    ):
        heads = Heads(PREFIX + name, "gauge", meaning, ("charger_id", "ocpp_version"), ())
        series = [
            ((each.charger, each.version.removeprefix("ocpp")), _cell(value))
            for each, value in zip(shown, values, strict=True)
        ]
        parts.append(heads.title + heads.plain(series))
    left_out = Heads(PREFIX + "charger_series_truncated", "gauge", "Connected chargers that are not shown.", (), ())
    parts.append(left_out.title + left_out.plain([((), _cell(len(chargers) - len(shown)))]))
    return "".join(parts).encode()


def _cell(value: float) -> Cell:
    cell = Cell()
    cell.n = value
    return cell


def wall(loop_time: float) -> float:
    """A time of the running loop as seconds since 1970."""
    return time.time() - (asyncio.get_running_loop().time() - loop_time)
