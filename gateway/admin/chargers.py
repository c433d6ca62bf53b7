"""/api/v1/chargers: who is there, who was, who may come; one of them in detail; the registry in the store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from gateway.config import Config
from gateway.fleet import Fleet
from gateway.journal.journal import Journal
from gateway.registry import Charger
from gateway.registry.file import charger_of
from gateway.registry.named import unknown
from translators.values import format_time

from .directory import Directory, Home, Line, Registration, registration
from .ordering import CHOICES, Ordered, cut
from .table import CHANGE, Bad, Endpoint, Part, Query, flag, number, reply

MOST: Final = 1000
"""Chargers in one answer."""
USUAL: Final = 100


class Page(msgspec.Struct):
    """Some chargers, by identity."""

    chargers: list[Line]
    total: int
    """How many fit the question."""
    connected: int
    """How many of these are connected."""
    next: str
    """`cursor` of the next page; empty: there is none."""


class Told(msgspec.Struct):
    """A CALL of the charger that an upstream is being told."""

    action: str
    received_at: str
    failures: int


class Named(msgspec.Struct):
    """A transaction that has not ended, by both its names."""

    charger: str | int | None
    """What the charger calls it; null: it was not answered yet."""
    upstream: str | int | None
    """What the upstream calls it; null: it has not answered yet."""
    state: str
    """starting, open"""


class AtUpstream(msgspec.Struct):
    """A charger at one of its upstreams, as the hub that has it sees it."""

    version: str
    role: str
    answers: bool
    """The charger gets its answers."""
    may_command: bool
    leaving: bool
    state: str
    """idle, connecting, connected, backoff"""
    last_error: str
    down_since: str | None
    refuses: bool
    """The CSMS refuses the charger: it is told nothing until the charger boots."""
    backlog: int
    """CALLs in memory that wait to be told."""
    parked_bytes: int
    dead_letters: int
    """Of this charger, among the first 10,000 of its partition."""
    told: list[Told]
    transactions: list[Named] | None = None
    """null: the charger's own ids pass."""


class Detail(Line, kw_only=True):
    """Everything about one charger."""

    hub: str = ""
    """Process that has its session; empty: none has, as nothing happens to it."""
    opened_at: str | None = None
    absent_since: str | None = None
    command: dict[str, Any] = msgspec.field(default_factory=dict)
    """The CALL that it has to answer (`open`, empty: none, `source`), and how many wait behind."""
    upstreams: dict[str, AtUpstream] = msgspec.field(default_factory=dict)
    parked: dict[str, int] = msgspec.field(default_factory=dict)
    """Upstream -> bytes put aside for it."""
    security_profile: int = 0
    """The highest with which it was ever accepted."""
    remembered: int | None = None
    """Messages that would be known if it sent them again. Only with `?remembered=true`: counting takes long."""
    silent: list[str] = msgspec.field(default_factory=list)
    """Processes that did not answer: what only they know is missing."""


class Given(msgspec.Struct, forbid_unknown_fields=True):
    """A charger for the registry. What is left out stays as it is."""

    password: str | None = None
    password_hash: str | None = None
    serial: str | None = None
    group: str | None = None
    route: str | None = None
    versions: list[str] | None = None
    blocked: bool | None = None
    strict: bool | None = None
    quirks: str | None = None


