"""/api/v1/shadow: how the answers of shadows differ from those that count. Asks the store: any process of the fleet can."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from gateway.journal.errors import StoreDown, UnsafeStore
from gateway.journal.journal import Journal
from gateway.live import Live
from gateway.readiness import FIELD, KINDS, READY, Line, Noted, Record, decode, summaries
from gateway.redact import redact
from translators.values import format_time

from .table import Endpoint, Part, Query, reply

LIST_MOST = 1000


class Shadows(Part):
    """Endpoints around the comparison."""

    def __init__(self, journal: Journal, live: Live) -> None:
        self._journal = journal
        self._live = live

    def endpoints(self) -> Sequence[Endpoint]:
        """Of the fleet, and of one charger."""
        upstream = Query("upstream", "Only this shadow.")
        limit = Query("limit", "At most so many chargers.", "integer")
        return (
            Endpoint("GET", "/shadow", self._list, "How the answers of shadows differ", query=(upstream, limit)),
            Endpoint("GET", "/shadow/{charger}", self._show, "The same of one charger", refusals=(404,)),
        )

    async def _list(self, request: web.Request) -> web.Response:
        """The fleet in short, then its chargers, the least ready first. `?upstream=NAME` for one shadow, `?limit=N` for so many
        chargers."""
        only = request.query.get("upstream", "")
        try:
            limit = max(0, int(request.query.get("limit", LIST_MOST)))
        except ValueError:
            return reply({"errors": ["limit: a whole number is needed"]}, 400)
        try:
            lines = await self._lines()
        except (StoreDown, UnsafeStore) as error:
            return reply({"errors": [f"the store cannot be read: {error}"]}, 503)
        lines = [each for each in lines if only in ("", each[1])]
        lines.sort(key=lambda each: (each[2].score is None, each[2].score, each[0], each[1]))
        names = sorted({name for _, name, _ in lines} | {name for name in self._shadows() if only in ("", name)})
        return reply(
            {
                "upstreams": {name: _fleet([line for _, other, line in lines if other == name]) for name in names},
                "chargers": [
                    {"charger": charger, "upstream": name, **_line(line)} for charger, name, line in lines[:limit]
                ],
                "left_out": max(0, len(lines) - limit),
            }
        )

    async def _show(self, request: web.Request) -> web.Response:
        """One charger, with the last differences. 404 when nothing was compared."""
        charger = request.match_info["charger"]
        try:
            facts = await self._journal.load_facts(self._journal.partition(charger), charger)
        except (StoreDown, UnsafeStore) as error:
            return reply({"errors": [f"the store cannot be read: {error}"]}, 503)
        records = decode(facts.get(FIELD, b"")).upstreams
        shown = {name: _record(each) for name, each in records.items() if name in self._live.config.upstreams}
        if not shown:
            return reply({"charger": charger, "errors": [f"nothing was compared for {charger}"]}, 404)
        return reply({"charger": charger, "upstreams": shown})

    def _shadows(self) -> list[str]:
        return [name for name, upstream in self._live.config.upstreams.items() if upstream.shadow]

    async def _lines(self) -> list[tuple[str, str, Line]]:
        """(charger, upstream, record in short) of every upstream that is configured."""
        partitions = range(self._live.config.redis.partitions)
        found = await asyncio.gather(*(self._journal.load_facts(number, "") for number in partitions))
        return [
            (summary.charger, name, line)
            for facts in found
            for summary in summaries(facts)
            for name, line in summary.upstreams.items()
            if name in self._live.config.upstreams
        ]


def _fleet(lines: list[Line]) -> dict[str, Any]:
    scores = [line.score for line in lines if line.score is not None]
    return {
        "chargers": len(lines),
        "ready": sum(score >= READY for score in scores),
        "not_enough_data": len(lines) - len(scores),
        "score": sum(scores) // len(scores) if scores else None,
        "lowest": min(scores, default=None),
        "compared": sum(line.compared for line in lines),
        "agreed": sum(line.agreed for line in lines),
        "differences": {kind: sum(line.kinds.get(kind, 0) for line in lines) for kind in KINDS},
    }


def _line(line: Line | Record) -> dict[str, Any]:
    return {
        "score": line.score,
        "ready": line.score is not None and line.score >= READY,
        "compared": line.compared,
        "agreed": line.agreed,
        "differences": {kind: line.kinds.get(kind, 0) for kind in KINDS},
        "last_at": format_time(line.at),
    }


def _record(record: Record) -> dict[str, Any]:
    classes = {
        each: {"counted": count, "agreed_percent": round(float(100 * share), 1)}
        for each, (count, share) in record.shares().items()
    }
    return {
        **_line(record),
        "first_at": format_time(record.since),
        "classes": classes,
        "last_differences": [_noted(each) for each in reversed(record.recent)],
    }


def _noted(each: Noted) -> dict[str, Any]:
    return {
        "at": format_time(each.at),
        "action": each.action,
        "kind": each.kind,
        "answer": redact(each.answer, each.kind),
        "shadow": redact(each.shadow, each.kind),
        "entry": each.entry,
    }
