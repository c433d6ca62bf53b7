"""/api/v1/upstreams: how the CSMSs are, and what an operator may do about one."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from gateway.fleet import ANSWER_SECONDS, Fleet, Refused
from gateway.journal import SESSION, paused
from gateway.journal.journal import Journal
from gateway.live import Live
from gateway.redact import url as redact_url
from translators.values import format_time

from .table import Bad, Endpoint, Part, Query, body_of, flag, reply

STATES: Final = ("connected", "connecting", "backoff", "idle")


class Reason(msgspec.Struct):
    """Why sockets to a CSMS are not open."""

    reason: str
    sessions: int


class Upstream(msgspec.Struct):
    """A CSMS, or what the store still keeps for one that is in no configuration any more (`orphan`)."""

    name: str
    orphan: bool
    url: str = ""
    version: str = ""
    shadow: bool = False
    state: str = ""
    """up, down; empty: no charger needs it now, or no hub says anything."""
    paused_at: str | None = None
    primary_of: int = 0
    """Routes whose primary it is, and `mirror_of`: one of whose mirrors."""
    mirror_of: int = 0
    sessions: dict[str, int] = msgspec.field(default_factory=lambda: dict.fromkeys(STATES, 0))
    """Sockets by state."""
    errors: list[Reason] = []
    """The most frequent reasons why sockets are not open."""
    pending: int = 0
    """Messages that it has not acknowledged, whether it was told them or not."""
    oldest_seconds: float = 0.0
    """Age of the oldest message that it has not got: the figure to look at first."""
    held: int = 0
    """Messages that the hubs hold for it, those that are parked included; counted every some seconds."""
    billing: int = 0
    """Those of them that belong to a transaction."""
    billing_seconds: float = 0.0
    """Age of the oldest of these."""
    parked_bytes: int = 0
    parked_chargers: int = 0
    dead_letters: int = 0


class Listed(msgspec.Struct):
    """All of them."""

    upstreams: list[Upstream]
    silent: list[str]
    """Processes that did not answer: their sockets are missing."""


class Reconnect(msgspec.Struct, forbid_unknown_fields=True):
    """Which sockets to close."""

    charger: str = ""
    """Only that of this charger; empty: all, over some seconds."""


class Reconnected(msgspec.Struct):
    """How many sockets are closed and dialled again."""

    upstream: str
    sockets: int


class Try(msgspec.Struct, forbid_unknown_fields=True):
    """How to try an upstream."""

    charger: str = "ocppgw-test"
    """The CSMS sees it connect. Not one that is connected: many CSMSs would end that connection."""


class Tried(msgspec.Struct):
    """What a hub met."""

    process: str
    ok: bool
    kind: str
    """connected, or what went wrong: url, dns, refused, timeout, tls, http, subprotocol, protocol, credentials"""
    detail: str
    ms: int


class Trial(msgspec.Struct):
    """From every hub of the fleet."""

    upstream: str
    ok: bool
    results: list[Tried]


class Paused(msgspec.Struct):
    """Whether the hubs keep sockets to it. They follow within a second."""

    upstream: str
    paused_at: str | None


class Removed(msgspec.Struct):
    """What was deleted."""

    upstream: str
    groups: int
    parked: int
    dead_letters: int


class Upstreams(Part):
    """Works from any process: what only the hubs know is asked of them."""

    def __init__(self, journal: Journal, live: Live, fleet: Fleet) -> None:
        self._journal = journal
        self._live = live
        self._fleet = fleet

    def endpoints(self) -> Sequence[Endpoint]:
        """Looking, and acting."""
        one = "/upstreams/{upstream}"
        letters = Query("dead_letters", "Its dead letters, too.", "boolean")
        return (
            Endpoint("GET", "/upstreams", self._list, "All CSMSs, with what waits for them", answer=Listed),
            Endpoint("GET", one, self._show, "One CSMS", answer=Upstream, refusals=(404,)),
            Endpoint(
                "POST", f"{one}/pause", self._pause, "Close its sockets and keep what is for it", "operate",
                answer=Paused, refusals=(404,),
            ),
            Endpoint(
                "POST", f"{one}/resume", self._resume, "Dial again, and tell it what has waited", "operate",
                answer=Paused, refusals=(404, 409),
            ),
            Endpoint(
                "POST", f"{one}/reconnect", self._reconnect, "Close its sockets and dial again", "operate",
                body=Reconnect, optional_body=True, answer=Reconnected, refusals=(404,),
            ),
            Endpoint(
                "POST", f"{one}/test", self._test, "Dial it from every hub, as a charger that does not exist", "operate",
                body=Try, optional_body=True, answer=Trial, refusals=(404,),
            ),
            Endpoint(
                "DELETE", one, self._remove, "Delete what the store keeps for one that is in no configuration", "admin",
                query=(letters,), answer=Removed, refusals=(404, 409),
            ),
        )  # fmt: skip

    async def _list(self, _request: web.Request) -> web.Response:
        found, silent = await self._look()
        return reply(Listed(sorted(found.values(), key=lambda each: (each.orphan, each.name)), silent))

    async def _show(self, request: web.Request) -> web.Response:
        found, _ = await self._look()
        name = request.match_info["upstream"]
        if name not in found:
            raise Bad(404, f"no upstream has the name {name}")
        return reply(found[name])

    async def _look(self) -> tuple[dict[str, Upstream], list[str]]:
        config = self._live.config
        found = {
            name: Upstream(name, False, redact_url(each.url), each.version, each.shadow)
            for name, each in config.upstreams.items()
        }
        for route in config.routes:
            if route.primary in found:
                found[route.primary].primary_of += 1
            for mirror in route.mirrors:
                if mirror in found:
                    found[mirror].mirror_of += 1
        for name, state in (await self._journal.upstream_health(list(found))).items():
            found[name].state = state
        for name, at in (await paused.read(self._journal)).items():
            if name in found:
                found[name].paused_at = format_time(at)
        await asyncio.gather(*(self._count(number, found) for number in range(config.redis.partitions)))
        answers, silent = await self._fleet.ask_all("upstreams")
        errors: dict[str, Counter[str]] = {}
        now = time.time_ns() // 1_000_000
        for said in answers.values():
            for name, each in (said or {}).items():
                if name not in found:
                    continue
                one = found[name]
                one.held += each.get("messages", 0)
                one.billing += each.get("billing", 0)
                if one.parked_chargers:  # the streams know the age of everything else, and of now
                    one.oldest_seconds = max(one.oldest_seconds, age(each.get("oldest_ms", 0), now))
                one.billing_seconds = max(one.billing_seconds, age(each.get("billing_ms", 0), now))
                for state, count in each["sessions"].items():
                    found[name].sessions[state] = found[name].sessions.get(state, 0) + count
                for why in each["errors"]:
                    errors.setdefault(name, Counter())[why["reason"]] += why["sessions"]
        for name, reasons in errors.items():
            found[name].errors = [Reason(reason, count) for reason, count in reasons.most_common(5)]
        return found, silent

    async def _count(self, number: int, found: dict[str, Upstream]) -> None:
        groups = [name for name in await self._journal.groups(number) if name != SESSION]
        for name, lag in (await self._journal.lag(number, groups)).items():
            each = found.setdefault(name, Upstream(name, True))
            each.pending += lag.waiting
            each.oldest_seconds = max(each.oldest_seconds, lag.age_ms / 1000)
        for (name, _), size in (await self._journal.parked(number)).items():
            each = found.setdefault(name, Upstream(name, True))
            each.parked_bytes += size
            each.parked_chargers += 1
        for name, count in (await self._journal.letter_counts(number)).items():
            if count or name in found:
                found.setdefault(name, Upstream(name, True)).dead_letters += count

    async def _pause(self, request: web.Request) -> web.Response:
        name = self._name(request)
        await paused.pause(self._journal, name, time.time_ns() // 1_000_000)
        return reply(Paused(name, format_time((await paused.read(self._journal))[name])))

    async def _resume(self, request: web.Request) -> web.Response:
        name = request.match_info["upstream"]
        if not await paused.resume(self._journal, name):
            self._name(request)
            raise Bad(409, f"{name} is not paused")
        return reply(Paused(name, None))

    async def _reconnect(self, request: web.Request) -> web.Response:
        name = self._name(request)
        wanted: Reconnect = await body_of(request, Reconnect)
        answers, _ = await self._fleet.ask_all("reconnect", upstream=name, charger=wanted.charger)
        return reply(Reconnected(name, sum(each or 0 for each in answers.values())))

    async def _test(self, request: web.Request) -> web.Response:
        name = self._name(request)
        wanted: Try = await body_of(request, Try)
        if not wanted.charger or len(wanted.charger) > 48:
            raise Bad(400, "charger: an identity of up to 48 characters is needed")
        seconds = self._live.config.upstreams[name].connect_timeout
        try:
            answers, _ = await self._fleet.ask_all(
                "test", seconds + ANSWER_SECONDS, upstream=name, charger=wanted.charger
            )
        except Refused as refused:
            raise Bad(409, str(refused)) from None
        results = [Tried(process, **each) for process, each in sorted(answers.items()) if each is not None]
        return reply(Trial(name, bool(results) and all(each.ok for each in results), results))

    async def _remove(self, request: web.Request) -> web.Response:
        name, letters = request.match_info["upstream"], flag(request, "dead_letters")
        if name in self._live.config.upstreams:
            raise Bad(409, f"{name} is in the configuration: take it out there first, in every process")
        removed = await self._journal.remove_upstream(name, dead_letters=letters)
        await paused.resume(self._journal, name)
        if not any(removed.values()):
            raise Bad(404, f"the store knows no upstream {name}")
        return reply(Removed(name, **removed))

    def _name(self, request: web.Request) -> str:
        name: Any = request.match_info["upstream"]
        if name not in self._live.config.upstreams:
            raise Bad(404, f"no upstream has the name {name}")
        return str(name)


def age(ms: int, now: int) -> float:
    """Seconds since a time; 0 if there is none."""
    return max(0, now - ms) / 1000 if ms else 0.0