class Chargers(Part):
    """Passwords go in, and never come out."""

    def __init__(self, journal: Journal, config: Config, directory: Directory, fleet: Fleet) -> None:
        self._journal = journal
        self._config = config
        self._directory = directory
        self._fleet = fleet
        self._ordered = Ordered()

    def endpoints(self) -> Sequence[Endpoint]:
        """Those of the chargers that only look, and of the registry."""
        queries = (
            Query("q", "Part of the identity, vendor, model, firmware or serial number."),
            Query("state", "Which ones.", choices=("connected", "absent", "blocked")),
            Query("version", "OCPP version."),
            Query("group", "Group in the registry."),
            Query("upstream", "Primary or mirror of the route."),
            Query("registered", "Only those that are (not) in the registry.", "boolean"),
            Query("sort", "In which order; with a minus the other way round.", choices=CHOICES),
            Query("limit", f"At most so many, up to {MOST}.", "integer"),
            Query("cursor", "`next` of the page before."),
        )
        one = "/chargers/{charger}"
        remembered = Query("remembered", "Count the messages that are remembered.", "boolean")
        return (
            Endpoint("GET", "/chargers", self._list, "Chargers, connected or not", query=queries, answer=Page),
            Endpoint("GET", one, self._show, "One charger in detail", query=(remembered,), answer=Detail, refusals=(404,)),
            Endpoint(
                "PUT", one, self._put, "Register a charger, or change what is given", "admin",
                body=Given, answer=Registration, refusals=(409, 422),
            ),
            Endpoint("DELETE", one, self._delete, "Remove from the registry", "admin", status=204, refusals=(404, 409)),
        )  # fmt: skip

    async def _list(self, request: web.Request) -> web.Response:
        query = request.query
        limit = number(request, "limit", USUAL, 1, MOST)
        after, sort = query.get("cursor", query.get("after", "")), query.get("sort", "") or "id"
        state = query.get("state", "")
        if state not in ("", "connected", "absent", "blocked"):
            raise Bad(400, "state: connected, absent or blocked")
        if sort not in CHOICES:
            raise Bad(400, f"sort: {', '.join(CHOICES)}")
        homes = await self._homes(request, state)
        wanted, version, upstream = query.get("q", "").casefold(), query.get("version", ""), query.get("upstream", "")
        if wanted or version or upstream or sort != "id":  # needs what is known of each of them

            async def lines() -> list[Line]:
                return [
                    each
                    for each in await self._directory.lines(homes)
                    if version in ("", each.version)
                    and _has(each, wanted)
                    and upstream in ("", each.primary, *each.mirrors)
                ]

            if not after:
                self._ordered.forget()  # whoever begins again wants to see what is new
            others = (wanted, version, upstream, state, query.get("group", ""), query.get("registered", ""))
            found = await self._ordered.lines(others, sort, lines)
            page, more = cut(found, sort, after, limit)
            return reply(Page(page, len(found), sum(each.connected for each in found), more))
        total, there = len(homes), sum(bool(each.edge) for each in homes)
        homes = [each for each in homes if each.id.casefold() > after.casefold()]
        page = await self._directory.lines(homes[:limit])
        return reply(Page(page, total, there, page[-1].id.casefold() if len(homes) > limit else ""))

    async def _homes(self, request: web.Request, state: str) -> list[Home]:
        """Those that fit what is known without their facts, by identity."""
        group = request.query.get("group", "")
        registered = flag(request, "registered") if "registered" in request.query else None
        everyone = await self._directory.everyone()
        homes = [everyone[name] for name in sorted(everyone)]
        if state in ("connected", "absent"):
            homes = [each for each in homes if bool(each.edge) == (state == "connected")]
        registry = self._directory.registered
        if registered is not None:
            homes = [each for each in homes if (registry(each.id) is not None) == registered]
        if group or state == "blocked":
            some = ((each, registry(each.id)) for each in homes)
            homes = [
                each
                for each, known in some
                if known is not None and group in ("", known.group) and (known.blocked or state != "blocked")
            ]
        return homes

    async def _show(self, request: web.Request) -> web.Response:
        home = await found(self._directory, request)
        line = (await self._directory.lines([home]))[0]
        answers, silent = await self._fleet.ask_all("charger", charger=home.id)
        partition = self._journal.partition(home.id)
        detail = Detail(**{name: getattr(line, name) for name in line.__struct_fields__}, silent=silent)
        parked = {
            name: size for (name, who), size in (await self._journal.parked(partition)).items()
            if who == home.id.casefold()
        }  # fmt: skip
        detail.parked = parked
        detail.security_profile = await self._journal.highest_profile(home.id, partition, 0)
        if flag(request, "remembered"):
            detail.remembered = await self._journal.stored_answers(partition, home.id)
        letters = await self._journal.letters_of(partition, home.id)
        for process, said in answers.items():
            if said is None:
                continue
            detail.hub = process
            detail.opened_at, detail.absent_since = _time(said["opened_at"]), _time(said["absent_since"])
            detail.command = said["command"]
            for name, each in said["upstreams"].items():
                told = [Told(one["action"], format_time(one["received_at"]), one["failures"]) for one in each["told"]]
                named = msgspec.convert(each.get("transactions"), list[Named] | None)
                each |= {
                    "told": told,
                    "transactions": named,
                    "down_since": _time(each["down_since"]),
                    "parked_bytes": parked.get(name, 0),
                    "dead_letters": letters.get(name, 0),
                }
                detail.upstreams[name] = AtUpstream(**each)
        return reply(detail)

    async def _put(self, request: web.Request) -> web.Response:
        self._here()
        charger = request.match_info["charger"]
        try:
            given = msgspec.json.decode(await request.read() or b"{}", type=dict[str, Any])
            if "id" in given:
                raise ValueError("the path says which charger: no id")
            made = await asyncio.to_thread(charger_of, {**given, "id": charger}, True)
        except (msgspec.MsgspecError, ValueError) as error:
            raise Bad(400, str(error)) from None
        if wrong := unknown(made, self._config):
            raise Bad(422, wrong)
        old = (await self._journal.registered([charger]))[charger.casefold()]
        if old is not None:
            changes = {key: getattr(made, key) for key in given if key in Charger.__struct_fields__ and key != "id"}
            changes["password"] = made.password or old.password
            changes["next"] = "" if made.password else old.next
            made = msgspec.structs.replace(old, **changes)
        await self._journal.register({charger: made})
        request[CHANGE] |= {"before": None if old is None else shown(old), "after": shown(made)}
        self._directory.look_again()
        return reply(registration(made), 201 if old is None else 200)

    async def _delete(self, request: web.Request) -> web.Response:
        self._here()
        charger = request.match_info["charger"]
        old = (await self._journal.registered([charger]))[charger.casefold()]
        if old is None:
            raise Bad(404, f"{charger} is not registered")
        await self._journal.register({charger: None})
        request[CHANGE] |= {"before": shown(old), "after": None}
        await self._journal.forget_profile(charger, self._journal.partition(charger))
        self._directory.look_again()
        return web.Response(status=204)

    def _here(self) -> None:
        source = self._config.registry.source
        if source != "redis":
            raise Bad(409, f"registry.source is {source}: chargers are not kept in the store")


def shown(charger: Charger) -> dict[str, Any]:
    """A charger of the registry for the audit: whether it has a password, not which; what is not set is left out."""
    plain = {name: getattr(charger, name) for name in Charger.__struct_fields__}
    return {name: bool(each) if name in ("password", "next") else each for name, each in plain.items() if each}


async def found(directory: Directory, request: web.Request) -> Home:
    """The charger that the URL names. Raises Bad, StoreDown."""
    charger = request.match_info["charger"]
    home = await directory.home(charger)
    if home is None:
        raise Bad(404, f"nobody has ever heard of {charger}")
    return home


def _has(line: Line, wanted: str) -> bool:
    texts = [line.id, line.vendor, line.model, line.firmware]
    if line.registration is not None:
        texts.append(line.registration.serial)
    return not wanted or any(wanted in text.casefold() for text in texts)


def _time(ms: int) -> str | None:
    return format_time(ms) if ms else None
